"""The choice model: it lowers those who look unlike the chosen, and raises nobody."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURE_NAMES
from models.choice import MATCH, fit_choice
from models.conversion import Labels
from models.conversion_fit import FitParams, fit

MATCHING = FEATURE_NAMES.index("projected_similarity")
PRICE = FEATURE_NAMES.index("price_log")
PARAMS = FitParams(max_rounds=60, learning_rate=0.1, threads=1)


def candidates(n: int, seed: int):
    """Brands choose by a match of which the similarity shows a part, and by price."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, len(FEATURE_NAMES)))
    hidden = rng.normal(size=n)
    match = matrix[:, MATCHING] + hidden
    chosen = 2 * match - matrix[:, PRICE] + rng.gumbel(size=n) > 3
    return matrix, chosen, match


@pytest.fixture(scope="module")
def choice():
    matrix, chosen, _ = candidates(6000, 1)
    return fit_choice(matrix, chosen, 0.25, 0.5, 0, 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_nobody_is_raised_and_contributions_add_up(choice, seed):
    matrix = candidates(50, seed)[0]
    correction = choice.correction(matrix)
    assert (correction <= 0).all()
    assert np.allclose(choice.contributions(matrix).sum(axis=1), correction)


def test_the_less_like_the_chosen_the_lower(choice):
    matrix = np.zeros((50, len(FEATURE_NAMES)))
    matrix[:, MATCHING] = np.linspace(-3, 3, 50)
    correction = choice.correction(matrix)
    assert correction[0] < correction[25] < correction[-1]
    assert correction[-1] == 0


def test_it_sees_the_match_alone(choice):
    matrix = candidates(40, 2)[0]
    other = matrix.copy()
    apart = [place for place, name in enumerate(FEATURE_NAMES) if name not in MATCH]
    other[:, apart] = 99.0
    assert np.array_equal(choice.correction(matrix), choice.correction(other))
    assert PRICE in apart


def test_rates_of_creators_nobody_chose_come_out_nearer_the_truth():
    """The hidden match makes outcomes; a model of the chosen alone promises others too much."""
    matrix, chosen, match = candidates(12_000, 3)
    rng = np.random.default_rng(4)
    rate = 0.002 * np.exp(0.8 * match)
    impressions = np.full(len(rate), 20_000)
    labels = Labels(impressions, np.full(len(rate), np.nan), rng.poisson(rate * impressions))
    known, later = np.split(np.flatnonzero(chosen), 2)
    model, _ = fit(matrix[known], labels.take(known), matrix[later], labels.take(later), PARAMS)
    corrected = replace(model, choice=fit_choice(matrix, chosen, 0.25, 0.5, 0, 1))
    others = ~chosen
    truth = np.log(rate[others])
    plain, better = (truth - one.log_rate(matrix[others]) for one in (model, corrected))
    assert plain.mean() < -0.5
    assert abs(better.mean()) < 0.6 * abs(plain.mean())
    assert np.array_equal(corrected.predict(matrix, chosen=True).rate, model.predict(matrix).rate)
    told, plain_told = corrected.predict(matrix), model.predict(matrix)
    corrected_rows = corrected.choice.correction(matrix) < 0
    assert 0.1 < corrected_rows.mean() < 1
    # What is corrected is doubted too, and nothing else.
    assert (told.spread[corrected_rows] > plain_told.spread[corrected_rows]).all()
    assert told.spread[~corrected_rows] == pytest.approx(plain_told.spread[~corrected_rows])
    # Draws are around the same rates, and as wide as the intervals say.
    drawn = corrected.draw_rates(matrix[:300], 4_000, np.random.default_rng(5))
    assert drawn.mean(axis=0) == pytest.approx(told.rate[:300], rel=0.15)
    inside = (drawn >= told.rate_low[:300]) & (drawn <= told.rate_high[:300])
    assert inside.mean() == pytest.approx(0.8, abs=0.05)
    assert np.array_equal(corrected.predict(matrix, chosen=True).spread, plain_told.spread)
