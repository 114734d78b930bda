"""Plans against the true optimum, and their limits."""

from itertools import chain, combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.portfolio import choose, choose_in_order, forecast
from models.prices import PRICED_MIN, fit_prices

creators = st.lists(st.tuples(st.floats(0.01, 50), st.floats(0, 500)), min_size=1, max_size=10)


@settings(max_examples=60, deadline=None)
@given(creators, st.floats(1, 1500))
def test_the_plan_is_the_optimum_within_budget(rows, budget):
    value, cost = (np.array(column) for column in zip(*rows, strict=True))
    picked = choose(value, cost, budget)
    assert cost[picked].sum() <= budget
    sets = chain.from_iterable(combinations(range(len(rows)), k) for k in range(len(rows) + 1))
    best = max(value[list(chosen)].sum() for chosen in sets if cost[list(chosen)].sum() <= budget)
    # The solver is asked for a thousandth; its tolerance on the budget may cost one tiny creator.
    assert value[picked].sum() >= 0.99 * best - 1e-9


def test_what_is_unknown_or_too_dear_is_never_chosen():
    value = np.array([5.0, np.nan, 5.0, 5.0, 0.0])
    cost = np.array([10.0, 10.0, np.nan, 200.0, 1.0])
    assert choose(value, cost, 100.0).tolist() == [0]
    assert choose(value[1:2], cost[1:2], 100.0).tolist() == []


def test_in_order_skips_what_does_not_fit():
    assert choose_in_order(np.array([60.0, 50.0, np.inf, 40.0]), 100.0).tolist() == [0, 3]


def test_a_forecast_lies_around_what_is_expected():
    rng = np.random.default_rng(0)
    impressions = np.full(20, 30_000.0)
    rates = rng.gamma(5.0, 0.001 / 5.0, size=(8000, 20))
    got = forecast(rates, impressions, impressions * 0.6, impressions * 1.6, rng)
    assert got.p10 < got.p50 < got.p90
    assert abs(got.p50 / (20 * 30_000 * 0.001) - 1) < 0.1


def test_prices_follow_the_line_they_were_drawn_from():
    rng = np.random.default_rng(1)
    followers = rng.normal(10, 1.5, 400)
    platform = rng.integers(0, 3, 400)
    price = np.expm1(0.7 * followers - 1 + 0.3 * platform + rng.normal(0, 0.2, 400))
    price[::5] = np.nan
    model = fit_prices(price, platform, followers)
    assert abs(model.slope - 0.7) < 0.03
    assert abs(model.residual - 0.2) < 0.03
    expected = np.expm1(0.7 * 10 - 1 + 0.3 + 0.2**2 / 2)
    assert abs(model.estimate(np.array([1]), np.array([10.0]))[0] / expected - 1) < 0.1


def test_followers_all_alike_give_the_mean_price():
    price = np.repeat([90.0, 110.0], 30)
    alike = np.zeros(60)
    model = fit_prices(price, alike.astype(np.int64), alike)
    assert abs(model.estimate(np.array([0]), np.array([0.0]))[0] - 100) < 5


def test_too_few_prices_give_no_estimate():
    price = np.full(PRICED_MIN - 1, 100.0)
    nothing = np.zeros(PRICED_MIN - 1)
    assert fit_prices(price, nothing.astype(np.int64), nothing + 9) is None
