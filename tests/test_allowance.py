"""A bucket of tokens for each key: never more than it holds and gains, never less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.allowance import Allowance

# Sixteenths of a second are exact, and so is a rate of so many a minute.
MOMENTS = st.lists(st.integers(0, 16 * 120), min_size=1, max_size=80).map(sorted)


@given(MOMENTS, st.sampled_from([15, 60, 240]), st.integers(1, 10))
def test_no_stretch_of_time_has_more_than_it_may(moments, per_minute, at_once):
    allowance = Allowance(per_minute, at_once)
    taken = [one / 16 for one in moments if allowance.take("a", one / 16) == 0]
    for first, began in enumerate(taken):
        for last, ended in enumerate(taken[first:], start=first):
            may = at_once + (ended - began) * per_minute / 60
            assert last - first + 1 <= may + 1e-9


@given(MOMENTS, st.sampled_from([15, 60, 240]), st.integers(1, 10))
def test_who_waits_as_told_is_answered_and_not_before(moments, per_minute, at_once):
    allowance = Allowance(per_minute, at_once)
    for one in moments:
        now = one / 16
        wait = allowance.take("a", now)
        if wait:
            assert wait <= 60 / per_minute
            assert allowance.take("a", now + wait * 0.99) > 0
            assert allowance.take("a", now + wait + 1e-9) == 0
            return


def test_each_has_its_own_and_after_a_while_all_of_it():
    allowance = Allowance(60, 3)
    assert [allowance.take("a", 0.0) for _ in range(4)] == [0, 0, 0, pytest.approx(1.0)]
    assert allowance.take("b", 0.0) == 0
    assert [allowance.take("a", 1e6) for _ in range(4)] == [0, 0, 0, pytest.approx(1.0)]
