"""Facts of millions of simulated posts, made without a text: what `benchmarks.features` counts on.

Vectors are drawn around centres of niches and of creators and put on the grid; numbers of posts,
campaigns and outcomes stand to each other as in `training.simulate`. Nothing in it can be learned
from: it has the shape of a catalogue, not its sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.facts import NO_BRAND, UNKNOWN_TIER, Ads, Asks, Facts, Outcomes, Posts, tier_code
from features.schemas import PLATFORMS
from features.vectors import Vectors, snap
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints, Timeline
from models.taxonomy import NICHES

DIM = 64
POSTS_PER_CREATOR = 40
DAYS = 730
OUTCOMES_PER_POST = 0.1
ROWS_PER_CAMPAIGN = 10
ASKS_PER_POST = 0.01
LABELLED = 1 / 3  # of creators carry a niche
SPONSORED = 0.15  # of posts
FOLLOWER_COUNTS = 12  # for each creator
LANGUAGES = np.array(["en", "de", "es", "fr", "pt"], dtype=object)
START_US = 1_704_067_200_000_000  # 2024-01-01
PART = 1 << 18  # posts whose vectors are drawn at once


@dataclass(frozen=True)
class Asked:
    """Facts, and the past campaigns to make rows of: whom, as of when, for which brief."""

    facts: Facts
    asks: Asks
    brief: Ints
    brand: Ints


def make_facts(n_posts: int, seed: int, folder: Path) -> Asked:
    """Draw facts of `n_posts` posts; their vectors lie in a file in `folder`, mapped to memory."""
    rng = np.random.default_rng(seed)
    n = max(n_posts // POSTS_PER_CREATOR, 20)
    niche = rng.integers(0, len(NICHES), n)
    centre = snap(rng.normal(size=(len(NICHES), DIM)))
    busy = rng.gamma(2.0, size=n)
    code = np.repeat(np.arange(n), rng.multinomial(n_posts, busy / busy.sum()))
    platform = rng.integers(0, len(PLATFORMS), n)
    followers = np.rint(np.exp(rng.normal(10.0, 1.6, n)))
    tongue = LANGUAGES[rng.choice(len(LANGUAGES), n, p=[0.6, 0.12, 0.12, 0.08, 0.08])]
    creator_id = np.array([f"c{i:08d}" for i in range(n)], dtype=object)
    posts = _posts(rng, code, platform, followers, tongue)
    vector = _vectors(rng, posts.timeline.group, niche, centre, folder)
    posts = Posts(**{**vars(posts), "vector": vector})
    outcomes, brief_vector = _outcomes(rng, n_posts, platform, followers, centre)
    followed = Timeline.build(
        np.repeat(np.arange(n), FOLLOWER_COUNTS), START_US + _moments(rng, n * FOLLOWER_COUNTS)
    )
    niche_label = np.array([one.label for one in NICHES], dtype=object)[niche]
    niche_label[rng.random(n) >= LABELLED] = None
    creators = pd.DataFrame(
        {
            "creator_id": creator_id,
            "follower_count": followers,
            "language": tongue,
            "accepts_gifting": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "niche": niche_label,
        }
    )
    audience = pd.DataFrame(
        {
            "creator_id": np.repeat(creator_id, 2),
            "dimension": "language",
            "code": LANGUAGES[rng.integers(0, len(LANGUAGES), 2 * n)],
            "share": 0.4,
        }
    )
    facts = Facts(
        creators=creators,
        creator_id=creator_id,
        platform=platform,
        posts=posts,
        ads=_ads(posts, outcomes),
        outcomes=outcomes,
        follower_timeline=followed,
        follower_count=np.rint(
            followers[followed.group] * rng.uniform(0.7, 1.0, len(followed.group))
        ),
        brief_text=np.full(len(brief_vector), "", dtype=object),
        brief_vector=brief_vector,
        brief_language=np.full(len(brief_vector), "en", dtype=object),
        audience=audience,
        price=np.where(rng.random(n) < 0.8, np.exp(rng.normal(5.0, 1.0, n)), np.nan),
        currency="USD",
        as_of_us=START_US + DAYS * MICROSECONDS_PER_DAY,
    )
    return _asked(rng, facts, n_posts)


def _asked(rng: np.random.Generator, facts: Facts, n_posts: int) -> Asked:
    """Every row of campaigns drawn from all of them."""
    outcomes = facts.outcomes
    wanted = max(round(n_posts * ASKS_PER_POST / ROWS_PER_CAMPAIGN), 1)
    drawn = rng.choice(len(facts.brief_vector), wanted, replace=False)
    rows = np.flatnonzero(np.isin(outcomes.brief, drawn))
    asks = Asks(outcomes.creator[rows], outcomes.started_us[rows])
    return Asked(facts, asks, outcomes.brief[rows], outcomes.brand[rows])


def _moments(rng: np.random.Generator, size: int) -> Ints:
    return rng.integers(0, DAYS * MICROSECONDS_PER_DAY, size)


def _posts(
    rng: np.random.Generator, code: Ints, platform: Ints, followers: Floats, tongue: np.ndarray
) -> Posts:
    n = len(code)
    timeline = Timeline.build(code, START_US + _moments(rng, n), np.arange(n))
    audience = followers[code]
    views = np.rint(audience * np.exp(rng.normal(-1.5, 0.8, n)))
    likes = np.rint(views * np.exp(rng.normal(-3.0, 0.5, n)))
    sponsored = rng.random(n) < SPONSORED
    nothing = np.broadcast_to(np.array("", dtype=object), (n,))
    return Posts(
        timeline=timeline,
        post_id=np.broadcast_to(np.array("p", dtype=object), (n,)),
        text=nothing,
        url=nothing,
        likes=likes,
        comments=np.rint(likes * rng.uniform(0.0, 0.1, n)),
        views=views,
        shares=np.rint(likes * 0.05),
        saves=np.where(rng.random(n) < 0.5, np.rint(likes * 0.1), np.nan),
        followers=audience,
        peer=platform[code] * (UNKNOWN_TIER + 1) + tier_code(audience),
        language=tongue[code],
        sponsored=sponsored,
        brand=np.where(sponsored, rng.integers(1, 2_000, n), NO_BRAND),
        vector=np.zeros((0, DIM), dtype=np.float32),
    )


def _vectors(
    rng: np.random.Generator, code: Ints, niche: Ints, centre: Vectors, folder: Path
) -> Vectors:
    """Vectors around each creator's own centre, written part by part as float16."""
    own = snap(centre[niche] + 0.5 * snap(rng.normal(size=(len(niche), DIM))))
    path = folder / "vectors.f16"
    with path.open("wb") as file:
        for start in range(0, len(code), PART):
            here = code[start : start + PART]
            noise = rng.standard_normal((len(here), DIM), dtype=np.float32) / np.sqrt(DIM)
            file.write(snap(own[here] + 0.8 * noise).astype(np.float16).tobytes())
    mapped: Vectors = np.memmap(path, dtype=np.float16, mode="r", shape=(len(code), DIM))
    return mapped


