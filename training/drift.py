"""Whether columns of numbers are still distributed as they were, how far they moved, and by chance.

The size is the population stability index (PSI) less what chance alone brings: with a hundred rows
an unchanged column has a PSI of about 0.1 (Yurdakul and Naranjo 2020, "Statistical properties of
the population stability index"), so the usual thresholds alone would cry wolf. Chance is told by
permutation: whole units (creators, campaigns) change sides, never single rows of one. Where a unit
stands on both sides its two halves change places; the units of one side only are dealt anew. One
deal serves all columns; p-values are corrected for the number of columns by SciPy (Benjamini and
Hochberg 1995). What is missing is a bin like any other.

No library does this beside pandas 3.1, numpy 2.4, matplotlib 3.11 and LightGBM 4.7: evidently
0.7.23 fails to import (`infer_dtype_from_object` is gone from pandas), frouros 0.9.0, alibi-detect
0.13.0 and nannyml 0.13.1 pin older versions of those; popmon 1.4.12 and river 0.26.1 import, but
know neither units of several rows nor a correction for many columns, and river reads a stream.

Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from features.windows import Floats, Ints

BINS = 10
# Siddiqi 2006, "Credit risk scorecards": below 0.1 no change, above 0.25 a large one.
SOME, MUCH = 0.1, 0.25
# A monitor looks again and again: one false alarm in a hundred looks, not one in twenty.
FALSE_DISCOVERIES = 0.01
# The least p-value is 1 / 10,000: of 100 columns one that moved alone is still found.
PERMUTATIONS = 9999
HALF = 0.5  # added to each bin's count (Jeffreys), so that an empty bin has a finite PSI
BATCH = 250  # permutations at a time, to bound memory


@dataclass(frozen=True)
class Sample:
    """Columns at one time.

    Attributes:
        values: ``(n, n_columns)``; NaN is missing.
        unit: Code of what each row belongs to, the same at both times, ``(n,)``.
    """

    values: Floats
    unit: Ints

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def units(self) -> int:
        return len(np.unique(self.unit))


@dataclass(frozen=True)
class Shift:
    """How far one column moved.

    Attributes:
        name: Of the column.
        size: PSI less what chance brings.
        chance: Mean PSI where units change sides by chance.
        q: p-value, corrected for the number of columns.
        then, now: Medians of what is not missing; NaN for codes.
        missing_then, missing_now: Shares that are missing.
        code: The code whose share changed most; NaN for numbers.
        code_then, code_now: Its shares.
    """

    name: str
    size: float
    chance: float
    q: float
    then: float
    now: float
    missing_then: float
    missing_now: float
    code: float = float("nan")
    code_then: float = float("nan")
    code_now: float = float("nan")

    @property
    def credible(self) -> bool:
        """Whether chance does not explain it."""
        return self.q < FALSE_DISCOVERIES

    @property
    def moved(self) -> bool:
        """Whether it is large and chance does not explain it."""
        return self.credible and self.size >= MUCH

    @property
    def moved_some(self) -> bool:
        """Whether it is neither nothing nor large, and chance does not explain it."""
        return self.credible and SOME <= self.size < MUCH


def shifts(
    then: Sample, now: Sample, names: Sequence[str], coded: Collection[str] = (), seed: int = 0
) -> tuple[Shift, ...]:
    """Compare each column at two times; the order of rows does not matter.

    Args:
        then, now: At least one row each.
        names: Of the columns.
        coded: Those whose values are codes, not amounts.
        seed: Of the permutations.
    """
    codes, widths = _binned(then.values, now.values, [name in coded for name in names])
    units, unit = np.unique(np.concatenate([then.unit, now.unit]), return_inverse=True)
    starts = np.cumsum([0, *widths])
    count = np.zeros((2, len(units), starts[-1]))
    side = np.repeat([0, 1], [len(then), len(now)])
    for column in range(len(names)):
        np.add.at(count, (side, unit, starts[column] + codes[:, column]), 1.0)
    there = np.zeros((2, len(units)), dtype=bool)
    there[side, unit] = True
    totals = _permuted(count, there, np.random.default_rng(seed))
    psi = np.column_stack(
        [
            _psi(totals[0][:, first:last], totals[1][:, first:last])
            for first, last in pairwise(starts)
        ]
    )
    chance = psi[1:].mean(axis=0)
    # Sums of the same counts in another order differ by rounding.
    p = (1 + (psi[1:] >= psi[0] - 1e-12).sum(axis=0)) / len(psi)
    q = false_discovery_control(p)
    return tuple(
        _told(
            name,
            float(psi[0, place] - chance[place]),
            float(chance[place]),
            float(q[place]),
            then.values[:, place],
            now.values[:, place],
            name in coded,
        )
        for place, name in enumerate(names)
    )


def _permuted(
    count: Floats, there: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Counts of all bins on each side: first as they are, then as chance deals the units.

    ``(1 + PERMUTATIONS, n_bins)`` each.
    """
    paired = there.all(axis=0)
    single = np.flatnonzero(~paired)
    later = there[1, single]
    gained = count[1] - count[0]  # by the first side where a unit changes sides
    change = [np.zeros((1, gained.shape[1]))]
    for first in range(0, PERMUTATIONS, BATCH):
        size = min(BATCH, PERMUTATIONS - first)
        swapped = np.zeros((size, there.shape[1]))
        swapped[:, paired] = rng.integers(0, 2, (size, int(paired.sum())))
        dealt = rng.permuted(np.tile(later, (size, 1)), axis=1)
        swapped[:, single] = dealt != later
        change.append(swapped @ gained)
    moved = np.concatenate(change)
    return count[0].sum(axis=0) + moved, count[1].sum(axis=0) - moved


