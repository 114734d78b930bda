"""What a worker does with the posts of one range of creators.

Every function here reads files and writes files, and returns little. What is computed is computed
by the functions that one process uses.

Knows nothing of Dask (`distributed_cluster`), nor of what comes after what (`distributed`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import PeerSums, build_history, peer_sums
from features.facts import Ads, Asks, Facts, Outcomes, Posts, Strings, of_part, with_posts
from features.readings import AFRESH
from features.schemas import FAULTS_SHOWN, Fault
from features.tables import UNKNOWN_CREATOR, finished, to_pandas
from features.text import Encoder, embed_texts, open_encoder
from features.vectors import Vectors
from features.windows import Floats, Ints, Timeline
from models import index as indexes
from models.index_files import write_index
from models.projection import Moments
from models.safety import RiskModel
from models.snapshots import BriefReading, Known, Snapshot, spread_until
from training.dataset import Period, fill
from training.distributed_files import POSTS, Sorted
from training.distributed_work import beside, dump, load, load_once, open_table, save, write_table

SHARED = "shared.pickle"
SNAPSHOTS = "snapshots.pickle"
ENCODER = "encoder"
ENCODER_MANIFEST = "encoder.pickle"


@lru_cache(maxsize=2)
def encoder_in(folder: Path) -> Encoder:
    """The encoder that lies in a folder, opened once by each worker."""
    return open_encoder(folder, load(folder.parent / ENCODER_MANIFEST))


@dataclass(frozen=True)
class Part:
    """The posts of a range of creators, in the folder of one reading of the texts.

    Attributes:
        start, stop: Codes of its first creator and past its last.
        first_id, past_id: Their ids, None at either end of all.
    """

    number: int
    folder: Path
    start: int
    stop: int
    first_id: str | None
    past_id: str | None

    @property
    def own(self) -> Path:
        """What is known of its creators beside posts."""
        return self.folder / f"{self.number:06d}.pickle"

    @property
    def posts(self) -> Path:
        return self.folder / f"{self.number:06d}.posts.arrow"

    @property
    def vectors(self) -> Path:
        return self.folder / f"{self.number:06d}.vectors.npy"

    @property
    def ads(self) -> Path:
        return self.folder / f"{self.number:06d}.ads.pickle"

    @property
    def shard(self) -> Path:
        """Its part of the index."""
        return self.folder / f"{self.number:06d}.index"


@dataclass(frozen=True)
class Shared:
    """What every part needs of all creators: collaborations and briefs.

    Attributes:
        deal_posts: `features.facts.posts_of_deals`.
    """

    outcomes: Outcomes
    brief_text: Strings
    brief_vector: Vectors
    brief_language: Strings
    deal_posts: Strings

    @classmethod
    def of(cls, facts: Facts, deal_posts: Strings) -> Shared:
        """That of the facts of all creators."""
        briefs = facts.brief_text, facts.brief_vector, facts.brief_language
        return cls(facts.outcomes, *briefs, deal_posts)


@dataclass(frozen=True)
class Encoded:
    """What the posts of a part are.

    Attributes:
        texts: Texts that were encoded; the others were the same as one of them.
        first_post_us: As `Facts.first_post_us`, of its creators.
        faults: Posts of creators whom the table of creators does not know, the first of them.
    """

    part: Part
    posts: int
    texts: int
    first_post_us: Ints
    faults: tuple[Fault, ...] = ()
    faults_in_all: int = 0


def encode_part(part: Part, posts: Sorted) -> Encoded:
    """Take a part's posts out of the sorted files, read their texts, and write them as facts."""
    facts, shared = _facts(part), _shared(part)
    table, number = posts.between(part.first_id, part.past_id)
    ids = pa.array(facts.creator_id, pa.large_string())
    known = pc.is_in(table["creator_id"], value_set=ids).to_numpy(zero_copy_only=False)
    if not known.all():
        strange = np.flatnonzero(~known)
        return Encoded(
            part,
            len(known),
            0,
            np.zeros(0, dtype=np.int64),
            tuple(
                _stranger(table, posts.files[number[row]], row) for row in strange[:FAULTS_SHOWN]
            ),
            len(strange),
        )
    frame = finished(POSTS, to_pandas(table.drop_columns("row")))
    embedded = embed_texts(frame["text"].tolist(), encoder_in(part.folder / ENCODER))
    facts = with_posts(facts, frame, embedded.vectors, shared.deal_posts, AFRESH)
    _write_posts(part, facts)
    return Encoded(part, len(frame), embedded.encoded, facts.first_post_us)


