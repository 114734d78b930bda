"""A running campaign and where its remaining budget should go.

Puts what came of a campaign (`campaign`) and what was promised of its creators, booked or only
planned, before `allocation`. Knows nothing of HTTP or databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.served_rows import Candidates
from models.allocation import Advice, allocate
from models.answer import Interval
from models.campaign import Campaign, CreatorResult, Promise, promise_of
from models.forecast import seed_of
from models.outlook import Standing

UNKNOWN = Interval(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class CreatorAdvice:
    """What to do with one creator of a campaign; `result` is None where nothing came of it yet."""

    creator_id: str
    result: CreatorResult | None
    promise: Promise | None
    advice: Advice


@dataclass(frozen=True)
class Reallocation:
    """Where what is left of a campaign's budget should go now.

    Attributes:
        remaining: What is left.
        amount: What of it is to be spent.
        expected_conversions: Of that.
        creators: Those with most of it first.
    """

    campaign_id: str
    currency: str
    remaining: float
    amount: float
    expected_conversions: float
    creators: tuple[CreatorAdvice, ...]


def planned_promises(
    planned: Sequence[str], served: Sequence[tuple[str, Candidates]]
) -> dict[str, Promise]:
    """What was promised of the creators of a plan, by the latest answer that holds them."""
    found: dict[str, Promise] = {}
    for creator_id in planned:
        for recommendation_id, candidates in served:
            promise = promise_of(recommendation_id, candidates, creator_id)
            if promise is not None:
                found[creator_id] = promise
                break
    return found


def reallocate(
    campaign: Campaign,
    planned: Mapping[str, Promise],
    followers: Mapping[str, float],
    remaining: float,
    currency: str,
    *,
    weeks_left: int | None = None,
    most_per_conversion: float | None = None,
) -> Reallocation:
    """Say where what is left of a campaign's budget should go.

    Args:
        campaign: The campaign so far.
        planned: What was promised of creators whom its plan books, with or without outcomes.
        followers: Of its creators, by id, where known.
        remaining: What is left, at least 0.
        currency: Of all money.
        weeks_left: Until it ends, at least 1.
        most_per_conversion: What a conversion may cost.
    """
    results = {creator.creator_id: creator for creator in campaign.creators}
    ids = sorted({*results, *planned})
    promised = {
        creator_id: results[creator_id].promise if creator_id in results else planned[creator_id]
        for creator_id in ids
    }
    # The same campaign gets the same advice: chance is seeded by its id.
    seed = seed_of(campaign.campaign_id)
    found = allocate(
        _standing(ids, results, promised, followers),
        remaining,
        seed=seed,
        weeks_left=weeks_left,
        most_per_conversion=most_per_conversion,
        currency=currency,
    )
    creators = [
        CreatorAdvice(creator_id, results.get(creator_id), promised[creator_id], advice)
        for creator_id, advice in zip(ids, found.advice, strict=True)
    ]
    return Reallocation(
        campaign_id=campaign.campaign_id,
        currency=currency,
        remaining=remaining,
        amount=found.amount,
        expected_conversions=found.expected_conversions,
        creators=tuple(sorted(creators, key=lambda one: (-one.advice.amount, one.creator_id))),
    )


def _standing(
    ids: Sequence[str],
    results: Mapping[str, CreatorResult],
    promised: Mapping[str, Promise | None],
    followers: Mapping[str, float],
) -> Standing:
    rows = []
    for creator_id in ids:
        result, promise = results.get(creator_id), promised[creator_id]
        rate = UNKNOWN if promise is None else promise.rate
        reach = UNKNOWN if promise is None else promise.impressions or UNKNOWN
        posts = 0 if result is None else result.collaborations
        rows.append(
            (
                *(rate.estimate, rate.low, rate.high),
                *(reach.estimate, reach.low, reach.high),
                _cost(result, promise),
                posts,
                0 if result is None else result.impressions,
                0 if result is None else result.conversions,
                _spent(result, promise),
                followers.get(creator_id, np.nan),
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 12).T
    return Standing(*columns)


def _cost(result: CreatorResult | None, promise: Promise | None) -> float:
    """What one more post costs: what its posts did cost, else what was promised."""
    if result is not None and result.cost and result.collaborations:
        return result.cost / result.collaborations
    return np.nan if promise is None or promise.cost is None else promise.cost


def _spent(result: CreatorResult | None, promise: Promise | None) -> float:
    if result is None:
        return 0.0
    if result.cost is not None:
        return result.cost
    if promise is None or promise.cost is None:
        return 0.0
    return result.collaborations * promise.cost
