"""What an export holds once it is read: outcomes with their time and keys, whatever the format.

Knows nothing of files, of columns, or of which booking an outcome belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Literal

from features.schemas import FAULTS_SHOWN, Fault, InvalidTables

# The keys by which an outcome may belong to a booking, the most telling first: a code is one
# creator's, `utm_content` usually is, a campaign has many creators, a source many campaigns.
KEYS = ("code", "utm_content", "utm_campaign", "utm_source")
TAG_KEYS = KEYS[1:]

Dates = Literal["auto", "iso", "dmy", "mdy"]
Decimals = Literal["auto", "point", "comma"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Reading:
    """How values are to be read.

    Attributes:
        zone: The time zone of times that name none.
        currency: The one currency in which revenue counts; no rate of exchange is assumed.
        dates: Order of day and month in dates such as 03/04/2026.
        decimal: The decimal mark of numbers such as 1.234.
        columns: Columns named by hand: header by field.
        encoding: Text encoding by hand; otherwise UTF-8 or UTF-16.
    """

    zone: tzinfo = UTC
    currency: str = "USD"
    dates: Dates = "auto"
    decimal: Decimals = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None


@dataclass(frozen=True, order=True)
class Span:
    """The time that an outcome may lie in: from `start_us` up to, not including, `end_us`.

    Microseconds since 1970 in UTC. `whole_days` says that only days are known, not times.
    """

    start_us: int
    end_us: int
    whole_days: bool = False


@dataclass(frozen=True)
class Event:
    """One row of an export: what came, when, and by which key.

    Attributes:
        file: File as it was named on the command line.
        row: Row as `Fault.row` defines it.
        span: When.
        shown: Its code or tags as they were written, for lists.
        codes: Discount codes, normalised (`values.key`).
        tags: UTM values by `TAG_KEYS`, normalised; a missing one is left out.
        conversions: How many; a model of attribution may give fractions.
        clicks: Visits, or None where the export has none.
        revenue: In the reading's currency, or None where it is unknown.
        order_id: What makes it the same order as another row's, if anything does.
        refund: The row takes an order back, or the part of it that `revenue` says.
        left_out: Why it does not count whatever it matches: a reason's name, and words.
    """

    file: str
    row: int
    span: Span
    shown: str
    codes: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    conversions: Decimal = Decimal(1)
    clicks: Decimal | None = None
    revenue: Decimal | None = None
    order_id: str | None = None
    refund: bool = False
    left_out: tuple[str, str] | None = None


@dataclass(frozen=True)
class Listed:
    """A row that was not counted, and why.

    Attributes:
        file: File as it was named on the command line.
        row: Row as `Fault.row` defines it.
        value: What it would have been joined by, as it was written.
        reason: Short stable name, by which they are counted.
        detail: The reason in words.
    """

    file: str
    row: int
    value: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Export:
    """What all files of one source hold.

    Attributes:
        events: Rows that are outcomes.
        faults: Rows that cannot be read.
        no_outcomes: Rows that are no outcomes by their nature, counted by what they are.
        carries: The `KEYS` that every file has a place for.
        has_clicks: Whether visits are counted.
        has_revenue: Whether money is counted.
        covers: The time the files say they cover, in pieces; empty where they do not say.
        told: What is worth knowing, one sentence each.
    """

    events: Sequence[Event] = ()
    faults: Sequence[Fault] = ()
    no_outcomes: Mapping[str, int] = field(default_factory=dict)
    carries: frozenset[str] = frozenset()
    has_clicks: bool = False
    has_revenue: bool = False
    covers: Sequence[Span] = ()
    told: Sequence[str] = ()


def joined_exports(parts: Sequence[Export]) -> Export:
    """Several files' exports as one; it says what time it covers only where each of them does."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.no_outcomes)
    declared = bool(parts) and all(part.covers for part in parts)
    return Export(
        events=[event for part in parts for event in part.events],
        faults=[fault for part in parts for fault in part.faults],
        no_outcomes=dict(counts),
        carries=frozenset.intersection(*(part.carries for part in parts)),
        has_clicks=any(part.has_clicks for part in parts),
        has_revenue=any(part.has_revenue for part in parts),
        covers=[span for part in parts for span in part.covers] if declared else (),
        told=[line for part in parts for line in part.told],
    )


def refuse(faults: Iterable[Fault]) -> None:
    """Raise if there is any fault, the first `FAULTS_SHOWN` of each kind listed.

    Raises:
        InvalidTables: There is one.
    """
    counts: Counter[tuple[str, str]] = Counter()
    shown = []
    for fault in faults:
        counts[fault.table, fault.kind] += 1
        if counts[fault.table, fault.kind] <= FAULTS_SHOWN:
            shown.append(fault)
    if shown:
        raise InvalidTables(shown, dict(counts))


# ---------------------------------------------------------------- time


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC of a moment that knows its zone."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(moment_us: int) -> datetime:
    """The moment in UTC."""
    return _EPOCH + moment_us * _MICROSECOND


def point(moment: datetime) -> Span:
    """The span of one moment."""
    start_us = to_us(moment)
    return Span(start_us, start_us + 1)


def days(first: datetime, last: datetime, zone: tzinfo) -> Span:
    """The span from a day's start to the end of the same or a later day, in a zone."""
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    following = last.replace(tzinfo=None) + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return Span(to_us(start), to_us(end), whole_days=True)


def in_whole_days(span: Span, zone: tzinfo) -> Span:
    """The days, in a zone, that a span touches."""
    first = from_us(span.start_us).astimezone(zone)
    last = from_us(max(span.start_us, span.end_us - 1)).astimezone(zone)
    return days(first, last, zone)
