"""Windows: sums and lookups equal their definition by brute force, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.windows import (
    MICROSECONDS_PER_DAY,
    Prefix,
    Ragged,
    Timeline,
    ratio,
    slice_max,
    to_fixed,
)

events = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 50), st.integers(-1000, 1000)), max_size=40
)
asks = st.lists(st.tuples(st.integers(0, 5), st.integers(-5, 60)), min_size=1, max_size=10)


@given(events, asks, st.sampled_from([None, 1.0, 7.0, 30.0]))
def test_window_sums_equal_brute_force(events, asks, days):
    group, day, value = (np.array(column, dtype=np.int64) for column in _columns(events, 3))
    timeline = Timeline.build(group, day * MICROSECONDS_PER_DAY)
    total = Prefix.build(value[timeline.order])
    who, when = (np.array(column, dtype=np.int64) for column in _columns(asks, 2))
    first, past = timeline.window(who, when * MICROSECONDS_PER_DAY, days)
    biggest = slice_max(value[timeline.order].astype(float), first, past)
    for i, (creator, end) in enumerate(asks):
        inside = (group == creator) & (day < end)
        if days is not None:
            inside &= day >= end - days
        assert total.between(first, past)[i] == value[inside].sum()
        assert past[i] - first[i] == inside.sum()
        if inside.any():
            assert biggest[i] == value[inside].max()
        else:
            assert np.isnan(biggest[i])


@given(events, st.randoms())
def test_order_of_events_changes_nothing(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)
    sums = []
    for version in (events, shuffled):
        group, day, value = (np.array(column, dtype=np.int64) for column in _columns(version, 3))
        timeline = Timeline.build(group, day, value)
        sums.append(Prefix.build(value[timeline.order]).total.tolist())
    assert sums[0] == sums[1]


def test_an_event_at_the_moment_of_the_ask_is_not_known():
    timeline = Timeline.build([0, 0], [10, 20])
    first, past = timeline.window(np.array([0, 0]), np.array([10, 11]), None)
    assert (past - first).tolist() == [0, 1]


def test_fractions_are_refused_by_prefix_sums():
    with pytest.raises(TypeError, match="grid"):
        Prefix.build(np.array([0.5]))


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_fixed_point_sums_depend_on_no_order(values):
    fixed = to_fixed(values)
    assert fixed.sum() == fixed[::-1].sum()
    assert np.allclose(fixed / (1 << 20), values, atol=1e-6)


def test_ratio_leaves_missing_missing():
    assert np.isnan(ratio([1, 0], [0, 0])).all()
    assert ratio([1], [4])[0] == 0.25


def test_ragged_names_row_and_place():
    ragged = Ragged.from_slices(np.array([5, 0, 2]), np.array([7, 0, 5]))
    assert ragged.index.tolist() == [5, 6, 2, 3, 4]
    assert ragged.row.tolist() == [0, 0, 2, 2, 2]


def _columns(rows, width):
    return [[row[i] for row in rows] for i in range(width)]
