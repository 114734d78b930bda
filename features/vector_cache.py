"""Vectors by the SHA-256 of their text, for one encoder, on disk.

Knows nothing of how a vector is made.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import lmdb
import numpy as np

from features.encoders import Encoder
from features.schemas import EncoderError
from features.vectors import Vectors

T = TypeVar("T")

STORED = np.dtype("<f2")  # holds the vectors' grid without loss, in half the room


class VectorCache:
    """Vectors by the SHA-256 of their text, for one encoder, on disk (LMDB).

    Safe to share between threads and processes; what was put is there after a crash. The file is
    opened for each batch and closed after it, so there is nothing to close and none to forget.

    Args:
        home: Where the product writes; vectors lie in ``home/vectors/DIGEST``.
        encoder: Whose vectors.
    """

    _one_at_a_time = threading.Lock()  # LMDB: a process may have a file open once only
    _ROOM_BYTES = 64 << 20
    _ATTEMPTS = 10

    def __init__(self, home: Path, encoder: Encoder) -> None:
        self.folder = home / "vectors" / encoder.digest
        self.dim = encoder.dim

    def get(self, texts: Sequence[str]) -> list[Vectors | None]:
        """The vector ``(dim,)`` of each text, None where it is not held."""
        if not (self.folder / "data.mdb").is_file():
            return [None] * len(texts)

        def read(transaction: lmdb.Transaction) -> list[Vectors | None]:
            return [self._vector(transaction.get(_key(text))) for text in texts]

        return self._run(read, room_bytes=0, write=False)

    def put(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Hold the vectors ``(n, dim)`` of texts, all of them or, after a crash, none."""
        rows = np.ascontiguousarray(vectors, dtype=STORED)

        def write(transaction: lmdb.Transaction) -> None:
            for text, row in zip(texts, rows, strict=True):
                transaction.put(_key(text), row.tobytes())

        self.folder.mkdir(parents=True, exist_ok=True)
        self._run(write, room_bytes=4 * rows.nbytes + self._ROOM_BYTES, write=True)

    @staticmethod
    def drop(home: Path, texts: Sequence[str]) -> int:
        """Hold the vectors of some texts no longer, of any encoder; returns how many were held.

        The file is written anew without them, for LMDB leaves what it deletes in free pages. To
        be done while nothing else writes to the cache: what is put meanwhile may be lost.
        """
        with VectorCache._one_at_a_time:
            return sum(_drop(folder, texts) for folder in _folders(home))

    @staticmethod
    def clear(home: Path) -> int:
        """Hold no vector at all; returns how many were held."""
        count = 0
        with VectorCache._one_at_a_time:
            for folder in _folders(home):
                # What cannot be read is deleted all the same.
                with (
                    suppress(lmdb.Error),
                    lmdb.open(str(folder), readonly=True) as file,
                    file.begin() as transaction,
                ):
                    count += transaction.stat()["entries"]
                shutil.rmtree(folder)
        return count

    def _vector(self, value: bytes | memoryview | None) -> Vectors | None:
        if value is None or len(value) != STORED.itemsize * self.dim:
            return None
        return np.frombuffer(value, dtype=STORED).astype(np.float32)

    def _run(self, work: Callable[[lmdb.Transaction], T], room_bytes: int, write: bool) -> T:
        """Do `work` in one transaction on the file, with room for so many bytes more."""
        for _ in range(self._ATTEMPTS):
            data = self.folder / "data.mdb"
            size = data.stat().st_size if data.is_file() else 0
            map_size = ((size + room_bytes) // self._ROOM_BYTES + 1) * self._ROOM_BYTES
            try:
                with (
                    self._one_at_a_time,
                    lmdb.open(str(self.folder), map_size=map_size, readahead=False) as file,
                    file.begin(write=write) as transaction,
                ):
                    return work(transaction)
            except (lmdb.MapResizedError, lmdb.MapFullError):
                continue  # another process made the file grow meanwhile: open it at its new size
            except lmdb.Error as error:
                raise EncoderError(
                    f"the cache {self.folder} cannot be used ({error}); it may be deleted"
                ) from error
        raise EncoderError(f"the cache {self.folder} is too busy: others keep writing to it")


def _folders(home: Path) -> list[Path]:
    """Folders of caches, one for each encoder."""
    return sorted(path.parent for path in (home / "vectors").glob("*/data.mdb"))


def _drop(folder: Path, texts: Sequence[str]) -> int:
    size = (folder / "data.mdb").stat().st_size
    keys = {_key(text) for text in texts}
    anew = folder.with_name(f".{folder.name}.anew")
    shutil.rmtree(anew, ignore_errors=True)
    try:
        with lmdb.open(str(folder), map_size=2 * size + VectorCache._ROOM_BYTES) as file:
            with file.begin(write=True) as transaction:
                count = sum(transaction.delete(key) for key in keys)
            if count:
                anew.mkdir()
                file.copy(str(anew), compact=True)
        if count:
            (anew / "data.mdb").replace(folder / "data.mdb")
            (folder / "lock.mdb").unlink(missing_ok=True)
    except lmdb.Error as error:
        told = f"the cache {folder} cannot be used ({error}); it may be deleted"
        raise EncoderError(told) from error
    finally:
        shutil.rmtree(anew, ignore_errors=True)
    return count


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
