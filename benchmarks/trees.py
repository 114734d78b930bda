"""What the size of the trees costs a request, and what it earns.

    python -m benchmarks.trees [SEED …] [--json]

In SIMULATED worlds of development (those of `benchmarks.challengers`; the seeds of
`benchmarks.held_out` are not looked at), the model is fitted as it is served: with the setting that
was once in use, with the one in use now, and with fewer or larger trees, three times each, with
other seeds of LightGBM. Printed for each setting:

- how many trees its stages have together, microseconds a row by LightGBM's own predict and by its
  SHAP values, on one thread, and both as shares of the former setting's, timed in turns in one run;
- NDCG@10 of the true rates over all creators, for campaigns of brands never seen; deviance of the
  rates of those really chosen; error of their reach; how many true rates the 80% intervals hold.
  Means of the three fits, and their differences from the former setting's, world by world, with the
  standard error over worlds. How far two fits of one setting lie apart stands in brackets.

Where ../shared/data/world_us is there, the same on its last fifth of time, with intervals over
campaigns.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context

import lightgbm as lgb
import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks import ways
from benchmarks.challengers import (
    CREATORS,
    DEPTH,
    SEEDS,
    WORLD_US,
    Asked,
    World,
    prepared,
    prepared_world_us,
)
from benchmarks.ways import Parts
from benchmarks.worlds import ndcg
from features.windows import Floats
from models import choice
from models.conversion import ConversionModel, Labels
from models.conversion_fit import FitParams, fit, refit
from training.bootstrap import Figure, draw, figure
from training.dataset import split_by_time
from training.figures import campaign_ndcg, deviances

FITS = (0, 1, 2)  # seeds of LightGBM
AT_ONCE = 2  # worlds, a process each
PREDICTED, EXPLAINED = 2000, 50  # rows in a call
REPEATS = 15
BASE = "former: 0.03, 7 leaves, 600; choice 200 at 0.05"


@dataclass(frozen=True)
class Setting:
    """Parameters of the stages, and of the model of whom brands choose."""

    params: FitParams
    choice_rounds: int
    choice_rate: float

    def __str__(self) -> str:
        own = self.params
        return (
            f"{own.learning_rate:g}, {own.num_leaves} leaves, {own.max_rounds}; "
            f"choice {self.choice_rounds} at {self.choice_rate:g}"
        )


# Every number is told here, so that a change of the defaults leaves what was compared as it was.
FORMER = Setting(
    FitParams(
        learning_rate=0.03,
        num_leaves=7,
        min_events_in_leaf=30.0,
        l2_events=30.0,
        feature_fraction=0.5,
        max_rounds=600,
        patience=50,
        threads=1,
    ),
    choice_rounds=200,
    choice_rate=0.05,
)


def _other(
    rate: float, leaves: int, rounds: int, patience: int, choice_rounds: int, choice_rate: float
) -> Setting:
    params = replace(
        FORMER.params, learning_rate=rate, num_leaves=leaves, max_rounds=rounds, patience=patience
    )
    return Setting(params, choice_rounds, choice_rate)


def settings() -> dict[str, Setting]:
    """What is compared, by name: first that which all others are measured against."""
    in_use = Setting(FitParams(threads=1), choice.ROUNDS, choice.LEARNING_RATE)
    fewer = _other(0.1, 7, 200, 20, 60, 0.15)
    wide = replace(fewer, params=replace(fewer.params, feature_fraction=0.8))
    others = (
        _other(0.06, 7, 300, 30, 100, 0.1),
        fewer,
        _other(0.15, 7, 120, 15, 40, 0.25),
        _other(0.1, 4, 200, 20, 60, 0.15),
        _other(0.06, 15, 300, 30, 60, 0.15),
    )
    return {
        BASE: FORMER,
        f"in use: {in_use}": in_use,
        **{str(one): one for one in others},
        f"{fewer}, 0.8 of the features a tree": wide,
    }


@dataclass(frozen=True)
class Quality:
    """How well one setting does in one world.

    Attributes:
        trees: Of reach, clicks, conversions and choice.
        ndcg: Mean over campaigns, of true rates, all creators ordered.
        deviance: A row, those really chosen.
        reach_error: Root mean square error of the logarithm of their impressions.
        coverage: Share of all creators' true rates within the intervals.
        promised: What the first 20 were expected to bring, against what they would have.
    """

    trees: tuple[int, ...]
    ndcg: float
    deviance: float
    reach_error: float
    coverage: float
    promised: float


@dataclass(frozen=True)
class Cost:
    """Microseconds a row, median of repeats: of predictions, and of SHAP values."""

    trees: int
    predict_us: float
    explain_us: float


def main() -> None:
    """Print the tables, or with ``--json`` all figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        worlds = list(pool.map(_of_seed, told.seeds))
        later = pool.submit(_later_time).result() if WORLD_US.is_dir() else {}
    with threadpool_limits(1):
        costs = timed(prepared(told.seeds[0]))
    if told.json:
        out = {
            "machine": platform.machine(),
            "lightgbm": lgb.__version__,
            "seeds": list(told.seeds),
            "costs": {name: asdict(cost) for name, cost in costs.items()},
            "worlds": [{n: [asdict(q) for q in qs] for n, qs in world.items()} for world in worlds],
            "world_us": {n: [asdict(f) for f in figures] for n, figures in later.items()},
        }
        print(json.dumps(out, indent=2))
        return
    console = Console(width=170)
    console.print(_cost_table(costs))
    console.print(_quality_table(worlds))
    if later:
        console.print(_later_table(later))


