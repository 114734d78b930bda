"""Campaigns of simulated worlds to run live: what the model expects of ten creators, and the truth.

A model is trained as `training.pipeline` trains it, on what was resolved before the last three
months, and picks creators for the campaigns of those months whose brand never appeared before.
Knows nothing of how money is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.held_out import PARAMS, trained
from benchmarks.worlds import (
    Campaign,
    Cut,
    campaigns,
    everyone,
    known_of,
    make_world,
    of_unseen_brands,
    rows_known,
)
from features.catalogue import FEATURE_NAMES
from features.windows import Floats
from training.dataset import draw_candidates
from training.simulate import true_rates

HOME = Path("var/benchmarks/live")
CREATORS = 400
PICKED = 10
# A post costs at most this, in USD; ten posts are then within a budget of 4,000 a round.
DEAREST = 400.0
# Posts of one creator whose truth is worked out: two a week for eight weeks.
DEEPEST = 16

FOLLOWERS_LOG = FEATURE_NAMES.index("followers_log")


@dataclass(frozen=True)
class Case:
    """A campaign with the creators picked for it, ``(n,)`` each unless said.

    Attributes:
        rate, rate_low, rate_high: Conversions for each impression, as the model has them.
        impressions, impressions_low, impressions_high: Of one post, as the model has them.
        cost: Price of a post, USD.
        audience: Followers; NaN where unknown.
        true_click_rate, true_sale_rate: Clicks for each impression and conversions for each click
            of a post after 0, 1, ... posts for the same brand, ``(DEEPEST, n)``.
        true_impressions: Expected impressions of a post.
    """

    rate: Floats
    rate_low: Floats
    rate_high: Floats
    impressions: Floats
    impressions_low: Floats
    impressions_high: Floats
    cost: Floats
    audience: Floats
    true_click_rate: Floats
    true_sale_rate: Floats
    true_impressions: Floats


def cases_of(seed: int) -> list[Case]:
    """The campaigns of a world, in the order of time; kept under `HOME` until deleted there."""
    file = HOME / f"cases{CREATORS}_{seed}.npz"
    if not file.exists():
        _save(_cases(seed), file)
    with np.load(file) as told:
        count = len(told["rate"])
        return [Case(**{f.name: told[f.name][i] for f in fields(Case)}) for i in range(count)]


def _cases(seed: int) -> list[Case]:
    cut = make_world(CREATORS, seed, HOME)
    deals = cut.tables.sponsorships
    early = deals[deals["resolved_at"] < cut.late_from]
    unseen = of_unseen_brands(cut)
    known = known_of(cut.tables, early, unseen, HOME)
    rows = rows_known(known, early)
    model = trained(rows, draw_candidates(known, rows, PARAMS.seed), PARAMS)
    out = []
    for campaign in campaigns(unseen):
        matrix = everyone(known, campaign)
        told = model.predict(matrix)
        truth = _truth(cut, campaign)
        price = truth[0]["price"]
        value = np.where(price <= DEAREST, told.rate * told.impressions / price, -np.inf)
        best = np.argsort(-value, kind="stable")[:PICKED]
        out.append(
            Case(
                rate=told.rate[best],
                rate_low=told.rate_low[best],
                rate_high=told.rate_high[best],
                impressions=told.impressions[best],
                impressions_low=told.impressions_low[best],
                impressions_high=told.impressions_high[best],
                cost=price[best],
                audience=np.expm1(matrix[best, FOLLOWERS_LOG]),
                true_click_rate=np.array([after["click_rate"][best] for after in truth]),
                true_sale_rate=np.array([after["conversion_per_click"][best] for after in truth]),
                true_impressions=truth[0]["expected_impressions"][best],
            )
        )
    return out


def _truth(cut: Cut, campaign: Campaign) -> list[dict[str, Floats]]:
    """`true_rates` after 0, 1, ... posts for the brand, in the order that `everyone` has."""
    names = ("price", "click_rate", "conversion_per_click", "expected_impressions")
    out = []
    for repeats in range(DEEPEST):
        found = true_rates(cut.world, campaign_id=campaign.campaign_id, repeats=repeats)
        found = found.sort_values("creator_id")
        out.append({name: found[name].to_numpy(np.float64) for name in names})
    return out


def _save(cases: list[Case], file: Path) -> None:
    told = {f.name: np.array([getattr(case, f.name) for case in cases]) for f in fields(Case)}
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, **told)  # type: ignore[arg-type]
    part.replace(file)
