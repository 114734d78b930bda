"""Reads the sheets of an Excel workbook as tables of text, as `text_files` reads CSV.

A number that is stored as a number keeps its meaning whatever the decimal mark of other cells.
Formulas count by the value that was last saved. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from features.schemas import DataError, Fault
from training.sources.events import Decimals, refuse
from training.sources.text_files import Section, read_bytes

ENDINGS = (".xlsx", ".xlsm")


def read_workbook(path: Path, source: str, decimal: Decimals) -> tuple[Section, ...]:
    """The sheets of a workbook that hold a header and rows.

    Args:
        path: The file.
        source: The source's name, for faults.
        decimal: The decimal mark that numbers will be read with.

    Raises:
        InvalidTables: It is no workbook, or no sheet holds a table.
        DataError: It cannot be read, or the library that reads it is not there.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(f"{path}: to read Excel files, install openpyxl, or save as CSV") from None
    data = read_bytes(path, source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions it drops
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = [(sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in book]
    except Exception as error:
        # openpyxl lets out whatever its parsers of XML and zip meet: syntax errors, type errors,
        # zlib's own (`benchmarks.fuzz_readers` saw nine kinds).
        reason = f"the file is no Excel workbook, or is damaged ({error})"
        refuse([Fault(source, str(path), None, None, None, "damaged_file", reason)])
        raise
    sections = [
        section
        for title, rows in sheets
        if (section := _section(f"{path}[{title}]", rows, decimal)) is not None
    ]
    if not sections:
        reason = "no sheet holds a row of names and a row of values"
        refuse([Fault(source, str(path), None, None, None, "empty_file", reason)])
    return tuple(sections)


def _section(file: str, rows: Sequence[Sequence[Any]], decimal: Decimals) -> Section | None:
    texts = [[_text(value, decimal) for value in row] for row in rows]
    filled = [number for number, cells in enumerate(texts, start=1) if any(cells)]
    if len(filled) < 2:
        return None
    head = filled[0]
    header = [name.strip() for name in texts[head - 1]]
    width = max(place for place, name in enumerate(header, start=1) if name)
    found = [
        (number, (cells + [""] * width)[:width])
        for number, cells in enumerate(texts[head:], start=head + 1)
        if any(cells)
    ]
    between = filled[-1] - head - len(found)
    return Section(file, tuple(header[:width]), head, found, empty_rows=between)


def _text(value: Any, decimal: Decimals) -> str:
    """A cell as text that is read back as what it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        midnight = value.time() == datetime.min.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        digits = f"{value:.10f}".rstrip("0")
        # Three digits after a mark may be thousands; a fourth says that they are not.
        digits += "0" if len(digits.partition(".")[2]) == 3 else ""
        return digits.replace(".", ",") if decimal == "comma" else digits
    return str(value).strip()
