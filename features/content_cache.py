"""What is made of a text alone, by the SHA-256 of the text, on disk (LMDB).

Knows nothing of what that is: vectors (`vector_cache`), what rules read (`readings`).
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TypeVar

import lmdb

from features.schemas import EncoderError

T = TypeVar("T")


class ContentCache:
    """Bytes by the SHA-256 of a text, on disk (LMDB).

    Safe to share between threads and processes; what was put is there after a crash. The file is
    opened for each batch and closed after it, so there is nothing to close and none to forget.

    Args:
        home: Where the product writes; the file lies in ``home/KIND/NAME``.
        name: Of what the bytes depend on beside the text: a digest.
    """

    KIND: ClassVar[str]

    _one_at_a_time = threading.Lock()  # LMDB: a process may have a file open once only
    _ROOM_BYTES = 64 << 20
    _ENTRY_BYTES = 128  # of LMDB's own, and of the key
    _ATTEMPTS = 10

    def __init__(self, home: Path, name: str) -> None:
        self.folder = home / self.KIND / name

    def get_bytes(self, texts: Sequence[str]) -> list[bytes | None]:
        """What is held of each text, None where nothing is."""
        if not (self.folder / "data.mdb").is_file():
            return [None] * len(texts)

        def read(transaction: lmdb.Transaction) -> list[bytes | None]:
            held = (transaction.get(_key(text)) for text in texts)
            return [None if value is None else bytes(value) for value in held]

        return self._run(read, room_bytes=0, write=False)

    def put_bytes(self, texts: Sequence[str], values: Iterable[bytes]) -> None:
        """Hold a value of each text, all of them or, after a crash, none."""
        held = list(values)

        def write(transaction: lmdb.Transaction) -> None:
            for text, value in zip(texts, held, strict=True):
                transaction.put(_key(text), value)

        self.folder.mkdir(parents=True, exist_ok=True)
        room = sum(len(value) + self._ENTRY_BYTES for value in held)
        self._run(write, room_bytes=4 * room + self._ROOM_BYTES, write=True)

    @classmethod
    def drop(cls, home: Path, texts: Sequence[str]) -> int:
        """Hold nothing of some texts any longer, in any file of the kind; returns what was held.

        The file is written anew without them, for LMDB leaves what it deletes in free pages. To
        be done while nothing else writes to the cache: what is put meanwhile may be lost.
        """
        with cls._one_at_a_time:
            return sum(_drop(folder, texts) for folder in _folders(home / cls.KIND))

    @classmethod
    def clear(cls, home: Path) -> int:
        """Hold nothing at all; returns how much was held."""
        count = 0
        with cls._one_at_a_time:
            for folder in _folders(home / cls.KIND):
                # What cannot be read is deleted all the same.
                with (
                    suppress(lmdb.Error),
                    lmdb.open(str(folder), readonly=True) as file,
                    file.begin() as transaction,
                ):
                    count += transaction.stat()["entries"]
                shutil.rmtree(folder)
        return count

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


def _folders(kind: Path) -> list[Path]:
    """Folders of the caches of a kind."""
    return sorted(path.parent for path in kind.glob("*/data.mdb"))


def _drop(folder: Path, texts: Sequence[str]) -> int:
    size = (folder / "data.mdb").stat().st_size
    keys = {_key(text) for text in texts}
    anew = folder.with_name(f".{folder.name}.anew")
    shutil.rmtree(anew, ignore_errors=True)
    try:
        with lmdb.open(str(folder), map_size=2 * size + ContentCache._ROOM_BYTES) as file:
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
