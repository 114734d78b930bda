"""Tables as they were found: raw columns with the file and row of each value, before any check.

Knows nothing of how a file is read (`table_files`, `sql`) nor of what is right (`table_rules`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schemas import Fault

# An Arrow array whose type is chosen at run time; Arrow's stubs know only types in the source.
ArrowArray: TypeAlias = Any

Positions = npt.NDArray[np.int64]

# A value in a message is cut here; the quarantine file carries it whole.
VALUE_SHOWN_CHARACTERS = 200


class Unusable(Exception):
    """The file as a whole cannot be used."""

    def __init__(self, kind: str, reason: str, row: int | None = None, value: str | None = None):
        self.kind, self.reason, self.row, self.value = kind, reason, row, value
        super().__init__(reason)


@dataclass(frozen=True)
class BadRow:
    """A row that could not be taken apart into columns.

    Attributes:
        fault: Where it stands and why.
        raw: The row as it stood in the file.
    """

    fault: Fault
    raw: str


@dataclass(frozen=True)
class RawPart:
    """What one file (or SQL table) held.

    Attributes:
        file: Its name, as faults name it.
        columns: By name, the contract's columns that were found, each ``(n_rows,)``: an Arrow
            array, or a list of Python values where a column may mix types (JSON, SQL).
        rows: ``(n_rows,)`` row number of each record, as `Fault.row` defines it.
        as_text: Every value is text as a person wrote it (CSV), so an empty one is missing.
        unknown: Columns that the contract does not name.
        faults: What is wrong with the file as a whole; then `columns` is not to be trusted.
        bad_rows: Rows that could not be taken apart, and are in no column.
        warnings: What is unusual, one sentence each.
    """

    file: str
    columns: Mapping[str, ArrowArray | list[Any]] = field(default_factory=dict)
    rows: Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    as_text: bool = False
    unknown: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """A table as it was found: its parts, in the order they are read."""

    name: str
    parts: tuple[RawPart, ...]

    @property
    def file(self) -> str:
        """The first file's name, or the table's where no file holds it."""
        return self.parts[0].file if self.parts else self.name

    @property
    def starts(self) -> Positions:
        """``(n_parts + 1,)`` position of each part's first row in the whole table, and the end."""
        return np.cumsum([0, *(len(part.rows) for part in self.parts)], dtype=np.int64)

    def at(self, position: int) -> tuple[RawPart, int]:
        """The part that holds a row of the whole table, and the row's place in it."""
        starts = self.starts
        index = int(np.searchsorted(starts, position, side="right")) - 1
        return self.parts[index], position - int(starts[index])

    def place(self, position: int) -> tuple[str, int]:
        """File and row number of a row of the whole table."""
        part, index = self.at(position)
        return part.file, int(part.rows[index])

    def value(self, position: int, column: str) -> Any:
        """The value as it was found, or None where the part has no such column."""
        part, index = self.at(position)
        return plain(part.columns[column], index) if column in part.columns else None


def plain(values: ArrowArray | Sequence[Any], index: int) -> Any:
    """One raw value as a Python value that JSON can hold; anything else as text."""
    value: Any = values[index]
    if isinstance(value, pa.Scalar):
        try:
            value = value.as_py()
        except (ValueError, OverflowError):  # a time that no calendar holds
            value = f"{value.type} {value.value}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def shown(value: Any) -> str | None:
    """A raw value as `Fault.value` shows it: text, cut where it is long; None where empty."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) <= VALUE_SHOWN_CHARACTERS:
        return text
    return text[:VALUE_SHOWN_CHARACTERS] + f"… ({len(text):,} characters)"
