"""Takes a CSV file apart, strictly (RFC 4180): where other readers guess, it refuses.

Knows nothing of types, nor where the bytes come from; they are UTF-8 without a byte-order mark.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from features.schemas import TABLES, Fault
from features.table_raw import ArrowArray, BadRow, RawPart, Unusable, shown

# Arrow reads a CSV in blocks and no row may be longer than one. A row of the contract is at most
# a few texts of 100,000 characters of 4 bytes, so 64 MiB leaves room for unknown columns.
_BLOCK_BYTES = 64 * 2**20

_LINE_END = re.compile(rb"[\r\n]")
_QUOTE, _COMMA, _LINE_FEED, _CARRIAGE_RETURN = b'",\n\r'


def read_csv(data: bytes, file: str, table: str) -> RawPart:
    """Read a CSV file's bytes; every value is text, as it was written.

    Raises:
        Unusable: The file as a whole cannot be trusted: its quotes do not pair, its columns
            are not separated by commas, or their names do not tell them apart.
    """
    if data[-1] not in b"\r\n":
        data += b"\n"
    quotes = _check_quotes(data)
    invalid: list[pacsv.InvalidRow] = []

    def set_aside(row: pacsv.InvalidRow) -> Literal["skip"]:
        invalid.append(row)
        return "skip"

    fields_at_most = data[: _record_end(data, quotes)].count(b",") + 1
    source: Any = pa.BufferReader(data)  # Arrow's stubs know only Python's own files
    try:
        read = pacsv.read_csv(
            source,
            # One thread: rows are numbered only then.
            pacsv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK_BYTES,
                autogenerate_column_names=True,
            ),
            pacsv.ParseOptions(
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=set_aside,
            ),
            pacsv.ConvertOptions(
                column_types={f"f{i}": pa.large_string() for i in range(fields_at_most)},
                strings_can_be_null=False,
                check_utf8=False,  # `_utf8` has
            ),
        )
    except pa.ArrowInvalid as error:
        raise Unusable("damaged_file", f"the file cannot be read as CSV: {error}") from None
    fields = [column.combine_chunks() for column in read.columns]
    header = [field[0].as_py() for field in fields]
    _check_header(header)
    numbers = np.arange(1, read.num_rows + len(invalid) + 1, dtype=np.int64)
    numbers = np.delete(numbers, np.array([row.number for row in invalid], dtype=np.int64) - 1)
    rows, fields = numbers[1:], [field.slice(1) for field in fields]
    blank = _blank_rows(fields)
    warnings: tuple[str, ...] = ()
    if blank.any():
        warnings = (f"{file}: {int(blank.sum())} empty rows were passed over",)
        rows, fields = (
            rows[~blank],
            [field.filter(pa.array(~blank)) for field in fields],
        )
    return RawPart(
        file=file,
        columns={n: f for n, f in zip(header, fields, strict=True) if n in TABLES[table]},
        rows=rows,
        as_text=True,
        unknown=tuple(n for n in header if n not in TABLES[table]),
        bad_rows=tuple(_bad_csv_row(row, file, table) for row in invalid if row.text.strip()),
        warnings=warnings,
    )


def _check_quotes(data: bytes) -> npt.NDArray[np.int64]:
    """Positions of the quotes, proven to pair as RFC 4180 has it.

    Readers are lenient here, and a stray quote then swallows rows without a word. In a sound
    file every other quote opens: before it stands the start of a field (or, within a field, the
    quote it doubles), and behind each of the others the end of one.
    """
    values = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(values == _QUOTE).astype(np.int64)
    opening, closing = quotes[::2], quotes[1::2]
    edges = np.array([_COMMA, _LINE_FEED, _CARRIAGE_RETURN, _QUOTE], dtype=np.uint8)
    before = np.where(opening > 0, values[opening - 1], _COMMA)
    behind = values[closing + 1]  # there is one: the last byte is a line end
    wrong = np.concatenate([opening[~np.isin(before, edges)], closing[~np.isin(behind, edges)]])
    if len(wrong):
        at = int(wrong.min())
        reason = (
            "a double quote stands inside a field; put the whole field in double quotes "
            "and double each one inside it"
        )
    elif len(quotes) % 2:
        at = int(quotes[-1])
        reason = "a double quote opens here and never closes; the file may be cut short"
    else:
        return quotes
    end = data.find(b"\n", at)
    raise Unusable(
        "bad_quotes",
        reason,
        _row_at(values, quotes, at),
        shown(data[data.rfind(b"\n", 0, at) + 1 : end].decode("utf-8").rstrip("\r")),
    )


def _row_at(values: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], at: int) -> int:
    """Row number of a byte: line ends within quotes do not count."""
    returns = np.flatnonzero(values[:at] == _CARRIAGE_RETURN)
    lone = returns[values[returns + 1] != _LINE_FEED]
    ends = np.concatenate([np.flatnonzero(values[:at] == _LINE_FEED), lone])
    return int((np.searchsorted(quotes, ends) % 2 == 0).sum()) + 1


def _record_end(data: bytes, quotes: npt.NDArray[np.int64]) -> int:
    """Where the first record ends; the data end in a line end."""
    ends = (match.start() for match in _LINE_END.finditer(data))
    return next(at for at in ends if np.searchsorted(quotes, at) % 2 == 0)


def _check_header(header: list[str]) -> None:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        mark = next(mark for mark in ";\t|" if mark in header[0])
        reason = f"the columns are separated by {mark!r}; separate them by commas"
        raise Unusable("wrong_delimiter", reason, 1, shown(header[0]))
    for index, name in enumerate(header):
        if not name.strip():
            reason = f"column {index + 1} has no name; name it, or remove it"
            raise Unusable("unnamed_column", reason, 1)
        if name in header[:index]:
            reason = f"column {name!r} stands there more than once; leave one"
            raise Unusable("duplicate_column", reason, 1, shown(name))


def _blank_rows(fields: list[ArrowArray]) -> npt.NDArray[np.bool_]:
    blank = np.ones(len(fields[0]), dtype=bool)
    for field in fields:
        if not blank.any():
            break
        blank &= np.asarray(pc.equal(field, pa.scalar("", pa.large_string())))
    return blank


def _bad_csv_row(row: pacsv.InvalidRow, file: str, table: str) -> BadRow:
    extent = "half a row" if row.actual_columns < row.expected_columns else "too long a row"
    reason = (
        f"{extent}: {row.actual_columns} fields where the header has {row.expected_columns}; "
        "a field with a comma or a line end in it stands in double quotes"
    )
    fault = Fault(table, file, row.number, None, shown(row.text), "bad_row", reason)
    return BadRow(fault, row.text)
