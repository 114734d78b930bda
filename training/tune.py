"""A search over the parameters of the learning, on folds of time before the test part.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) proposes, the median rule (Golovin
et al. 2017) stops what falls behind fold by fold, and the parameters as they are come first: the
search finds nothing worse than those on its own folds. That is no promise for other rows: in
SIMULATED worlds (`benchmarks.challengers`) what 30 trials found had 2 to 8% less deviance on the
folds, and more than the default for brands never seen in each of four. What is found is a
challenger, to be judged as one. Knows nothing of the test part, of gates, or of runs' looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from features.schemas import DataError
from features.windows import Floats, Ints
from models.conversion_fit import FitParams, fit
from models.registry import Registry
from training.bootstrap import Figure, draw, figure
from training.dataset import Rows, Split, split_at
from training.figures import campaign_ndcg, deviances

if TYPE_CHECKING:
    import optuna

# Where the folds' test parts begin and end, as shares of the rows before the real test part. The
# first leaves half to learn from, of which a quarter is to stop and calibrate on.
EDGES = (0.5, 0.65, 0.8, 1.0)
DEPTH = 10
STARTUP = 8  # trials at random places before the sampler learns from them
UNPRUNED = 5  # whole trials before the median of trials means anything
MIN_FOLD = 30  # rows in each part of a fold, as `learning.MIN_PART` is


@dataclass(frozen=True)
class Fold:
    """Rows to fit on, later ones to stop and calibrate on, and a later stretch to judge on."""

    early: Rows
    later: Rows
    judged: Rows


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what came of it.

    Attributes:
        number: From 0, the parameters as they were.
        params: Those that are searched, by name.
        folds: Mean deviance of a row in each fold that was fitted.
        deviance: Mean deviance of a row over all folds fitted.
        ndcg10: Mean NDCG@10 of observed rates over the campaigns of those.
        pruned: Whether it fell behind and was stopped.
    """

    number: int
    params: Mapping[str, float]
    folds: tuple[float, ...]
    deviance: float
    ndcg10: float
    pruned: bool


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
        best: The parameters with the least deviance on the folds.
        default: Those it began with.
        trials: All trials, in their order.
        gain: Deviance of `best` as a share of that of `default`, less 1: negative is better. The
            interval is over campaigns and does not know that the best of many was taken.
    """

    best: FitParams
    default: FitParams
    trials: tuple[Trial, ...]
    gain: Figure

    @property
    def best_trial(self) -> Trial:
        return min((trial for trial in self.trials if not trial.pruned), key=_order)


def search(
    rows: Rows,
    split: Split,
    params: FitParams,
    trials: int,
    done: Callable[[int], None] | None = None,
) -> Searched:
    """Search, the parameters given first; the same for the same seed.

    Args:
        rows: Labelled rows.
        split: Of the rows by time; its test part is not looked at.
        params: To begin with; what is not searched, such as the seed, stays.
        trials: How many sets are tried, the first included.
        done: Called with 1 after each.

    Raises:
        DataError: No fold has enough rows.
        ValueError: No trials.
    """
    import optuna

    if trials < 1:
        raise ValueError(f"a search needs at least one trial, not {trials}")
    parts = folds(rows, split)
    if not parts:
        raise DataError(
            f"rows before the test part lie too close in time to search on: no fold has "
            f"{MIN_FOLD} to fit, to calibrate and to judge on"
        )
    single = replace(params, threads=1)  # sums in another order make other trees
    judged: dict[int, list[_Judged]] = {}

    def objective(trial: optuna.Trial) -> float:
        tried = _suggested(trial, single)
        own = judged.setdefault(trial.number, [])
        for step, fold in enumerate(parts):
            own.append(_judge(fold, tried))
            # Folds differ in how easy they are: what is compared is relative to the default's.
            so_far = _mean_deviance(own)
            trial.report(so_far / _mean_deviance(judged[0][: step + 1]), step)
            if trial.number > 0 and step + 1 < len(parts) and trial.should_prune():
                raise optuna.TrialPruned
        return so_far

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=params.seed, n_startup_trials=STARTUP),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED),
        )
        study.enqueue_trial(_searched(params))
        tell = done or (lambda _: None)
        study.optimize(objective, n_trials=trials, callbacks=[lambda *_: tell(1)])
    finally:
        optuna.logging.set_verbosity(verbosity)
    told = tuple(
        Trial(
            number=trial.number,
            params=dict(trial.params),
            folds=tuple(float(part.deviance.mean()) for part in judged[trial.number]),
            deviance=_mean_deviance(judged[trial.number]),
            ndcg10=float(np.nanmean(np.concatenate([p.ndcg for p in judged[trial.number]]))),
            pruned=trial.state == optuna.trial.TrialState.PRUNED,
        )
        for trial in study.trials
    )
    winner = min((trial for trial in told if not trial.pruned), key=_order)
    best = params if winner.number == 0 else replace(params, **_typed(winner.params))
    return Searched(best, params, told, _gain(judged[winner.number], judged[0]))


def folds(rows: Rows, split: Split) -> list[Fold]:
    """Folds of a rolling origin: each learns from what precedes the stretch it is judged on.

    All lie before the test part, and rows that were not resolved at a cut are left out at each. A
    fold in which a part has too few rows is none.

    Args:
        rows: Labelled rows.
        split: Of the rows by time.
    """
    before = rows.take(np.sort(np.concatenate([split.fit, split.later])))
    started = np.sort(before.started_us)
    out = []
    for begin, end in pairwise(EDGES):
        if len(before) == 0:
            break
        cut = split_at(before, int(started[int(len(started) * begin)]))
        judged = cut.test
        if end < 1:
            later = split_at(before, int(started[int(len(started) * end)])).test
            judged = np.setdiff1d(judged, later)
        fold = Fold(before.take(cut.fit), before.take(cut.later), before.take(judged))
        if min(len(fold.early), len(fold.later), len(fold.judged)) >= MIN_FOLD:
            out.append(fold)
    return out


def log_trials(registry: Registry, parent_run_id: str, searched: Searched) -> list[str]:
    """Log each trial as a run under the one that searched.

    Args:
        registry: Where to.
        parent_run_id: Of the run that the parameters were searched for.
        searched: What was found.

    Returns:
        The runs' ids, in the order of the trials.
    """
    best = searched.best_trial.number
    out = []
    for trial in searched.trials:
        metrics = {"search_deviance": trial.deviance, "search_ndcg10": trial.ndcg10}
        metrics |= {f"search_deviance_fold{i + 1}": value for i, value in enumerate(trial.folds)}
        tags = {
            "trial": "pruned" if trial.pruned else "complete",
            "best": str(trial.number == best).lower(),
            "default": str(trial.number == 0).lower(),
        }
        out.append(
            registry.record(
                f"trial {trial.number}",
                trial.params,
                {name: value for name, value in metrics.items() if np.isfinite(value)},
                tags,
                parent=parent_run_id,
            )
        )
    return out


@dataclass(frozen=True)
class _Judged:
    """Deviance of each row of a fold, its campaign's code, and NDCG of each campaign."""

    deviance: Floats
    campaign: Ints
    ndcg: Floats


