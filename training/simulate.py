"""A simulated world whose truth is known: for demos and tests, and for nothing else.

Everything here is simulated: the creators, their texts, their numbers, the brands and what came
of each collaboration. Nothing it shows is evidence about real creators. It serves to see whether
a method finds back what was put in. What was put in, and what each part rests on, is written in
`world_mechanism.ASSUMPTIONS` and beside every written world in ``truth/mechanism.json``.

A world is drawn in five steps, each with its own stream of chance: people and their followers
(`world_people`), their own posts (`world_posts`), whom brands sponsor and what came of it
(`world_campaigns`, by `world_mechanism`), how people reacted to each post, and the texts
(`grammar`). The world's tables keep the contract; its truth is kept apart, and suffices to
work out what any brief would have brought with any creator on any day (`true_rates`).

The same arguments give the same world. To the byte this holds for the same versions of numpy,
pandas and zlib on processors that round exp and log alike; `digest` compares contents.

Knows nothing of how tables are read, or of any model.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from features.schemas import TABLES
from training import grammar
from training.world_campaigns import (
    LATE_DAYS,
    SPONSORSHIPS_PER_CREATOR,
    book,
    draw_brands,
    draw_campaigns,
    sponsored_posts,
)
from training.world_mechanism import VISIBILITY, Floats, Mechanism
from training.world_people import (
    audience_table,
    creators_table,
    draw_mix,
    draw_people,
    followers_table,
)
from training.world_posts import Progress, draw_posts, engagement, write_texts
from training.world_truth import (
    World,
    digest,
    is_simulated,
    load_truth,
    true_rates,
    write_world,
)

__all__ = [
    "World",
    "digest",
    "is_simulated",
    "load_truth",
    "simulate",
    "true_rates",
    "write_world",
]

MIN_CREATORS = 20
MIN_MONTHS = 6
BRANDS_AT_1000 = 60  # brands grow with the root of the number of creators
MEAN_CAMPAIGN_SIZE = 10


def simulate(
    creators: int,
    seed: int,
    *,
    posts_per_creator: float = 36.0,
    months: int = 18,
    start: str = "2024-01-01",
    mechanism: Mechanism | None = None,
    progress: Progress | None = None,
) -> World:
    """Draws a world.

    Args:
        creators: How many creators, at least 20.
        seed: At least 0; with the other arguments it names the world.
        posts_per_creator: Organic posts of an average creator over the whole time.
        months: Length of the world, at least 6.
        start: Its first day.
        mechanism: Other coefficients than the standard ones, to switch an effect off.
        progress: Called with a stage's name, how much of it is done, and its total.

    Raises:
        ValueError: An argument is out of its range.
    """
    if creators < MIN_CREATORS or months < MIN_MONTHS or seed < 0 or not posts_per_creator > 0:
        raise ValueError(
            f"a world needs at least {MIN_CREATORS} creators and {MIN_MONTHS} months, a seed of at "
            f"least 0 and more than 0 posts a creator; got creators={creators}, months={months}, "
            f"seed={seed}, posts_per_creator={posts_per_creator}"
        )
    mechanism = Mechanism() if mechanism is None else mechanism
    first = pd.Timestamp(start, tz="UTC").normalize()
    days = (first + pd.DateOffset(months=months) - first).days
    # One stream a step, so that a change in one leaves what the others drew as it was.
    stream = iter(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(12))

    people = draw_people(next(stream), creators, days, mechanism)
    mix = draw_mix(next(stream), people)
    drift = _draw_drift(next(stream), mechanism)
    rng = next(stream)
    n_brands = max(round(BRANDS_AT_1000 * (creators / 1000) ** 0.5), 8)
    n_campaigns = round(creators * SPONSORSHIPS_PER_CREATOR / MEAN_CAMPAIGN_SIZE)
    brands = draw_brands(rng, n_brands, days)
    campaigns = draw_campaigns(rng, brands, n_campaigns, mechanism)
    posts = draw_posts(next(stream), people, mix, days, posts_per_creator)
    booked = book(next(stream), mechanism, people, mix, drift, posts, campaigns, days, progress)
    posts = pd.concat([posts, sponsored_posts(booked, campaigns)], ignore_index=True)
    posts = posts.sort_values(["creator", "second"], kind="stable", ignore_index=True)
    posts.insert(0, "post_id", [f"p{i:07d}" for i in range(len(posts))])
    reactions = engagement(next(stream), mechanism, people, drift, posts, days)
    rng = next(stream)
    owned_up = people["disclosure"].to_numpy()[posts["creator"].to_numpy()]
    disclosed = posts["is_ad"].to_numpy() & (rng.random(len(posts)) < owned_up)
    texts, languages, bodies = write_texts(rng, people, posts, disclosed, progress)

    accounts = creators_table(next(stream), people, days)
    posts_table = _posts_table(next(stream), accounts, posts, reactions, texts, disclosed, first)
    truth = {
        "creators": people,
        "topics": _topics_table(people, mix),
        "posts": _posts_truth(people, posts, disclosed, languages, bodies),
        "brands": brands,
        "campaigns": campaigns.drop(columns="brief"),
        "sponsorships": booked[
            ["sponsorship_id", "campaign_id", "creator_id"]
            + [name for name in booked.columns if str(name).startswith("true_")]
        ],
        "drift": drift,
        "mechanism": pd.DataFrame(
            {"name": list(asdict(mechanism)), "value": list(asdict(mechanism).values())}
        ),
        "world": pd.DataFrame(
            {
                "creators": [creators],
                "seed": [seed],
                "posts_per_creator": [posts_per_creator],
                "months": [months],
                "start": [first.strftime("%Y-%m-%d")],
                "days": [days],
                "late_from": [_stamp(first, days - LATE_DAYS + 1)],
            }
        ),
    }
    rng = next(stream)
    return World(
        creators=_contract("creators", accounts),
        posts=_contract("posts", posts_table),
        sponsorships=_contract("sponsorships", _sponsorships_table(rng, booked, posts, first)),
        audience=_contract("audience", audience_table(rng, people, mix)),
        followers=_contract("followers", followers_table(rng, people, first, days)),
        truth=truth,
    )


def _stamp(first: pd.Timestamp, day: int) -> str:
    return (first + pd.Timedelta(days=day)).strftime("%Y-%m-%d")


def _draw_drift(rng: np.random.Generator, mechanism: Mechanism) -> pd.DataFrame:
    platforms, niches = list(VISIBILITY), list(grammar.niches())
    kinds = (
        ("platform_visibility", platforms, mechanism.visibility_drift_sd),
        ("platform_clicks", platforms, mechanism.platform_drift_sd),
        ("vertical_sales", niches, mechanism.niche_drift_sd),
    )
    return pd.concat(
        [
            pd.DataFrame(
                {"kind": kind, "name": names, "slope_per_year": rng.normal(0, spread, len(names))}
            )
            for kind, names, spread in kinds
        ],
        ignore_index=True,
    )


def _topics_table(people: pd.DataFrame, mix: Floats) -> pd.DataFrame:
    names = np.array(grammar.topics(), dtype=object)
    return pd.DataFrame(
        {
            "creator_id": np.repeat(people["creator_id"].to_numpy(), len(names)),
            "topic": np.tile(names, len(people)),
            "share": mix.ravel(),
        }
    )


def _posts_truth(
    people: pd.DataFrame,
    posts: pd.DataFrame,
    disclosed: np.ndarray,
    languages: list[str],
    bodies: list[str],
) -> pd.DataFrame:
    topics = np.array([*grammar.topics(), None], dtype=object)  # -1, small talk, is the last
    niches = np.array([*grammar.niches(), None], dtype=object)
    return pd.DataFrame(
        {
            "post_id": posts["post_id"],
            "creator_id": people["creator_id"].to_numpy()[posts["creator"].to_numpy()],
            "day": posts["day"],
            "topic": topics[posts["topic"].to_numpy()],
            "language": languages,
            "is_ad": posts["is_ad"].astype(bool),
            "is_disclosed": disclosed,
            "brand": posts["brand"],
            "vertical": niches[posts["vertical"].to_numpy()],
            "sponsorship_id": posts["sponsorship_id"],
            "body": bodies,
        }
    )


def _posts_table(
    rng: np.random.Generator,
    accounts: pd.DataFrame,
    posts: pd.DataFrame,
    reactions: pd.DataFrame,
    texts: list[str],
    disclosed: np.ndarray,
    first: pd.Timestamp,
) -> pd.DataFrame:
    """What a platform's export shows: flags and sponsors are often missing, seldom wrong."""
    n = len(posts)
    creator = posts["creator"].to_numpy()
    ad, chance = posts["is_ad"].to_numpy(), rng.random(n)
    flag = np.where(disclosed, np.where(chance < 0.5, 1, -1), np.where(chance < 0.45, 0, -1))
    flag[ad & ~disclosed & (chance >= 0.2)] = -1
    named = ad & (rng.random(n) < np.where(disclosed, 0.45, 0.04))
    address = accounts["url"].to_numpy()[creator]
    return reactions.assign(
        post_id=posts["post_id"],
        creator_id=accounts["creator_id"].to_numpy()[creator],
        published_at=first + pd.to_timedelta(posts["second"], unit="s"),
        text=texts,
        url=[f"{url}/{post}" for url, post in zip(address, posts["post_id"], strict=True)],
        is_sponsored=pd.Series(flag == 1, dtype="boolean").mask(flag == -1),
        sponsor=posts["brand"].where(named),
    )


def _sponsorships_table(
    rng: np.random.Generator, booked: pd.DataFrame, posts: pd.DataFrame, first: pd.Timestamp
) -> pd.DataFrame:
    post_of = posts.dropna(subset=["sponsorship_id"]).set_index("sponsorship_id")["post_id"]
    linked = booked["sponsorship_id"].map(post_of).mask(rng.random(len(booked)) < 0.25)
    return booked.assign(
        started_at=first + pd.to_timedelta(booked["second"], unit="s"),
        resolved_at=first + pd.to_timedelta(booked["resolved_second"], unit="s"),
        post_id=linked,
    )


_DTYPES = {
    "text": "str",
    "integer": "float64",
    "number": "float64",
    "share": "float64",
    "boolean": "boolean",
    "time": "datetime64[us, UTC]",
}


def _contract(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """All the contract's columns, in its order and dtypes, and no others."""
    whole = frame.reindex(columns=list(TABLES[name]))
    types = {column: _DTYPES[spec.type] for column, spec in TABLES[name].items()}
    return whole.astype(types).reset_index(drop=True)
