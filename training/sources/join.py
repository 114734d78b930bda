"""Joins outcomes to bookings: by code or tags, within the booking's window, each row once.

What does not join is listed with its reason. The order of rows changes nothing. Knows nothing of
files or formats.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import ROUND_HALF_EVEN, Decimal

from training.sources.bookings import Booking
from training.sources.events import (
    TAG_KEYS,
    Event,
    Export,
    Listed,
    Span,
    from_us,
    in_whole_days,
)


@dataclass(frozen=True)
class Outcome:
    """What came of one booking.

    Attributes:
        conversions: How many, whole.
        clicks: Visits, or None where the export has none.
        revenue: None where the export has none, or not every conversion's is known.
        rows: How many rows of the export it is made of.
    """

    conversions: int
    clicks: int | None
    revenue: float | None
    rows: int


@dataclass(frozen=True)
class Joined:
    """Outcomes by `sponsorship_id`, and everything that joined nothing.

    Attributes:
        outcomes: By `sponsorship_id`, of those bookings of which the export can tell.
        listed: Rows that were not counted.
        untold: Bookings that have no outcome, for the export cannot tell.
        told: What is worth knowing, one sentence each.
    """

    outcomes: Mapping[str, Outcome]
    listed: Sequence[Listed]
    untold: Sequence[Listed]
    told: Sequence[str]


def join(
    export: Export,
    bookings: Sequence[Booking],
    zone: tzinfo,
    covers: Span | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Joined:
    """Give every row of an export to at most one booking.

    A code beats tags; among tags the booking with the more telling ones wins (`events.KEYS`). All
    the tags that a booking names must be the row's. A row known to the day is within a window
    that touches the day. Of rows with one order id, one counts.

    A booking gets an outcome (0 where nothing joined) only where the export can tell: it carries
    the booking's keys, and covers the window. Where it says which time it covers, that must hold
    the whole window; where it does not, the first and last row must at least touch it.

    Args:
        export: What came.
        bookings: Who was booked.
        zone: The zone whose days are meant.
        covers: The time the export covers, as someone said.
        done: Told how many rows are through, at the end.
    """
    index = _Index(bookings, zone)
    listed: list[Listed] = []
    events = _settle(export.events, listed)
    mine: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found = index.find(event)
        if isinstance(found, Booking):
            mine[found.name].append(event)
        else:
            listed.append(_list(event, *found))
    done(len(export.events))
    outcomes: dict[str, Outcome] = {}
    reach = _Reach(export, covers)
    untold: list[Listed] = []
    partly = []
    for booking in bookings:
        own = mine.get(booking.name, [])
        why = reach.cannot_tell(booking)
        if why is None or own:
            outcomes[booking.name] = _sum(own, export)
            if not reach.holds(booking.window):
                partly.append(booking.name)
        else:
            untold.append(Listed(booking.file, booking.row, booking.name, *why))
    told = _told(partly, reach, outcomes, mine)
    return Joined(outcomes, sorted(listed, key=_place), untold, told)


# ---------------------------------------------------------------- one order, one event


def _settle(events: Sequence[Event], listed: list[Listed]) -> list[Event]:
    """Events that count: one for each order, less what was refunded; the rest is listed."""
    orders: dict[str, list[Event]] = defaultdict(list)
    settled = []
    for event in events:
        if event.order_id is not None:
            orders[event.order_id].append(event)
        elif event.refund:
            listed.append(_list(event, "refund", "it takes back an order that it does not name"))
        elif event.left_out is not None:
            listed.append(_list(event, *event.left_out))
        else:
            settled.append(event)
    ones = (_one(order, listed) for order in orders.values())
    return settled + [one for one in ones if one is not None]


def _one(order: Sequence[Event], listed: list[Listed]) -> Event | None:
    """The event that an order's rows are, or None where it does not count."""
    rows = sorted(order, key=_content)
    sales = [event for event in rows if not event.refund]
    refunds = [event for event in rows if event.refund]
    if not sales:
        words = "the order it takes back is in none of the files"
        listed.extend(_list(event, "refund", words) for event in refunds)
        return None
    listed.extend(_list(event, "refund", "taken off its order") for event in refunds)
    first = sales[0]
    for other in sales[1:]:
        same = _content(other) == _content(first)
        words = f"order counted once, by row {first.row} of {first.file}"
        listed.append(_list(other, "duplicate", words + ("" if same else "; the rows differ")))
    why = next((event.left_out for event in sales if event.left_out is not None), None)
    revenue = first.revenue
    if refunds:
        # A refund that two exports hold is one.
        back = [event.revenue for event in {_content(event): event for event in refunds}.values()]
        if revenue is None or None in back:
            why = why or ("refunded", "the order was taken back")
        else:
            revenue -= sum((amount for amount in back if amount is not None), Decimal(0))
            if revenue <= 0:
                why = why or ("refunded", "the order was taken back in full")
    if why is not None:
        listed.append(_list(first, *why))
        return None
    if len(rows) == 1:
        return first
    codes = tuple(sorted({code for event in sales for code in event.codes}))
    return replace(first, codes=codes, revenue=revenue)


