"""The tables as arrays in time: what happened, to whom, when.

Sorted once, so that any moment can be asked about. Holds no feature and decides nothing: a fact
here is a column of the contract, the advertisement label of a post, or a vector of a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.readings import AFRESH, TextRules
from features.schemas import DEFAULT_CURRENCY, PLATFORMS, TIERS, Tables
from features.sponsored import label_posts, normalise_brand
from features.windows import Floats, Ints, Timeline

Vectors = NDArray[np.float32]
Strings = NDArray[np.object_]

TIER_FLOORS = np.array([floor for _, floor in TIERS], dtype=np.float64)
UNKNOWN_TIER = len(TIERS)
NO_BRAND = 0


@dataclass(frozen=True)
class Asks:
    """Whom to ask about, and as of when.

    Attributes:
        creator: Creator code (place in `Facts.creator_id`), ``(n,)``.
        as_of_us: Moment in microseconds since 1970, ``(n,)``; what happens at it or later is not
            known.
    """

    creator: Ints
    as_of_us: Ints

    def __len__(self) -> int:
        return len(self.creator)

    def take(self, rows: Ints) -> Asks:
        return Asks(self.creator[rows], self.as_of_us[rows])


@dataclass(frozen=True)
class Posts:
    """Posts sorted by creator and time: arrays of ``(n_posts,)``, `vector` ``(n_posts, dim)``."""

    timeline: Timeline
    post_id: Strings
    text: Strings
    url: Strings
    likes: Floats
    comments: Floats
    views: Floats
    shares: Floats
    saves: Floats
    followers: Floats
    peer: Ints
    language: Strings
    sponsored: NDArray[np.bool_]
    brand: Ints
    vector: Vectors


@dataclass(frozen=True)
class Ads:
    """Every known promotion, a sponsored post or a collaboration, sorted by creator and time.

    The post of a collaboration that began before it is that collaboration, not one more. `post` and
    `brief` say where a promotion's text stands; the one that does not apply is -1.
    """

    timeline: Timeline
    brand: Ints
    post: Ints
    brief: Ints
    collaboration: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """Collaborations and what came of them, in the order of the table.

    `clicks` is NaN where unknown. `brief` is the place in `Facts.brief_vector`.
    """

    sponsorship_id: Strings
    campaign_id: Strings
    creator: Ints
    brand: Ints
    brand_name: Strings
    brief: Ints
    started_us: Ints
    resolved_us: Ints
    impressions: Ints
    clicks: Floats
    conversions: Ints
    cost: Floats
    peer: Ints

    def __len__(self) -> int:
        return len(self.creator)

    def take(self, rows: Ints) -> Outcomes:
        return Outcomes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Facts:
    """All that is known, as of every moment.

    Attributes:
        creators: The table of creators, sorted by id; its place is the creator's code.
        price: Price of a post in `currency`; NaN where it is unknown or in another currency.
        as_of_us: Just after the last thing that was observed: the moment serving asks about.
    """

    creators: pd.DataFrame
    creator_id: Strings
    platform: Ints
    posts: Posts
    ads: Ads
    outcomes: Outcomes
    follower_timeline: Timeline
    follower_count: Floats
    brief_text: Strings
    brief_vector: Vectors
    brief_language: Strings
    audience: pd.DataFrame
    price: Floats
    currency: str
    as_of_us: int

    def codes(self, creator_ids: Sequence[str] | Strings) -> Ints:
        """Codes of creators by id; all must exist."""
        return np.searchsorted(self.creator_id, np.asarray(creator_ids, dtype=object)).astype(
            np.int64
        )

    @property
    def own_outcomes(self) -> Ints:
        """Places of the collaborations that are of these creators: all, but in a part of them."""
        return np.flatnonzero(self.outcomes.creator < len(self.creator_id)).astype(np.int64)

    @cached_property
    def first_post_us(self) -> Ints:
        """Time of each creator's first post, the largest int64 where there is none, ``(n,)``."""
        first = np.full(len(self.creator_id), np.iinfo(np.int64).max)
        np.minimum.at(first, self.posts.timeline.group, self.posts.timeline.time_us)
        return first

    def followers_at(self, creator: Ints, time_us: Ints) -> Floats:
        """Followers last observed before `time_us`; where none was, the count in `creators`."""
        static = self.creators["follower_count"].to_numpy(np.float64)[creator]
        return _followers_at(self.follower_timeline, self.follower_count, static, creator, time_us)

    def peer_at(self, creator: Ints, time_us: Ints) -> Ints:
        """Code of platform and size: those a creator is compared with."""
        return _peer(self.platform[creator], self.followers_at(creator, time_us))


