"""Who does the work of a training on a cluster, and the files that steps leave for one another.

A file is written whole or not at all: whoever is killed in the middle is followed by another one
who does the same again. Files hold what a scheduler would otherwise send from process to process,
pickled as it would pickle it; they are read by the run that wrote them, and go with it.

Knows nothing of what is worked on, nor of Dask (`distributed_cluster`).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.stage import Grow

T = TypeVar("T")
R = TypeVar("R")


class Workers(Protocol):
    """Who does the work: a cluster (`distributed_cluster`), or a stand-in in tests."""

    @property
    def grow(self) -> Grow: ...

    @property
    def threads(self) -> int:
        """How many pieces of work are done at once."""
        ...

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Do work on every item; the place of each and what came of it, as they are done."""
        ...


def beside(path: Path) -> Path:
    """Where to write what shall stand at a path once it is whole: a name that nobody else has."""
    return path.with_name(f".{path.name}.{uuid4().hex}")


def dump(value: Any, path: Path) -> None:
    """Write a value, whole or not at all."""
    staging = beside(path)
    with staging.open("wb") as file:
        pickle.dump(value, file, protocol=5)
    staging.replace(path)


def load(path: Path) -> Any:
    """What `dump` wrote in this run."""
    return pickle.loads(path.read_bytes())


@lru_cache(maxsize=4)
def load_once(path: Path) -> Any:
    """What `dump` wrote and every part needs: read once by each worker."""
    return load(path)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as one batch, whole or not at all."""
    staging = beside(path)
    with pa.ipc.new_file(str(staging), table.schema) as out:
        out.write_table(table.combine_chunks())
    staging.replace(path)


def open_table(path: Path) -> pa.Table:
    """What `write_table` wrote, mapped into memory."""
    with pa.memory_map(str(path)) as mapped:
        return pa.ipc.open_file(mapped).read_all()


def save(array: NDArray[Any], path: Path) -> None:
    """Write an array as ``.npy``, whole or not at all."""
    staging = beside(path)
    with staging.open("wb") as file:
        np.save(file, array)
    staging.replace(path)
