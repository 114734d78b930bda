"""Whom brands sponsor in the simulated world, and what comes of it.

It is for demos and tests; everything is simulated, and the shares and spreads here are assumed.
Campaigns are booked in the order of time, because each one tires the audiences of the next.

Knows nothing of captions or likes, nor of files and dtypes.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from training import grammar
from training.world_mechanism import AdHistory, BriefTruth, Floats, Mechanism, rates
from training.world_people import followers_on
from training.world_posts import SECONDS_PER_DAY, Progress, mean_one

SPONSORSHIPS_PER_CREATOR = 4.3
LATE_DAYS = 92  # brands never seen before appear in this last stretch only
FIRST_BOOKING_DAY = 45
LAST_BOOKING_DAYS = 31  # before the end, so that every outcome is final within the world

# Verticals that sponsor more than others: assumed.
BUSY_VERTICALS = ("beauty", "skincare", "fashion", "fitness", "tech", "gaming", "cooking", "travel")
# (country, language, share of brands): assumed.
MARKETS = (
    ("US", "en", 0.48),
    ("GB", "en", 0.18),
    ("CA", "en", 0.06),
    ("DE", "de", 0.14),
    ("ES", "es", 0.08),
    ("MX", "es", 0.06),
)


def draw_brands(rng: np.random.Generator, count: int, days: int) -> pd.DataFrame:
    """The brands that run campaigns: a quarter of them in the last three months only.

    Returns:
        brand, vertical (a niche), strand (0 or 1), topics (JSON: shares of topics), country,
        language, first_day and last_day of booking, order_value (USD), late.
    """
    names = list(grammar.niches())
    weights = np.array([2.5 if name in BUSY_VERTICALS else 1.0 for name in names])
    called = grammar.brand_names(count, grammar.Draws(rng.random(count).tolist()))
    market = rng.choice(len(MARKETS), size=count, p=[share for _, _, share in MARKETS])
    late = np.arange(count) >= count - max(round(count / 4), 1)
    rows = []
    for i in range(count):
        vertical = str(rng.choice(names, p=weights / weights.sum()))
        strand = int(rng.integers(2))
        near = grammar.niches()[vertical].neighbours
        second = str(rng.choice(list(near), p=np.array(list(near.values())) / sum(near.values())))
        share = float(rng.uniform(0, 0.35)) if rng.random() < 0.5 else 0.0
        lean = float(rng.uniform(0.7, 1.0))
        own = [s.name for s in grammar.niches()[vertical].strands]
        topics = {
            f"{vertical}/{own[strand]}": (1 - share) * lean,
            f"{vertical}/{own[1 - strand]}": (1 - share) * (1 - lean),
        }
        for other in grammar.niches()[second].strands:
            topics[f"{second}/{other.name}"] = share / 2
        rows.append(
            {
                "brand": called[i],
                "vertical": vertical,
                "strand": strand,
                "topics": json.dumps(topics),
                "country": MARKETS[market[i]][0],
                "language": MARKETS[market[i]][1],
                "first_day": days - LATE_DAYS + 1 if late[i] else FIRST_BOOKING_DAY,
                "last_day": days - LAST_BOOKING_DAYS,
                "order_value": round(float(rng.lognormal(3.6, 0.5)), 2),
                "late": bool(late[i]),
            }
        )
    return pd.DataFrame(rows)


def draw_campaigns(
    rng: np.random.Generator, brands: pd.DataFrame, count: int, mechanism: Mechanism
) -> pd.DataFrame:
    """`count` campaigns (at least one a brand) in the order of time, each with its own brief."""
    weights = np.where(brands["late"], 0.35, 1.0) * rng.lognormal(0, 0.5, len(brands))
    extra = max(count - len(brands), 0)
    chosen = rng.choice(len(brands), size=extra, p=weights / weights.sum())
    of = np.concatenate([np.arange(len(brands)), chosen])
    rows = []
    for at, i in enumerate(of):
        brand = brands.iloc[int(i)]
        last = int(brand["last_day"])
        if at < len(brands) and not brand["late"]:  # so that an early brand is known early
            last -= LATE_DAYS - LAST_BOOKING_DAYS
        anywhere = rng.random() < 0.25
        country = None if anywhere else str(brand["country"])
        text = grammar.brief(
            str(brand["brand"]),
            str(brand["vertical"]),
            int(brand["strand"]),
            str(brand["language"]),
            country,
            grammar.Draws(rng.random(grammar.DRAWS_PER_TEXT).tolist()),
        )
        rows.append(
            {
                "brand": brand["brand"],
                "vertical": brand["vertical"],
                "strand": brand["strand"],
                "topics": brand["topics"],
                "language": brand["language"],
                "country": country,
                "day": int(rng.integers(brand["first_day"], last + 1)),
                "size": int(rng.integers(5, 16)),
                "gifts": bool(rng.random() < 0.5),
                "order_value": brand["order_value"],
                "effect": float(rng.normal(0, mechanism.campaign_effect_sd)),
                "brief": text,
            }
        )
    table = pd.DataFrame(rows).sort_values("day", kind="stable", ignore_index=True)
    table.insert(0, "campaign_id", [f"k{i:05d}" for i in range(len(table))])
    return table


def topics_vector(shares: dict[str, float]) -> Floats:
    """Shares by topic, or by niche (both its strands alike), as one vector that adds up to 1.

    Raises:
        ValueError: A name is neither a topic nor a niche, or the shares don't add up to more
            than 0.
    """
    names = list(grammar.topics())
    vector = np.zeros(len(names))
    for name, share in shares.items():
        at = [i for i, topic in enumerate(names) if topic == name or topic.split("/")[0] == name]
        if not at:
            raise ValueError(f"no topic or niche {name!r}")
        vector[at] += share / len(at)
    if not vector.sum() > 0:
        raise ValueError("the shares of topics must add up to more than 0")
    return np.asarray(vector / vector.sum())


def perceived_niches(rng: np.random.Generator, mix: Floats) -> Floats:
    """How brands read each creator's category, (n_creators, n_niches): blurred, at times wrong."""
    n = len(mix)
    niche_mix = mix.reshape(n, -1, 2).sum(axis=2)
    read = niche_mix * rng.lognormal(0, 0.5, niche_mix.shape)
    wrong = rng.random(n) < 0.25
    read[wrong] = rng.dirichlet(np.full(read.shape[1], 0.3), int(wrong.sum()))
    return np.asarray(read / read.sum(axis=1, keepdims=True))


