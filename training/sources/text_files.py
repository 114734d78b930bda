"""Takes a table of text apart as spreadsheets and platforms write it, and tells rows by number.

Finds out the encoding and the separator, and passes over comment lines; where a file's quotes or
rows do not fit it says so. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.schemas import DataError, Fault
from features.table_raw import shown
from training.sources.events import refuse

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Section:
    """A header and the rows below it; most files hold one.

    Attributes:
        file: The file, as it was named on the command line.
        header: Names of the columns, without blanks around them.
        header_row: Its row number.
        rows: Row number (as `Fault.row`) and the row's cells, as many as the header's.
        faults: Rows that do not fit the header.
        comments: Comment lines above, without their mark.
        empty_rows: How many rows held nothing.
    """

    file: str
    header: tuple[str, ...]
    header_row: int
    rows: Sequence[tuple[int, list[str]]]
    faults: Sequence[Fault] = ()
    comments: tuple[str, ...] = ()
    empty_rows: int = 0


def read_bytes(path: Path, source: str) -> bytes:
    """A file's bytes.

    Raises:
        DataError: It cannot be read.
        InvalidTables: It holds nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
    if not data.removeprefix(_UTF8_BOM).strip():
        refuse([Fault(source, str(path), None, None, None, "empty_file", "the file is empty")])
    return data


def decode(data: bytes, file: str, source: str, encoding: str | None) -> str:
    """A file's text: UTF-8, or UTF-16 where its first bytes show it, or as told.

    Raises:
        DataError: No such encoding is known.
        InvalidTables: The bytes are no text in that encoding.
    """
    if encoding is None:
        encoding = "utf-8-sig"
        if data.startswith(_UTF16_BOMS):
            encoding = "utf-16"
        elif b"\0" in data[:2]:  # half of the first character, which names a column
            encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise DataError(f"--encoding {encoding}: no such encoding is known") from None
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        value = f"0x{data[error.start]:02X}"
        reason = (
            f"not {encoding.removesuffix('-sig').upper()} text; save the file as UTF-8, or say "
            "what it is, such as --encoding cp1252 for older Windows programs"
        )
        refuse([Fault(source, file, row, None, value, "wrong_encoding", reason)])
        raise AssertionError from error  # `refuse` has raised


def read_sections(
    text: str, file: str, source: str, comment: str | None = None
) -> tuple[Section, ...]:
    """The tables of one text: one, or with comments one after each block of comment lines.

    Args:
        text: The whole file.
        file: Its name, for faults.
        source: The source's name, for faults.
        comment: What a comment line begins with.

    Raises:
        InvalidTables: Its quotes do not pair, or it has no header.
    """
    text, separator = _separator(text, comment)
    lines = _Lines(text, comment)
    sections: list[_Open] = []
    comments: list[str] = []
    fresh = True
    row = 0
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for row, cells in enumerate(reader, start=1):
            if (said := lines.comments.pop(reader.line_num, None)) is not None:
                comments.append(said)
                fresh = True
            elif fresh and any(cell.strip() for cell in cells):
                sections.append(_Open(file, source, tuple(cells), row, tuple(comments)))
                comments, fresh = [], False
            elif sections and not fresh:
                sections[-1].add(row, cells)
    except csv.Error as error:
        reason = (
            f"the file cannot be taken apart here ({error}); put a field with separators or line "
            "ends in double quotes, and double each quote inside it"
        )
        refuse([Fault(source, file, row + 1, None, None, "bad_quotes", reason)])
    if not sections:
        reason = "no row names the columns"
        refuse([Fault(source, file, None, None, None, "empty_file", reason)])
    return tuple(section.close() for section in sections)


class _Open:
    """A section while it is read."""

    def __init__(
        self, file: str, source: str, header: tuple[str, ...], row: int, comments: tuple[str, ...]
    ) -> None:
        self.file, self.source, self.row, self.comments = file, source, row, comments
        self.header = tuple(name.strip() for name in header)
        self.rows: list[tuple[int, list[str]]] = []
        self.faults: list[Fault] = []
        self.empty_rows = 0

    def add(self, row: int, cells: list[str]) -> None:
        width = len(self.header)
        if not any(cell.strip() for cell in cells):
            self.empty_rows += 1
        elif len(cells) < width or any(cell.strip() for cell in cells[width:]):
            extent = "half a row" if len(cells) < width else "too long a row"
            reason = f"{extent}: {len(cells)} fields where the header has {width}"
            value = shown(" | ".join(cells))
            fault = Fault(self.source, self.file, row, None, value, "bad_row", reason)
            self.faults.append(fault)
        else:
            self.rows.append((row, cells[:width]))

    def close(self) -> Section:
        return Section(
            self.file,
            self.header,
            self.row,
            self.rows,
            self.faults,
            self.comments,
            self.empty_rows,
        )


class _Lines:
    """Lines for a CSV reader; a comment becomes an empty one, so that rows keep their numbers."""

    def __init__(self, text: str, comment: str | None) -> None:
        self.comments: dict[int, str] = {}
        self._text, self._comment = text, comment

    def __iter__(self) -> Iterator[str]:
        quotes = 0
        for number, line in enumerate(io.StringIO(self._text, newline=None), start=1):
            if self._comment and quotes % 2 == 0 and line.startswith(self._comment):
                self.comments[number] = line.removeprefix(self._comment).strip()
                yield "\n"
            else:
                quotes += line.count('"')
                yield line


def _separator(text: str, comment: str | None) -> tuple[str, str]:
    """The text and what separates its columns: that which parts its first row most often.

    A spreadsheet's own `sep=;` line is taken at its word, and emptied.
    """
    first = next(
        (
            line
            for line in io.StringIO(text, newline=None)
            if line.strip() and not (comment and line.startswith(comment))
        ),
        "",
    )
    said = first.strip().strip('"').lower()
    if said.startswith("sep=") and len(first.strip().strip('"')) == len("sep=") + 1:
        return text.replace(first.rstrip("\n"), "", 1), said[-1]
    if first.rstrip("\n").lower() == "sep=\t":
        return text.replace(first.rstrip("\n"), "", 1), "\t"
    # No header is so long: what it is cut off, whoever reads the rows refuses.
    first = first[: csv.field_size_limit()]
    fields = {mark: len(next(csv.reader([first], delimiter=mark))) for mark in _SEPARATORS}
    return text, max(_SEPARATORS, key=lambda mark: fields[mark])
