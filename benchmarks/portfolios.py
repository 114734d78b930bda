"""What a budget buys: the product's plan against simpler ways to spend the same money.

    python -m benchmarks.portfolios [SEED …]
    python -m benchmarks.portfolios --speed

In SIMULATED worlds of seeds that served for no choice, everything after the first day of the last
three months is cut off and a model is trained by the real pipeline. It is then asked for plans for
campaigns of those months whose brands never appeared before. True rates, reach and prices of every
creator are known. Whose audiences overlap is a part of the truth that the product can only
estimate: people live in segments of country, language and strand of topics (the product knows
niches, and countries of some audiences), follow `TRUE_FOLLOWS` creators of the world each (the
product takes 5), and `TRUE_ACROSS` of them on any platform (it takes half). Somebody reached by
several converts once.

Printed, with 90% intervals over briefs: true conversions bought by the product's plan, by the
creators with most followers, by those with the highest engagement rate, by estimated value for
money without a look at overlap, by one large account, and by a plan that knows the truth; and how
often what comes (with the chance of campaigns, posts and purchases in it) lies within P10 to P90 of
the plan's forecast. Every way books by the prices that are known or estimated, and pays true ones,
which the world hides here and there; what it booked last and can no longer pay for falls away.

With ``--speed`` plans of 1,000 creators are timed instead.
"""

from __future__ import annotations

import argparse
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.worlds import Cut, campaigns, make_world, of_unseen_brands
from features.catalogue import FEATURE_NAMES
from features.schemas import PLATFORMS, PlanRequest
from features.tables import write_tables
from features.windows import Floats, Ints
from models import ranker
from models.bundle import Bundle
from models.portfolio import Audience, Limits, choose, choose_in_order
from training.pipeline import train
from training.settings import TrainingSettings
from training.simulate import true_rates
from training.world_mechanism import audience_in
from training.world_posts import mean_one

SEEDS = (911, 912, 913, 914, 915)
CREATORS = 600
BRIEFS = 10  # of each world
BUDGET = 4_000.0
ACTIVE_DAYS = 90
HOME = Path("var/benchmarks/portfolios")
AT_ONCE = 2  # worlds, a process each
TRUE_FOLLOWS = 8.0
TRUE_ACROSS = 0.3
TRUE_CELLS = 400  # the fullest segments of the truth; the others overlap least
OUTCOMES = 40  # draws of what comes of each plan
DRAWS = 2_000

PLAN, VALUE = "the product's plan", "value for money, no overlap"
FOLLOWERS, ENGAGEMENT = "most followers", "highest engagement rate"
LARGE, TRUTH = "one large account", "a plan that knows the truth"
WAYS = (PLAN, VALUE, FOLLOWERS, ENGAGEMENT, LARGE, TRUTH)


