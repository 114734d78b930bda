"""The nouns of an answer: what is said of creators, plans and pools.

Plain frozen data. Knows nothing of how any of it is found (`ranker`, `describe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from features.schemas import RiskTopic
from models.conversion import Confidence
from models.forecast import Forecast
from models.reasons import Reason

CostBasis = Literal["price", "estimate", "gift"]


@dataclass(frozen=True)
class Interval:
    """An estimate and the 80% interval around it."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class NicheShare:
    """A niche and its share of a creator's recent posts."""

    label: str
    share: float


@dataclass(frozen=True)
class Expected:
    """What booking one post is expected to bring; None where the model cannot tell.

    `cost_basis` says what the cost is: a price, an estimate (`cost_interval` bounds its middle
    80%), or the product that is taken instead.
    """

    impressions: Interval | None
    clicks: float | None
    conversions: float | None
    cost: float | None
    cost_is_estimate: bool
    cost_basis: CostBasis | None
    cost_interval: Interval | None
    cost_per_conversion: float | None


@dataclass(frozen=True)
class EvidencePost:
    """One of the creator's own posts, and its cosine with the brief where there is one."""

    post_id: str
    text: str
    similarity: float | None
    url: str | None


@dataclass(frozen=True)
class SafetyPost:
    """A post behind a risk, cut around the words that decide.

    `words` are those words; None where the whole text decided, by its vector.
    """

    post_id: str
    text: str
    url: str | None
    words: str | None


@dataclass(frozen=True)
class SafetyRisk:
    """A risk topic: how many of a creator's posts carry it, their share, and the latest ones."""

    topic: RiskTopic
    share: float
    posts: int
    evidence: tuple[SafetyPost, ...]


@dataclass(frozen=True)
class SafetyTerm:
    """One of the brand's own terms, as `SafetyRisk`."""

    term: str
    share: float
    posts: int
    evidence: tuple[SafetyPost, ...]


@dataclass(frozen=True)
class Safety:
    """What a creator's posts of the last 365 days carry; `posts` of them have text."""

    posts: int
    risks: tuple[SafetyRisk, ...]
    terms: tuple[SafetyTerm, ...]


@dataclass(frozen=True)
class Item:
    """One creator of the answer.

    `explored`: it stands there by chance, to be learned of; `propensity` is the probability that
    it was shown at its place.
    """

    rank: int
    creator_id: str
    handle: str
    platform: str
    follower_count: int | None
    tier: str | None
    niche: NicheShare | None
    match: float | None
    score: float | None
    conversion_rate: Interval | None
    expected: Expected
    confidence: Confidence
    explored: bool
    propensity: float
    reasons: tuple[Reason, ...]
    evidence: tuple[EvidencePost, ...]
    safety: Safety | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Pick:
    """One creator of a plan.

    Attributes:
        expected_conversions: Of a post by itself.
        adds_conversions: What is left of that where others of the plan reach the same people.
    """

    creator_id: str
    handle: str
    platform: str
    cost: float
    price_is_estimate: bool
    cost_basis: CostBasis | None
    expected_conversions: float | None
    adds_conversions: float | None


@dataclass(frozen=True)
class Overlap:
    """How much of what a plan's creators bring by themselves is brought by others of it too.

    Attributes:
        share: Of the sum of their conversions.
        known_audiences, estimated_audiences: Creators whose audience the tables tell, and others.
    """

    share: float
    known_audiences: int
    estimated_audiences: int
    note: str


@dataclass(frozen=True)
class LargeAccount:
    """What the same budget buys in one large account; None where it buys none.

    `plan_brings_more` is the probability of that.
    """

    creator_id: str | None
    handle: str | None
    posts: int
    cost: float | None
    expected_conversions: Forecast | None
    plan_brings_more: float | None
    text: str


@dataclass(frozen=True)
class Plan:
    """A budget spent; what the model cannot tell is None.

    `of_best`: the plan brings at least this share of what the best one would.
    """

    budget: float
    currency: str
    spend: float
    picked: tuple[Pick, ...]
    expected_conversions: Forecast | None
    of_best: float | None
    overlap: Overlap | None
    large_account: LargeAccount | None


@dataclass(frozen=True)
class Relaxation:
    """What a filter set a little wider would bring.

    Attributes:
        filter: Its name, as in `removed_by`.
        change: What to change in the brief, as a JSON merge patch (RFC 7396).
        creators: How many more would be eligible.
        cost_per_conversion: What a conversion costs with those, against those eligible now; None
            where either is not known.
    """

    filter: str
    change: dict[str, Any]
    creators: int
    cost_per_conversion: float | None
    text: str


@dataclass(frozen=True)
class Nearest:
    """Where nobody passes every filter: the fewest filters that would have to go, and for whom."""

    filters: tuple[str, ...]
    creators: int
    text: str


@dataclass(frozen=True)
class PoolCounts:
    """How many creators there are, what took the others out, and what would bring some back."""

    creators: int
    eligible: int
    removed_by: dict[str, int]
    relaxations: tuple[Relaxation, ...] = ()
    nearest: Nearest | None = None


@dataclass(frozen=True)
class Recommendation:
    """The answer to a brief, without what only the asker knows (its id, the served version)."""

    as_of_us: int
    pool: PoolCounts
    items: tuple[Item, ...]
    portfolio: Plan | None


@dataclass(frozen=True)
class Signal:
    """One feature of a creator, with what it means.

    Attributes:
        typical: Median over all creators.
        text: The value as a marketer reads it.
    """

    feature: str
    label: str
    value: float | None
    typical: float | None
    text: str


@dataclass(frozen=True)
class Collaboration:
    """One past sponsorship; what came of it only where that was final."""

    sponsorship_id: str
    campaign_id: str
    brand: str
    started_us: int
    impressions: int | None
    clicks: int | None
    conversions: int | None


@dataclass(frozen=True)
class AudienceShare:
    """How much of an audience is of one kind."""

    dimension: str
    code: str
    share: float


@dataclass(frozen=True)
class Month:
    """What a creator did in one month.

    Attributes:
        month: Its year and month, such as ``2025-03``.
        engagement: Likes and comments for each follower; None where followers are not known.
    """

    month: str
    posts: int
    sponsored: int
    engagement: float | None
    followers: int | None


@dataclass(frozen=True)
class CreatorProfile:
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
    last_post_us: int | None
    niches: tuple[NicheShare, ...]
    signals: tuple[Signal, ...]
    collaborations: tuple[Collaboration, ...]
    recent_posts: tuple[EvidencePost, ...]
    safety: Safety | None
    warnings: tuple[str, ...]
    audience: tuple[AudienceShare, ...]
    history: tuple[Month, ...]
