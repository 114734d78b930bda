"""What creators post in the simulated world, and how people react to it.

It is for demos and tests; everything is simulated, and the shares and spreads here are assumed.

Knows nothing of campaigns or of what they bring about, nor of files and dtypes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import grammar
from training.world_mechanism import (
    DAYS_PER_YEAR,
    Floats,
    Mechanism,
    expected_views,
    platform_visibility,
)

Progress = Callable[[str, int, int], None]

SECONDS_PER_DAY = 86_400

# Likes for each view at 10,000 followers, and comments for each like: assumed.
LIKES_PER_VIEW = {"instagram": 0.085, "youtube": 0.04, "tiktok": 0.075, "twitch": 0.03, "x": 0.02}
LIKES_PER_VIEW_ELSEWHERE = 0.03
COMMENTS_PER_LIKE = 0.035
SHARES_PER_LIKE = 0.05
SAVES_PER_LIKE = 0.06
SAVE_PLATFORMS = ("instagram", "tiktok", "pinterest")


def mean_one(rng: np.random.Generator, sd: float, size: int) -> Floats:
    """Lognormal factors with mean 1 and `sd` on the log scale, (size,)."""
    return np.asarray(rng.lognormal(-(sd**2) / 2, sd, size))


def draw_posts(
    rng: np.random.Generator, people: pd.DataFrame, mix: Floats, days: int, posts_per_creator: float
) -> pd.DataFrame:
    """Everything creators post of their own accord, other brands' advertisements among it.

    Returns:
        creator (index), second (since the start), day, topic (index, -1 for small talk), is_ad,
        brand, vertical (index, -1 where there is none), sponsorship_id (none here).
    """
    n = len(people)
    join, quit_ = people["join_day"].to_numpy(), people["quit_day"].to_numpy()
    # 1.17 makes up for late joiners, quitters and gaps: measured on 5 worlds of 1,000 creators
    count = rng.poisson(posts_per_creator * 1.17 * people["cadence"] * (quit_ - join) / days)
    creator = np.repeat(np.arange(n), count)
    day = np.floor(join[creator] + rng.random(len(creator)) * (quit_ - join)[creator]).astype(int)
    gap_start = rng.integers(0, days, (n, 2))
    gap_days = rng.integers(5, 60, (n, 2)) * (rng.random((n, 2)) < 0.6)
    silent = np.zeros(len(creator), dtype=bool)
    for j in range(2):
        since = day - gap_start[creator, j]
        silent |= (since >= 0) & (since < gap_days[creator, j])
    creator, day = creator[~silent], day[~silent]
    n_posts = len(creator)
    hour = (rng.uniform(8, 21, n)[creator] + rng.normal(0, 2.5, n_posts)) % 24
    second = day * SECONDS_PER_DAY + (hour * 3600).astype(int)

    reach = np.cumsum(mix, axis=1)
    topic = (reach[creator] < rng.random((n_posts, 1)) * reach[creator, -1:]).sum(axis=1)
    talk = rng.random(n_posts) < 0.12
    # some seasons are fuller of advertisements than others, for each creator by itself
    season = rng.lognormal(-0.4, 0.9, (n, days // 60 + 1))
    habit = people["ad_habit"].to_numpy()[creator] * season[creator, day // 60]
    is_ad = rng.random(n_posts) < np.minimum(habit, 0.6)
    brand, vertical, ad_topic = _other_ads(rng, topic, is_ad)
    return pd.DataFrame(
        {
            "creator": creator,
            "second": second,
            "day": day,
            "topic": np.where(is_ad, ad_topic, np.where(talk, -1, topic)),
            "is_ad": is_ad,
            "brand": brand,
            "vertical": vertical,
            "sponsorship_id": pd.Series(None, index=range(n_posts), dtype=object),
        }
    )


def _other_ads(
    rng: np.random.Generator, topic: NDArray[np.int64], is_ad: NDArray[np.bool_]
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Brand, vertical and topic of the advertisements that no table of outcomes knows.

    Each niche has three such brands of its own; late brands are not among them.
    """
    names = list(grammar.niches())
    called = [
        f"{name} Co"
        for name in grammar.brand_names(
            3 * len(names), grammar.Draws(rng.random(3 * len(names)).tolist())
        )
    ]
    near = rng.random(len(topic)) < 0.7
    vertical = np.where(near, topic // 2, rng.integers(0, len(names), len(topic)))
    pool = np.array(called, dtype=object).reshape(len(names), 3)
    brand = pool[vertical, rng.integers(0, 3, len(topic))]
    strand = rng.integers(0, 2, len(topic))
    brand[~is_ad] = None
    return brand, np.where(is_ad, vertical, -1), vertical * 2 + strand


def engagement(
    rng: np.random.Generator,
    mechanism: Mechanism,
    people: pd.DataFrame,
    drift: pd.DataFrame,
    posts: pd.DataFrame,
    days: int,
) -> pd.DataFrame:
    """Views, likes, comments, shares and saves of each post, less what platforms keep back.

    Bought followers add a few likes and no comments, which is what gives them away.
    """
    n = len(posts)
    creator = posts["creator"].to_numpy()
    who = people.iloc[creator].reset_index(drop=True)
    day = posts["day"].to_numpy(np.float64)
    ad = posts["is_ad"].to_numpy()
    visibility = platform_visibility(who["platform"], drift, day / DAYS_PER_YEAR)
    seen = expected_views(mechanism, who, visibility, day, days)
    seen = seen * np.where(ad, mechanism.reach_sponsored, 1.0) * mean_one(rng, 0.55, n)
    views = rng.poisson(seen)
    base = who["platform"].map(LIKES_PER_VIEW).fillna(LIKES_PER_VIEW_ELSEWHERE).to_numpy(np.float64)
    trust, rapport = (who["trust"].to_numpy(np.float64), who["rapport"].to_numpy(np.float64))
    share = base * np.exp(
        0.35 * who["quality"].to_numpy(np.float64)
        - 0.10 * np.log(who["real_followers_end"].to_numpy(np.float64) / 1e4)
        + np.where(ad, -0.4 + 0.2 * np.clip(trust, -2, 2), 0.0)
    )
    liked = np.minimum(views, seen) * np.minimum(share * rng.gamma(6, 1 / 6, n), 0.5)
    bought = who["bought_followers"].to_numpy() * (who["bought_day"].to_numpy() <= day)
    likes = rng.poisson(liked) + rng.poisson(bought * 0.003)
    chatter = COMMENTS_PER_LIKE * np.exp(0.5 * rapport + 0.25 * trust - 0.25 * ad)
    comments = rng.poisson(liked * chatter * rng.gamma(3, 1 / 3, n))
    quality = np.exp(0.3 * who["quality"].to_numpy(np.float64))
    shares = rng.poisson(liked * SHARES_PER_LIKE * quality * rng.gamma(2, 1 / 2, n))
    saves = rng.poisson(liked * SAVES_PER_LIKE * np.exp(0.35 * trust) * rng.gamma(2, 1 / 2, n))

    platform = who["platform"].to_numpy()
    hides = rng.random((3, len(people)))[:, creator]
    no_views = (platform == "instagram") & (hides[0] < 0.75) | (platform == "blog")
    no_saves = ~np.isin(platform, SAVE_PLATFORMS) | (hides[2] < 0.5)
    return pd.DataFrame(
        {
            "likes": likes,
            "comments": comments,
            "views": pd.Series(views, dtype=np.float64).mask(no_views | (rng.random(n) < 0.03)),
            "shares": pd.Series(shares, dtype=np.float64).mask(hides[1] < 0.35),
            "saves": pd.Series(saves, dtype=np.float64).mask(no_saves),
        }
    )


def write_texts(
    rng: np.random.Generator,
    people: pd.DataFrame,
    posts: pd.DataFrame,
    disclosed: NDArray[np.bool_],
    progress: Progress | None,
) -> tuple[list[str], list[str], list[str]]:
    """The caption of each post, its language, and its bare sentences (no tags, no plug)."""
    names = list(grammar.niches())
    spoken = people["language"].to_numpy()[posts["creator"].to_numpy()]
    spoken = np.where(rng.random(len(posts)) < 0.12, "en", spoken)
    texts, bodies = [], []
    chunk = 20_000  # so that the draws of a large world are never all in memory
    for first in range(0, len(posts), chunk):
        part = posts.iloc[first : first + chunk]
        chance = rng.random((len(part), grammar.DRAWS_PER_TEXT)).tolist()
        rows = zip(part["topic"], part["is_ad"], part["brand"], strict=True)
        for i, (topic, is_ad, brand) in enumerate(rows):
            draws, language = grammar.Draws(chance[i]), str(spoken[first + i])
            niche = None if topic < 0 else names[topic // 2]
            if niche is None:
                text = grammar.small_talk(language, draws)
            else:
                text = grammar.body(niche, topic % 2, language, draws)
            bodies.append(text)
            if is_ad:
                text = grammar.advertise(
                    text,
                    brand,
                    disclosed=bool(disclosed[first + i]),
                    language=language,
                    draws=draws,
                )
            texts.append(grammar.dress(text, niche, language, draws))
        if progress is not None:
            progress("texts", min(first + chunk, len(posts)), len(posts))
    return texts, [str(language) for language in spoken], bodies
