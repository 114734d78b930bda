"""Has the world moved since the champion was trained, and does what it promised still come true?

`python -m training monitor DIR` reads top to bottom here: fetch the version, read the tables as it
reads texts, compare then and now (`monitor_drift`), judge it on outcomes it has not learned from
(`monitor_outcomes`), and conclude. It changes nothing. Knows nothing of what a page looks like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.catalogue import BY_NAME
from features.schemas import DataError
from models.conversion import INTERVAL, ConversionModel
from models.reasons import format_value
from models.registry import CHAMPION, Registry
from training import pipeline
from training.bootstrap import LEVEL, Figure
from training.dataset import labelled_rows
from training.drift import Shift
from training.monitor_drift import PREDICTED, Comparison, Watched, compare, watched_of
from training.monitor_outcomes import SURE, NewOutcomes, judge, promised, unseen
from training.plots import importances
from training.publishing import day, without_password
from training.settings import TrainingSettings

Status = Literal["steady", "drifted", "miscalibrated", "too few"]

# Values that went missing, or a code that is gone, are more often a fault of an export than news.
MISSING_MORE = 0.1
CODE_GONE = 0.05


@dataclass(frozen=True)
class Monitoring:
    """What a look found.

    Attributes:
        status: The gravest of what was found; ``too few`` where nothing moved and too few outcomes
            came in to say more.
        alarms: What moved or is off, in words.
        notes: What else was found.
        advice: What to do next.
        simulated: Whether the data say that they are simulated.
        facts: What was compared: versions and dates.
        uses: Share of the model's gain that each feature earns.
    """

    status: Status
    alarms: tuple[str, ...]
    notes: tuple[str, ...]
    advice: tuple[str, ...]
    simulated: bool
    facts: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    outcomes: NewOutcomes
    uses: Mapping[str, float]

    @property
    def exit_status(self) -> int:
        """0 where there is no alarm, 1 where there is; 2 is left to errors."""
        return 1 if self.alarms else 0


def run(
    settings: TrainingSettings, source: str, report: pipeline.Reporter, which: str = CHAMPION
) -> Monitoring:
    """Look at tables that go on where a version's training data ended.

    Args:
        settings: Where things lie.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        which: Number or alias of the version.

    Raises:
        NoModel: There is no such version.
        BundleError: This code cannot use it.
        DataError: The tables end before the version's data did.
        InvalidTables: The tables break the contract.
    """
    registry = Registry(settings.registry_uri, settings.artifacts)
    version = registry.version(which)
    bundle = registry.load(version, settings.bundles)
    material = pipeline.prepare_as(settings, source, bundle, report)
    then_us, now_us = bundle.index.as_of_us, material.index.as_of_us
    watched = watched_of(bundle, f"version {version.version}")
    if now_us < then_us:
        raise DataError(
            f"{source}: ends on {day(now_us)}, before {day(then_us)}, the end of the data of "
            f"{watched.name}: nothing can have moved since"
        )
    with report.step("Building rows", len(material.known.facts.outcomes)) as done:
        rows = labelled_rows(material.known, done)
    with report.step("Comparing then and now", 1) as done:
        compared = compare(watched, material.known, material.index, rows, settings.seed)
        new = unseen(watched, material.known, rows)
        brand = material.known.facts.outcomes.brand[new.outcome]
        outcomes = judge(new, brand, promised(watched, new), watched.ndcg10, settings.seed)
        done(1)
    facts = {
        "watched": f"{watched.name}, {watched.model.kind}",
        "tables": without_password(source),
        "data digest": material.tables.digest[:12],
        "then": day(then_us),
        "now": day(now_us),
    }
    found = conclude(compared, outcomes, watched, settings.calls_simulated(source), facts)
    for line in (*found.alarms, *found.notes, *found.advice):
        report.say(line)
    return found


def conclude(
    comparisons: Sequence[Comparison],
    outcomes: NewOutcomes,
    watched: Watched,
    simulated: bool,
    facts: Mapping[str, str],
) -> Monitoring:
    """What follows from a look: alarms, what else was found, and what to do next.

    Args:
        comparisons: Then and now.
        outcomes: The version judged on new ones.
        watched: The version.
        simulated: Whether the data say that they are simulated.
        facts: What was compared: versions and dates.
    """
    learned = isinstance(watched.model, ConversionModel)
    uses = importances(watched.model) if isinstance(watched.model, ConversionModel) else {}
    currency = watched.index.currency
    drifted = [(one, shift) for one in comparisons for shift in one.alarming]
    told = [
        f"{one.name}: {words(shift, currency, learned)}{_used(uses, shift)}"
        for one, shift in drifted
    ]
    broken = _broken(outcomes)
    notes = [f"{one.name}: {one.silent}" for one in comparisons if one.silent]
    notes += [line for one in comparisons for line in _by_nature(one)]
    notes.append(outcomes.silent or _kept(outcomes))
    status: Status = "steady"
    if broken:
        status = "miscalibrated"
    elif drifted:
        status = "drifted"
    elif outcomes.silent:
        status = "too few"
    return Monitoring(
        status=status,
        alarms=(*broken, *told),
        notes=tuple(notes),
        advice=tuple(_advice(drifted, bool(broken), status)),
        simulated=simulated,
        facts=facts,
        comparisons=tuple(comparisons),
        outcomes=outcomes,
        uses=uses,
    )


def _by_nature(comparison: Comparison) -> list[str]:
    """What moved and raises no alarm, reason by reason."""
    moved: dict[str, list[str]] = {}
    for shift in comparison.shifts:
        if shift.moved and shift.name in comparison.expected:
            reason = comparison.expected[shift.name]
            moved.setdefault(reason, []).append(f"{shift.name} ({shift.size:.2f})")
    return [
        f"{comparison.name}: moved by nature, no alarm: {', '.join(names)}: {reason}"
        for reason, names in moved.items()
    ]


def words(shift: Shift, currency: str, learned: bool = True) -> str:
    """How a column moved, for a person.

    Args:
        shift: How far.
        currency: Of prices.
        learned: Whether predictions are rates, not scores that only order.
    """
    parts = []
    if np.isfinite(shift.code):
        changed = f"from {shift.code_then:.0%} to {shift.code_now:.0%}"
        parts.append(f"{_shown(shift.name, shift.code, currency, learned)} {changed}")
    elif np.isfinite(shift.then) and np.isfinite(shift.now):
        then, now = (_shown(shift.name, one, currency, learned) for one in (shift.then, shift.now))
        parts.append(f"median {then} then, {now} now")
    if abs(shift.missing_now - shift.missing_then) >= 0.005:
        parts.append(f"missing in {shift.missing_then:.0%} then, {shift.missing_now:.0%} now")
    return f"{shift.name} moved: {', '.join(parts)} (PSI {shift.size:.2f} beyond chance)"


def _shown(name: str, value: float, currency: str, learned: bool) -> str:
    if name in BY_NAME:
        return format_value(BY_NAME[name], value, currency)
    if name == PREDICTED and learned:
        return f"{np.exp(value) * 1000:.3g} conversions per 1,000 impressions"
    return f"{value:.3g}"


def _used(uses: Mapping[str, float], shift: Shift) -> str:
    return f"; {uses[shift.name]:.1%} of the model's gain" if shift.name in uses else ""


def _broken(outcomes: NewOutcomes) -> list[str]:
    out = []
    drawn = f", {outcomes.drawn} drawn"
    if outcomes.off:
        ratio = _interval(outcomes.observed_to_expected, SURE)
        out.append(f"promises are not kept: {ratio} conversions came for each one promised{drawn}")
    if outcomes.bent:
        saved = _interval(outcomes.recalibration_saves, SURE)
        out.append(
            f"promises are bent: calibrated anew they would save {saved} of the deviance{drawn}"
        )
    return out


def _kept(outcomes: NewOutcomes) -> str:
    ratio = _interval(outcomes.observed_to_expected, SURE)
    explained = _interval(outcomes.figures["deviance_explained"], LEVEL)
    ndcg = _interval(outcomes.figures["ndcg10"], LEVEL)
    then = f", {outcomes.ndcg10_then:.2f} then" if np.isfinite(outcomes.ndcg10_then) else ""
    return (
        f"on {outcomes.rows:,} new outcomes of {outcomes.campaigns:,} campaigns with "
        f"{outcomes.conversions:,} conversions: {ratio} conversions for each one promised; "
        f"deviance explained {explained}; NDCG@10 {ndcg}{then}; the {INTERVAL:.0%} intervals held "
        f"{outcomes.coverage.value:.0%} of outcomes"
    )


def _interval(figure: Figure, level: float) -> str:
    return f"{figure.value:.2f} ({level:.0%} interval {figure.low:.2f} to {figure.high:.2f})"


def _advice(drifted: Sequence[tuple[Comparison, Shift]], broken: bool, status: Status) -> list[str]:
    out = []
    suspects = sorted({shift.name for _, shift in drifted if _suspect(shift)})
    if suspects:
        out.append(
            f"Look at the data first: values or codes of {', '.join(suspects)} are gone or new, "
            "which an export does more often than the world."
        )
    where = {one.name for one, _ in drifted}
    if broken:
        out.append("Train again: the outcomes since are what the version does not know yet.")
    elif any("creators" in name for name in where):
        out.append("Refresh, so that creators are served as they are now; then look again.")
    if not broken and any("asks" in name for name in where):
        out.append(
            "Brands ask otherwise than the version has learned from: train again once outcomes of "
            "such asks are in."
        )
    if status == "too few":
        out.append("Look again when more outcomes are in.")
    return out or ["Nothing to do."]


def _suspect(shift: Shift) -> bool:
    """Whether it looks like a fault of the data: much went missing, or a code is gone or new."""
    gone = min(shift.code_then, shift.code_now) == 0
    return shift.missing_now - shift.missing_then >= MISSING_MORE or (
        gone and max(shift.code_then, shift.code_now) >= CODE_GONE
    )
