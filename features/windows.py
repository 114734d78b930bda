"""Sums over a window of events, as of any moment.

Events belong to groups (a creator, a platform and size) and happen at times. A window is
``[start, end)``: an event at the very moment of the ask is not known yet. Sums are of whole
numbers, by differences of prefix sums, so they are exact: one ask equals a batch of asks, and
neither the order of events nor anything outside the window can change a bit of them. Values with
a fraction go in on the grid of `FIXED_POINT`.

Knows nothing of what the events mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MICROSECONDS_PER_DAY = 86_400_000_000
FIXED_POINT = 1 << 20  # steps of about 1e-6: sums stay exact up to 8.8e12 in size

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def to_fixed(values: ArrayLike) -> Ints:
    """Put `values` on the grid of 1 / `FIXED_POINT`, as int64; NaN becomes 0."""
    array = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0)
    return np.rint(array * FIXED_POINT).astype(np.int64)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Divide, giving NaN where the denominator is 0: missing stays missing."""
    top = np.asarray(numerator, dtype=np.float64)
    bottom = np.asarray(denominator, dtype=np.float64)
    out = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


@dataclass(frozen=True)
class Timeline:
    """Events sorted by group and time.

    Attributes:
        order: Position in the input of each sorted event, ``(n_events,)``.
        group: Group code of each sorted event, ``(n_events,)``.
        time_us: Time of each sorted event in microseconds since 1970, ``(n_events,)``.
        moments: The distinct times, sorted.
        key: ``group * (len(moments) + 1) + rank of the time``: one number to search by.
    """

    order: Ints
    group: Ints
    time_us: Ints
    moments: Ints
    key: Ints

    @classmethod
    def build(cls, group: ArrayLike, time_us: ArrayLike, tie: ArrayLike | None = None) -> Timeline:
        """Sort events by group, time and `tie` (an id, so that equal times have one order)."""
        groups = np.asarray(group, dtype=np.int64)
        times = np.asarray(time_us, dtype=np.int64)
        order = np.lexsort((times, groups)).astype(np.int64)
        if tie is not None:
            _settle_ties(order, groups, times, np.asarray(tie))
        moments = np.unique(times)
        rank = np.searchsorted(moments, times[order])
        key = groups[order] * (len(moments) + 1) + rank
        return cls(order, groups[order], times[order], moments, key)

    def before(self, group: ArrayLike, time_us: ArrayLike) -> Ints:
        """Index just past the last event of `group` before `time_us`."""
        rank = np.searchsorted(self.moments, np.asarray(time_us, dtype=np.int64), side="left")
        key = np.asarray(group, dtype=np.int64) * (len(self.moments) + 1) + rank
        return np.searchsorted(self.key, key, side="left").astype(np.int64)

    def window(self, group: ArrayLike, end_us: ArrayLike, days: float | None) -> tuple[Ints, Ints]:
        """Where the events in the `days` before `end_us` stand: ``first`` and ``past last``.

        Without `days`, all events before `end_us`.
        """
        end = np.asarray(end_us, dtype=np.int64)
        if days is None:
            start = np.full(end.shape, np.iinfo(np.int64).min)
        else:
            start = end - np.int64(round(days * MICROSECONDS_PER_DAY))
        return self.before(group, start), self.before(group, end)


def _settle_ties(order: Ints, groups: Ints, times: Ints, tie: NDArray[Any]) -> None:
    """Sort, in place, the events of one group and time by their ids: few, so ids cost little."""
    before, after = order[:-1], order[1:]
    same = (groups[before] == groups[after]) & (times[before] == times[after])
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    places = np.flatnonzero(tied)
    events = order[places]
    ids = tie[events]
    if ids.dtype == object:
        ids = ids.astype(str)
    order[places] = events[np.lexsort((ids, times[events], groups[events]))]


@dataclass(frozen=True)
class Prefix:
    """Prefix sums of whole numbers over the sorted events of a timeline.

    Kept as int32 where they fit: half the memory of int64.
    """

    total: Ints | NDArray[np.int32]

    @classmethod
    def build(cls, sorted_values: ArrayLike) -> Prefix:
        values = np.asarray(sorted_values)
        if values.dtype.kind not in "iub":
            raise TypeError("prefix sums are of whole numbers: put fractions on the grid first")
        total = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(values, dtype=np.int64, out=total[1:])
        small = np.iinfo(np.int32)
        if total.min() >= small.min and total.max() <= small.max:
            return cls(total.astype(np.int32))
        return cls(total)

    def between(self, first: Ints, past: Ints) -> Ints:
        """Sum over ``[first, past)`` for each ask."""
        until: Ints = self.total[past].astype(np.int64)
        return until - self.total[first]


def slice_max(sorted_values: Floats, first: Ints, past: Ints) -> Floats:
    """Largest value in each ``[first, past)``; NaN where there is none, NaN values passed over."""
    out = np.full(len(first), np.nan)
    some = np.flatnonzero(past > first)
    if len(some) == 0:
        return out
    slices = Ragged.from_slices(first[some], past[some])
    values = sorted_values[slices.index]
    values[np.isnan(values)] = -np.inf
    highest = np.maximum.reduceat(values, slices.indptr[:-1])
    out[some] = np.where(np.isneginf(highest), np.nan, highest)
    return out


@dataclass(frozen=True)
class Rows:
    """Rows of different lengths laid end to end: row i is ``[indptr[i], indptr[i + 1])``."""

    indptr: Ints

    @property
    def row(self) -> Ints:
        """The row that each entry belongs to."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int64), np.diff(self.indptr))

    def row_of(self, entries: Ints) -> Ints:
        """The row that each of some entries belongs to."""
        return (np.searchsorted(self.indptr, entries, side="right") - 1).astype(np.int64)

    def of(self, row: int) -> tuple[int, int]:
        """Where a row's entries stand: ``start`` and ``stop``."""
        return int(self.indptr[row]), int(self.indptr[row + 1])


@dataclass(frozen=True)
class Ragged(Rows):
    """Rows of different lengths, and which events their entries are."""

    index: Ints

    @classmethod
    def from_slices(cls, first: Ints, past: Ints) -> Ragged:
        """Every position of each slice ``[first, past)``."""
        lengths = np.maximum(past - first, 0)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        offsets = np.arange(indptr[-1], dtype=np.int64) - np.repeat(indptr[:-1], lengths)
        return cls(indptr, np.repeat(first, lengths) + offsets)
