"""Curves of calibration: from a model's rates to rates that later outcomes bear out.

Each is fitted on rates and what came of them. Knows nothing of models, worlds or figures.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from features.windows import Floats
from models.conversion import Labels

Curve = Callable[[Floats], Floats]

# Zeros that are drawn for each conversion where a method takes no counts, only 0 and 1.
ZEROS_FOR_EACH = 3


def uncalibrated(rate: Floats, labels: Labels) -> Curve:
    """No calibration."""
    return lambda asked: asked


def intercept(rate: Floats, labels: Labels) -> Curve:
    """One factor, by which as much is expected as was observed."""
    factor = labels.conversions.sum() / (rate * labels.impressions).sum()
    return lambda asked: np.asarray(asked * factor, dtype=np.float64)


def isotonic(rate: Floats, labels: Labels) -> Curve:
    """The best curve that never falls (Zadrozny and Elkan 2002), impressions as weights."""
    observed = labels.conversions / labels.impressions
    curve = IsotonicRegression(out_of_bounds="clip")
    curve.fit(rate, observed, sample_weight=labels.impressions)
    least = 0.5 / labels.impressions.sum()  # a rate of 0 was never seen, and has no deviance

    def told(asked: Floats) -> Floats:
        out: Floats = np.maximum(np.asarray(curve.predict(asked), dtype=np.float64), least)
        return out

    return told


def beta(rate: Floats, labels: Labels) -> Curve:
    """Logistic regression on log p and -log(1 - p) (Kull, Silva Filho and Flach 2017).

    A coefficient that would turn the order round is left out, as theirs is. At rates far below 1
    the second column is all but the rate itself, and its exponential runs away above what was
    calibrated on. (`betacal` switches off all warnings of the process, so it is not used.)
    """
    x, n = labels.conversions.astype(np.float64), labels.impressions.astype(np.float64)
    weight = np.concatenate([x, n - x]) / max(x.mean(), 1.0)
    scale = np.stack([_log_and_log_rest(rate).mean(axis=0), _log_and_log_rest(rate).std(axis=0)])

    def columns(asked: Floats, used: list[int]) -> Floats:
        out: Floats = ((_log_and_log_rest(asked) - scale[0]) / np.maximum(scale[1], 1e-12))[:, used]
        return out

    for used in ([0, 1], [0], [1]):
        found = LogisticRegression(C=np.inf, max_iter=1000)
        twice = columns(np.concatenate([rate, rate]), used)
        found.fit(twice, np.repeat([1, 0], len(rate)), sample_weight=weight)
        if (found.coef_ >= 0).all():
            break
    return lambda asked: np.asarray(found.predict_proba(columns(asked, used))[:, 1], np.float64)


def _log_and_log_rest(rate: Floats) -> Floats:
    inside = np.clip(rate, 1e-12, 1 - 1e-12)
    return np.column_stack([np.log(inside), -np.log1p(-inside)])


def venn_abers(rate: Floats, labels: Labels) -> Curve:
    """Inductive Venn-Abers (Vovk, Petej and Fedorova 2015) by the package of that name.

    It takes single outcomes of 0 and 1. All conversions are kept and a few impressions without one
    are drawn for each, and the odds are put right for that (King and Zeng 2001).
    """
    from venn_abers import VennAbers

    rng = np.random.default_rng(0)
    x = labels.conversions.astype(np.int64)
    rest = labels.impressions - x
    kept = min(ZEROS_FOR_EACH * x.sum() / max(rest.sum(), 1), 1.0)
    zeros = rng.binomial(rest, kept)
    score = np.repeat(np.concatenate([rate, rate]), np.concatenate([x, zeros]))
    outcome = np.repeat([1, 0], [x.sum(), zeros.sum()])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # Its own: it divides by empty steps, and passes over what comes of that.
        warnings.simplefilter("ignore", RuntimeWarning)
        curve = VennAbers().fit(_both(score), outcome)

    def told(asked: Floats) -> Floats:
        found = np.clip(curve.predict_proba(_both(asked))[0][:, 1], 1e-9, 1 - 1e-9)
        odds: Floats = found / (1 - found) * kept
        return odds / (1 + odds)

    return told


def _both(rate: Floats) -> Floats:
    return np.column_stack([1 - rate, rate])


CURVES: dict[str, Callable[[Floats, Labels], Curve]] = {
    "no calibration": uncalibrated,
    "intercept alone": intercept,
    "isotonic": isotonic,
    "beta": beta,
    "Venn-Abers": venn_abers,
}
