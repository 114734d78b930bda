"""The nouns of the product: tables, columns, the brief, and what can go wrong.

Knows nothing of where a table comes from (`tables`), nor of what is computed from it.

The exceptions, all of them the product's own:

    CreatorfitError
    ├── DataError               the tables cannot be used
    │   └── InvalidTables       they break the contract; carries every fault
    ├── BriefError              a brief asks for what cannot be answered; names the field
    ├── EncoderError            an encoder is missing, damaged, or not the one expected
    ├── OutcomesError           outcomes break the contract; names every row and field
    ├── UnknownCreator          no creator of that id is in the index
    ├── UnknownOutcome          no outcome of that sponsorship was sent
    ├── UnknownCampaign         nothing is known of that campaign
    ├── UnknownKey              no API key of that id is still taken
    ├── ClusterError            a Dask cluster is away, or not fit to train on
    ├── BundleError             a bundle is damaged, of other features, or answers otherwise
    ├── NoModel                 there is nothing to serve yet
    ├── RegistryError           the model registry is away, or refused
    └── StoreError              the service's database is away, or refused
        └── StoreAway           it is away, locked or full: the same may go well later
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import pandas as pd
import pycountry
from langcodes import tag_is_valid
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from features.passwords import hide_passwords

PLATFORMS = (
    "instagram",
    "youtube",
    "tiktok",
    "twitch",
    "x",
    "facebook",
    "pinterest",
    "blog",
    "other",
)
AUDIENCE_DIMENSIONS = ("country", "age", "gender", "language", "interest")

# Size tiers by followers, lower bounds. The words and the 100,000 upper end of "micro" are
# common in the field (e.g. influencer marketing benchmark reports); the exact edges vary by source.
TIERS: tuple[tuple[str, int], ...] = (
    ("nano", 0),
    ("micro", 5_000),
    ("mid", 100_000),
    ("macro", 500_000),
    ("mega", 1_000_000),
)

DEFAULT_RESOLVE_DAYS = 30
DEFAULT_CURRENCY = "USD"

FAULTS_SHOWN = 50  # of each kind: the contract, section 1


# ---------------------------------------------------------------- what can go wrong


class CreatorfitError(Exception):
    """Any failure this product names itself. It is logged and shown, so it tells no password."""

    def __init__(self, *told: object) -> None:
        super().__init__(*(hide_passwords(one) if isinstance(one, str) else one for one in told))


class DataError(CreatorfitError):
    """The tables cannot be used."""


@dataclass(frozen=True)
class Fault:
    """One way in which a table breaks the contract.

    Attributes:
        table: Name of the table, such as ``posts``.
        file: Name of the file (or SQL table) it was read from.
        row: Row as a spreadsheet numbers it: a CSV's header is row 1, its first record row 2;
            in JSONL the line; in Parquet and SQL the record, from 1. None for the whole file.
        column: Column, or None where the whole row or file is meant.
        value: The value found, as text, or None where there is none to show.
        kind: Short stable code, such as ``wrong_type``; faults are counted and cut by kind.
        reason: What is wrong, in words, and what would be right.
    """

    table: str
    file: str
    row: int | None
    column: str | None
    value: str | None
    kind: str
    reason: str

    def __str__(self) -> str:
        where = self.file if self.row is None else f"{self.file} row {self.row}"
        what = "" if self.column is None else f", {self.column}"
        shown = "" if self.value is None else f" = {self.value!r}"
        return f"{self.table}: {where}{what}{shown}: {self.reason}"


class InvalidTables(DataError):
    """The tables break the contract.

    Args:
        faults: The first `FAULTS_SHOWN` of each table and kind.
        counts: How many there are in all, by ``(table, kind)``.
    """

    def __init__(self, faults: Sequence[Fault], counts: dict[tuple[str, str], int]) -> None:
        self.faults = tuple(faults)
        self.counts = dict(counts)
        super().__init__(self._message())

    def _message(self) -> str:
        total = sum(self.counts.values())
        lines = [f"{total} fault{'' if total == 1 else 's'} in the tables"]
        lines += [str(fault) for fault in self.faults]
        shown: dict[tuple[str, str], int] = {}
        for fault in self.faults:
            key = (fault.table, fault.kind)
            shown[key] = shown.get(key, 0) + 1
        for (table, kind), count in self.counts.items():
            more = count - shown.get((table, kind), 0)
            if more > 0:
                lines.append(f"{table}: and {more} more of kind {kind}")
        return "\n".join(lines)


class BriefError(CreatorfitError):
    """A brief asks for what cannot be answered.

    Args:
        pointer: JSON pointer to the field, such as ``/filters/niches/0``.
        reason: What is wrong, and what would be right.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        self.reason = reason
        super().__init__(f"{pointer}: {reason}")