# Past briefs name no vertical, so a query that says enough is encoded as they are, without.
QUERY_CHARS_ENOUGH = 40


def brief_text(query: str, vertical: str | None = None) -> str:
    """The text of a brief that is encoded: a very short query is helped out by the vertical."""
    if vertical and len(query) < QUERY_CHARS_ENOUGH:
        return f"{query} ({vertical})"
    return query


def brand_code(name: str | None) -> int:
    """A number for a brand, of nothing but its normalised name; 0 where there is none."""
    normal = normalise_brand(name) if name else ""
    if not normal:
        return NO_BRAND
    return int.from_bytes(hashlib.blake2b(normal.encode(), digest_size=8).digest(), "big") >> 1


def tier_code(followers: Floats) -> Ints:
    """Place in `TIERS`, or `UNKNOWN_TIER`."""
    code = np.searchsorted(TIER_FLOORS, np.nan_to_num(followers), side="right") - 1
    return np.where(np.isnan(followers), UNKNOWN_TIER, code).astype(np.int64)


def distinct_briefs(tables: Tables) -> list[str]:
    """The briefs whose vectors `build_facts` wants, in its order."""
    return sorted(set(tables.sponsorships["brief"]))


def build_facts(
    tables: Tables,
    post_vector: Vectors,
    brief_vector: Vectors,
    currency: str = DEFAULT_CURRENCY,
    rules: TextRules = AFRESH,
) -> Facts:
    """Sort the tables into arrays in time.

    Args:
        tables: A data set that keeps the contract.
        post_vector: One vector for each row of `tables.posts`, ``(n_posts, dim)``.
        brief_vector: One vector for each of `distinct_briefs`, ``(n_briefs, dim)``.
        currency: The one in which prices count; no rate of exchange is assumed for others.
        rules: Reads the texts.
    """
    facts = facts_without_posts(tables, brief_vector, currency, rules)
    return with_posts(facts, tables.posts, post_vector, posts_of_deals(tables), rules)


def facts_without_posts(
    tables: Tables, brief_vector: Vectors, currency: str, rules: TextRules = AFRESH
) -> Facts:
    """All facts but posts and promotions, which `with_posts` adds; arguments as `build_facts`."""
    creators = tables.creators.sort_values("creator_id", ignore_index=True)
    creator_id = creators["creator_id"].to_numpy(object)
    platform_code = {name: code for code, name in enumerate(PLATFORMS)}
    platform = creators["platform"].map(platform_code).to_numpy(np.int64).astype(np.int64)
    static = creators["follower_count"].to_numpy(np.float64)

    def code_of(ids: pd.Series) -> Ints:
        return np.searchsorted(creator_id, ids.to_numpy(object)).astype(np.int64)

    followers = tables.followers
    follower_creator = code_of(followers["creator_id"])
    follower_timeline = Timeline.build(follower_creator, _microseconds(followers["observed_at"]))
    follower_count = followers["follower_count"].to_numpy(np.float64)[follower_timeline.order]

    def followers_at(creator: Ints, time_us: Ints) -> Floats:
        return _followers_at(follower_timeline, follower_count, static[creator], creator, time_us)

    briefs = distinct_briefs(tables)
    return Facts(
        creators=creators,
        creator_id=creator_id,
        platform=platform,
        posts=_no_posts(brief_vector.shape[1]),
        ads=_no_ads(),
        outcomes=_outcomes(tables, code_of, followers_at, platform),
        follower_timeline=follower_timeline,
        follower_count=follower_count,
        brief_text=np.array(briefs, dtype=object),
        brief_vector=brief_vector,
        brief_language=rules.languages(briefs),
        audience=tables.audience,
        price=np.where(
            creators["currency"] == currency,
            creators["price_per_post"].to_numpy(np.float64),
            np.nan,
        ),
        currency=currency,
        as_of_us=last_moment_us(tables) + 1,
    )


