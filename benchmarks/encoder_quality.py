"""What vectors of real captions are worth: finding a channel's others, its topic, its niche.

Knows nothing of how vectors were made, nor of what they cost. Every metric is a function of one
weight a channel, so that channels can be drawn anew: captions of one channel are no independent
witnesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.niche import Channels, product, told_unseen
from features.encoders import Encoder

NEAREST = 10
DRAWS = 2_000
CUTS = (0, 1, 2)  # ways of cutting channels into folds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Quality:
    """What one encoder got right, for each channel, in the order of their ids.

    Attributes:
        own: NDCG@10 of finding the other captions of the same channel among all captions; summed
            over a channel's captions, ``(n_channels,)``. A channel of one caption has none.
        own_asked: How many captions that is a sum over.
        topic: Share, among the 10 nearest captions of *other* channels, of those of the same
            category; summed over a channel's captions.
        topic_asked: How many captions that is a sum over.
        label: True category, a number.
        told: Category told by models that have not seen the channel, ``(cuts, n_channels)``.
    """

    own: Floats
    own_asked: Floats
    topic: Floats
    topic_asked: Floats
    label: Ints
    told: Ints


def quality(channels: Channels, vectors: NDArray[np.float32], encoder: Encoder) -> Quality:
    """Judge vectors of all captions, ``(n_posts, dim)`` of unit length."""
    names = sorted(channels.label)
    categories = sorted(set(channels.label.values()))
    channel = np.searchsorted(names, channels.creator).astype(np.int64)
    label = np.array([categories.index(channels.label[name]) for name in names])
    own, topic = retrieval(vectors, channel, label)
    others = np.bincount(channel, minlength=len(names))[channel] - 1
    predict = product(channels, vectors, encoder)
    told = [told_unseen(channels, predict, cut) for cut in CUTS]

    def each(values: NDArray[Any]) -> Floats:
        return np.asarray(
            np.bincount(channel, weights=values, minlength=len(names)), dtype=np.float64
        )

    return Quality(
        own=each(np.where(others > 0, own, 0.0)),
        own_asked=each(others > 0),
        topic=each(topic),
        topic_asked=each(np.ones(len(channel))),
        label=label,
        told=np.array([[categories.index(said[name]) for name in names] for said in told]),
    )


def retrieval(
    vectors: NDArray[np.float32], channel: Ints, label: Ints, nearest: int = NEAREST
) -> tuple[Floats, Floats]:
    """Each caption as a question to all the others, ``(n_posts,)`` each.

    Args:
        vectors: ``(n_posts, dim)``.
        channel: Channel of each caption.
        label: Category of each channel.
        nearest: How many are looked at.

    Returns:
        NDCG of the captions of its own channel, NaN where there is no other, and the share of its
        own category among those of other channels. Equal cosines stand in the captions' order.
    """
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    discount = 1 / np.log2(np.arange(2, nearest + 2))
    own = np.full(len(channel), np.nan)
    topic = np.zeros(len(channel))
    for place, row in enumerate(similarity):
        order = np.argsort(-row, kind="stable")[:-1]
        same = channel[order] == channel[place]
        if same.any():
            gain = (same[:nearest] * discount[: len(order)]).sum()
            own[place] = gain / discount[: min(nearest, int(same.sum()))].sum()
        strangers = order[~same][:nearest]
        topic[place] = (label[channel[strangers]] == label[channel[place]]).mean()
    return own, topic


Metric = Callable[[Quality, Floats], float]


def _own(found: Quality, weight: Floats) -> float:
    return float((weight @ found.own) / (weight @ found.own_asked))


def _topic(found: Quality, weight: Floats) -> float:
    return float((weight @ found.topic) / (weight @ found.topic_asked))


def _accuracy(found: Quality, weight: Floats) -> float:
    return float(((found.told == found.label) @ weight).mean() / weight.sum())


def _macro_f1(found: Quality, weight: Floats) -> float:
    n_labels = int(found.label.max()) + 1
    there = np.bincount(found.label, weights=weight, minlength=n_labels)
    scores = []
    for told in found.told:
        right = np.bincount(found.label, weights=weight * (told == found.label), minlength=n_labels)
        said = np.bincount(told, weights=weight, minlength=n_labels)
        scores.append((2 * right / np.maximum(there + said, 1e-12))[there > 0].mean())
    return float(np.mean(scores))


METRICS: dict[str, Metric] = {
    "own channel, NDCG@10": _own,
    "same category, P@10": _topic,
    "niche accuracy": _accuracy,
    "niche macro-F1": _macro_f1,
}


@dataclass(frozen=True)
class Compared:
    """A metric, and what is left of the reference's: 1 is as good.

    `low` and `high` are the middle 95% over channels drawn anew.
    """

    value: float
    kept: float
    low: float
    high: float


def compare(found: Quality, reference: Quality) -> dict[str, Compared]:
    """Each metric as a part of the reference's, on the same channels in every draw."""
    n = len(found.label)
    random = np.random.default_rng(0)
    draws = [random.multinomial(n, np.full(n, 1 / n)).astype(np.float64) for _ in range(DRAWS)]
    even = np.ones(n)
    compared = {}
    for name, metric in METRICS.items():
        parts = [metric(found, weight) / metric(reference, weight) for weight in draws]
        low, high = np.quantile(parts, [0.025, 0.975])
        value = metric(found, even)
        compared[name] = Compared(value, value / metric(reference, even), float(low), float(high))
    return compared