@dataclass(frozen=True)
class FieldFault:
    """A field that is wrong.

    Attributes:
        pointer: JSON pointer to it, such as ``/outcomes/3/clicks``.
        reason: What is wrong, and what would be right.
    """

    pointer: str
    reason: str


class OutcomesError(CreatorfitError):
    """Outcomes break the contract; none of those sent with them is kept."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        self.faults = tuple(faults)
        first, more = self.faults[0], len(self.faults) - 1
        told = f"{first.pointer}: {first.reason}" + (f" (and {more} more)" if more else "")
        super().__init__(told)


class EncoderError(CreatorfitError):
    """An encoder is missing, damaged, or not the one expected."""


class UnknownCreator(CreatorfitError):
    """No creator of that id is in the index."""

    def __init__(self, creator_id: str) -> None:
        self.creator_id = creator_id
        super().__init__(f"no creator {creator_id!r} in the index")


class UnknownOutcome(CreatorfitError):
    """No outcome of that sponsorship was sent."""

    def __init__(self, sponsorship_id: str) -> None:
        self.sponsorship_id = sponsorship_id
        super().__init__(f"no outcome of sponsorship {sponsorship_id!r} was sent")


class UnknownCampaign(CreatorfitError):
    """Nothing is known of that campaign."""

    def __init__(self, campaign_id: str) -> None:
        self.campaign_id = campaign_id
        super().__init__(f"no outcome or answer names campaign {campaign_id!r}")


class UnknownKey(CreatorfitError):
    """No API key of that id is still taken."""

    def __init__(self, key_id: str, reason: str) -> None:
        told = "`python -m service keys list` shows those there are"
        super().__init__(f"key {key_id!r}: {reason}; {told}")


class ClusterError(CreatorfitError):
    """The cluster that shall train is away, is not fit for it, or gave up."""


# Why a bundle is refused, in one word: what is counted.
BundleFault = Literal["unreadable", "damaged", "format", "features", "scores", "answers"]


class BundleError(CreatorfitError):
    """A bundle is damaged, was made from other features, or answers otherwise than it should.

    Args:
        message: What is wrong, where, and what to do.
        kind: The same in one word.
    """

    def __init__(self, message: str, kind: BundleFault = "unreadable") -> None:
        self.kind: BundleFault = kind
        super().__init__(message)


class NoModel(CreatorfitError):
    """There is nothing to serve yet."""


class RegistryError(CreatorfitError):
    """The model registry is away, or refused."""


class StoreError(CreatorfitError):
    """The service's database is away, or refused."""


class StoreAway(StoreError):
    """The service's database is away, locked or full: the same may go well later."""


# ---------------------------------------------------------------- tables