def with_posts(
    facts: Facts, table: pd.DataFrame, vector: Vectors, deal_posts: Strings, rules: TextRules
) -> Facts:
    """Facts with posts, and with the promotions that posts and collaborations are.

    Args:
        facts: Of all creators, or of a part of them.
        table: Posts of these creators, rows of the table `posts`.
        vector: One for each of those rows, ``(n_posts, dim)``.
        deal_posts: `posts_of_deals` of all collaborations.
        rules: Reads the texts.
    """
    posts = _posts(facts, table, vector, rules)
    return replace(facts, posts=posts, ads=_ads(facts, posts, deal_posts))


def posts_of_deals(tables: Tables) -> Strings:
    """Id of the post that each collaboration was, missing where it is not told."""
    ids: Strings = tables.sponsorships["post_id"].to_numpy(object)
    return ids


def parts_of(facts: Facts, edges: Sequence[int]) -> Iterator[Facts]:
    """Facts of the creators from each edge to before the next, as if there were no others.

    A part has codes of its own, from 0. It keeps all collaborations and briefs (`of_part`), for
    what others' brought is known too.

    Args:
        facts: Of all creators, in the order of their ids, without posts.
        edges: Codes, ascending, from 0 to the number of creators.
    """
    timeline = facts.follower_timeline
    followed = np.searchsorted(timeline.group, edges)
    audience_creator = facts.codes(facts.audience["creator_id"].to_numpy(object))
    order = np.argsort(audience_creator, kind="stable")
    heard = np.searchsorted(audience_creator[order], edges)
    for number, (start, stop) in enumerate(pairwise(edges)):
        own = slice(followed[number], followed[number + 1])
        yield replace(
            facts,
            creators=facts.creators.iloc[start:stop].reset_index(drop=True),
            creator_id=facts.creator_id[start:stop],
            platform=facts.platform[start:stop],
            outcomes=of_part(facts.outcomes, start, stop),
            follower_timeline=Timeline.build(timeline.group[own] - start, timeline.time_us[own]),
            follower_count=facts.follower_count[own],
            audience=facts.audience.iloc[order[heard[number] : heard[number + 1]]],
            price=facts.price[start:stop],
        )


def of_part(outcomes: Outcomes, start: int, stop: int) -> Outcomes:
    """All collaborations in the codes of a part of the creators; others have codes past those."""
    creator, size = outcomes.creator, stop - start
    inside = (creator >= start) & (creator < stop)
    # Each other creator keeps a code of its own: how far creators differ counts in everybody's.
    return replace(outcomes, creator=np.where(inside, creator - start, creator + size))


def _no_ads() -> Ads:
    none = np.zeros(0, dtype=np.int64)
    return Ads(Timeline.build(none, none), none, none, none, np.zeros(0, dtype=bool))


def _no_posts(dim: int) -> Posts:
    texts, numbers = np.zeros(0, dtype=object), np.zeros(0)
    codes = np.zeros(0, dtype=np.int64)
    return Posts(
        timeline=Timeline.build(codes, codes),
        post_id=texts,
        text=texts,
        url=texts,
        likes=numbers,
        comments=numbers,
        views=numbers,
        shares=numbers,
        saves=numbers,
        followers=numbers,
        peer=codes,
        language=texts,
        sponsored=np.zeros(0, dtype=bool),
        brand=codes,
        vector=np.zeros((0, dim), dtype=np.float32),
    )


def _posts(facts: Facts, table: pd.DataFrame, vector: Vectors, rules: TextRules) -> Posts:
    creator = facts.codes(table["creator_id"].to_numpy(object))
    post_id = table["post_id"].to_numpy(object)
    timeline = Timeline.build(creator, _microseconds(table["published_at"]), post_id)
    order = timeline.order
    texts = table["text"].tolist()
    labels = label_posts(texts, table["is_sponsored"], table["sponsor"], rules.disclosures)
    sponsored = labels.flags
    brand = np.array([brand_code(name) for name in labels.brands], dtype=np.int64)
    followers = facts.followers_at(timeline.group, timeline.time_us)

    def column(name: str) -> Floats:
        return table[name].to_numpy(np.float64)[order]

    return Posts(
        timeline=timeline,
        post_id=post_id[order],
        text=table["text"].to_numpy(object)[order],
        url=table["url"].astype(object).where(table["url"].notna(), None).to_numpy(object)[order],
        likes=column("likes"),
        comments=column("comments"),
        views=column("views"),
        shares=column("shares"),
        saves=column("saves"),
        followers=followers,
        peer=_peer(facts.platform[timeline.group], followers),
        language=rules.languages(texts)[order],
        sponsored=sponsored[order],
        brand=np.where(sponsored, brand, NO_BRAND)[order],
        vector=vector[order],
    )


