"""What another model would have earned, told from what was served and what came of it.

The quantity is conversions for each answer. Four estimators tell it (Dudik et al. 2014, "Doubly
robust policy evaluation and optimization"; Swaminathan and Joachims 2015 for SNIPS), each with an
interval, and with what keeps it from being believed. Knows nothing of how a log is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from features.facts import last_moment_us
from features.schemas import DataError
from features.tables import read_tables
from models.registry import Registry
from training.bootstrap import LEVEL, Figure, figure
from training.offpolicy_estimators import (
    FOLDS,
    Placement,
    answers_drawn,
    direct,
    doubly_robust,
    expect_rewards,
    ips,
    on_policy,
    ranked,
    snips,
    softmax,
    weights,
)
from training.outcomes import with_outcomes
from training.promotion import before
from training.publishing import day
from training.served import SETTLE_DAYS, STORE, Served, read_served, read_stored, settle

if TYPE_CHECKING:
    from training.pipeline import Reporter
    from training.settings import TrainingSettings

ESTIMATORS = ("ips", "snips", "direct", "doubly_robust")
# Weights average 1 where the log reaches all that the target would show. Where even the upper end
# of their mean's interval is below this, what is missing is no chance: IPS would leave it out.
REACH_AT_LEAST = 0.95
# Places that the weighted ones must be worth. What comes of a place is skewed, so no interval holds
# quite all it says, and with few places it gets worse: `python -m benchmarks.offpolicy` prints how
# many hold the truth beside what the places are worth.
EFFECTIVE_AT_LEAST = 300


@dataclass(frozen=True)
class OffPolicy:
    """What a target would have earned, conversions for each answer, with what it rests on.

    Attributes:
        answers, shown: How many answers, and places in all.
        conversions: What came of them.
        logged: What the answers earned as they were served.
        figures: By `ESTIMATORS`. NaN where the log cannot tell. The intervals are those of drawing
            other answers, by a reward model that stays: that of ``direct`` knows nothing of the
            model's own error.
        gain: The doubly robust figure less `logged`, on the same draws.
        reach: Mean weight before clipping: about the share of what the target would show that
            the log could have shown, 1 where it is all.
        effective: Places that the weighted ones are worth (Kish 1965): (sum w)² / sum w².
        largest: The largest weight before clipping.
        clip: No weight counts for more than this.
        clipped: Share of the weights that this took away.
        cautions: What keeps the figures from being taken at their word, a sentence each.
    """

    answers: int
    shown: int
    conversions: float
    logged: Figure
    figures: Mapping[str, Figure]
    gain: Figure
    reach: Figure
    effective: float
    largest: float
    clip: float
    clipped: float
    cautions: tuple[str, ...]


def evaluate_policy(
    served: Served,
    target: Placement,
    *,
    clip: float | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    threads: int = 1,
) -> OffPolicy:
    """Estimate what a target would have earned on the answers that were served.

    Args:
        served: Settled answers.
        target: Whom it would have shown where.
        clip: Largest weight that counts; None: the root of the number of places (Ionides 2008,
            "Truncated importance sampling").
        folds: Of the reward model.
        seed: Of folds and bootstrap.
        threads: Processor threads.

    Raises:
        DataError: There are fewer than two answers, or none showed anyone.
    """
    shown = served.shown
    if len(served) < 2 or len(shown) == 0:
        raise DataError(
            f"{len(served):,} settled answers with {len(shown):,} creators shown are too few: "
            "two answers are needed, one to learn from for each to judge"
        )
    reward, draws = (
        served.conversions[shown],
        answers_drawn(served.answer[shown], len(served), seed),
    )
    raw = weights(served, target)
    bound = float(np.sqrt(len(shown))) if clip is None else clip
    weight = np.minimum(raw, bound)
    at_shown, expected = expect_rewards(served, target, folds=folds, seed=seed, threads=threads)
    reach = figure(draws.sums(raw) / draws.sums(np.ones(len(raw))))
    logged = on_policy(reward, draws)
    robust = doubly_robust(reward, weight, at_shown, expected, draws)
    found = {
        "ips": figure(ips(reward, weight, draws)),
        "snips": figure(snips(reward, weight, draws)),
        "direct": figure(direct(expected, draws)),
        "doubly_robust": figure(robust),
    }
    unreached = reach.high < REACH_AT_LEAST
    if unreached:
        found["ips"] = found["snips"] = figure(np.full(1, np.nan))
    total = float(raw.sum())
    result = OffPolicy(
        answers=len(served),
        shown=len(shown),
        conversions=float(reward.sum()),
        logged=figure(logged),
        figures=found,
        gain=figure(robust - logged),
        reach=reach,
        effective=total**2 / max(float((raw**2).sum()), 1e-300),
        largest=float(raw.max()),
        clip=bound,
        clipped=1 - float(weight.sum()) / total if total > 0 else 0.0,
        cautions=(),
    )
    certain = float((served.propensity[shown] == 1).mean())
    return replace(result, cautions=tuple(_cautions(result, certain, unreached)))


def _cautions(result: OffPolicy, certain: float, unreached: bool) -> list[str]:
    out = []
    if unreached:
        out.append(
            f"the log reaches {result.reach.value:.0%} of what the target would show "
            f"({LEVEL:.0%} interval {result.reach.low:.0%} to {result.reach.high:.0%}): IPS and "
            "SNIPS are undefined, and the doubly robust figure rests on the reward model for the "
            "rest"
        )
    if certain > 0 and unreached:
        out.append(
            f"{certain:.0%} of the places were filled without chance (propensity 1): of what else "
            "could have stood there the log can never tell"
        )
    if result.effective < EFFECTIVE_AT_LEAST:
        out.append(
            f"the {result.shown:,} places shown are worth {result.effective:.0f} of the target's: "
            "too few for intervals to be believed"
        )
    if result.clipped > 0:
        out.append(
            f"weights above {result.clip:.1f} count as {result.clip:.1f} (the largest is "
            f"{result.largest:.1f}), which takes {result.clipped:.1%} of them: IPS errs downwards"
        )
    return out


def run(
    settings: TrainingSettings,
    log_path: str,
    source: str,
    which: str,
    report: Reporter,
    *,
    temperature: float | None = None,
) -> OffPolicy:
    """Estimate what a registered version would have earned on what was served.

    It orders the answers' candidates by their logged features, as it was before it could know what
    came of them; answers from before that are left out.

    Args:
        settings: Where things lie.
        log_path: The log, as `served.read_served` takes it; `STORE` is the service's database,
            whose outcomes then count beside those of the tables.
        source: Folder or SQL URL of the tables with the outcomes.
        which: Number or alias of the version.
        report: Where steps are told.
        temperature: Of a softmax of its scores; None: it shows the highest.

    Raises:
        NoModel: There is no such version.
        BundleError: This code cannot use it.
        InvalidTables: The log or the tables are not what they must be.
        DataError: Too few answers are left to judge on.
    """
    registry = Registry(settings.registry_uri, settings.artifacts)
    version = registry.version(which)
    bundle = registry.load(version, settings.bundles)
    with report.step("Reading the log and outcomes", 2) as done:
        stored = log_path == STORE
        served = read_stored(settings.store_url) if stored else read_served(log_path)
        done(1)
        tables = read_tables(source)
        done(1)
    if stored:
        tables = with_outcomes(tables, settings.store_url, report, until_us=None)
    joined = settle(served, tables.sponsorships, last_moment_us(tables))
    report.say(
        f"{len(served):,} answers with {len(served.answer):,} candidates; {joined.bookings:,} "
        "collaborations came of them"
    )
    if joined.unsettled:
        report.say(
            f"{joined.unsettled:,} answers left out: younger than {SETTLE_DAYS} days, or of a "
            "collaboration that still runs"
        )
    if joined.unmatched:
        report.say(f"{joined.unmatched:,} collaborations are of creators who were not shown")
    served = joined.served
    model, from_us = before(bundle, int(served.served_us.min(initial=np.iinfo(np.int64).max)))
    early = served.served_us < from_us
    if early.any():
        report.say(
            f"{int(early.sum()):,} answers left out: served before {day(from_us)}, and version "
            f"{version.version} has learned from outcomes of that time"
        )
        served = served.take(~early)
    score = model.predict(served.matrix).score
    if temperature is None or len(served) == 0:
        target = ranked(served, score)
    else:
        target = softmax(served, score, temperature, settings.seed)
    with report.step("Estimating", 1) as done:
        result = evaluate_policy(served, target, seed=settings.seed, threads=settings.threads)
        done(1)
    for line in told(result):
        report.say(line)
    return result


def told(result: OffPolicy) -> list[str]:
    """What a result says, a line each."""
    names = {
        "ips": "IPS",
        "snips": "SNIPS",
        "direct": "direct method",
        "doubly_robust": "doubly robust",
    }
    out = [
        f"{result.answers:,} answers, {result.shown:,} creators shown, "
        f"{result.conversions:,.0f} conversions",
        f"as served: {_words(result.logged)} conversions for each answer",
    ]
    out += [f"{names[name]}: {_words(found)}" for name, found in result.figures.items()]
    out.append(f"doubly robust less as served: {_words(result.gain)}")
    out.append(
        f"reach {_words(result.reach)}, worth {result.effective:,.0f} places, largest weight "
        f"{result.largest:.1f}, clipped at {result.clip:.1f}"
    )
    return out + [f"caution: {text}" for text in result.cautions]


def _words(found: Figure) -> str:
    if np.isnan(found.value):
        return "undefined"
    return f"{found.value:.3f} ({LEVEL:.0%} interval {found.low:.3f} to {found.high:.3f})"
