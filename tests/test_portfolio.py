"""Plans against the true optimum, and their limits."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.portfolios import made_up
from models.portfolio import Audience, Limits, NoPlan, choose, choose_in_order


def sums(value):
    """Creators whose audiences do not overlap."""
    return Audience(value, np.empty(0), np.empty((len(value), 0)), np.ones(len(value)))


def made_up_limits(rng, cost):
    n = len(cost)
    group = rng.integers(0, 3, n)
    shares = ()
    if rng.random() < 0.5:
        shares = tuple((str(j), group == j, float(rng.uniform(0.3, 0.9))) for j in range(3))
    must = [int(rng.integers(n))] if rng.random() < 0.3 else []
    return Limits(
        budget=float(cost.sum() * rng.uniform(0.15, 0.7)),
        least=int(rng.integers(0, 4)) if rng.random() < 0.5 else 0,
        most=int(rng.integers(2, 9)) if rng.random() < 0.5 else None,
        shares=shares,
        must_have=np.array(must, dtype=np.int64),
    )


def brute_force(audience, cost, limits):
    """The most that any of all sets is worth within the limits; -1 where none keeps them."""
    n = len(cost)
    bits = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(bool)
    free, total = np.ones((2**n, len(audience.people))), np.zeros(2**n)
    for one in np.argsort(-audience.rate, kind="stable"):
        has = bits[:, one]
        reached = audience.reached[one]
        seen = (free[has] * reached) @ audience.people + audience.apart[one]
        total[has] += audience.rate[one] * seen
        free[has] *= 1 - reached
    spend, count = bits @ cost, bits.sum(axis=1)
    kept = (spend <= limits.budget) & (count >= limits.least)
    kept &= count <= (n if limits.most is None else limits.most)
    for one in limits.must_have:
        kept &= bits[:, one]
    for _, members, share in limits.shares:
        kept &= bits @ (cost * members) <= share * spend * (1 + 1e-12)
    return float(total[kept].max()) if kept.any() else -1.0


def test_plans_are_within_a_hundredth_of_the_optimum_and_keep_every_limit():
    short, refused = [], 0
    for case in range(200):
        rng = np.random.default_rng(case)
        audience, cost = made_up(int(rng.integers(3, 16)), int(rng.integers(1, 10)), rng)
        limits = made_up_limits(rng, cost)
        best = brute_force(audience, cost, limits)
        try:
            chosen = choose(audience, cost, limits)
        except NoPlan:
            assert best <= 0.0, f"case {case}: a plan of {best} was there"
            refused += 1
            continue
        worth = audience.total(chosen.rows)
        assert limits.kept(cost, chosen.rows)
        assert cost[chosen.rows].sum() <= limits.budget
        assert worth <= best * (1 + 1e-9)
        if best > 0:
            assert chosen.of_best <= worth / best + 1e-9
            short.append(1 - worth / best)
    assert len(short) > 150 and refused > 5
    assert np.mean(short) < 0.01


audiences = st.builds(
    lambda seed, n, segments: made_up(n, segments, np.random.default_rng(seed))[0],
    st.integers(0, 10_000),
    st.integers(2, 8),
    st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(audiences, st.data())
def test_worth_is_monotone_and_submodular_and_gains_are_differences(audience, data):
    n = len(audience)
    order = np.array(data.draw(st.permutations(range(n))))
    split = data.draw(st.integers(0, n - 1))
    small, large, one = order[: split // 2], order[:split], order[-1:]
    gain = audience.gains(large, one)[0]
    assert gain >= -1e-12
    assert gain == pytest.approx(
        audience.total(np.append(large, one)) - audience.total(large), rel=1e-6, abs=1e-9
    )
    assert audience.gains(small, one)[0] >= gain * (1 - 1e-9)
    assert audience.total(one) == pytest.approx(audience.alone[one[0]])
    assert audience.adds(order).sum() <= audience.alone.sum() * (1 + 1e-9)


def test_worth_is_the_expected_best_of_those_who_reach_a_person():
    rng = np.random.default_rng(3)
    rate, reached = np.array([0.3, 0.1, 0.2]), np.array([[0.5], [0.4], [0.25]])
    audience = Audience(rate, np.array([1000.0]), reached, np.array([10.0, 0.0, 5.0]))
    seen = rng.random((200_000, 3)) < reached.T
    simulated = 1000 * np.where(seen, rate, 0).max(axis=1).mean() + 0.3 * 10 + 0.2 * 5
    assert audience.total(np.arange(3)) == pytest.approx(simulated, rel=0.01)


def test_two_of_the_same_people_are_not_booked_for_twice_the_worth():
    """The second of a pair with one audience adds little; another of less worth adds all of it."""
    rate = np.array([0.010, 0.010, 0.008])
    reached = np.array([[0.8, 0.0], [0.8, 0.0], [0.0, 0.8]])
    audience = Audience(rate, np.array([1000.0, 1000.0]), reached, np.zeros(3))
    chosen = choose(audience, np.full(3, 100.0), Limits(200.0))
    assert set(chosen.rows) in ({0, 2}, {1, 2})
    alone = choose(sums(audience.alone), np.full(3, 100.0), Limits(200.0))
    assert set(alone.rows) == {0, 1}


def test_what_is_unknown_or_too_dear_is_never_chosen():
    value = np.array([5.0, np.nan, 5.0, 5.0, 0.0])
    cost = np.array([10.0, 10.0, np.nan, 200.0, 1.0])
    assert choose(sums(value), cost, Limits(100.0)).rows.tolist() == [0]
    assert choose(sums(value[1:2]), cost[1:2], Limits(100.0)).rows.tolist() == []


@pytest.mark.parametrize(
    ("limits", "limit", "reason"),
    [
        (Limits(100.0, least=9), "min_creators", "cost 45 together|can be afforded"),
        (Limits(12.0, least=5), "min_creators", "the 5 cheapest cost 15 together"),
        (Limits(5.0, must_have=np.array([7])), "must_have", "cost 8 together, the budget is 5"),
        (Limits(99.0, most=1, must_have=np.array([0, 1])), "must_have", "max_creators is 1"),
        (Limits(99.0, must_have=np.array([8])), "must_have", "no price"),
        (
            Limits(99.0, least=1, shares=(("all", np.ones(9, dtype=bool), 0.5),)),
            "constraints",
            "no set of creators keeps all",
        ),
    ],
)
def test_limits_that_nothing_keeps_are_named(limits, limit, reason):
    cost = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.nan])
    with pytest.raises(NoPlan, match=reason) as caught:
        choose(sums(np.ones(9)), cost, limits)
    assert caught.value.limit == limit


def test_shares_that_let_nobody_be_booked_are_named():
    """One alone has all of the money, and two are too dear."""
    shares = (("a", np.array([True, False]), 0.6), ("b", np.array([False, True]), 0.6))
    with pytest.raises(NoPlan, match="nobody can be booked") as caught:
        choose(sums(np.ones(2)), np.array([60.0, 60.0]), Limits(100.0, shares=shares))
    assert caught.value.limit == "max_share"


def test_a_thousand_creators_are_planned_near_the_best():
    audience, cost = made_up(1_000, 100, np.random.default_rng(1))
    third = np.arange(1_000) % 3 == 0
    free = Limits(5_000.0)
    for limits in (free, dataclasses.replace(free, least=5, most=30, shares=(("", third, 0.4),))):
        chosen = choose(audience, cost, limits)
        assert limits.kept(cost, chosen.rows)
        assert chosen.of_best > 0.9
    assert np.array_equal(chosen.rows, choose(audience, cost, limits).rows)


def test_in_order_skips_what_does_not_fit():
    assert choose_in_order(np.array([60.0, 50.0, np.inf, 40.0]), 100.0).tolist() == [0, 3]
