"""The plan of bookings: who was booked, from when until when, and by which code or tags.

A CSV, JSON lines or Parquet file with the contract's columns of `sponsorships` that are known
before anything came of them, and the keys `code`, `utm_content`, `utm_campaign`, `utm_source`.
Knows nothing of outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from features.schemas import DEFAULT_RESOLVE_DAYS, TABLES, DataError, Fault, InvalidTables
from features.table_raw import shown
from training.sources.columns import bare
from training.sources.events import KEYS, TAG_KEYS, Reading, Span, from_us, point, refuse
from training.sources.text_files import decode, read_bytes, read_sections
from training.sources.values import Unreadable, key, plain, read_amount, read_time, tags_of

NAME = "bookings"

# What an export measures; a booking cannot know it.
OUTCOMES = ("clicks", "conversions", "revenue")
COLUMNS = tuple(name for name in TABLES["sponsorships"] if name not in OUTCOMES)
_REQUIRED = ("sponsorship_id", "creator_id", "campaign_id", "brand", "brief", "started_at")
_TIMES = ("started_at", "resolved_at")
_NUMBERS = ("cost", "impressions")

_Record = dict[str, Any]


@dataclass(frozen=True)
class Booking:
    """One collaboration that was booked.

    Attributes:
        file: The file of bookings.
        row: Its row there, as `Fault.row` defines it.
        values: The contract's columns by name: texts, moments in UTC, numbers; None where unknown.
        window: From its start up to, not including, the moment its outcome was final.
        code: Its discount code, normalised, or nothing.
        tags: Its UTM values, normalised.
    """

    file: str
    row: int
    values: Mapping[str, Any]
    window: Span
    code: str
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its `sponsorship_id`."""
        return str(self.values["sponsorship_id"])

    @property
    def keys(self) -> frozenset[str]:
        """Which of `KEYS` it has."""
        return frozenset(self.tags) | ({"code"} if self.code else frozenset())


@dataclass(frozen=True)
class Bookings:
    """All bookings of a file, and what is worth knowing of it."""

    bookings: Sequence[Booking]
    told: Sequence[str] = ()


def read_bookings(path: Path, reading: Reading) -> Bookings:
    """Read a plan of bookings.

    A `resolved_at` that is a day alone is the end of that day; an empty one is 30 days after the
    start, as the contract has it.

    Raises:
        InvalidTables: A column is missing, or a value cannot be read; every fault is named.
        DataError: The file cannot be read at all, or holds no booking.
    """
    file = str(path)
    records, names = _records(path, reading)
    missing = [name for name in _REQUIRED if name not in names]
    reason = "the column is required and is not there"
    refuse(Fault(NAME, file, None, name, None, "missing_column", reason) for name in missing)
    if not names & set(KEYS):
        reason = f"bookings join by {', '.join(KEYS)}, and none of these columns is there"
        refuse([Fault(NAME, file, None, "code", None, "missing_column", reason)])
    faults: list[Fault] = []
    found: list[Booking] = []
    first: dict[str, int] = {}
    for row, record in records:
        booking = _booking(file, row, record, reading, faults)
        if booking is None:
            continue
        if booking.name in first:
            reason = f"the id must be unique; first used in row {first[booking.name]}"
            fault = (row, "sponsorship_id", shown(booking.name), "duplicate_key", reason)
            faults.append(Fault(NAME, file, *fault))
        first.setdefault(booking.name, row)
        found.append(booking)
    refuse(faults)
    if not found:
        raise DataError(f"{file}: there is no booking in it")
    told = []
    ignored = sorted(names - set(COLUMNS) - set(KEYS))
    if ignored:
        told.append(f"{file}: columns that were not used: {', '.join(ignored)}")
    keyless = sum(not booking.keys for booking in found)
    if keyless:
        told.append(
            f"{file}: {keyless:,} bookings have neither code nor tag, and nothing joins them"
        )
    return Bookings(found, told)


