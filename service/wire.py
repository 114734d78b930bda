"""What goes over the wire and nowhere else: responses, problem documents, examples.

The brief comes in as `features.schemas.Brief`. Knows nothing of how an answer is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from features.schemas import NO_NULL, BundleFault, RiskTopic
from models import ranker
from models.answer import CreatorProfile, Item, Recommendation
from models.bundle import MODEL_NAME
from models.timing import stage
from service.reload import Refused, Served

Rate = Annotated[float, Field(ge=0)]
TOLD_AT_MOST = 1_000  # characters of what was sent, in a problem document

EXAMPLE_BRIEF: dict[str, Any] = {
    "brand": {"name": "Luma", "domain": "luma.example", "vertical": "beauty"},
    "query": (
        "Launch of a fragrance-free vegan serum for sensitive skin; honest routines, no filters."
    ),
    "objective": "conversion_rate",
    "filters": {
        "platforms": ["instagram", "youtube"],
        "follower_count": {"min": 5000, "max": 100000},
    },
    "budget": {"amount": 5000, "currency": "USD"},
    "limit": 20,
}


EXAMPLE_PLAN: dict[str, Any] = EXAMPLE_BRIEF | {
    "constraints": {"min_creators": 5, "max_share": {"platform": 0.8}, "never": []}
}


class Wire(BaseModel):
    """Read from the product's own frozen data, by the same names."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class IntervalWire(Wire):
    """An estimate and the 80% interval around it."""

    estimate: float
    low: float
    high: float


class NicheWire(Wire):
    """A niche and its share."""

    label: str
    share: float = Field(description="Share of the creator's recent posts, between 0 and 1")


class ExpectedWire(Wire):
    """What one post is expected to bring; null where the model cannot tell."""

    impressions: IntervalWire | None
    clicks: float | None
    conversions: float | None
    cost: float | None
    cost_is_estimate: bool = Field(description="The creator names no price: this one is estimated")
    cost_basis: Literal["price", "estimate", "gift"] | None = Field(
        description="`gift`: the product's cost, which the creator takes instead of money"
    )
    cost_interval: IntervalWire | None = Field(
        description="The middle 80% of prices, where the price is an estimate"
    )
    cost_per_conversion: float | None


class ReasonWire(Wire):
    """One part of a score, in words."""

    feature: str
    value: float | None
    contribution: float = Field(description="Part of `score`; all reasons add up to it")
    text: str


class EvidenceWire(Wire):
    """One of the creator's own posts."""

    post_id: str
    text: str
    similarity: float | None = Field(description="Cosine with the brief, where there is one")
    url: str | None


class SafetyPostWire(Wire):
    """A post behind a risk."""

    post_id: str
    text: str = Field(description="The post, cut around the words that decide where it is long")
    url: str | None
    words: str | None = Field(
        description="The words that decide; null where the whole text does, by its vector"
    )


class SafetyRiskWire(Wire):
    """A risk topic that a creator's posts carry."""

    topic: RiskTopic
    share: float = Field(description="Of the posts with text of the last 365 days")
    posts: int
    evidence: list[SafetyPostWire] = Field(description="The latest of these posts, at most 5")


class SafetyTermWire(Wire):
    """One of the brand's own terms that a creator's posts speak of."""

    term: str
    share: float = Field(description="Of the posts with text of the last 365 days")
    posts: int
    evidence: list[SafetyPostWire] = Field(description="The latest of these posts, at most 5")


class SafetyWire(Wire):
    """What the posts of the last 365 days carry. A risk that is not listed is no clearance."""

    posts: int = Field(description="Posts with text that were read")
    risks: list[SafetyRiskWire]
    terms: list[SafetyTermWire] = Field(description="Of `filters.brand_safety.terms`")


SafetyField = Annotated[
    SafetyWire | None, Field(description="Null where there is no post to read: nothing is known")
]
WarningsField = Annotated[
    list[str], Field(description="What to look at before booking, in words; also without a filter")
]


class ItemWire(Wire):
    """One creator of an answer."""

    rank: int
    creator_id: str
    handle: str
    platform: str
    follower_count: int | None
    tier: str | None
    niche: NicheWire | None
    match: float | None = Field(description="Likeness of topics, between 0 and 1")
    score: float | None = Field(description="What the order is by; a logarithm, or a heuristic's")
    conversion_rate: IntervalWire | None = Field(description="Conversions for each impression")
    expected: ExpectedWire
    confidence: Literal["high", "medium", "low"]
    explored: bool = Field(description="Stands there by chance, to be learned of")
    propensity: float = Field(description="Probability that it was shown at its place")
    reasons: list[ReasonWire]
    evidence: list[EvidenceWire]
    safety: SafetyField
    warnings: WarningsField


class RelaxationWire(Wire):
    """What a filter set a little wider would bring."""

    filter: str
    change: dict[str, Any] = Field(
        description="What to change in the brief: a JSON merge patch, RFC 7396"
    )
    creators: int = Field(description="How many more would be eligible")
    cost_per_conversion: float | None = Field(
        description="What a conversion costs with those, against those eligible now"
    )
    text: str


