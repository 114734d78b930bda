"""Imports outcomes: reads an export and the bookings, joins them, and writes the table.

Knows nothing of any format; a source brings its own reader. Reads top to bottom.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from features.schemas import DataError, Fault
from training.sources.bookings import Booking, read_bookings
from training.sources.events import Export, Listed, Reading, Span, refuse
from training.sources.join import Outcome, join, reasons
from training.sources.write import Row, merge, outcomes_of, standing, still_needed, write

Read = Callable[[Sequence[Path], Reading, Callable[[str], None], Callable[[int], None]], Export]


class Reporter(Protocol):
    """Where steps and facts are told."""

    def step(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...

    def say(self, text: str) -> None: ...


@dataclass(frozen=True)
class Fetch:
    """What is to be fetched from a platform's own service.

    Attributes:
        channels: Ids (UC…) or handles (@…).
        api_key: The key; it is never told or written.
        quota: Units that may be spent in a day.
        videos: How many of each channel's latest videos.
        api_url: Where the service answers.
    """

    channels: Sequence[str]
    api_key: str = field(repr=False)
    quota: int
    videos: int
    api_url: str


@dataclass(frozen=True)
class Request:
    """What is to be imported, and how.

    Attributes:
        files: The export's files, or folders of them.
        out: Folder of tables to write into.
        bookings: File of bookings.
        reading: How values are read.
        covers: The time that the export covers, as someone said.
        on_invalid: Refuse everything where a row cannot be read, or list such rows and go on.
        dry_run: Say all, write nothing.
        observed_at: When what the files say was so; their own time unless told.
        table: Which table a spreadsheet holds.
        platform: Where a spreadsheet's creators are, where it does not say.
        fetch: What to fetch live, in place of files.
    """

    files: Sequence[Path]
    out: Path
    bookings: Path | None
    reading: Reading
    covers: Span | None = None
    on_invalid: Literal["refuse", "quarantine"] = "refuse"
    dry_run: bool = False
    observed_at: datetime | None = None
    table: str | None = None
    platform: str | None = None
    fetch: Fetch | None = None


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        outcomes: The sponsorships imported, each as one object of the contract's columns.
        rows: Rows of outcomes in the export.
        joined: How many of them were counted.
        listed: How many were not, by reason; each stands in `unjoined.csv`.
        no_outcomes: Rows that are no outcomes by their nature, by what they are.
        untold: Bookings without an outcome, by reason; each stands in `unjoined.csv`.
        added: Sponsorships that are new in the table.
        replaced: Sponsorships that were in it.
        still_needed: What `validate` will ask for beyond the rows' own types and ranges.
    """

    outcomes: Sequence[dict[str, Any]]
    rows: int
    joined: int
    listed: dict[str, int]
    no_outcomes: dict[str, int]
    untold: dict[str, int]
    added: int
    replaced: int
    still_needed: Sequence[str]


def import_outcomes(request: Request, read: Read, report: Reporter) -> Imported:
    """Import what came of bookings.

    Args:
        request: What, and how.
        read: The source's reader.
        report: Where steps and facts are told.

    Raises:
        InvalidTables: Rows cannot be read, or break the contract; nothing was written.
        DataError: A file cannot be read, or the folder not be written.
    """
    if request.bookings is None:
        raise DataError(
            "--bookings FILE is needed: outcomes are joined to who was booked, and when"
        )
    if not request.files:
        raise DataError("name the files that the shop or the analytics exported")
    stands = standing(request.out)
    plan = read_bookings(request.bookings, request.reading)
    files = _distinct(request.files, report)
    with report.step("Reading exports", len(files)) as done:
        export = read(files, request.reading, report.say, done)
    for line in (*plan.told, *export.told):
        report.say(line)
    unreadable = _unreadable(export.faults)
    if request.on_invalid == "refuse":
        refuse(export.faults)
    with report.step("Joining", len(export.events)) as done:
        found = join(export, plan.bookings, request.reading.zone, request.covers, done)
    for line in found.told:
        report.say(line)
    rows = _rows(plan.bookings, found.outcomes)
    measured = ["conversions"]
    measured += ["clicks"] * export.has_clicks + ["revenue"] * export.has_revenue
    merged = merge(rows, str(request.bookings), measured, stands)
    if merged.unclicked:
        report.say(
            f"clicks of {len(merged.unclicked):,} sponsorships were emptied, for more conversions "
            f"came than clicks: {', '.join(merged.unclicked[:5])}"
        )
    listed = [*found.listed, *unreadable]
    if not request.dry_run:
        with report.step("Writing", 1) as done:
            write(request.out, merged, [*listed, *found.untold], stands)
            done(1)
    imported = Imported(
        outcomes=outcomes_of(merged),
        rows=len(export.events) + len(unreadable),
        joined=sum(outcome.rows for outcome in found.outcomes.values()),
        listed=_by_count(reasons(listed)),
        no_outcomes=_by_count(Counter(export.no_outcomes)),
        untold=_by_count(reasons(found.untold)),
        added=len(merged.added),
        replaced=len(merged.replaced),
        still_needed=still_needed(merged, stands),
    )
    _tell(request, imported, report)
    return imported


def _tell(request: Request, done: Imported, report: Reporter) -> None:
    report.say(f"{done.rows:,} rows of outcomes: {done.joined:,} joined{_counts(done.listed)}")
    if done.no_outcomes:
        report.say(f"rows that are no outcomes{_counts(done.no_outcomes)}")
    if done.untold:
        count = sum(done.untold.values())
        report.say(f"{count:,} bookings got no outcome{_counts(done.untold)}")
    if request.dry_run:
        report.say("a dry run: nothing was written")
    else:
        report.say(
            f"{request.out}: {done.added:,} sponsorships added, {done.replaced:,} replaced; what "
            f"did not join is listed in {request.out / 'unjoined.csv'}"
        )
    if done.still_needed:
        report.say(f"for `validate` there is still needed: {'; '.join(done.still_needed)}")


def _distinct(files: Sequence[Path], report: Reporter) -> list[Path]:
    """The files without those whose bytes another has; a download done twice counts once."""
    seen: dict[str, Path] = {}
    for path in files:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
        if digest in seen:
            report.say(f"{path} holds the same as {seen[digest]} and was not read again")
        seen.setdefault(digest, path)
    return list(seen.values())


def _unreadable(faults: Sequence[Fault]) -> list[Listed]:
    """Rows at fault as rows that were not counted, one entry each."""
    by_row: dict[tuple[str, int], list[Fault]] = {}
    for fault in faults:
        by_row.setdefault((fault.file, fault.row or 0), []).append(fault)
    return [
        Listed(
            file,
            row,
            found[0].value or "",
            "unreadable",
            "; ".join(f"{fault.column or 'row'}: {fault.reason}" for fault in found),
        )
        for (file, row), found in sorted(by_row.items())
    ]


def _rows(bookings: Sequence[Booking], outcomes: Mapping[str, Outcome]) -> list[Row]:
    rows = []
    for booking in bookings:
        if (outcome := outcomes.get(booking.name)) is not None:
            measured = {
                "conversions": outcome.conversions,
                "clicks": outcome.clicks,
                "revenue": outcome.revenue,
            }
            rows.append(Row(booking.row, {**booking.values, **measured}))
    return rows


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.most_common() if count}


def _counts(counts: dict[str, int]) -> str:
    return "".join(f", {count:,} {name}" for name, count in counts.items())