ColumnType = Literal["text", "integer", "number", "share", "boolean", "time"]


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes:
        type: How its values are read. ``integer`` and ``number`` are at least 0, ``share`` lies
            in [0, 1], ``time`` is ISO 8601 and UTC where it names no zone.
        required: The column must be there, and no value may be empty.
        expected: The column should be there (a warning if not); values may be empty.
        may_be_empty: A required text that may be the empty string.
        choices: The only values allowed.
        code: The standard whose codes are allowed: ``country``, ``currency`` or ``language``.
        default: Written where there is no value.
        past: A time at which something was observed, so not later than now: one mistyped year
            would move "now" for every creator.
    """

    type: ColumnType
    required: bool = False
    expected: bool = False
    may_be_empty: bool = False
    choices: tuple[str, ...] | None = None
    code: Literal["country", "currency", "language"] | None = None
    default: str | None = None
    past: bool = False


_NEED: dict[str, Any] = {"required": True}

TABLES: dict[str, dict[str, Column]] = {
    "creators": {
        "creator_id": Column("text", **_NEED),
        "platform": Column("text", **_NEED, choices=PLATFORMS),
        "handle": Column("text", **_NEED),
        "follower_count": Column("integer", expected=True),
        "display_name": Column("text"),
        "bio": Column("text"),
        "url": Column("text"),
        "country": Column("text", code="country"),
        "language": Column("text", code="language"),
        "price_per_post": Column("number"),
        "currency": Column("text", code="currency", default=DEFAULT_CURRENCY),
        "accepts_gifting": Column("boolean"),
        "niche": Column("text"),
    },
    "posts": {
        "post_id": Column("text", **_NEED),
        "creator_id": Column("text", **_NEED),
        "published_at": Column("time", **_NEED, past=True),
        "text": Column("text", **_NEED, may_be_empty=True),
        "likes": Column("integer", **_NEED),
        "comments": Column("integer", **_NEED),
        "views": Column("integer"),
        "shares": Column("integer"),
        "saves": Column("integer"),
        "url": Column("text"),
        "is_sponsored": Column("boolean"),
        "sponsor": Column("text"),
    },
    "sponsorships": {
        "sponsorship_id": Column("text", **_NEED),
        "creator_id": Column("text", **_NEED),
        "campaign_id": Column("text", **_NEED),
        "brand": Column("text", **_NEED),
        "brief": Column("text", **_NEED),
        "started_at": Column("time", **_NEED, past=True),
        "resolved_at": Column("time"),
        "cost": Column("number"),
        "impressions": Column("integer", **_NEED),
        "clicks": Column("integer"),
        "conversions": Column("integer", **_NEED),
        "revenue": Column("number"),
        "post_id": Column("text"),
        "recommendation_id": Column("text"),
    },
    "audience": {
        "creator_id": Column("text", **_NEED),
        "dimension": Column("text", **_NEED, choices=AUDIENCE_DIMENSIONS),
        "code": Column("text", **_NEED),
        "share": Column("share", **_NEED),
    },
    "followers": {
        "creator_id": Column("text", **_NEED),
        "observed_at": Column("time", **_NEED, past=True),
        "follower_count": Column("integer", **_NEED),
    },
}
KEYS: dict[str, tuple[str, ...]] = {
    "creators": ("creator_id",),
    "posts": ("post_id",),
    "sponsorships": ("sponsorship_id",),
    "audience": ("creator_id", "dimension", "code"),
    "followers": ("creator_id", "observed_at"),
}
REQUIRED_TABLES = ("creators", "posts")


@dataclass(frozen=True)
class PostsElsewhere:
    """Posts that lie in parts on other machines and are in no frame.

    Attributes:
        count: How many there are.
        last_us: When the last was published, in microseconds since 1970.
        digest: SHA-256 of their content.
    """

    count: int
    last_us: int
    digest: str


@dataclass(frozen=True)
class Tables:
    """A data set that keeps the contract.

    Every frame has all the contract's columns, in its order, in these dtypes: text ``str``
    (missing: NaN), integer, number and share ``float64`` (missing: NaN), boolean ``boolean``
    (missing: NA), time ``datetime64[us, UTC]``. `sponsorships.resolved_at` is filled in.

    Attributes:
        digest: SHA-256 of the content, the same for the same rows from any source or order.
        warnings: What was left out or is unusual, one sentence each.
        quarantined: Rows set aside, by table.
        elsewhere: The posts, where `posts` does not hold them.
    """

    creators: pd.DataFrame
    posts: pd.DataFrame
    sponsorships: pd.DataFrame
    audience: pd.DataFrame
    followers: pd.DataFrame
    digest: str
    warnings: tuple[str, ...] = ()
    quarantined: dict[str, int] = field(default_factory=dict)
    elsewhere: PostsElsewhere | None = None

    @property
    def n_posts(self) -> int:
        """How many posts there are, wherever they lie."""
        return len(self.posts) if self.elsewhere is None else self.elsewhere.count


# ---------------------------------------------------------------- codes


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 country, in capitals."""
    return len(code) == 2 and code.isupper() and pycountry.countries.get(alpha_2=code) is not None


def is_currency(code: str) -> bool:
    """Whether `code` is an ISO 4217 currency, in capitals."""
    return len(code) == 3 and code.isupper() and pycountry.currencies.get(alpha_3=code) is not None