class NearestWire(Wire):
    """Where nobody passes every filter: the fewest filters that would have to go, and for whom."""

    filters: list[str]
    creators: int
    text: str


class PoolWire(Wire):
    """How many creators there are, what took the others out, and what would bring some back."""

    creators: int
    eligible: int
    removed_by: dict[str, int]
    relaxations: list[RelaxationWire] = Field(description="There with `explain`")
    nearest: NearestWire | None = Field(description="There where nobody is eligible")


class PickWire(Wire):
    """One creator of a plan."""

    creator_id: str
    handle: str
    platform: str
    cost: float
    price_is_estimate: bool
    cost_basis: Literal["price", "estimate", "gift"] | None
    expected_conversions: float | None = Field(description="Of a post by itself")
    adds_conversions: float | None = Field(
        description="What is left of those where others of the plan reach the same people"
    )


class ForecastWire(Wire):
    """Quantiles of the conversions a plan brings."""

    p10: float
    p50: float
    p90: float


class OverlapWire(Wire):
    """How much of what a plan's creators bring by themselves others of it bring too."""

    share: float
    known_audiences: int = Field(description="Creators whose audience the tables tell")
    estimated_audiences: int = Field(
        description="Those whose audience is guessed from topic, platform, country and language"
    )
    note: str


class LargeAccountWire(Wire):
    """What the same budget buys in one large account."""

    creator_id: str | None
    handle: str | None
    posts: int
    cost: float | None
    expected_conversions: ForecastWire | None
    plan_brings_more: float | None = Field(description="Probability of that")
    text: str


class PlanWire(Wire):
    """How the budget is spent; what the model cannot tell is null."""

    budget: float
    currency: str
    spend: float
    picked: list[PickWire]
    expected_conversions: ForecastWire | None
    of_best: float | None = Field(
        description="The plan brings at least this share of what the best one would, by the same "
        "estimates"
    )
    overlap: OverlapWire | None
    large_account: LargeAccountWire | None


class ModelRefWire(Wire):
    """Which model answered."""

    name: str
    version: str
    alias: str | None
    run_id: str
    kind: Literal["outcomes", "heuristic"] = Field(
        description="`heuristic` where too few outcomes are known: it orders, and claims no rate"
    )
    simulated: bool = Field(
        description="It was trained on simulated tables: nothing it says is about real creators"
    )


class RecommendationResponse(Wire):
    """The answer to a brief."""

    recommendation_id: str
    model: ModelRefWire
    as_of: datetime
    pool: PoolWire
    items: list[ItemWire]
    portfolio: PlanWire | None = Field(description="There when the brief has a budget")


class PortfolioResponse(Wire):
    """A budget spread over creators."""

    recommendation_id: str = Field(description="To be named by the outcomes that come of it")
    portfolio: PlanWire
    pool: PoolWire
    model: ModelRefWire
    as_of: datetime


class SimilarResponse(Wire):
    """Lookalikes of a creator."""

    creator_id: str
    model: ModelRefWire
    as_of: datetime
    items: list[ItemWire]


class SignalWire(Wire):
    """One feature of a creator, with what it means."""

    feature: str
    label: str
    value: float | None
    typical: float | None = Field(description="Median over all creators")
    text: str


class CollaborationWire(Wire):
    """A past sponsorship; its outcome is null until it is final."""

    sponsorship_id: str
    campaign_id: str
    brand: str
    started_at: datetime
    impressions: int | None
    clicks: int | None
    conversions: int | None


class AudienceWire(Wire):
    """How much of an audience is of one kind."""

    dimension: str
    code: str
    share: float


class MonthWire(Wire):
    """What a creator did in one month of the last two years."""

    month: str = Field(description="Year and month, such as 2025-03")
    posts: int
    sponsored: int
    engagement: float | None = Field(description="Likes and comments for each follower")
    followers: int | None = Field(description="At the month's last post")


class CreatorResponse(Wire):
    """All that is shown of one creator."""

    creator_id: str
    handle: str
    platform: str
    display_name: str | None
    bio: str | None
    url: str | None
    country: str | None
    language: str | None
    follower_count: int | None
    tier: str | None
    price_per_post: float | None
    currency: str
    accepts_gifting: bool | None
    last_posted_at: datetime | None
    niches: list[NicheWire]
    signals: list[SignalWire]
    collaborations: list[CollaborationWire]
    recent_posts: list[EvidenceWire]
    safety: SafetyField
    warnings: WarningsField
    audience: list[AudienceWire]
    history: list[MonthWire] = Field(description="Months with posts")
    model: ModelRefWire
    as_of: datetime


class RefusedWire(Wire):
    """A champion that is not served."""

    version: str
    run_id: str
    kind: BundleFault = Field(
        description="In one word: a file is `damaged` or missing; the manifest or a file is "
        "`unreadable`; another `format`; other `features` than the code's; `scores` that are no "
        "numbers; other `answers` than when it was saved"
    )
    reason: str
    at: datetime = Field(description="When it was refused first")


