"""Whether a challenger may become the champion: judged on rows that neither has seen.

Both predict the same held-out rows; campaigns are drawn with replacement, the same for both, so
that what they share cancels (paired bootstrap: Koehn 2004, "Statistical significance tests for
machine translation evaluation"). A challenger is refused where it is worse by more than a stated
margin, or by anything that chance does not explain. Knows nothing of how models are made or kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.windows import Floats, Ints
from models.conversion import Predictions
from training.dataset import Rows, Strings
from training.figures import campaign_ndcg, deviances

REPLICATES = 2000
LEVEL = 0.9  # of the intervals
DEPTH = 10
BINS = 10
# Worse by more than these is worse, whatever the interval: differences in NDCG, in shares of the
# champion's deviance. Fits of the same rows with other seeds lie within them
# (`tests/test_gate.py`).
NDCG_MARGIN = 0.02
DEVIANCE_MARGIN = 0.02
# Calibration error, relative to the overall rate, is mostly chance on a few hundred rows: it counts
# as worse where it is so by more than this and beyond chance.
ECE_MARGIN = 0.05
# A slice may be worse by this share of its deviance; several are looked at, and each is small.
SLICE_MARGIN = 0.15
SLICE_CONVERSIONS = 50
SLICE_CAMPAIGNS = 8


@dataclass(frozen=True)
class Check:
    """One comparison. `difference` is challenger less champion, with its interval.

    Attributes:
        name: What was compared, such as ``ndcg10`` or ``deviance, tier nano``.
        limit: How far the difference may go in the bad direction.
        passed: Whether it is within the limit, and not worse beyond chance.
    """

    name: str
    challenger: float
    champion: float
    difference: float
    low: float
    high: float
    limit: float
    passed: bool


@dataclass(frozen=True)
class Decision:
    """Whether a version is promoted, and why.

    Attributes:
        reason: In one sentence, with figures.
        against: What it was compared with.
        rows, campaigns: How many it was compared on.
        checks: All comparisons.
    """

    promote: bool
    reason: str
    against: str
    rows: int = 0
    campaigns: int = 0
    checks: tuple[Check, ...] = ()


def compare(
    rows: Rows,
    challenger: Predictions,
    champion: Predictions,
    slices: Mapping[str, Strings],
    against: str,
    seed: int = 0,
) -> Decision:
    """Compare a challenger with the champion on the same held-out rows.

    Args:
        rows: Rows that neither model has seen.
        challenger, champion: Their predictions for those rows.
        slices: Names of groups of the rows by what they are of, such as ``tier``, ``(n,)`` each.
        against: What the champion is called.
        seed: Of the bootstrap.
    """
    draws = _draws(rows, seed)
    of_challenger, of_champion = (
        deviances(rows.labels, predictions.rate) for predictions in (challenger, champion)
    )
    checks = [
        _ndcg_check(rows, draws, challenger.score, champion.score, "ndcg10", NDCG_MARGIN),
        _deviance_check("deviance", rows, draws, of_challenger, of_champion, DEVIANCE_MARGIN),
        _ece_check(rows, draws, challenger.rate, champion.rate),
    ]
    for what, names in slices.items():
        for name in np.unique(names):
            here = names == name
            conversions = int(rows.labels.conversions[here].sum())
            campaigns = len(np.unique(rows.campaign[here]))
            if conversions >= SLICE_CONVERSIONS and campaigns >= SLICE_CAMPAIGNS and not here.all():
                part = rows.take(np.flatnonzero(here))
                checks.append(
                    _deviance_check(
                        f"deviance, {what} {name}",
                        part,
                        _draws(part, seed),
                        of_challenger[here],
                        of_champion[here],
                        SLICE_MARGIN,
                        beyond_chance_alone=False,
                    )
                )
    return _decided(rows, checks, against)


def compare_with_rules(
    rows: Rows,
    challenger: Predictions,
    rules: Mapping[str, tuple[Floats, Floats]],
    seed: int = 0,
) -> Decision:
    """Compare a first model with simple rules on the same held-out rows.

    It is refused where a rule is ahead: a first model has nothing to be used for but being better
    than those.

    Args:
        rows: Rows that the model has not seen.
        challenger: Its predictions for them.
        rules: By name, the rule's score (larger is better) and a rate made of it, ``(n,)`` each.
        seed: Of the bootstrap.
    """
    draws = _draws(rows, seed)
    own = deviances(rows.labels, challenger.rate)
    checks = []
    for name, (score, rate) in rules.items():
        checks.append(
            _ndcg_check(rows, draws, challenger.score, score, f"ndcg10, rule {name}", 0.0)
        )
        theirs = deviances(rows.labels, rate)
        checks.append(_deviance_check(f"deviance, rule {name}", rows, draws, own, theirs, 0.0))
    return _decided(rows, checks, "simple rules")


def refuse_later(changed: Mapping[str, int], rows: int) -> Decision:
    """Refuse a model whose rows know the future; `changed` is of `holdout.knows_later`."""
    worst = sorted(changed, key=lambda name: -changed[name])[:3]
    told = ", ".join(f"{name} (in {changed[name]:,} of {rows:,} rows)" for name in worst)
    reason = f"a leak: features change with outcomes that were not yet known: {told}"
    return Decision(False, reason, "the future", rows)


def _decided(rows: Rows, checks: list[Check], against: str) -> Decision:
    failed = [check for check in checks if not check.passed]
    if failed:
        told = "; ".join(_words(check) for check in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        reason = f"worse than {against}: {told}{more}"
    else:
        told = "; ".join(_words(check) for check in checks[:2])
        reason = f"not worse than {against}: {told}"
    return Decision(
        not failed, reason, against, len(rows), len(np.unique(rows.campaign)), tuple(checks)
    )


def _words(check: Check) -> str:
    return (
        f"{check.name} {check.challenger:.3f} against {check.champion:.3f} "
        f"(difference {check.difference:+.3f}, {LEVEL:.0%} interval {check.low:+.3f} to "
        f"{check.high:+.3f})"
    )


@dataclass(frozen=True)
class _Draws:
    """How often each campaign is in each replicate, ``(REPLICATES, n_campaigns)``."""

    campaign: Ints
    times: Floats

    def sums(self, values: Floats) -> Floats:
        """Sum of a value of each row, over each replicate's campaigns, ``(REPLICATES,)``."""
        out: Floats = self.times @ np.bincount(self.campaign, values, self.times.shape[1])
        return out


