"""Challengers: they answer one at a time as in a batch, and each does what its name says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import trees, ways
from benchmarks.curves import CURVES
from benchmarks.ways import Averaged, Outcomes
from features.catalogue import FEATURE_NAMES
from models.choice import LEARNING_RATE, MATCH, ROUNDS
from models.conversion import Labels
from models.conversion_fit import FitParams, fit
from training.dataset import Candidates, Rows, split_by_time
from training.figures import campaign_ndcg

DAY_US = 86_400_000_000
SEEN, PRICE = (FEATURE_NAMES.index(name) for name in ("projected_similarity", "price_log"))
PARAMS = FitParams(max_rounds=80, learning_rate=0.1, patience=10, threads=1)


def made(campaigns: int, seed: int) -> tuple[Rows, Candidates, np.ndarray]:
    """Brands choose 10 of 40 by a feature and by price; the rate follows the feature."""
    rng = np.random.default_rng(seed)
    pool = np.full((campaigns, 40, len(FEATURE_NAMES)), np.nan)
    pool[:, :, [SEEN, PRICE]] = rng.normal(size=(campaigns, 40, 2))
    wanted = pool[:, :, SEEN] - 0.5 * pool[:, :, PRICE] + rng.gumbel(size=(campaigns, 40))
    place = np.argsort(np.argsort(-wanted, axis=1), axis=1)
    picked = place < 10
    matrix = pool[picked]
    n = len(matrix)
    rate = np.exp(-6 + 0.7 * matrix[:, SEEN])
    impressions = rng.integers(2_000, 60_000, n)
    clicks = rng.binomial(impressions, rate * 10)
    labels = Labels(impressions, clicks.astype(float), rng.binomial(clicks, 0.1))
    campaign = np.repeat(np.arange(campaigns), 10)
    started = campaign * 3 * DAY_US
    rows = Rows(np.arange(n), campaign, matrix, labels, started, started + 20 * DAY_US)
    others = pool[~picked]
    candidates = Candidates(
        np.concatenate([matrix, others]),
        np.arange(n + len(others)) < n,
        np.concatenate([rows.resolved_us, np.repeat(rows.resolved_us[::10], 30)]),
    )
    return rows, candidates, rate


@pytest.fixture(scope="module")
def world():
    rows, candidates, rate = made(90, 1)
    split = split_by_time(rows)
    return rows, split, ways.before_test(rows, candidates, split), rate


@pytest.fixture(scope="module")
def every(world):
    _, _, parts, _ = world
    own = ways.model(parts, PARAMS)
    rank = ways.ranked(parts, PARAMS, "lambdarank")
    return {
        "model": own,
        "lambdarank": rank,
        "xendcg": ways.ranked(parts, PARAMS, "rank_xendcg"),
        "weighted": ways.weighted(parts, PARAMS, MATCH),
        "linear": ways.linear(parts, own.model.choice),
        "averaged": Averaged((own, rank)),
        "bagged": ways.bagged(parts, PARAMS, 2),
    } | ways.recalibrated(parts, PARAMS, list(CURVES))


def test_a_batch_is_its_rows_one_at_a_time(world, every):
    matrix = world[0].matrix[-3:]
    for name, challenger in every.items():
        for chosen in (True, False):
            score, rate = challenger.predict(matrix, chosen=chosen)
            single = [challenger.predict(row[np.newaxis], chosen=chosen) for row in matrix]
            assert score == pytest.approx(np.concatenate([s for s, _ in single]), rel=1e-12), name
            assert rate == pytest.approx(np.concatenate([r for _, r in single]), rel=1e-12), name
            assert ((rate > 0) & (rate < 1)).all(), name


def test_what_comes_after_the_cut_changes_nothing(world):
    rows, split, parts, _ = world
    labels = rows.labels
    conversions = labels.conversions.copy()
    conversions[split.test] += 50
    spoiled = replace(rows, labels=Labels(labels.impressions, labels.clicks, conversions))
    known = ways.before_test(spoiled, parts.candidates, split)
    assert np.array_equal(known.whole.labels.conversions, parts.whole.labels.conversions)
    assert known.whole.resolved_us.max() < split.test_from_us
    assert known.candidates.resolved_us.max() < split.test_from_us


@pytest.mark.parametrize("name", ["lambdarank", "xendcg"])
def test_rankers_order_a_known_world_nearly_as_well_as_its_truth(world, every, name):
    rows, split, _, rate = world
    test = rows.take(split.test)
    own = np.nanmean(campaign_ndcg(test, every[name].predict(test.matrix)[0], 10))
    best = np.nanmean(campaign_ndcg(test, rate[split.test], 10))
    rng = np.random.default_rng(0)
    blind = [np.nanmean(campaign_ndcg(test, rng.random(len(test)), 10)) for _ in range(20)]
    assert own > max(blind)
    assert best - own < 0.25 * (best - np.mean(blind))


def test_a_ranker_tells_rates_of_the_right_size(world, every):
    rows, split, _, _ = world
    test = rows.take(split.test)
    rate = every["lambdarank"].predict(test.matrix, chosen=True)[1]
    expected = (rate * test.labels.impressions).sum() / test.labels.conversions.sum()
    assert expected == pytest.approx(1, abs=0.15)


def test_shrunken_rates_trust_exposure():
    labels = Labels(
        np.array([100, 100_000, 50_000, 50_000]),
        np.full(4, np.nan),
        np.array([1, 1000, 20, 20]),
    )
    rate = ways.shrunken_rates(labels)
    level = labels.conversions.sum() / labels.impressions.sum()
    assert abs(rate[0] - level) < abs(rate[1] - level)
    assert rate[2] == rate[3] < level
    assert rate[1] < 0.01  # towards the mean, never beyond it


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=50), st.floats(0, 1), st.floats(1.5, 20))
def test_weights_are_clipped_and_of_mean_one(log_odds, power, clip):
    log_odds = np.array(log_odds)
    weight = ways.inverse_propensity_weights(log_odds, power, clip)
    assert weight.mean() == pytest.approx(1)
    assert weight.max() / weight.min() <= clip**2 * (1 + 1e-9)
    falling = weight[np.argsort(log_odds)]
    assert (np.diff(falling) <= 1e-12).all()


def test_weights_make_the_chosen_look_like_everyone(world):
    _, _, parts, _ = world
    candidates = parts.candidates
    odds = ways.propensity(candidates, (FEATURE_NAMES[SEEN], FEATURE_NAMES[PRICE]), PARAMS)
    rows = candidates.matrix[candidates.chosen]
    weight = ways.inverse_propensity_weights(odds.log_mean(rows))
    others = candidates.matrix[~candidates.chosen]
    for column in (SEEN, PRICE):
        plain = abs(rows[:, column].mean() - others[:, column].mean())
        evened = abs(np.average(rows[:, column], weights=weight) - others[:, column].mean())
        assert evened < plain / 2


def test_a_weight_of_one_is_the_model_itself(world):
    _, _, parts, _ = world
    early, later = parts.early, parts.later
    first, rounds = fit(early.matrix, early.labels, later.matrix, later.labels, PARAMS)
    ones = np.ones(len(early))
    clicks, click_rounds = ways.weighted_stage(
        ways.counted_clicks(early), ones, PARAMS, ways.counted_clicks(later)
    )
    conversions, conversion_rounds = ways.weighted_stage(
        ways.counted_conversions(early, clicks), ones, PARAMS,
        ways.counted_conversions(later, clicks),
    )  # fmt: skip
    assert (click_rounds, conversion_rounds) == (rounds.clicks, rounds.conversions)
    assert clicks.text == first.clicks.text
    assert conversions.text == first.conversions.text


def test_where_everyone_was_chosen_nothing_is_weighted(world):
    _, _, parts, _ = world
    n = len(parts.whole)
    everyone = Candidates(parts.whole.matrix, np.ones(n, dtype=bool), parts.whole.resolved_us)
    own = ways.weighted(replace(parts, candidates=everyone), PARAMS, MATCH)
    plain = ways.model(parts, replace(PARAMS, choice_power=0.0))
    assert np.array_equal(own.predict(parts.later.matrix)[0], plain.predict(parts.later.matrix)[0])


# ---------------------------------------------------------------- calibration, on plain arrays


def distorted(seed: int, power: float, factor: float, n: int = 2000):
    """Rates that are told as a power of the truth, and what came of the truth."""
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.normal(-6, 1, n))
    impressions = rng.integers(5_000, 30_000, n)
    labels = Labels(impressions, np.full(n, np.nan), rng.binomial(impressions, truth))
    return factor * (truth / np.exp(-6)) ** power * np.exp(-6), truth, labels


@pytest.mark.parametrize("name", ["isotonic", "beta", "Venn-Abers"])
@pytest.mark.parametrize(("power", "factor"), [(1.0, 2.0), (0.6, 1.0), (1.5, 0.7)])
def test_a_curve_undoes_a_known_distortion(name, power, factor):
    told, _, labels = distorted(1, power, factor)
    asked, truth, _ = distorted(2, power, factor)
    found = CURVES[name](told, labels)(asked)
    inside = (truth > np.quantile(truth, 0.05)) & (truth < np.quantile(truth, 0.95))
    before = np.abs(np.log(asked / truth))[inside].mean()
    after = np.abs(np.log(found / truth))[inside].mean()
    assert after < 0.08 < before


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_never_turns_the_order_round(name):
    told, _, labels = distorted(1, 0.8, 1.5, 400)
    asked = np.linspace(told.min() / 2, min(told.max() * 2, 0.5), 300)
    rate = CURVES[name](told, labels)(asked)
    assert (np.diff(rate) >= -1e-12).all()
    assert ((rate > 0) & (rate < 1)).all()


@pytest.mark.parametrize("name", ["intercept alone", "isotonic", "beta", "Venn-Abers"])
def test_as_much_is_expected_as_was_observed(name):
    told, _, labels = distorted(3, 0.7, 1.8)
    rate = CURVES[name](told, labels)(told)
    expected = (rate * labels.impressions).sum() / labels.conversions.sum()
    assert expected == pytest.approx(1, abs=0.03)


def test_one_factor_is_all_that_an_intercept_knows():
    told, truth, labels = distorted(4, 1.0, 3.0)
    found = CURVES["intercept alone"](told, labels)(told)
    assert found == pytest.approx(truth, rel=0.02)
    assert np.array_equal(CURVES["no calibration"](told, labels)(told), told)


def test_a_curve_orders_nothing(world):
    _, _, parts, _ = world
    own = ways.model(parts, PARAMS)
    flat = Outcomes(own.model, lambda rate: np.full(len(rate), 0.001))
    matrix = parts.later.matrix
    assert np.array_equal(flat.predict(matrix)[0], own.predict(matrix)[0])
    assert set(flat.predict(matrix, chosen=True)[1]) == {0.001}


def test_a_setting_of_trees_is_the_model_but_for_what_it_says(world, every):
    rows, _, parts, _ = world
    same = trees.fitted(parts, trees.Setting(PARAMS, ROUNDS, LEARNING_RATE))
    assert np.array_equal(same.log_rate(rows.matrix), every["model"].predict(rows.matrix)[0])
    fewer = trees.fitted(parts, trees.Setting(PARAMS, 7, LEARNING_RATE))
    assert trees.trees(fewer) == (*trees.trees(same)[:3], 7)
    assert fewer.calibration == same.calibration
