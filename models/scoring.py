"""Candidates for a brief: their rows, what is expected of each, and what each costs.

Knows nothing of order, plans or reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.facts import brand_code, brief_text
from features.pair import BriefProfile, pair_features
from features.schemas import Brief, Objective
from features.vectors import snap
from features.windows import Floats, Ints
from models import index as indexes
from models.answer import CostBasis
from models.bundle import Bundle, Content
from models.conversion import Predictions
from models.index import Pool
from models.search import query_of
from models.snapshots import profile_brief
from models.timing import stage, tell_eligible

# Creators scored in full. Of the best 50 among 100,000 they hold 0.989 by conversion rate where no
# filter narrows them (1,500 held 0.958), and all by the other objectives (`benchmarks.search`).
CANDIDATES = 3_000
FOLLOWERS_LOG = FEATURE_NAMES.index("followers_log")
PLATFORM = FEATURE_NAMES.index("platform")

PRICE, ESTIMATE, GIFT, UNPRICED = range(4)
BASES: tuple[CostBasis | None, ...] = ("price", "estimate", "gift", None)


@dataclass(frozen=True)
class Costs:
    """What booking a post costs, ``(n,)`` each; NaN where nothing tells.

    `basis` is a place in `BASES`; `low` and `high` bound the middle 80% where the price is
    estimated, else they are the cost.
    """

    cost: Floats
    low: Floats
    high: Floats
    basis: Ints


@dataclass(frozen=True)
class Scored:
    """Creators with their rows and predictions, in no order: what the service scored.

    Attributes:
        places: Places in the index, ``(n,)``.
        matrix: Rows of features, ``(n, n_features)``.
        objective_score: What the order is by, ``(n,)``.
    """

    brief: BriefProfile
    places: Ints
    matrix: Floats
    predictions: Predictions
    costs: Costs
    objective_score: Floats

    def __len__(self) -> int:
        return len(self.places)

    @property
    def conversions(self) -> Floats:
        """Expected conversions of a post, ``(n,)``; NaN where the model cannot tell."""
        return self.predictions.rate * self.predictions.impressions

    @property
    def order(self) -> Ints:
        """Best first; those that cannot be scored last; ties by id (places are sorted by id)."""
        key = np.where(np.isnan(self.objective_score), -np.inf, self.objective_score)
        return np.argsort(-key, kind="stable").astype(np.int64)


def score(bundle: Bundle, brief: Brief) -> tuple[Scored, Pool]:
    """Find candidates, build their rows, and predict.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    with stage("encode_brief"):
        profile = brief_profile(bundle, brief)
    return score_as(bundle, brief, profile)


def score_as(bundle: Content, brief: Brief, profile: BriefProfile) -> tuple[Scored, Pool]:
    """The same for a brief whose text was read before.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    with stage("filter"):
        pool = indexes.filter_pool(bundle.index, brief, bundle.niche)
    tell_eligible(len(pool.eligible))
    with stage("candidates"):
        places = candidates(bundle, brief, profile, pool.eligible, CANDIDATES)
    return score_places(bundle, brief, profile, places), pool


def candidates(
    bundle: Content, brief: Brief, profile: BriefProfile, eligible: Ints, limit: int
) -> Ints:
    """Places of those of the eligible who are likely to score best, ascending."""
    objective = "conversion_rate" if bundle.model.kind == "heuristic" else brief.objective
    query = query_of(
        bundle.search.weights, bundle.index.profiles, profile, objective, brief.product_cost
    )
    return bundle.search.nearest(query, eligible, limit)


def score_places(bundle: Content, brief: Brief, profile: BriefProfile, places: Ints) -> Scored:
    """Score creators of some places, whether a filter takes them out or not."""
    none = np.zeros(len(places), dtype=np.int64)
    with stage("features"):
        matrix = pair_features(bundle.index.profiles, places, [profile], none)
    with stage("predict"):
        predictions = bundle.model.predict(matrix)
    costs = _costs(bundle, brief, places, matrix)
    return Scored(
        brief=profile,
        places=places,
        matrix=matrix,
        predictions=predictions,
        costs=costs,
        objective_score=_objective_score(bundle, brief.objective, predictions, costs.cost),
    )


def brief_profile(bundle: Bundle, brief: Brief) -> BriefProfile:
    """Encode a brief. Lookalikes pull its vector to the middle between it and their topics."""
    text = brief_text(brief.query, brief.brand.vertical)
    read = bundle.reader.read(text)
    vector = read.vector
    places = indexes.lookalike_places(bundle.index, brief)
    if places:
        profiles = bundle.index.profiles
        weighted = profiles.topics[places] * profiles.topic_share[places][:, :, np.newaxis]
        vector = snap(vector + snap(weighted.sum(axis=(0, 1))))
    return profile_brief(
        bundle.niche, bundle.projection, vector, read.language, brand_code(brief.brand.name)
    )


def _costs(bundle: Content, brief: Brief, places: Ints, matrix: Floats) -> Costs:
    """Known prices, else estimates; a product where that is taken instead and costs less."""
    price = bundle.index.price[places]
    missing = np.isnan(price)
    found = Costs(price, price, price, np.where(missing, UNPRICED, PRICE))
    if bundle.prices is not None and missing.any():
        told = bundle.prices.estimate(
            matrix[:, PLATFORM].astype(np.int64), matrix[:, FOLLOWERS_LOG]
        )
        mean, low, high = (np.where(missing, value, price) for value in told)
        basis = np.where(missing & ~np.isnan(mean), ESTIMATE, found.basis)
        found = Costs(mean, low, high, basis)
    if brief.product_cost is None:
        return found
    gifting = bundle.index.creators.gifting[places] == 1
    swaps = gifting & ~(found.cost <= brief.product_cost)
    cost, low, high = (
        np.where(swaps, brief.product_cost, value) for value in (found.cost, found.low, found.high)
    )
    return replace(found, cost=cost, low=low, high=high, basis=np.where(swaps, GIFT, found.basis))


def payable(cost: Floats) -> Floats:
    """Costs for a ratio: below one unit of money, one."""
    return np.maximum(cost, 1.0)


def _objective_score(
    bundle: Content, objective: Objective, predictions: Predictions, cost: Floats
) -> Floats:
    """Logarithm of what the brief wants most of; a heuristic knows only one order."""
    if bundle.model.kind == "heuristic" or objective == "conversion_rate":
        return predictions.score
    total = predictions.score + np.log(predictions.impressions)
    return total if objective == "conversions" else total - np.log(payable(cost))
