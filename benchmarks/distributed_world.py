"""Tables of millions of simulated posts, written file by file: what `benchmarks.distributed` reads.

A post's text is a few words of its creator's niche, so it means something even to a hash; numbers
of posts, campaigns and outcomes stand to each other in one ratio at every size. Everything is
simulated, and nothing in it is evidence about real creators.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.schemas import PLATFORMS
from features.windows import MICROSECONDS_PER_DAY
from models.taxonomy import NICHES

POSTS_PER_CREATOR = 40
POSTS_PER_OUTCOME = 100
OUTCOMES_LEAST = 4_000  # fewer teach too little for the gate to look at
ROWS_PER_CAMPAIGN = 10
POSTS_OF_FILE = 100_000
WORDS = 4  # of a post
DAYS = 730
START_US = 1_704_067_200_000_000  # 2024-01-01
LABELLED = 0.05  # of the creators carry a niche

Strings = NDArray[np.object_]


def write_many(folder: Path, posts: int, seed: int) -> None:
    """Write the tables of a world of so many posts, with few of them in memory at once."""
    rng = np.random.default_rng(seed)
    n = posts // POSTS_PER_CREATOR
    niche = rng.integers(0, len(NICHES), n)
    followers = np.rint(np.exp(rng.normal(9.5, 1.3, n)))
    creator_id = np.array([f"c{number:09d}" for number in range(n)], dtype=object)
    (folder / "posts").mkdir(parents=True)
    _creators(rng, creator_id, niche, followers).to_parquet(folder / "creators.parquet")
    _sponsorships(rng, creator_id, niche, followers, posts).to_parquet(
        folder / "sponsorships.parquet"
    )
    for number, start in enumerate(range(0, posts, POSTS_OF_FILE)):
        # Each file is of any creators: it is the cluster that brings a creator's together.
        size = min(POSTS_OF_FILE, posts - start)
        own = np.random.default_rng([seed, number])
        table = _posts(own, own.integers(0, n, size), niche, followers, creator_id, start)
        pq.write_table(table, folder / "posts" / f"{number:05d}.parquet")


def _creators(
    rng: np.random.Generator,
    creator_id: Strings,
    niche: NDArray[np.int64],
    followers: NDArray[np.float64],
) -> pd.DataFrame:
    n = len(creator_id)
    label = np.array([one.label for one in NICHES], dtype=object)[niche]
    label[rng.random(n) >= LABELLED] = None
    return pd.DataFrame(
        {
            "creator_id": creator_id,
            "platform": np.array(PLATFORMS, dtype=object)[rng.integers(0, 4, n)],
            "handle": [f"@{one}" for one in creator_id],
            "follower_count": followers,
            "language": "en",
            "price_per_post": np.rint(np.exp(rng.normal(5.0, 0.8, n))),
            "currency": "USD",
            "niche": label,
        }
    )


def _posts(
    rng: np.random.Generator,
    creator: NDArray[np.int64],
    niche: NDArray[np.int64],
    followers: NDArray[np.float64],
    creator_id: Strings,
    first: int,
) -> pa.Table:
    n = len(creator)
    views = np.rint(followers[creator] * np.exp(rng.normal(-1.5, 0.8, n)))
    likes = np.rint(views * np.exp(rng.normal(-3.0, 0.5, n)))
    time_us = START_US + rng.integers(0, DAYS * MICROSECONDS_PER_DAY, n)
    columns: dict[str, Any] = {
        "post_id": [f"p{number:011d}" for number in range(first, first + n)],
        "creator_id": creator_id[creator],
        "published_at": pa.array(time_us).cast(pa.timestamp("us", tz="UTC")),
        "text": _texts(rng, niche[creator]),
        "likes": likes,
        "comments": np.rint(likes * rng.uniform(0.0, 0.1, n)),
        "views": views,
        "is_sponsored": rng.random(n) < 0.1,
    }
    return pa.table(columns)


def _texts(rng: np.random.Generator, niche: NDArray[np.int64]) -> list[str]:
    words = [_words(number) for number in range(len(NICHES))]
    drawn = rng.random((len(niche), WORDS))
    return [
        " ".join(words[kind][int(place * len(words[kind]))] for place in places)
        for kind, places in zip(niche.tolist(), drawn.tolist(), strict=True)
    ]


def _words(niche: int) -> list[str]:
    texts = (NICHES[niche].description, *NICHES[niche].phrases)
    return sorted({word.strip(",.:;") for text in texts for word in text.lower().split()})


def _sponsorships(
    rng: np.random.Generator,
    creator_id: Strings,
    niche: NDArray[np.int64],
    followers: NDArray[np.float64],
    posts: int,
) -> pd.DataFrame:
    """Campaigns of niches; half of those they choose are of that niche, and sell three times."""
    campaigns = max(posts // POSTS_PER_OUTCOME, OUTCOMES_LEAST) // ROWS_PER_CAMPAIGN
    wanted = rng.integers(0, len(NICHES), campaigns)
    brief = _texts(rng, wanted)
    campaign = np.repeat(np.arange(campaigns), ROWS_PER_CAMPAIGN)
    n = len(campaign)
    by_niche = np.argsort(niche, kind="stable")
    edges = np.searchsorted(niche[by_niche], np.arange(len(NICHES) + 1))
    first, count = edges[wanted[campaign]], np.diff(edges)[wanted[campaign]]
    alike = by_niche[first + (rng.random(n) * count).astype(np.int64)]
    chosen = np.where(rng.random(n) < 0.5, alike, rng.integers(0, len(niche), n))
    impressions = np.maximum(np.rint(followers[chosen] * rng.lognormal(-1.2, 0.4, n)), 50)
    clicks = rng.binomial(impressions.astype(np.int64), 0.02)
    rate = np.where(niche[chosen] == wanted[campaign], 0.12, 0.04)
    # From the first quarter on: before, little is known.
    day = rng.integers(DAYS // 8, DAYS - 40, campaigns)[campaign]
    started = START_US + day * MICROSECONDS_PER_DAY
    return pd.DataFrame(
        {
            "sponsorship_id": [f"s{number:09d}" for number in range(n)],
            "creator_id": creator_id[chosen],
            "campaign_id": [f"k{number:07d}" for number in campaign],
            "brand": [f"Brand {number % 997}" for number in campaign],
            "brief": [brief[number] for number in campaign],
            "started_at": pd.to_datetime(started, unit="us", utc=True),
            "impressions": impressions,
            "clicks": clicks,
            "conversions": rng.binomial(clicks, rate),
        }
    )
