"""Turns what a command line says of an import into what the readers take.

Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.schemas import DataError, is_currency
from training.sources.events import Dates, Decimals, Reading, Span
from training.sources.values import Unreadable, read_time


def reading_of(
    timezone: str,
    currency: str,
    dates: Dates,
    decimal: Decimals,
    columns: Sequence[str],
    encoding: str | None,
) -> Reading:
    """How values are to be read.

    Raises:
        DataError: No such time zone or currency is known, or a column is not given as
            `field=header`.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reason = "no such time zone is known; write it such as Europe/Berlin"
        raise DataError(f"--timezone {timezone}: {reason}") from None
    if not is_currency(currency):
        raise DataError(f"--currency {currency}: not an ISO 4217 currency, such as USD")
    told: dict[str, str] = {}
    for pair in columns:
        name, equals, header = (part.strip() for part in pair.partition("="))
        if not (name and equals and header):
            raise DataError(f"--map {pair}: write it as field=column, such as code=Coupon")
        if name in told:
            raise DataError(f"--map {pair}: {name} was given as {told[name]!r} already")
        told[name] = header
    return Reading(zone, currency, dates, decimal, told, encoding)


def span_of(text: str, reading: Reading) -> Span:
    """The time that two days and all between them make, such as 2026-01-01/2026-03-31.

    Raises:
        DataError: It is not two times, or the second comes first.
    """
    first, _, last = text.partition("/")
    try:
        start, end = read_time(first, reading), read_time(last, reading)
    except Unreadable as error:
        raise DataError(f"--covers {text}: {error}; write 2026-01-01/2026-03-31") from None
    if end.end_us <= start.start_us:
        raise DataError(f"--covers {text}: the second day comes before the first")
    return Span(start.start_us, end.end_us)