def book(
    rng: np.random.Generator,
    mechanism: Mechanism,
    people: pd.DataFrame,
    mix: Floats,
    drift: pd.DataFrame,
    posts: pd.DataFrame,
    campaigns: pd.DataFrame,
    days: int,
    progress: Progress | None,
) -> pd.DataFrame:
    """Lets each campaign choose its creators, and draws what comes of it.

    Brands like many followers, visible engagement, the category as they read it, a low price,
    partners they know, their own language; they don't know the true rate.

    Returns:
        One row a sponsorship: the contract's columns with `second` (of the start) and
        `resolved_second` in the place of times, `post_second`, and the truth beside them
        (true_click_rate, true_conversion_per_click, true_conversion_rate,
        true_expected_impressions, true_match, true_ad_share_90d).
    """
    names = list(grammar.niches())
    own = posts["is_ad"].to_numpy()
    history = AdHistory(
        len(people), posts.loc[~own, "creator"].to_numpy(), posts.loc[~own, "day"].to_numpy()
    )
    other = posts.loc[own]
    history.add(
        other["creator"].to_numpy(),
        other["day"].to_numpy(),
        other["vertical"].to_numpy(),
        other["brand"].tolist(),
    )
    read = perceived_niches(rng, mix)
    shown = _visible_engagement(people) + rng.normal(0, 0.5, len(people))
    price = np.log(people["price"].to_numpy(np.float64))
    spoken = people["language"].to_numpy(dtype=object)
    joined, left = people["join_day"].to_numpy(), people["quit_day"].to_numpy()
    partners: dict[str, Floats] = {}
    parts = []
    for at, campaign in enumerate(campaigns.to_dict("records")):
        day, brand = int(campaign["day"]), str(campaign["brand"])
        vertical = names.index(campaign["vertical"])
        brief = campaign_truth(campaign)
        known = partners.setdefault(brand, np.zeros(len(people)))
        near = np.array([grammar.niches()[names[vertical]].neighbours.get(n, 0.0) for n in names])
        near[vertical] = 1.0
        score = (
            0.55 * np.log(followers_on(people, day, days).to_numpy())
            + 0.5 * shown
            + 5.5 * (read @ near)
            - 0.35 * price
            + 1.6 * np.minimum(known, 1)
            - 1.8 * (spoken != brief.language)
            + rng.gumbel(0, 1.0, len(people))
        )
        score[(joined + 30 > day) | (left < day)] = -np.inf
        chosen = np.sort(np.argsort(-score, kind="stable")[: int(campaign["size"])])
        chosen = chosen[np.isfinite(score[chosen])]
        recent = history.recent(day, vertical, brand, chosen)
        truth = rates(mechanism, people.iloc[chosen], mix[chosen], drift, brief, recent, day, days)
        part = _outcomes(rng, people.iloc[chosen], truth, campaign)
        part["creator"] = chosen
        known[chosen] += 1
        history.add(
            chosen,
            (part["post_second"] // SECONDS_PER_DAY).to_numpy(),
            np.full(len(chosen), vertical),
            [brand] * len(chosen),
        )
        parts.append(part)
        if progress is not None:
            progress("campaigns", at + 1, len(campaigns))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "sponsorship_id", [f"s{i:06d}" for i in range(len(table))])
    return table


