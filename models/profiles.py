"""Facts become profiles, as of a moment: niche mix, topics, best posts, recent ads, past outcomes.

Training asks at the start of each past sponsorship, serving about every creator now; both come
here. Knows nothing of what is learned from a profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from features.creator import (
    YEAR_DAYS,
    History,
    PeerSums,
    build_history,
    creator_numbers,
    settled_before,
)
from features.facts import Asks, Facts, Posts
from features.language import UNKNOWN, primary
from features.pair import BriefProfile, BriefTotals, PastOutcomes, Profiles, RecentAds
from features.vectors import GRID, Vectors, snap
from features.windows import (
    MICROSECONDS_PER_DAY,
    Floats,
    Ints,
    Prefix,
    Ragged,
    Timeline,
    ratio,
)
from models.niche import NicheModel
from models.projection import Moments, Projection, Spread

MAX_TOPICS = 3
NICHE_PERIOD = "MS"  # pandas' name for the starts of calendar months
# Creators a niche model learns from, at most. Of 28 niches of a simulated world with the default
# encoder, 125 labelled creators told 0.803 of others right, 500 0.830, 1,000 and 2,000 0.837; a fit
# takes twice the time of twice as many.
MOST_LABELLED = 2_000
RECENT_POSTS = 60  # a niche mix and topics are made of at most so many of the latest posts
HALF_LIFE_DAYS = 90.0  # of a post's weight in the mix and the topics
WEIGHT_UNIT = 1024  # weights are whole numbers, so that weighted sums of vectors are exact
BEST_POSTS = 5
TOPIC_SHARE_MIN = 0.1  # a topic of less of the weight is dropped
POSTS_PER_TOPIC = 3
LLOYD_STEPS = 5
# Posts are read in parts of so many: 512 dimensions of float64 take 134 MB. Half or twice as many
# are as fast.
PART_POSTS = 1 << 15
PART_ASKS = 1 << 12  # of creators who posted little or nothing
PART_FLOATS = 1 << 20  # parts of vectors that are clustered at once: 4 MB


@dataclass(frozen=True)
class Snapshot:
    """How texts are read from `from_us` on, by models that know nothing later than it."""

    from_us: int
    model: NicheModel
    projection: Projection


@dataclass(frozen=True)
class Known:
    """Facts with their prefix sums and the snapshot of each period: what can be asked."""

    history: History
    snapshots: tuple[Snapshot, ...]

    @property
    def facts(self) -> Facts:
        return self.history.facts

    @cached_property
    def languages(self) -> Languages:
        """Languages of all facts as numbers."""
        return Languages.of(self.facts)

    def period_of(self, as_of_us: Ints) -> Ints:
        """Which snapshot is in force at each moment."""
        starts = np.array([snapshot.from_us for snapshot in self.snapshots])
        return np.searchsorted(starts, as_of_us, side="right").astype(np.int64) - 1

    def snapshot_of(self, asks: Asks) -> Snapshot:
        """The one snapshot in force at all asks.

        Raises:
            ValueError: There are several.
        """
        periods = np.unique(self.period_of(asks.as_of_us))
        if len(periods) > 1:
            raise ValueError("asks of one call must fall in one period of the snapshots")
        return self.snapshots[int(periods[0]) if len(periods) else -1]


@dataclass(frozen=True)
class BriefReading:
    """All past briefs as one period reads them.

    Attributes:
        snapshot: The period's models.
        subject: Projected vectors, ``(n_briefs, k)``.
        mix: Shares of niches, ``(n_briefs, K)`` float32.
    """

    snapshot: Snapshot
    subject: Vectors
    mix: NDArray[np.float32]

    @cached_property
    def label(self) -> Ints:
        """Leading niche of each brief, ``(n_briefs,)``."""
        out: Ints = np.argmax(self.mix, axis=1)
        return out


def know(facts: Facts, fit: Callable[[Vectors, Ints, int], NicheModel]) -> Known:
    """Fit a niche model and a projection for each calendar month, from the posts before it.

    The months are those of the calendar (UTC), not of the data, so that a later post moves no
    earlier boundary. The first snapshot has seen no post at all.

    Args:
        facts: What happened.
        fit: Called with the vectors and creator codes of the posts before a moment, of creators
            who carry a niche, and that moment; returns a niche model. Of more than
            `MOST_LABELLED` such creators, those posts of so many are given.
    """
    posts = facts.posts
    starts = period_starts(int(posts.timeline.time_us.min(initial=facts.as_of_us)), facts.as_of_us)
    labelled = Labelled.of(facts, facts.first_post_us)
    found = fit_snapshots(starts, spread_until(posts, starts), labelled, posts, fit)
    return Known(build_history(facts), found)


def fit_snapshots(
    starts: Ints,
    moments: Iterable[Moments],
    labelled: Labelled,
    posts: Posts,
    fit: Callable[[Vectors, Ints, int], NicheModel],
) -> tuple[Snapshot, ...]:
    """Fit the snapshot of each period.

    Args:
        starts: When the periods begin, ``(n,)``.
        moments: How the vectors of all posts before each start vary.
        labelled: Who carries a niche.
        posts: Theirs at least.
        fit: As for `know`.
    """
    snapshots = []
    for start_us, spread in zip(starts.tolist(), moments, strict=True):
        before = labelled.posts_before(posts.timeline, start_us)
        model = fit(np.asarray(posts.vector[before]), posts.timeline.group[before], start_us)
        snapshots.append(Snapshot(start_us, model, spread.projection()))
    return tuple(snapshots)


def spread_until(posts: Posts, starts: Ints) -> Iterator[Moments]:
    """How the vectors before each of some moments vary; an advertisement's subject is its brand's.

    Args:
        posts: Of all creators, or of a part of them.
        starts: Moments, ascending.
    """
    code = posts.timeline.group
    spread = Spread.empty(int(code.max(initial=-1)) + 1, posts.vector.shape[1])
    # The first snapshot that knows each post.
    since = np.searchsorted(starts, posts.timeline.time_us, side="right").astype(np.int16)
    since[posts.sponsored] = -1
    order = np.argsort(since, kind="stable")
    edges = np.searchsorted(since[order], np.arange(len(starts) + 1))
    moments = spread.moments()
    for number in range(len(starts)):
        new = order[edges[number] : edges[number + 1]]
        for begin in range(0, len(new), PART_POSTS):
            part = new[begin : begin + PART_POSTS]
            spread.add(posts.vector[part], code[part])
        if len(new):
            moments = spread.moments()
        yield moments


@dataclass(frozen=True)
class Labelled:
    """Creators who carry a niche, in an order that hangs on nothing but their ids.

    Attributes:
        creator: Their codes, ``(n,)``.
        first_us: Time of each one's first post.
    """

    creator: Ints
    first_us: Ints

    @classmethod
    def of(cls, facts: Facts, first_post_us: Ints) -> Labelled:
        """Those of some facts, of whom the time of the first post is known, ``(n_creators,)``."""
        posted = first_post_us < facts.as_of_us
        creator = np.flatnonzero(facts.creators["niche"].notna().to_numpy() & posted)
        if len(creator) > MOST_LABELLED:
            drawn = [blake2b(str(one).encode()).digest() for one in facts.creator_id[creator]]
            order = np.array(sorted(range(len(creator)), key=drawn.__getitem__), dtype=np.int64)
            creator = creator[order]
        return cls(creator.astype(np.int64), first_post_us[creator])

    def before(self, moment_us: int) -> Ints:
        """Codes of the first `MOST_LABELLED` who had posted before a moment, ascending."""
        out: Ints = np.sort(self.creator[self.first_us < moment_us][:MOST_LABELLED])
        return out

    def posts_before(self, timeline: Timeline, moment_us: int) -> Ints:
        """Posts before a moment, of those."""
        who = self.before(moment_us)
        first, past = timeline.window(who, np.full(len(who), moment_us), None)
        return Ragged.from_slices(first, past).index


def period_starts(first_us: int, as_of_us: int) -> Ints:
    """When the periods begin: before all time, and with each calendar month after the first post.

    Args:
        first_us: Time of the first post, `as_of_us` where there is none.
        as_of_us: The moment until which there are periods.
    """
    first, last = (pd.Timestamp(us, unit="us", tz="UTC") for us in (first_us, as_of_us))
    months = pd.date_range(first.normalize(), last, freq=NICHE_PERIOD)
    later = [round(start.timestamp()) * 1_000_000 for start in months if start > first]
    return np.array([np.iinfo(np.int64).min, *later], dtype=np.int64)


def profile_brief(
    model: NicheModel, projection: Projection, vector: Vectors, language: str, brand: int
) -> BriefProfile:
    """Profile a brief of a vector ``(dim,)``, in a language, by a brand of a code."""
    one = vector[np.newaxis]
    mix = model.predict_proba(one)[0].astype(np.float64)
    return BriefProfile(vector, projection.project(one)[0], mix, language, brand)


def read_briefs(facts: Facts, snapshot: Snapshot) -> BriefReading:
    """Read all past briefs by a snapshot: once for any number of asks in its period."""
    mix = snapshot.model.predict_proba(facts.brief_vector)
    return BriefReading(snapshot, snapshot.projection.project(facts.brief_vector), mix)


def profile_creators(
    known: Known,
    asks: Asks,
    progress: Callable[[int], None] | None = None,
    *,
    briefs: BriefReading | None = None,
    peers: PeerSums | None = None,
    totals: bool = True,
) -> Profiles:
    """Make the profiles of asks that all fall in one period of the snapshots.

    Posts are read in parts of `PART_POSTS`, so memory beyond what is returned does not grow with
    the asks. Posts of creators who are not asked about are needed for `peers` alone.

    Args:
        known: Facts and snapshots.
        asks: Whom, as of when.
        progress: Called with the number of asks done, now and then.
        briefs: The past briefs as the period reads them, where they were read before.
        peers: What similar creators' posts come to (`features.creator.peer_sums`); None: `known`
            has the posts of all creators.
        totals: Whether to sum every past brief's outcomes by each moment. Without, what similar
            briefs brought has to be given to `pair_features`.

    Raises:
        ValueError: The asks fall in more than one period.
    """
    if briefs is None:
        briefs = read_briefs(known.facts, known.snapshot_of(asks))
    facts = known.facts
    posts = facts.posts
    first, past = posts.timeline.window(asks.creator, asks.as_of_us, None)
    ads = Ragged.from_slices(*facts.ads.timeline.window(asks.creator, asks.as_of_us, YEAR_DAYS))
    made = _Made.empty(len(asks), facts, briefs.snapshot, len(ads.index))
    for here in _parts(past - first):
        texts = _Texts.of(facts, briefs.snapshot.model, asks.take(here), first[here], past[here])
        made.mix[here] = _mix(texts)
        made.topics[here], made.topic_share[here] = _topics(texts)
        made.best[here] = _best(facts, texts)
        made.subject[here] = _subject(texts, briefs.snapshot.projection)
        made.tenure[here] = _tenure(texts, made.mix[here])
        entries = slice(ads.indptr[here[0]], ads.indptr[here[-1] + 1])
        made.ad_niche[entries] = texts.label_of(facts.ads.post[ads.index[entries]])
        if progress is not None:
            progress(len(here))
    languages, posts_language, audience_language, speaks = _languages(known, first, past, asks)
    moments, moment = np.unique(asks.as_of_us, return_inverse=True)
    return Profiles(
        asks=asks,
        numbers=creator_numbers(known.history, asks, peers),
        mix=made.mix,
        topics=made.topics,
        topic_share=made.topic_share,
        best=made.best,
        subject=made.subject,
        languages=languages,
        posts_language=posts_language,
        audience_language=audience_language,
        speaks=speaks,
        niche_values=np.column_stack([_concentration(made.mix), made.tenure]),
        ads=_recent_ads(facts, briefs, ads, made.ad_niche, asks),
        outcomes=_past_outcomes(known.history, asks),
        moment=moment.astype(np.int64),
        totals=_totals(facts, moments if totals else moments[:0]),
        brief_subject=briefs.subject,
    )


@dataclass(frozen=True)
class _Made:
    """Where the parts are put together: row i belongs to ask i."""

    mix: Floats
    topics: Vectors
    topic_share: Floats
    best: Vectors
    subject: Vectors
    tenure: Floats
    ad_niche: Ints

    @classmethod
    def empty(cls, size: int, facts: Facts, snapshot: Snapshot, ads: int) -> _Made:
        dim = facts.posts.vector.shape[1]
        return cls(
            mix=np.full((size, len(snapshot.model.labels)), np.nan),
            topics=np.zeros((size, MAX_TOPICS, dim), dtype=np.float32),
            topic_share=np.zeros((size, MAX_TOPICS)),
            best=np.zeros((size, dim), dtype=np.float32),
            subject=np.zeros((size, snapshot.projection.matrix.shape[1]), dtype=np.float32),
            tenure=np.full(size, np.nan),
            ad_niche=np.full(ads, -1, dtype=np.int64),
        )


def _parts(posts: Ints) -> Iterator[Ints]:
    """Asks in their order, in parts of about `PART_POSTS` posts."""
    part = (np.cumsum(posts) - posts) // PART_POSTS
    edges = np.flatnonzero(np.diff(part, prepend=-1, append=part[-1:] + 1))
    for start, stop in pairwise(edges.tolist()):
        for begin in range(start, stop, PART_ASKS):
            yield np.arange(begin, min(begin + PART_ASKS, stop), dtype=np.int64)


@dataclass(frozen=True)
class _Texts:
    """The posts of some asks, as one period reads them.

    Attributes:
        asks: The asks.
        post: Distinct posts before the asks, ascending, ``(n_posts,)``.
        vector: Theirs, ``(n_posts, dim)``.
        proba: Shares of niches, ``(n_posts, K)``.
        label: Leading niche of each.
        past: All posts before each ask, as places in `post`.
        recent: The latest `RECENT_POSTS` before each ask, as places in `post`.
        weight: By recency, of each entry of `recent`.
        time_us: Of each post.
    """

    asks: Asks
    post: Ints
    vector: Vectors
    proba: Floats
    label: Ints
    past: Ragged
    recent: Ragged
    weight: Ints
    time_us: Ints

    @classmethod
    def of(cls, facts: Facts, model: NicheModel, asks: Asks, first: Ints, past: Ints) -> _Texts:
        every = Ragged.from_slices(first, past)
        post, place = np.unique(every.index, return_inverse=True)
        every = Ragged(every.indptr, place.astype(np.int64))
        ends = every.indptr[1:]
        last = Ragged.from_slices(np.maximum(every.indptr[:-1], ends - RECENT_POSTS), ends)
        recent = Ragged(last.indptr, every.index[last.index])
        vector = np.asarray(facts.posts.vector[post])
        time_us = facts.posts.timeline.time_us[post]
        proba = model.predict_proba(vector).astype(np.float64)
        weight = _recency(time_us, recent, asks)
        return cls(
            asks, post, vector, proba, np.argmax(proba, axis=1), every, recent, weight, time_us
        )

    def label_of(self, post: Ints) -> Ints:
        """Leading niche of posts among these, -1 where a place is -1."""
        out = np.full(len(post), -1, dtype=np.int64)
        out[post >= 0] = self.label[np.searchsorted(self.post, post[post >= 0])]
        return out

    @property
    def total(self) -> Ints:
        """Weight of each ask's recent posts."""
        whole: Ints = np.bincount(self.recent.row, self.weight, minlength=len(self.asks)).astype(
            np.int64
        )
        return whole

    def weighted_sum(self, values: Floats) -> Floats:
        """Sum over each ask's recent posts, ``(n_asks, k)``.

        scipy adds each row's entries one after the other: the sum depends on that row alone.
        """
        shape = (len(self.asks), len(self.post))
        weight = self.weight.astype(np.float64)
        matrix = csr_array((weight, self.recent.index, self.recent.indptr), shape=shape)
        summed: Floats = np.asarray(matrix @ values)
        return summed


