"""An evaluation as one HTML page that stands alone, and as JSON.

No script, no style sheet, font or picture from anywhere else; every text is escaped. Knows nothing
of how figures were made.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from training import plots
from training.bootstrap import LEVEL, Figure
from training.evaluate import FIGURES, SERVED, Evaluation, Segment, Slice
from training.gate import Decision

SIMULATED = "SIMULATED DATA: nothing here is evidence about real creators."
# What is shown first, and what it is called where there is little room.
SHORT = {
    "ndcg10": "NDCG@10",
    "captured10": "captured",
    "recall": "recall",
    "deviance_explained": "explained",
    "auc": "AUC",
    "auc_within_niche": "in niche",
    "ece": "ECE",
}
SHOWN = tuple(SHORT)
FURTHER = {
    "ndcg5": "NDCG@5",
    "ndcg20": "NDCG@20",
    "brier_skill": "Brier skill",
    "expected_to_observed": "expected / observed",
    "deviance": "deviance",
}
PARTS = {
    "all": "All held-out rows",
    "warm": "Brands and creators with a past",
    "cold brand": "The same rows as if their brands had never been seen",
    "cold creator": "The same rows as if their creators had never been sponsored",
}

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0; color: GrayText; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th:first-child, td:first-child { text-align: left; }
thead th { white-space: normal; vertical-align: bottom; }
.candidates tbody tr:first-child { font-weight: 600; }
details { margin: .5rem 0 1.5rem; }
td small { font-weight: 400; opacity: .7; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; }
figure svg { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
.notice { border: 2px solid #d1495b; padding: .5rem 1rem; font-weight: 600; }
@media print { .wide { overflow: visible; } body { max-width: none; font-size: 11px; } }
"""


@dataclass(frozen=True)
class Page:
    """What a report says.

    Attributes:
        title: Its heading.
        simulated: Whether the data say that they are simulated.
        facts: Name and value of what the run was: data, dates, versions.
        params: Those of the facts that are parameters of the learning.
        evaluation: The figures; None where nothing was learned.
        decision: Of the gate, if it was asked.
        limits: What the figures do not say, a sentence each.
    """

    title: str
    simulated: bool
    facts: Mapping[str, str]
    evaluation: Evaluation | None
    decision: Decision | None
    limits: Sequence[str]
    params: Sequence[str] = ()


def write_report(page: Page, folder: Path, name: str = "report") -> list[Path]:
    """Write ``NAME.html`` and ``NAME.json`` into a folder, each whole or not at all.

    Raises:
        OSError: The folder cannot be written to.
    """
    return write_both(folder, name, as_html(page), dataclasses.asdict(page))


