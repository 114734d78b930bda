"""Files of posts: read, checked and sorted by creator on the workers, file by file.

Sorted files are what a partition by creator is cut from: whoever wants the posts of a range of
creators finds them in each file as one run. Knows nothing of what is computed from posts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.forgotten import read_forgotten
from features.schemas import FAULTS_SHOWN, TABLES, Fault, InvalidTables
from features.table_files import find_tables, read_part
from features.table_raw import RawTable
from features.table_values import ARROW_TYPES, to_arrow
from features.tables import check_table
from features.windows import Ints
from training.distributed_work import Workers, open_table, save, write_table

POSTS = "posts"
# One creator's id of so many posts tells where ranges of creators are cut: of a part's posts, half
# a hundredth.
SAMPLE_EVERY = 250
NO_POST = int(np.iinfo(np.int64).max)

Keys = NDArray[np.uint64]
Counts = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Sorted:
    """The posts of all files, sorted by creator in each.

    Attributes:
        folder: Where they lie.
        files: Names of the files they were, as faults name them.
        read: What each held.
    """

    folder: Path
    files: tuple[str, ...]
    read: tuple[ReadFile, ...]

    @property
    def count(self) -> int:
        return sum(one.count for one in self.read)

    @property
    def first_us(self) -> int:
        return min(one.first_us for one in self.read)

    @property
    def last_us(self) -> int:
        return max(one.last_us for one in self.read)

    @property
    def digest(self) -> str:
        """Of the content: the same for the same posts in any files and order."""
        return f"{sum(one.digest for one in self.read) % 2**64:016x}"

    def files_alone(self) -> Sorted:
        """The same without what each held, which no worker needs."""
        return replace(self, read=())

    def bounds(self, posts: int) -> list[str]:
        """Ids of creators, ascending, with about so many posts between each and the next."""
        sample = sorted(one for read in self.read for one in read.sample)
        return sample[:: max(posts // SAMPLE_EVERY, 1)][1:]

    def between(self, first_id: str | None, past_id: str | None) -> tuple[pa.Table, Ints]:
        """Posts of creators from one id to before another, and the number of each one's file."""
        tables = []
        for number in range(len(self.files)):
            table = open_table(sorted_file(self.folder, number))
            start = 0 if first_id is None else _place(table["creator_id"], first_id)
            stop = len(table) if past_id is None else _place(table["creator_id"], past_id)
            tables.append(table.slice(start, stop - start))
        number_of = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        return pa.concat_tables(tables).combine_chunks(), number_of


def _place(ids: Any, bound: str) -> int:
    """Where the first id not before a bound stands in a column of ids, ascending."""
    return bisect_left(range(len(ids)), bound, key=lambda row: ids[row].as_py())


def read_posts(workers: Workers, source: Path, home: Path, out: Path) -> Sorted:
    """Read and check the posts of a data set, and write them sorted.

    Args:
        workers: Who reads, a file each at a time.
        source: Folder of the tables.
        home: Whose list of forgotten creators counts.
        out: Folder for the sorted files; made here.

    Raises:
        InvalidTables: They break the contract. Whether their creators are known is not asked.
    """
    found = find_tables(source, (POSTS,))
    if found.faults or POSTS not in found.files:
        missing = _of_the_table(POSTS, "missing_table", "the table is required and was not found")
        raise refused(found.faults or [missing])
    out.mkdir()
    files = [PostsFile(n, source, path, home, out) for n, path in enumerate(found.files[POSTS])]
    read = tuple(one for _, one in sorted(workers.each(read_file, files)))
    names = tuple(file.name for file in files)
    if any(one.faults for one in read):
        counts: Counts = {}
        for kind, count in (pair for one in read for pair in one.counts):
            counts[kind] = counts.get(kind, 0) + count
        raise refused([fault for one in read for fault in one.faults], counts)
    posts = Sorted(out, names, read)
    if posts.count == 0:
        raise refused([_of_the_table(names[0], "empty_table", "the table has no rows")])
    _refuse_twice(workers, files)
    return posts


def _of_the_table(file: str, kind: str, reason: str) -> Fault:
    return Fault(POSTS, file, None, None, None, kind, reason)


def refused(faults: Iterable[Fault], counts: Counts | None = None) -> InvalidTables:
    """The error that tells faults, the first of each kind; `counts` where they are not all."""
    by_kind: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        by_kind.setdefault((fault.table, fault.kind), []).append(fault)
    shown = [fault for some in by_kind.values() for fault in some[:FAULTS_SHOWN]]
    return InvalidTables(shown, counts or {kind: len(some) for kind, some in by_kind.items()})


