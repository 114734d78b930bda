"""What goes over the wire of outcomes and campaigns: bodies, responses, examples.

Knows nothing of how outcomes are checked (`features.outcomes`) or kept (`features.store`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from features.outcomes import BRIEF_AT_MOST, FROM_ANSWER, NAME_AT_MOST, TABLE
from features.schemas import DEFAULT_RESOLVE_DAYS, NUMBER_AT_MOST, TABLES, Budget
from features.store import Kept, Written
from features.store_campaigns import CampaignLine
from models.campaign import Campaign, CreatorResult
from service.wire import ForecastWire, IntervalWire, Wire, moment

OUTCOMES_AT_MOST = 1_000

EXAMPLE_OUTCOME: dict[str, Any] = {
    "sponsorship_id": "s-2041",
    "creator_id": "c000017",
    "campaign_id": "serum-spring",
    "brand": "Luma",
    "brief": "Launch of a fragrance-free vegan serum for sensitive skin.",
    "started_at": "2025-05-02T09:00:00Z",
    "resolved_at": "2025-06-01T09:00:00Z",
    "cost": 350.0,
    "impressions": 28114,
    "clicks": 402,
    "conversions": 12,
    "revenue": 588.0,
}

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "maxLength": NAME_AT_MOST, "pattern": r"^[^\x00]*$"},
    "integer": {"type": "integer", "minimum": 0, "maximum": int(NUMBER_AT_MOST)},
    "number": {"type": "number", "minimum": 0, "maximum": NUMBER_AT_MOST},
    "time": {"type": "string", "format": "date-time"},
}
_MEANS = {
    "sponsorship_id": "Key: what is sent again under it corrects what was sent before",
    "creator_id": "A creator that the model knows",
    "brand": "Defaults to the brand of the answer named",
    "brief": "What the brand asked for; defaults to the query of the answer named",
    "started_at": "Not in the future; defaults to when the answer named was served",
    "resolved_at": "When the outcome is final, not before `started_at`; training waits for it. "
    f"Defaults to {DEFAULT_RESOLVE_DAYS} days after the start",
    "clicks": "At most `impressions`",
    "conversions": "At most `clicks` where those are known, else `impressions`",
    "recommendation_id": "The answer that it came of",
}


def _outcome_schema() -> dict[str, Any]:
    """JSON schema of an outcome: the contract's table `sponsorships`."""
    properties = {}
    for name, column in TABLES[TABLE].items():
        said = {"description": _MEANS[name]} if name in _MEANS else {}
        kind = _JSON_TYPES[column.type]
        if name == "brief":
            kind = kind | {"maxLength": BRIEF_AT_MOST}
        properties[name] = kind | said
        if kind["type"] == "string" and column.required:
            properties[name]["minLength"] = 1
        if not column.required:
            properties[name] = {"anyOf": [kind, {"type": "null"}]} | said
    required = [n for n, c in TABLES[TABLE].items() if c.required and n not in FROM_ANSWER]
    return {
        "title": "Outcome",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _body_schema() -> dict[str, Any]:
    many = {
        "title": "Outcomes",
        "type": "object",
        "properties": {
            "outcomes": {
                "type": "array",
                "items": _outcome_schema(),
                "minItems": 1,
                "maxItems": OUTCOMES_AT_MOST,
            }
        },
        "required": ["outcomes"],
        "additionalProperties": False,
    }
    return {"title": "One outcome or many", "oneOf": [_outcome_schema(), many]}


# Checked row by row in `features.outcomes`, by the same rules as tables, so that all that is wrong
# with all rows is told at once.
OutcomesBody = Annotated[dict[str, Any], WithJsonSchema(_body_schema())]


class WrittenWire(Wire):
    """What became of an outcome that was sent."""

    sponsorship_id: str
    status: Literal["accepted", "unchanged", "corrected"]
    revision: int = Field(description="1 where it is new; one more with each correction")


class OutcomesResponse(Wire):
    """What became of the outcomes that were sent, in their order; all are on disk."""

    results: list[WrittenWire]


class OutcomeWire(Wire):
    """One version of an outcome."""

    revision: int
    received_at: datetime
    sponsorship_id: str
    creator_id: str
    campaign_id: str
    brand: str
    brief: str
    started_at: datetime
    resolved_at: datetime
    cost: float | None
    impressions: int
    clicks: int | None
    conversions: int
    revenue: float | None
    post_id: str | None
    recommendation_id: str | None


class OutcomeResponse(Wire):
    """An outcome as it stands, and every version that was sent, the first one first."""

    outcome: OutcomeWire
    history: list[OutcomeWire]


class PromiseWire(Wire):
    """What an answer said of a creator."""

    recommendation_id: str
    conversion_rate: IntervalWire
    impressions: IntervalWire | None
    cost: float | None
    expected_conversions: IntervalWire = Field(
        description="The promised rate times the impressions that came"
    )


class ResultWire(Wire):
    """What came; null where an outcome does not tell it."""

    collaborations: int
    impressions: int
    clicks: int | None
    conversions: int
    revenue: float | None
    cost: float | None
    conversion_rate: float | None = Field(description="Conversions for each impression")
    cost_per_conversion: float | None


class CreatorResultWire(ResultWire):
    """One creator of a campaign."""

    creator_id: str
    forecast: PromiseWire | None = Field(
        description="Null where no stored answer of a model of outcomes names the creator"
    )


class CampaignForecastWire(Wire):
    """Conversions promised for the impressions that came, and where those that came lie."""

    creators: int = Field(description="How many creators have a forecast; the rest is theirs alone")
    conversions: int = Field(description="Those that came")
    expected_conversions: ForecastWire = Field(description="`p10` to `p90` is the 80% interval")
    standing: Literal["above forecast", "on forecast", "below forecast"] = Field(
        description="Whether what came lies in that interval"
    )


class CampaignLineWire(Wire):
    """A campaign, in short."""

    campaign_id: str
    brand: str = Field(description="Of its latest answer or outcome")
    first_asked_at: datetime | None = Field(
        description="When an answer was asked for it by name; null where none was"
    )
    last_asked_at: datetime | None
    last_outcome_at: datetime | None = Field(
        description="When an outcome of it last came in or was corrected"
    )
    answers: int = Field(description="Asked for it by name")
    outcomes: int
    conversions: int = Field(description="Of its outcomes")


class CampaignsResponse(Wire):
    """The campaigns that were last asked for or heard of, the latest first."""

    campaigns: list[CampaignLineWire]
    more: bool = Field(description="There are others; ask with a higher limit")


class CampaignResponse(Wire):
    """A campaign so far against what was promised of it."""

    campaign_id: str
    days_running: float = Field(
        description="Since the first start, until the last outcome is final"
    )
    is_final: bool = Field(description="Every outcome that was sent is final")
    budget: Budget | None = Field(description="Of the latest brief that named one")
    remaining: float | None
    total: ResultWire
    forecast: CampaignForecastWire | None
    creators: list[CreatorResultWire]


def written(results: list[Written]) -> OutcomesResponse:
    """What became of outcomes."""
    return OutcomesResponse(results=[WrittenWire.model_validate(one) for one in results])


def outcome(history: list[Kept]) -> OutcomeResponse:
    """An outcome and its history, which has at least one version."""
    versions = [_version(kept) for kept in history]
    return OutcomeResponse(outcome=versions[-1], history=versions)


def _version(kept: Kept) -> OutcomeWire:
    sent = kept.outcome
    times = {"started_at": moment(sent.started_at_us), "resolved_at": moment(sent.resolved_at_us)}
    plain = {name: getattr(sent, name) for name in TABLES[TABLE] if name not in times}
    return OutcomeWire(
        **plain, **times, revision=kept.revision, received_at=moment(kept.received_at_us)
    )


def campaigns(found: list[CampaignLine], limit: int) -> CampaignsResponse:
    """The first of the campaigns found, which are one more than asked for where there are more."""
    return CampaignsResponse(
        campaigns=[
            CampaignLineWire(
                campaign_id=line.campaign_id,
                brand=line.brand,
                first_asked_at=_moment(line.first_asked_at_us),
                last_asked_at=_moment(line.last_asked_at_us),
                last_outcome_at=_moment(line.last_outcome_at_us),
                answers=line.answers,
                outcomes=line.outcomes,
                conversions=line.conversions,
            )
            for line in found[:limit]
        ],
        more=len(found) > limit,
    )


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else moment(at_us)


def campaign(found: Campaign) -> CampaignResponse:
    """A campaign so far."""
    forecast = None
    if found.forecast is not None and found.standing is not None:
        forecast = CampaignForecastWire(
            creators=found.compared,
            conversions=found.observed,
            expected_conversions=ForecastWire.model_validate(found.forecast),
            standing=found.standing,
        )
    return CampaignResponse(
        campaign_id=found.campaign_id,
        days_running=found.days_running,
        is_final=found.is_final,
        budget=found.budget,
        remaining=found.remaining,
        total=ResultWire.model_validate(found.total),
        forecast=forecast,
        creators=[_creator(creator) for creator in found.creators],
    )


def _creator(result: CreatorResult) -> CreatorResultWire:
    forecast = None
    if result.promise is not None and result.expected_conversions is not None:
        promise = result.promise
        forecast = PromiseWire(
            recommendation_id=promise.recommendation_id,
            conversion_rate=IntervalWire.model_validate(promise.rate),
            impressions=(
                None
                if promise.impressions is None
                else IntervalWire.model_validate(promise.impressions)
            ),
            cost=promise.cost,
            expected_conversions=IntervalWire.model_validate(result.expected_conversions),
        )
    plain = {name: getattr(result, name) for name in ResultWire.model_fields}
    return CreatorResultWire(**plain, creator_id=result.creator_id, forecast=forecast)
