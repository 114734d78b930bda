"""Places of a list given by chance to promising creators of whom little is known.

What nobody shows nobody learns of. A stated share of the list, its last places, goes to creators
that would belong in it if they were as good as they may well be: each of those places draws one
from a group of its own, with chances in proportion to the probability of that, so that every
creator's probability of every place is known. Knows nothing of briefs or of what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from features.windows import Floats, Ints
from models.conversion import SIGMAS

GROUP = 10  # creators that one place is drawn from
UNKNOWN_SPREAD = 1.0  # of the score, where the model gives no interval: all are promising then


@dataclass(frozen=True)
class Shown:
    """A list.

    Attributes:
        rows: Whom, in their order, ``(k,)``.
        propensity: Probability that each is shown at its place, ``(k,)``.
        explored: Who stands there by chance, ``(k,)``.
    """

    rows: Ints
    propensity: Floats
    explored: NDArray[np.bool_]


def choose_shown(
    order: Ints,
    score: Floats,
    spread: Floats,
    limit: int,
    share: float,
    rng: np.random.Generator,
) -> Shown:
    """The list to show: the best, and in its last places some by chance.

    Args:
        order: Creators, best first, ``(n,)``.
        score: Logarithm of what the order is by, of each creator, ``(n,)``.
        spread: ``high / low`` of its 80% interval; NaN where there is none, ``(n,)``.
        limit: Length of the list.
        share: Of the list that is given by chance; with any, at least one place.
        rng: Where chance comes from.
    """
    places = 0 if share == 0 else max(round(limit * share), 1)
    sure = order[: limit - places] if len(order) > limit else order[:limit]
    rest = order[len(sure) :]
    rest = rest[np.isfinite(score[rest])]
    if places == 0 or len(order) <= limit or len(sure) == 0 or len(rest) < places:
        rows = order[:limit]
        return Shown(rows, np.ones(len(rows)), np.zeros(len(rows), dtype=bool))
    deviation = np.log(np.maximum(spread[rest], 1.0)) / (2 * SIGMAS)
    deviation = np.nan_to_num(np.maximum(deviation, 1e-6), nan=UNKNOWN_SPREAD)
    promise = ndtr((score[rest] - score[sure[-1]]) / deviation)
    promising = np.argsort(-promise, kind="stable")[: places * GROUP]
    drawn, chance = [], []
    for place in range(places):
        group = promising[place::places]
        weight = np.maximum(promise[group], 1e-12)
        weight = weight / weight.sum()
        one = int(rng.choice(len(group), p=weight))
        drawn.append(rest[group[one]])
        chance.append(weight[one])
    return Shown(
        np.concatenate([sure, np.array(drawn, dtype=np.int64)]),
        np.concatenate([np.ones(len(sure)), chance]),
        np.arange(len(sure) + places) >= len(sure),
    )
