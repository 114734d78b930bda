"""Turns what a command line says of an import into what the readers take.

Knows nothing of files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.schemas import DataError, is_currency
from training.sources.events import Dates, Decimals, Reading, Span, from_us
from training.sources.outcomes import Fetch
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


def moment_of(text: str, reading: Reading) -> datetime:
    """The moment that a text names, in UTC; a day alone is its start.

    Raises:
        DataError: It is no time.
    """
    try:
        return from_us(read_time(text, reading).start_us)
    except Unreadable as error:
        raise DataError(f"--observed-at {text}: {error}") from None


def fetch_of(
    source: str,
    channels: Sequence[str],
    api_key_env: str,
    quota: int,
    videos: int,
    api_url: str | None,
) -> Fetch:
    """What is to be fetched live, with the key from the environment.

    Raises:
        DataError: The source cannot be fetched, or the key is not there.
    """
    from training.sources.youtube_client import API_URL

    if source != "youtube":
        raise DataError(f"--channels: {source} is imported from files; only youtube is fetched")
    api_key = os.environ.get(api_key_env, "").strip()
    if not api_key:
        raise DataError(
            f"the environment variable {api_key_env} holds no API key; make one in the Google "
            "Cloud console (YouTube Data API v3), or name another with --api-key-env"
        )
    return Fetch(channels, api_key, quota, videos, api_url or API_URL)