def _outcomes(
    rng: np.random.Generator, n_posts: int, platform: Ints, followers: Floats, centre: Vectors
) -> tuple[Outcomes, Vectors]:
    campaigns = max(round(n_posts * OUTCOMES_PER_POST / ROWS_PER_CAMPAIGN), 10)
    brief = np.repeat(np.arange(campaigns), ROWS_PER_CAMPAIGN)
    n = len(brief)
    creator = rng.integers(0, len(platform), n)
    # From the second quarter on: before, little is known.
    begins = rng.integers(DAYS // 4, DAYS - 31, campaigns) * MICROSECONDS_PER_DAY
    started = START_US + begins[brief]
    impressions = np.maximum(np.rint(followers[creator] * 0.3), 1).astype(np.int64)
    clicks = rng.binomial(impressions, 0.01).astype(np.float64)
    brands = rng.integers(1, 2_000, campaigns)
    ids = np.array([f"s{i:08d}" for i in range(n)], dtype=object)
    vector = snap(
        centre[rng.integers(0, len(centre), campaigns)] + rng.normal(size=(campaigns, DIM)) * 0.05
    )
    outcomes = Outcomes(
        sponsorship_id=ids,
        campaign_id=brief.astype(object),
        creator=creator,
        brand=brands[brief],
        brand_name=np.broadcast_to(np.array("a brand", dtype=object), (n,)),
        brief=brief,
        started_us=started,
        resolved_us=started + 30 * MICROSECONDS_PER_DAY,
        impressions=impressions,
        clicks=clicks,
        conversions=rng.binomial(clicks.astype(np.int64), 0.03),
        cost=np.full(n, np.nan),
        peer=platform[creator] * (UNKNOWN_TIER + 1) + tier_code(followers[creator]),
    )
    return outcomes, vector


def _ads(posts: Posts, outcomes: Outcomes) -> Ads:
    sponsored = np.flatnonzero(posts.sponsored)
    timeline = Timeline.build(
        np.concatenate([posts.timeline.group[sponsored], outcomes.creator]),
        np.concatenate([posts.timeline.time_us[sponsored], outcomes.started_us]),
    )
    order = timeline.order
    return Ads(
        timeline=timeline,
        brand=np.concatenate([posts.brand[sponsored], outcomes.brand])[order],
        post=np.concatenate([sponsored, np.full(len(outcomes), -1)])[order],
        brief=np.concatenate([np.full(len(sponsored), -1), outcomes.brief])[order],
        collaboration=(np.arange(len(order)) >= len(sponsored))[order],
    )