class Quiet:
    """A reporter that says nothing."""

    def step(self, title: str, total: int) -> Any:
        return nullcontext(lambda units: None)

    def say(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Told:
    """What came of one brief: true conversions by way, and the forecast against draws."""

    bought: dict[str, float]
    within: float
    below: float
    spread: float
    overlap_told: float
    overlap_true: float


def main() -> None:
    """Print the tables; seeds may be given instead of `SEEDS`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--speed", action="store_true")
    told = parser.parse_args()
    if told.speed:
        speed()
        return
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        found = [one for of_world in pool.map(_of_seed, told.seeds) for one in of_world]
    console = Console(width=120)
    console.print(_table(found, len(told.seeds)))
    within = np.array([one.within for one in found])
    low, high = _interval(within[np.newaxis])[0]
    console.print(
        f"within P10 to P90: {within.mean():.3f} ({low:.3f} to {high:.3f}); below P10 "
        f"{np.mean([one.below for one in found]):.3f}; P90 / P10 "
        f"{np.median([one.spread for one in found]):.1f} at the median\n"
        f"lost to overlap, by the plans: {np.mean([one.overlap_told for one in found]):.3f}; "
        f"in truth {np.mean([one.overlap_true for one in found]):.3f}",
        highlight=False,
    )


def _table(found: list[Told], worlds: int) -> Table:
    bought = np.array([[one.bought[way] for way in WAYS] for one in found]).T
    table = Table(
        title=f"True conversions for {BUDGET:,.0f} USD, {len(found)} briefs of brands never seen, "
        f"{worlds} SIMULATED worlds of {CREATORS} creators, {platform.machine()}"
    )
    for title in ("", "conversions a brief", "plan / this way", "plan is ahead in"):
        table.add_column(title, justify="left" if not title else "right")
    means = _interval(bought)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(found), (DRAWS, len(found)))
    for number, way in enumerate(WAYS):
        ratio = bought[0].sum() / max(bought[number].sum(), 1e-9)
        ratios = bought[0][drawn].sum(axis=1) / np.maximum(bought[number][drawn].sum(axis=1), 1e-9)
        low, high = np.quantile(ratios, [0.05, 0.95])
        ahead = "" if number == 0 else f"{(bought[0] > bought[number]).sum()} of {len(found)}"
        told = "" if number == 0 else f"{ratio:.2f} ({low:.2f} to {high:.2f})"
        mean = f"{bought[number].mean():.1f} ({means[number][0]:.1f} to {means[number][1]:.1f})"
        table.add_row(way, mean, told, ahead)
    return table


def _interval(values: Floats) -> list[tuple[float, float]]:
    """Bootstrap 90% intervals of the means of rows, over briefs."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, values.shape[1], (DRAWS, values.shape[1]))
    out = []
    for row in values:
        low, high = np.quantile(row[drawn].mean(axis=1), [0.05, 0.95])
        out.append((float(low), float(high)))
    return out


# ---------------------------------------------------------------- one world


def _of_seed(seed: int) -> list[Told]:
    with threadpool_limits(1):
        cut = make_world(CREATORS, seed, HOME)
        bundle = _trained(cut, seed)
        rng = np.random.default_rng(seed)
        asked = campaigns(of_unseen_brands(cut))[:BRIEFS]
        return [_of_brief(cut, bundle, one.campaign_id, one.brief, one.brand, rng) for one in asked]


def _trained(cut: Cut, seed: int) -> Bundle:
    """What the real pipeline makes of the world as it was known at the cut."""
    tables, moment = cut.tables, cut.late_from
    deals = tables.sponsorships
    before = {
        "creators": tables.creators,
        "posts": tables.posts[tables.posts["published_at"] < moment],
        "sponsorships": deals[deals["resolved_at"] < moment],
        "audience": tables.audience,
        "followers": tables.followers[tables.followers["observed_at"] < moment],
    }
    source = HOME / f"cut{seed}"
    write_tables(before, source, "parquet")
    settings = TrainingSettings(home=HOME / f"home{seed}", threads=1, simulated=True)
    _share_vectors(settings.home)
    return train(settings, str(source), Quiet(), full=False).bundle


def _share_vectors(home: Path) -> None:
    """Vectors of texts that other worlds held too are kept in one place."""
    shared = HOME / "vectors"
    shared.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "vectors").exists():
        (home / "vectors").symlink_to(shared.resolve())


@dataclass(frozen=True)
class Truth:
    """What a brief would truly bring, by place in the index."""

    audience: Audience
    impressions: Floats
    price: Floats
    followers: Floats


