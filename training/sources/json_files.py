"""Reads answers of a platform as they were saved: JSON, several in one file, or in folders.

Knows nothing of what an answer means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.schemas import DataError, Fault
from features.table_raw import shown
from training.sources.counts import read_count
from training.sources.events import Reading, from_us
from training.sources.observed import Gathering, Record
from training.sources.text_files import decode, read_bytes
from training.sources.values import Unreadable, plain, read_time

ENDINGS = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Answer:
    """One answer of a platform.

    Attributes:
        file: File as it was named on the command line.
        row: The line it begins at.
        value: The object.
        observed_at: When it was given: as someone said, or the file's own time.
    """

    file: str
    row: int
    value: Mapping[str, Any]
    observed_at: datetime


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and those of JSON in each folder at any depth, by name.

    Raises:
        DataError: A folder holds none, or there is no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in ENDINGS and p.is_file())
            if not inside:
                raise DataError(
                    f"{path}: the folder holds no file that ends in {', '.join(ENDINGS)}"
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path}: there is no such file")
    return list(dict.fromkeys(found))


def file_time(path: Path) -> datetime:
    """When a file was last written, in UTC, to the second."""
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def read_answers(
    path: Path, source: str, reading: Reading, observed_at: datetime | None, faults: list[Fault]
) -> list[Answer]:
    """The answers in a file: one, a list of them, or one after another.

    Args:
        path: The file.
        source: The source's name, for faults.
        reading: How text is read.
        observed_at: When they were given; the file's own time unless told.
        faults: Where what is no answer is noted.

    Raises:
        DataError: The file cannot be read at all.
        InvalidTables: It is empty, or no text.
    """
    file = str(path)
    text = decode(read_bytes(path, source), file, source, reading.encoding)
    at = observed_at or file_time(path)
    answers = []
    try:
        for row, value in _values(text):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    answers.append(Answer(file, row, each, at))
                else:
                    reason = "JSON, but not an object {…} as the platform answers"
                    faults.append(Fault(source, file, row, None, shown(each), "bad_row", reason))
    except json.JSONDecodeError as error:
        line = text.count("\n", 0, error.pos) + 1
        reason = f"the file is not JSON here ({error.msg}); was it cut off?"
        value = shown(text[error.pos : error.pos + 40].split("\n")[0])
        faults.append(Fault(source, file, line, None, value, "damaged_file", reason))
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number too long
        reason = f"the file is no answer of a platform ({error}); save the answer again"
        faults.append(Fault(source, file, None, None, None, "damaged_file", reason))
    return answers


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """The JSON values that stand one after another, each with the line it begins at."""
    decoder = json.JSONDecoder(strict=False)
    position, line = 0, 1
    while True:
        start = position
        while position < len(text) and text[position].isspace():
            position += 1
        line += text.count("\n", start, position)
        if position == len(text):
            return
        value, end = decoder.raw_decode(text, position)
        yield line, value
        line += text.count("\n", position, end)
        position = end


class Item:
    """One thing in an answer, its fields read by path; what cannot be read is noted.

    Args:
        gathering: Where records and faults go.
        file: The file.
        row: The item's number in the file.
        value: The thing itself.
        observed_at: When it was so.
    """

    def __init__(
        self,
        gathering: Gathering,
        file: str,
        row: int,
        value: Mapping[str, Any],
        observed_at: datetime,
    ) -> None:
        self.gathering, self.file, self.row, self.value = gathering, file, row, value
        self.observed_at = observed_at
        self.at_fault = False

    def raw(self, path: str) -> Any:
        """What stands at a path such as `snippet.title`, or None."""
        value: Any = self.value
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def text(self, path: str) -> str | None:
        """A text with its HTML entities read, or None where there is none."""
        value = self.raw(path)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.refuse(path, "wrong_type", "not a text")
            return None
        return clean(str(value)) or None

    def texts(self, path: str) -> list[str]:
        """A list of texts; none where there is no list."""
        value = self.raw(path)
        return [clean(t) for t in value if isinstance(t, str)] if isinstance(value, list) else []

    def count(self, path: str) -> int | None:
        """A count, written as a number or as text, or None where there is none."""
        value = self.raw(path)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return read_count(value)
            except Unreadable as error:
                self.refuse(path, error.kind, str(error))
                return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(path, "wrong_type", "not a count")
            return None
        if value < 0:
            self.refuse(path, "out_of_range", "a count is not below 0")
            return None
        return value

    def flag(self, path: str) -> bool | None:
        """True or false, or None where there is neither."""
        value = self.raw(path)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(path, "wrong_type", "not true or false")
        return None

    def time(self, path: str, reading: Reading) -> datetime | None:
        """A moment in UTC, written as ISO 8601 or in seconds since 1970, or None."""
        value = self.raw(path)
        if value is None:
            return None
        try:
            if isinstance(value, str) and value.isdecimal() and len(value) > 8:
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                return datetime.fromtimestamp(value, UTC)
            return from_us(read_time(str(value), reading).start_us)
        except Unreadable as error:
            self.refuse(path, error.kind, str(error))
            return None
        except (ValueError, OverflowError, OSError):
            self.refuse(path, "out_of_range", "no calendar has so many seconds since 1970")
            return None

    def refuse(self, path: str, kind: str, reason: str) -> None:
        """Note that something at a path cannot be used."""
        self.at_fault = True
        value = shown(self.raw(path))
        source = self.gathering.source
        self.gathering.faults.append(Fault(source, self.file, self.row, path, value, kind, reason))

    def add(
        self, table: str, values: Mapping[str, Any], otherwise: Mapping[str, Any] | None = None
    ) -> None:
        """Note a row, unless something of this item could not be read."""
        if not self.at_fault:
            place = (table, self.file, self.row)
            record = Record(*place, values, self.observed_at, otherwise or {})
            self.gathering.records.append(record)

    def add_account(self, platform: str, creator_id: str, values: Mapping[str, Any]) -> None:
        """Note a creator, and its followers of this moment where they are told."""
        key = {"creator_id": creator_id}
        self.add("creators", key | {"platform": platform} | dict(values))
        if values["follower_count"] is not None:
            followers = {"follower_count": values["follower_count"]}
            self.add("followers", key | {"observed_at": self.observed_at} | followers)


def clean(text: str) -> str:
    """A text as the tables take it: entities read, no NUL, line ends as one character.

    >>> clean("Rock &amp; roll\\r\\n")
    'Rock & roll'
    """
    text = plain(text.replace("\0", "").replace("\r\n", "\n"))
    # Half of an emoji, which JSON can hold and UTF-8 cannot.
    return text.encode("utf-8", "replace").decode("utf-8")