class ModelResponse(Wire):
    """What is being served."""

    model: ModelRefWire
    kind_reason: str = Field(description="Why the model is of its kind")
    as_of: datetime
    loaded_at: datetime
    encoder: str
    niches: list[str]
    features: int
    creators: int
    data: dict[str, Any]
    metrics: dict[str, float] = Field(description="On later time than the model was fitted on")
    refused: RefusedWire | None = Field(
        description="The champion, where it cannot be served and the model before it goes on"
    )


class HealthResponse(Wire):
    """How the service is."""

    status: Literal["alive", "ready", "degraded"]
    detail: str | None = None


def _tellable(text: str) -> str:
    """A text as JSON can carry it: it may name what was sent, which is of any size and kind."""
    shown = text if len(text) <= TOLD_AT_MOST else f"{text[:TOLD_AT_MOST]}…"
    return shown.encode("utf-8", "backslashreplace").decode()


Told = Annotated[str, BeforeValidator(_tellable)]


class FieldError(BaseModel):
    """A field at fault."""

    pointer: Told = Field(description="JSON pointer to the field, such as /filters/niches/0")
    detail: Told


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: Told
    errors: list[FieldError] = []
    request_id: str | None = Field(None, description="Of the request, as the service's log has it")


def json_pointer(place: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) to a place in a body, such as /filters/niches/0."""
    return "".join(f"/{part}" for part in place)


OWN_WORDS = {"extra_forbidden": "there is no such field", "missing": "this is needed"}


def fault_in_words(kind: str, message: str) -> str:
    """What pydantic says of a field, in the product's words where its own do not help."""
    if kind == "string_pattern_mismatch" and NO_NULL in message:
        return "a text holds no null byte"
    return OWN_WORDS.get(kind, message)


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def model_ref(served: Served) -> ModelRefWire:
    """Which model answers."""
    version = served.version
    return ModelRefWire(
        name=MODEL_NAME,
        version=version.version,
        alias=version.alias,
        run_id=version.run_id,
        kind=served.bundle.manifest.kind,
        simulated=bool(served.bundle.manifest.data.get("simulated", False)),
    )


def recommendation(recommendation_id: str, served: Served, answer: Recommendation) -> bytes:
    """An answer to a brief: the JSON of a `RecommendationResponse`.

    Its fields are those of the product's own data, so that is written as it stands: building and
    checking the models first took four times as long as the JSON (`tests/test_wire.py` holds the
    two together).
    """
    body = {
        "recommendation_id": recommendation_id,
        "model": model_ref(served).model_dump(),
        "as_of": moment(answer.as_of_us),
        "pool": answer.pool,
        "items": answer.items,
        "portfolio": answer.portfolio,
    }
    with stage("write_json"):
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z)


def portfolio(
    recommendation_id: str, served: Served, answer: ranker.Portfolio
) -> PortfolioResponse:
    """A plan."""
    return PortfolioResponse(
        recommendation_id=recommendation_id,
        portfolio=PlanWire.model_validate(answer.plan),
        pool=PoolWire.model_validate(answer.pool),
        model=model_ref(served),
        as_of=moment(answer.as_of_us),
    )


def similar(creator_id: str, served: Served, items: tuple[Item, ...]) -> SimilarResponse:
    """Lookalikes."""
    return SimilarResponse(
        creator_id=creator_id,
        model=model_ref(served),
        as_of=moment(served.bundle.index.as_of_us),
        items=_items(items),
    )


def creator(served: Served, profile: CreatorProfile) -> CreatorResponse:
    """A creator's page."""
    plain = {
        name: getattr(profile, name)
        for name in CreatorResponse.model_fields
        if hasattr(profile, name) and name != "collaborations"
    }
    last = profile.last_post_us
    return CreatorResponse.model_validate(
        plain
        | {
            "last_posted_at": None if last is None else moment(last),
            "collaborations": [
                CollaborationWire(
                    sponsorship_id=past.sponsorship_id,
                    campaign_id=past.campaign_id,
                    brand=past.brand,
                    started_at=moment(past.started_us),
                    impressions=past.impressions,
                    clicks=past.clicks,
                    conversions=past.conversions,
                )
                for past in profile.collaborations
            ],
            "model": model_ref(served),
            "as_of": moment(served.bundle.index.as_of_us),
        },
        from_attributes=True,
    )


def model(served: Served, refused: Refused | None = None) -> ModelResponse:
    """What is being served, and the champion where it is refused."""
    manifest = served.bundle.manifest
    return ModelResponse(
        model=model_ref(served),
        kind_reason=manifest.kind_reason,
        as_of=moment(manifest.as_of_us),
        loaded_at=served.loaded_at,
        encoder=served.bundle.encoder.name,
        niches=list(served.bundle.niche.labels),
        features=len(manifest.features),
        creators=len(served.bundle.index),
        data=manifest.data,
        metrics=manifest.metrics,
        refused=refused
        and RefusedWire(
            version=refused.version.version,
            run_id=refused.version.run_id,
            kind=refused.kind,
            reason=refused.reason,
            at=refused.at,
        ),
    )


def _items(items: tuple[Item, ...]) -> list[ItemWire]:
    return [ItemWire.model_validate(item) for item in items]
