"""Training on a cluster: the steps of `pipeline`, with the posts in parts on its workers.

Posts are sorted by creator and cut into parts of whole creators, so that whatever is asked about a
creator is computed where its posts are. What goes beyond one creator goes from part to part as sums
of whole numbers, which are those of one process to the last bit. Parts lie as files in a folder
that this process and all workers share; every step reads files and writes files, so what is lost
with a worker is the part it was at.

Knows nothing of Dask (`distributed_cluster`), nor of what is done to one part
(`distributed_parts`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from features.creator import COMPARED, PeerSums, build_history
from features.facts import (
    Asks,
    Facts,
    Posts,
    distinct_briefs,
    facts_without_posts,
    parts_of,
    posts_of_deals,
)
from features.readings import TextRules
from features.schemas import (
    FAULTS_SHOWN,
    ClusterError,
    DataError,
    Fault,
    InvalidTables,
    PostsElsewhere,
    Tables,
)
from features.table_files import find_tables
from features.tables import read_tables
from features.text import Encoder, VectorCache, embed_texts, save_encoder
from features.windows import Floats, Ints, Timeline
from models.index import Index
from models.index_files import IndexWriter, Setting, read_index
from models.profiles import (
    Known,
    Labelled,
    Snapshot,
    fit_snapshots,
    period_starts,
    read_briefs,
    spoken_in,
)
from models.projection import Moments
from models.safety import RiskModel
from models.stage import Grow
from training import distributed_parts as parts
from training.dataset import Elsewhere, periods
from training.distributed_parts import Asked, Part, PostsFile, ReadFile, Shared
from training.pipeline import OnInvalid, Reporter, niche_fitter, tell_niches
from training.settings import TrainingSettings

# Of a part: 51 MB of vectors of 512 numbers in float16, and about 0.5 GB while they are made.
POSTS_OF_PART = 50_000
# Parts whose vectors' moments one task adds up: 24 months of 512 dimensions are 100 MB, each time
# that they are sent.
PARTS_ADDED = 8

T = TypeVar("T")
R = TypeVar("R")
Done = Callable[[int], None]


class Workers(Protocol):
    """Who does the work: a cluster (`distributed_cluster`), or a stand-in in tests."""

    @property
    def grow(self) -> Grow: ...

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Do work on every item; the place of each and what came of it, as they are done."""
        ...


@contextmanager
def cluster_of(settings: TrainingSettings, report: Reporter) -> Iterator[Cluster]:
    """The cluster whose scheduler the settings name, with a folder for one run.

    Raises:
        ClusterError: Dask is not installed, or the cluster is away or not fit.
    """
    try:
        from training.distributed_cluster import connected
    except ImportError as error:
        raise ClusterError(
            f"CREATORFIT_SCHEDULER is set, but {error.name} is not installed: "
            "python -m pip install --constraint constraints.txt --editable '.[train,distributed]'"
        ) from error
    shared = settings.home.resolve() / "cluster"
    shared.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=shared, ignore_cleanup_errors=True) as run,
        connected(settings.scheduler, Path(run)) as workers,
    ):
        report.say(f"on {workers}")
        yield Cluster(workers, Path(run))