def _content(event: Event) -> tuple[object, ...]:
    """What a row says, in an order that does not depend on where it stands."""
    tags = tuple(event.tags.get(name, "") for name in TAG_KEYS)
    revenue = (event.revenue is None, event.revenue or Decimal(0))
    return (event.span, event.codes, tags, revenue, event.conversions, event.shown)


# ---------------------------------------------------------------- whose is it


class _Index:
    """Bookings by their keys."""

    def __init__(self, bookings: Sequence[Booking], zone: tzinfo) -> None:
        self._days = {booking.name: in_whole_days(booking.window, zone) for booking in bookings}
        self._by_code: dict[str, list[Booking]] = defaultdict(list)
        by_tags: dict[tuple[str, ...], dict[tuple[str, ...], list[Booking]]] = {}
        for booking in bookings:
            if booking.code:
                self._by_code[booking.code].append(booking)
            if booking.tags:
                names = tuple(name for name in TAG_KEYS if name in booking.tags)
                values = tuple(booking.tags[name] for name in names)
                by_tags.setdefault(names, {}).setdefault(values, []).append(booking)
        # The most telling first: those with utm_content, then utm_campaign, then utm_source.
        order = sorted(by_tags, key=lambda names: [name not in names for name in TAG_KEYS])
        self._by_tags = [(names, by_tags[names]) for names in order]

    def find(self, event: Event) -> Booking | tuple[str, str]:
        """The booking an event belongs to, or the reason there is none, and in words."""
        if not event.codes and not event.tags:
            return "no_key", "it carries neither a code nor a tag"
        candidates = self._candidates(event)
        if not candidates:
            return "unknown_key", "no booking has this code or these tags"
        within = [booking for booking in candidates if self._holds(booking, event.span)]
        if len(within) == 1:
            return within[0]
        if within:
            return "ambiguous", f"several bookings match: {_names(within)}"
        return self._outside(candidates, event.span)

    def _candidates(self, event: Event) -> list[Booking]:
        by_code = [booking for code in event.codes for booking in self._by_code.get(code, ())]
        if by_code:
            return by_code
        for names, bookings in self._by_tags:
            values = tuple(event.tags.get(name, "") for name in names)
            if values in bookings:
                return bookings[values]
        return []

    def _holds(self, booking: Booking, span: Span) -> bool:
        window = self._days[booking.name] if span.whole_days else booking.window
        return window.start_us <= span.start_us and span.end_us <= window.end_us

    def _outside(self, candidates: Sequence[Booking], span: Span) -> tuple[str, str]:
        touching, ended = [], []
        for booking in candidates:
            window = self._days[booking.name] if span.whole_days else booking.window
            if window.start_us < span.end_us and span.start_us < window.end_us:
                touching.append(booking)
            elif window.end_us <= span.start_us:
                ended.append(booking)
        if touching:
            words = f"its time is longer than the window of {_names(touching)}; export it by date"
            return "straddles", words
        if ended:
            last = max(ended, key=lambda booking: (booking.window.end_us, booking.name))
            return "late", f"it came after {last.name} was final ({_day(last.window.end_us)})"
        next_one = min(candidates, key=lambda booking: (booking.window.start_us, booking.name))
        return "early", f"it came before {next_one.name} began ({_day(next_one.window.start_us)})"


# ---------------------------------------------------------------- what an export can tell


