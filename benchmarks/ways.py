"""Other ways to learn from the same rows: each stands beside the model, and has to win.

Objectives that order (LambdaRank), weights against selection (inverse propensities), averages with
other fits, and other curves of calibration. `benchmarks.challengers` says which were kept. Knows
nothing of worlds, figures or promotion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import lightgbm as lgb
import numpy as np

from benchmarks.curves import CURVES, Curve
from features.catalogue import CATEGORICAL, FEATURE_NAMES
from features.windows import Floats, Ints
from models import choice as choosing
from models.choice import Choice
from models.conversion import ConversionModel, Labels
from models.conversion_fit import (
    FitParams,
    calibrate,
    conversion_exposure,
    fit,
    overdispersion,
    refit,
)
from models.stage import Stage
from training.baselines import Logistic, fit_logistic, rate_of
from training.dataset import Candidates, Rows, Split
from training.learning import choice_model

GRADES = 16  # of LambdaRank: more than a campaign has creators
EXPONENTIAL_GRADES = 5  # of XE-NDCG, whose gain is 2^grade
# A creator's weight lies within this factor of the median's, so that no few rows are the fit
# (truncated weights: Ionides 2008; Cole and Hernan 2008).
CLIP = 5.0


class Challenger(Protocol):
    """Something that orders creators and tells their rates."""

    def predict(self, matrix: Floats, *, chosen: bool = False) -> tuple[Floats, Floats]:
        """Score (larger is better) and expected rate of rows of features, ``(n,)`` each.

        Args:
            matrix: ``(n, n_features)``, NaN where missing.
            chosen: They are creators that brands chose by themselves.
        """


@dataclass(frozen=True)
class Parts:
    """What every challenger is fitted on.

    Attributes:
        early: To fit on first.
        later: To stop and calibrate on.
        whole: To fit on again, with what was found.
        candidates: Whom the campaigns of `whole` could have chosen.
    """

    early: Rows
    later: Rows
    whole: Rows
    candidates: Candidates


def before_test(rows: Rows, candidates: Candidates, split: Split) -> Parts:
    """The parts that a challenger judged on the test part may see."""
    both = np.sort(np.concatenate([split.fit, split.later]))
    known = candidates.before(split.test_from_us)
    return Parts(rows.take(split.fit), rows.take(split.later), rows.take(both), known)


def of_all(rows: Rows, candidates: Candidates, split: Split) -> Parts:
    """The parts of a challenger as it would be served: fitted at last on all rows."""
    return Parts(rows.take(split.fit), rows.take(split.later), rows, candidates)


# ---------------------------------------------------------------- the model


@dataclass(frozen=True)
class Outcomes:
    """A conversion model; `curve` takes the place of its calibration where there is one."""

    model: ConversionModel
    curve: Curve | None = None

    def predict(self, matrix: Floats, *, chosen: bool = False) -> tuple[Floats, Floats]:
        score = self.model.log_rate(matrix, chosen=chosen)
        if self.curve is None:
            return score, np.exp(score)
        rate = self.curve(np.exp(self.model.raw_log_rate(matrix)))
        if self.model.choice is not None and not chosen:
            rate = rate * np.exp(self.model.choice.correction(matrix))
        # A curve never turns the order round, but may level it: the order stays the model's.
        return score, rate


def model(parts: Parts, params: FitParams) -> Outcomes:
    """The model as it is trained."""
    early, later, whole = parts.early, parts.later, parts.whole
    first, rounds = fit(early.matrix, early.labels, later.matrix, later.labels, params)
    choice = choice_model(parts.candidates, params)
    return Outcomes(refit(whole.matrix, whole.labels, params, rounds, first.calibration, choice))


# ---------------------------------------------------------------- objectives that order


@dataclass(frozen=True)
class Ranked:
    """A score that orders, and the rate that it told on rows it was not fitted on.

    Attributes:
        stage: The score.
        told: Scores of the later rows by a stage of the early ones, ``(n_later,)``.
        labels: What came of those.
        choice: Corrects for whom brands choose, as it does the model.
    """

    stage: Stage
    told: Floats
    labels: Labels
    choice: Choice | None

    def predict(self, matrix: Floats, *, chosen: bool = False) -> tuple[Floats, Floats]:
        rate = rate_of(self.told, self.labels, self.stage.log_mean(matrix))
        if self.choice is not None and not chosen:
            rate = rate * np.exp(self.choice.correction(matrix))
        return np.log(rate), rate


def ranked(
    parts: Parts, params: FitParams, objective: Literal["lambdarank", "rank_xendcg"]
) -> Ranked:
    """Learn the order within each campaign (LambdaMART: Burges 2010; XE-NDCG: Bruch 2021).

    Grades are quantiles of conversion rates that are shrunk towards the mean by exposure, so that
    a lucky handful of impressions is not the best creator. For LambdaRank a grade's gain is the
    mean rate in it, as in the NDCG that is reported.
    """
    grades = GRADES if objective == "lambdarank" else EXPONENTIAL_GRADES
    rate = shrunken_rates(parts.whole.labels)
    edges = np.quantile(rate, np.linspace(0, 1, grades + 1)[1:-1])
    of = np.searchsorted(edges, rate)
    gain = np.array(
        [rate[of == grade].mean() if (of == grade).any() else 0 for grade in range(grades)]
    )
    options = params.lightgbm(objective) | {
        "min_data_in_leaf": 30,
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l2": 1.0,
        "metric": "ndcg",
        "eval_at": [10],
    }
    if objective == "lambdarank":
        options["label_gain"] = (gain / gain.max() * 100).tolist()

    def grouped(rows: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        order = np.argsort(rows.campaign, kind="stable")
        grade = np.searchsorted(edges, shrunken_rates(rows.labels))
        return lgb.Dataset(
            _without(rows.matrix[order], params),
            grade[order],
            group=np.unique(rows.campaign, return_counts=True)[1],
            feature_name=list(FEATURE_NAMES),
            categorical_feature=list(CATEGORICAL),
            reference=reference,
        )

    early = grouped(parts.early)
    stop = lgb.early_stopping(params.patience, verbose=False)
    first = lgb.train(
        options,
        early,
        params.max_rounds,
        valid_sets=[grouped(parts.later, early)],
        callbacks=[stop],
    )
    rounds = max(first.best_iteration, 1)
    told = Stage.from_text(first.model_to_string(num_iteration=rounds)).log_mean(parts.later.matrix)
    booster = lgb.train(options, grouped(parts.whole), rounds)
    stage = Stage.from_text(booster.model_to_string())
    return Ranked(stage, told, parts.later.labels, choice_model(parts.candidates, params))


def shrunken_rates(labels: Labels) -> Floats:
    """Mean of each row's rate given its counts, under a Gamma of the rows' own spread, ``(n,)``."""
    x, n = labels.conversions.astype(np.float64), labels.impressions.astype(np.float64)
    shape = 1.0 / max(overdispersion(x, n), 1e-6)
    out: Floats = (x + shape) / (n + shape * n.sum() / max(x.sum(), 1.0))
    return out


# ---------------------------------------------------------------- weights against selection


def propensity(candidates: Candidates, names: Sequence[str], params: FitParams) -> Stage:
    """Log odds of being chosen among those who could have been, up to a constant.

    Args:
        candidates: Some chosen, some not.
        names: Features it is told by.
        params: For its seed and threads.
    """
    kept = np.full(candidates.matrix.shape, np.nan)
    columns = [FEATURE_NAMES.index(name) for name in names]
    kept[:, columns] = candidates.matrix[:, columns]
    options = choosing.PARAMS | {"seed": params.seed, "num_threads": params.threads}
    data = lgb.Dataset(kept, candidates.chosen.astype(np.float64), feature_name=list(FEATURE_NAMES))
    return Stage.from_text(lgb.train(options, data, choosing.ROUNDS).model_to_string())


def inverse_propensity_weights(log_odds: Floats, power: float = 1.0, clip: float = CLIP) -> Floats:
    """Weights that make the chosen stand for all who could have been: clipped, of mean 1, ``(n,)``.

    So few are chosen that the odds are the probability, and so their constant cancels.

    Args:
        log_odds: Of being chosen, ``(n,)``, at least one.
        power: 1 for the whole weight, less for a part of it.
        clip: Greatest factor between a weight and the median one.
    """
    weight = np.exp(-power * (log_odds - np.median(log_odds)))
    weight = np.clip(weight, 1 / clip, clip)
    out: Floats = weight / weight.mean()
    return out


@dataclass(frozen=True)
class Counted:
    """Events out of exposures, and which rows they are of."""

    kept: Ints
    matrix: Floats
    events: Floats
    exposure: Floats


def counted_clicks(rows: Rows) -> Counted:
    """Clicks out of impressions, where they are known."""
    labels = rows.labels
    kept = np.flatnonzero(~np.isnan(labels.clicks) & (labels.impressions > 0))
    return Counted(
        kept, rows.matrix[kept], labels.clicks[kept], labels.impressions[kept].astype(np.float64)
    )


def counted_conversions(rows: Rows, clicks: Stage | None) -> Counted:
    """Conversions out of clicks, or of impressions where `clicks` is None."""
    exposure = conversion_exposure(rows.matrix, rows.labels, clicks)
    kept = np.flatnonzero(exposure > 0)
    events = rows.labels.conversions[kept].astype(np.float64)
    return Counted(kept, rows.matrix[kept], events, exposure[kept])


def weighted_stage(
    counted: Counted, weight: Floats, params: FitParams, later: Counted | None = None
) -> tuple[Stage, int]:
    """A stage of `conversion_fit` with a weight for each row; with weights of 1 the very same.

    Args:
        counted: Rows to fit on.
        weight: Of each of the rows that `counted` was made of.
        params: Parameters of the learning; where there are no later rows, all its rounds.
        later: Rows to stop on, unweighted: the promise is for those who are really chosen.

    Returns:
        The stage and how many trees it has.
    """
    spread = overdispersion(counted.events, counted.exposure)
    mean = counted.events.sum() / counted.exposure.sum()

    def dataset(of: Counted, more: Floats | float, reference: lgb.Dataset | None) -> lgb.Dataset:
        return lgb.Dataset(
            of.matrix if reference else _without(of.matrix, params),
            of.events / of.exposure,
            weight=of.exposure / (1.0 + spread * mean * of.exposure) * more,
            feature_name=list(FEATURE_NAMES),
            categorical_feature=list(CATEGORICAL),
            reference=reference,
        )

    data = dataset(counted, weight[counted.kept], None)
    checks = [] if later is None else [dataset(later, 1.0, data)]
    stop: list[Callable[..., Any]] = []
    if checks:
        stop = [lgb.early_stopping(params.patience, verbose=False)]
    booster = lgb.train(
        params.lightgbm("poisson"), data, params.max_rounds, valid_sets=checks, callbacks=stop
    )
    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()
    return Stage.from_text(booster.model_to_string(num_iteration=rounds)), rounds


def weighted(parts: Parts, params: FitParams, names: Sequence[str], power: float = 1.0) -> Outcomes:
    """The model with its rows weighted by inverse propensity, in place of its correction.

    Args:
        parts: What to fit on.
        params: Parameters of the learning.
        names: Features that the propensity is told by.
        power: Of `inverse_propensity_weights`.
    """
    plain = model(parts, replace(params, choice_power=0.0)).model
    if parts.candidates.chosen.all():
        return Outcomes(plain)
    odds = propensity(parts.candidates, names, params)
    early, later, whole = parts.early, parts.later, parts.whole
    of_early, of_whole = (
        inverse_propensity_weights(odds.log_mean(rows.matrix), power) for rows in (early, whole)
    )
    clicks = again = None
    if plain.clicks is not None:
        clicks, rounds = weighted_stage(
            counted_clicks(early), of_early, params, counted_clicks(later)
        )
        fixed = replace(params, max_rounds=rounds)
        again, _ = weighted_stage(counted_clicks(whole), of_whole, fixed)
    first, rounds = weighted_stage(
        counted_conversions(early, clicks), of_early, params, counted_conversions(later, clicks)
    )
    fixed = replace(params, max_rounds=rounds)
    last, _ = weighted_stage(counted_conversions(whole, again), of_whole, fixed)
    staged = ConversionModel(plain.reach, clicks, first, plain.calibration)
    calibrated = calibrate(staged, later.matrix, later.labels)
    return Outcomes(ConversionModel(plain.reach, again, last, calibrated))


# ---------------------------------------------------------------- averages


@dataclass(frozen=True)
class Averaged:
    """The mean of several challengers' log rates."""

    members: tuple[Challenger, ...]

    def predict(self, matrix: Floats, *, chosen: bool = False) -> tuple[Floats, Floats]:
        told = [np.log(member.predict(matrix, chosen=chosen)[1]) for member in self.members]
        score: Floats = np.mean(told, axis=0)
        return score, np.exp(score)