def fitted(parts: Parts, setting: Setting) -> ConversionModel:
    """The model as `training.learning` fits it, with a setting of its own for the choice model."""
    early, later, whole, params = parts.early, parts.later, parts.whole, setting.params
    first, rounds = fit(early.matrix, early.labels, later.matrix, later.labels, params)
    chosen = choice.fit_choice(
        parts.candidates.matrix,
        parts.candidates.chosen,
        params.choice_power,
        params.choice_doubt,
        params.seed,
        params.threads,
        setting.choice_rounds,
        setting.choice_rate,
    )
    return refit(whole.matrix, whole.labels, params, rounds, first.calibration, chosen)


def trees(model: ConversionModel) -> tuple[int, ...]:
    """How many trees the stages have: reach, clicks, conversions, choice."""
    stages = (model.reach, model.clicks, model.conversions, model.choice and model.choice.stage)
    return tuple(stage.booster.num_trees() if stage else 0 for stage in stages)


def _of_seed(seed: int) -> dict[str, list[Quality]]:
    with threadpool_limits(1):
        world = prepared(seed)
        parts = ways.of_all(world.rows, world.candidates, split_by_time(world.rows))
        found = {
            name: [quality(model, world.asked) for model in fits(parts, setting)]
            for name, setting in settings().items()
        }
    print(f"world {seed} done", file=sys.stderr, flush=True)
    return found


def fits(parts: Parts, setting: Setting) -> Iterator[ConversionModel]:
    """One model for each of `FITS`."""
    for seed in FITS:
        yield fitted(parts, replace(setting, params=replace(setting.params, seed=seed)))


def quality(model: ConversionModel, asked: list[Asked]) -> Quality:
    """Figures of one model over the campaigns of a world."""
    order, held, expected, true = [], [], 0.0, 0.0
    deviance, off = [], []
    for one in asked:
        all_of_them = model.predict(one.matrix)
        order.append(ndcg(one.rate, all_of_them.score, DEPTH))
        held.append((all_of_them.rate_low <= one.rate) & (one.rate <= all_of_them.rate_high))
        top = np.argsort(-all_of_them.score, kind="stable")[:20]
        expected += float(all_of_them.rate[top].sum())
        true += float(one.rate[top].sum())
        chosen = model.predict(one.matrix[one.booked], chosen=True)
        deviance.append(deviances(one.labels, chosen.rate))
        seen = one.labels.impressions > 0
        off.append(np.log(chosen.impressions[seen] / one.labels.impressions[seen]))
    return Quality(
        trees(model),
        float(np.mean(order)),
        float(np.concatenate(deviance).mean()),
        float(np.sqrt(np.mean(np.concatenate(off) ** 2))),
        float(np.concatenate(held).mean()),
        expected / true,
    )


def _later_time() -> dict[str, tuple[Figure, ...]]:
    """NDCG@10 and deviance explained of each setting, and each less those of the former."""
    with threadpool_limits(1):
        world = prepared_world_us()
        split = split_by_time(world.rows)
        parts = ways.before_test(world.rows, world.candidates, split)
        test = world.rows.take(split.test)
        draws = draw(test.campaign)
        labels: Labels = parts.whole.labels
        level = labels.conversions.sum() / labels.impressions.sum()
        null = draws.sums(deviances(test.labels, np.full(len(test), level)))
        out: dict[str, tuple[Figure, ...]] = {}
        base: tuple[Floats, Floats] | None = None
        for name, setting in settings().items():
            order, explained = np.zeros(len(np.unique(test.campaign))), np.zeros(len(null))
            for model in fits(parts, setting):
                told = model.predict(test.matrix, chosen=True)
                order += campaign_ndcg(test, told.score, DEPTH) / len(FITS)
                explained += (1 - draws.sums(deviances(test.labels, told.rate)) / null) / len(FITS)
            base = base or (order, explained)
            out[name] = (
                figure(draws.means(order)),
                figure(draws.means(order - base[0])),
                figure(explained),
                figure(explained - base[1]),
            )
    print("world_us done", file=sys.stderr, flush=True)
    return out


