"""Facts become profiles, as of a moment: niche mix, topics, best posts, recent ads, past outcomes.

Training asks at the start of each past sponsorship, serving about every creator now; both come
here. Knows nothing of what is learned from a profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from features.creator import (
    YEAR_DAYS,
    History,
    build_history,
    creator_numbers,
    settled_before,
)
from features.facts import Asks, Facts, Strings
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
from models.projection import Projection, fit_projection

MAX_TOPICS = 3
NICHE_PERIOD = "MS"  # pandas' name for the starts of calendar months
RECENT_POSTS = 60  # a niche mix and topics are made of at most so many of the latest posts
HALF_LIFE_DAYS = 90.0  # of a post's weight in the mix and the topics
WEIGHT_UNIT = 1024  # weights are whole numbers, so that weighted sums of vectors are exact
BEST_POSTS = 5
TOPIC_SHARE_MIN = 0.1  # a topic of less of the weight is dropped
POSTS_PER_TOPIC = 3
LLOYD_STEPS = 5


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

    def period_of(self, as_of_us: Ints) -> Ints:
        """Which snapshot is in force at each moment."""
        starts = np.array([snapshot.from_us for snapshot in self.snapshots])
        return np.searchsorted(starts, as_of_us, side="right").astype(np.int64) - 1


def know(facts: Facts, fit: Callable[[Vectors, Ints, int], NicheModel]) -> Known:
    """Fit a niche model and a projection for each calendar month, from the posts before it.

    The months are those of the calendar (UTC), not of the data, so that a later post moves no
    earlier boundary. The first snapshot has seen no post at all.

    Args:
        facts: What happened.
        fit: Called with the vectors and creator codes of the posts before a moment, and that
            moment; returns a niche model.
    """
    times = facts.posts.timeline.time_us
    snapshots = []
    for start_us in [np.iinfo(np.int64).min, *_months(times, facts.as_of_us)]:
        before = np.flatnonzero(times < start_us)
        model = fit(facts.posts.vector[before], facts.posts.timeline.group[before], int(start_us))
        # An advertisement's subject is its brand's.
        own = before[~facts.posts.sponsored[before]]
        projection = fit_projection(facts.posts.vector[own], facts.posts.timeline.group[own])
        snapshots.append(Snapshot(int(start_us), model, projection))
    return Known(build_history(facts), tuple(snapshots))


def _months(times_us: Ints, as_of_us: int) -> list[int]:
    """Starts of the calendar months after the first post, up to `as_of_us`."""
    if len(times_us) == 0:
        return []
    first, last = (pd.Timestamp(int(us), unit="us", tz="UTC") for us in (times_us.min(), as_of_us))
    starts = pd.date_range(first.normalize(), last, freq=NICHE_PERIOD)
    return [round(start.timestamp()) * 1_000_000 for start in starts if start > first]


def profile_brief(
    model: NicheModel, projection: Projection, vector: Vectors, language: str, brand: int
) -> BriefProfile:
    """Profile a brief of a vector ``(dim,)``, in a language, by a brand of a code."""
    one = vector[np.newaxis]
    mix = model.predict_proba(one)[0].astype(np.float64)
    return BriefProfile(vector, projection.project(one)[0], mix, language, brand)


def profile_creators(
    known: Known, asks: Asks, progress: Callable[[int], None] | None = None
) -> Profiles:
    """Make the profiles of asks that all fall in one period of the snapshots.

    Args:
        known: Facts and snapshots.
        asks: Whom, as of when.
        progress: Called with the number of asks done, now and then.

    Raises:
        ValueError: The asks fall in more than one period.
    """
    periods = np.unique(known.period_of(asks.as_of_us))
    if len(periods) > 1:
        raise ValueError("asks of one call must fall in one period of the snapshots")
    snapshot = known.snapshots[int(periods[0]) if len(periods) else -1]
    model = snapshot.model
    facts = known.facts
    posts = facts.posts
    first, past = posts.timeline.window(asks.creator, asks.as_of_us, None)
    recent = Ragged.from_slices(np.maximum(first, past - RECENT_POSTS), past)
    weight = _recency(posts.timeline, recent, asks)
    proba = model.predict_proba(posts.vector).astype(np.float64)
    label = np.argmax(proba, axis=1)
    mix = _mix(recent, weight, proba, len(asks))
    topics, share, best = _topics(facts, recent, weight, asks, progress)
    languages, posts_language, audience_language, speaks = _languages(facts, recent, weight, asks)
    moments, moment = np.unique(asks.as_of_us, return_inverse=True)
    return Profiles(
        asks=asks,
        numbers=creator_numbers(known.history, asks),
        mix=mix,
        topics=topics,
        topic_share=share,
        best=best,
        subject=_subject(posts.vector, snapshot.projection, recent, weight, len(asks)),
        languages=languages,
        posts_language=posts_language,
        audience_language=audience_language,
        speaks=speaks,
        niche_values=_niche_values(facts, label, asks, mix),
        ads=_recent_ads(facts, model, asks, label),
        outcomes=_past_outcomes(known.history, asks),
        moment=moment.astype(np.int64),
        totals=_totals(facts, moments),
        brief_subject=snapshot.projection.project(facts.brief_vector),
    )


def _recency(timeline: Timeline, recent: Ragged, asks: Asks) -> Ints:
    age_days = (asks.as_of_us[recent.row] - timeline.time_us[recent.index]) / MICROSECONDS_PER_DAY
    weight = np.rint(WEIGHT_UNIT * np.exp2(-age_days / HALF_LIFE_DAYS))
    whole: Ints = np.maximum(weight, 1).astype(np.int64)
    return whole


def _mix(recent: Ragged, weight: Ints, proba: Floats, size: int) -> Floats:
    """Niche mix of each ask; NaN where there are no posts."""
    # scipy adds each row's entries one after the other: the sum depends on that row alone.
    matrix = csr_array(
        (weight.astype(np.float64), recent.index, recent.indptr), shape=(size, len(proba))
    )
    total = np.bincount(recent.row, weight, minlength=size).astype(np.float64)
    mix: Floats = np.full((size, proba.shape[1]), np.nan)
    summed = np.asarray(matrix @ proba)
    np.divide(summed, total[:, np.newaxis], out=mix, where=total[:, np.newaxis] > 0)
    return mix


def _subject(
    vectors: Vectors, projection: Projection, recent: Ragged, weight: Ints, size: int
) -> Vectors:
    """Mean projected vector of each ask's posts, as if one fresh post of no subject were more."""
    needed, place = np.unique(recent.index, return_inverse=True)
    projected = projection.project(vectors[needed]).astype(np.float64)
    matrix = csr_array((weight.astype(np.float64), place, recent.indptr), shape=(size, len(needed)))
    total = np.bincount(recent.row, weight, minlength=size) + WEIGHT_UNIT
    # Sums of whole multiples of the grid are exact; the mean is no longer than 1, so it may stand
    # on the grid itself, where its dot products are exact.
    mean = np.asarray(matrix @ projected) / total[:, np.newaxis]
    subject: Vectors = (np.trunc(mean * GRID) / GRID).astype(np.float32)
    return subject


