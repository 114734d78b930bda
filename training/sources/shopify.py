"""Shopify's export of orders: a CSV with one row for each line of an order.

The first row of an order carries its date, status, total, code and notes; further lines repeat
`Name` (and the e-mail) and leave those empty. Columns are those of the admin's own export;
`Landing Site` and `Referring Site` are there where an app adds them. No customer's name, address
or e-mail is read.

What is left out: orders cancelled, refunded in full, voided, expired or not paid for, and test
orders of the bogus gateway. (The export does not tell orders of Shopify Payments' test mode.)

Knows nothing of bookings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from features.schemas import Fault
from features.table_raw import shown
from training.sources.cells import Cells
from training.sources.columns import find_columns, show_columns
from training.sources.events import TAG_KEYS, Event, Export, Reading, joined_exports
from training.sources.text_files import Section, decode, read_bytes, read_sections
from training.sources.values import key, plain, shown_tags, tags_in_url, tags_of

NAME = "shopify"

ALIASES = {
    "order": ["name"],
    "id": ["id"],
    "created_at": ["createdat"],
    "status": ["financialstatus"],
    "code": ["discountcode", "discountcodes"],
    "total": ["total"],
    "refunded": ["refundedamount"],
    "currency": ["currency"],
    "cancelled_at": ["cancelledat"],
    "payment": ["paymentmethod"],
    "test": ["test"],
    "notes": ["noteattributes"],
    "landing": ["landingsite", "landingpage"],
    "referring": ["referringsite", "referrer"],
}

_COUNTED = frozenset({"paid", "partially_paid", "partially_refunded", "authorized"})
_LEFT_OUT = {
    "refunded": ("refunded", "the order was refunded in full"),
    "voided": ("cancelled", "the payment was voided"),
    "expired": ("not_paid", "the payment expired"),
    "pending": ("not_paid", "the order is not paid for yet"),
    "unpaid": ("not_paid", "the order is not paid for yet"),
}
_YES = frozenset({"true", "yes", "1"})
_NOTE = re.compile(r"^\s*(utm_[a-z]+)\s*[:=]\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)


def read_shopify(
    files: Sequence[Path],
    reading: Reading,
    show: Callable[[str], None],
    done: Callable[[int], None],
) -> Export:
    """Read orders; arguments and errors as in `codes.read_codes`.

    Revenue is the total less what was refunded of it. UTM values come from the order's note
    attributes, else from the landing site's address, else from the referring site's.
    """
    sections: list[Section] = []
    for path in files:
        file = str(path)
        text = decode(read_bytes(path, NAME), file, NAME, reading.encoding)
        sections += read_sections(text, file, NAME)
        done(1)
    parts = [_read(section, reading, show) for section in sections]
    return joined_exports(_with_further(parts))


@dataclass(frozen=True)
class _Part:
    """One file's orders; `further` has the row and order of each line that is not the first."""

    file: str
    export: Export
    orders: frozenset[str]
    further: Sequence[tuple[int, str]]


def _read(section: Section, reading: Reading, show: Callable[[str], None]) -> _Part:
    required = ("order", "created_at", "status", "code")
    columns = find_columns(section, NAME, ALIASES, reading.columns, required)
    show(show_columns(section, columns))
    cells = Cells(section, NAME, columns, reading, usual="point")
    events: list[Event] = []
    further: list[tuple[int, str]] = []
    orders = set()
    for row in cells:
        order = cells.text("order")
        if not order:
            cells.refuse("order", "missing_value", "an order has a name, such as #1001")
        elif not (cells.text("created_at") and cells.text("status")) and not cells.text("total"):
            further.append((row, order))
        else:
            orders.add(order)
            if event := _event(cells, order):
                events.append(event)
    tagged = columns.keys() & {"notes", "landing", "referring"}
    export = Export(
        events=events,
        faults=cells.faults,
        no_outcomes={"empty": section.empty_rows},
        carries=frozenset({"code", *(TAG_KEYS if tagged else ())}),
        has_revenue="total" in columns,
        told=cells.told(),
    )
    return _Part(section.file, export, frozenset(orders), further)


def _with_further(parts: Sequence[_Part]) -> list[Export]:
    """The parts' exports; a line whose order's first line is in no file is a fault."""
    orders = frozenset().union(*(part.orders for part in parts))
    reason = "the first line of this order, with its date and total, is in none of the files"
    exports = []
    for part in parts:
        lost = [
            Fault(NAME, part.file, row, "Name", shown(order), "bad_row", reason)
            for row, order in part.further
            if order not in orders
        ]
        exports.append(
            replace(
                part.export,
                faults=[*part.export.faults, *lost],
                no_outcomes={
                    **part.export.no_outcomes,
                    "further line of an order": len(part.further) - len(lost),
                },
            )
        )
    return exports


def _event(cells: Cells, order: str) -> Event | None:
    """The present row's order, or None where it cannot be read."""
    before = len(cells.faults)
    span = cells.time("created_at")
    if span is None and len(cells.faults) == before:
        cells.refuse("created_at", "missing_value", "an order needs the time it was made at")
    status = key(cells.text("status")).replace(" ", "_")
    if status not in _COUNTED and status not in _LEFT_OUT:
        known = ", ".join(sorted(_COUNTED | _LEFT_OUT.keys()))
        cells.refuse("status", "bad_choice", f"no known financial status; known are {known}")
    total, refunded = cells.money("total"), cells.amount("refunded")
    if total is not None and refunded is not None:
        total = max(total - refunded.value, Decimal(0))
    if span is None or len(cells.faults) > before:
        return None
    code, written = cells.text("code"), _tags(cells)
    return Event(
        file=cells.section.file,
        row=cells.row,
        span=span,
        shown=code or shown_tags(written),
        codes=_codes(code),
        tags=tags_of(written),
        revenue=total,
        order_id=key(cells.text("id") or order),
        left_out=_left_out(cells, status),
    )


def _left_out(cells: Cells, status: str) -> tuple[str, str] | None:
    if "bogus" in key(cells.text("payment")) or key(cells.text("test")) in _YES:
        return "test_order", "a test order"
    if cells.text("cancelled_at"):
        return "cancelled", "the order was cancelled"
    return _LEFT_OUT.get(status)


def _codes(text: str) -> tuple[str, ...]:
    """An order's codes: several that were combined stand in one cell, with commas between."""
    found = dict.fromkeys(key(part) for part in (text, *text.split(",")))
    return tuple(sorted(code for code in found if code))


def _tags(cells: Cells) -> dict[str, str]:
    """UTM values as they were written, all from the one place that has any."""
    notes = {name.lower(): plain(value) for name, value in _NOTE.findall(cells.text("notes"))}
    places = (notes, tags_in_url(cells.text("landing")), tags_in_url(cells.text("referring")))
    return next((place for place in places if tags_of(place)), {})
