"""A brief and a creator make one row.

One function for training and serving, with no mode flag. Knows nothing of how a profile was made
(`models.profiles`), nor of what is learned from the row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import CreatorNumbers
from features.facts import Asks
from features.language import UNKNOWN
from features.rates import KIND_EVENTS, shrink
from features.vectors import OnGrid, Vectors
from features.windows import Floats, Ints, Ragged, Rows, ratio

RIVAL_DAYS = 180.0
# How fast a past brief's say falls with its distance: cosine^4 gives a brief at 0.5 a sixteenth
# of the weight of the same brief again. Whole numbers, so that weighted sums are exact.
KERNEL_POWER = 4
KERNEL_UNIT = 4096
# Events that a creator's lift is shrunk by: with as many again, half of it is believed.
LIFT_CONVERSIONS = 3.0
LIFT_CLICKS = 30.0


@dataclass(frozen=True)
class RecentAds:
    """Promotions of the last 365 days of each ask, row by row."""

    rows: Rows
    brand: Ints
    niche: Ints
    age_days: Floats


@dataclass(frozen=True)
class PastOutcomes:
    """Resolved collaborations of each ask, row by row.

    `clicks_out_of` is the impressions where clicks are known, else 0.
    """

    rows: Rows
    brief: Ints
    conversions: Ints
    impressions: Ints
    clicks: Ints
    clicks_out_of: Ints


@dataclass(frozen=True)
class BriefTotals:
    """Outcomes of all creators resolved by each moment, by past brief: ``(moments, briefs)``."""

    conversions: Ints
    impressions: Ints
    clicks: Ints
    clicks_out_of: Ints


@dataclass(frozen=True)
class Profiles:
    """All that the asks' rows are made of. Row i of every array belongs to ask i.

    Attributes:
        asks: Whom, as of when, ``(n,)``.
        numbers: The creator features.
        mix: Share of each niche, weighted by recency, ``(n, n_niches)``; NaN without posts.
        topics: Up to three topic vectors on the grid, unused ones zero, ``(n, 3, dim)``.
        topic_share: Weight of each topic, ``(n, 3)``.
        best: Mean vector of the posts that engaged most, ``(n, dim)``.
        subject: Mean of the projected posts, shorter the more they differ, ``(n, k)``.
        languages: Codes of the columns of the next two, `UNKNOWN` among them.
        posts_language: Share of the posts in each, ``(n, n_languages)``; NaN without posts.
        audience_language: Share of the audience that reads each, ``(n, n_languages)``; NaN unknown.
        speaks: Column of the creator's own language, ``(n,)``.
        niche_values: The features of `catalogue.PROFILE_FEATURES`, ``(n, 2)``.
        moment: Row in `totals` of each ask, ``(n,)``.
        brief_subject: Projected vectors of the past briefs, ``(n_briefs, k)``.
    """

    asks: Asks
    numbers: CreatorNumbers
    mix: Floats
    topics: Vectors | OnGrid
    topic_share: Floats
    best: Vectors | OnGrid
    subject: Vectors | OnGrid
    languages: tuple[str, ...]
    posts_language: Floats
    audience_language: Floats
    speaks: Ints
    niche_values: Floats
    ads: RecentAds
    outcomes: PastOutcomes
    moment: Ints
    totals: BriefTotals
    brief_subject: Vectors


@dataclass(frozen=True)
class BriefProfile:
    """What is known of a brief.

    Its vector ``(dim,)``, projected ``(k,)``, its niche mix ``(n_niches,)``, language and brand.
    """

    vector: Vectors
    subject: Vectors
    mix: Floats
    language: str
    brand: int


def pair_features(
    profiles: Profiles,
    rows: Ints,
    briefs: list[BriefProfile],
    brief_of_row: Ints,
    usual: tuple[Floats, Floats] | None = None,
) -> Floats:
    """Build the matrix of features.

    Args:
        profiles: Profiles of the asks.
        rows: Which ask each row is about, ``(n_rows,)``.
        briefs: The distinct briefs.
        brief_of_row: Which brief each row is about, ``(n_rows,)``.
        usual: Rates of conversions and of clicks that similar briefs brought, ``(n_rows,)`` each
            (`features.usual`); None: they are worked out from `profiles.totals`.

    Returns:
        ``(n_rows, len(FEATURE_NAMES))`` float64 in the catalogue's order; NaN is missing.
    """
    own = creator_columns(profiles, rows)
    out = np.empty((len(rows), len(FEATURE_NAMES)))
    out[:, : own.shape[1]] = own
    order = np.argsort(brief_of_row, kind="stable")
    edges = np.searchsorted(brief_of_row[order], np.arange(len(briefs) + 1))
    for number, brief in enumerate(briefs):
        here = order[edges[number] : edges[number + 1]]
        if len(here):
            known = None if usual is None else (usual[0][here], usual[1][here])
            out[here, own.shape[1] :] = brief_columns(profiles, rows[here], brief, known)
    return out


def creator_columns(profiles: Profiles, rows: Ints) -> Floats:
    """The features that are the same for every brief, the first ones of the catalogue."""
    return np.column_stack([profiles.numbers.values[rows], profiles.niche_values[rows]])


def brief_columns(
    profiles: Profiles,
    rows: Ints,
    brief: BriefProfile,
    usual: tuple[Floats, Floats] | None = None,
) -> Floats:
    """The features that are about a brief, the last ones of the catalogue.

    Args:
        profiles, rows: As `pair_features` takes them.
        brief: The brief of all of the rows.
        usual: What similar briefs brought as of each row, where that is known already.
    """
    topic, mean, best = similarities(profiles, rows, brief.vector)
    mix = profiles.mix[rows]
    leading = int(np.argmax(brief.mix))
    # A plain loop over niches adds in one order, whatever the number of rows.
    match = np.zeros(len(rows))
    for niche, share in enumerate(brief.mix):
        match += share * mix[:, niche]
    rivals, again = _promotions(profiles.ads, rows, leading, brief.brand)
    past = profiles.outcomes
    picked = Ragged.from_slices(past.rows.indptr[rows], past.rows.indptr[rows + 1])
    if usual is None:
        weight = kernel(profiles.brief_subject, brief.subject)
        moment = profiles.moment[rows]
        usual_rate, usual_click_rate = (
            rate[moment] for rate in _category_rates(profiles.totals, weight)
        )
        w = weight[past.brief[picked.index]]
    else:
        usual_rate, usual_click_rate = usual
        w = kernel(profiles.brief_subject[past.brief[picked.index]], brief.subject)
    lift, click_lift = _similar_lifts(past, picked, w, len(rows), usual_rate, usual_click_rate)
    own = profiles.subject[rows]
    subject = np.where(own.any(axis=1), (own @ brief.subject).astype(np.float64), np.nan)
    return np.column_stack(
        [
            topic,
            mean,
            best,
            subject,
            *_languages(profiles, rows, brief.language),
            match,
            mix[:, leading],
            rivals,
            again,
            lift,
            click_lift,
            usual_rate,
            usual_click_rate,
        ]
    )


def similarities(profiles: Profiles, rows: Ints, vector: Vectors) -> tuple[Floats, Floats, Floats]:
    """Cosines of a brief with each row's topics: largest, weighted mean, and the best posts'."""
    dim = len(vector)
    topics = profiles.topics[rows]
    cosine = (topics.reshape(-1, dim) @ vector).reshape(len(rows), -1).astype(np.float64)
    share = profiles.topic_share[rows]
    known = share > 0
    topic = np.where(known.any(axis=1), np.where(known, cosine, -np.inf).max(axis=1), np.nan)
    mean = np.zeros(len(rows))
    for place in range(cosine.shape[1]):
        mean += cosine[:, place] * share[:, place]
    mean = np.where(known.any(axis=1), mean, np.nan)
    best_vectors = profiles.best[rows]
    best = (best_vectors @ vector).astype(np.float64)
    return topic, mean, np.where(best_vectors.any(axis=1), best, np.nan)


def kernel(brief_vector: Vectors, vector: Vectors) -> Ints:
    """Say of each past brief about this one: whole numbers from 0 to about `KERNEL_UNIT`.

    Of a vector ``(k,)``, or of several ``(k, m)``: ``(n_briefs, m)``.
    """
    cosine = np.maximum((brief_vector @ vector).astype(np.float64), 0.0)
    # Twice squared is the fourth power, at half the time of `**`.
    weight: Ints = np.rint(np.square(np.square(cosine)) * KERNEL_UNIT).astype(np.int64)
    return weight


def _promotions(ads: RecentAds, rows: Ints, niche: int, brand: int) -> tuple[Floats, Floats]:
    """Count other brands' promotions in the niche (`RIVAL_DAYS`), and this brand's (365 days)."""
    picked = Ragged.from_slices(ads.rows.indptr[rows], ads.rows.indptr[rows + 1])
    same_brand = (ads.brand[picked.index] == brand) & (brand != 0)
    rival = ~same_brand & (ads.niche[picked.index] == niche)
    rival &= ads.age_days[picked.index] <= RIVAL_DAYS
    size = len(rows)
    return (
        np.bincount(picked.row[rival], minlength=size).astype(np.float64),
        np.bincount(picked.row[same_brand], minlength=size).astype(np.float64),
    )


def _languages(profiles: Profiles, rows: Ints, language: str) -> tuple[Floats, Floats, Floats]:
    """Shares of posts and of audience in the brief's language, and whether the creator's is it."""
    if language == UNKNOWN:
        missing = np.full(len(rows), np.nan)
        return missing, missing, missing
    if language in profiles.languages:
        column = profiles.languages.index(language)
        posts, audience = (
            shares[rows, column] for shares in (profiles.posts_language, profiles.audience_language)
        )
    else:  # nobody's
        column = len(profiles.languages)
        posts, audience = (
            np.where(np.isnan(shares[rows]).all(axis=1), np.nan, 0.0)
            for shares in (profiles.posts_language, profiles.audience_language)
        )
    speaks = profiles.speaks[rows]
    unknown = speaks == profiles.languages.index(UNKNOWN)
    return posts, audience, np.where(unknown, np.nan, (speaks == column).astype(np.float64))


def _similar_lifts(
    past: PastOutcomes, picked: Ragged, w: Ints, size: int, rate: Floats, click_rate: Floats
) -> tuple[Floats, Floats]:
    """What past collaborations on similar briefs brought, against the category's rates."""

    def total(values: Ints) -> Floats:
        # Whole numbers below 2^53: float64 adds them exactly.
        weighted = (w * values[picked.index]).astype(np.float64)
        return np.bincount(picked.row, weighted, minlength=size) / KERNEL_UNIT

    def lift(events: Ints, exposure: Ints, usual: Floats, held: float) -> Floats:
        return (total(events) + held) / (total(exposure) * usual + held)

    return (
        lift(past.conversions, past.impressions, rate, LIFT_CONVERSIONS),
        lift(past.clicks, past.clicks_out_of, click_rate, LIFT_CLICKS),
    )


