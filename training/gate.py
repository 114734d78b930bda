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

from features.windows import Floats
from models.conversion import Predictions
from training.bootstrap import LEVEL, Draws, draw, figure
from training.dataset import Rows, Strings
from training.figures import calibration_errors, campaign_ndcg, deviances

DEPTH = 10
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
    draws = draw(rows.campaign, seed)
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
                        draw(part.campaign, seed),
                        of_challenger[here],
                        of_champion[here],
                        SLICE_MARGIN,
                        beyond_chance_alone=False,
                    )
                )
    return _decided(rows, checks, against)


def compare_with_baselines(
    rows: Rows,
    challenger: Predictions,
    baselines: Mapping[str, tuple[Floats, Floats]],
    seed: int = 0,
) -> Decision:
    """Compare a first model with what anyone would try first, on the same held-out rows.

    It is refused where one of them is ahead by more than the margins, or beyond chance: a first
    model has nothing to be used for but being better than those.

    Args:
        rows: Rows that the model has not seen.
        challenger: Its predictions for them.
        baselines: By name, a score (larger is better) and a rate made of it, ``(n,)`` each.
        seed: Of the bootstrap.
    """
    draws = draw(rows.campaign, seed)
    own = deviances(rows.labels, challenger.rate)
    ranks = [
        _ndcg_check(rows, draws, challenger.score, score, f"ndcg10, {name}", NDCG_MARGIN)
        for name, (score, _) in baselines.items()
    ]
    likely = [
        _deviance_check(
            f"deviance, {name}", rows, draws, own, deviances(rows.labels, rate), DEVIANCE_MARGIN
        )
        for name, (_, rate) in baselines.items()
    ]
    # The strongest of them first: those are told.
    ranks.sort(key=lambda check: np.nan_to_num(check.difference, nan=np.inf))
    likely.sort(key=lambda check: -check.difference)
    told = [ranks[0], likely[0], *ranks[1:], *likely[1:]]
    return _decided(rows, told, "the baselines")


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


def _ndcg_check(
    rows: Rows, draws: Draws, challenger: Floats, champion: Floats, name: str, limit: float
) -> Check:
    a, b = (campaign_ndcg(rows, score, DEPTH) for score in (challenger, champion))
    found = figure(draws.means(a - b))
    # Where no campaign has an order to tell (one creator each), there is nothing to fail.
    passed = np.isnan(found.value) or (found.value >= -limit and found.high >= 0)
    means = figure(draws.means(a)).value, figure(draws.means(b)).value
    return Check(name, *means, found.value, found.low, found.high, limit, bool(passed))


def _deviance_check(
    name: str,
    rows: Rows,
    draws: Draws,
    challenger: Floats,
    champion: Floats,
    limit: float,
    beyond_chance_alone: bool = True,
) -> Check:
    """Compare mean deviances; `difference` is a share of the champion's.

    With `beyond_chance_alone` a difference within the limit fails where chance does not explain it;
    without, one beyond the limit passes where chance does.
    """
    found = figure(draws.sums(challenger) / draws.sums(champion) - 1)
    beyond, credible = found.value > limit, found.low > 0
    failed = (beyond or credible) if beyond_chance_alone else (beyond and credible)
    means = float(challenger.mean()), float(champion.mean())
    return Check(name, *means, found.value, found.low, found.high, limit, not failed)


def _ece_check(rows: Rows, draws: Draws, challenger: Floats, champion: Floats) -> Check:
    own, theirs = (calibration_errors(rows.labels, rate, draws) for rate in (challenger, champion))
    found = figure(own - theirs)
    failed = found.value > ECE_MARGIN and found.low > 0
    means = float(own[0]), float(theirs[0])
    name = "calibration error"
    return Check(name, *means, found.value, found.low, found.high, ECE_MARGIN, not failed)