def _languages(
    facts: Facts, recent: Ragged, weight: Ints, asks: Asks
) -> tuple[tuple[str, ...], Floats, Floats, Ints]:
    """Languages known of, shares of each ask's posts and audience in them, and the creator's."""
    audience = facts.audience[facts.audience["dimension"] == "language"]
    read = audience["code"].map(primary).to_numpy(object)
    own = facts.creators["language"].to_numpy(object)
    spoken = np.array([UNKNOWN if pd.isna(tag) else primary(tag) for tag in own], dtype=object)
    posted = facts.posts.language
    found = {str(code) for codes in (posted[recent.index], read, spoken) for code in set(codes)}
    languages = tuple(sorted(found | {UNKNOWN}))
    column = {code: place for place, code in enumerate(languages)}

    def columns(codes: Strings) -> Ints:
        return np.array([column[code] for code in codes], dtype=np.int64)

    size, width = len(asks), len(languages)
    posts = np.zeros((size, width))
    np.add.at(posts, (recent.row, columns(posted[recent.index])), weight)
    total = np.bincount(recent.row, weight, minlength=size)
    posts = ratio(posts, np.broadcast_to(total[:, np.newaxis], posts.shape))
    shares = np.full((len(facts.creator_id), width), np.nan)
    whose = facts.codes(audience["creator_id"].to_numpy(object))
    shares[whose] = 0.0
    np.add.at(shares, (whose, columns(read)), audience["share"].to_numpy(np.float64))
    return languages, posts, shares[asks.creator], columns(spoken)[asks.creator]


def _topics(
    facts: Facts,
    recent: Ragged,
    weight: Ints,
    asks: Asks,
    progress: Callable[[int], None] | None,
) -> tuple[Vectors, Floats, Vectors]:
    """Topic vectors and their shares, and the mean vector of the posts that engaged most."""
    posts = facts.posts
    dim = posts.vector.shape[1]
    size = len(asks)
    topics = np.zeros((size, MAX_TOPICS, dim), dtype=np.float32)
    share = np.zeros((size, MAX_TOPICS))
    best = np.zeros((size, dim), dtype=np.float32)
    reaction = posts.likes + posts.comments
    year_us = int(YEAR_DAYS * MICROSECONDS_PER_DAY)
    settled = settled_before(asks.as_of_us)
    for ask in range(size):
        here = slice(recent.indptr[ask], recent.indptr[ask + 1])
        index = recent.index[here]
        if len(index):
            found, shares = cluster(posts.vector[index], weight[here])
            topics[ask, : len(found)] = found
            share[ask, : len(found)] = shares
            time_us = posts.timeline.time_us[index]
            fresh = index[(time_us >= asks.as_of_us[ask] - year_us) & (time_us < settled[ask])]
            most = fresh[np.argsort(-reaction[fresh], kind="stable")[:BEST_POSTS]]
            best[ask] = snap(posts.vector[most].astype(np.float64).sum(axis=0))
        if progress is not None and (ask + 1) % 100 == 0:
            progress(100)
    if progress is not None:
        progress(size % 100)
    return topics, share, best


