"""Reads a folder's files into raw tables: CSV, JSON lines, Parquet, single or in partitions.

Knows nothing of types, ranges or keys; it finds only what keeps a file from being taken apart:
a wrong encoding, damage, quotes that don't pair, rows with too many or too few fields.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from features.schemas import REQUIRED_TABLES, TABLES, DataError, Fault
from features.table_csv import read_csv
from features.table_raw import BadRow, RawPart, RawTable, Unusable, shown

EXTENSIONS = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
_EXPECTED = "NAME.parquet, NAME.csv, NAME.csv.gz or NAME.jsonl"

_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


# How alike a file's name must be to a table's to be taken for a slip: sponsorship, post, Creators.
NAMES_ALIKE = 0.85


@dataclass(frozen=True)
class Folder:
    """What a folder held.

    Attributes:
        tables: The tables found, by name.
        faults: Tables that stand there twice, or that are required and only seem to be there.
        warnings: Files that may be meant as an optional table but are not named as one.
    """

    tables: dict[str, RawTable]
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """Where the tables of a folder lie.

    Attributes:
        files: The files of each table that was found, in the order they are read.
        faults, warnings: As in `Folder`.
    """

    files: dict[str, list[Path]]
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def read_folder(folder: Path, names: Collection[str] = tuple(TABLES)) -> Folder:
    """Read the tables of the contract that a folder holds; other files are ignored.

    Args:
        folder: Where they lie.
        names: The tables to look for; all of them unless told.

    Raises:
        DataError: There is no such folder, or it cannot be listed.
    """
    found = find_tables(folder, names)
    tables = {
        name: RawTable(name, tuple(read_part(folder, path, name) for path in files))
        for name, files in found.files.items()
    }
    return Folder(tables, found.faults, found.warnings)


def find_tables(folder: Path, names: Collection[str] = tuple(TABLES)) -> Found:
    """Find the files of tables without reading them; arguments as for `read_folder`.

    Raises:
        DataError: There is no such folder, or it cannot be listed.
    """
    try:
        entries = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        raise DataError(f"{folder}: no such folder") from None
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; name the folder that holds the tables") from None
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from None
    tables: dict[str, list[Path]] = {}
    faults: list[Fault] = []
    warnings: list[str] = []
    for name in names:
        found = [entry for entry in entries if _is_table(folder, entry, name)]
        files = _files(folder / found[0]) if len(found) == 1 else []
        twice = found if len(found) > 1 else _twins(files)
        if twice:
            reason = f"the table stands there more than once ({', '.join(twice)}); leave one"
            faults.append(Fault(name, twice[0], None, None, None, "ambiguous", reason))
        elif found:
            tables[name] = files
        else:
            stems = {entry: entry.lower().split(".")[0] for entry in entries}
            meant = [
                entry
                for entry, stem in stems.items()
                if get_close_matches(stem, [name], 1, NAMES_ALIKE)
            ]
            reason = f"not read, for it is not named {_EXPECTED.replace('NAME', name)}"
            if meant and name in REQUIRED_TABLES:
                faults.append(Fault(name, meant[0], None, None, None, "missing_table", reason))
            elif meant:
                warnings.append(f"{meant[0]}: {reason}")
    return Found(tables, tuple(faults), tuple(warnings))


def _is_table(folder: Path, entry: str, name: str) -> bool:
    if entry == name:
        return (folder / entry).is_dir()
    return entry.removeprefix(name) in EXTENSIONS and entry.startswith(name)


def _files(path: Path) -> list[Path]:
    """The files of a table, by name; what begins with . or _ is a tool's own mark."""
    if path.is_file():
        return [path]
    inside = [
        file
        for file in path.rglob("*")
        if file.name.endswith(EXTENSIONS)
        and file.is_file()
        and not any(step.startswith((".", "_")) for step in file.relative_to(path).parts)
    ]
    return sorted(inside, key=lambda file: file.relative_to(path).as_posix())


def _twins(files: Iterable[Path]) -> list[str]:
    """Names of the first two files that differ only in their format."""
    seen: dict[tuple[Path, str], Path] = {}
    for file in files:
        ending = max((e for e in EXTENSIONS if file.name.endswith(e)), key=len)
        stem = file.name.removesuffix(ending)
        if (file.parent, stem) in seen:
            return [seen[file.parent, stem].name, file.name]
        seen[file.parent, stem] = file
    return []


