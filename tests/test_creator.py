"""Creator features equal their formulas, worked out by brute force from the tables."""

import numpy as np
import pandas as pd
import pytest

from features.catalogue import BY_NAME, CREATOR_FEATURES, FEATURE_NAMES, FEATURES
from features.creator import SETTLE_DAYS, creator_numbers
from features.facts import Asks
from features.sponsored import label_posts

NAMES = [feature.name for feature in CREATOR_FEATURES]


@pytest.fixture(scope="module")
def asked(small_known):
    """Values of every creator at three moments, with the asks."""
    facts = small_known.facts
    n = len(facts.creator_id)
    span = facts.as_of_us - int(facts.posts.timeline.time_us.min())
    moments = [facts.as_of_us - int(part * span) for part in (0.0, 0.3, 0.6)]
    asks = Asks(np.tile(np.arange(n), 3), np.repeat(moments, n))
    return asks, creator_numbers(small_known.history, asks).values


def _posts_before(tables, facts, asks, row, days, settle_days=0):
    posts = tables.posts
    as_of = pd.Timestamp(int(asks.as_of_us[row]), unit="us", tz="UTC")
    as_of -= pd.Timedelta(days=settle_days)
    mine = posts["creator_id"] == facts.creator_id[asks.creator[row]]
    inside = mine & (posts["published_at"] < as_of)
    if days is not None:
        inside &= posts["published_at"] >= as_of - pd.Timedelta(days=days)
    return posts[inside]


def _expect(asked, small_known, name, value):
    """Compare one feature with `value(row)` on a sample of asks."""
    asks, values = asked
    column = values[:, NAMES.index(name)]
    compared = 0
    for row in range(0, len(asks), 7):
        wanted = value(row)
        if np.isnan(wanted):
            assert np.isnan(column[row]), (name, row)
        else:
            assert column[row] == pytest.approx(wanted, rel=1e-5, abs=1e-9), (name, row)
            compared += 1
    assert compared > 5, f"{name} is missing nearly everywhere"


def test_comments_per_like(asked, small_known, small_tables):
    def value(row):
        posts = _posts_before(small_tables, small_known.facts, asked[0], row, 180, SETTLE_DAYS)
        likes = posts["likes"].sum()
        return posts["comments"].sum() / likes if likes else np.nan

    _expect(asked, small_known, "comments_per_like", value)


def test_engagement_rate_by_views(asked, small_known, small_tables):
    def value(row):
        posts = _posts_before(small_tables, small_known.facts, asked[0], row, 180, SETTLE_DAYS)
        posts = posts[posts["views"].notna()]
        views = posts["views"].sum()
        return (posts["likes"] + posts["comments"]).sum() / views if views else np.nan

    _expect(asked, small_known, "engagement_rate_views", value)


def test_engagement_rate_by_followers_uses_the_count_of_the_time(asked, small_known, small_tables):
    facts, followers = small_known.facts, small_tables.followers
    static = small_tables.creators.set_index("creator_id")["follower_count"]

    def count_at(creator, time):
        seen = followers[(followers["creator_id"] == creator) & (followers["observed_at"] < time)]
        return seen["follower_count"].iloc[-1] if len(seen) else static[creator]

    def value(row):
        posts = _posts_before(small_tables, facts, asked[0], row, 180, SETTLE_DAYS)
        counts = [
            count_at(c, t) for c, t in zip(posts["creator_id"], posts["published_at"], strict=True)
        ]
        total = np.nansum(counts)
        known = ~np.isnan(np.array(counts, dtype=float))
        reaction = (posts["likes"] + posts["comments"]).to_numpy()[known].sum()
        return reaction / total if total else np.nan

    _expect(asked, small_known, "engagement_rate", value)


@pytest.mark.parametrize("days", [30, 90, 365])
def test_share_of_sponsored_posts(asked, small_known, small_tables, days):
    posts = small_tables.posts
    flags = pd.Series(
        label_posts(posts["text"].tolist(), posts["is_sponsored"], posts["sponsor"]).flags,
        index=posts.index,
    )

    def value(row):
        mine = _posts_before(small_tables, small_known.facts, asked[0], row, days)
        return flags[mine.index].mean() if len(mine) else np.nan

    _expect(asked, small_known, f"sponsored_share_{days}d", value)


def test_cadence(asked, small_known, small_tables):
    asks = asked[0]

    def posts(row, days):
        return _posts_before(small_tables, small_known.facts, asks, row, days)

    def weekly(row):
        return len(posts(row, 90)) * 7 / 90 if len(posts(row, None)) else np.nan

    def since(row):
        mine = posts(row, None)
        if not len(mine):
            return np.nan
        as_of = pd.Timestamp(int(asks.as_of_us[row]), unit="us", tz="UTC")
        return (as_of - mine["published_at"].max()) / pd.Timedelta(days=1)

    _expect(asked, small_known, "posts_per_week", weekly)
    _expect(asked, small_known, "days_since_post", since)


def test_collaborations_count_from_their_start(asked, small_known, small_tables):
    asks, deals = asked[0], small_tables.sponsorships

    def value(row):
        as_of = pd.Timestamp(int(asks.as_of_us[row]), unit="us", tz="UTC")
        mine = deals["creator_id"] == small_known.facts.creator_id[asks.creator[row]]
        started = deals["started_at"]
        return float((mine & (started < as_of) & (started >= as_of - pd.Timedelta(days=90))).sum())

    _expect(asked, small_known, "collaborations_90d", value)


def test_past_impressions_count_only_resolved(asked, small_known, small_tables):
    asks, deals = asked[0], small_tables.sponsorships

    def value(row):
        as_of = pd.Timestamp(int(asks.as_of_us[row]), unit="us", tz="UTC")
        mine = deals["creator_id"] == small_known.facts.creator_id[asks.creator[row]]
        return np.log1p(deals.loc[mine & (deals["resolved_at"] < as_of), "impressions"].sum())

    _expect(asked, small_known, "past_impressions_log", value)


def test_relative_features_centre_on_similar_creators(asked, small_known):
    values = asked[1][:, NAMES.index("engagement_rate_relative")]
    assert 0.5 < np.nanmedian(values) < 2.0


def test_missing_stays_missing(asked, small_known):
    values = asked[1]
    assert not np.isinf(values).any()
    assert np.isnan(values).any(axis=0).sum() > 10


def test_the_catalogue_is_whole():
    assert len(set(FEATURE_NAMES)) == len(FEATURES) >= 40
    for feature in FEATURES:
        assert feature.group in BY_NAME
        assert feature.formula and feature.source and feature.label
