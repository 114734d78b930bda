"""All creators as of one moment: filters, candidates, evidence.

Knows nothing of what is predicted, nor of where it is stored (`bundle`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import PeerSums
from features.facts import NO_BRAND, Asks, brand_code
from features.pair import Profiles, is_sponsored_by, similarities
from features.readings import AFRESH, TextRules
from features.schemas import AudienceNeed, Brief, BriefError, Filters, Range, UnknownCreator
from features.vectors import EightBits, OnGrid, Vectors
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints, Ragged, Rows
from models.columns import (
    AudienceShares,
    Codes,
    Collaborations,
    Creators,
    only_rows,
    some_rows,
    text_at,
    texts,
)
from models.months import Months, months_of
from models.niche import NicheModel
from models.profiles import profile_creators
from models.safety import RiskModel, YearPosts, is_set, read_year, who_passes
from models.snapshots import BriefReading, Known

EVIDENCE_POSTS = 20  # latest posts of each creator kept to show from
EVIDENCE_TEXTS = ("post_id", "text", "url")
CHUNK = 20_000  # creators whose vectors are in memory at once
ENGAGEMENT_RATE = FEATURE_NAMES.index("engagement_rate")

Mask = NDArray[np.bool_]
Part = TypeVar("Part", bound=Any)


@dataclass(frozen=True)
class Evidence:
    """The latest posts of every creator: row i of `rows` belongs to creator i.

    Attributes:
        text: Columns `EVIDENCE_TEXTS`.
        vector: Of each post; for showing only.
    """

    rows: Rows
    text: pa.Table
    vector: EightBits

    def only(self, kept: Mask) -> Evidence:
        """The posts of some creators alone."""
        rows, posts = only_rows(self.rows, kept)
        vector = EightBits(self.vector.steps[posts], self.vector.scale[posts])
        return Evidence(rows, some_rows(self.text, posts), vector)


@dataclass(frozen=True)
class Index:
    """Every creator, in the order of `creators` (sorted by id).

    Arrays and tables may lie in mapped files (`index_files`): what is read of them is in memory
    once for all processes, and what is not read is not.

    Attributes:
        creators: The contract's table of creators.
        profiles: Their profiles as of `as_of_us`.
        last_post_us: Time of the last post, 0 where there is none, ``(n,)``.
        price: Price of a post in `currency`, NaN where unknown or in another, ``(n,)``.
        collaborations: Past collaborations, resolved or not, for a creator's page.
        year: What every creator wrote in the last 365 days, and the risks in it.
        labels: Names of the niches of `profiles.mix`.
        leading: Place in `labels` of each creator's leading niche; -1 where nothing was posted.
        months: What each did month by month.
    """

    creators: Creators
    profiles: Profiles
    last_post_us: Ints
    price: Floats
    currency: str
    audience: AudienceShares
    collaborations: Collaborations
    evidence: Evidence
    year: YearPosts
    labels: tuple[str, ...]
    leading: NDArray[np.int16]
    as_of_us: int
    months: Months

    def __len__(self) -> int:
        return len(self.creators)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """Id of each creator, ascending, ``(n,)``: every one as a text of Python, 60 MB a million.

        Not for requests: those ask for an `id_of`.
        """
        return np.asarray(self.creators.text["creator_id"].to_numpy(), dtype=object)

    def id_of(self, place: int) -> str:
        """Id of a creator."""
        return str(text_at(self.creators.text["creator_id"], place))

    def ids_of(self, places: Ints) -> NDArray[np.object_]:
        """Ids of some creators."""
        taken = self.creators.text["creator_id"].take(places)
        return np.array(taken.to_pylist(), dtype=object)

    def position(self, creator_id: str) -> int:
        """Place of a creator.

        Raises:
            UnknownCreator: There is none of that id.
        """
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.id_of(middle) < creator_id:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or self.id_of(low) != creator_id:
            raise UnknownCreator(creator_id)
        return low

    def knows(self, creator_id: str) -> bool:
        """Whether there is a creator of that id."""
        try:
            self.position(creator_id)
        except UnknownCreator:
            return False
        return True


def build(
    known: Known,
    progress: Callable[[int], None] | None = None,
    risk_model: RiskModel | None = None,
    rules: TextRules = AFRESH,
    briefs: BriefReading | None = None,
    peers: PeerSums | None = None,
) -> Index:
    """Profile every creator as of the end of the facts.

    Args:
        known: What is known of all creators, or of a part of them.
        progress: Called with the number of creators of each part once it is profiled.
        risk_model: Brand-safety risks by vector; without it the rules alone decide.
        rules: Reads the texts.
        briefs, peers: As for `profile_creators`; a part needs the latter of all.
    """
    facts = known.facts
    n = len(facts.creator_id)
    asks = Asks(np.arange(n, dtype=np.int64), np.full(n, facts.as_of_us, dtype=np.int64))
    posts = facts.posts
    first, past = posts.timeline.window(asks.creator, asks.as_of_us, None)
    shown = Ragged.from_slices(np.maximum(first, past - EVIDENCE_POSTS), past)
    last = np.zeros(n, dtype=np.int64)
    some = past > first
    last[some] = posts.timeline.time_us[past[some] - 1]
    profiles = profile_creators(known, asks, progress, briefs=briefs, peers=peers)
    return Index(
        creators=Creators.of(facts.creators),
        profiles=profiles,
        last_post_us=last,
        price=facts.price,
        currency=facts.currency,
        audience=AudienceShares.of(facts),
        collaborations=Collaborations.of(facts),
        evidence=Evidence(
            Rows(shown.indptr),
            texts(
                post_id=posts.post_id[shown.index],
                text=posts.text[shown.index],
                url=posts.url[shown.index],
            ),
            EightBits.of(posts.vector[shown.index]),
        ),
        year=read_year(posts, asks, risk_model, rules),
        labels=known.snapshots[-1].model.labels,
        leading=leading_niche(profiles.mix),
        as_of_us=facts.as_of_us,
        months=months_of(facts),
    )


def leading_niche(mix: Floats) -> NDArray[np.int16]:
    """Column of the largest share of each row, -1 where nothing is known, ``(n,)``."""
    known = ~np.isnan(mix[:, 0])
    most = np.argmax(np.nan_to_num(mix, nan=-1.0), axis=1)
    return np.where(known, most, -1).astype(np.int16)


def only(index: Index, kept: Mask) -> Index:
    """The index of some of its creators alone, as if the others had been taken out of it.

    What others did to these, such as what similar creators have, stays as it was computed.

    Args:
        kept: Who stays, ``(n,)``.
    """
    profiles = index.profiles
    per_creator = {
        name: _rows_of(getattr(profiles, name), kept)
        for name in (
            *("mix", "topics", "topic_share", "best", "subject", "posts_language"),
            *("audience_language", "speaks", "niche_values", "moment", "asks"),
        )
    }
    # A creator's code in an ask is its place in this index.
    per_creator["asks"] = Asks(
        np.arange(int(kept.sum()), dtype=np.int64), per_creator["asks"].as_of_us
    )
    numbers = replace(
        profiles.numbers,
        values=profiles.numbers.values[kept],
        followers=profiles.numbers.followers[kept],
        clicks=_rows_of(profiles.numbers.clicks, kept),
        conversions=_rows_of(profiles.numbers.conversions, kept),
    )
    return replace(
        index,
        creators=index.creators.only(kept),
        profiles=replace(
            profiles,
            numbers=numbers,
            ads=_ragged_of(profiles.ads, kept),
            outcomes=_ragged_of(profiles.outcomes, kept),
            **per_creator,
        ),
        last_post_us=index.last_post_us[kept],
        price=index.price[kept],
        audience=index.audience.only(kept),
        collaborations=index.collaborations.only(kept),
        evidence=index.evidence.only(kept),
        year=index.year.only(kept),
        leading=index.leading[kept],
        months=_ragged_of(index.months, kept),
    )


def _rows_of(value: Any, kept: Mask) -> Any:
    """Rows of an array, or of every array of a record."""
    if isinstance(value, OnGrid):
        return OnGrid(value.steps[kept])
    if isinstance(value, np.ndarray):
        return value[kept]
    return replace(value, **{f.name: getattr(value, f.name)[kept] for f in fields(value)})


def _ragged_of(part: Part, kept: Mask) -> Part:
    """A record of `rows` and arrays with an entry for each of their entries, for some rows."""
    rows, entries = only_rows(part.rows, kept)
    arrays = {f.name: getattr(part, f.name)[entries] for f in fields(part) if f.name != "rows"}
    return replace(part, rows=rows, **arrays)


@dataclass(frozen=True)
class Pool:
    """Who may be recommended, and what took the others out.

    Attributes:
        eligible: Places of the creators that pass every filter, ascending.
        removed_by: How many each filter took out, of those that the filters before it had left.
        checks: Every filter that was set, in their order: its name, and who passes ``(n,)``.
    """

    eligible: Ints
    removed_by: dict[str, int]
    checks: tuple[tuple[str, Mask], ...]


def filter_pool(index: Index, brief: Brief, niche: NicheModel) -> Pool:
    """Apply the brief's filters. A creator of unknown value does not pass a filter on it.

    Raises:
        BriefError: A filter names a niche, a creator or a currency that is not known.
    """
    left = np.ones(len(index), dtype=bool)
    removed: dict[str, int] = {}
    checks = _checks(index, brief, niche)
    for name, passes in checks:
        taken = left & ~passes
        if taken.any():
            removed[name] = removed.get(name, 0) + int(taken.sum())
        left &= passes
    return Pool(np.flatnonzero(left).astype(np.int64), removed, tuple(checks))


def _checks(index: Index, brief: Brief, niche: NicheModel) -> list[tuple[str, Mask]]:
    """Every filter that the brief sets: its name, and who passes."""
    filters = brief.filters
    creators, profiles = index.creators, index.profiles
    checks: list[tuple[str, Mask]] = []
    if filters.platforms:
        checks.append(("platforms", creators.platform.among(filters.platforms)))
    ranges = (
        ("follower_count", filters.follower_count, profiles.numbers.followers),
        ("engagement_rate", filters.engagement_rate, profiles.numbers.values[:, ENGAGEMENT_RATE]),
        ("price_per_post", filters.price_per_post, index.price),
    )
    checks += [(name, _within(values, wanted)) for name, wanted, values in ranges if _set(wanted)]
    if filters.countries:
        checks.append(("countries", creators.country.among(filters.countries)))
    if filters.languages:
        checks.append(("languages", _speaks(creators.language, filters.languages)))
    if filters.niches:
        checks.append(("niches", _in_niches(index, filters, niche)))
    if filters.last_posted_in_days is not None:
        since = index.as_of_us - filters.last_posted_in_days * MICROSECONDS_PER_DAY
        checks.append(("last_posted_in_days", index.last_post_us >= since))
    if filters.accepts_gifting is not None:
        checks.append(("accepts_gifting", creators.gifting == int(filters.accepts_gifting)))
    if filters.exclude_creators:
        named = filter(index.knows, filters.exclude_creators)
        checks.append(("exclude_creators", _all_but(index, [index.position(one) for one in named])))
    if filters.exclude_sponsored_by:
        brands = {brand_code(name) for name in filters.exclude_sponsored_by} - {NO_BRAND}
        checks.append(("exclude_sponsored_by", ~is_sponsored_by(profiles.ads, len(index), brands)))
    if is_set(filters.brand_safety):
        checks.append(("brand_safety", who_passes(index.year, filters.brand_safety)))
    checks += [("audience", _has_audience(index, need)) for need in brief.audience]
    if brief.lookalikes:
        checks.append(("lookalikes", _all_but(index, lookalike_places(index, brief))))
    return checks


def _set(wanted: Range) -> bool:
    return wanted.min is not None or wanted.max is not None


def _within(values: Floats, wanted: Range) -> Mask:
    low = -np.inf if wanted.min is None else wanted.min
    high = np.inf if wanted.max is None else wanted.max
    return (values >= low) & (values <= high)


def _all_but(index: Index, places: Sequence[int]) -> Mask:
    mask = np.ones(len(index), dtype=bool)
    mask[np.array(places, dtype=np.int64)] = False
    return mask


def _speaks(spoken: Codes, wanted: tuple[str, ...]) -> Mask:
    """Whether a creator's language is one of those wanted, or a variety of one (en-GB of en)."""
    starts = tuple(language.lower() + "-" for language in wanted)
    return spoken.where(lambda tag: (tag.lower() + "-").startswith(starts))


