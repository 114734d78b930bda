"""Writes tables in any of the formats that are read. Knows nothing of what must hold of them."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.schemas import TABLES, Tables
from features.table_values import ARROW_TYPES, to_arrow

Format = Literal["csv.gz", "csv", "parquet", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv.gz", "csv", "parquet", "jsonl")

_TYPES: dict[str, Any] = {**ARROW_TYPES, "integer": pa.int64()}


def write_tables(
    tables: Tables | Mapping[str, pd.DataFrame], folder: Path, format: Format = "csv.gz"
) -> None:
    """Write tables into a folder, one file each, so that reading them gives the same content.

    Columns come in the contract's order; those a frame does not have are left out, and so is an
    optional table with no rows. Each file is written beside its place and then moved there.

    Args:
        tables: What to write. A frame's columns must be of the contract, in its dtypes or any
            that convert without loss.
        folder: Where to; made where it is missing.
        format: The files' extension.

    Raises:
        ValueError: A frame has a column, or a value, that its table does not take.
        OSError: The folder cannot be written.
    """
    if isinstance(tables, Tables):
        tables = {name: getattr(tables, name) for name in TABLES}
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        table = _arrow_table(name, frame)
        if not table.num_rows and name not in ("creators", "posts"):
            continue
        path = folder / f"{name}.{format}"
        temporary = folder / f".{path.name}.{os.getpid()}.part"
        try:
            temporary.write_bytes(_bytes(table, format))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _arrow_table(name: str, frame: pd.DataFrame) -> pa.Table:
    known = TABLES[name]
    strange = [column for column in frame.columns if column not in known]
    if strange:
        raise ValueError(f"{name} has no column {', '.join(map(str, strange))}")
    columns = {
        column: to_arrow(frame[column]).cast(_TYPES[known[column].type])
        for column in known
        if column in frame.columns
    }
    return pa.table(columns)


def _bytes(table: pa.Table, format: Format) -> bytes:
    if format == "jsonl":
        return b"".join(orjson.dumps(record) + b"\n" for record in table.to_pylist())
    out = io.BytesIO()
    if format == "parquet":
        pq.write_table(table, out, compression="zstd")
        return out.getvalue()
    times = [f.name for f in table.schema if pa.types.is_timestamp(f.type)]
    for name in times:
        # Arrow's own form of a time in CSV has a blank in place of the T of ISO 8601.
        index = table.schema.get_field_index(name)
        iso = pc.strftime(table.column(name), format="%Y-%m-%dT%H:%M:%SZ")
        table = table.set_column(index, name, iso)
    # Every text is quoted, so that none is taken for two, whatever marks it holds.
    pacsv.write_csv(table, out, pacsv.WriteOptions(quoting_style="needed"))
    # No time in the gzip header: the same tables are the same bytes.
    return gzip.compress(out.getvalue(), mtime=0) if format == "csv.gz" else out.getvalue()