def cluster(vectors: Vectors, weight: Ints) -> tuple[Vectors, Floats]:
    """Spherical k-means with up to `MAX_TOPICS` centres, the heaviest first.

    Dhillon and Modha 2001, "Concept decompositions for large sparse text data using clustering".
    Starts from the post most like all the others, then those farthest from the centres so far:
    no chance in it, so the same posts give the same topics.

    Args:
        vectors: ``(n, dim)`` float32 on the grid.
        weight: ``(n,)`` whole numbers above 0.

    Returns:
        Centres on the grid ``(k, dim)`` and their shares of the weight ``(k,)``, summing to 1.
    """
    some = vectors.any(axis=1)
    vectors, weight = vectors[some], weight[some]
    if len(vectors) == 0:
        return vectors, np.zeros(0)
    wanted = min(MAX_TOPICS, max(1, len(vectors) // POSTS_PER_TOPIC))
    exact = vectors.astype(np.float64)  # whole multiples of the grid: float64 adds them exactly
    mass = weight.astype(np.float64)
    total = snap(mass @ exact)
    chosen = [int(np.argmax(vectors @ total))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < wanted:
        candidate = int(np.argmax(mass * (1.0 - nearest)))
        if nearest[candidate] >= 1.0 - 1e-3:
            break
        chosen.append(candidate)
        nearest = np.maximum(nearest, vectors @ vectors[candidate])
    centres = vectors[chosen]
    for _ in range(LLOYD_STEPS):
        member = np.argmax(vectors @ centres.T, axis=1)
        held = (member[np.newaxis] == np.arange(len(centres))[:, np.newaxis]) * mass
        centres, moved = snap(held @ exact), centres
        if np.array_equal(centres, moved):
            break
    share = held.sum(axis=1) / mass.sum()
    keep = np.flatnonzero(share >= TOPIC_SHARE_MIN)
    keep = keep[np.argsort(-share[keep], kind="stable")]
    kept: Floats = share[keep] / share[keep].sum()
    return centres[keep], kept


def _niche_values(facts: Facts, label: Ints, asks: Asks, mix: Floats) -> Floats:
    """Concentration of the mix, and days since the first post in its leading niche."""
    posts = facts.posts
    squares = np.zeros(len(asks))
    for niche in range(mix.shape[1]):
        squares += mix[:, niche] ** 2
    some = ~np.isnan(squares)
    leading = np.argmax(np.where(some[:, np.newaxis], mix, 0.0), axis=1)
    first = np.full((len(facts.creator_id), mix.shape[1]), np.iinfo(np.int64).max)
    np.minimum.at(first, (posts.timeline.group, label), posts.timeline.time_us)
    began = first[asks.creator, leading]
    known = some & (began < asks.as_of_us)
    tenure = (asks.as_of_us - np.where(known, began, 0)) / MICROSECONDS_PER_DAY
    return np.column_stack([squares, np.where(known, tenure, np.nan)])


def _recent_ads(facts: Facts, model: NicheModel, asks: Asks, label: Ints) -> RecentAds:
    ads = facts.ads
    rows = Ragged.from_slices(*ads.timeline.window(asks.creator, asks.as_of_us, YEAR_DAYS))
    post, brief = ads.post[rows.index], ads.brief[rows.index]
    niche = np.full(len(post), -1, dtype=np.int64)
    niche[post >= 0] = label[post[post >= 0]]
    if len(facts.brief_vector):
        brief_label = np.argmax(model.predict_proba(facts.brief_vector), axis=1)
        niche[brief >= 0] = brief_label[brief[brief >= 0]]
    age_us = asks.as_of_us[rows.row] - ads.timeline.time_us[rows.index]
    return RecentAds(rows, ads.brand[rows.index], niche, age_us / MICROSECONDS_PER_DAY)


def _past_outcomes(history: History, asks: Asks) -> PastOutcomes:
    outcomes, timeline = history.facts.outcomes, history.conversion_rates.by_unit
    rows = Ragged.from_slices(*timeline.window(asks.creator, asks.as_of_us, None))
    place = timeline.order[rows.index]
    clicked = ~np.isnan(outcomes.clicks)
    return PastOutcomes(
        rows=rows,
        brief=outcomes.brief[place],
        conversions=outcomes.conversions[place],
        impressions=outcomes.impressions[place],
        clicks=np.where(clicked, outcomes.clicks, 0).astype(np.int64)[place],
        clicks_out_of=np.where(clicked, outcomes.impressions, 0)[place],
    )


def _totals(facts: Facts, moments: Ints) -> BriefTotals:
    outcomes = facts.outcomes
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