def is_language(tag: str) -> bool:
    """Whether `tag` is a valid BCP 47 language tag."""
    # langcodes takes the underscore of locale names, such as en_US; BCP 47 does not.
    return "_" not in tag and bool(tag_is_valid(tag))


def _checked(test: str) -> AfterValidator:
    def check(value: str) -> str:
        if not CODE_TESTS[test](value):
            raise ValueError(f"{value!r} is not {CODE_NAMES[test]}")
        return value

    return AfterValidator(check)


# The longest language tags that RFC 5646 (4.4.1) asks for; other codes have fewer characters.
CODE_AT_MOST = 35


def _written(pattern: str) -> WithJsonSchema:
    """How a code is written, for the API's own description; `_checked` knows which there are."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "maxLength": CODE_AT_MOST})


def _whole(value: object) -> object:
    """A number without a fraction as an integer: JSON, and many who write it, know no other."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


CODE_TESTS = {"country": is_country, "currency": is_currency, "language": is_language}
CODE_NAMES = {
    "country": "an ISO 3166-1 alpha-2 country, such as US",
    "currency": "an ISO 4217 currency, such as USD",
    "language": "a BCP 47 language tag, such as en or pt-BR",
}


# ---------------------------------------------------------------- the brief


# More than any sum of money, count or length of time there is; sums and products of such numbers
# stay finite.
NUMBER_AT_MOST = 1e12
BUDGET_AT_LEAST = 0.01  # the smallest coin of most currencies
# More than any object of a brief has. Each unknown field is an error to be told: they are counted
# before they are looked at.
FIELDS_AT_MOST = 100


