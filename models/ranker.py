"""A brief and a bundle make a recommendation.

Reads top to bottom: score, order, plan, reasons. Knows nothing of HTTP, databases or MLflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.pair import BriefProfile, brief_columns
from features.schemas import Brief, BriefError, Constraints, PlanRequest
from features.windows import Floats, Ints
from models import reasons
from models.answer import Expected, Interval, Item, Plan, PoolCounts, Recommendation
from models.bundle import Bundle, medians
from models.conversion import ConversionModel
from models.describe import evidence, identity, niche_mix
from models.describe_safety import safety_of
from models.explore import Shown, choose_shown
from models.index import Index, Pool, places_of
from models.planning import Ground, plan
from models.reasons import Reason
from models.relax import nearest, relaxations
from models.scoring import BASES, ESTIMATE, Scored, payable, score, score_places
from models.timing import stage

TOPIC_SIMILARITY = FEATURE_NAMES.index("topic_similarity")


@dataclass(frozen=True)
class Answered:
    """A recommendation with all that it was chosen from.

    Attributes:
        order: Rows of `scored`, those shown first, then the others, best first.
        propensity: Probability that each one shown was shown at its place, in their order.
    """

    recommendation: Recommendation
    scored: Scored
    order: Ints
    propensity: Floats


@dataclass(frozen=True)
class Portfolio:
    """A plan for a brief, with all that it was chosen from.

    Attributes:
        order: Rows of `scored`, those booked first, then the others, best first.
    """

    as_of_us: int
    pool: PoolCounts
    plan: Plan
    scored: Scored
    order: Ints


def recommend(bundle: Bundle, brief: Brief, seed: int = 0) -> Recommendation:
    """Rank the creators for a brief.

    Args:
        bundle: What to answer with.
        brief: What is asked.
        seed: Of the places that are given by chance.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    return answer(bundle, brief, seed).recommendation


def answer(bundle: Bundle, brief: Brief, seed: int = 0) -> Answered:
    """The same, and what it was chosen from.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    _check_currency(bundle.index, brief)
    scored, pool = score(bundle, brief)
    order = scored.order
    shown = choose_shown(
        order,
        scored.objective_score,
        scored.predictions.spread,
        brief.limit,
        brief.explore_share,
        np.random.default_rng(seed),
    )
    planned = None
    if brief.budget is not None:
        with stage("portfolio"):
            planned = plan(Ground(bundle, brief, Constraints(), scored), brief.budget).plan
    counts = _pool(bundle, brief, scored, pool)
    with stage("explain"):
        items = _items(bundle, brief, scored, shown)
    recommendation = Recommendation(bundle.index.as_of_us, counts, items, planned)
    return Answered(recommendation, scored, _first(shown.rows, order), shown.propensity)


def portfolio(bundle: Bundle, request: PlanRequest) -> Portfolio:
    """Spread a brief's budget over creators, within its constraints.

    Raises:
        BriefError: The brief asks for what cannot be answered, or no plan keeps the constraints.
    """
    ground, pool = ground_of(bundle, request)
    scored = ground.scored
    with stage("portfolio"):
        planned = plan(ground, request.budget)
    return Portfolio(
        as_of_us=bundle.index.as_of_us,
        pool=_pool(bundle, request, scored, pool),
        plan=planned.plan,
        scored=scored,
        order=_first(planned.rows, scored.order),
    )


def ground_of(bundle: Bundle, request: PlanRequest) -> tuple[Ground, Pool]:
    """What plans are made from: who passes the filters, and whom the plan must hold.

    Raises:
        BriefError: The brief asks for what cannot be answered.
    """
    _check_currency(bundle.index, request)
    scored, pool = score(bundle, request)
    # Whom the plan must hold may be anyone, also whom a filter takes out.
    constraints = request.constraints
    must = places_of(bundle.index, constraints.must_have, "/constraints/must_have")
    places_of(bundle.index, constraints.never, "/constraints/never")
    places = np.union1d(scored.places, np.array(must, dtype=np.int64))
    if len(places) > len(scored):
        scored = score_places(bundle, request, scored.brief, places)
    return Ground(bundle, request, constraints, scored), pool


def _first(rows: Ints, order: Ints) -> Ints:
    """Some rows first, then the others in their order."""
    return np.concatenate([rows, order[~np.isin(order, rows)]]).astype(np.int64)


def _pool(bundle: Bundle, brief: Brief, scored: Scored, pool: Pool) -> PoolCounts:
    with stage("relax"):
        return PoolCounts(
            creators=len(bundle.index),
            eligible=len(pool.eligible),
            removed_by=pool.removed_by,
            relaxations=relaxations(bundle, brief, scored, pool) if brief.explain else (),
            nearest=nearest(pool),
        )


def _check_currency(index: Index, brief: Brief) -> None:
    if brief.budget is not None and brief.budget.currency != index.currency:
        raise BriefError(
            "/budget/currency",
            f"prices are known in {index.currency}, not in {brief.budget.currency}",
        )


def _items(bundle: Bundle, brief: Brief, scored: Scored, shown: Shown) -> tuple[Item, ...]:
    rows = shown.rows
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
                explored=bool(shown.explored[number]),
                propensity=float(shown.propensity[number]),
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
    costs = scored.costs
    cost, basis = costs.cost[row], int(costs.basis[row])
    return Expected(
        impressions=_interval(
            impressions, predictions.impressions_low[row], predictions.impressions_high[row]
        ),
        clicks=_or_none(predictions.click_rate[row] * impressions),
        conversions=_or_none(conversions),
        cost=_or_none(cost),
        cost_is_estimate=basis == ESTIMATE,
        cost_basis=BASES[basis],
        cost_interval=(
            _interval(cost, costs.low[row], costs.high[row]) if basis == ESTIMATE else None
        ),
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
        if objective == "value" and not np.isnan(scored.costs.cost[row]):
            amount = -float(np.log(payable(scored.costs.cost[row])))
            extra.append(
                Reason(
                    "cost",
                    float(scored.costs.cost[row]),
                    amount,
                    f"A post costs about {scored.costs.cost[row]:,.0f} {currency}: "
                    "money is what conversions are divided by",
                )
            )
        out.append(reasons.explain(values, amounts, typical, currency, extra))
    return out


def _typical(bundle: Bundle, brief: BriefProfile) -> Floats:
    """Median of each feature for this brief over creators in general, filtered out or not."""
    sample, own = bundle.typical
    return np.concatenate([own, medians(brief_columns(bundle.index.profiles, sample, brief))])


def _interval(estimate: float, low: float, high: float) -> Interval | None:
    if np.isnan(estimate):
        return None
    return Interval(float(estimate), float(low), float(high))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
