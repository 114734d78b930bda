"""What creators' posts are about: niche mix, topics, subject, the best, tenure.

Weights are whole numbers and vectors lie on a grid, so sums are exact and hang on nothing but the
posts of the one who is asked about. Knows nothing of outcomes, promotions or audiences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from features.creator import YEAR_DAYS, settled_before
from features.facts import Asks, Facts
from features.vectors import GRID, Vectors, snap
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints, Ragged
from models.niche import NicheModel
from models.projection import Projection

MAX_TOPICS = 3
RECENT_POSTS = 60  # a niche mix and topics are made of at most so many of the latest posts
HALF_LIFE_DAYS = 90.0  # of a post's weight in the mix and the topics
WEIGHT_UNIT = 1024  # weights are whole numbers, so that weighted sums of vectors are exact
BEST_POSTS = 5
TOPIC_SHARE_MIN = 0.1  # a topic of less of the weight is dropped
POSTS_PER_TOPIC = 3
LLOYD_STEPS = 5
PART_FLOATS = 1 << 20  # parts of vectors that are clustered at once: 4 MB


@dataclass(frozen=True)
class Texts:
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
    def of(cls, facts: Facts, model: NicheModel, asks: Asks, first: Ints, past: Ints) -> Texts:
        every = Ragged.from_slices(first, past)
        post, place = np.unique(every.index, return_inverse=True)
        every = Ragged(every.indptr, place.astype(np.int64))
        ends = every.indptr[1:]
        last = Ragged.from_slices(np.maximum(every.indptr[:-1], ends - RECENT_POSTS), ends)
        recent = Ragged(last.indptr, every.index[last.index])
        vector = np.asarray(facts.posts.vector[post])
        time_us = facts.posts.timeline.time_us[post]
        proba = model.predict_proba(vector).astype(np.float64)
        weight = recency(time_us, recent, asks)
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


def recency(time_us: Ints, recent: Ragged, asks: Asks) -> Ints:
    """Weight of each entry of some asks' recent posts, a whole number of at least 1."""
    age_days = (asks.as_of_us[recent.row] - time_us[recent.index]) / MICROSECONDS_PER_DAY
    weight = np.rint(WEIGHT_UNIT * np.exp2(-age_days / HALF_LIFE_DAYS))
    whole: Ints = np.maximum(weight, 1).astype(np.int64)
    return whole


def mix_of(texts: Texts) -> Floats:
    """Niche mix of each ask; NaN where there are no posts."""
    total = texts.total.astype(np.float64)[:, np.newaxis]
    mix: Floats = np.full((len(total), texts.proba.shape[1]), np.nan)
    np.divide(texts.weighted_sum(texts.proba), total, out=mix, where=total > 0)
    return mix


def subject_of(texts: Texts, projection: Projection) -> Vectors:
    """Mean projected vector of each ask's posts, as if one fresh post of no subject were more."""
    needed = np.unique(texts.recent.index)
    projected = np.zeros((len(texts.post), projection.matrix.shape[1]))
    projected[needed] = projection.project(texts.vector[needed])
    # Sums of whole multiples of the grid are exact; the mean is no longer than 1, so it may stand
    # on the grid itself, where its dot products are exact.
    mean = texts.weighted_sum(projected) / (texts.total + WEIGHT_UNIT)[:, np.newaxis]
    subject: Vectors = (np.trunc(mean * GRID) / GRID).astype(np.float32)
    return subject


def topics_of(texts: Texts) -> tuple[Vectors, Floats]:
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


def best_of(facts: Facts, texts: Texts) -> Vectors:
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


def concentration_of(mix: Floats) -> Floats:
    """Sum of the squared shares, added in one order whatever the number of rows."""
    squares = np.zeros(len(mix))
    for niche in range(mix.shape[1]):
        squares += mix[:, niche] ** 2
    return squares


def tenure_of(texts: Texts, mix: Floats) -> Floats:
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