def _records(path: Path, reading: Reading) -> tuple[list[tuple[int, _Record]], set[str]]:
    """The file's rows by number, and the names of its columns."""
    if path.suffix == ".parquet":
        records = _parquet(path)
    elif path.suffix in (".jsonl", ".ndjson"):
        records = _jsonl(path, reading)
    else:
        text = _text(path, reading)
        (section,) = read_sections(text, str(path), NAME)
        refuse(section.faults)
        header = [_known(name) for name in section.header]
        for name in header:
            if name and header.count(name) > 1:
                reason = "the column stands there more than once; leave one"
                fault = (section.header_row, name, None, "duplicate_column", reason)
                refuse([Fault(NAME, str(path), *fault)])
        records = [(row, dict(zip(header, cells, strict=True))) for row, cells in section.rows]
        return records, {name for name in header if name}
    records = [(row, {_known(name): value for name, value in r.items()}) for row, r in records]
    return records, {name for _, record in records for name in record}


def _known(name: str) -> str:
    """The contract's name of a column, where letters' case or blanks alone differ."""
    return next((own for own in (*COLUMNS, *KEYS) if bare(own) == bare(name)), name.strip())


def _text(path: Path, reading: Reading) -> str:
    """The file's text; an encoding that was told is the export's, and may be the plan's too."""
    data = read_bytes(path, NAME)
    try:
        return decode(data, str(path), NAME, None)
    except InvalidTables:
        if reading.encoding is None:
            raise
        return decode(data, str(path), NAME, reading.encoding)


def _jsonl(path: Path, reading: Reading) -> list[tuple[int, _Record]]:
    text = _text(path, reading)
    records: list[tuple[int, _Record]] = []
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            record, reason = None, f"the line is not JSON ({error.msg})"
        else:
            reason = "the line is JSON but not an object {…}"
        if not isinstance(record, dict):
            refuse([Fault(NAME, str(path), row, None, shown(line), "bad_row", reason)])
        records.append((row, record))
    return records


def _parquet(path: Path) -> list[tuple[int, _Record]]:
    data = read_bytes(path, NAME)
    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as error:
        reason = f"the file is not Parquet, or is damaged ({str(error).splitlines()[0]})"
        refuse([Fault(NAME, str(path), None, None, None, "damaged_file", reason)])
        raise
    return list(enumerate(rows, start=1))


# ---------------------------------------------------------------- one booking


def _booking(
    file: str, row: int, record: _Record, reading: Reading, faults: list[Fault]
) -> Booking | None:
    """A row's booking, or None where anything in it is at fault."""
    before = len(faults)

    def fault(column: str, kind: str, reason: str) -> None:
        value = shown(_written(record.get(column)))
        faults.append(Fault(NAME, file, row, column, value, kind, reason))

    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for name in COLUMNS:
        raw = _written(record.get(name))
        values[name] = raw or None
        if not raw and name in _REQUIRED:
            fault(name, "missing_value", "a value is required here")
        if not raw:
            continue
        try:
            if name in _TIMES:
                spans[name] = read_time(raw, reading)
            elif name in _NUMBERS:
                values[name] = _number(record[name], raw, reading)
        except Unreadable as error:
            fault(name, error.kind, str(error))
    if len(faults) > before:
        return None
    start_us = spans["started_at"].start_us
    values["started_at"] = from_us(start_us)
    values["resolved_at"] = _resolved(spans)
    written = {name: _written(record.get(name)) for name in TAG_KEYS}
    end_us = point(values["resolved_at"]).start_us
    if end_us < start_us:
        fault("resolved_at", "resolved_before_start", "must not be before started_at")
        return None
    code = key(_written(record.get("code")))
    return Booking(file, row, values, Span(start_us, end_us), code, tags_of(written))


def _resolved(spans: Mapping[str, Span]) -> datetime:
    if "resolved_at" not in spans:
        return from_us(spans["started_at"].start_us) + timedelta(days=DEFAULT_RESOLVE_DAYS)
    resolved = spans["resolved_at"]
    return from_us(resolved.end_us if resolved.whole_days else resolved.start_us)


def _written(value: Any) -> str:
    """A raw value as text; nothing where there is none."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.strip() if isinstance(value, str) else str(value)


def _number(raw: Any, text: str, reading: Reading) -> float | int:
    if isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
        value = Decimal(str(raw))
        if not value.is_finite():
            raise Unreadable("wrong_type", "not a number; write it such as 1234.50")
    else:
        # What was told is the export's decimal mark: here it decides where nothing else does.
        told = None if reading.decimal == "auto" else reading.decimal
        value = read_amount(plain(text), usual=told).value
    return int(value) if value == value.to_integral_value() else float(value)
