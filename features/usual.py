"""What similar briefs usually bring, for many briefs at many moments.

The same numbers to the last bit as `pair` works out from the totals of every past brief by each
moment; those totals would take memory for every moment times every brief. Here time is walked
through once. Every asked brief is still compared with every past one, which is the one thing in a
row that costs more the more briefs there are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.facts import Outcomes
from features.pair import KERNEL_UNIT, category_rate, kernel
from features.vectors import Vectors
from features.windows import Floats, Ints

PAIRS_AT_ONCE = 64  # of a brief and a moment; with 16 or 256 it takes a third longer
PAST_AT_ONCE = 1 << 13  # past briefs compared at once: 4 MB of weights
SINCE_AT_ONCE = 1 << 13  # outcomes between the moments of such pairs, at most: 4 MB of weights
EXACT = 1 << 53  # whole numbers below it are added exactly in float64


def usual_rates(
    outcomes: Outcomes, past: Vectors, asked: Vectors, brief: Ints, as_of_us: Ints
) -> tuple[Floats, Floats]:
    """Rates of conversions and of clicks of similar briefs, as known at each row's moment.

    Args:
        outcomes: All outcomes.
        past: Projected vectors of the past briefs, ``(n_briefs, k)``.
        asked: Projected vectors of the briefs asked about, ``(m, k)``.
        brief: Place in `asked` of each row's brief, ``(n,)``.
        as_of_us: Each row's moment, ``(n,)``.

    Returns:
        ``(n,)`` each; NaN where nothing was known.
    """
    pairs, row = np.unique(np.column_stack([as_of_us, brief]), axis=0, return_inverse=True)
    events, similar = _sums(outcomes, past, asked, pairs)
    rates = [category_rate(*events[kind : kind + 2], *similar[kind : kind + 2]) for kind in (0, 2)]
    row = row.ravel()
    return rates[0][row], rates[1][row]


def _sums(outcomes: Outcomes, past: Vectors, asked: Vectors, pairs: Ints) -> tuple[Ints, Ints]:
    """Sums over outcomes resolved before each pair's moment, plain and weighed by `kernel`.

    Of conversions, impressions, clicks and impressions whose clicks are known: ``(4, n_pairs)``.
    """
    order = np.argsort(outcomes.resolved_us, kind="stable")
    values, brief = _values(outcomes, order), outcomes.brief[order]
    known = np.searchsorted(outcomes.resolved_us[order], pairs[:, 0], side="left")
    zero = np.zeros((4, 1), dtype=np.int64)
    plain = np.concatenate([zero, np.cumsum(values, axis=1)], axis=1)[:, known]
    totals = np.zeros((4, len(past)), dtype=np.int64)
    similar = np.zeros((4, len(pairs)), dtype=np.int64)
    done = start = 0
    while start < len(pairs):
        near = int(np.searchsorted(known, known[start] + SINCE_AT_ONCE, side="right"))
        here = slice(start, min(start + PAIRS_AT_ONCE, near))
        start = here.stop
        first, last = int(known[here.start]), int(known[here.stop - 1])
        _add(totals, brief[done:first], values[:, done:first])
        done = first
        some, column = np.unique(pairs[here, 1], return_inverse=True)
        vectors = np.ascontiguousarray(asked[some].T)
        similar[:, here] = _weighed(totals, past, vectors)[:, column]
        if last > first:
            similar[:, here] += _since(
                values[:, first:last], brief[first:last], past, vectors, column, known[here] - first
            )
    return plain, similar


def _values(outcomes: Outcomes, order: Ints) -> Ints:
    clicks, impressions = outcomes.clicks[order], outcomes.impressions[order]
    clicked = ~np.isnan(clicks)
    return np.stack(
        [
            outcomes.conversions[order],
            impressions,
            np.where(clicked, clicks, 0).astype(np.int64),
            np.where(clicked, impressions, 0),
        ]
    )


def _add(totals: Ints, brief: Ints, values: Ints) -> None:
    for total, value in zip(totals, values, strict=True):
        np.add.at(total, brief, value)


def _weighed(totals: Ints, past: Vectors, vectors: Vectors) -> Ints:
    """Totals of the past briefs, weighed by each of the asked ones: ``(4, m)``."""
    out = np.zeros((4, vectors.shape[1]), dtype=np.int64)
    some = np.flatnonzero(totals[1])  # what nobody saw brought nothing
    for start in range(0, len(some), PAST_AT_ONCE):
        here = some[start : start + PAST_AT_ONCE]
        out += _product(totals[:, here], kernel(past[here], vectors))
    return out


def _product(values: Ints, weight: Ints) -> Ints:
    """A product of matrices of whole numbers, by float64 where that is exact, as it nearly is."""
    if int(np.abs(values).sum(axis=1).max(initial=0)) * 2 * KERNEL_UNIT < EXACT:
        product: NDArray[np.float64] = values.astype(np.float64) @ weight.astype(np.float64)
        return product.astype(np.int64)
    whole: Ints = values @ weight
    return whole


def _since(
    values: Ints, brief: Ints, past: Vectors, vectors: Vectors, column: Ints, known: Ints
) -> Ints:
    """What the first `known` of some outcomes add to each pair: ``(4, n_pairs)``."""
    there, place = np.unique(brief, return_inverse=True)
    weight = kernel(past[there], vectors)[:, column][place]
    weight[np.arange(len(brief))[:, np.newaxis] >= known] = 0
    return _product(values, weight)
