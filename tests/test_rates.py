"""Shrunk rates equal their definition by brute force, and shrink as they should."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.rates import ALPHA_MAX, ALPHA_MIN, EXPOSURE_UNIT, KIND_EVENTS, RateHistory, shrink

outcomes = st.lists(
    st.tuples(
        st.integers(0, 4),  # unit
        st.integers(0, 2),  # kind
        st.integers(0, 30),  # resolved
        st.integers(0, 20),  # events
        st.integers(1, 200_000),  # exposure
    ),
    max_size=30,
)


def _history(rows):
    columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in range(5)]
    return RateHistory.build(*columns, np.arange(len(rows)).astype(str))


@given(outcomes, st.integers(0, 4), st.integers(0, 2), st.integers(0, 35))
def test_posterior_equals_its_definition(rows, unit, kind, as_of):
    got = _history(rows).posterior(np.array([unit]), np.array([kind]), np.array([as_of]))
    known = [row for row in rows if row[2] < as_of]
    events = sum(row[3] for row in known)
    exposure = sum(row[4] for row in known)
    if events == 0:
        assert np.isnan(got.rate[0])
        return
    overall = events / exposure
    alike = [row for row in known if row[1] == kind]
    prior = (sum(row[3] for row in alike) + KIND_EVENTS) / (
        sum(row[4] for row in alike) + KIND_EVENTS / overall
    )
    own = [row for row in known if row[0] == unit]
    x, n = sum(row[3] for row in own), sum(row[4] for row in own)
    alpha = _alpha(known)
    assert np.isclose(got.alpha[0], alpha)
    assert np.isclose(got.rate[0], (x + alpha) / (n + alpha / prior))
    assert (got.events[0], got.exposure[0]) == (x, n)


def _alpha(known):
    units = {row[0] for row in known}
    x = np.array([sum(r[3] for r in known if r[0] == unit) for unit in units], dtype=float)
    n = np.array(
        [sum(-(-r[4] // EXPOSURE_UNIT) for r in known if r[0] == unit) for unit in units],
        dtype=float,
    )
    rate = x.sum() / n.sum()
    spread = ((x - rate * n) ** 2).sum() - x.sum()
    if spread <= 0:
        return ALPHA_MAX
    return float(np.clip(rate**2 * (n**2).sum() / spread, ALPHA_MIN, ALPHA_MAX))


@given(outcomes, st.integers(0, 30))
def test_later_outcomes_change_nothing(rows, as_of):
    units, kinds = np.arange(5), np.zeros(5, dtype=np.int64)
    moments = np.full(5, as_of)
    all_known = _history(rows).posterior(units, kinds, moments)
    then = _history([row for row in rows if row[2] < as_of]).posterior(units, kinds, moments)
    assert np.array_equal(all_known.rate, then.rate, equal_nan=True)


def test_more_of_ones_own_history_pulls_away_from_the_kind():
    prior, alpha = np.array([0.01]), np.array([5.0])
    little = shrink(np.array([2.0]), np.array([50.0]), prior, alpha)
    much = shrink(np.array([200.0]), np.array([5000.0]), prior, alpha)
    assert 0.01 < little[0] < much[0] < 0.04