def _draws(rows: Rows, seed: int) -> _Draws:
    campaign = np.unique(rows.campaign, return_inverse=True)[1]
    count = int(campaign.max()) + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)
    return _Draws(campaign, times.astype(np.float64))


def _interval(replicates: Floats) -> tuple[float, float]:
    low, high = np.nanquantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _ndcg_check(
    rows: Rows, draws: _Draws, challenger: Floats, champion: Floats, name: str, limit: float
) -> Check:
    a, b = (campaign_ndcg(rows, score, DEPTH) for score in (challenger, champion))
    told = ~np.isnan(a)  # a campaign of one creator, or without conversions, orders nothing
    times = draws.times[:, told]
    shift = np.nansum(times * (a - b)[told], axis=1) / times.sum(axis=1)
    low, high = _interval(shift)
    difference = float(np.mean((a - b)[told]))
    passed = difference >= -limit and high >= 0
    return Check(
        name, float(a[told].mean()), float(b[told].mean()), difference, low, high, limit, passed
    )


def _deviance_check(
    name: str,
    rows: Rows,
    draws: _Draws,
    challenger: Floats,
    champion: Floats,
    limit: float,
    beyond_chance_alone: bool = True,
) -> Check:
    """Compare mean deviances; `difference` is a share of the champion's.

    With `beyond_chance_alone` a difference within the limit fails where chance does not explain it;
    without, one beyond the limit passes where chance does.
    """
    ratio = draws.sums(challenger) / draws.sums(champion) - 1
    low, high = _interval(ratio)
    difference = float(challenger.sum() / champion.sum() - 1)
    beyond, credible = difference > limit, low > 0
    failed = (beyond or credible) if beyond_chance_alone else (beyond and credible)
    return Check(
        name,
        float(challenger.mean()),
        float(champion.mean()),
        difference,
        low,
        high,
        limit,
        not failed,
    )


def _ece_check(rows: Rows, draws: _Draws, challenger: Floats, champion: Floats) -> Check:
    own, theirs = (_ece(rows, draws, rate) for rate in (challenger, champion))
    low, high = _interval(own[1:] - theirs[1:])
    difference = float(own[0] - theirs[0])
    return Check(
        "calibration error",
        float(own[0]),
        float(theirs[0]),
        difference,
        low,
        high,
        ECE_MARGIN,
        not (difference > ECE_MARGIN and low > 0),
    )


def _ece(rows: Rows, draws: _Draws, rate: Floats) -> Floats:
    """Calibration error, of the rows and then of each replicate; bins are those of the rows."""
    labels = rows.labels
    order = np.argsort(rate, kind="stable")
    seen = np.cumsum(labels.impressions[order])
    of = np.empty(len(rate), dtype=np.int64)
    of[order] = np.minimum(((seen - 1) * BINS) // seen[-1], BINS - 1)
    gap = rate * labels.impressions - labels.conversions
    each = np.zeros((draws.times.shape[1], BINS))
    np.add.at(each, (draws.campaign, of), gap)
    all_times = np.vstack([np.ones(draws.times.shape[1]), draws.times])
    total = all_times @ np.bincount(draws.campaign, labels.conversions, each.shape[0])
    out: Floats = np.abs(all_times @ each).sum(axis=1) / np.maximum(total, 1.0)
    return out
