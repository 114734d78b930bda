"""Fits what candidates are searched by, on what the full model says.

Knows nothing of how a search is asked (`search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.facts import NO_BRAND
from features.pair import BriefProfile, Profiles, pair_features
from features.vectors import Vectors
from features.windows import Floats, Ints
from models.conversion import Predictions
from models.index import Index
from models.prices import PriceModel
from models.search import Search, Weights, padded
from models.snapshots import Known, profile_brief

REFERENCES = 32  # briefs that the model is asked about, chosen to differ most
SAMPLE = 2_000  # creators that the weights are fitted on
# Of the references, those nearest to a creator, which its priors are the mean over: what a model
# says of a creator far from its subject is not what it says where the creator comes into question.
NEAREST = 6
# Only the best of a brief are looked for: they count fully in the fit, the others a little. In a
# simulated catalogue of 100,000, 1,000 candidates held 0.982 of the best 50 so, 0.895 when all
# counted alike.
BEST_SHARE, OTHERS_WEIGHT = 0.1, 0.02
STEPS = 4  # alternations between weights and priors; after three nothing moves
CHUNK = 20_000  # creators scored at once
BRIEFS_NEEDED = 8  # with fewer past briefs, creators' topics stand in for more
PLATFORM = FEATURE_NAMES.index("platform")
FOLLOWERS_LOG = FEATURE_NAMES.index("followers_log")


class Model(Protocol):
    """What scores rows of features in full."""

    def predict(self, matrix: Floats) -> Predictions: ...


@dataclass(frozen=True)
class Money:
    """What a post of each creator costs.

    Attributes:
        log_cost: Logarithm of it, ``(n,)``; NaN where nothing tells.
        gifting: Who takes a product instead, ``(n,)``.
        usual: What is taken where nothing tells.
    """

    log_cost: Floats
    gifting: NDArray[np.bool_]
    usual: float = 0.0


def search_for(known: Known, index: Index, model: Model, prices: PriceModel | None) -> Search:
    """The search among the creators of an index by a model, learned on the past briefs."""
    briefs = _briefs(known, index.profiles)
    return fit_search(index.profiles, model, money_of(index, prices), briefs)


def money_of(index: Index, prices: PriceModel | None) -> Money:
    """What creators cost: their prices, or what is told of prices where they name none."""
    values = index.profiles.numbers.values
    price = index.price
    if prices is not None:
        told = prices.estimate(values[:, PLATFORM].astype(np.int64), values[:, FOLLOWERS_LOG])[0]
        price = np.where(np.isnan(price), told, price)
    log_cost = np.log(np.maximum(price, 1.0))
    told = log_cost[~np.isnan(log_cost)]
    usual = float(np.median(told)) if len(told) else 0.0
    return Money(log_cost, index.creators.gifting == 1, usual)


def _briefs(known: Known, profiles: Profiles) -> list[BriefProfile]:
    """The past briefs; where they are few, creators' main topics too."""
    latest, facts = known.snapshots[-1], known.facts
    asked = list(zip(facts.brief_vector, facts.brief_language, strict=True))
    if len(asked) < BRIEFS_NEEDED:
        some = np.linspace(0, len(profiles.topics) - 1, num=REFERENCES).astype(np.int64)
        most = np.argmax(np.nan_to_num(profiles.posts_language), axis=1)
        asked += [
            (profiles.topics[place, 0], profiles.languages[most[place]])
            for place in np.unique(some)
        ]
    return [
        profile_brief(latest.model, latest.projection, vector, str(language), NO_BRAND)
        for vector, language in asked
    ]


@dataclass(frozen=True)
class Taught:
    """What a model taught the search: the weights, and the briefs that it was asked about."""

    weights: Weights
    briefs: tuple[BriefProfile, ...]


def fit_search(
    profiles: Profiles,
    model: Model,
    money: Money,
    briefs: Sequence[BriefProfile],
    seed: int = 0,
) -> Search:
    """Fit the weights on what the model says of some creators and briefs, and make the vectors.

    Args:
        profiles: Of all creators, ``(n,)``.
        model: What scores in full.
        money: What they cost.
        briefs: Such as will be asked about, at least one.
        seed: Of the creators drawn.
    """
    taught = teach(profiles, model, briefs, seed)
    return searchable(taught, vectors_of(profiles, model, money, taught))


def teach(
    profiles: Profiles, model: Model, briefs: Sequence[BriefProfile], seed: int = 0
) -> Taught:
    """Fit the weights on some of the creators; arguments as for `fit_search`."""
    n = len(profiles.subject)
    chosen = [briefs[place] for place in _far_apart(briefs, REFERENCES)]
    drawn = np.random.default_rng(seed).permutation(n)[:SAMPLE]
    sample = np.sort(drawn).astype(np.int64)
    return Taught(_fit(profiles, model, sample, chosen), tuple(chosen))