def _outcomes(tables: Tables, code_of, followers_at, platform) -> Outcomes:  # type: ignore[no-untyped-def]
    table = tables.sponsorships
    creator = code_of(table["creator_id"])
    started = _microseconds(table["started_at"])
    briefs = np.array(distinct_briefs(tables), dtype=object)
    names = table["brand"].to_numpy(object)
    return Outcomes(
        sponsorship_id=table["sponsorship_id"].to_numpy(object),
        campaign_id=table["campaign_id"].to_numpy(object),
        creator=creator,
        brand=np.array([brand_code(name) for name in names], dtype=np.int64),
        brand_name=names,
        brief=np.searchsorted(briefs, table["brief"].to_numpy(object)).astype(np.int64),
        started_us=started,
        resolved_us=_microseconds(table["resolved_at"]),
        impressions=table["impressions"].to_numpy(np.int64),
        clicks=table["clicks"].to_numpy(np.float64),
        conversions=table["conversions"].to_numpy(np.int64),
        cost=table["cost"].to_numpy(np.float64),
        peer=_peer(platform[creator], followers_at(creator, started)),
    )


def _ads(facts: Facts, posts: Posts, deal_posts: Strings) -> Ads:
    began = pd.Series(facts.outcomes.started_us, index=deal_posts).groupby(level=0).min()
    start = began.reindex(posts.post_id).to_numpy(np.float64)
    twin = start <= posts.timeline.time_us
    sponsored = np.flatnonzero(posts.sponsored & ~twin)
    outcomes = facts.outcomes.take(facts.own_outcomes)
    creator = np.concatenate([posts.timeline.group[sponsored], outcomes.creator])
    time_us = np.concatenate([posts.timeline.time_us[sponsored], outcomes.started_us])
    tie = np.concatenate([posts.post_id[sponsored], outcomes.sponsorship_id])
    timeline = Timeline.build(creator, time_us, tie)
    order = timeline.order
    return Ads(
        timeline=timeline,
        brand=np.concatenate([posts.brand[sponsored], outcomes.brand])[order],
        post=np.concatenate([sponsored, np.full(len(outcomes), -1)])[order],
        brief=np.concatenate([np.full(len(sponsored), -1), outcomes.brief])[order],
        collaboration=(np.arange(len(order)) >= len(sponsored))[order],
    )


def _followers_at(
    timeline: Timeline, observed: Floats, static: Floats, creator: Ints, time_us: Ints
) -> Floats:
    first, past = timeline.window(creator, time_us, None)
    if len(observed) == 0:
        return static
    return np.where(past > first, observed[np.maximum(past - 1, 0)], static)


def _peer(platform: Ints, followers: Floats) -> Ints:
    return platform * (UNKNOWN_TIER + 1) + tier_code(followers)


def _microseconds(times: pd.Series) -> Ints:
    utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
    out: Ints = utc.to_numpy("datetime64[us]").astype(np.int64)
    return out


def last_moment_us(tables: Tables) -> int:
    """The last time anything was observed, in microseconds: a post, a start, a follower count.

    An outcome's `resolved_at` does not count: it may be a date in the plan of a collaboration that
    still runs, and would put everyone's last posts far into the past.
    """
    last = [
        tables.elsewhere.last_us
        if tables.elsewhere is not None
        else _microseconds(tables.posts["published_at"]).max(initial=0),
        _microseconds(tables.sponsorships["started_at"]).max(initial=0),
        _microseconds(tables.followers["observed_at"]).max(initial=0),
    ]
    return int(max(last))