def _judge(fold: Fold, params: FitParams) -> _Judged:
    early, later, judged = fold.early, fold.later, fold.judged
    model, _ = fit(early.matrix, early.labels, later.matrix, later.labels, params)
    score = model.log_rate(judged.matrix, chosen=True)
    return _Judged(
        deviances(judged.labels, np.exp(score)),
        judged.campaign,
        campaign_ndcg(judged, score, DEPTH),
    )


def _mean_deviance(parts: list[_Judged]) -> float:
    return float(np.concatenate([part.deviance for part in parts]).mean())


def _gain(best: list[_Judged], default: list[_Judged]) -> Figure:
    campaign = np.concatenate([part.campaign for part in default])
    own, theirs = (np.concatenate([p.deviance for p in parts]) for parts in (best, default))
    draws = draw(campaign)
    return figure(draws.sums(own) / draws.sums(theirs) - 1)


def _order(trial: Trial) -> tuple[float, int]:
    return trial.deviance, trial.number


def _suggested(trial: optuna.Trial, params: FitParams) -> FitParams:
    """The space: about a factor of ten around what is known to work, in logarithms."""
    return replace(
        params,
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        num_leaves=trial.suggest_int("num_leaves", 2, 31, log=True),
        min_events_in_leaf=trial.suggest_float("min_events_in_leaf", 3.0, 300.0, log=True),
        l2_events=trial.suggest_float("l2_events", 1.0, 300.0, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.2, 1.0),
    )


def _searched(params: FitParams) -> dict[str, Any]:
    """Those of the parameters that are searched."""
    names = (
        "learning_rate",
        "num_leaves",
        "min_events_in_leaf",
        "l2_events",
        "feature_fraction",
    )
    told = asdict(params)
    return {name: told[name] for name in names}


def _typed(found: Mapping[str, float]) -> dict[str, Any]:
    return {name: int(v) if name == "num_leaves" else float(v) for name, v in found.items()}