def _category_rates(totals: BriefTotals, weight: Ints) -> tuple[Floats, Floats]:
    """What similar briefs brought by each moment, shrunk towards what all briefs brought."""

    def rate(events: Ints, exposure: Ints) -> Floats:
        return category_rate(
            events.sum(axis=1), exposure.sum(axis=1), events @ weight, exposure @ weight
        )

    return (
        rate(totals.conversions, totals.impressions),
        rate(totals.clicks, totals.clicks_out_of),
    )


def category_rate(
    events: Ints, exposure: Ints, similar_events: Ints, similar_exposure: Ints
) -> Floats:
    """Rate of similar briefs, shrunk towards that of all; NaN where nothing came of any.

    Args:
        events, exposure: Of all briefs, by a moment, ``(n,)``.
        similar_events, similar_exposure: The same weighed by `kernel`, ``(n,)``.
    """
    overall = ratio(events, exposure)
    overall[overall == 0] = np.nan
    alpha = np.full(len(overall), KIND_EVENTS)
    return shrink(similar_events / KERNEL_UNIT, similar_exposure / KERNEL_UNIT, overall, alpha)


def is_sponsored_by(ads: RecentAds, size: int, brands: set[int]) -> NDArray[np.bool_]:
    """Whether each ask promoted one of `brands` in 365 days; `size` is the number of asks."""
    hit = np.isin(ads.brand, np.fromiter(brands, dtype=np.int64, count=len(brands)))
    sponsored = np.zeros(size, dtype=bool)
    sponsored[ads.rows.row_of(np.flatnonzero(hit))] = True
    return sponsored
