"""What a look of the monitor found, as one HTML page that stands alone, and as JSON.

Knows nothing of how it was found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from features.catalogue import BY_NAME
from training import plots
from training.bootstrap import LEVEL, Figure
from training.drift import FALSE_DISCOVERIES, MUCH, SOME, Shift
from training.evaluate import FIGURES
from training.monitor import Monitoring
from training.monitor_drift import Comparison
from training.monitor_outcomes import SURE, NewOutcomes
from training.report import facts_table, picture, skeleton, table, value, write_both

VERDICTS = {
    "steady": "Steady: nothing moved beyond chance, and promises are kept.",
    "drifted": "Drifted: what is served or asked for is no longer what it was.",
    "miscalibrated": "Miscalibrated: what was promised does not come true.",
    "too few": "Nothing moved, and too few outcomes came in to say whether promises are kept.",
}
SHOWN = ("deviance_explained", "ece", "ndcg10", "auc")


def write(monitoring: Monitoring, folder: Path, name: str = "monitor") -> list[Path]:
    """Write ``NAME.html`` and ``NAME.json`` into a folder, each whole or not at all.

    Raises:
        OSError: The folder cannot be written to.
    """
    return write_both(folder, name, as_html(monitoring), as_dict(monitoring))


def as_dict(monitoring: Monitoring) -> dict[str, Any]:
    """All that was found, for JSON; what raises an alarm says so beside its figures."""
    told = dataclasses.asdict(monitoring) | {"exit_status": monitoring.exit_status}
    for one, there in zip(monitoring.comparisons, told["comparisons"], strict=True):
        alarming = {shift.name for shift in one.alarming}
        for shift in there["shifts"]:
            shift["alarm"] = shift["name"] in alarming
    return told


def as_html(monitoring: Monitoring) -> str:
    """The page, with its picture in it."""
    body = [
        f"<p><strong>{escape(VERDICTS[monitoring.status])}</strong></p>",
        _list(monitoring.alarms),
        f"<h2>What to do</h2>{_list(monitoring.advice)}",
        f"<h2>What else was found</h2>{_list(monitoring.notes)}",
        facts_table(monitoring.facts),
        "<h2>Promises</h2>",
        *_outcomes(monitoring.outcomes),
        "<h2>Then and now</h2>",
        f"<p>Size is the population stability index less what chance brings: from {SOME} on some, "
        f"from {MUCH} on large. An alarm is large, beyond chance (corrected p below "
        f"{FALSE_DISCOVERIES}), and not in the nature of the column.</p>",
        *(_comparison(one, monitoring.uses) for one in monitoring.comparisons),
    ]
    return skeleton(f"Monitor: {monitoring.status}", monitoring.simulated, body)


def _list(points: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(point)}</li>' for point in points)}</ul>" if points else ""


def _outcomes(outcomes: NewOutcomes) -> list[str]:
    if outcomes.silent:
        return [f"<p>{escape(outcomes.silent[:1].upper() + outcomes.silent[1:])}.</p>"]
    then = outcomes.ndcg10_then
    rows = [
        (f"conversions for each one promised ({SURE:.0%})", outcomes.observed_to_expected),
        (f"deviance that calibrating anew saves ({SURE:.0%})", outcomes.recalibration_saves),
        *((FIGURES[name], outcomes.figures[name]) for name in SHOWN),
        ("outcomes within the 80% interval", outcomes.coverage),
        ("NDCG@10 on the rows it was judged on then", Figure(then, then, then)),
    ]
    caption = (
        f"{outcomes.rows:,} outcomes of {outcomes.campaigns:,} campaigns, "
        f"{outcomes.conversions:,} conversions, that the version has not learned from; "
        f"{SURE:.0%} intervals over {outcomes.drawn}, else {LEVEL:.0%} over campaigns"
    )
    return [
        table(caption, ["figure", "value"], [(name, [value(one)]) for name, one in rows]),
        picture(plots.reliability(outcomes.reliability), "Expected against observed rates"),
    ]


def _comparison(comparison: Comparison, uses: Mapping[str, float]) -> str:
    title = comparison.name.capitalize()
    if comparison.silent:
        return f"<h3>{escape(title)}</h3><p>{escape(comparison.silent)}.</p>"
    alarming = {shift.name for shift in comparison.alarming}
    rows = [
        (
            shift.name,
            [
                BY_NAME[shift.name].family if shift.name in BY_NAME else "",
                f"{shift.size:.3f}",
                f"{shift.q:.4f}",
                *_sides(shift),
                f"{shift.missing_then:.1%}",
                f"{shift.missing_now:.1%}",
                f"{uses[shift.name]:.1%}" if shift.name in uses else "",
                _standing(shift, shift.name in alarming, comparison.expected),
            ],
        )
        for shift in comparison.shifts
    ]
    caption = (
        f"{title}: {comparison.units_then:,} {comparison.unit} then, {comparison.units_now:,} now; "
        f"{comparison.rows_then:,} and {comparison.rows_now:,} rows"
    )
    heads = ["column", "family", "size", "p, corrected", "median then", "median now"]
    heads += ["missing then", "missing now", "share of the gain", ""]
    return f"<h3>{escape(title)}</h3>{table(caption, heads, rows)}"


def _sides(shift: Shift) -> tuple[str, str]:
    if np.isfinite(shift.code):
        return (
            f"{shift.code_then:.0%} of code {shift.code:.0f}",
            f"{shift.code_now:.0%}",
        )
    then, now = (f"{one:.4g}" if np.isfinite(one) else "–" for one in (shift.then, shift.now))
    return then, now


def _standing(shift: Shift, alarming: bool, expected: Mapping[str, str]) -> str:
    if alarming:
        return "<strong>alarm</strong>"
    if shift.moved:
        return escape(f"expected: {expected[shift.name]}")
    return "some" if shift.moved_some else ""