class _Strict(BaseModel):
    """Unknown fields are an error, not ignored; a number is never read from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        objects = [value, *value.values()] if isinstance(value, dict) else []
        most = max((len(one) for one in objects if isinstance(one, dict)), default=0)
        if most > FIELDS_AT_MOST:
            raise ValueError(f"an object has at most {FIELDS_AT_MOST} fields, not {most:,}")
        return value


# PostgreSQL keeps no null byte, and no text needs one. Blanks around a text are taken off before it
# is measured, which the patterns tell whoever writes.
NO_NULL = r"^[^\x00]*$"
_NAMES = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}
_QUERIES = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]+[^\s\x00][^\x00]*$"}
Name = Annotated[
    str, Field(min_length=1, max_length=200, pattern=NO_NULL, json_schema_extra=_NAMES)
]
_Code = Annotated[str, Field(max_length=CODE_AT_MOST)]
Country = Annotated[_Code, _checked("country"), _written(r"^[A-Z]{2}$")]
Language = Annotated[_Code, _checked("language"), _written(r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")]
Currency = Annotated[_Code, _checked("currency"), _written(r"^[A-Z]{3}$")]
Platform = Literal[
    "instagram", "youtube", "tiktok", "twitch", "x", "facebook", "pinterest", "blog", "other"
]
Objective = Literal["conversion_rate", "conversions", "value"]
RiskTopic = Literal["adult", "violence", "hate", "gambling", "drugs", "politics", "profanity"]
_Finite = Annotated[float, Field(ge=0, le=NUMBER_AT_MOST, allow_inf_nan=False, strict=True)]


class Range(_Strict):
    """A closed range; either end may be left open."""

    min: _Finite | None = None
    max: _Finite | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Brand(_Strict):
    """Who asks."""

    name: Name
    domain: Annotated[str, Field(max_length=253)] | None = None
    vertical: Annotated[str, Field(max_length=100)] | None = None


class BrandSafety(_Strict):
    """What a creator must not speak of: risk topics, and words and phrases of the brand's own.

    `max_share` is the share of posts that may speak of each topic, and of all terms together. Read
    in the posts of the last 365 days that have text; a creator without any does not pass.
    """

    exclude: Annotated[tuple[RiskTopic, ...], Field(max_length=7), FailFast()] = ()
    max_share: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    terms: Annotated[tuple[Name, ...], Field(max_length=100), FailFast()] = ()


class Filters(_Strict):
    """What a creator must be. Filters AND together; the values inside one OR."""

    platforms: Annotated[tuple[Platform, ...], Field(max_length=20), FailFast()] = ()
    follower_count: Range = Range()
    engagement_rate: Range = Range()
    price_per_post: Range = Range()
    countries: Annotated[tuple[Country, ...], Field(max_length=250), FailFast()] = ()
    languages: Annotated[tuple[Language, ...], Field(max_length=100), FailFast()] = ()
    niches: Annotated[tuple[Name, ...], Field(max_length=50), FailFast()] = ()
    last_posted_in_days: (
        Annotated[int, Field(ge=1, le=3650, strict=True), BeforeValidator(_whole)] | None
    ) = None
    accepts_gifting: StrictBool | None = None
    exclude_creators: Annotated[tuple[Name, ...], Field(max_length=10_000), FailFast()] = ()
    exclude_sponsored_by: Annotated[tuple[Name, ...], Field(max_length=1_000), FailFast()] = ()
    brand_safety: BrandSafety = BrandSafety()


class AudienceNeed(_Strict):
    """A share of the audience that a creator must have."""

    dimension: Literal["country", "age", "gender", "language", "interest"]
    code: Name
    min_share: Annotated[float, Field(ge=0, le=1, strict=True)]


class Budget(_Strict):
    """Money to spend on the whole plan."""

    amount: Annotated[
        float, Field(ge=BUDGET_AT_LEAST, le=NUMBER_AT_MOST, allow_inf_nan=False, strict=True)
    ]
    currency: Currency = DEFAULT_CURRENCY


class Brief(_Strict):
    """What a brand asks for (the contract, section 2)."""

    brand: Brand
    query: Annotated[
        str,
        Field(min_length=3, max_length=4_000, pattern=NO_NULL, json_schema_extra=_QUERIES),
    ]
    objective: Objective = "conversion_rate"
    filters: Filters = Filters()
    audience: Annotated[tuple[AudienceNeed, ...], Field(max_length=50), FailFast()] = ()
    lookalikes: Annotated[tuple[Name, ...], Field(max_length=20), FailFast()] = ()
    budget: Budget | None = None
    product_cost: Annotated[
        _Finite | None,
        Field(
            description="What one product costs you, in the currency of the prices: what a post "
            "costs of those who take a product instead of money, where that is less"
        ),
    ] = None
    explore_share: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            allow_inf_nan=False,
            strict=True,
            description="Share of the list that goes to promising creators of whom little is "
            "known, drawn by chance and marked",
        ),
    ] = 0.0
    limit: Annotated[int, Field(ge=1, le=500, strict=True), BeforeValidator(_whole)] = 20
    explain: StrictBool = True


_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)]


class MaxShare(_Strict):
    """Most of the money spent that may go to one platform or niche.

    A number holds for each of them; an object for those it names.
    """

    platform: _Share | Annotated[dict[Platform, _Share], Field(max_length=20)] | None = None
    niche: _Share | Annotated[dict[Name, _Share], Field(max_length=50)] | None = None


class Constraints(_Strict):
    """What a plan has to keep beside the budget."""

    min_creators: Annotated[int, Field(ge=0, le=500, strict=True), BeforeValidator(_whole)] = 0
    max_creators: (
        Annotated[int, Field(ge=1, le=500, strict=True), BeforeValidator(_whole)] | None
    ) = None
    max_share: MaxShare = MaxShare()
    must_have: Annotated[tuple[Name, ...], Field(max_length=500), FailFast()] = ()
    never: Annotated[tuple[Name, ...], Field(max_length=10_000), FailFast()] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.max_creators is not None and self.min_creators > self.max_creators:
            raise ValueError(
                f"min_creators {self.min_creators} is above max_creators {self.max_creators}"
            )
        both = set(self.must_have) & set(self.never)
        if both:
            raise ValueError(f"{min(both)!r} is in must_have and in never")
        return self


class PlanRequest(Brief):
    """A brief whose budget is to be spread over creators (``POST /v1/portfolios``)."""

    budget: Budget
    constraints: Constraints = Constraints()
    campaign_id: Annotated[
        Name | None,
        Field(description="Keeps the plan as this campaign's: its report is against it"),
    ] = None


def tier_of(follower_count: float) -> str | None:
    """The size tier's name, or None where the number of followers is unknown (NaN)."""
    if follower_count != follower_count:
        return None
    name = TIERS[0][0]
    for tier, floor in TIERS:
        if follower_count >= floor:
            name = tier
    return name
