"""What goes over the wire of a campaign's allocation. Knows nothing of how it is found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.answer import Interval
from models.reallocation import CreatorAdvice, Reallocation
from service.wire import IntervalWire, Wire


class CreatorAllocationWire(Wire):
    """What to do with one creator; null where the model foretold nothing."""

    creator_id: str
    action: Literal["scale_up", "hold", "scale_down", "stop"]
    reason: str
    share: float = Field(description="Of what is left")
    amount: float
    posts: int
    next_posts: int = Field(description="Of `posts`, those to book in the coming week")
    expected_conversions: float = Field(description="Of `posts`")
    conversion_rate: IntervalWire | None = Field(
        description="As believed now: the model's interval, and what came since"
    )
    impressions: IntervalWire | None = Field(description="Of one more post, likewise")
    conversions_per_money: float | None = Field(
        description="Expected of one more post, for each unit of money"
    )
    chance_best: float = Field(description="Probability that nobody brings more for the money")
    posts_so_far: int
    conversions_so_far: int


class AllocationResponse(Wire):
    """Where what is left of a campaign's budget should go now."""

    campaign_id: str
    currency: str
    remaining: float
    amount: float = Field(description="What of it is to be spent")
    expected_conversions: float = Field(description="Of that")
    creators: list[CreatorAllocationWire] = Field(description="Those with most of it first")


def allocation(found: Reallocation) -> AllocationResponse:
    """A campaign's allocation."""
    return AllocationResponse(
        campaign_id=found.campaign_id,
        currency=found.currency,
        remaining=found.remaining,
        amount=found.amount,
        expected_conversions=found.expected_conversions,
        creators=[_creator(one) for one in found.creators],
    )


def _creator(one: CreatorAdvice) -> CreatorAllocationWire:
    advice = one.advice
    return CreatorAllocationWire(
        creator_id=one.creator_id,
        action=advice.action,
        reason=advice.reason,
        share=advice.share,
        amount=advice.amount,
        posts=advice.posts,
        next_posts=advice.next_posts,
        expected_conversions=advice.expected_conversions,
        conversion_rate=_interval(advice.rate, advice.rate_low, advice.rate_high),
        impressions=_interval(advice.impressions, advice.impressions_low, advice.impressions_high),
        conversions_per_money=advice.conversions_per_money,
        chance_best=advice.chance_best,
        posts_so_far=0 if one.result is None else one.result.collaborations,
        conversions_so_far=0 if one.result is None else one.result.conversions,
    )


def _interval(estimate: float | None, low: float | None, high: float | None) -> IntervalWire | None:
    if estimate is None or low is None or high is None:
        return None
    return IntervalWire.model_validate(Interval(estimate, low, high))
