"""An answer as a table for people at a terminal. Knows only the wire."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.plain import plain
from service.wire import ItemWire, PlanWire, RecommendationResponse

REASONS_SHOWN = 3
RELAXATIONS_SHOWN = 3
HANDLE_WIDTH = 22
TABLE_WIDTH = 120


def wide_console(**options: Any) -> Console:
    """A console wide enough for the table, also where the output is no terminal."""
    return Console(width=max(Console().width, TABLE_WIDTH), **options)


def show(answer: RecommendationResponse, console: Console) -> None:
    """Print ranked creators with reasons, and the plan for the budget."""
    model, pool = answer.model, answer.pool
    console.print(
        f"{pool.eligible:,} of {pool.creators:,} creators are eligible as of "
        f"{answer.as_of:%Y-%m-%d}; model {model.name} version {model.version} ({model.kind})"
    )
    if model.simulated:
        console.print("SIMULATED data: nothing here is about real creators")
    for name, count in pool.removed_by.items():
        console.print(f"  {count:,} removed by {name}")
    for relaxation in pool.relaxations[:RELAXATIONS_SHOWN]:
        console.print(Text(f"  {relaxation.text}"))
    if pool.nearest is not None:
        console.print(Text(f"  {pool.nearest.text}"))
    table = Table(show_lines=True)
    for title in ("#", "creator", "niche", "conversion rate", "expected"):
        table.add_column(title, justify="right" if title == "#" else "left")
    table.add_column("why", ratio=1)
    for item in answer.items:
        cells = (str(item.rank), _who(item), _niche(item), _rate(item), _expected(item), _why(item))
        # Creators choose their handles: what they wrote is text, and steers no terminal.
        table.add_row(*(Text(plain(cell)) for cell in cells))
    console.print(table)
    if answer.portfolio is not None:
        _plan(answer.portfolio, {item.creator_id for item in answer.items}, console)


def _who(item: ItemWire) -> str:
    followers = "?" if item.follower_count is None else f"{item.follower_count:,}"
    return (
        f"{item.handle[:HANDLE_WIDTH]}\n{item.platform}, {followers}\n{item.tier or 'size unknown'}"
    )


def _niche(item: ItemWire) -> str:
    share = "no posts" if item.niche is None else f"{item.niche.label}\n{item.niche.share:.0%}"
    return share if item.match is None else f"{share}\nmatch {item.match:.2f}"


def _rate(item: ItemWire) -> str:
    rate = item.conversion_rate
    if rate is None:
        return "not known"
    return f"{rate.estimate:.3%}\n{rate.low:.3%} to {rate.high:.3%}\n{item.confidence} confidence"


def _expected(item: ItemWire) -> str:
    expected = item.expected
    lines = []
    if expected.impressions is not None:
        lines.append(f"{expected.impressions.estimate:,.0f} impressions")
    if expected.conversions is not None:
        lines.append(f"{expected.conversions:.1f} conversions")
    if expected.cost is not None:
        about = "about " if expected.cost_is_estimate else ""
        gift = " (a product)" if expected.cost_basis == "gift" else ""
        lines.append(f"costs {about}{expected.cost:,.0f}{gift}")
    return "\n".join(lines) or "not known"


def _why(item: ItemWire) -> str:
    told = [reason for reason in item.reasons if reason.feature not in ("baseline", "other")]
    reasons = [
        f"{'+' if reason.contribution > 0 else '-'} {reason.text}"
        for reason in told[:REASONS_SHOWN]
    ]
    return "\n".join([*reasons, *(f"! {warning}" for warning in item.warnings)])


def _plan(plan: PlanWire, shown: set[str], console: Console) -> None:
    outlook = plan.expected_conversions
    console.print(
        f"Plan: {plan.spend:,.0f} of {plan.budget:,.0f} {plan.currency} "
        f"on {len(plan.picked)} creators"
        + (
            ""
            if outlook is None
            else f"; {outlook.p50:,.0f} conversions ({outlook.p10:,.0f} to {outlook.p90:,.0f})"
        )
    )
    ids = [
        f"{pick.creator_id}{'' if pick.creator_id in shown else ' (below)'}" for pick in plan.picked
    ]
    console.print(Text("  " + ", ".join(ids)))
    if plan.overlap is not None and plan.picked:
        console.print(f"  {plan.overlap.share:.1%} of what they bring is brought by two of them")
    if plan.large_account is not None:
        console.print(Text(f"  Beside it: {plan.large_account.text}"))
