"""A brief and a bundle make a recommendation.

Reads top to bottom: encode, filter, candidates, rows, predictions, order, plan, reasons. Knows
nothing of HTTP, databases or MLflow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.facts import brand_code, brief_text
from features.language import detect
from features.pair import BriefProfile, pair_features
from features.schemas import Brief, BriefError, Objective
from features.vectors import snap
from features.windows import Floats, Ints
from models import index as indexes
from models import portfolio, reasons
from models.answer import Expected, Interval, Item, Pick, Plan, PoolCounts, Recommendation
from models.bundle import Bundle
from models.conversion import ConversionModel, Predictions
from models.describe import evidence, identity, niche_mix
from models.describe_safety import safety_of
from models.index import Index, Pool
from models.profiles import profile_brief
from models.reasons import Reason

CANDIDATES = 2_000  # creators scored in full: those nearest to the brief
TYPICAL_SAMPLE = 500  # creators that "typical" in a reason is measured on
PLANNED = 500  # creators a plan may choose from: those with the most conversions for the money

TOPIC_SIMILARITY = FEATURE_NAMES.index("topic_similarity")
FOLLOWERS_LOG = FEATURE_NAMES.index("followers_log")


@dataclass(frozen=True)
class Scored:
    """Candidates with their rows and predictions, in no order: what the service scored.

    Attributes:
        places: Places in the index, ``(n,)``.
        matrix: Rows of features, ``(n, n_features)``.
        cost: Price, or its estimate; NaN where neither is known.
        objective_score: What the order is by, ``(n,)``.
    """

    brief: BriefProfile
    places: Ints
    matrix: Floats
    predictions: Predictions
    cost: Floats
    cost_is_estimate: np.ndarray[tuple[int], np.dtype[np.bool_]]
    objective_score: Floats


def recommend(bundle: Bundle, brief: Brief) -> Recommendation:
    """Rank the creators for a brief.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    index = bundle.index
    _check_currency(index, brief)
    scored, pool = score(bundle, brief)
    order = _order(scored)
    shown = order[: brief.limit]
    return Recommendation(
        as_of_us=index.as_of_us,
        pool=PoolCounts(len(index), len(pool.eligible), pool.removed_by),
        items=_items(bundle, brief, scored, shown),
        portfolio=_plan(bundle, brief, scored, order),
    )


def score(bundle: Bundle, brief: Brief) -> tuple[Scored, Pool]:
    """Find candidates, build their rows, and predict."""
    index = bundle.index
    profile = brief_profile(bundle, brief)
    pool = indexes.filter_pool(index, brief, bundle.niche)
    places = indexes.candidates(index, pool.eligible, profile.vector, CANDIDATES)
    matrix = pair_features(index.profiles, places, [profile], np.zeros(len(places), dtype=np.int64))
    predictions = bundle.model.predict(matrix)
    cost, estimated = _costs(bundle, places, matrix)
    return (
        Scored(
            brief=profile,
            places=places,
            matrix=matrix,
            predictions=predictions,
            cost=cost,
            cost_is_estimate=estimated,
            objective_score=_objective_score(bundle, brief.objective, predictions, cost),
        ),
        pool,
    )


def brief_profile(bundle: Bundle, brief: Brief) -> BriefProfile:
    """Encode a brief. Lookalikes pull its vector to the middle between it and their topics."""
    text = brief_text(brief.query, brief.brand.vertical)
    vector = bundle.encoder.encode([text])[0]
    places = indexes.lookalike_places(bundle.index, brief)
    if places:
        profiles = bundle.index.profiles
        weighted = profiles.topics[places] * profiles.topic_share[places][:, :, np.newaxis]
        vector = snap(vector + snap(weighted.sum(axis=(0, 1))))
    return profile_brief(
        bundle.niche, bundle.projection, vector, detect([text])[0], brand_code(brief.brand.name)
    )


def _check_currency(index: Index, brief: Brief) -> None:
    if brief.budget is not None and brief.budget.currency != index.currency:
        raise BriefError(
            "/budget/currency",
            f"prices are known in {index.currency}, not in {brief.budget.currency}",
        )


def _costs(
    bundle: Bundle, places: Ints, matrix: Floats
) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    known = bundle.index.price[places]
    missing = np.isnan(known)
    if bundle.prices is None:
        return known, np.zeros(len(places), dtype=bool)
    platform = matrix[:, FEATURE_NAMES.index("platform")].astype(np.int64)
    estimate = bundle.prices.estimate(platform, matrix[:, FOLLOWERS_LOG])
    return np.where(missing, estimate, known), missing & ~np.isnan(estimate)


def _objective_score(
    bundle: Bundle, objective: Objective, predictions: Predictions, cost: Floats
) -> Floats:
    """Logarithm of what the brief wants most of; a heuristic knows only one order."""
    if bundle.model.kind == "heuristic" or objective == "conversion_rate":
        return predictions.score
    total = predictions.score + np.log(predictions.impressions)
    return total if objective == "conversions" else total - np.log(_payable(cost))


def _payable(cost: Floats) -> Floats:
    """Costs for a ratio: below one unit of money, one."""
    return np.maximum(cost, 1.0)


def _order(scored: Scored) -> Ints:
    """Best first; those that cannot be scored last; ties by id (places are sorted by id)."""
    key = np.where(np.isnan(scored.objective_score), -np.inf, scored.objective_score)
    return np.argsort(-key, kind="stable").astype(np.int64)


