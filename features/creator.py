"""What is known of a creator as of a moment: engagement, trust, fatigue, growth, price.

Names and formulas stand in `catalogue`. Knows nothing of any brief, nor of niches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import CREATOR_FEATURES
from features.facts import UNKNOWN_TIER, Asks, Facts, tier_code
from features.rates import Posterior, RateHistory
from features.windows import (
    FIXED_POINT,
    MICROSECONDS_PER_DAY,
    Floats,
    Ints,
    Prefix,
    Ragged,
    Timeline,
    ratio,
    slice_max,
    to_fixed,
)

ENGAGEMENT_DAYS = 180.0
# Reactions of a post come in over its first days, but the tables hold its count of today: younger
# posts are left out of every measure of engagement, in training and serving alike. Judgement.
SETTLE_DAYS = 3
TREND_DAYS = 30.0
TREND_BASE_DAYS = 120.0
YEAR_DAYS = 365.0
PEER_POSTS_MIN = 20  # fewer posts of similar creators tell nothing: the comparison is missing


# What a creator is compared in with similar creators, in the order of `PeerSums`.
COMPARED = (
    "engagement",
    "engagement_views",
    "comments_per_like",
    "saves_per_like",
    "shares_per_like",
    "views_per_follower",
)


@dataclass(frozen=True)
class LogMeans:
    """Means of a logarithm over windows of the sorted events of a timeline."""

    total: Prefix
    known: Prefix

    @classmethod
    def build(cls, log_value: Floats) -> LogMeans:
        return cls(Prefix.build(to_fixed(log_value)), Prefix.build(~np.isnan(log_value)))

    def mean(self, first: Ints, past: Ints) -> Floats:
        return ratio(self.total.between(first, past), self.known.between(first, past) * FIXED_POINT)


@dataclass(frozen=True)
class PeerSums:
    """What similar creators' posts come to in each ask's window, a row for each of `COMPARED`.

    Whole numbers: those of parts of the creators, added up, are those of all to the last bit.

    Attributes:
        total: Sums on the grid of `FIXED_POINT`, ``(len(COMPARED), n_asks)``.
        count: Posts, ``(len(COMPARED), n_asks)``.
    """

    total: Ints
    count: Ints

    def __add__(self, other: PeerSums) -> PeerSums:
        return PeerSums(self.total + other.total, self.count + other.count)

    def take(self, rows: Ints | slice) -> PeerSums:
        return PeerSums(self.total[:, rows], self.count[:, rows])

    def means(self) -> dict[str, Floats]:
        """Means by name; missing where there are fewer than `PEER_POSTS_MIN` posts."""
        mean = ratio(self.total, self.count * FIXED_POINT)
        mean[self.count < PEER_POSTS_MIN] = np.nan
        return dict(zip(COMPARED, mean, strict=True))


@dataclass(frozen=True)
class History:
    """Prefix sums over all facts, built once for any number of asks.

    Attributes:
        own: Logarithms of each creator's posts, by name.
        by_peer: The posts by platform and size.
        peers: Logarithms of `COMPARED`, in the order of `by_peer`.
    """

    facts: Facts
    own: dict[str, LogMeans]
    by_peer: Timeline
    peers: dict[str, LogMeans]
    counts: dict[str, Prefix]
    gap_days: Prefix
    gap_days_squared: Prefix
    follower_step: Floats
    click_rates: RateHistory
    conversion_rates: RateHistory


def build_history(facts: Facts) -> History:
    """Sum what can be summed once."""
    posts = facts.posts
    by_peer = Timeline.build(posts.peer, posts.timeline.time_us, posts.post_id)
    reaction = posts.likes + posts.comments
    seen = ~np.isnan(posts.views)
    followed = posts.followers > 0
    own: dict[str, LogMeans] = {}
    peers: dict[str, LogMeans] = {}
    # One at a time: of ten million posts a column has 80 MB.
    for name, log_value in _log_values(facts):
        own[name] = LogMeans.build(log_value)
        if name in COMPARED:
            peers[name] = LogMeans.build(log_value[by_peer.order])

    def total(values: Floats, where: NDArray[np.bool_]) -> Prefix:
        return Prefix.build(np.where(where, values, 0).astype(np.int64))

    every = np.ones(len(reaction), dtype=bool)
    gap = _gap_days(posts.timeline)
    outcomes = facts.outcomes
    clicked = ~np.isnan(outcomes.clicks)
    # Numbers in the order of the ids, which are sorted six times.
    tie = np.unique(outcomes.sponsorship_id.astype(str), return_inverse=True)[1]
    zero = np.zeros(len(outcomes), dtype=np.int64)
    return History(
        facts=facts,
        own=own,
        by_peer=by_peer,
        peers=peers,
        counts={
            "posts": Prefix.build(every),
            "sponsored": Prefix.build(posts.sponsored),
            "likes": total(posts.likes, every),
            "comments": total(posts.comments, every),
            "reaction_followed": total(reaction, followed),
            "followers": total(posts.followers, followed),
            "reaction_seen": total(reaction, seen),
            "views": total(posts.views, seen),
            "views_followed": total(posts.views, seen & followed),
            "followers_seen": total(posts.followers, seen & followed),
            "collaborations": Prefix.build(facts.ads.collaboration),
        },
        gap_days=Prefix.build(to_fixed(gap)),
        gap_days_squared=Prefix.build(to_fixed(gap**2)),
        follower_step=_steps(facts.follower_timeline, facts.follower_count),
        click_rates=RateHistory.build(
            outcomes.creator,
            outcomes.peer,
            outcomes.resolved_us,
            np.where(clicked, outcomes.clicks, 0).astype(np.int64),
            np.where(clicked, outcomes.impressions, zero),
            tie,
        ),
        conversion_rates=RateHistory.build(
            outcomes.creator,
            outcomes.peer,
            outcomes.resolved_us,
            outcomes.conversions,
            outcomes.impressions,
            tie,
        ),
    )


def _log_values(facts: Facts) -> Iterator[tuple[str, Floats]]:
    """Logarithms of what posts brought, by name, ``(n_posts,)`` each; NaN where unknown."""
    posts = facts.posts
    followers = np.log(np.where(posts.followers > 0, posts.followers, np.nan))
    reaction = np.log(posts.likes + posts.comments + 1)
    yield "engagement", reaction - followers
    yield "sponsored_likes", np.where(posts.sponsored, reaction, np.nan)
    yield "organic_likes", np.where(posts.sponsored, np.nan, reaction)
    views = np.log(posts.views + 1)
    yield "views", views
    yield "engagement_views", reaction - views
    yield "views_per_follower", views - followers
    likes = np.log(posts.likes + 1)
    yield "comments_per_like", np.log(posts.comments + 1) - likes
    yield "saves_per_like", np.log(posts.saves + 1) - likes
    yield "shares_per_like", np.log(posts.shares + 1) - likes


@dataclass(frozen=True)
class CreatorNumbers:
    """The creator's part of every row.

    Attributes:
        values: ``(n_asks, len(CREATOR_FEATURES))`` float64 in the catalogue's order.
        clicks, conversions: Posteriors of the past rates, which the pair features shrink towards.
        followers: Followers as of each ask, ``(n_asks,)``.
    """

    values: Floats
    clicks: Posterior
    conversions: Posterior
    followers: Floats


def settled_before(as_of_us: Ints) -> Ints:
    """The moment before which posts have settled, for each ask."""
    return as_of_us - SETTLE_DAYS * MICROSECONDS_PER_DAY


def peer_sums(history: History, peer: Ints, as_of_us: Ints) -> PeerSums:
    """Sum the posts of those of a platform and size in the window before each moment.

    Args:
        history: Of all creators, or of a part of them.
        peer: Whom each ask's creator is compared with (`Facts.peer_at`), ``(n,)``.
        as_of_us: ``(n,)``.
    """
    first, past = history.by_peer.window(peer, settled_before(as_of_us), ENGAGEMENT_DAYS)
    means = [history.peers[name] for name in COMPARED]
    return PeerSums(
        np.stack([one.total.between(first, past) for one in means]),
        np.stack([one.known.between(first, past) for one in means]),
    )


def creator_numbers(history: History, asks: Asks, peers: PeerSums | None = None) -> CreatorNumbers:
    """Compute every creator feature for every ask.

    Args:
        history: Of all creators; with `peers`, of those asked about at least.
        asks: Whom, as of when.
        peers: What `peer_sums` gives of all creators; None: `history` has them all.
    """
    facts = history.facts
    followers = facts.followers_at(asks.creator, asks.as_of_us)
    peer = facts.peer_at(asks.creator, asks.as_of_us)
    columns: dict[str, Floats] = {}
    columns |= _size(facts, asks, followers)
    if peers is None:
        peers = peer_sums(history, peer, asks.as_of_us)
    columns |= _engagement(history, asks, peers)
    columns |= _cadence(history, asks)
    columns |= _growth(history, asks, followers)
    columns["bought_audience_signs"] = _bought_audience_signs(columns)
    columns |= _fatigue(history, asks)
    clicks = history.click_rates.posterior(asks.creator, peer, asks.as_of_us)
    conversions = history.conversion_rates.posterior(asks.creator, peer, asks.as_of_us)
    columns["past_click_rate"] = clicks.rate
    columns["past_conversion_rate"] = conversions.rate
    columns["past_impressions_log"] = np.log1p(conversions.exposure)
    columns |= _price(facts, asks, columns["views_log"])
    values = np.column_stack([columns[feature.name] for feature in CREATOR_FEATURES])
    return CreatorNumbers(values, clicks, conversions, followers)


def _size(facts: Facts, asks: Asks, followers: Floats) -> dict[str, Floats]:
    tier = tier_code(followers)
    return {
        "followers_log": np.log1p(followers),
        "tier": np.where(tier == UNKNOWN_TIER, np.nan, tier.astype(np.float64)),
        "platform": facts.platform[asks.creator].astype(np.float64),
    }


def _engagement(history: History, asks: Asks, peers: PeerSums) -> dict[str, Floats]:
    timeline, counts = history.facts.posts.timeline, history.counts
    settled = settled_before(asks.as_of_us)
    first, past = timeline.window(asks.creator, settled, ENGAGEMENT_DAYS)
    peer_means = peers.means()

    def share(top: str, bottom: str) -> Floats:
        return ratio(counts[top].between(first, past), counts[bottom].between(first, past))

    def relative(name: str) -> Floats:
        return np.exp(history.own[name].mean(first, past) - peer_means[name])

    recent_first, recent_past = timeline.window(asks.creator, settled, TREND_DAYS)
    base_first = timeline.window(asks.creator, settled, TREND_DAYS + TREND_BASE_DAYS)[0]
    views = history.own["views"]
    trend = views.mean(recent_first, recent_past) - views.mean(base_first, recent_first)
    return {
        "engagement_rate": share("reaction_followed", "followers"),
        "engagement_rate_views": share("reaction_seen", "views"),
        "engagement_rate_relative": relative("engagement"),
        "engagement_views_relative": relative("engagement_views"),
        "comments_per_like": share("comments", "likes"),
        "comments_per_like_relative": relative("comments_per_like"),
        "saves_per_like_relative": relative("saves_per_like"),
        "shares_per_like_relative": relative("shares_per_like"),
        "views_per_follower": share("views_followed", "followers_seen"),
        "views_per_follower_relative": relative("views_per_follower"),
        "views_trend": np.exp(trend),
        "views_log": views.mean(first, past),
    }


def _cadence(history: History, asks: Asks) -> dict[str, Floats]:
    timeline = history.facts.posts.timeline
    all_first, past = timeline.window(asks.creator, asks.as_of_us, None)
    quarter_first = timeline.window(asks.creator, asks.as_of_us, 90.0)[0]
    year_first = timeline.window(asks.creator, asks.as_of_us, YEAR_DAYS)[0]
    # A gap belongs to the post that ends it: the window's first post ends one from before.
    gap_first = np.minimum(year_first + 1, past)
    gaps = past - gap_first
    mean = ratio(history.gap_days.between(gap_first, past), gaps * FIXED_POINT)
    square = ratio(history.gap_days_squared.between(gap_first, past), gaps * FIXED_POINT)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return {
        "posts_per_week": np.where(past > all_first, (past - quarter_first) * (7.0 / 90.0), np.nan),
        "days_since_post": _days_since(timeline, past - 1, past > all_first, asks),
        "posting_irregularity": np.where(gaps >= 3, ratio(spread, mean), np.nan),
        "days_active": _days_since(timeline, all_first, past > all_first, asks),
    }


def _growth(history: History, asks: Asks, followers: Floats) -> dict[str, Floats]:
    timeline, count = history.facts.follower_timeline, history.facts.follower_count
    quarter = asks.as_of_us - 90 * MICROSECONDS_PER_DAY
    first, before = timeline.window(asks.creator, quarter, None)
    some = before > first
    earlier = np.full(len(asks), np.nan)
    if len(count):
        earlier = np.where(some, count[np.maximum(before - 1, 0)], np.nan)
    year_first, past = timeline.window(asks.creator, asks.as_of_us, YEAR_DAYS)
    return {
        "follower_growth_90d": ratio(followers, earlier),
        "follower_jump_365d": slice_max(history.follower_step, year_first, past),
    }


def _bought_audience_signs(columns: dict[str, Floats]) -> Floats:
    """Bought followers do not react, comment or watch, and come all at once."""
    shortfalls = [
        np.maximum(-np.log(columns[name]), 0.0)
        for name in (
            "engagement_rate_relative",
            "comments_per_like_relative",
            "views_per_follower_relative",
        )
    ]
    shortfalls.append(np.maximum(np.log(columns["follower_jump_365d"]), 0.0))
    stacked = np.vstack(shortfalls)
    known = ~np.isnan(stacked)
    out: Floats = np.where(known.any(axis=0), np.where(known, stacked, 0.0).sum(axis=0), np.nan)
    return out


def _fatigue(history: History, asks: Asks) -> dict[str, Floats]:
    facts = history.facts
    timeline, counts = facts.posts.timeline, history.counts
    columns: dict[str, Floats] = {}
    for days in (30, 90, 365):
        first, past = timeline.window(asks.creator, asks.as_of_us, float(days))
        columns[f"sponsored_share_{days}d"] = ratio(
            counts["sponsored"].between(first, past), counts["posts"].between(first, past)
        )
    ads = facts.ads.timeline
    all_first, past = ads.window(asks.creator, asks.as_of_us, None)
    columns["days_since_sponsored"] = _days_since(ads, past - 1, past > all_first, asks)
    quarter_first, quarter_past = ads.window(asks.creator, asks.as_of_us, 90.0)
    columns["collaborations_90d"] = (
        counts["collaborations"].between(quarter_first, quarter_past).astype(np.float64)
    )
    year_first, year_past = ads.window(asks.creator, asks.as_of_us, YEAR_DAYS)
    columns["sponsor_brands_365d"] = _distinct(facts.ads.brand, year_first, year_past)
    first, past = timeline.window(asks.creator, settled_before(asks.as_of_us), YEAR_DAYS)
    columns["sponsored_engagement_ratio"] = np.exp(
        history.own["sponsored_likes"].mean(first, past)
        - history.own["organic_likes"].mean(first, past)
    )
    return columns


def _price(facts: Facts, asks: Asks, views_log: Floats) -> dict[str, Floats]:
    price = facts.price[asks.creator]
    gifting = facts.creators["accepts_gifting"].take(asks.creator).astype("Float64")
    return {
        "price_log": np.log1p(price),
        "price_per_1000_views": price / np.exp(views_log) * 1000.0,
        "accepts_gifting": gifting.to_numpy(np.float64, na_value=np.nan),
    }


def _days_since(timeline: Timeline, index: Ints, some: NDArray[np.bool_], asks: Asks) -> Floats:
    if len(timeline.time_us) == 0:
        return np.full(len(asks), np.nan)
    safe = np.clip(index, 0, len(timeline.time_us) - 1)
    days = (asks.as_of_us - timeline.time_us[safe]) / MICROSECONDS_PER_DAY
    return np.where(some, days, np.nan)


def _distinct(brand: Ints, first: Ints, past: Ints) -> Floats:
    """Number of distinct brands in each slice; those not named do not count."""
    slices = Ragged.from_slices(first, past)
    row, brands = slices.row, brand[slices.index]
    named = np.flatnonzero(brands != 0)
    order = named[np.lexsort((brands[named], row[named]))]
    row, brands = row[order], brands[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (brands[1:] != brands[:-1])
    return np.bincount(row[new], minlength=len(first)).astype(np.float64)


def _gap_days(timeline: Timeline) -> Floats:
    """Days since the same creator's post before; 0 for the first."""
    gap = np.zeros(len(timeline.time_us))
    same = timeline.group[1:] == timeline.group[:-1]
    gap[1:] = np.where(same, np.diff(timeline.time_us) / MICROSECONDS_PER_DAY, 0.0)
    return gap


def _steps(timeline: Timeline, count: Floats) -> Floats:
    """Ratio of each follower count to the one before it; NaN for a creator's first."""
    step = np.full(len(count), np.nan)
    if len(count):
        same = timeline.group[1:] == timeline.group[:-1]
        step[1:] = np.where(same, ratio(count[1:], count[:-1]), np.nan)
    return step
