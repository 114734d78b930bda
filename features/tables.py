"""Reads a data set's tables, checks them against the contract, and refuses or sets aside.

The public face of reading: `table_files` and `sql` take files and databases apart,
`table_values` reads values, `table_rules` knows what must hold, `table_faults` keeps the list,
`table_digest` says what they hold, `table_write` writes. Knows nothing of what the tables are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.schemas import (
    DEFAULT_RESOLVE_DAYS,
    KEYS,
    REQUIRED_TABLES,
    TABLES,
    Column,
    DataError,
    Fault,
    InvalidTables,
    Tables,
)
from features.sql import read_database
from features.table_digest import digest_of
from features.table_faults import Reason, TableFaults
from features.table_files import Folder, read_folder
from features.table_raw import ArrowArray, Positions, RawPart, RawTable
from features.table_rules import broken_rules, first_uses
from features.table_values import (
    ARROW_TYPES,
    TEXT_CHARACTERS_AT_MOST,
    read_values,
    to_arrow,
    why_wrong,
)
from features.table_write import FORMATS, write_tables

__all__ = [
    "FORMATS",
    "RawPart",
    "RawTable",
    "check_table",
    "check_tables",
    "finished",
    "read_tables",
    "write_tables",
]

OnInvalid = Literal["refuse", "quarantine"]

UNKNOWN_CREATOR = "no creator has this id, or its row is at fault; see table creators"
_NOT_NAMED_HERE = "the table is required and was not found"


def read_tables(
    source: str | Path,
    *,
    on_invalid: OnInvalid = "refuse",
    quarantine_dir: Path | None = None,
    but: Collection[str] = (),
) -> Tables:
    """Read a data set and check it against the contract.

    Args:
        source: A folder, or an SQL URL (anything with ``://`` in it). A table of a folder is
            ``NAME.parquet``, ``NAME.csv``, ``NAME.csv.gz``, ``NAME.jsonl``, ``NAME.jsonl.gz``, or
            a folder ``NAME/`` of such files at any depth, read in the order of their names. The
            names of folders inside carry no values.
        on_invalid: ``refuse`` raises when anything is at fault; ``quarantine`` sets rows at fault
            aside in ``quarantine_dir/NAME.jsonl`` and goes on with the rest.
        quarantine_dir: Where rows are set aside; made where it is missing, and an earlier
            ``NAME.jsonl`` in it is replaced, or removed when no row of that table is at fault.
        but: Tables of a folder that are left out: somebody else reads them (`read_part`).

    Raises:
        InvalidTables: The tables break the contract. With ``quarantine``, only faults of a whole
            file or table (a column missing, a wrong encoding, nothing left) still raise.
        DataError: The source cannot be read at all.
    """
    if isinstance(source, str) and "://" in source:
        found = Folder(read_database(source), (), ())
    else:
        folder = Path(source)
        if quarantine_dir is not None:
            _keep_apart(folder, quarantine_dir)
        found = read_folder(folder, [name for name in TABLES if name not in but])
    return check_tables(
        found.tables,
        on_invalid=on_invalid,
        quarantine_dir=quarantine_dir,
        faults=found.faults,
        warnings=found.warnings,
        but=but,
    )


def check_tables(
    raw: Mapping[str, RawTable],
    *,
    on_invalid: OnInvalid = "refuse",
    quarantine_dir: Path | None = None,
    faults: Sequence[Fault] = (),
    warnings: Sequence[str] = (),
    but: Collection[str] = (),
) -> Tables:
    """Check tables that were read: the part of `read_tables` that knows no files.

    Args:
        raw: The tables found, by name.
        on_invalid: As in `read_tables`.
        quarantine_dir: As in `read_tables`.
        faults: What kept other tables from being read.
        warnings: What was unusual so far.
        but: As in `read_tables`.

    Raises:
        InvalidTables: As in `read_tables`.
        ValueError: Rows shall be set aside, but no folder is named for them.
    """
    quarantine = on_invalid == "quarantine"
    if quarantine and quarantine_dir is None:
        raise ValueError("on_invalid='quarantine' needs a quarantine_dir")
    refused = list(faults)
    named = {fault.table for fault in refused}
    refused += [
        Fault(name, name, None, None, None, "missing_table", _NOT_NAMED_HERE)
        for name in REQUIRED_TABLES
        if name not in raw and name not in named and name not in but
    ]
    checked: dict[str, Checked] = {}
    creators: pd.Series | None = None
    for name in TABLES:
        if name not in raw:
            continue
        table = check_table(raw[name], creators)
        checked[name] = table
        if name == "creators" and table.usable:
            # Kept rows only, where rows are set aside: what hangs on one goes with it.
            creators = (table.kept() if quarantine else table.frame)["creator_id"].dropna()
    refused += [
        Fault(name, raw[name].file, None, None, None, "empty_table", "the table has no rows")
        for name, table in checked.items()
        if name in REQUIRED_TABLES and table.usable and table.is_empty(quarantine)
    ]
    _refuse(refused, checked, rows_too=not quarantine)
    frames = {
        name: finished(name, checked[name].kept() if name in checked else _no_rows(name))
        for name in TABLES
    }
    set_aside = {name: t.faults.set_aside() for name, t in checked.items() if t.faults.set_aside()}
    if quarantine_dir is not None and quarantine:
        _write_quarantine(checked, quarantine_dir)
    told = [
        *warnings,
        *(warning for table in checked.values() for warning in table.warnings),
    ]
    return Tables(
        **frames,
        digest=digest_of(frames),
        warnings=(*told, *(() if "posts" in but else _unusual(frames))),
        quarantined=set_aside,
        elsewhere=None,
    )


# ---------------------------------------------------------------- one table


@dataclass(frozen=True)
class Checked:
    """A table with its values read: ``frame`` is as `Tables` has it, but unsorted."""

    frame: pd.DataFrame
    faults: TableFaults
    warnings: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return not self.faults.whole_file

    def kept(self) -> pd.DataFrame:
        return self.frame.drop(index=pd.Index(self.faults.at_fault()))

    def is_empty(self, quarantine: bool) -> bool:
        if quarantine:
            return len(self.kept()) == 0
        return len(self.frame) == 0 and not self.faults.counts()


def check_table(
    raw: RawTable, creators: pd.Series | None, may_lack: Collection[str] = ()
) -> Checked:
    """Read one table's values and check its rules.

    Args:
        raw: The table as it was found.
        creators: Ids that there are; None: any creator will do.
        may_lack: Columns that may be empty all the same.
    """
    faults = TableFaults(raw)
    for part in raw.parts:
        faults.whole_file += _missing_columns(raw.name, part)
    warnings = _column_warnings(raw)
    if faults.whole_file:
        return Checked(_no_rows(raw.name), faults, warnings)
    frame = _read_frame(raw, faults)
    _check_rules(raw, frame, faults, may_lack)
    if raw.name != "creators" and creators is not None:
        strange = _absent(frame["creator_id"], creators)
        faults.add(
            "unknown_creator",
            "creator_id",
            np.flatnonzero(strange).astype(np.int64),
            _constant(UNKNOWN_CREATOR),
        )
    return Checked(frame, faults, warnings)


def _missing_columns(table: str, part: RawPart) -> list[Fault]:
    if part.faults or not (part.columns or part.unknown or len(part.rows)):
        return []  # nothing is known of its columns
    missing = [n for n, c in TABLES[table].items() if c.required and n not in part.columns]
    faults = []
    for name in missing:
        reason = "the column is required and is not there"
        near = [other for other in part.unknown if other.strip().lower() == name]
        if near:
            reason += f"; {near[0]!r} is, but the name is {name!r}"
        faults.append(Fault(table, part.file, None, name, None, "missing_column", reason))
    return faults


def _column_warnings(raw: RawTable) -> tuple[str, ...]:
    sound = [part for part in raw.parts if not part.faults]
    warnings = [warning for part in sound for warning in part.warnings]
    unknown = list(dict.fromkeys(name for part in sound for name in part.unknown))
    if unknown:
        warnings.append(f"{raw.name}: unknown columns were left out: {', '.join(unknown)}")
    for name, column in TABLES[raw.name].items():
        if column.expected and sound and not any(name in part.columns for part in sound):
            warnings.append(f"{raw.name}: there is no column {name}; it is taken as unknown")
    return tuple(warnings)


def _read_frame(raw: RawTable, faults: TableFaults) -> pd.DataFrame:
    """The table's values in their types, in the order found; null where at fault."""
    arrays: dict[str, ArrowArray] = {}
    for name, column in TABLES[raw.name].items():
        to = ARROW_TYPES[column.type]
        chunks = []
        for part, start in zip(raw.parts, raw.starts[:-1].tolist(), strict=True):
            if name not in part.columns:
                chunks.append(pa.nulls(len(part.rows), to))
                continue
            read = read_values(part.columns[name], name, column, part.as_text)
            chunks.append(read.values)
            for kind, positions in read.unreadable:
                faults.add(kind, name, positions + start, _why_unreadable(kind, column))
        arrays[name] = pa.chunked_array(chunks, to)
    return to_pandas(pa.table(arrays))


def _why_unreadable(kind: str, column: Column) -> Reason:
    def reason(_: int, value: Any) -> str:
        if kind == "too_long":
            return f"the text is longer than {TEXT_CHARACTERS_AT_MOST:,} characters; shorten it"
        if kind == "bad_character" and isinstance(value, str) and "\0" in value:
            return "the text holds a NUL character; take it out"
        if kind == "bad_character":
            return "an id has a blank at its start or end, or a character that cannot be seen"
        if kind == "out_of_range":
            return "the time lies outside the years 1970 to 2100"
        return why_wrong(value, column)

    return reason


def _check_rules(
    raw: RawTable, frame: pd.DataFrame, faults: TableFaults, may_lack: Collection[str]
) -> None:
    unreadable = {name: faults.at_fault(name) for name in TABLES[raw.name]}
    for kind, column, positions, text in broken_rules(raw.name, frame):
        if kind == "missing_value" and column in may_lack:
            continue
        reason = _constant(text)
        if kind == "missing_value":  # where a value is there but could not be read, that is said
            positions = np.setdiff1d(positions, unreadable[column])
        elif kind == "duplicate_key":
            reason = _first_used(text, raw, first_uses(raw.name, frame))
        faults.add(kind, column, positions, reason)


def _constant(text: str) -> Reason:
    return lambda _, __: text


def _first_used(text: str, raw: RawTable, first: Positions) -> Reason:
    def reason(position: int, _: Any) -> str:
        file, row = raw.place(int(first[position]))
        return f"{text}; first used in {file} row {row}"

    return reason


# ---------------------------------------------------------------- all tables


def _refuse(refused: list[Fault], checked: dict[str, Checked], rows_too: bool) -> None:
    """Raise if anything is at fault: files and tables, and rows too unless they are set aside."""
    shown = list(refused)
    counts = Counter((fault.table, fault.kind) for fault in refused)
    for table in checked.values():
        whole = table.faults.whole_file
        shown += table.faults.faults() if rows_too else whole
        counts.update(
            table.faults.counts() if rows_too else Counter((f.table, f.kind) for f in whole)
        )
    if shown:
        raise InvalidTables(shown, dict(counts))


def _keep_apart(source: Path, quarantine_dir: Path) -> None:
    """Rows set aside must never be written over the tables, nor be read as one."""
    inside = quarantine_dir.resolve()
    tables = {source.resolve() / name for name in TABLES}
    if inside == source.resolve() or tables & {inside, *inside.parents}:
        raise DataError(f"{quarantine_dir}: rows cannot be set aside among the tables themselves")


def _write_quarantine(checked: dict[str, Checked], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            path = folder / f"{name}.jsonl"
            if name in checked and checked[name].faults.set_aside():
                checked[name].faults.write_quarantine(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: rows cannot be set aside there: {error.strerror}") from None


def _unusual(frames: dict[str, pd.DataFrame]) -> list[str]:
    named = frames["sponsorships"]["post_id"].dropna()
    absent = int(_absent(named, frames["posts"]["post_id"]).sum())
    if not absent:
        return []
    return [f"sponsorships: {absent} of {len(named)} post_id are of no post in posts"]


# ---------------------------------------------------------------- frames


def _absent(ids: pd.Series, among: pd.Series) -> npt.NDArray[np.bool_]:
    """Which ids are there but not among others (pandas' own `isin` goes text by text)."""
    found: ArrowArray = pc.is_in(pa.array(ids), value_set=pa.array(among))
    return ids.notna().to_numpy() & ~np.asarray(found, dtype=np.bool_)


def _extension_type(kind: pa.DataType) -> pd.BooleanDtype | None:
    return pd.BooleanDtype() if pa.types.is_boolean(kind) else None


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame in the dtypes of `Tables`, of columns in `ARROW_TYPES`."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_extension_type)
    return frame


def _no_rows(table: str) -> pd.DataFrame:
    return to_pandas(
        pa.table({n: pa.array([], ARROW_TYPES[c.type]) for n, c in TABLES[table].items()})
    )


def finished(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame that was checked, with its defaults written, sorted by key (text by code point)."""
    keys = pa.table({name: to_arrow(frame[name]) for name in KEYS[table]})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in KEYS[table]])
    frame = frame.take(order.to_numpy()).reset_index(drop=True)
    for name, column in TABLES[table].items():
        if column.default is not None:
            frame[name] = frame[name].fillna(column.default)
    if table == "sponsorships":
        latest = frame["started_at"] + pd.Timedelta(days=DEFAULT_RESOLVE_DAYS)
        frame["resolved_at"] = frame["resolved_at"].fillna(latest.astype(frame["started_at"].dtype))
    return frame
