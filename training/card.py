"""What a run says of itself: facts, limits, and the model card that MLflow shows.

The card follows the sections of Mitchell et al. 2019, "Model cards for model reporting". Every
figure in it is of the run. Knows nothing of how figures were made or where a card is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.bootstrap import LEVEL, Figure
from training.evaluate import FIGURES, Evaluation
from training.gate import Decision
from training.report import Page

SHOWN = ("ndcg10", "captured10", "deviance_explained", "auc_within_niche", "ece")
FEW_CAMPAIGNS = 50
LENGTH = 5000  # of a description in MLflow's database
CUT = "\n\n(The rest is in `report/report.html` of the run.)\n"


def limits(evaluation: Evaluation | None, kind: str) -> list[str]:
    """What the figures of a run do not say, a sentence each."""
    said = []
    if kind == "heuristic":
        said.append(
            "The order follows stated rules, not outcomes: no rate is estimated, and nothing here "
            "says that the order is right."
        )
    if evaluation is not None:
        first = evaluation.segments[0]
        said += [
            "All figures are of creators whom brands chose to sponsor. How well creators are "
            "ordered whom nobody chose, no history can show.",
            "The model that was judged has not seen the test part; the one that is served was "
            "fitted on it too, and nobody has judged that one.",
        ]
        if first.campaigns < FEW_CAMPAIGNS:
            said.append(
                f"There are only {first.campaigns:,} campaigns in the test part: look at the "
                "intervals before the values."
            )
        there = {segment.name for segment in evaluation.segments}
        missing = [name for name in ("cold brand", "cold creator") if name not in there]
        if missing:
            said.append(f"Too few rows to judge: {', '.join(missing)}.")
    said.append(
        "Estimates differ between languages and countries with the posts and outcomes there are "
        "of them; look at the groups before using the model for a market it has seen little of."
    )
    return said


def model_card(page: Page) -> str:
    """The card, in Markdown: no longer than `LENGTH`, what is dispensable left to the report."""
    parts = [f"# {page.title}"]
    if page.simulated:
        parts.append("**SIMULATED DATA: nothing here is evidence about real creators.**")
    if page.decision is not None:
        parts.append(f"**{verdict(page.decision)}**")
    parts.append(
        "## What it is for\n\nRanking creators for a brand's brief, with the conversion rate that "
        "a collaboration is expected to bring. Not for judging people, and not for anything but "
        "the choice of whom to work with."
    )
    facts = [(name, value) for name, value in page.facts.items() if name not in page.params]
    parts.append("## Data\n\n" + _table(("", ""), facts))
    if page.evaluation is not None:
        parts.append("## How good it is\n\n" + _figures(page.evaluation))
    parts.append("## Limits\n\n" + "\n".join(f"- {limit}" for limit in page.limits))
    parts.append("Everything else, the gate's checks among it: `report/report.html` of the run.")
    if page.decision is not None and page.decision.checks:
        gate = "## The gate\n\n" + _checks(page.decision)
        if sum(len(part) + 2 for part in [*parts, gate]) <= LENGTH:
            parts.insert(-1, gate)
    card = "\n\n".join(parts) + "\n"
    return card if len(card) <= LENGTH else card[: LENGTH - len(CUT)] + CUT


def verdict(decision: Decision) -> str:
    """A decision in one sentence."""
    return f"{'Promoted' if decision.promote else 'Not promoted'}: {decision.reason}."


def _figures(evaluation: Evaluation) -> str:
    first = evaluation.segments[0]
    rows = [
        (name, *(_value(figures[what]) for what in SHOWN))
        for name, figures in first.figures.items()
    ]
    told = (
        f"On {first.rows:,} collaborations of {first.campaigns:,} campaigns later than all it was "
        f"fitted on, with {LEVEL:.0%} intervals over campaigns:"
    )
    table = _table(("", *(FIGURES[what] for what in SHOWN)), rows)
    parts = [f"{told}\n\n{table}"]
    if evaluation.worst:
        worst = "\n".join(
            f"- {one.name}: expected / observed {_value(one.expected_to_observed)}, "
            f"{one.rows:,} rows"
            for one in evaluation.worst[:3]
        )
        parts.append(f"Where it is worst:\n\n{worst}")
    return "\n\n".join(parts)


def _checks(decision: Decision) -> str:
    rows = [
        (
            check.name,
            f"{check.challenger:.4f}",
            f"{check.champion:.4f}",
            f"{check.difference:+.4f} [{check.low:+.4f}, {check.high:+.4f}]",
            "passed" if check.passed else "failed",
        )
        for check in decision.checks
    ]
    table = _table(("check", "challenger", "other", "difference", "outcome"), rows)
    return f"Against {decision.against}, on {decision.rows:,} collaborations:\n\n{table}"


def _value(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def facts_of(
    data: Mapping[str, object], source: str, as_of: str, params: Mapping[str, object]
) -> dict[str, str]:
    """What a run was, for a report: data, dates and parameters, as text."""
    told = {"tables": source, "known until": as_of}
    told |= {
        name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in data.items()
    }
    return told | {name: str(value) for name, value in params.items()}