def timed(world: World) -> dict[str, Cost]:
    """Every setting's model of one world, timed in turns, so that a busy minute hits all alike."""
    parts = ways.of_all(world.rows, world.candidates, split_by_time(world.rows))
    models = {name: fitted(parts, setting) for name, setting in settings().items()}
    rows = np.concatenate([one.matrix for one in world.asked])
    rows = np.resize(rows, (PREDICTED, rows.shape[1]))
    few = rows[:EXPLAINED]
    predict: dict[str, list[float]] = {name: [] for name in models}
    explain: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(REPEATS):
        for name, model in models.items():
            stages = [model.reach, model.clicks, model.conversions]
            stages.append(model.choice.stage if model.choice else None)
            held = [stage for stage in stages if stage is not None]
            predict[name].append(_seconds(lambda: [stage.log_mean(rows) for stage in held]))  # noqa: B023
            explain[name].append(_seconds(lambda: model.contributions(few)))  # noqa: B023
    return {
        name: Cost(
            sum(trees(model)),
            statistics.median(predict[name]) / len(rows) * 1e6,
            statistics.median(explain[name]) / len(few) * 1e6,
        )
        for name, model in models.items()
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _cost_table(costs: dict[str, Cost]) -> Table:
    table = Table(
        title=f"Cost a row, one thread, median of {REPEATS}: LightGBM {lgb.__version__}, "
        f"{platform.machine()}"
    )
    for column in ("", "trees", "predict, µs", "of former", "SHAP, µs", "of former"):
        table.add_column(column, justify="right" if column else "left")
    base = costs[BASE]
    for name, cost in costs.items():
        table.add_row(
            name,
            f"{cost.trees:,}",
            f"{cost.predict_us:.1f}",
            f"{cost.predict_us / base.predict_us:.2f}",
            f"{cost.explain_us:,.0f}",
            f"{cost.explain_us / base.explain_us:.2f}",
        )
    return table


def _quality_table(worlds: list[dict[str, list[Quality]]]) -> Table:
    table = Table(
        title=f"Quality, {len(worlds)} SIMULATED worlds of {CREATORS:,} creators, brands never "
        "seen: mean (deviation of one fit), and against the former (± standard error over worlds)"
    )
    columns = ("", "trees", "NDCG@10", "less", "deviance", "more", "reach error", "more")
    for column in (*columns, "held, 80%", "expected / true"):
        table.add_column(column, justify="right" if column else "left")
    for name in worlds[0]:
        sizes = np.mean([fit.trees for world in worlds for fit in world[name]], axis=0)
        told: dict[str, tuple[Floats, Floats]] = {
            what: (_of(worlds, name, what), _of(worlds, BASE, what))
            for what in ("ndcg", "deviance", "reach_error", "coverage", "promised")
        }
        order, order_before = told["ndcg"]
        deviance, deviance_before = told["deviance"]
        reach, reach_before = (values.mean(axis=1) for values in told["reach_error"])
        table.add_row(
            name,
            " + ".join(f"{size:.0f}" for size in sizes),
            f"{order.mean():.3f} ({_apart(order):.3f})",
            _paired((order - order_before).mean(axis=1), "+.4f"),
            f"{deviance.mean():.3f} ({_apart(deviance / deviance.mean(axis=1)[:, None]):.1%})",
            _paired(deviance.mean(axis=1) / deviance_before.mean(axis=1) - 1, "+.1%"),
            f"{reach.mean():.3f}",
            _paired(reach / reach_before - 1, "+.1%"),
            f"{told['coverage'][0].mean():.3f}",
            f"{told['promised'][0].mean():.3f}",
        )
    return table


def _of(worlds: list[dict[str, list[Quality]]], name: str, what: str) -> Floats:
    """One figure of one setting, ``(n_worlds, n_fits)``."""
    return np.array([[getattr(fit, what) for fit in world[name]] for world in worlds])


def _apart(values: Floats) -> float:
    """Standard deviation of one fit in its world."""
    return float(np.sqrt(values.var(axis=1, ddof=1).mean()))


def _paired(differences: Floats, form: str) -> str:
    if not differences.any():
        return ""
    if len(differences) == 1:
        return format(float(differences[0]), form)
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return f"{format(float(differences.mean()), form)} ± {format(error, form).removeprefix('+')}"


def _later_table(later: dict[str, tuple[Figure, ...]]) -> Table:
    table = Table(title="world_us (SIMULATED), last fifth of time; 90% intervals over campaigns")
    for column in ("", "NDCG@10", "less", "deviance explained", "less"):
        table.add_column(column, justify="right" if column else "left")
    for name, (order, less, explained, lost) in later.items():
        table.add_row(
            name,
            f"{order.value:.3f}",
            f"{less.value:+.4f} ({less.low:+.3f} to {less.high:+.3f})",
            f"{explained.value:.3f}",
            f"{lost.value:+.4f} ({lost.low:+.3f} to {lost.high:+.3f})",
        )
    return table


if __name__ == "__main__":
    main()