def _stranger(table: pa.Table, file: str, row: int) -> Fault:
    creator_id = str(table["creator_id"][row].as_py())
    kind, line = "unknown_creator", int(table["row"][row].as_py())
    return Fault(POSTS, file, line, "creator_id", creator_id, kind, UNKNOWN_CREATOR)


def spread_parts(parts: Sequence[Part], starts: Ints) -> list[Moments]:
    """How the vectors of some parts before each of some moments vary, together."""
    together: list[Moments] | None = None
    for part in parts:
        found = spread_until(_read_posts(part, _TEXTS), starts)
        if together is None:
            together = list(found)
        else:
            together = [one + other for one, other in zip(together, found, strict=True)]
    return together or []


@dataclass(frozen=True)
class SomePosts:
    """Posts of some creators, ``(n,)`` each: whose, when, and their vectors ``(n, dim)``."""

    creator: Ints
    time_us: Ints
    vector: NDArray[np.float16]


def posts_of(part: Part, creators: Ints) -> SomePosts:
    """Posts of some of a part's creators, by code among all."""
    posts = _read_posts(part, _TEXTS)
    whose = posts.timeline.group + part.start
    here = np.flatnonzero(np.isin(whose, creators))
    vector = posts.vector[here].astype(np.float16)  # holds the grid without loss
    return SomePosts(whose[here], posts.timeline.time_us[here], vector)


def sum_peers(part: Part, asked: Path) -> PeerSums:
    """What a part's posts come to in the windows of asks: platforms and sizes, and moments."""
    peer, as_of_us = np.load(asked, mmap_mode="r")
    return peer_sums(
        build_history(_with_posts(part, _facts(part), (*_TEXTS, "vector"))), peer, as_of_us
    )


# ---------------------------------------------------------------- rows and the index


@dataclass(frozen=True)
class Asked:
    """Asks about creators in the order of their codes, in files that every part reads.

    Attributes:
        outcomes: The collaborations that are to be known.
        asks: Creator, moment, brief and brand of each, ``(4, n)``.
        peers: Sums and counts of `PeerSums` of each, ``(2, len(COMPARED), n)``.
        periods: Numbers of the periods that they fall in.
    """

    folder: Path
    periods: tuple[int, ...]

    @property
    def outcomes(self) -> Path:
        return self.folder / "outcomes.pickle"

    @property
    def asks(self) -> Path:
        return self.folder / "asks.npy"

    @property
    def peers(self) -> Path:
        return self.folder / "peers.npy"

    def write_period(self, period: Period) -> None:
        """Keep what a period's rows need: the past briefs, and what similar ones brought."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": period.rows,
            "usual": np.stack(period.usual),
            "subject": period.briefs.subject,
            "mix": period.briefs.mix,
        }
        for name, array in arrays.items():
            np.save(self._file(period.number, name), array)

    def period(self, number: int, snapshot: Snapshot, first: int, past: int) -> Period:
        """What was kept of a period, for the asks from one to before another; places begin at 0."""
        rows, usual, subject, mix = (
            np.load(self._file(number, name), mmap_mode="r")
            for name in ("rows", "usual", "subject", "mix")
        )
        here = np.flatnonzero((rows >= first) & (rows < past))
        told = np.array(usual[:, here])
        briefs = BriefReading(snapshot, subject, mix)
        return Period(number, np.array(rows[here]) - first, briefs, (told[0], told[1]))

    def _file(self, number: int, name: str) -> Path:
        return self.folder / f"{number:04d}.{name}.npy"


def rows_of_part(part: Part, asked: Asked) -> tuple[int, Floats]:
    """Rows of the asks about a part's creators, and the place of the first among all."""
    creator, as_of_us, brief, brand = np.load(asked.asks, mmap_mode="r")
    first, past = np.searchsorted(creator, [part.start, part.stop]).tolist()
    asks = Asks(np.array(creator[first:past]) - part.start, np.array(as_of_us[first:past]))
    total, count = np.load(asked.peers, mmap_mode="r")
    peers = PeerSums(np.array(total[:, first:past]), np.array(count[:, first:past]))
    outcomes = of_part(load_once(asked.outcomes), part.start, part.stop)
    facts = _with_posts(part, _facts(part), ("post_id", "text", "url"))
    snapshots = _snapshots(part)
    known = Known(build_history(replace(facts, outcomes=outcomes)), snapshots)
    out = np.empty((past - first, len(FEATURE_NAMES)))
    own = np.array(brief[first:past]), np.array(brand[first:past])
    for number in asked.periods:
        period = asked.period(number, snapshots[number], first, past)
        fill(out, known, asks, *own, period, None, peers)
    return first, out