def vectors_of(profiles: Profiles, model: Model, money: Money, taught: Taught) -> Vectors:
    """Creators' vectors, ``(n, width)``; each depends on its creator alone."""
    paid = _paid(money)
    n = len(profiles.subject)
    parts = []
    for places in np.array_split(np.arange(n), max(1, -(-n // CHUNK))):
        told = [
            profiles.subject[places].astype(np.float64),
            np.nan_to_num(profiles.mix[places]),
            np.nan_to_num(profiles.posts_language[places]),
            _priors(profiles, model, places, taught),
            paid[places],
        ]
        parts.append(padded(np.concatenate(told, axis=1)))
    return np.concatenate(parts)


def searchable(taught: Taught, vectors: Vectors) -> Search:
    """The search among creators of some vectors, ``(n, width)``, kept in 8 bits."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors)
    index.add(vectors)
    return Search(taught.weights, index)


def _paid(money: Money) -> Floats:
    """What `query_of` weighs of money, ``(n, 3)``: less cost without gifts, with, and who."""
    cost = np.where(np.isnan(money.log_cost), money.usual, money.log_cost)
    gifting = money.gifting.astype(np.float64)
    return np.column_stack([-cost * (1 - gifting), -cost * gifting, gifting])


def _far_apart(briefs: Sequence[BriefProfile], limit: int) -> list[int]:
    """Places of briefs of which each next is the farthest from those before it."""
    subjects = np.stack([brief.subject for brief in briefs]).astype(np.float64)
    chosen = [0]
    nearest = subjects @ subjects[0]
    while len(chosen) < min(limit, len(briefs)):
        place = int(np.argmin(nearest))
        if nearest[place] >= 1.0 - 1e-3:  # all others are among the chosen
            break
        chosen.append(place)
        nearest = np.maximum(nearest, subjects @ subjects[place])
    return chosen


def _parts(profiles: Profiles, places: Ints, brief: BriefProfile) -> Floats:
    """What the weights weigh, for each creator and one brief, ``(n, 4)``."""
    mix = np.nan_to_num(profiles.mix[places])
    spoken = np.zeros(len(places))
    if brief.language in profiles.languages:
        column = profiles.languages.index(brief.language)
        spoken = np.nan_to_num(profiles.posts_language[places, column])
    subject = profiles.subject[places].astype(np.float64) @ brief.subject
    return np.column_stack([subject, mix @ brief.mix, mix[:, np.argmax(brief.mix)], spoken])


def _fit(profiles: Profiles, model: Model, sample: Ints, briefs: Sequence[BriefProfile]) -> Weights:
    """Weights by least squares, with a prior for each creator, the best of each brief counting."""
    parts = np.stack([_parts(profiles, sample, brief) for brief in briefs])
    score = np.stack([_predict(model, profiles, sample, [brief])[0].ravel() for brief in briefs])
    best = score >= np.quantile(score, 1 - BEST_SHARE, axis=1, keepdims=True)
    count = np.sqrt(np.where(best, 1.0, OTHERS_WEIGHT))
    design = np.concatenate([parts, np.ones((*parts.shape[:2], 1))], axis=2) * count[..., None]
    prior = np.zeros(len(sample))
    weights = np.zeros(parts.shape[2])
    near = min(NEAREST, len(briefs))
    for _ in range(STEPS):
        wanted = (score - prior) * count
        solved = np.linalg.lstsq(design.reshape(-1, design.shape[2]), wanted.ravel(), rcond=None)[0]
        weights = solved[:-1]
        product = parts @ weights
        rows = np.argsort(-product, axis=0, kind="stable")[:near]
        prior = np.take_along_axis(score - product - solved[-1], rows, axis=0).mean(axis=0)
    return Weights(*(float(weight) for weight in weights))


def _priors(profiles: Profiles, model: Model, places: Ints, taught: Taught) -> Floats:
    """What the model says of creators beyond the weights, of score and log reach, ``(n, 2)``."""
    weights, briefs = taught.weights, taught.briefs
    near = min(NEAREST, len(briefs))
    every = np.array([weights.subject, weights.match, weights.leading, weights.language])
    product = np.stack([_parts(profiles, places, brief) @ every for brief in briefs])
    rows = np.argsort(-product, axis=0, kind="stable")[:near]
    score, reach = _predict(model, profiles, places, briefs, rows.T)
    beyond = score - np.take_along_axis(product, rows, axis=0).T
    return np.column_stack([beyond.mean(axis=1), np.nan_to_num(reach).mean(axis=1)])


def _predict(
    model: Model,
    profiles: Profiles,
    places: Ints,
    briefs: Sequence[BriefProfile],
    which: Ints | None = None,
) -> tuple[Floats, Floats]:
    """Scores and log impressions of creators for some of the briefs, ``(n, n_which)`` each."""
    if which is None:
        which = np.zeros((len(places), 1), dtype=np.int64)
    rows = np.repeat(places, which.shape[1])
    matrix = pair_features(profiles, rows, list(briefs), which.ravel())
    predictions = model.predict(matrix)
    return (
        predictions.score.reshape(which.shape),
        np.log(predictions.impressions).reshape(which.shape),
    )
