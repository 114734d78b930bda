"""A campaign so far against what was promised of it.

Reads outcomes and the candidates of the answers they came of. Knows nothing of databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.outcomes import Outcome
from features.schemas import Budget
from features.served_rows import ESTIMATES, Candidates
from features.windows import MICROSECONDS_PER_DAY, Floats
from models.answer import Interval
from models.conversion import TINY, draw_around, interval_factors
from models.forecast import DRAWS, Forecast, forecast, seed_of

# All shapes that `models.conversion.gamma_shape` gives, close enough to interpolate.
_SHAPES = np.exp(np.linspace(-5.0, 10.0, 301))

Standing = Literal["above forecast", "on forecast", "below forecast"]


@dataclass(frozen=True)
class Promise:
    """What an answer said of one creator.

    Attributes:
        recommendation_id: The answer.
        rate: Conversions for each impression.
        impressions: Of one post.
        cost: Price, or its estimate; None where neither was known.
    """

    recommendation_id: str
    rate: Interval
    impressions: Interval | None
    cost: float | None


@dataclass(frozen=True)
class CreatorResult:
    """One creator of a campaign: what came, and what was promised for the impressions that came.

    Attributes:
        collaborations: How many outcomes were sent of this creator.
        clicks, revenue, cost: None where one of the outcomes does not tell it.
        expected_conversions: The promised rate times the impressions that came.
    """

    creator_id: str
    collaborations: int
    impressions: int
    clicks: int | None
    conversions: int
    revenue: float | None
    cost: float | None
    promise: Promise | None
    expected_conversions: Interval | None

    @property
    def conversion_rate(self) -> float | None:
        """Conversions for each impression."""
        return self.conversions / self.impressions if self.impressions else None

    @property
    def cost_per_conversion(self) -> float | None:
        return None if self.cost is None or not self.conversions else self.cost / self.conversions


@dataclass(frozen=True)
class Campaign:
    """A campaign so far.

    Attributes:
        days_running: From the first start until now, or until the last outcome was final.
        is_final: Every outcome sent is final.
        total: Of all creators, with no promise of its own.
        compared: How many creators had a promise; `observed` and `forecast` are theirs alone.
        observed: Conversions of those.
        forecast: Conversions promised for the impressions that came; None where nothing was.
        standing: Where `observed` lies to the 80% interval of `forecast`.
    """

    campaign_id: str
    days_running: float
    is_final: bool
    creators: tuple[CreatorResult, ...]
    total: CreatorResult
    compared: int
    observed: int
    forecast: Forecast | None
    standing: Standing | None
    budget: Budget | None

    @property
    def remaining(self) -> float | None:
        """What is left of the budget; None where there is none or a cost is not known."""
        if self.budget is None or self.total.cost is None:
            return None
        return self.budget.amount - self.total.cost


def promises(
    outcomes: Sequence[Outcome], served: Sequence[tuple[str, Candidates]]
) -> dict[str, Promise]:
    """What was promised of each creator: by the answer its latest outcome names, else the latest.

    Args:
        outcomes: Of one campaign.
        served: Answers of the campaign, by id, the latest first.
    """
    by_id = dict(served)
    found: dict[str, Promise] = {}
    for outcome in sorted(outcomes, key=lambda o: (o.started_at_us, o.sponsorship_id)):
        named = by_id.get(outcome.recommendation_id or "")
        answers = [] if named is None else [(str(outcome.recommendation_id), named)]
        for recommendation_id, candidates in [*answers, *served]:
            promise = promise_of(recommendation_id, candidates, outcome.creator_id)
            if promise is not None:
                found[outcome.creator_id] = promise
                break
    return found


def promise_of(recommendation_id: str, candidates: Candidates, creator_id: str) -> Promise | None:
    """What an answer said of a creator; None where it said nothing, or claims no rate."""
    row = candidates.place(creator_id)
    if row is None:
        return None
    said = dict(zip(ESTIMATES, candidates.estimates[row].tolist(), strict=True))
    rate = _interval(said, "rate")
    if rate is None:  # stated rules claim none
        return None
    cost = None if np.isnan(said["cost"]) else said["cost"]
    return Promise(recommendation_id, rate, _interval(said, "impressions"), cost)


def _interval(said: dict[str, float], name: str) -> Interval | None:
    values = (said[name], said[f"{name}_low"], said[f"{name}_high"])
    return None if np.isnan(values).any() else Interval(*values)


def so_far(
    campaign_id: str,
    outcomes: Sequence[Outcome],
    promised: dict[str, Promise],
    budget: Budget | None,
    now_us: int,
) -> Campaign:
    """A campaign's results against what was promised.

    Args:
        campaign_id: The campaign.
        outcomes: What came of it.
        promised: What was promised of its creators, by id.
        budget: What it may cost.
        now_us: The present moment, in microseconds since 1970.
    """
    by_creator: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_creator.setdefault(outcome.creator_id, []).append(outcome)
    creators = tuple(
        _result(creator_id, theirs, promised.get(creator_id))
        for creator_id, theirs in sorted(by_creator.items())
    )
    compared = [creator for creator in creators if creator.promise is not None]
    observed = sum(creator.conversions for creator in compared)
    forecast = _forecast(campaign_id, compared)
    end_us = max((outcome.resolved_at_us for outcome in outcomes), default=now_us)
    start_us = min((outcome.started_at_us for outcome in outcomes), default=now_us)
    return Campaign(
        campaign_id=campaign_id,
        days_running=max(0.0, (min(now_us, end_us) - start_us) / MICROSECONDS_PER_DAY),
        is_final=bool(outcomes) and end_us <= now_us,
        creators=creators,
        total=_result("", list(outcomes), None),
        compared=len(compared),
        observed=observed,
        forecast=forecast,
        standing=None if forecast is None else _standing(observed, forecast),
        budget=budget,
    )


def _result(creator_id: str, outcomes: list[Outcome], promise: Promise | None) -> CreatorResult:
    impressions = sum(outcome.impressions for outcome in outcomes)
    clicks = [outcome.clicks for outcome in outcomes]
    revenue = [outcome.revenue for outcome in outcomes]
    cost = [outcome.cost for outcome in outcomes]
    return CreatorResult(
        creator_id=creator_id,
        collaborations=len(outcomes),
        impressions=impressions,
        clicks=None if None in clicks else sum(count for count in clicks if count is not None),
        conversions=sum(outcome.conversions for outcome in outcomes),
        revenue=_sum(revenue),
        cost=_sum(cost),
        promise=promise,
        expected_conversions=None
        if promise is None
        else Interval(
            promise.rate.estimate * impressions,
            promise.rate.low * impressions,
            promise.rate.high * impressions,
        ),
    )


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return float(sum(known)) if len(known) == len(amounts) else None


def _forecast(campaign_id: str, creators: Sequence[CreatorResult]) -> Forecast | None:
    """Conversions that the promised rates bring for the impressions that came.

    Draws of each rate, then counts: as a plan's forecast does, but for impressions, which are
    known now. The same campaign gets the same forecast: chance is seeded by its id.
    """
    rates = [creator.promise.rate for creator in creators if creator.promise is not None]
    if not rates:
        return None
    seed = seed_of(campaign_id)
    rng = np.random.default_rng(seed)
    drawn = draw_rates(rates, rng)
    impressions = np.array([creator.impressions for creator in creators], dtype=np.float64)
    total = rng.poisson(drawn * impressions).sum(axis=1)
    return forecast(total)


def draw_rates(rates: Sequence[Interval], rng: np.random.Generator) -> Floats:
    """Draws of true rates from their estimates and 80% intervals, ``(DRAWS, len(rates))``.

    Gamma of the promised mean, as wide as the interval: of the shape whose interval has the same
    ratio of its ends. That is what the model itself means by an interval (`models.conversion`),
    but for the part that its correction for choice has in it.
    """
    estimate, low, high = np.array([[rate.estimate, rate.low, rate.high] for rate in rates]).T
    lower, upper = interval_factors(_SHAPES)
    ratio = np.log(upper) - np.log(np.maximum(lower, TINY))
    wanted = np.log(np.maximum(high, TINY)) - np.log(np.maximum(low, TINY))
    # The ratio falls as the shape grows; `interp` wants what grows.
    shape = np.exp(np.interp(wanted, ratio[::-1], np.log(_SHAPES)[::-1]))
    out: Floats = estimate * draw_around(shape, DRAWS, rng)
    return out


def _standing(observed: int, forecast: Forecast) -> Standing:
    if observed < forecast.p10:
        return "below forecast"
    return "above forecast" if observed > forecast.p90 else "on forecast"