@dataclass(frozen=True)
class Profiling:
    """What the profiles of a part need of all creators.

    Attributes:
        briefs: The past briefs as the last period reads them.
        peer: Each platform and size that there is, ascending.
        sums: What the posts of all such come to as of the end.
        risks: Brand-safety risks by vector.
    """

    briefs: BriefReading
    peer: Ints
    sums: PeerSums
    risks: RiskModel


def index_part(part: Part, profiling: Path) -> tuple[str, ...]:
    """Write a part's shard of the index; returns the languages of its profiles."""
    needed: Profiling = load_once(profiling)
    known = Known(build_history(_with_posts(part, _facts(part))), (needed.briefs.snapshot,))
    everyone = np.arange(len(known.facts.creator_id), dtype=np.int64)
    peer = known.facts.peer_at(everyone, np.full(len(everyone), known.facts.as_of_us))
    peers = needed.sums.take(np.searchsorted(needed.peer, peer))
    index = indexes.build(known, None, needed.risks, AFRESH, needed.briefs, peers)
    staging = beside(part.shard)
    write_index(staging, index)
    shutil.rmtree(part.shard, ignore_errors=True)
    staging.replace(part.shard)
    return index.profiles.languages


# ---------------------------------------------------------------- files of a part


def _shared(part: Part) -> Shared:
    shared: Shared = load_once(part.folder / SHARED)
    return shared


def _snapshots(part: Part) -> tuple[Snapshot, ...]:
    snapshots: tuple[Snapshot, ...] = load_once(part.folder / SNAPSHOTS)
    return snapshots


def write_own(part: Part, facts: Facts) -> None:
    """Keep a part's facts, without what all parts share."""
    none = facts.brief_text[:0]
    own = replace(
        facts,
        outcomes=facts.outcomes.take(np.zeros(0, dtype=np.int64)),
        brief_text=none,
        brief_vector=facts.brief_vector[:0],
        brief_language=none,
    )
    dump(own, part.own)


def _facts(part: Part) -> Facts:
    """Facts of a part but for its posts."""
    shared = _shared(part)
    own: Facts = load(part.own)
    return replace(
        own,
        outcomes=of_part(shared.outcomes, part.start, part.stop),
        brief_text=shared.brief_text,
        brief_vector=shared.brief_vector,
        brief_language=shared.brief_language,
    )


def _with_posts(part: Part, facts: Facts, but: Collection[str] = ()) -> Facts:
    ads: Ads = load(part.ads)
    return replace(facts, posts=_read_posts(part, but), ads=ads)


_NUMBERS = ("likes", "comments", "views", "shares", "saves", "followers", "peer", "brand")
_TEXTS = ("post_id", "text", "url", "language")


def _write_posts(part: Part, facts: Facts) -> None:
    posts = facts.posts
    columns: dict[str, Any] = {
        "creator": pa.array(posts.timeline.group),
        "time_us": pa.array(posts.timeline.time_us),
        "sponsored": pa.array(posts.sponsored),
        **{name: pa.array(getattr(posts, name)) for name in _NUMBERS},
        **{name: pa.array(getattr(posts, name), pa.large_string()) for name in _TEXTS},
    }
    dump(facts.ads, part.ads)
    save(posts.vector.astype(np.float16), part.vectors)  # holds the grid without loss
    write_table(pa.table(columns), part.posts)


def _read_posts(part: Part, but: Collection[str] = ()) -> Posts:
    """A part's posts, without the texts or vectors that nobody looks at."""
    table = open_table(part.posts)
    nothing = np.broadcast_to(np.array(None, dtype=object), (len(table),))
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in _NUMBERS}
    for name in _TEXTS:
        columns[name] = nothing if name in but else table[name].to_numpy()
    vector = np.load(part.vectors, mmap_mode="r")
    return Posts(
        # As they were sorted: ties are settled.
        timeline=Timeline.build(table["creator"].to_numpy(), table["time_us"].to_numpy()),
        sponsored=table["sponsored"].to_numpy(),
        vector=vector if "vector" in but else vector.astype(np.float32),
        **columns,
    )
