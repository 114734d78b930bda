"""What comes of a collaboration: reach, clicks and conversions, predicted with their uncertainty.

Three LightGBM models of a logarithm: impressions; clicks for each impression; conversions for each
click; and a fourth (`choice`) of what brands' own choosing tells. Knows nothing of how they are
fitted (`conversion_fit`), of briefs, creators or files.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import gammaincinv, ndtr, ndtri

from features.catalogue import FEATURE_NAMES
from features.windows import Floats, Ints
from models.choice import Choice
from models.stage import Stage

INTERVAL = 0.8  # `low` and `high` bound the middle 80%
KNOWLEDGE = FEATURE_NAMES.index("past_impressions_log")
SIGMAS = float(ndtri((1 + INTERVAL) / 2))  # of a normal, to either side
# Share of the variance of creators' log rates that all creators of a brief have in common. Set by
# what whole plans have to hold: with it P10 to P90 held 0.83 of what came in two simulated worlds
# (`benchmarks.portfolios 901 902`), of 0.80 that should be. Not `outlook.Assumptions.shared_share`
# (0.4), though of the same kind: nothing corrects this one, and it stands too for what the creators
# of a plan have in common in reach, which is drawn apart; that one is of rates alone, measured on
# the errors of those that ran, and the campaign's own outcomes correct it as they come.
TOGETHER = 0.5
LOG_SHAPES = (-5.0, 10.0)  # bounds of the logarithm of a Gamma's shape
LOG_SHAPE_KNOTS = 2_001
GRID = np.linspace(-4.5, 4.5, 181)  # standard deviations
TINY = 1e-300  # a bound that has underflowed

Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Labels:
    """What came of each row, ``(n,)`` each; `clicks` is NaN where unknown."""

    impressions: Ints
    clicks: Floats
    conversions: Ints

    def __len__(self) -> int:
        return len(self.impressions)

    def take(self, rows: Ints) -> Labels:
        return Labels(self.impressions[rows], self.clicks[rows], self.conversions[rows])


@dataclass(frozen=True)
class Calibration:
    """From the stages' log rate to the calibrated one, and how far the true rate may lie from it.

    The calibrated log rate is ``intercept + slope * raw``. Around it the true rate is Gamma of
    shape ``exp(shape_base + shape_gain * past_impressions_log)``: the more is known of a creator,
    the narrower. `reach_mean`, `reach_low` and `reach_high` are factors on the stage's impressions.
    `narrow` and `wide` are the thirds of ``high / low`` of the rate over the rows of calibration:
    what `confidence` is told by.
    """

    intercept: float
    slope: float
    shape_base: float
    shape_gain: float
    reach_mean: float
    reach_low: float
    reach_high: float
    narrow: float
    wide: float


@dataclass(frozen=True)
class Predictions:
    """What is expected of each row, ``(n,)`` each. NaN where the model cannot tell.

    `rate` is conversions for each impression; `score` its logarithm, or for a heuristic a number
    that only orders. `spread` is ``rate_high / rate_low``.
    """

    score: Floats
    rate: Floats
    rate_low: Floats
    rate_high: Floats
    click_rate: Floats
    impressions: Floats
    impressions_low: Floats
    impressions_high: Floats
    spread: Floats
    narrow: float = 0.0
    wide: float = 0.0

    def take(self, rows: Ints) -> Predictions:
        kept = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name not in ("narrow", "wide")
        }
        return replace(self, **kept)

    def confidence(self, row: int) -> Confidence:
        """How the rate's interval compares with those of the collaborations calibrated on.

        `high` where `spread` is below their lower third, `low` above their upper third and where
        there is no rate, else `medium`. It compares creators under one model; the interval itself
        is what to plan with.
        """
        spread = self.spread[row]
        if not spread <= self.wide:
            return "low"
        return "high" if spread < self.narrow else "medium"


@dataclass(frozen=True)
class ConversionModel:
    """Reach, clicks and conversions, calibrated.

    `clicks` is None where the history holds no clicks; `conversions` is then for each impression.
    `choice` is None where nobody could have been chosen but those who were.
    """

    reach: Stage
    clicks: Stage | None
    conversions: Stage
    calibration: Calibration
    choice: Choice | None = None
    kind: Literal["outcomes"] = "outcomes"

    def raw_log_rate(self, matrix: Floats) -> Floats:
        return self._raw(matrix, self._log_click_rate(matrix))

    def _log_click_rate(self, matrix: Floats) -> Floats | None:
        return None if self.clicks is None else self.clicks.log_mean(matrix)

    def _raw(self, matrix: Floats, log_click_rate: Floats | None) -> Floats:
        raw = self.conversions.log_mean(matrix)
        return raw if log_click_rate is None else raw + log_click_rate

    def _calibrated(self, raw: Floats) -> Floats:
        return self.calibration.intercept + self.calibration.slope * raw

    def log_rate(self, matrix: Floats, *, chosen: bool = False) -> Floats:
        """Logarithm of the expected rate, ``(n,)``; `chosen` as for `predict`."""
        out = self._calibrated(self.raw_log_rate(matrix))
        if self.choice is not None and not chosen:
            out += self.choice.correction(matrix)
        return out

    def predict(self, matrix: Floats, *, chosen: bool = False) -> Predictions:
        """Expected rates and counts for rows of features, ``(n, n_features)``.

        The interval is that of the Gamma around creators whom brands chose; to the logarithms of
        its ends is added, as deviations add, what the correction for that choice may be off by.

        Args:
            matrix: The rows.
            chosen: They are creators that brands chose by themselves, such as in a history: what
                they knew and we do not is then in the outcome, and `choice` corrects nothing.
        """
        fitted = self.calibration
        log_click_rate = self._log_click_rate(matrix)
        score = self._calibrated(self._raw(matrix, log_click_rate))
        log_lower, log_upper = log_interval_factors(gamma_shape(fitted, matrix))
        if self.choice is not None and not chosen:
            correction = self.choice.correction(matrix)
            score = score + correction
            more = SIGMAS * self.choice.deviation(correction)
            log_lower, log_upper = -np.hypot(log_lower, more), np.hypot(log_upper, more)
        rate = np.exp(score)
        reach = np.exp(self.reach.log_mean(matrix))
        return Predictions(
            score=score,
            rate=rate,
            rate_low=rate * np.exp(log_lower),
            rate_high=rate * np.exp(log_upper),
            click_rate=(
                np.full(len(matrix), np.nan) if log_click_rate is None else np.exp(log_click_rate)
            ),
            impressions=reach * fitted.reach_mean,
            impressions_low=reach * fitted.reach_low,
            impressions_high=reach * fitted.reach_high,
            spread=np.exp(log_upper - log_lower),
            narrow=fitted.narrow,
            wide=fitted.wide,
        )

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature adds to the log rate, and last the base: rows sum to `score`."""
        total = self.conversions.contributions(matrix)
        if self.clicks is not None:
            total = total + self.clicks.contributions(matrix)
        total = total * self.calibration.slope
        total[:, -1] += self.calibration.intercept
        if self.choice is not None:
            total += self.choice.contributions(matrix)
        return total

    def reach_contributions(self, matrix: Floats) -> Floats:
        """What each feature adds to the log of expected impressions, and last the base."""
        total = self.reach.contributions(matrix)
        total[:, -1] += np.log(self.calibration.reach_mean)
        return total

    def draw_rates(self, matrix: Floats, draws: int, rng: np.random.Generator) -> Floats:
        """Draw true rates of creators for one brief around the estimates, ``(draws, n)``.

        What is not known of a brief is not known of all its creators: `TOGETHER` of the variance
        of their logarithms is common to a draw (a Gaussian copula; Nelsen 2006).
        """
        shape = gamma_shape(self.calibration, matrix)
        log_rate = self._calibrated(self.raw_log_rate(matrix))
        correction = np.zeros(len(matrix))
        if self.choice is not None:
            correction = self.choice.correction(matrix)
        out: Floats = np.exp(log_rate + correction) * draw_around(shape, draws, rng)
        if self.choice is not None:
            sigma = self.choice.deviation(correction)
            out *= np.exp(sigma * _normals(draws, len(matrix), rng) - sigma**2 / 2)
        return out