def read_part(folder: Path, path: Path, table: str) -> RawPart:
    """Read one file of a table of a folder; what keeps it from being taken apart is in `faults`."""
    file = path.relative_to(folder).as_posix()
    try:
        data = _bytes(path)
        if path.name.endswith(".parquet"):
            return _read_parquet(data, file, table)
        text = _utf8(data)
        return (
            read_csv(text, file, table) if ".csv" in path.name else _read_jsonl(text, file, table)
        )
    except Unusable as error:
        fault = Fault(table, file, error.row, None, error.value, error.kind, error.reason)
        return RawPart(file, faults=(fault,))


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz") and data:
            data = gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        reason = f"the gzip file is damaged or cut short ({error}); write or copy it again"
        raise Unusable("damaged_file", reason) from None
    except OSError as error:
        raise Unusable("damaged_file", f"the file cannot be read: {error.strerror}") from None
    if not data.removeprefix(_BOM):
        raise Unusable("empty_file", "the file has no bytes; write it again, or remove it")
    return data


# ---------------------------------------------------------------- text


def _utf8(data: bytes) -> bytes:
    """The bytes without their byte-order mark, proven to be UTF-8 text."""
    if data.startswith(_UTF16_BOMS):
        reason = "the file is UTF-16; save it as UTF-8 (a spreadsheet calls it CSV UTF-8)"
        raise Unusable("wrong_encoding", reason, 1, f"0x{data[0]:02X} 0x{data[1]:02X}")
    data = data.removeprefix(_BOM)
    try:
        ends = pa.py_buffer(np.array([0, len(data)], dtype=np.int64).tobytes())
        whole = pa.Array.from_buffers(pa.large_utf8(), 1, [None, ends, pa.py_buffer(data)])
        whole.validate(full=True)
    except pa.ArrowInvalid:
        raise _not_utf8(data) from None
    first_line = data.split(b"\n", 1)[0]
    if b"\0" in first_line:
        reason = "the first line holds NUL bytes, as UTF-16 does; save the file as UTF-8"
        raise Unusable("wrong_encoding", reason, 1, "0x00")
    return data


def _not_utf8(data: bytes) -> Unusable:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    line = data.count(b"\n", 0, at) + 1
    column = at - data.rfind(b"\n", 0, at)
    byte = f"0x{data[at]:02X}"
    reason = (
        f"byte {byte} at line {line}, byte {column} of the line, is not UTF-8; "
        "save the file as UTF-8 (a spreadsheet calls it CSV UTF-8)"
    )
    return Unusable("wrong_encoding", reason, line, byte)


# ---------------------------------------------------------------- JSON lines


def _read_jsonl(data: bytes, file: str, table: str) -> RawPart:
    known = TABLES[table]
    columns: dict[str, list[Any]] = {}
    unknown: dict[str, None] = {}
    rows: list[int] = []
    bad: list[BadRow] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
            reason = "" if isinstance(record, dict) else "the line is JSON but not an object {…}"
        except orjson.JSONDecodeError as error:
            reason = f"the line is not JSON ({error.msg}); write one object {{…}} a line"
        if reason:
            raw = line.decode("utf-8")
            bad.append(BadRow(Fault(table, file, number, None, shown(raw), "bad_row", reason), raw))
            continue
        for name in record:
            if name not in known:
                unknown[name] = None
            elif name not in columns:
                columns[name] = [None] * len(rows)
        for name, values in columns.items():
            values.append(record.get(name))
        rows.append(number)
    return RawPart(
        file=file,
        columns=columns,
        rows=np.array(rows, dtype=np.int64),
        unknown=tuple(unknown),
        bad_rows=tuple(bad),
    )


# ---------------------------------------------------------------- Parquet


def _read_parquet(data: bytes, file: str, table: str) -> RawPart:
    try:
        names = pq.read_schema(pa.BufferReader(data)).names
        known = [name for name in TABLES[table] if name in names]
        for name in known:
            if names.count(name) > 1:
                reason = f"column {name!r} stands there more than once; leave one"
                raise Unusable("duplicate_column", reason, value=name)
        read = pq.ParquetFile(pa.BufferReader(data)).read(columns=known)
        read.validate(full=True)  # that texts are UTF-8, which Parquet does not make sure of
        columns = {name: read.column(name).combine_chunks() for name in known}
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"the file is not Parquet, or is damaged ({first}); write it again"
        raise Unusable("damaged_file", reason) from None
    return RawPart(
        file=file,
        columns=columns,
        rows=np.arange(1, read.num_rows + 1, dtype=np.int64),
        unknown=tuple(name for name in names if name not in known),
    )