def _recency(time_us: Ints, recent: Ragged, asks: Asks) -> Ints:
    age_days = (asks.as_of_us[recent.row] - time_us[recent.index]) / MICROSECONDS_PER_DAY
    weight = np.rint(WEIGHT_UNIT * np.exp2(-age_days / HALF_LIFE_DAYS))
    whole: Ints = np.maximum(weight, 1).astype(np.int64)
    return whole


def _mix(texts: _Texts) -> Floats:
    """Niche mix of each ask; NaN where there are no posts."""
    total = texts.total.astype(np.float64)[:, np.newaxis]
    mix: Floats = np.full((len(total), texts.proba.shape[1]), np.nan)
    np.divide(texts.weighted_sum(texts.proba), total, out=mix, where=total > 0)
    return mix


def _subject(texts: _Texts, projection: Projection) -> Vectors:
    """Mean projected vector of each ask's posts, as if one fresh post of no subject were more."""
    needed = np.unique(texts.recent.index)
    projected = np.zeros((len(texts.post), projection.matrix.shape[1]))
    projected[needed] = projection.project(texts.vector[needed])
    # Sums of whole multiples of the grid are exact; the mean is no longer than 1, so it may stand
    # on the grid itself, where its dot products are exact.
    mean = texts.weighted_sum(projected) / (texts.total + WEIGHT_UNIT)[:, np.newaxis]
    subject: Vectors = (np.trunc(mean * GRID) / GRID).astype(np.float32)
    return subject


