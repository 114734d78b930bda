"""The learned model, on rows whose true rates are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURE_NAMES
from models.conversion import (
    LOG_SHAPES,
    ConversionModel,
    Labels,
    interval_factors,
    log_interval_factors,
)
from models.conversion_fit import UNCHECKED_ROUNDS, FitParams, fit, overdispersion, refit
from models.stage import Stage
from training.figures import deviances

PARAMS = FitParams(max_rounds=150, learning_rate=0.08, patience=20, threads=1)
SIMILARITY = FEATURE_NAMES.index("topic_similarity")
FATIGUE = FEATURE_NAMES.index("sponsored_share_90d")
FOLLOWERS = FEATURE_NAMES.index("followers_log")
KNOWN = FEATURE_NAMES.index("past_impressions_log")


def rows(n, seed, unknown_clicks=0.2, shape=8.0):
    """Rows with random features, their true rates, and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, len(FEATURE_NAMES)))
    matrix[:, FEATURE_NAMES.index("platform")] = rng.integers(0, 3, n)
    matrix[:, FATIGUE] = rng.beta(1, 4, n)
    matrix[:, FOLLOWERS] = rng.normal(10, 1.5, n)
    matrix[:, KNOWN] = np.where(rng.random(n) < 0.3, 0.0, rng.normal(11, 1, n))
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    similarity = np.nan_to_num(matrix[:, SIMILARITY])
    fatigue = np.nan_to_num(matrix[:, FATIGUE])
    click_rate = 0.01 * np.exp(0.5 * similarity)
    rate = click_rate * 0.03 * np.exp(-2.0 * fatigue) * rng.gamma(shape, 1 / shape, n)
    impressions = np.exp(np.nan_to_num(matrix[:, FOLLOWERS], nan=10.0)).astype(np.int64) + 1
    clicks = rng.binomial(impressions, np.minimum(click_rate, 0.5))
    conversions = rng.binomial(clicks, np.minimum(rate / click_rate, 1.0))
    seen = np.where(rng.random(n) < unknown_clicks, np.nan, clicks.astype(float))
    return matrix, Labels(impressions, seen, conversions), rate


@pytest.fixture(scope="module")
def fitted():
    matrix, labels, _ = rows(3000, 1)
    later_matrix, later, _ = rows(1500, 2)
    return fit(matrix, labels, later_matrix, later, PARAMS)


def test_known_rates_are_recovered(fitted):
    model, _ = fitted
    matrix, labels, truth = rows(2000, 3)
    predictions = model.predict(matrix)
    null = np.full(len(truth), labels.conversions.sum() / labels.impressions.sum())
    assert deviances(labels, predictions.rate).sum() < 0.9 * deviances(labels, null).sum()
    assert np.corrcoef(np.log(predictions.rate), np.log(truth))[0, 1] > 0.7
    ratio = (predictions.rate * labels.impressions).sum() / (truth * labels.impressions).sum()
    assert 0.85 < ratio < 1.15
    inside = (truth >= predictions.rate_low) & (truth <= predictions.rate_high)
    assert 0.65 < inside.mean() < 0.92


def test_intervals_hold_the_estimate_in_order(fitted):
    predictions = fitted[0].predict(rows(500, 4)[0])
    assert (predictions.rate_low < predictions.rate_high).all()
    assert (predictions.rate > 0).all() and (predictions.rate < 1).all()
    assert (predictions.impressions_low < predictions.impressions_high).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_contributions_add_up_to_the_score(fitted, seed):
    matrix = rows(20, seed)[0]
    model = fitted[0]
    assert np.allclose(
        model.contributions(matrix).sum(axis=1), model.predict(matrix).score, atol=1e-9
    )
    assert np.allclose(
        model.reach_contributions(matrix).sum(axis=1),
        np.log(model.predict(matrix).impressions),
        atol=1e-9,
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 19))
def test_a_prediction_depends_on_its_row_alone(fitted, seed, row):
    matrix = rows(20, seed)[0]
    model = fitted[0]
    assert model.predict(matrix).rate[row] == model.predict(matrix[row : row + 1]).rate[0]


def test_a_stage_is_its_text(fitted):
    stage = fitted[0].conversions
    matrix = rows(200, 5)[0]
    assert np.array_equal(Stage.from_text(stage.text).log_mean(matrix), stage.log_mean(matrix))


