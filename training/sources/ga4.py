"""Google Analytics 4: a report's CSV, or the BigQuery export's events as JSON lines.

A report's CSV has comment lines (`# `) with the property and the dates above its header, and may
hold several tables; those with a column for source, campaign or content are read. A row is a sum:
its sessions are clicks, its purchases or key events conversions. Knows nothing of bookings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from features.schemas import DataError, Fault
from training.sources.cells import Cells
from training.sources.columns import bare, find_columns, show_columns
from training.sources.events import (
    TAG_KEYS,
    Event,
    Export,
    Reading,
    Span,
    days,
    from_us,
    joined_exports,
    refuse,
)
from training.sources.ga4_events import read_events
from training.sources.text_files import Section, decode, read_bytes, read_sections
from training.sources.values import Unreadable, read_time, shown_tags, tags_of

NAME = "ga4"


def _scoped(*names: str) -> list[str]:
    """A dimension's names, of the session first, then as reports of other scopes have it."""
    scopes = ("session", "sessionmanual", "manual", "", "firstuser", "firstusermanual")
    return [scope + name for name in names for scope in scopes]


ALIASES = {
    "date": ["datehourYYYYMMDDHH".lower(), "datehour", "date", "day"],
    "source_medium": _scoped("sourcemedium"),
    "utm_source": _scoped("source"),
    "utm_campaign": _scoped("campaignname", "campaign"),
    "utm_content": _scoped("adcontent", "content"),
    "clicks": ["sessions"],
    "conversions": ["ecommercepurchases", "purchases", "transactions", "keyevents", "conversions"],
    "revenue": ["purchaserevenue", "totalrevenue", "revenue", "eventvalue"],
}
_TAG_COLUMNS = ("source_medium", *TAG_KEYS)
# Each splits one session over several rows, and sessions added up would count it again.
_SPLITTING = frozenset({"eventname", "keyeventname", "pagepath", "pagepathandscreenclass"})
_DECLARED = re.compile(r"(start|end) date:\s*(\d{4}-?\d{2}-?\d{2})", re.IGNORECASE)


def read_ga4(
    files: Sequence[Path],
    reading: Reading,
    show: Callable[[str], None],
    done: Callable[[int], None],
) -> Export:
    """Read reports and events; arguments and errors as in `codes.read_codes`.

    Raises:
        DataError: Reports and events are given together, which would count the same visits twice.
    """
    reports: list[tuple[str, str]] = []
    events: list[tuple[str, str]] = []
    for path in files:
        data = read_bytes(path, NAME)
        text = decode(data, str(path), NAME, reading.encoding)
        (events if text.lstrip().startswith("{") else reports).append((str(path), text))
        done(1)
    if reports and events:
        raise DataError(
            f"{reports[0][0]} is a report and {events[0][0]} holds events: import one or the "
            "other, for both count the same visits"
        )
    if events and reading.columns:
        raise DataError("--map names columns of a report; events have fields of their own")
    if events:
        return read_events(events, reading)
    return joined_exports([_read_report(file, text, reading, show) for file, text in reports])


def _read_report(file: str, text: str, reading: Reading, show: Callable[[str], None]) -> Export:
    sections = read_sections(text, file, NAME, comment="#")
    known = {alias for name in _TAG_COLUMNS for alias in ALIASES[name]}
    told = set(reading.columns.values())
    wanted = [s for s in sections if any(bare(h) in known or h in told for h in s.header)]
    if not wanted:
        reason = "no table in it has a column for source, campaign or content; add one as dimension"
        refuse([Fault(NAME, file, None, None, None, "missing_column", reason)])
    declared = _declared([c for section in sections for c in section.comments], reading)
    parts = [_read_section(section, declared, reading, show) for section in wanted]
    if len(sections) > len(wanted):
        show(f"{file}: {len(sections) - len(wanted)} tables without source or campaign not read")
    return joined_exports(parts)


def _declared(comments: Sequence[str], reading: Reading) -> Span | None:
    """The days a report says it covers."""
    found = {
        which.lower(): date for comment in comments for which, date in _DECLARED.findall(comment)
    }
    if len(found) < 2:
        return None
    try:
        first, last = (read_time(found[which], reading) for which in ("start", "end"))
    except Unreadable:
        return None
    return Span(first.start_us, last.end_us, whole_days=True)


def _read_section(
    section: Section, declared: Span | None, reading: Reading, show: Callable[[str], None]
) -> Export:
    splitting = [name for name in section.header if bare(name) in _SPLITTING]
    if splitting:
        reason = "splits a session over several rows; export the report without it"
        fault = (section.header_row, splitting[0], None, "bad_column", reason)
        refuse([Fault(NAME, section.file, *fault)])
    columns = find_columns(section, NAME, ALIASES, reading.columns, ("conversions",))
    show(show_columns(section, columns))
    if "date" not in columns and declared is None:
        reason = (
            "neither a column Date nor comment lines with start and end say when its rows came; "
            "export it by date"
        )
        refuse(
            [Fault(NAME, section.file, section.header_row, "Date", None, "missing_column", reason)]
        )
    cells = Cells(section, NAME, columns, reading, usual="point")
    events, totals = [], 0
    for _ in cells:
        if _is_total(cells):
            totals += 1
        elif event := _event(cells, columns, declared):
            events.append(event)
    tags = {name for name in TAG_KEYS if name in columns}
    return Export(
        events=events,
        faults=cells.faults,
        no_outcomes={"row of totals": totals, "empty": section.empty_rows},
        carries=frozenset(tags | ({"utm_source"} if "source_medium" in columns else set())),
        has_clicks="clicks" in columns,
        has_revenue="revenue" in columns,
        covers=() if declared is None else (declared,),
        told=cells.told(),
    )


def _is_total(cells: Cells) -> bool:
    """Explorations begin with a row of totals: no dimension in it, and `Grand total` at its end."""
    return not any(cells.text(name) for name in ("date", *_TAG_COLUMNS))


def _event(cells: Cells, columns: Mapping[str, int], declared: Span | None) -> Event | None:
    """The present row's sum, or None where it cannot be read."""
    before = len(cells.faults)
    span = cells.time("date") if "date" in columns else declared
    if span is None and len(cells.faults) == before:
        cells.refuse("date", "missing_value", "a row of a report by date needs its date")
    conversions, clicks = _number(cells, "conversions"), _number(cells, "clicks")
    revenue = cells.money("revenue")
    if revenue is not None and revenue < 0:
        cells.refuse("revenue", "out_of_range", "must be 0 or more")
    if span is None or conversions is None or len(cells.faults) > before:
        return None
    written = {name: cells.text(name) for name in TAG_KEYS}
    if not written["utm_source"]:
        written["utm_source"] = cells.text("source_medium").rpartition(" / ")[0]
    return Event(
        file=cells.section.file,
        row=cells.row,
        # A row by the hour or day is known to whole days; so is a row of the whole report.
        span=span
        if span.whole_days
        else days(from_us(span.start_us), from_us(span.start_us), cells.reading.zone),
        shown=shown_tags(written),
        tags=tags_of(written),
        conversions=conversions,
        clicks=clicks,
        revenue=revenue,
    )


def _number(cells: Cells, name: str) -> Decimal | None:
    """A count, 0 where the cell is empty; a share of credit may be no whole number."""
    found = cells.amount(name)
    if found is None:
        return Decimal(0)
    if found.value < 0 or found.currencies is not None:
        cells.refuse(name, "out_of_range", "must be a number of 0 or more")
        return None
    return found.value