def _normals(draws: int, n: int, rng: np.random.Generator) -> Floats:
    """Standard normals of which each row's are correlated by `TOGETHER`, ``(draws, n)``."""
    common = rng.standard_normal((draws, 1))
    own = rng.standard_normal((draws, n))
    out: Floats = np.sqrt(TOGETHER) * common + np.sqrt(1 - TOGETHER) * own
    return out


def draw_around(shape: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Gamma variates of mean 1 for creators of one brief, correlated as `draw_rates` says.

    Args:
        shape: Of each creator's Gamma, ``(n,)``.
        draws: How many.
        rng: Where chance comes from.

    Returns:
        ``(draws, n)``.
    """
    normal = _normals(draws, len(shape), rng)
    # The quantile function is looked up on a grid, for it is dear to compute.
    table = gammaincinv(shape[:, np.newaxis], ndtr(GRID)) / shape[:, np.newaxis]
    columns = [np.interp(normal[:, i], GRID, table[i]) for i in range(len(shape))]
    return np.column_stack(columns) if columns else np.empty((len(normal), 0))


def interval_factors(shape: Floats) -> tuple[Floats, Floats]:
    """Ends of the middle `INTERVAL` of a Gamma of mean 1."""
    return (
        gammaincinv(shape, (1 - INTERVAL) / 2) / shape,
        gammaincinv(shape, (1 + INTERVAL) / 2) / shape,
    )


@cache
def _log_factors() -> tuple[PchipInterpolator, PchipInterpolator]:
    """Logarithms of `interval_factors` over the logarithm of the shape.

    Quantiles of a Gamma take 12 microseconds each; these are within 1e-6 of them
    (`tests/test_conversion.py`).
    """
    log_shape = np.linspace(*LOG_SHAPES, LOG_SHAPE_KNOTS)
    lower, upper = interval_factors(np.exp(log_shape))
    return (
        PchipInterpolator(log_shape, np.log(np.maximum(lower, TINY))),
        PchipInterpolator(log_shape, np.log(upper)),
    )


def log_interval_factors(shape: Floats) -> tuple[Floats, Floats]:
    """Logarithms of `interval_factors`, for shapes that `gamma_shape` gives."""
    log_shape = np.log(shape)
    lower, upper = _log_factors()
    return lower(log_shape), upper(log_shape)


def gamma_shape(fitted: Calibration, matrix: Floats) -> Floats:
    """Shape of the Gamma around the estimate of a creator whom a brand chose, ``(n,)``."""
    knowledge = np.nan_to_num(matrix[:, KNOWLEDGE], nan=0.0)
    out: Floats = np.exp(np.clip(fitted.shape_base + fitted.shape_gain * knowledge, *LOG_SHAPES))
    return out
