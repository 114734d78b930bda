"""Facts become profiles, as of a moment: what texts say, recent ads, past outcomes, languages.

Training asks at the start of each past sponsorship, serving about every creator now; both come
here. Knows nothing of what is learned from a profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.creator import YEAR_DAYS, History, PeerSums, creator_numbers
from features.facts import Asks, Facts
from features.language import UNKNOWN
from features.pair import BriefTotals, PastOutcomes, Profiles, RecentAds
from features.vectors import Vectors
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints, Prefix, Ragged, Timeline, ratio
from models.snapshots import PART_POSTS, BriefReading, Known, Snapshot, read_briefs
from models.subjects import (
    MAX_TOPICS,
    RECENT_POSTS,
    Texts,
    best_of,
    concentration_of,
    mix_of,
    recency,
    subject_of,
    tenure_of,
    topics_of,
)

PART_ASKS = 1 << 12  # of creators who posted little or nothing


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
        texts = Texts.of(facts, briefs.snapshot.model, asks.take(here), first[here], past[here])
        made.mix[here] = mix_of(texts)
        made.topics[here], made.topic_share[here] = topics_of(texts)
        made.best[here] = best_of(facts, texts)
        made.subject[here] = subject_of(texts, briefs.snapshot.projection)
        made.tenure[here] = tenure_of(texts, made.mix[here])
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
        niche_values=np.column_stack([concentration_of(made.mix), made.tenure]),
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


def _languages(
    known: Known, first: Ints, past: Ints, asks: Asks
) -> tuple[tuple[str, ...], Floats, Floats, Ints]:
    """Languages known of, shares of each ask's posts and audience in them, and the creator's."""
    facts, all_languages = known.facts, known.languages
    size, width = len(asks), len(all_languages.names)
    posts = np.zeros((size, width))
    for here in _parts(np.minimum(past - first, RECENT_POSTS)):
        recent = Ragged.from_slices(np.maximum(first[here], past[here] - RECENT_POSTS), past[here])
        weight = recency(facts.posts.timeline.time_us, recent, asks.take(here))
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