class _Reach:
    """Of which bookings an export can tell."""

    def __init__(self, export: Export, covers: Span | None) -> None:
        self._carries = export.carries
        self.said = covers is not None or bool(export.covers)
        spans = [covers] if covers is not None else list(export.covers)
        if not self.said and export.events:
            first = min(event.span.start_us for event in export.events)
            last = max(event.span.end_us for event in export.events)
            spans = [Span(first, last)]
        self.pieces = _merged(spans)

    def holds(self, window: Span) -> bool:
        """Whether the whole window is covered."""
        return any(
            piece.start_us <= window.start_us and window.end_us <= piece.end_us
            for piece in self.pieces
        )

    def cannot_tell(self, booking: Booking) -> tuple[str, str] | None:
        """Why a booking without rows has no outcome, rather than one of 0; None where it has."""
        if not booking.keys:
            return "no_key", "the booking has neither code nor tag"
        by_tags = booking.tags and booking.tags.keys() <= self._carries
        if not by_tags and not (booking.code and "code" in self._carries):
            return "no_key", f"the export carries no {', '.join(sorted(booking.keys))}"
        window = booking.window
        touched = any(
            piece.start_us < window.end_us and window.start_us < piece.end_us
            for piece in self.pieces
        )
        if touched and (not self.said or self.holds(window)):
            return None
        return (
            "not_covered",
            f"its window ({_day(window.start_us)} to {_day(window.end_us)}) is not within the time "
            f"that the export covers ({self.words()}); --covers says what it does cover",
        )

    def words(self) -> str:
        """The time covered, in words."""
        spans = [f"{_day(piece.start_us)} to {_day(piece.end_us)}" for piece in self.pieces]
        return ", ".join(spans) or "nothing"


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch, as one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start_us <= merged[-1].end_us:
            end_us = max(merged[-1].end_us, span.end_us)
            merged[-1] = Span(merged[-1].start_us, end_us)
        else:
            merged.append(span)
    return merged


def _sum(events: Sequence[Event], export: Export) -> Outcome:
    def total(numbers: Iterable[Decimal | None]) -> Decimal:
        return sum((number for number in numbers if number is not None), Decimal(0))

    conversions = total(event.conversions for event in events)
    unknown = any(event.conversions and event.revenue is None for event in events)
    revenue = None
    if export.has_revenue and not unknown:
        revenue = float(total(event.revenue for event in events))
    clicks = total(event.clicks for event in events)
    return Outcome(
        # Attribution by a model gives fractions of a conversion; the contract counts whole ones.
        conversions=int(conversions.to_integral_value(ROUND_HALF_EVEN)),
        clicks=int(clicks.to_integral_value(ROUND_HALF_EVEN)) if export.has_clicks else None,
        revenue=revenue,
        rows=len(events),
    )


def _told(
    partly: Sequence[str],
    reach: _Reach,
    outcomes: Mapping[str, Outcome],
    mine: Mapping[str, Sequence[Event]],
) -> list[str]:
    lines = []
    if partly:
        source = "says it covers" if reach.said else "has rows of"
        lines.append(
            f"{len(partly):,} of {len(outcomes):,} bookings reach beyond the time that the export "
            f"{source} ({reach.words()}), so more may have come of them: {_cut(partly)}"
        )
    rounded = [
        name
        for name, events in mine.items()
        if (whole := sum((event.conversions for event in events), Decimal(0))) != int(whole)
    ]
    if rounded:
        lines.append(f"conversions were rounded to whole ones for {_cut(sorted(rounded))}")
    return lines


# ---------------------------------------------------------------- words


def _list(event: Event, reason: str, detail: str) -> Listed:
    return Listed(event.file, event.row, event.shown, reason, detail)


def _place(listed: Listed) -> tuple[str, int, str, str, str]:
    return (listed.file, listed.row, listed.reason, listed.value, listed.detail)


def _names(bookings: Iterable[Booking]) -> str:
    return _cut(sorted({booking.name for booking in bookings}))


def _cut(names: Sequence[str], at_most: int = 5) -> str:
    more = f" and {len(names) - at_most:,} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _day(moment_us: int) -> str:
    return f"{from_us(moment_us):%Y-%m-%d %H:%M}Z".replace(" 00:00Z", "")


def reasons(listed: Iterable[Listed]) -> Counter[str]:
    """How many rows were not counted, by reason."""
    return Counter(one.reason for one in listed)