class Cluster:
    """A place to train (`pipeline.Place`): workers, and the folder they share with this process.

    Args:
        workers: Who does the work.
        folder: Empty, under the same path everywhere.
    """

    def __init__(self, workers: Workers, folder: Path) -> None:
        self._workers = workers
        self._folder = folder
        self._read: list[ReadFile] = []
        self._files: list[str] = []
        self._known = 0

    @property
    def grow(self) -> Grow:
        return self._workers.grow

    def read(self, source: str, settings: TrainingSettings, on_invalid: OnInvalid) -> Tables:
        """Read and check the tables here, and the posts on the workers, file by file.

        Raises:
            DataError: The source is no folder, or rows shall be set aside.
            InvalidTables: The tables break the contract.
        """
        if "://" in source:
            raise DataError(
                f"{source}: a cluster reads folders, not databases: export the tables to Parquet"
            )
        if on_invalid == "quarantine":
            raise DataError(
                f"{source}: a cluster sets no rows aside: mend the tables (python -m training "
                "validate lists the faults), or train without CREATORFIT_SCHEDULER"
            )
        folder = Path(source).resolve()
        tables = read_tables(source, but=(parts.POSTS,))
        found = find_tables(folder, (parts.POSTS,))
        if found.faults or parts.POSTS not in found.files:
            faults = found.faults or (
                Fault(parts.POSTS, parts.POSTS, None, None, None, "missing_table", _NOT_FOUND),
            )
            raise InvalidTables(faults, _counted(faults))
        paths = found.files[parts.POSTS]
        self._files = [path.relative_to(folder).as_posix() for path in paths]
        self._read = self._read_files(folder, paths, settings.home.resolve())
        elsewhere = PostsElsewhere(
            count=sum(one.count for one in self._read),
            last_us=max(one.last_us for one in self._read),
            digest=f"{sum(one.digest for one in self._read) % 2**64:016x}",
        )
        if elsewhere.count == 0:
            fault = Fault(
                parts.POSTS,
                self._files[0],
                None,
                None,
                None,
                "empty_table",
                "the table has no rows",
            )
            raise InvalidTables([fault], _counted([fault]))
        warnings = dict.fromkeys(warning for one in self._read for warning in one.warnings)
        return replace(tables, elsewhere=elsewhere, warnings=(*tables.warnings, *warnings))

    def _read_files(self, source: Path, paths: Sequence[Path], home: Path) -> list[ReadFile]:
        out = self._folder / "read"
        out.mkdir()
        files = [PostsFile(n, source, path, home, out) for n, path in enumerate(paths)]
        read = [one for _, one in sorted(self._workers.each(parts.read_file, files))]
        faults = [fault for one in read for fault in one.faults]
        if faults:
            counts: dict[tuple[str, str], int] = {}
            for kind, count in (pair for one in read for pair in one.counts):
                counts[kind] = counts.get(kind, 0) + count
            raise InvalidTables(_first_of_each(faults), counts)
        bounds = [round(step * 2**64 / len(files)) for step in range(len(files) + 1)]
        ranges = [parts.KeyRange(out, len(files), *pair) for pair in pairwise(bounds)]
        twice = [keys for _, keys in self._workers.each(parts.twice, ranges)]
        self._refuse_twice(np.concatenate(twice), files)
        return read

    def _refuse_twice(self, keys: parts.Keys, files: Sequence[PostsFile]) -> None:
        if len(keys) == 0:
            return
        found = self._workers.each(partial(parts.rows_of_keys, keys=keys), files)
        first: dict[str, tuple[int, int]] = {}
        faults = []
        for post_id, number, row in sorted(
            (row for _, rows in found for row in rows), key=lambda row: row[1:]
        ):
            if post_id not in first:
                first[post_id] = (number, row)
                continue
            before = first[post_id]
            reason = (
                f"post_id must be unique; first used in {self._files[before[0]]} row {before[1]}"
            )
            faults.append(
                Fault(
                    parts.POSTS,
                    self._files[number],
                    row,
                    "post_id",
                    post_id,
                    "duplicate_key",
                    reason,
                )
            )
        if faults:
            raise InvalidTables(_first_of_each(faults), _counted(faults))

    def know(
        self, tables: Tables, encoder: Encoder, settings: TrainingSettings, report: Reporter
    ) -> tuple[Known, int]:
        """Encode the posts part by part, and learn niches; also how many texts were encoded.

        Raises:
            InvalidTables: There are posts of creators who are not in the table.
        """
        self._known += 1
        folder = self._folder / f"known-{self._known}"
        folder.mkdir()
        briefs = embed_texts(distinct_briefs(tables), encoder, VectorCache(settings.home, encoder))
        rules = TextRules(settings.home)
        facts = facts_without_posts(tables, briefs.vectors, settings.currency, rules)
        parts.dump(
            Shared(
                facts.outcomes,
                facts.brief_text,
                facts.brief_vector,
                facts.brief_language,
                posts_of_deals(tables),
            ),
            folder / parts.SHARED,
        )
        parts.dump(save_encoder(encoder, folder / parts.ENCODER), folder / parts.ENCODER_MANIFEST)
        cut = self._cut(facts, folder)
        encoded = self._encode(cut, encoder, report)
        there = There(
            self._workers, folder, cut, np.concatenate([e.first_post_us for e in encoded])
        )
        starts = period_starts(min(one.first_us for one in self._read), facts.as_of_us)
        with report.step("Learning niches", len(cut) + 1) as done:
            snapshots = there.learn(facts, starts, niche_fitter(facts, encoder, settings), done)
            done(1)
        parts.dump(snapshots, folder / parts.SNAPSHOTS)
        known = Elsewhere(build_history(facts), snapshots, there)
        tell_niches(known, report)
        return known, sum(one.texts for one in encoded)

    def _cut(self, facts: Facts, folder: Path) -> list[Part]:
        """Ranges of creators of about `POSTS_OF_PART` posts, as samples of the files tell."""
        sample = np.sort(
            np.array([one for read in self._read for one in read.sample], dtype=object)
        )
        bounds = sample[:: POSTS_OF_PART // parts.SAMPLE_EVERY][1:]
        inner = np.searchsorted(facts.creator_id, bounds)
        edges = np.unique(np.concatenate([[0], inner, [len(facts.creator_id)]])).tolist()
        cut = []
        for number, (own, (start, stop)) in enumerate(
            zip(parts_of(facts, edges), pairwise(edges), strict=True)
        ):
            first = None if start == 0 else str(facts.creator_id[start])
            past = None if stop == len(facts.creator_id) else str(facts.creator_id[stop])
            cut.append(Part(number, folder, start, stop, first, past))
            parts.write_own(cut[-1], own)
        return cut

    def _encode(
        self, cut: Sequence[Part], encoder: Encoder, report: Reporter
    ) -> list[parts.Encoded]:
        work = partial(parts.encode_part, read=self._folder / "read", files=self._files)
        total = sum(one.count for one in self._read)
        encoded: list[parts.Encoded] = []
        with report.step(f"Encoding posts ({encoder.name})", total) as done:
            for _, one in self._workers.each(work, cut):
                encoded.append(one)
                done(one.posts)
        faults = [fault for one in encoded for fault in one.faults]
        if faults:
            unknown = sum(one.faults_in_all for one in encoded)
            raise InvalidTables(
                _first_of_each(faults), {(faults[0].table, faults[0].kind): unknown}
            )
        report.say(f"{sum(one.texts for one in encoded):,} texts encoded, in {len(cut):,} parts")
        return sorted(encoded, key=lambda one: one.part.number)

    def index(
        self, known: Known, risks: RiskModel, settings: TrainingSettings, report: Reporter
    ) -> Index:
        """Write the shards of the index on the workers, and put them together here."""
        if not isinstance(known, Elsewhere) or not isinstance(known.there, There):
            raise TypeError("the index of a cluster is of what that cluster knows")
        with report.step("Profiling creators", 2 * len(known.facts.creator_id)) as done:
            return known.there.index(known, risks, done)


_NOT_FOUND = "the table is required and was not found"


def _counted(faults: Iterable[Fault]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for fault in faults:
        counts[fault.table, fault.kind] = counts.get((fault.table, fault.kind), 0) + 1
    return counts


def _first_of_each(faults: Iterable[Fault]) -> list[Fault]:
    """The first faults of each kind."""
    by_kind: dict[str, list[Fault]] = {}
    for fault in faults:
        by_kind.setdefault(fault.kind, []).append(fault)
    return [fault for some in by_kind.values() for fault in some[:FAULTS_SHOWN]]


@dataclass(frozen=True)
class There:
    """The parts of one reading of the posts, and what is asked of them (`dataset.There`).

    Attributes:
        folder: Where they lie.
        parts: In the order of their creators.
        first_post_us: As `Facts.first_post_us`, of all creators.
    """

    workers: Workers
    folder: Path
    parts: list[Part]
    first_post_us: Ints
    _peers: dict[tuple[int, int], tuple[Ints, Ints]] = field(default_factory=dict, repr=False)

    def learn(self, facts: Facts, starts: Ints, fit: Any, done: Done) -> tuple[Snapshot, ...]:
        """Fit the snapshot of each period."""
        groups = [
            self.parts[start : start + PARTS_ADDED]
            for start in range(0, len(self.parts), PARTS_ADDED)
        ]
        moments: list[Moments] = []
        for place, found in self.workers.each(partial(parts.spread_parts, starts=starts), groups):
            moments = [a + b for a, b in zip(moments, found, strict=True)] if moments else found
            done(len(groups[place]))
        labelled = Labelled.of(facts, self.first_post_us)
        posts = self._posts_of(facts, labelled, starts)
        return fit_snapshots(starts, moments, labelled, posts, fit)

    def _posts_of(self, facts: Facts, labelled: Labelled, starts: Ints) -> Posts:
        """Posts of all whom a niche model learns from, in any period."""
        wanted = np.unique(np.concatenate([labelled.before(start) for start in starts.tolist()]))
        owner = np.unique(self._part_of(wanted))
        work = partial(parts.posts_of, creators=wanted)
        some = [self.parts[number] for number in owner.tolist()]
        found = [posts for _, posts in sorted(self.workers.each(work, some), key=_place)]
        if not found:
            return facts.posts
        creator = np.concatenate([one.creator for one in found])
        return replace(
            facts.posts,
            timeline=Timeline.build(creator, np.concatenate([one.time_us for one in found])),
            vector=np.concatenate([one.vector for one in found]).astype(np.float32),
        )

    def _part_of(self, creator: Ints) -> Ints:
        stops = np.array([part.stop for part in self.parts])
        return np.searchsorted(stops, creator, side="right").astype(np.int64)

    def rows_of(
        self, known: Known, asks: Asks, brief: Ints, brand: Ints, progress: Done | None
    ) -> Floats:
        """Make rows where the posts of their creators are; as `dataset.rows_of`."""
        order = np.argsort(asks.creator, kind="stable")
        asks, brief, brand = asks.take(order), brief[order], brand[order]
        out = np.empty((0, 0))
        with tempfile.TemporaryDirectory(prefix="asked-", dir=self.folder) as folder:
            peers = self._sums(known.facts.peer_at(asks.creator, asks.as_of_us), asks.as_of_us)
            asked = Asked(Path(folder), ())
            numbers = []
            for period in periods(known, asks, brief, brand):
                asked.write_period(period)
                numbers.append(period.number)
            asked = replace(asked, periods=tuple(numbers))
            parts.dump(known.facts.outcomes, asked.outcomes)
            np.save(asked.asks, np.stack([asks.creator, asks.as_of_us, brief, brand]))
            np.save(asked.peers, np.stack([peers.total, peers.count]))
            some = [self.parts[n] for n in np.unique(self._part_of(asks.creator)).tolist()]
            found = self.workers.each(partial(parts.rows_of_part, asked=asked), some)
            for _, (first, rows) in found:
                if out.size == 0:
                    out = np.empty((len(asks), rows.shape[1]))
                out[order[first : first + len(rows)]] = rows
                if progress is not None:
                    progress(len(rows))
        return out

    def _sums(self, peer: Ints, as_of_us: Ints) -> PeerSums:
        """What similar creators' posts come to in the window of each ask; each pair once."""
        pairs, which = np.unique(np.stack([peer, as_of_us]), axis=1, return_inverse=True)
        keys = list(zip(*pairs.tolist(), strict=True))
        new = np.array([key not in self._peers for key in keys], dtype=bool)
        if new.any():
            with tempfile.TemporaryDirectory(prefix="peers-", dir=self.folder) as folder:
                path = Path(folder) / "asked.npy"
                np.save(path, pairs[:, new])
                sums = self._summed(path, int(new.sum()))
            for place, at in enumerate(np.flatnonzero(new).tolist()):
                self._peers[keys[at]] = (sums.total[:, place], sums.count[:, place])
        empty = np.zeros((len(COMPARED), 0), dtype=np.int64)
        total = np.stack([self._peers[key][0] for key in keys], axis=1) if keys else empty
        count = np.stack([self._peers[key][1] for key in keys], axis=1) if keys else empty
        return PeerSums(total, count).take(which.ravel())

    def _summed(self, path: Path, asked: int) -> PeerSums:
        nothing = np.zeros((len(COMPARED), asked), dtype=np.int64)
        sums = PeerSums(nothing, nothing)
        for _, one in self.workers.each(partial(parts.sum_peers, asked=path), self.parts):
            sums = sums + one
        return sums

    def index(self, known: Known, risks: RiskModel, done: Done) -> Index:
        """Write every part's shard there, and put them together here."""
        facts, latest = known.facts, known.snapshots[-1]
        n = len(facts.creator_id)
        now = np.full(n, facts.as_of_us)
        peer = np.unique(facts.peer_at(np.arange(n, dtype=np.int64), now))
        sums = self._sums(peer, np.full(len(peer), facts.as_of_us))
        profiling = self.folder / "profiling.pickle"
        parts.dump(
            parts.Profiling(read_briefs(facts, latest), peer, sums, risks),
            profiling,
        )
        spoken: dict[int, tuple[str, ...]] = {}
        for place, languages in self.workers.each(
            partial(parts.index_part, profiling=profiling), self.parts
        ):
            spoken[place] = languages
            done(self.parts[place].stop - self.parts[place].start)
        whole = Setting(
            latest.model.labels,
            tuple(sorted(set().union(*spoken.values()))),
            facts.currency,
            facts.as_of_us,
        )
        with IndexWriter(self.folder / "index") as writer:
            for place, part in enumerate(self.parts):
                shard = read_index(part.shard, replace(whole, languages=spoken[place]))
                profiles = spoken_in(shard.profiles, whole.languages)
                writer.add(replace(shard, profiles=profiles))
                done(part.stop - part.start)
        return read_index(self.folder / "index", whole)


def _place(found: tuple[int, Any]) -> int:
    return found[0]
