"""Prices that are not known: estimates, and how far off they may be."""

import numpy as np

from models.prices import PRICED_MIN, fit_prices
from training.simulate import simulate


def drawn(n, seed=1):
    rng = np.random.default_rng(seed)
    followers, platform = rng.normal(10, 1.5, n), rng.integers(0, 3, n)
    return (
        platform,
        followers,
        np.expm1(0.7 * followers - 1 + 0.3 * platform + rng.normal(0, 0.4, n)),
    )


def test_prices_follow_the_line_they_were_drawn_from():
    platform, followers, price = drawn(600)
    price[::5] = np.nan
    model = fit_prices(price, platform, followers)
    assert abs(model.slope - 0.7) < 0.05
    assert abs(model.residual - 0.4) < 0.05
    expected = np.expm1(0.7 * 10 - 1 + 0.3 + 0.4**2 / 2)
    mean, low, high = model.estimate(np.array([1]), np.array([10.0]))
    assert abs(mean[0] / expected - 1) < 0.1
    assert low[0] < mean[0] < high[0]


def test_the_interval_holds_four_in_five_prices_of_others():
    platform, followers, price = drawn(4_000)
    model = fit_prices(price[:300], platform[:300], followers[:300])
    _, low, high = model.estimate(platform[300:], followers[300:])
    held = ((low <= price[300:]) & (price[300:] <= high)).mean()
    assert 0.75 < held < 0.85


def test_the_interval_holds_prices_that_a_simulated_world_hides():
    """Fitted on half of the world's creators, asked of the others."""
    people = simulate(400, 3, posts_per_creator=2, months=6).truth["creators"]
    followers = np.log1p((people["real_followers_end"] / people["authenticity"]).to_numpy())
    platform = people["platform"].astype("category").cat.codes.to_numpy(np.int64)
    half = np.arange(len(people)) % 2 == 0
    price = people["price"].to_numpy()
    model = fit_prices(price[half], platform[half], followers[half])
    _, low, high = model.estimate(platform[~half], followers[~half])
    held = (low <= price[~half]) & (price[~half] <= high)
    assert 0.72 < held.mean() < 0.88


def test_followers_all_alike_give_the_mean_price():
    price = np.repeat([90.0, 110.0], 30)
    alike = np.zeros(60)
    model = fit_prices(price, alike.astype(np.int64), alike)
    assert abs(model.estimate(np.array([0]), np.array([0.0]))[0][0] - 100) < 5


def test_what_is_not_known_is_not_estimated():
    platform, followers, price = drawn(100)
    model = fit_prices(price, platform, followers)
    assert np.isnan(model.estimate(np.array([0]), np.array([np.nan]))).all()


def test_too_few_prices_give_no_estimate():
    price = np.full(PRICED_MIN - 1, 100.0)
    nothing = np.zeros(PRICED_MIN - 1)
    assert fit_prices(price, nothing.astype(np.int64), nothing + 9) is None
