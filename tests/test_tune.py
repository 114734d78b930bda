"""The search: blind to the test part, repeatable, never worse than the default on its folds."""

from dataclasses import replace

import numpy as np
import pytest

from features.catalogue import FEATURE_NAMES
from features.schemas import DataError
from models.conversion import Labels
from models.conversion_fit import FitParams
from models.registry import Registry
from training.dataset import Rows, split_by_time
from training.tune import folds, log_trials, search

DAY_US = 86_400_000_000
MATCH, PRICE = (FEATURE_NAMES.index(name) for name in ("projected_similarity", "price_log"))
# A bad place to begin at: trees of two leaves that may hardly split.
PARAMS = FitParams(
    learning_rate=0.01, num_leaves=2, min_events_in_leaf=300, l2_events=300,
    max_rounds=60, patience=10, threads=1, choice_power=0.0, feature_fraction=0.3,
)  # fmt: skip
TRIALS = 10


def made(campaigns: int = 80, each: int = 10, seed: int = 1) -> Rows:
    """Rates that depend on two features, one campaign every three days."""
    rng = np.random.default_rng(seed)
    n = campaigns * each
    matrix = np.full((n, len(FEATURE_NAMES)), np.nan)
    matrix[:, [MATCH, PRICE]] = rng.normal(size=(n, 2))
    signal = matrix[:, MATCH] - 0.5 * matrix[:, PRICE] * (matrix[:, MATCH] > 0)
    campaign = np.repeat(np.arange(campaigns), each)
    impressions = rng.integers(2_000, 40_000, n)
    clicks = rng.binomial(impressions, np.exp(-4 + 0.3 * signal))
    conversions = rng.binomial(clicks, np.exp(-3 + 0.6 * np.minimum(signal, 3)))
    started = campaign * 3 * DAY_US
    labels = Labels(impressions, clicks.astype(float), conversions)
    return Rows(np.arange(n), campaign, matrix, labels, started, started + 5 * DAY_US)


@pytest.fixture(scope="module")
def rows():
    return made()


@pytest.fixture(scope="module")
def searched(rows):
    return search(rows, split_by_time(rows), PARAMS, TRIALS)


def test_the_folds_lie_before_the_test_part_and_each_learns_from_its_past(rows):
    split = split_by_time(rows)
    parts = folds(rows, split)
    assert len(parts) == 3
    judged = np.concatenate([fold.judged.outcome for fold in parts])
    assert len(judged) == len(set(judged))
    for fold in parts:
        begins = fold.judged.started_us.min()
        assert fold.later.resolved_us.max() < begins
        assert fold.early.resolved_us.max() < fold.later.started_us.min()
        assert fold.judged.resolved_us.max() < split.test_from_us
        assert not set(fold.judged.outcome) & set(split.test)


def test_the_default_comes_first_and_is_never_beaten_by_the_best(searched):
    first = searched.trials[0]
    assert first.params == pytest.approx(
        {name: getattr(PARAMS, name) for name in first.params}, rel=1e-12
    )
    assert not first.pruned and len(first.folds) == 3
    assert searched.best_trial.deviance <= first.deviance
    assert searched.gain.value <= 0
    assert searched.gain.value == pytest.approx(
        searched.best_trial.deviance / first.deviance - 1, abs=1e-12
    )


def test_it_leaves_a_bad_place(searched):
    assert searched.best_trial.number > 0
    assert searched.gain.high < 0
    found = searched.best
    assert found.num_leaves == searched.best_trial.params["num_leaves"]
    assert (found.max_rounds, found.seed, found.threads) == (60, PARAMS.seed, PARAMS.threads)


def test_what_falls_behind_is_stopped(searched):
    assert len(searched.trials) == TRIALS
    stopped = [trial for trial in searched.trials if trial.pruned]
    assert stopped
    assert all(len(trial.folds) < 3 for trial in stopped)
    assert all(len(trial.folds) == 3 for trial in searched.trials if not trial.pruned)


def test_the_test_part_changes_nothing_nor_do_threads(rows, searched):
    split = split_by_time(rows)
    labels, matrix = rows.labels, rows.matrix.copy()
    conversions = labels.conversions.copy()
    conversions[split.test] = 0
    matrix[split.test] = 7.0
    other = replace(
        rows, matrix=matrix, labels=Labels(labels.impressions, labels.clicks, conversions)
    )
    again = search(other, split, replace(PARAMS, threads=2), TRIALS)
    assert again.trials == searched.trials
    assert again.best == replace(searched.best, threads=2)


def test_another_seed_tries_other_places(rows, searched):
    other = search(rows, split_by_time(rows), replace(PARAMS, seed=1), 2)
    assert other.trials[1].params != searched.trials[1].params


def test_one_trial_is_the_default(rows):
    told: list[int] = []
    only = search(rows, split_by_time(rows), PARAMS, 1, told.append)
    assert only.best == PARAMS and only.gain.value == 0
    assert told == [1]


def test_too_little_is_refused(rows):
    few = rows.take(np.arange(100))
    with pytest.raises(DataError, match="too close in time"):
        search(few, split_by_time(few), PARAMS, 3)
    with pytest.raises(ValueError, match="at least one trial"):
        search(rows, split_by_time(rows), PARAMS, 0)


def test_trials_are_runs_under_their_parent(searched, tmp_path):
    told = {0, searched.best_trial.number, next(t.number for t in searched.trials if t.pruned)}
    few = replace(searched, trials=tuple(t for t in searched.trials if t.number in told))
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    parent = registry.record("a training", {}, {}, {})
    runs = log_trials(registry, parent, few)
    experiment = registry.client.get_run(parent).info.experiment_id
    under = registry.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {run.info.run_id for run in under} == set(runs)
    assert len(runs) == 3
    for run_id, trial in zip(runs, few.trials, strict=True):
        run = registry.client.get_run(run_id)
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"trial {trial.number}"
        assert run.data.tags["trial"] == ("pruned" if trial.pruned else "complete")
        assert run.data.tags["default"] == str(trial.number == 0).lower()
        best = trial.number == searched.best_trial.number
        assert run.data.tags["best"] == str(best).lower()
        assert run.data.metrics["search_deviance"] == pytest.approx(trial.deviance)
        assert float(run.data.params["num_leaves"]) == trial.params["num_leaves"]
