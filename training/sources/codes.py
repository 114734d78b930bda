"""Discount-code redemptions: a CSV of any shop system, one row a redemption (or a sum of them).

Which column is which is guessed from the usual names. Knows nothing of bookings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from training.sources.cells import Cells
from training.sources.columns import find_columns, show_columns
from training.sources.events import TAG_KEYS, Event, Export, Reading, joined_exports
from training.sources.text_files import Section, decode, read_bytes, read_sections
from training.sources.values import key, shown_tags, tags_of

NAME = "codes"

ALIASES = {
    "code": [
        "code",
        "couponcode",
        "discountcode",
        "promocode",
        "promotioncode",
        "vouchercode",
        "vouchercodes",
        "discountcodes",
        "couponcodes",
        "coupon",
        "coupons",
        "promo",
        "voucher",
        "promotion",
        "gutscheincode",
        "gutschein",
        "rabattcode",
        "codepromo",
        "cupon",
        "codigo",
        "cupom",
    ],
    "redeemed_at": [
        "redeemedat",
        "redeemed",
        "redemptiondate",
        "dateredeemed",
        "redemptiontime",
        "usedat",
        "orderdate",
        "ordertime",
        "orderedat",
        "createdat",
        "created",
        "datecreated",
        "purchasedat",
        "purchasedate",
        "paidat",
        "timestamp",
        "datetime",
        "date",
        "day",
        "time",
        "datum",
        "bestelldatum",
        "fecha",
    ],
    "amount": [
        "ordertotal",
        "ordervalue",
        "orderamount",
        "revenue",
        "netsales",
        "totalsales",
        "grosssales",
        "sales",
        "total",
        "totalprice",
        "amount",
        "value",
        "grandtotal",
        "subtotal",
        "umsatz",
        "betrag",
        "gesamt",
        "importe",
        "montant",
    ],
    "order_id": [
        "orderid",
        "ordernumber",
        "orderno",
        "ordername",
        "order",
        "transactionid",
        "transaction",
        "bestellnummer",
        "redemptionid",
        "id",
    ],
    "currency": ["currency", "currencycode", "ordercurrency", "waehrung", "währung"],
    "count": ["redemptions", "timesused", "uses", "usagecount", "timesredeemed", "orders"],
    **{name: [name.replace("_", "")] for name in TAG_KEYS},
}


def read_codes(
    files: Sequence[Path],
    reading: Reading,
    show: Callable[[str], None],
    done: Callable[[int], None],
) -> Export:
    """Read redemptions.

    A row with a negative amount is a refund: it takes back what the row with the same order id
    brought. Rows of one order id are one order, and counted once, whatever the file.

    Args:
        files: The CSV files.
        reading: How values are read, and which columns were named by hand.
        show: Told which column was taken for what, before any is read.
        done: Told after each file.

    Raises:
        InvalidTables: A file is no table, or has no column for codes or times.
    """
    parts = []
    for path in files:
        file = str(path)
        text = decode(read_bytes(path, NAME), file, NAME, reading.encoding)
        (section,) = read_sections(text, file, NAME)
        parts.append(_read(section, reading, show))
        done(1)
    return joined_exports(parts)


def _read(section: Section, reading: Reading, show: Callable[[str], None]) -> Export:
    columns = find_columns(section, NAME, ALIASES, reading.columns, ("code", "redeemed_at"))
    show(show_columns(section, columns))
    cells = Cells(section, NAME, columns, reading)
    events = [event for _ in cells if (event := _event(cells, "count" in columns))]
    return Export(
        events=events,
        faults=cells.faults,
        no_outcomes={"empty": section.empty_rows},
        carries=frozenset({"code"} | (columns.keys() & set(TAG_KEYS))),
        has_revenue="amount" in columns,
        told=cells.told(),
    )


def _event(cells: Cells, counted: bool) -> Event | None:
    """The present row's redemption, or None where it cannot be read."""
    before = len(cells.faults)
    span = cells.time("redeemed_at")
    if span is None and len(cells.faults) == before:
        cells.refuse("redeemed_at", "missing_value", "a redemption needs a time")
    amount = cells.money("amount")
    count = _count(cells) if counted else Decimal(1)
    if span is None or count is None or len(cells.faults) > before:
        return None
    code = cells.text("code")
    written = {name: cells.text(name) for name in TAG_KEYS}
    return Event(
        file=cells.section.file,
        row=cells.row,
        span=span,
        shown=code or shown_tags(written),
        codes=(key(code),) if key(code) else (),
        tags=tags_of(written),
        conversions=count,
        revenue=None if amount is None else abs(amount),
        order_id=key(cells.text("order_id")) or None,
        refund=amount is not None and amount < 0,
    )


def _count(cells: Cells) -> Decimal | None:
    number = cells.amount("count")
    if number is None:
        cells.refuse("count", "missing_value", "a row that is a sum needs the number it sums")
        return None
    if number.value < 0 or number.value != int(number.value):
        cells.refuse("count", "wrong_type", "not a whole number of redemptions")
        return None
    return number.value
