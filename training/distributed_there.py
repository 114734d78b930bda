"""What is asked of posts that lie in parts on the workers: niches, rows, and the index.

What goes beyond one creator comes from every part as sums of whole numbers, and those are what one
process sums up, to the last bit. Knows nothing of how parts are made (`distributed`), nor of what a
worker does with one (`distributed_parts`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.creator import COMPARED, PeerSums
from features.facts import Asks, Facts, Posts
from features.windows import Floats, Ints, Timeline
from models.index import Index
from models.index_files import IndexWriter, Setting, read_index
from models.projection import Moments
from models.safety import RiskModel
from models.snapshots import Known, Labelled, Snapshot, fit_snapshots, read_briefs
from models.spoken import spoken_in
from training import distributed_parts as parts
from training.dataset import periods
from training.distributed_parts import Asked, Part
from training.distributed_work import Workers, dump
from training.pipeline import NicheFit

# Parts whose vectors' moments one task adds up: 24 months of 512 dimensions are 100 MB, each time
# that they are sent.
PARTS_ADDED = 8

Done = Callable[[int], None]


@dataclass(frozen=True)
class There:
    """The parts of one reading of the posts, and what is asked of them (`dataset.There`).

    Attributes:
        folder: Where they lie.
        parts: In the order of their creators.
        first_post_us: As `Facts.first_post_us`, of all creators.
        _peers: Sums that were asked for before, by platform and size, and moment.
    """

    workers: Workers
    folder: Path
    parts: list[Part]
    first_post_us: Ints
    _peers: dict[tuple[int, int], tuple[Ints, Ints]] = field(default_factory=dict, repr=False)

    def learn(self, facts: Facts, starts: Ints, fit: NicheFit, done: Done) -> tuple[Snapshot, ...]:
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
        out = np.empty((len(asks), len(FEATURE_NAMES)))
        with tempfile.TemporaryDirectory(prefix="asked-", dir=self.folder) as folder:
            peers = self._sums(known.facts.peer_at(asks.creator, asks.as_of_us), asks.as_of_us)
            asked = Asked(Path(folder), ())
            numbers = []
            for period in periods(known, asks, brief, brand):
                asked.write_period(period)
                numbers.append(period.number)
            asked = replace(asked, periods=tuple(numbers))
            dump(known.facts.outcomes, asked.outcomes)
            np.save(asked.asks, np.stack([asks.creator, asks.as_of_us, brief, brand]))
            np.save(asked.peers, np.stack([peers.total, peers.count]))
            some = [self.parts[n] for n in np.unique(self._part_of(asks.creator)).tolist()]
            found = self.workers.each(partial(parts.rows_of_part, asked=asked), some)
            for _, (first, rows) in found:
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
        dump(parts.Profiling(read_briefs(facts, latest), peer, sums, risks), profiling)
        spoken: dict[int, tuple[str, ...]] = {}
        work = partial(parts.index_part, profiling=profiling)
        for place, languages in self.workers.each(work, self.parts):
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