def test_the_same_rows_and_seed_give_the_same_model(fitted):
    model, rounds = fitted
    matrix, labels, _ = rows(600, 6)
    once = refit(matrix, labels, PARAMS, rounds, model.calibration)
    again = refit(matrix, labels, PARAMS, rounds, model.calibration)
    assert once.conversions.text == again.conversions.text
    assert once.reach.text == again.reach.text


def test_without_any_clicks_conversions_are_of_impressions():
    matrix, labels, _ = rows(1500, 7, unknown_clicks=1.1)
    later_matrix, later, _ = rows(800, 8, unknown_clicks=1.1)
    model, _ = fit(matrix, labels, later_matrix, later, PARAMS)
    assert model.clicks is None
    predictions = model.predict(later_matrix)
    assert np.isnan(predictions.click_rate).all()
    expected = (predictions.rate * later.impressions).sum()
    assert 0.8 < expected / later.conversions.sum() < 1.25


def test_a_few_huge_accounts_do_not_drown_the_rest():
    """Huge accounts with a rate of their own leave the small ones' estimates nearly alone."""
    matrix, labels, truth = rows(1500, 9)
    later_matrix, later, _ = rows(800, 10)
    impressions = labels.impressions.copy()
    conversions = labels.conversions.copy()
    clicks = labels.clicks.copy()
    impressions[:15] = 50_000_000
    conversions[:15] = 500_000
    clicks[:15] = 5_000_000
    drowned, _ = fit(matrix, Labels(impressions, clicks, conversions), later_matrix, later, PARAMS)
    predictions = drowned.predict(later_matrix)
    assert np.median(predictions.rate) < 5 * np.median(truth)


def test_overdispersion_is_measured():
    rng = np.random.default_rng(0)
    exposure = rng.integers(1_000, 200_000, 4000).astype(float)
    plain = rng.poisson(0.001 * exposure).astype(float)
    spread = rng.poisson(0.001 * exposure * rng.gamma(4.0, 1 / 4.0, 4000)).astype(float)
    assert overdispersion(plain, exposure) < 0.02
    assert overdispersion(spread, exposure) == pytest.approx(0.25, rel=0.25)


def test_confidence_follows_the_interval(fitted):
    model: ConversionModel = fitted[0]
    matrix = rows(300, 11)[0]
    found = replace(model.calibration, shape_gain=0.2)
    spread = replace(model, calibration=found).predict(matrix).spread
    narrow, wide = np.quantile(spread, [1 / 3, 2 / 3])
    found = replace(found, narrow=float(narrow), wide=float(wide))
    predictions = replace(model, calibration=found).predict(matrix)
    ratio = predictions.rate_high / predictions.rate_low
    told = np.array([predictions.confidence(row) for row in range(300)])
    assert set(told) == {"high", "medium", "low"}
    assert ratio[told == "high"].max() < ratio[told == "medium"].min()
    assert ratio[told == "medium"].max() < ratio[told == "low"].min()


def test_clicks_that_begin_late_or_end_early_are_no_obstacle():
    matrix, labels, _ = rows(1200, 12)
    later_matrix, later, _ = rows(600, 13)
    never = np.full(len(labels), np.nan)
    began = Labels(labels.impressions, never, labels.conversions)
    model, rounds = fit(matrix, began, later_matrix, later, PARAMS)
    again = refit(later_matrix, later, PARAMS, rounds, model.calibration)
    assert model.clicks is None and again.clicks is None
    ended = Labels(later.impressions, np.full(len(later), np.nan), later.conversions)
    model, _ = fit(matrix, labels, later_matrix, ended, PARAMS)
    assert model.clicks.booster.num_trees() == UNCHECKED_ROUNDS


def test_whoever_is_known_less_has_the_wider_interval(fitted):
    """Whatever the data say of it: outcomes here scatter alike around all estimates."""
    model, _ = fitted
    matrix, _, _ = rows(200, 9)
    spreads = []
    for known in (0.0, 8.0, 14.0):
        matrix[:, KNOWN] = known
        spreads.append(model.predict(matrix).spread)
    assert (spreads[0] > spreads[1]).all() and (spreads[1] > spreads[2]).all()


@given(st.floats(*LOG_SHAPES))
def test_intervals_are_the_quantiles_of_the_gamma(log_shape):
    shape = np.array([np.exp(log_shape)])
    for told, exact in zip(log_interval_factors(shape), interval_factors(shape), strict=True):
        if exact[0] > 1e-200:
            assert np.exp(told) == pytest.approx(exact, rel=1e-5)
