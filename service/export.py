"""Lists and plans as tables for a spreadsheet: CSV, and XLSX with a sheet each.

Creators write their own handles and texts. A spreadsheet would run one that begins like a formula,
so every such text gets an apostrophe before it, in both formats; what steers the cells around it is
left out (`plain`), and a text longer than a cell may be is cut. Knows nothing of HTTP.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import xlsxwriter

from features.schemas import Brief
from models.answer import Item, Plan, PoolCounts
from service.plain import plain

Cell = str | int | float | None

# What spreadsheets take for the start of a formula, or strip until they find one; some take the
# wide forms too (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
# What stands before it and is not seen: blanks of every kind, and marks without width.
_UNSEEN = re.compile(r"(?:[^\S\t\r\n]|[\u200b-\u200f\u061c\u2060\ufeff\u00ad])*")
# Excel's own limit, in UTF-16. The rest of a longer text in a CSV it puts into cells below, where
# it would be run; XlsxWriter leaves the cell empty.
CELL_UNITS_AT_MOST = 32_767
REASONS_SHOWN = 3
WIDTH_AT_MOST = 60  # characters of a column


@dataclass(frozen=True)
class Table:
    """A table with a name of at most 31 characters, which is what a sheet may have."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def list_table(items: Sequence[Item], currency: str) -> Table:
    """The ranked creators."""
    columns = (
        *("rank", "creator_id", "handle", "platform", "followers", "tier", "niche", "match"),
        *("conversion_rate", "conversion_rate_low", "conversion_rate_high"),
        *("expected_impressions", "expected_conversions", f"cost_{currency}", "cost_basis"),
        *(f"cost_per_conversion_{currency}", "confidence", "explored", "reasons", "evidence"),
    )
    return Table("Creators", columns, tuple(_item_row(item) for item in items))


def plan_table(plan: Plan) -> Table:
    """The creators that a plan books."""
    columns = (
        *("creator_id", "handle", "platform", f"cost_{plan.currency}", "cost_basis"),
        *("expected_conversions_alone", "adds_conversions"),
    )
    rows = tuple(
        (
            *(pick.creator_id, pick.handle, pick.platform, pick.cost, pick.cost_basis),
            *(pick.expected_conversions, pick.adds_conversions),
        )
        for pick in plan.picked
    )
    return Table("Plan", columns, rows)


def about_table(brief: Brief, pool: PoolCounts, plan: Plan | None, model: str) -> Table:
    """What was asked, and the figures that belong to no single creator."""
    rows: list[tuple[Cell, ...]] = [
        ("brand", brief.brand.name),
        ("brief", brief.query),
        ("objective", brief.objective),
        ("filters", brief.filters.model_dump_json(exclude_defaults=True)),
        ("model", model),
        ("creators", pool.creators),
        ("eligible", pool.eligible),
    ]
    if plan is not None:
        rows += [("budget", plan.budget), ("currency", plan.currency), ("spend", plan.spend)]
        if plan.expected_conversions is not None:
            outlook = plan.expected_conversions
            rows += [
                ("expected_conversions_p10", outlook.p10),
                ("expected_conversions_p50", outlook.p50),
                ("expected_conversions_p90", outlook.p90),
            ]
        if plan.overlap is not None:
            rows.append(("overlap_share", plan.overlap.share))
    return Table("About", ("what", "value"), tuple(rows))


def to_csv(table: Table) -> bytes:
    """A table as CSV (RFC 4180) in UTF-8, with the mark that spreadsheets tell it by."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([harmless(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """Tables as the sheets of a workbook; nothing in it is a formula or a link."""
    out = io.BytesIO()
    plain = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, plain) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        for table in tables:
            sheet = book.add_worksheet(table.name)
            sheet.freeze_panes(1, 0)
            for column, name in enumerate(table.columns):
                sheet.write_string(0, column, name, bold)
                longest = max((len(_shown(row[column])) for row in table.rows), default=0)
                sheet.set_column(column, column, min(max(longest, len(name)) + 2, WIDTH_AT_MOST))
            for number, row in enumerate(table.rows, start=1):
                for column, cell in enumerate(map(harmless, row)):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
    return out.getvalue()


def harmless(cell: Cell) -> Cell:
    """A cell that no spreadsheet runs, refuses, or lets steer its neighbours."""
    if isinstance(cell, float) and not math.isfinite(cell):  # the API says null
        return None
    if not isinstance(cell, str):
        return cell
    text = plain(cell)
    if _UNSEEN.sub("", text, count=1).startswith(FORMULA_STARTS):
        text = f"'{text}"
    if 2 * len(text) <= CELL_UNITS_AT_MOST:
        return text
    units = text.encode("utf-16-le")[: 2 * CELL_UNITS_AT_MOST]
    return units.decode("utf-16-le", errors="ignore")  # half of a pair at the end


def _item_row(item: Item) -> tuple[Cell, ...]:
    rate, expected = item.conversion_rate, item.expected
    return (
        *(item.rank, item.creator_id, item.handle, item.platform, item.follower_count, item.tier),
        *(None if item.niche is None else item.niche.label, item.match),
        *((None, None, None) if rate is None else (rate.estimate, rate.low, rate.high)),
        None if expected.impressions is None else expected.impressions.estimate,
        *(expected.conversions, expected.cost, expected.cost_basis, expected.cost_per_conversion),
        *(item.confidence, "yes" if item.explored else "no"),
        "; ".join(reason.text for reason in item.reasons[:REASONS_SHOWN]),
        " | ".join(post.text for post in item.evidence),
    )


def _shown(cell: Cell) -> str:
    return "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