def campaign_truth(campaign: Mapping[Hashable, Any]) -> BriefTruth:
    """What of a campaign's row bears on the outcome."""
    country = campaign["country"]
    return BriefTruth(
        topics=topics_vector(json.loads(campaign["topics"])),
        vertical=list(grammar.niches()).index(str(campaign["vertical"])),
        brand=str(campaign["brand"]),
        language=str(campaign["language"]),
        country=country if isinstance(country, str) else None,
        effect=float(campaign["effect"]),
    )


def _visible_engagement(people: pd.DataFrame) -> Floats:
    """Log engagement for each follower as anyone can see it, up to a constant."""
    return np.asarray(
        0.7 * people["quality"]
        + np.log(people["authenticity"])
        - 0.16 * np.log(people["real_followers_end"])
    )


def _outcomes(
    rng: np.random.Generator,
    people: pd.DataFrame,
    truth: pd.DataFrame,
    campaign: Mapping[Hashable, Any],
) -> pd.DataFrame:
    """Draws impressions, clicks, conversions, cost and revenue, all more uneven than chance."""
    n = len(truth)
    start = int(campaign["day"]) * SECONDS_PER_DAY + int(rng.integers(7 * 3600, 18 * 3600))
    impressions = rng.poisson(truth["expected_impressions"] * mean_one(rng, 0.45, n)) + 20
    clicks = rng.binomial(impressions, np.minimum(truth["click_rate"] * mean_one(rng, 0.2, n), 1))
    sales = np.minimum(truth["conversion_per_click"] * mean_one(rng, 0.25, n), 1)
    conversions = rng.binomial(clicks, sales)
    spent = float(campaign["order_value"]) * mean_one(rng, 0.2, n)
    gifted = people["accepts_gifting"].to_numpy() & bool(campaign["gifts"]) & (rng.random(n) < 0.7)
    cost = np.where(gifted, 0.0, people["price"].to_numpy() * rng.uniform(0.85, 1.2, n))
    post = start + rng.integers(3600, 9 * SECONDS_PER_DAY, n)
    resolved = start + rng.integers(14 * SECONDS_PER_DAY, 30 * SECONDS_PER_DAY, n)
    frame = pd.DataFrame(
        {
            "campaign_id": campaign["campaign_id"],
            "creator_id": truth["creator_id"].to_numpy(),
            "brand": campaign["brand"],
            "brief": campaign["brief"],
            "second": start,
            "resolved_second": resolved,
            "cost": pd.Series(cost.round(2)).mask(rng.random(n) < 0.05),
            "impressions": impressions,
            "clicks": pd.Series(clicks, dtype=np.float64).mask(rng.random(n) < 0.12),
            "conversions": conversions,
            "revenue": pd.Series((conversions * spent).round(2)).mask(rng.random(n) < 0.1),
            "post_second": post,
        }
    )
    for name in (
        "click_rate",
        "conversion_per_click",
        "conversion_rate",
        "expected_impressions",
        "match",
        "ad_share_90d",
    ):
        frame[f"true_{name}"] = truth[name].to_numpy()
    return frame


def sponsored_posts(sponsorships: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """The posts that campaigns paid for, in the columns of `draw_posts`."""
    names = list(grammar.niches())
    campaign = campaigns.set_index("campaign_id").loc[sponsorships["campaign_id"]]
    vertical = np.array([names.index(str(name)) for name in campaign["vertical"]])
    return pd.DataFrame(
        {
            "creator": sponsorships["creator"].to_numpy(),
            "second": sponsorships["post_second"].to_numpy(),
            "day": (sponsorships["post_second"] // SECONDS_PER_DAY).to_numpy(),
            "topic": vertical * 2 + campaign["strand"].to_numpy(np.int64),
            "is_ad": True,
            "brand": sponsorships["brand"].to_numpy(dtype=object),
            "vertical": vertical,
            "sponsorship_id": sponsorships["sponsorship_id"].to_numpy(dtype=object),
        }
    )
