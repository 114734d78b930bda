"""Trees as tables answer as LightGBM does: predictions bit for bit, SHAP values up to rounding."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from features.windows import Floats
from models.stage import Stage
from models.trees import LEAVES, ROWS, read_trees

CATEGORIES = 5  # values of column 0


def table(rows: int, seed: int) -> Floats:
    """Rows with categories, zeros, ties and missing values."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 6))
    matrix[:, 0] = rng.integers(-1, CATEGORIES + 2, rows)
    matrix[:, 1] = np.where(rng.random(rows) < 0.5, 0.0, matrix[:, 1])
    matrix[:, 2] = np.round(matrix[:, 2], 1)
    matrix[rng.random(matrix.shape) < 0.15] = np.nan
    return matrix


def fitted(seed: int = 0, rounds: int = 40, **options: Any) -> lgb.Booster:
    """A model in which every column, and what is missing of it, means something."""
    matrix = table(2_000, seed)
    known = np.nan_to_num(matrix, nan=-0.7)
    label = known[:, 1] * known[:, 2] + (known[:, 0] == 3) + np.abs(known[:, 3]) - known[:, 4]
    params = {"num_leaves": LEAVES, "verbosity": -1, "seed": seed, "min_data_in_leaf": 5, **options}
    data = lgb.Dataset(matrix, label, categorical_feature=[0])
    return lgb.train(params, data, rounds)


SETTINGS = {
    "as it is used": {},
    "no missing values": {"use_missing": False},
    "zero is missing": {"zero_as_missing": True},
    "one split": {"num_leaves": 2},
    "half of the columns": {"feature_fraction": 0.5},
    "counts": {"objective": "poisson"},
}


@pytest.fixture(params=SETTINGS, scope="module")
def model(request: pytest.FixtureRequest) -> lgb.Booster:
    """Models that LightGBM made in different ways."""
    options = SETTINGS[request.param]
    if options.get("objective") == "poisson":
        matrix = table(2_000, 0)
        label = np.random.default_rng(0).poisson(np.exp(np.nan_to_num(matrix[:, 4])))
        params = {"num_leaves": LEAVES, "verbosity": -1, **options}
        return lgb.train(params, lgb.Dataset(matrix, label, categorical_feature=[0]), 40)
    return fitted(**options)


@pytest.mark.parametrize("rows", [1, 2, ROWS + 1, 3_000])
def test_predictions_are_lightgbms_bit_for_bit(model: lgb.Booster, rows: int) -> None:
    stage = Stage.from_text(model.model_to_string())
    assert stage.trees is not None
    matrix = table(rows, 9)
    assert np.array_equal(stage.log_mean(matrix), model.predict(matrix, raw_score=True))


def test_values_at_a_threshold_go_left_and_beyond_it_right(model: lgb.Booster) -> None:
    text = model.model_to_string()
    edges = [
        float(number)
        for line in text.splitlines()
        if line.startswith("threshold=")
        for number in line.removeprefix("threshold=").split()
    ]
    at = np.array([*edges, *np.nextafter(edges, np.inf), 0.0, -0.0, 1e-36, 1e-34, np.inf, -np.inf])
    matrix = np.repeat(at[:, np.newaxis], 6, axis=1)
    matrix[:, 0] = np.arange(len(matrix)) % (CATEGORIES + 1) + 0.5 * (np.arange(len(matrix)) % 2)
    ours = Stage.from_text(text).log_mean(matrix)
    assert np.array_equal(ours, model.predict(matrix, raw_score=True))


@pytest.mark.parametrize("rows", [1, 50, ROWS + 1])
def test_shap_values_are_lightgbms_and_add_up(model: lgb.Booster, rows: int) -> None:
    stage = Stage.from_text(model.model_to_string())
    matrix = table(rows, 7)
    ours = stage.contributions(matrix)
    np.testing.assert_allclose(ours, model.predict(matrix, pred_contrib=True), atol=1e-12)
    np.testing.assert_allclose(ours.sum(axis=1), stage.log_mean(matrix), atol=1e-12)


def test_a_row_is_the_same_in_any_batch(model: lgb.Booster) -> None:
    stage = Stage.from_text(model.model_to_string())
    matrix = table(2 * ROWS + 3, 3)
    alone = [stage.log_mean(matrix[[row]])[0] for row in (0, ROWS - 1, ROWS, 2 * ROWS)]
    assert np.array_equal(stage.log_mean(matrix)[[0, ROWS - 1, ROWS, 2 * ROWS]], alone)


def test_a_model_that_learned_nothing_is_its_constant() -> None:
    matrix = table(50, 1)
    nothing = lgb.train({"verbosity": -1}, lgb.Dataset(matrix, np.full(50, 2.5)), 3)
    stage = Stage.from_text(nothing.model_to_string())
    assert stage.trees is not None
    assert np.array_equal(stage.log_mean(matrix), nothing.predict(matrix, raw_score=True))
    told = nothing.predict(matrix, pred_contrib=True)
    np.testing.assert_allclose(stage.contributions(matrix), told, atol=1e-12)


@pytest.mark.parametrize("options", [{"num_leaves": LEAVES + 1}, {"linear_tree": True}])
def test_what_no_table_holds_lightgbm_answers(options: dict[str, Any]) -> None:
    model = fitted(**options)
    stage = Stage.from_text(model.model_to_string())
    assert read_trees(stage.text) is None
    matrix = table(20, 5)
    assert np.array_equal(stage.log_mean(matrix), model.predict(matrix, raw_score=True))


def test_a_text_that_is_cut_short_is_no_model() -> None:
    text = fitted(rounds=5).model_to_string()
    for length in range(0, text.index("end of trees"), 97):
        with pytest.raises(ValueError, match="no LightGBM model"):
            Stage.from_text(text[:length])