def _in_niches(index: Index, filters: Filters, niche: NicheModel) -> Mask:
    mask = np.zeros(len(index), dtype=bool)
    for place, name in enumerate(filters.niches):
        label = niche.resolve(name)
        if label is None:
            raise BriefError(
                f"/filters/niches/{place}",
                f"{name!r} is not a niche of this model; it knows " + ", ".join(niche.labels),
            )
        mask |= index.leading == index.labels.index(label)
    return mask


def _has_audience(index: Index, need: AudienceNeed) -> Mask:
    creators, share = index.audience.told(need.dimension, need.code)
    mask = np.zeros(len(index), dtype=bool)
    mask[creators[share >= need.min_share]] = True
    return mask


def lookalike_places(index: Index, brief: Brief) -> list[int]:
    """Places of the creators a brief wants more of.

    Raises:
        BriefError: One of them is not known.
    """
    return places_of(index, brief.lookalikes, "/lookalikes")


def places_of(index: Index, creator_ids: Sequence[str], pointer: str) -> list[int]:
    """Places of creators that a field of a brief names, in its order.

    Raises:
        BriefError: One of them is not known.
    """
    places = []
    for number, creator_id in enumerate(creator_ids):
        try:
            places.append(index.position(creator_id))
        except UnknownCreator as error:
            raise BriefError(f"{pointer}/{number}", str(error)) from None
    return places