def _refuse_twice(workers: Workers, files: Sequence[PostsFile]) -> None:
    """Refuse ids that stand in several files: by their hashes, in as many ranges as files."""
    bounds = [round(step * 2**64 / len(files)) for step in range(len(files) + 1)]
    ranges = [KeyRange(files[0].sorted, len(files), *pair) for pair in pairwise(bounds)]
    keys = np.concatenate([keys for _, keys in workers.each(twice, ranges)])
    if len(keys) == 0:
        return
    found = workers.each(partial(rows_of_keys, keys=keys), files)
    rows = sorted((row for _, rows in found for row in rows), key=lambda row: row[1:])
    first: dict[str, tuple[int, int]] = {}
    faults = []
    for post_id, number, row in rows:
        file, line = first.setdefault(post_id, (number, row))
        if (file, line) != (number, row):
            reason = f"post_id must be unique; first used in {files[file].name} row {line}"
            name = files[number].name
            faults.append(Fault(POSTS, name, row, "post_id", post_id, "duplicate_key", reason))
    if faults:  # else two ids have one hash
        raise refused(faults)


# ---------------------------------------------------------------- what a worker does


@dataclass(frozen=True)
class PostsFile:
    """A file of posts, and where it goes sorted by creator."""

    number: int
    source: Path
    path: Path
    home: Path
    sorted: Path

    @property
    def name(self) -> str:
        """As faults name it."""
        return self.path.relative_to(self.source).as_posix()


@dataclass(frozen=True)
class ReadFile:
    """What a file of posts held.

    Attributes:
        count: Posts in it, without those of creators who are to be forgotten.
        first_us, last_us: When the first and the last was published.
        digest: Sum of the rows' hashes: of any rows the sum of their files'.
        sample: Creator of one post of `SAMPLE_EVERY`.
    """

    number: int
    count: int = 0
    left_out: int = 0
    first_us: int = NO_POST
    last_us: int = 0
    digest: int = 0
    sample: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    counts: tuple[tuple[tuple[str, str], int], ...] = ()


def read_file(file: PostsFile) -> ReadFile:
    """Read and check a file of posts, and write it sorted by creator."""
    raw = RawTable(POSTS, (read_part(file.source, file.path, POSTS),))
    checked = check_table(raw, None)
    counts = checked.faults.counts()
    if counts:
        faults = tuple(checked.faults.faults())
        return ReadFile(file.number, faults=faults, counts=tuple(counts.items()))
    frame = checked.frame
    kept = ~read_forgotten(file.home).mask(frame["creator_id"])
    frame, rows = frame[kept], raw.parts[0].rows[kept]
    columns = {name: to_arrow(frame[name]).cast(ARROW_TYPES[c.type]) for name, c in _COLUMNS}
    table = pa.table(columns | {"row": pa.array(rows)})
    table = table.take(pc.sort_indices(table["creator_id"])).combine_chunks()
    write_table(table, sorted_file(file.sorted, file.number))
    keys = np.sort(_keys(table["post_id"]))
    save(keys, keys_file(file.sorted, file.number))
    time_us = table["published_at"].cast(pa.int64()).to_numpy()
    return ReadFile(
        file.number,
        count=len(frame),
        left_out=int((~kept).sum()),
        first_us=int(time_us.min(initial=NO_POST)),
        last_us=int(time_us.max(initial=0)),
        digest=int(pd.util.hash_pandas_object(frame, index=False).sum()),
        sample=tuple(map(str, table["creator_id"].to_pylist()[SAMPLE_EVERY // 2 :: SAMPLE_EVERY])),
        warnings=checked.warnings,
    )


_COLUMNS = tuple(TABLES[POSTS].items())


def sorted_file(folder: Path, number: int) -> Path:
    """Where a file's posts lie sorted by creator."""
    return folder / f"{number:06d}.arrow"


def keys_file(folder: Path, number: int) -> Path:
    """Where the hashes of a file's ids lie, ascending."""
    return folder / f"{number:06d}.keys.npy"


def _keys(ids: Any) -> Keys:
    return pd.util.hash_array(ids.to_numpy().astype(object), categorize=False)


@dataclass(frozen=True)
class KeyRange:
    """Hashes of ids from one to before another, in the files of a folder."""

    folder: Path
    files: int
    first: int
    past: int


def twice(keys: KeyRange) -> Keys:
    """Hashes in a range that stand there more than once."""
    found = []
    for number in range(keys.files):
        every = np.load(keys_file(keys.folder, number), mmap_mode="r")
        start, stop = (bisect_left(every, bound) for bound in (keys.first, keys.past))
        found.append(np.array(every[start:stop]))
    together = np.sort(np.concatenate(found))
    return np.unique(together[1:][together[1:] == together[:-1]])


def rows_of_keys(file: PostsFile, keys: Keys) -> list[tuple[str, int, int]]:
    """Posts of a file whose ids have some hashes: the id, the file's number and the row."""
    table = open_table(sorted_file(file.sorted, file.number))
    here = np.flatnonzero(np.isin(_keys(table["post_id"]), keys))
    ids, rows = table["post_id"].to_numpy()[here], table["row"].to_numpy()[here]
    return [(str(one), file.number, int(row)) for one, row in zip(ids, rows, strict=True)]
