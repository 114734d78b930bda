"""How texts are read in each period: models that know no post later than the period's start.

What is known of all creators and past briefs stands here with them. Knows nothing of how a
creator's texts become a profile (`subjects`, `profiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.creator import History, build_history
from features.facts import Asks, Facts, Posts
from features.pair import BriefProfile
from features.vectors import Vectors
from features.windows import Ints, Ragged, Timeline
from models.niche import NicheModel
from models.projection import Moments, Projection, Spread
from models.spoken import Languages

NICHE_PERIOD = "MS"  # pandas' name for the starts of calendar months
# Creators a niche model learns from, at most. Of 28 niches of a simulated world with the default
# encoder, 125 labelled creators told 0.803 of others right, 500 0.830, 1,000 and 2,000 0.837; a fit
# takes twice the time of twice as many.
MOST_LABELLED = 2_000
# Vectors are read in parts of so many: 512 dimensions of float64 take 134 MB. Half or twice as many
# are as fast.
PART_POSTS = 1 << 15


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