@dataclass(frozen=True)
class Linear:
    """Logistic regression, its log rate corrected for whom brands choose as the model's is."""

    logistic: Logistic
    choice: Choice | None

    def predict(self, matrix: Floats, *, chosen: bool = False) -> tuple[Floats, Floats]:
        rate = self.logistic.predict(matrix)
        if self.choice is not None and not chosen:
            rate = rate * np.exp(self.choice.correction(matrix))
        return np.log(rate), rate


def linear(parts: Parts, choice: Choice | None) -> Linear:
    """Logistic regression on all features."""
    return Linear(fit_logistic(parts.early, parts.later, parts.whole), choice)


def bagged(parts: Parts, params: FitParams, count: int) -> Averaged:
    """The model `count` times over, each with another seed."""
    seeds = range(params.seed, params.seed + count)
    return Averaged(tuple(model(parts, replace(params, seed=seed)) for seed in seeds))


# ---------------------------------------------------------------- calibration


def recalibrated(parts: Parts, params: FitParams, names: Sequence[str]) -> dict[str, Outcomes]:
    """The model with each of the curves in `CURVES` in place of its calibration, by name."""
    early, later = parts.early, parts.later
    first, _ = fit(early.matrix, early.labels, later.matrix, later.labels, params)
    told = np.exp(first.raw_log_rate(later.matrix))
    full = model(parts, params).model
    return {name: Outcomes(full, CURVES[name](told, later.labels)) for name in names}


def _without(matrix: Floats, params: FitParams) -> Floats:
    """The matrix with the features missing that shall not be split on."""
    out = matrix.copy()
    out[:, [FEATURE_NAMES.index(name) for name in params.without]] = np.nan
    return out