def write_both(folder: Path, name: str, html: str, told: Mapping[str, Any]) -> list[Path]:
    """Write ``NAME.html`` and ``NAME.json``; what is told may hold NaN, the file holds null."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(told), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    paths = [folder / f"{name}.html", folder / f"{name}.json"]
    for path, content in zip(paths, (html, text), strict=True):
        replace_text(path, content)
    return paths


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, staging = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(staging).chmod(0o644)
        Path(staging).replace(path)
    except BaseException:
        Path(staging).unlink(missing_ok=True)
        raise


def as_html(page: Page) -> str:
    """The page, with its pictures in it."""
    body = []
    if page.decision is not None:
        verdict = "Promoted" if page.decision.promote else "Refused"
        body.append(f"<p><strong>{verdict}:</strong> {escape(page.decision.reason)}.</p>")
    if page.evaluation is not None:
        body.append(f"<p>{escape(verdict_of(page.evaluation))}</p>")
    learned_with = {name: page.facts[name] for name in page.params if name in page.facts}
    body.append(facts_table({n: told for n, told in page.facts.items() if n not in learned_with}))
    if learned_with:
        drawn = facts_table(learned_with, "Parameters of the learning")
        body.append(f"<details><summary>Parameters</summary>{drawn}</details>")
    if page.evaluation is not None:
        body.extend(_evaluation(page.evaluation))
    if page.decision is not None and page.decision.checks:
        body.append(_checks(page.decision))
    if page.limits:
        points = "".join(f"<li>{escape(limit)}</li>" for limit in page.limits)
        body.append(f"<h2>What these figures do not say</h2><ul>{points}</ul>")
    return skeleton(page.title, page.simulated, body)


def skeleton(title: str, simulated: bool, body: Sequence[str]) -> str:
    """A page that stands alone, under its heading and, where data are simulated, that notice.

    Args:
        title: Plain text.
        simulated: Whether the data say that they are simulated.
        body: HTML, part by part.
    """
    notice = f'<p class="notice">{SIMULATED}</p>' if simulated else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>{notice}{''.join(body)}</main></body></html>\n"
    )


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    kind: str = "groups",
) -> str:
    """A table whose first column names its rows.

    Args:
        caption, heads: Plain text.
        rows: Name as plain text, and the other cells as HTML.
        kind: Class of the table; of ``candidates`` the first row stands out.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, cells in rows
    )
    return (
        f'<div class="wide"><table class="{kind}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def facts_table(facts: Mapping[str, str], told: str = "The run") -> str:
    """Names and values of what a run was, under a caption of plain text."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f'<div class="wide"><table><caption>{escape(told)}</caption>{rows}</table></div>'


def verdict_of(evaluation: Evaluation) -> str:
    """In words, how the model stands to the others on all held-out rows."""
    figures = evaluation.segments[0].figures
    model, *others = (name for name in figures if name != SERVED)
    parts = []
    for what in ("ndcg10", "deviance_explained"):
        own = figures[model][what].value
        ahead = [name for name in others if figures[name][what].value > own]
        best = max(others, key=lambda name: np.nan_to_num(figures[name][what].value, nan=-np.inf))
        told = f"{own:.3f}; the best of the others, {best}, {figures[best][what].value:.3f}"
        stands = "ahead of all others" if not ahead else "behind " + ", ".join(ahead)
        parts.append(f"{FIGURES[what]}: {stands} ({told}).")
    return " ".join(parts)


def _evaluation(evaluation: Evaluation) -> list[str]:
    drawn = plots.pictures(evaluation)
    parts = [
        "<h2>Beside what it has to beat</h2>",
        f"<p>All candidates on the same rows. In brackets, {LEVEL:.0%} intervals over campaigns "
        "drawn with replacement.</p>",
        _legend(),
    ]
    parts += [_segment(segment) for segment in evaluation.segments]
    parts.append(picture(drawn["ndcg10"], "NDCG@10 of each candidate, with intervals"))
    parts.append(picture(drawn["deviance_explained"], "Deviance explained by each candidate"))
    parts.append("<h2>Calibration</h2>")
    parts.append(picture(drawn["calibration"], "Expected against observed conversion rates"))
    for what, slices in evaluation.groups.items():
        parts.append(_slices(f"In the large, by {what}", slices))
    if evaluation.coverage:
        parts.append("<h2>Intervals</h2>")
        parts.append(picture(drawn["coverage"], "Share of outcomes within the interval"))
    parts.append("<h2>Where it is worst</h2>")
    parts.append(
        f"<p>{len(evaluation.worst)} of the {evaluation.slices_looked_at} groups and pairs of "
        "groups looked at are off beyond their interval; with as many looked at, one in ten is "
        "so by chance.</p>"
    )
    parts.append(_slices("The costliest first", evaluation.worst))
    if evaluation.ablations is not None:
        parts.append("<h2>What each family of features is worth</h2>")
        parts.append(_segment(evaluation.ablations))
        parts.append(picture(drawn["ablations"], "Deviance explained without each family"))
    return parts


def _segment(segment: Segment) -> str:
    first = _candidates(segment, SHORT, PARTS.get(segment.name, segment.name))
    further = _candidates(segment, FURTHER, "")
    return f"{first}<details><summary>More figures of these</summary>{further}</details>"


def _candidates(segment: Segment, figures: Mapping[str, str], told: str) -> str:
    caption = (
        f"{told}: {segment.rows:,} collaborations of {segment.campaigns:,} campaigns, "
        f"{segment.conversions:,} conversions"
    )
    rows = [
        (name, [value(found[figure]) for figure in figures])
        for name, found in segment.figures.items()
    ]
    return table(caption.removeprefix(": "), ["", *figures.values()], rows, "candidates")


def _legend() -> str:
    """What the columns mean."""
    words = (SHORT | FURTHER).items()
    told = "; ".join(
        f"<b>{escape(short)}</b>: {escape(FIGURES[name])}"
        for name, short in words
        if short != FIGURES[name]
    )
    return f"<p><small>{told}.</small></p>"


def _slices(told: str, slices: Sequence[Slice]) -> str:
    if not slices:
        return f"<p>{escape(told)}: nothing with enough conversions.</p>"
    rows = [
        (one.name, [f"{one.rows:,}", f"{one.conversions:,}", value(one.expected_to_observed)])
        for one in slices
    ]
    return table(told, ["group", "rows", "conversions", "expected / observed"], rows)


def _checks(decision: Decision) -> str:
    rows = [
        (
            check.name,
            [
                f"{check.challenger:.4f}",
                f"{check.champion:.4f}",
                value(Figure(check.difference, check.low, check.high)),
                f"{check.limit:.3f}",
                "passed" if check.passed else "failed",
            ],
        )
        for check in decision.checks
    ]
    drawn = table(
        "Differences of deviance are shares of the other's",
        ["check", "challenger", "other", "difference", "limit", "outcome"],
        rows,
    )
    return (
        f"<h2>The gate</h2><p>Against {escape(decision.against)}, on {decision.rows:,} "
        f"collaborations of {decision.campaigns:,} campaigns that neither has seen.</p>{drawn}"
    )


def picture(figure: Drawing, alt: str) -> str:
    """A drawing as an SVG element, told in words to who cannot see it."""
    drawn = plots.as_svg(figure)
    return f'<figure role="img" aria-label="{escape(alt)}">{drawn}</figure>'


def value(figure: Figure) -> str:
    """A figure with its interval, as HTML."""
    if not np.isfinite(figure.value):
        return "–"
    digits = 3 if abs(figure.value) >= 0.01 or figure.value == 0 else 5
    return (
        f"{figure.value:.{digits}f} <small>[{figure.low:.{digits}f}, "
        f"{figure.high:.{digits}f}]</small>"
    )


def plain(told: Any) -> Any:
    """The same with None for what is no number: JSON knows no NaN."""
    if isinstance(told, Mapping):
        return {str(key): plain(inner) for key, inner in told.items()}
    if isinstance(told, list | tuple):
        return [plain(inner) for inner in told]
    if isinstance(told, float) and not np.isfinite(told):
        return None
    return told