def _items(bundle: Bundle, brief: Brief, scored: Scored, rows: Ints) -> tuple[Item, ...]:
    explained = _reasons(bundle, brief, scored, rows) if brief.explain else [()] * len(rows)
    items = []
    for number, row in enumerate(rows):
        place = int(scored.places[row])
        predictions = scored.predictions
        items.append(
            Item(
                rank=number + 1,
                **identity(bundle.index, place),
                niche=(niche_mix(bundle.index, place) or (None,))[0],
                match=_or_none(np.clip(scored.matrix[row, TOPIC_SIMILARITY], 0.0, 1.0)),
                score=_or_none(scored.objective_score[row]),
                conversion_rate=_interval(
                    predictions.rate[row], predictions.rate_low[row], predictions.rate_high[row]
                ),
                expected=_expected(scored, int(row)),
                confidence=predictions.confidence(int(row)),
                reasons=explained[number],
                evidence=(
                    evidence(bundle.index, place, scored.brief.vector) if brief.explain else ()
                ),
                **safety_of(bundle.index, place, brief.filters.brand_safety.terms),
            )
        )
    return tuple(items)


def _expected(scored: Scored, row: int) -> Expected:
    predictions = scored.predictions
    impressions = predictions.impressions[row]
    conversions = predictions.rate[row] * impressions
    cost = scored.cost[row]
    return Expected(
        impressions=_interval(
            impressions, predictions.impressions_low[row], predictions.impressions_high[row]
        ),
        clicks=_or_none(predictions.click_rate[row] * impressions),
        conversions=_or_none(conversions),
        cost=_or_none(cost),
        cost_is_estimate=bool(scored.cost_is_estimate[row]),
        cost_per_conversion=_or_none(cost / conversions) if conversions > 0 else None,
    )


def _reasons(bundle: Bundle, brief: Brief, scored: Scored, rows: Ints) -> list[tuple[Reason, ...]]:
    matrix = scored.matrix[rows]
    parts = bundle.model.contributions(matrix)
    objective = "conversion_rate" if bundle.model.kind == "heuristic" else brief.objective
    if objective != "conversion_rate" and isinstance(bundle.model, ConversionModel):
        parts = parts + bundle.model.reach_contributions(matrix)
    typical = _typical(bundle, scored.brief)
    currency = bundle.index.currency
    out = []
    for row, values, amounts in zip(rows, matrix, parts, strict=True):
        extra = []
        if objective == "value" and not np.isnan(scored.cost[row]):
            amount = -float(np.log(_payable(scored.cost[row])))
            extra.append(
                Reason(
                    "cost",
                    float(scored.cost[row]),
                    amount,
                    f"A post costs about {scored.cost[row]:,.0f} {currency}: "
                    "money is what conversions are divided by",
                )
            )
        out.append(reasons.explain(values, amounts, typical, currency, extra))
    return out


def _typical(bundle: Bundle, brief: BriefProfile) -> Floats:
    """Median of each feature for this brief over creators in general, filtered out or not."""
    n = len(bundle.index)
    sample = np.unique(np.linspace(0, n - 1, min(n, TYPICAL_SAMPLE)).astype(np.int64))
    matrix = pair_features(
        bundle.index.profiles, sample, [brief], np.zeros(len(sample), dtype=np.int64)
    )
    return np.array([_median(column) for column in matrix.T])


def _median(column: Floats) -> float:
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else float("nan")


def _plan(bundle: Bundle, brief: Brief, scored: Scored, order: Ints) -> Plan | None:
    if brief.budget is None:
        return None
    budget, predictions = brief.budget.amount, scored.predictions
    if not isinstance(bundle.model, ConversionModel):
        # Nothing is known of value: only those on top are worth buying, dear or not.
        top = order[: brief.limit]
        cost = np.nan_to_num(scored.cost[top], nan=np.inf)
        rows = top[portfolio.choose_in_order(cost, budget)]
        return _spent(bundle, brief, scored, rows, None)
    conversions = predictions.rate * predictions.impressions
    worth = np.nan_to_num(conversions / _payable(scored.cost), nan=-1.0)
    near = np.sort(np.argsort(-worth, kind="stable")[:PLANNED])
    rows = near[portfolio.choose(conversions[near], scored.cost[near], budget)]
    # The same brief gets the same forecast: chance is seeded by what is asked.
    asked = brief.model_dump_json(exclude={"limit", "explain"}).encode()
    seed = int.from_bytes(hashlib.sha256(asked).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    outlook = portfolio.forecast(
        bundle.model.draw_rates(scored.matrix[rows], portfolio.DRAWS, rng),
        predictions.impressions[rows],
        predictions.impressions_low[rows],
        predictions.impressions_high[rows],
        rng,
    )
    return _spent(bundle, brief, scored, rows, outlook)


def _spent(
    bundle: Bundle,
    brief: Brief,
    scored: Scored,
    rows: Ints,
    outlook: portfolio.Forecast | None,
) -> Plan:
    budget = brief.budget
    if budget is None:
        raise ValueError("a plan needs a budget")
    ids = bundle.index.creators["creator_id"].to_numpy(object)[scored.places[rows]]
    predictions = scored.predictions
    picked = tuple(
        Pick(
            str(creator_id),
            float(scored.cost[row]),
            bool(scored.cost_is_estimate[row]),
            _or_none(predictions.rate[row] * predictions.impressions[row]),
        )
        for creator_id, row in zip(ids, rows, strict=True)
    )
    return Plan(
        budget=budget.amount,
        currency=budget.currency,
        spend=float(sum(pick.cost for pick in picked)),
        picked=picked,
        expected_conversions=outlook,
    )


def _interval(estimate: float, low: float, high: float) -> Interval | None:
    if np.isnan(estimate):
        return None
    return Interval(float(estimate), float(low), float(high))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