def _psi(then: Floats, now: Floats) -> Floats:
    """PSI of counts ``(replicates, bins)``, bins that are empty on both sides left out."""
    some = (then[0] + now[0]) > 0
    shares = []
    for counts in (then[:, some], now[:, some]):
        held = counts + HALF
        shares.append(held / held.sum(axis=1, keepdims=True))
    before, after = shares
    out: Floats = ((after - before) * np.log(after / before)).sum(axis=1)
    return out


def _binned(then: Floats, now: Floats, coded: Sequence[bool]) -> tuple[Ints, list[int]]:
    """Bin of every value of both times, and how many bins each column has."""
    both = np.concatenate([then, now])
    codes = np.empty(both.shape, dtype=np.int64)
    widths = []
    for column, is_code in enumerate(coded):
        values = both[:, column]
        missing = np.isnan(values)
        if is_code:
            found, place = np.unique(values[~missing], return_inverse=True)
            codes[~missing, column], width = place, len(found)
        else:
            breaks = _breaks(then[:, column])
            codes[:, column] = np.searchsorted(breaks, values, side="left")
            width = len(breaks) + 1
        codes[missing, column] = width
        widths.append(width + 1)
    return codes, widths


def _breaks(values: Floats) -> Floats:
    """Deciles of what was known then; a value that holds a tenth or more has a bin of its own."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.array([0.0])
    deciles = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges, times = np.unique(deciles, return_counts=True)
    out: Floats = np.unique(np.concatenate([edges, np.nextafter(edges[times > 1], -np.inf)]))
    return out


def _told(
    name: str, size: float, chance: float, q: float, then: Floats, now: Floats, is_code: bool
) -> Shift:
    known_then, known_now = then[~np.isnan(then)], now[~np.isnan(now)]
    plain = Shift(
        name,
        size,
        chance,
        q,
        then=float("nan") if is_code or len(known_then) == 0 else float(np.median(known_then)),
        now=float("nan") if is_code or len(known_now) == 0 else float(np.median(known_now)),
        missing_then=1 - len(known_then) / len(then),
        missing_now=1 - len(known_now) / len(now),
    )
    found = np.unique(np.concatenate([known_then, known_now]))
    if not is_code or len(found) == 0:
        return plain
    before, after = (
        np.array([(values == code).mean() for code in found]) for values in (then, now)
    )
    most = int(np.argmax(np.abs(after - before)))
    return replace(
        plain,
        code=float(found[most]),
        code_then=float(before[most]),
        code_now=float(after[most]),
    )