def _of_brief(
    cut: Cut, bundle: Bundle, campaign_id: str, query: str, brand: str, rng: np.random.Generator
) -> Told:
    request = PlanRequest.model_validate(
        {
            "brand": {"name": brand},
            "query": query,
            "filters": {"last_posted_in_days": ACTIVE_DAYS},
            "budget": {"amount": BUDGET},
        }
    )
    found = ranker.portfolio(bundle, request)
    truth = _truth(cut, campaign_id)
    place = {one: i for i, one in enumerate(bundle.index.ids)}
    planned = np.array([place[pick.creator_id] for pick in found.plan.picked], dtype=np.int64)
    per_cost = np.array([(p.adds_conversions or 0) / max(p.cost, 1) for p in found.plan.picked])
    booked = {PLAN: _paid(planned[np.argsort(-per_cost, kind="stable")], truth.price)}
    scored = found.scored
    cost = np.maximum(scored.costs.cost, 1.0)
    orders = {
        VALUE: scored.conversions / cost,
        FOLLOWERS: scored.matrix[:, FEATURE_NAMES.index("followers_log")],
        ENGAGEMENT: scored.matrix[:, FEATURE_NAMES.index("engagement_rate")],
    }
    for way, key in orders.items():
        order = np.argsort(-np.nan_to_num(key, nan=-1.0), kind="stable")
        known = np.nan_to_num(scored.costs.cost[order], nan=np.inf)
        wanted = order[choose_in_order(known, BUDGET)]
        booked[way] = _paid(scored.places[wanted], truth.price)
    eligible = scored.places
    best = choose(truth.audience.take(eligible), truth.price[eligible], Limits(BUDGET)).rows
    booked[TRUTH] = eligible[best]
    bought = {way: truth.audience.total(rows) for way, rows in booked.items()}
    account = found.plan.large_account
    bought[LARGE] = 0.0
    if account is not None and account.creator_id is not None:
        one = place[account.creator_id]
        posts = min(account.posts, int(BUDGET // truth.price[one]))
        reach = min(truth.impressions[one] / truth.followers[one], 0.8)
        seen = (1 - (1 - reach) ** posts) / reach
        bought[LARGE] = float(truth.audience.alone[one] * seen)
    outlook = found.plan.expected_conversions
    within = below = spread = float("nan")
    if outlook is not None:
        came = _outcomes(truth, planned, rng)
        within = float(((outlook.p10 <= came) & (came <= outlook.p90)).mean())
        below = float((came < outlook.p10).mean())
        spread = outlook.p90 / max(outlook.p10, 0.5)
    alone = truth.audience.alone[planned].sum()
    return Told(
        bought=bought,
        within=within,
        below=below,
        spread=spread,
        overlap_told=0.0 if found.plan.overlap is None else found.plan.overlap.share,
        overlap_true=float(1 - truth.audience.total(planned) / alone) if alone > 0 else 0.0,
    )


def _paid(order: Ints, price: Floats) -> Ints:
    """Those whose true price can be paid, in the order of a way."""
    left, kept = BUDGET, []
    for row in order:
        if price[row] <= left:
            kept.append(row)
            left -= price[row]
    return np.array(kept, dtype=np.int64)


def _outcomes(truth: Truth, rows: Ints, rng: np.random.Generator) -> Floats:
    """Draws of what comes of a plan, as uneven as the world's outcomes are, ``(OUTCOMES,)``."""
    worth = truth.audience.adds(rows)
    size = OUTCOMES * len(rows)
    uneven = mean_one(rng, 0.45, size) * mean_one(rng, 0.2, size) * mean_one(rng, 0.25, size)
    drawn = rng.poisson(worth * uneven.reshape(OUTCOMES, len(rows)))
    out: Floats = drawn.sum(axis=1).astype(np.float64)
    return out


def _truth(cut: Cut, campaign_id: str) -> Truth:
    """The truth of a campaign as of the cut, its creators in the index's order (by id)."""
    told = true_rates(cut.world, campaign_id=campaign_id, as_of=cut.late_from)
    told = told.sort_values("creator_id")
    people = cut.world.truth["creators"].set_index("creator_id").loc[told["creator_id"]]
    topics = cut.world.truth["topics"].pivot(index="creator_id", columns="topic", values="share")
    mix = topics.loc[told["creator_id"]].fillna(0.0).to_numpy(np.float64)
    impressions = told["expected_impressions"].to_numpy(np.float64)
    rate = told["conversion_rate"].to_numpy(np.float64)
    followers = people["real_followers_end"].to_numpy(np.float64)
    return Truth(
        audience=_true_audience(people.reset_index(), mix, followers, impressions, rate),
        impressions=impressions,
        price=told["price"].to_numpy(np.float64),
        followers=followers,
    )


def _true_audience(
    people: pd.DataFrame, mix: Floats, followers: Floats, impressions: Floats, rate: Floats
) -> Audience:
    """Whom a post of each creator truly reaches, in segments of country, language and strand."""
    countries = sorted(set(people["country"]))
    lives = np.column_stack([audience_in(people, code) for code in countries])
    speaks = people.filter(like="audience_language_").to_numpy(np.float64)
    market = (lives[:, :, None] * speaks[:, None, :]).reshape(len(people), -1)
    joint = (market[:, :, None] * mix[:, None, :]).reshape(len(people), -1)
    mass = (impressions * rate) @ joint
    cells = np.argsort(-mass, kind="stable")[:TRUE_CELLS]
    joint = joint[:, cells]
    on = people["platform"].map(PLATFORMS.index).to_numpy(np.int64)
    views = impressions[:, None] * joint
    fans = followers[:, None] * joint / TRUE_FOLLOWS
    wanted, living = [TRUE_ACROSS * views], [TRUE_ACROSS * fans.sum(axis=0)]
    for one in np.unique(on):
        here = (on == one)[:, None]
        wanted.append((1 - TRUE_ACROSS) * views * here)
        living.append((1 - TRUE_ACROSS) * (fans * here).sum(axis=0))
    size, seen = np.concatenate(living), np.concatenate(wanted, axis=1)
    return Audience.of_views(rate, size, seen, impressions - seen.sum(axis=1))


# ---------------------------------------------------------------- how long it takes


def speed() -> None:
    """Time plans of 1,000 made-up creators, with and without overlap and limits."""
    table = Table(title=f"Plans of 1,000 made-up creators, milliseconds, {platform.machine()}")
    for title in (
        "segments",
        "limits",
        "booked",
        "median",
        "slowest of 20",
        "of the best, at least",
    ):
        table.add_column(title, justify="right")
    for segments in (0, 200, 400):
        for tied in (False, True):
            times, shares, booked = [], [], []
            for seed in range(20):
                audience, cost = made_up(1_000, segments, np.random.default_rng(seed))
                third = np.arange(1_000) % 3 == 0
                limits = Limits(5_000.0)
                if tied:
                    limits = Limits(5_000.0, 5, 30, (("a third", third, 0.4),))
                begun = time.perf_counter()
                chosen = choose(audience, cost, limits)
                times.append(1_000 * (time.perf_counter() - begun))
                shares.append(chosen.of_best)
                booked.append(len(chosen.rows))
            told = "5 to 30 creators, 40% to a third" if tied else "budget alone"
            table.add_row(
                str(segments),
                told,
                f"{np.median(booked):.0f}",
                f"{np.median(times):.0f}",
                f"{max(times):.0f}",
                f"{np.mean(shares):.3f}",
            )
    Console(width=120).print(table)


def made_up(n: int, segments: int, rng: np.random.Generator) -> tuple[Audience, Floats]:
    """Creators whose audiences lie at random in segments, and what they cost."""
    rate, impressions = rng.lognormal(-7.5, 0.7, n), rng.lognormal(9.5, 0.8, n)
    cost = np.round(impressions * rng.lognormal(-4.3, 0.6, n)) + 1.0
    if segments == 0:
        return Audience(rate, np.empty(0), np.empty((n, 0)), impressions), cost
    people = rng.lognormal(10.5, 0.7, segments)
    views = impressions[:, None] * rng.dirichlet(np.full(segments, 0.25), n)
    return Audience.of_views(rate, people, views, np.zeros(n)), cost


if __name__ == "__main__":
    main()
