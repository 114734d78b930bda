"""The creators on a plane: niches that are alike lie near each other, creators near their niches.

Niches are laid out first, by the likeness of their creators' topics; a creator stands between its
niches, by their share, and aside from their centre by what else it is about. Nothing is drawn by
chance, so the same index gives the same map. Knows nothing of briefs or predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.windows import Floats
from models.index import Index

ROUNDS = 200  # of stress majorization; the stress of 28 niches moves by under 0.1% after 120
# How far a creator may stand from the place its mix gives it, against the distance of the two
# nearest niches: at half of it, neighbouring niches would touch.
ASIDE = 0.42
# Shares are raised to this power, so that a creator stands with its leading niche rather than in
# the middle of the map, where everyone's small shares pull.
SHARPNESS = 3.0


@dataclass(frozen=True)
class Landscape:
    """A map, within the unit square.

    Attributes:
        places: Creators on it, by place in the index: those with posts, ``(n,)``.
        points: Where each stands, ``(n, 2)``.
        niche: The leading niche of each, a column of the mix, ``(n,)``.
        centres: Mean place of the creators that each niche leads, ``(n_niches, 2)``; NaN without.
    """

    places: NDArray[np.int64]
    points: Floats
    niche: NDArray[np.int64]
    centres: Floats


def landscape(index: Index) -> Landscape:
    """Lay out the creators of an index; those without posts have no place on it."""
    places = np.flatnonzero(index.leading >= 0).astype(np.int64)
    mix, leading = index.profiles.mix[places], index.leading[places].astype(np.int64)
    centres = np.full((mix.shape[1], 2), np.nan)
    if len(places) == 0:
        return Landscape(places, np.zeros((0, 2)), leading, centres)
    led = np.unique(leading)
    # One niche's topics at a time: those of 1,000,000 creators are 4 GB.
    means = np.array([_topics(index, places[leading == niche]).mean(axis=0) for niche in led])
    laid = lay_out(_unlikeness(means))
    weight = mix[:, led] ** SHARPNESS
    points = weight @ laid / weight.sum(axis=1, keepdims=True)
    points += ASIDE * _nearest_distance(laid) * _aside(index, places, leading, led)
    # A name stands amid its creators, wherever their other niches draw them.
    centres[led] = [points[leading == niche].mean(axis=0) for niche in led]
    low, high = points.min(axis=0), points.max(axis=0)
    span = float(max((high - low).max(), 1e-9))
    shift = (low + high) / 2 - span / 2
    return Landscape(places, (points - shift) / span, leading, (centres - shift) / span)


def lay_out(unlikeness: Floats) -> Floats:
    """Points ``(n, 2)`` whose distances are near to those given ``(n, n)``.

    Classical scaling (Torgerson 1952), then stress majorization (de Leeuw 1977).
    """
    n = len(unlikeness)
    if n == 1:
        return np.zeros((1, 2))
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ unlikeness**2 @ centring)
    axes = np.zeros((n, 2))
    for axis in range(min(2, n)):
        axes[:, axis] = _signed(vectors[:, -1 - axis]) * np.sqrt(max(values[-1 - axis], 0.0))
    points = axes
    for _ in range(ROUNDS):
        apart = _distances(points)
        push = -np.divide(unlikeness, apart, out=np.zeros_like(apart), where=apart > 1e-12)
        np.fill_diagonal(push, 0.0)
        np.fill_diagonal(push, -push.sum(axis=1))
        points = push @ points / n
    return points


def _topics(index: Index, places: NDArray[np.int64]) -> Floats:
    """What each of some creators is about on the whole, ``(n, dim)``."""
    profiles = index.profiles
    topics, share = profiles.topics[places].astype(np.float64), profiles.topic_share[places]
    mean = np.einsum("nkd,nk->nd", topics, share)
    return np.asarray(mean, dtype=np.float64)


def _unlikeness(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(length, 1e-12)
    out: Floats = np.sqrt(np.clip(2 - 2 * unit @ unit.T, 0.0, None))
    return out


def _distances(points: Floats) -> Floats:
    out: Floats = np.linalg.norm(points[:, None, :] - points[None, :, :], axis=2)
    return out


def _nearest_distance(points: Floats) -> float:
    """Median over the niches of how far the nearest other one is; 1 where there is one alone."""
    if len(points) < 2:
        return 1.0
    apart = _distances(points)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _aside(
    index: Index,
    places: NDArray[np.int64],
    leading: NDArray[np.int64],
    led: NDArray[np.int64],
) -> Floats:
    """Where each creator stands about its niche's centre, by what sets its topics apart there.

    The first two principal components inside the niche, by rank, so that the disc of radius 1 is
    filled evenly, ``(n, 2)``.
    """
    out = np.zeros((len(places), 2))
    for niche in led:
        rows = np.flatnonzero(leading == niche)
        if len(rows) < 3:
            continue
        topic = _topics(index, places[rows])
        own = topic - topic.mean(axis=0)
        _, _, components = np.linalg.svd(own, full_matrices=False)
        values = np.column_stack([own @ _signed(component) for component in components[:2]])
        rank = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable")
        square = 2 * (rank + 0.5) / len(rows) - 1
        out[rows] = _square_to_disc(square)
    return out


def _square_to_disc(square: Floats) -> Floats:
    """The square from -1 to 1 onto the disc (the elliptical grid mapping)."""
    x, y = square[:, 0], square[:, 1]
    return np.column_stack([x * np.sqrt(1 - y**2 / 2), y * np.sqrt(1 - x**2 / 2)])


def _signed(vector: Floats) -> Floats:
    """A direction and its opposite are the same axis: the largest entry is made positive."""
    largest = vector[int(np.argmax(np.abs(vector)))]
    return vector if largest >= 0 else -vector