def _topics(texts: _Texts) -> tuple[Vectors, Floats]:
    """Topic vectors and their shares."""
    recent, dim = texts.recent, texts.vector.shape[1]
    lengths = np.diff(recent.indptr)
    topics = np.zeros((len(lengths), MAX_TOPICS, dim), dtype=np.float32)
    share = np.zeros((len(lengths), MAX_TOPICS))
    # Asks of about as many posts together, so that little is padding.
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    while len(order):
        size = max(1, PART_FLOATS // (int(lengths[order[-1]]) * dim))
        here, order = order[-size:], order[:-size]
        width = int(lengths[here].max())
        column = np.arange(width)
        inside = column < lengths[here, np.newaxis]
        entry = np.minimum(recent.indptr[here, np.newaxis] + column, len(recent.index) - 1)
        vectors = texts.vector[recent.index[entry]]
        weight = np.where(inside, texts.weight[entry], 0)
        topics[here], share[here] = cluster(vectors, weight)
    return topics, share


def cluster(vectors: Vectors, weight: Ints) -> tuple[Vectors, Floats]:
    """Spherical k-means with up to `MAX_TOPICS` centres, the heaviest first; of many sets at once.

    Dhillon and Modha 2001, "Concept decompositions for large sparse text data using clustering".
    Starts from the post most like all the others, then those farthest from the centres so far:
    no chance in it, so the same posts give the same topics. All sums are exact, so a set's topics
    do not depend on what other sets there are.

    Args:
        vectors: ``(sets, n, dim)`` float32 on the grid; zeros are passed over.
        weight: ``(sets, n)`` whole numbers; what has weight 0 is not there.

    Returns:
        Centres on the grid ``(sets, MAX_TOPICS, dim)`` and their shares of the weight
        ``(sets, MAX_TOPICS)``, summing to 1; unused ones are zero.
    """
    some = vectors.any(axis=2) & (weight > 0)
    count = some.sum(axis=1)
    wanted = np.clip(count // POSTS_PER_TOPIC, 1, MAX_TOPICS)
    exact = vectors.astype(np.float64)  # whole multiples of the grid: float64 adds them exactly
    mass = np.where(some, weight, 0).astype(np.float64)
    everyone = np.arange(len(vectors))

    def like(one: Vectors) -> Vectors:
        """Cosine of every post with one vector of its set."""
        out: Vectors = (vectors @ one[:, :, np.newaxis])[:, :, 0]
        return out

    def best(score: NDArray[Any]) -> Ints:
        out: Ints = np.argmax(np.where(some, score, -np.inf), axis=1)
        return out

    total = snap((mass[:, np.newaxis] @ exact)[:, 0])
    centres = np.zeros((len(vectors), MAX_TOPICS, vectors.shape[2]), dtype=np.float32)
    used = np.zeros((len(vectors), MAX_TOPICS), dtype=bool)
    centres[:, 0] = vectors[everyone, best(like(total))]
    used[:, 0] = count > 0
    nearest = like(centres[:, 0])
    for place in range(1, MAX_TOPICS):
        candidate = best(mass * (1.0 - nearest))
        apart = nearest[everyone, candidate] < 1.0 - 1e-3
        used[:, place] = used[:, place - 1] & (place < wanted) & apart
        centres[:, place] = vectors[everyone, candidate]
        nearest = np.maximum(nearest, like(centres[:, place]))
    for _ in range(LLOYD_STEPS):
        cosine = vectors @ centres.transpose(0, 2, 1)
        member = np.argmax(np.where(used[:, np.newaxis], cosine, -np.inf), axis=2)
        held = (member[:, np.newaxis] == np.arange(MAX_TOPICS)[:, np.newaxis]) * mass[:, np.newaxis]
        centres, moved = snap(held @ exact), np.where(used[:, :, np.newaxis], centres, 0.0)
        if np.array_equal(centres, moved):
            break
    share = np.zeros(used.shape)
    np.divide(held.sum(axis=2), mass.sum(axis=1)[:, np.newaxis], out=share, where=used)
    share[share < TOPIC_SHARE_MIN] = 0.0
    order = np.argsort(-share, axis=1, kind="stable")
    share = np.take_along_axis(share, order, axis=1)
    centres = np.take_along_axis(centres, order[:, :, np.newaxis], axis=1)
    centres[share == 0] = 0.0
    whole = sum(share[:, place] for place in range(MAX_TOPICS))
    np.divide(share, np.asarray(whole)[:, np.newaxis], out=share, where=used[:, :1])
    return centres, share


def _best(facts: Facts, texts: _Texts) -> Vectors:
    """Mean vector of those of the last year's recent posts, settled, that engaged most."""
    recent, as_of_us = texts.recent, texts.asks.as_of_us
    row = recent.row
    time_us = texts.time_us[recent.index]
    year_us = int(YEAR_DAYS * MICROSECONDS_PER_DAY)
    fresh = (time_us >= as_of_us[row] - year_us) & (time_us < settled_before(as_of_us)[row])
    row, place = row[fresh], recent.index[fresh]
    post = texts.post[place]
    reaction = facts.posts.likes[post] + facts.posts.comments[post]
    order = np.lexsort((-reaction, row))
    row, place = row[order], place[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    row, place = row[rank < BEST_POSTS], place[rank < BEST_POSTS]
    indptr = np.searchsorted(row, np.arange(len(texts.asks) + 1))
    shape = (len(texts.asks), len(texts.post))
    needed, where = np.unique(place, return_inverse=True)
    matrix = csr_array((np.ones(len(row)), where, indptr), shape=(shape[0], len(needed)))
    return snap(np.asarray(matrix @ texts.vector[needed].astype(np.float64)))


def _concentration(mix: Floats) -> Floats:
    """Sum of the squared shares, added in one order whatever the number of rows."""
    squares = np.zeros(len(mix))
    for niche in range(mix.shape[1]):
        squares += mix[:, niche] ** 2
    return squares


def _tenure(texts: _Texts, mix: Floats) -> Floats:
    """Days since the first post in the leading niche of each ask's mix; NaN where there is none."""
    some = ~np.asarray(np.isnan(mix).any(axis=1))
    leading = np.argmax(np.where(some[:, np.newaxis], mix, 0.0), axis=1)
    row = texts.past.row
    inside = np.flatnonzero(some[row] & (texts.label[texts.past.index] == leading[row]))
    # Posts of an ask stand in the order of time.
    first, entry = np.unique(row[inside], return_index=True)
    tenure = np.full(len(mix), np.nan)
    began = texts.time_us[texts.past.index[inside[entry]]]
    tenure[first] = (texts.asks.as_of_us[first] - began) / MICROSECONDS_PER_DAY
    return tenure


@dataclass(frozen=True)
class Languages:
    """Languages of all facts as numbers.

    Attributes:
        names: Codes in alphabetical order, `UNKNOWN` among them.
        posts: Place in `names` of each post's, ``(n_posts,)``.
        spoken: Of each creator's own, ``(n_creators,)``.
        audience: Each creator's rows of the audience's languages.
        read: Place in `names` of each such row.
        share: Share of each such row.
    """

    names: tuple[str, ...]
    posts: NDArray[np.int16]
    spoken: Ints
    audience: Ragged
    read: Ints
    share: Floats

    @classmethod
    def of(cls, facts: Facts) -> Languages:
        audience = facts.audience[facts.audience["dimension"] == "language"]
        own = facts.creators["language"]
        spoken = own.astype(object).fillna(UNKNOWN).map(primary)
        columns = [
            pd.factorize(column.to_numpy(object))
            for column in (pd.Series(facts.posts.language), audience["code"].map(primary), spoken)
        ]
        names = tuple(sorted({UNKNOWN}.union(*(found.tolist() for _, found in columns))))
        place = {name: number for number, name in enumerate(names)}
        posts, read, spoke = (
            np.array([place[name] for name in found.tolist()], dtype=np.int64)[codes]
            for codes, found in columns
        )
        whose = facts.codes(audience["creator_id"].to_numpy(object))
        order = np.argsort(whose, kind="stable")
        indptr = np.searchsorted(whose[order], np.arange(len(facts.creator_id) + 1))
        rows = Ragged(indptr.astype(np.int64), np.arange(len(order), dtype=np.int64))
        share = audience["share"].to_numpy(np.float64)[order]
        return cls(names, posts.astype(np.int16), spoke, rows, read[order], share)


def _languages(
    known: Known, first: Ints, past: Ints, asks: Asks
) -> tuple[tuple[str, ...], Floats, Floats, Ints]:
    """Languages known of, shares of each ask's posts and audience in them, and the creator's."""
    facts, all_languages = known.facts, known.languages
    size, width = len(asks), len(all_languages.names)
    posts = np.zeros((size, width))
    for here in _parts(np.minimum(past - first, RECENT_POSTS)):
        recent = Ragged.from_slices(np.maximum(first[here], past[here] - RECENT_POSTS), past[here])
        weight = _recency(facts.posts.timeline.time_us, recent, asks.take(here))
        cell = recent.row * width + all_languages.posts[recent.index]
        posts[here] = np.bincount(cell, weight, minlength=len(here) * width).reshape(-1, width)
    # Columns of those languages that somebody posts in, reads or speaks.
    somewhere = np.asarray((posts > 0).any(axis=0))
    somewhere[all_languages.read] = True
    somewhere[all_languages.spoken] = True
    somewhere[all_languages.names.index(UNKNOWN)] = True
    kept = np.flatnonzero(somewhere)
    column = np.cumsum(somewhere) - 1
    posts = ratio(posts[:, kept], np.broadcast_to(posts.sum(axis=1)[:, None], (size, len(kept))))
    listed = all_languages.audience
    rows = Ragged.from_slices(listed.indptr[asks.creator], listed.indptr[asks.creator + 1])
    cell = rows.row * len(kept) + column[all_languages.read[rows.index]]
    share = all_languages.share[rows.index]
    read = np.bincount(cell, share, minlength=size * len(kept)).astype(np.float64)
    read = read.reshape(size, len(kept))
    read[np.diff(rows.indptr) == 0] = np.nan
    names = tuple(all_languages.names[place] for place in kept)
    return names, posts, read, column[all_languages.spoken[asks.creator]]


def spoken_in(profiles: Profiles, names: tuple[str, ...]) -> Profiles:
    """Profiles with columns of some languages, their own among them, in the order of those."""
    column = np.array([names.index(name) for name in profiles.languages], dtype=np.int64)

    def widened(share: Floats) -> Floats:
        # A row is unknown in every language, or in none.
        wide = np.zeros((len(share), len(names)))
        wide[np.isnan(share).any(axis=1)] = np.nan
        wide[:, column] = share
        return wide

    return replace(
        profiles,
        languages=names,
        posts_language=widened(profiles.posts_language),
        audience_language=widened(profiles.audience_language),
        speaks=column[profiles.speaks],
    )


def _recent_ads(
    facts: Facts, briefs: BriefReading, rows: Ragged, niche: Ints, asks: Asks
) -> RecentAds:
    """Promotions by `rows`; `niche` knows those of posts, and is told those of briefs."""
    brief = facts.ads.brief[rows.index]
    niche[brief >= 0] = briefs.label[brief[brief >= 0]]
    age_us = asks.as_of_us[rows.row] - facts.ads.timeline.time_us[rows.index]
    return RecentAds(rows, facts.ads.brand[rows.index], niche, age_us / MICROSECONDS_PER_DAY)


def _past_outcomes(history: History, asks: Asks) -> PastOutcomes:
    outcomes, timeline = history.facts.outcomes, history.conversion_rates.by_unit
    rows = Ragged.from_slices(*timeline.window(asks.creator, asks.as_of_us, None))
    place = timeline.order[rows.index]
    clicks, impressions = outcomes.clicks[place], outcomes.impressions[place]
    clicked = ~np.isnan(clicks)
    return PastOutcomes(
        rows=rows,
        brief=outcomes.brief[place],
        conversions=outcomes.conversions[place],
        impressions=impressions,
        clicks=np.where(clicked, clicks, 0).astype(np.int64),
        clicks_out_of=np.where(clicked, impressions, 0),
    )


def _totals(facts: Facts, moments: Ints) -> BriefTotals:
    outcomes = facts.outcomes
    if len(moments) == 0:
        none = np.zeros((0, len(facts.brief_vector)), dtype=np.int64)
        return BriefTotals(none, none, none, none)
    timeline = Timeline.build(
        outcomes.brief, outcomes.resolved_us, outcomes.sponsorship_id.astype(str)
    )
    brief = np.tile(np.arange(len(facts.brief_vector)), len(moments))
    first, past = timeline.window(brief, np.repeat(moments, len(facts.brief_vector)), None)
    clicked = ~np.isnan(outcomes.clicks)

    def total(values: NDArray[np.int64]) -> Ints:
        sums = Prefix.build(values[timeline.order]).between(first, past)
        return sums.reshape(len(moments), len(facts.brief_vector))

    return BriefTotals(
        conversions=total(outcomes.conversions),
        impressions=total(outcomes.impressions),
        clicks=total(np.where(clicked, outcomes.clicks, 0).astype(np.int64)),
        clicks_out_of=total(np.where(clicked, outcomes.impressions, 0)),
    )