def nearest_posts(index: Index, place: int, vector: Vectors, limit: int) -> list[tuple[int, float]]:
    """A creator's posts nearest to a vector: their places in `index.evidence` and cosines."""
    start, stop = index.evidence.rows.of(place)
    cosine = index.evidence.vector[start:stop] @ vector
    order = np.argsort(-cosine, kind="stable")[:limit]
    # Rounding to the grid can take a cosine a little past 1.
    return [(start + int(i), min(float(cosine[i]), 1.0)) for i in order if cosine[i] > 0]


def similar_creators(index: Index, place: int, limit: int) -> list[tuple[int, float]]:
    """Creators most like one: mean over its topics, by share, of the best match."""
    profiles = index.profiles
    total = np.zeros(len(index))
    own = list(zip(profiles.topics[place], profiles.topic_share[place], strict=True))
    for start in range(0, len(index), CHUNK):
        some = np.arange(start, min(start + CHUNK, len(index)), dtype=np.int64)
        for topic, share in own:
            if share > 0:
                cosine = similarities(profiles, some, topic)[0]
                total[some] += share * np.nan_to_num(cosine, nan=-1.0)
    total[place] = -np.inf
    order = np.argsort(-total, kind="stable")[:limit]
    return [(int(i), float(total[i])) for i in order if total[i] > 0]
