"""Says what a data set holds in one number: SHA-256 of its content, whatever its source.

Knows nothing of how tables are read or checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.schemas import TABLES

# Hashed before the content: a change of the way the digest is taken changes every digest.
_DIGEST_OF = b"creatorfit tables 1"


def digest_of(frames: Mapping[str, pd.DataFrame]) -> str:
    """SHA-256 of the content of frames that are sorted by key.

    For each table its name and number of rows, for each column its name and: text as the lengths
    in UTF-8 (-1: missing) and the bytes; numbers as float64, one NaN and one zero; booleans as
    one byte (-1: missing); times as microseconds since 1970; all little endian.
    """
    digest = hashlib.sha256(_DIGEST_OF)
    for table, columns in TABLES.items():
        frame = frames[table]
        digest.update(f"\n{table} {len(frame)}".encode())
        for name, column in columns.items():
            digest.update(f"\n{name} {column.type} ".encode())
            values = frame[name]
            if column.type == "text":
                _digest_text(digest, values)
            elif column.type == "boolean":
                digest.update(values.astype("Int8").fillna(-1).to_numpy(dtype="i1").tobytes())
            elif column.type == "time":
                digest.update(values.astype("int64").to_numpy().astype("<i8").tobytes())
            else:
                numbers = values.to_numpy(dtype="<f8") + 0.0  # -0.0 becomes 0.0
                numbers[np.isnan(numbers)] = np.nan
                digest.update(numbers.tobytes())
    return digest.hexdigest()


def _digest_text(digest: hashlib._Hash, values: pd.Series) -> None:
    array = pa.array(values).cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    lengths = pc.fill_null(pc.binary_length(array), -1)
    digest.update(np.asarray(lengths).astype("<i8").tobytes())
    array = pc.fill_null(array, "")
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    digest.update(memoryview(data)[int(ends[0]) : int(ends[-1])])
