"""How well creators are ordered, and rates foretold, for brands that were never seen.

    python -m benchmarks.held_out [SEED …] [--intervals]

In SIMULATED worlds of seeds that served for no choice, a model is trained as `training.pipeline`
trains it, on what was resolved before the last three months. It is then asked about every campaign
of those months whose brand never appeared before, and orders all creators. Their true conversion
rates are known. Printed for each world:

- NDCG@10 of the true rates: of the model, of simple rules, of logistic regression on the same
  features, and of a rule that knows the true match of topics and nothing else;
- the same of models that are not told one family of features, and of one without the correction for
  whom brands choose, or with propensity weights in its place;
- how many true rates the 80% intervals hold: of all creators, of the first 20 of each list, of
  those whom the brands really chose; and what the first 20 were expected to bring against what they
  would have;
- calibration error of the rates of those really chosen, against what came of them.

With ``--intervals`` only the last two are.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.worlds import (
    Cut,
    campaigns,
    everyone,
    known_of,
    make_world,
    ndcg,
    of_unseen_brands,
    rows_known,
    truth_of,
)
from features.windows import Floats, Ints
from models.conversion import ConversionModel, Labels
from models.conversion_fit import FitParams
from training.baselines import RULES, fit_logistic, rules
from training.bootstrap import draw
from training.dataset import Candidates, Rows, draw_candidates, split_by_time
from training.figures import calibration_errors
from training.judging import FAMILIES, without
from training.learning import fit_before_test, fit_on_all

SEEDS = (511, 512, 513, 514, 515, 516)
CREATORS = 1000
HOME = Path("var/benchmarks/held_out")
TOP = 20
PARAMS = FitParams(threads=1)
AT_ONCE = 2  # worlds, a process each


def main() -> None:
    """Print the tables; seeds may be given instead of `SEEDS`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--intervals", action="store_true")
    told = parser.parse_args()
    ranking: dict[str, list[float]] = defaultdict(list)
    intervals: dict[str, list[float]] = defaultdict(list)
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(partial(_of_seed, ranked=not told.intervals), told.seeds))
    for order, hold in found:
        for name, value in order.items():
            ranking[name].append(value)
        for name, value in hold.items():
            intervals[name].append(value)
    console = Console(width=120)
    worlds = f"SIMULATED worlds of {CREATORS:,} creators, {platform.machine()}"
    if ranking:
        title = f"NDCG@10 for brands never seen: {worlds}"
        console.print(_table(title, ranking, told.seeds))
    console.print(_table(f"Intervals and calibration: {worlds}", intervals, told.seeds))
    if ranking:
        _say_ratio(console, ranking)


def _say_ratio(console: Console, ranking: dict[str, list[float]]) -> None:
    """Print how the model stands to the best simple rule."""
    model = np.array(ranking["model"])
    best = max(
        (name for name in ranking if name.startswith("rule: ")),
        key=lambda name: np.mean(ranking[name]),
    )
    console.print(
        f"model / best simple rule ({best.removeprefix('rule: ')}): "
        f"{model.mean() / np.mean(ranking[best]):.2f} of the means; by world "
        + ", ".join(f"{a / b:.2f}" for a, b in zip(model, ranking[best], strict=True)),
        highlight=False,
    )


def _of_seed(seed: int, ranked: bool) -> tuple[dict[str, float], dict[str, float]]:
    with threadpool_limits(1):
        found = one(make_world(CREATORS, seed, HOME), ranked)
    print(f"world {seed} done", file=sys.stderr, flush=True)
    return found


def one(cut: Cut, ranked: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of ordering, and figures of intervals, of one world."""
    deals = cut.tables.sponsorships
    early = deals[deals["resolved_at"] < cut.late_from]
    unseen = of_unseen_brands(cut)
    known = known_of(cut.tables, early, unseen, HOME)
    rows = rows_known(known, early)
    candidates = draw_candidates(known, rows, PARAMS.seed)
    model = trained(rows, candidates, PARAMS)
    scores = _rankers(rows, candidates, model) if ranked else {}
    order: dict[str, list[float]] = defaultdict(list)
    hold = _Holding()
    place = {creator: i for i, creator in enumerate(known.facts.creator_id)}
    for campaign in campaigns(unseen):
        matrix = everyone(known, campaign)
        truth = truth_of(cut, campaign)
        rate = truth["conversion_rate"].to_numpy(np.float64)
        for name, score in scores.items():
            order[name].append(ndcg(rate, score(matrix)))
        if ranked:
            order["true match alone"].append(ndcg(rate, truth["match"].to_numpy(np.float64)))
        booked = deals[deals["campaign_id"] == campaign.campaign_id]
        where = np.array([place[creator] for creator in booked["creator_id"]], dtype=np.int64)
        labels = Labels(
            booked["impressions"].to_numpy(np.int64),
            booked["clicks"].to_numpy(np.float64),
            booked["conversions"].to_numpy(np.int64),
        )
        hold.add(model, matrix, rate, where, labels)
    return {name: float(np.mean(values)) for name, values in order.items()}, hold.figures()


Score = Callable[[Floats], Floats]


def _rankers(rows: Rows, candidates: Candidates, model: ConversionModel) -> dict[str, Score]:
    """The model and all that it stands beside, each a score of rows of features."""
    split = split_by_time(rows)
    logistic = fit_logistic(rows.take(split.fit), rows.take(split.later), rows)
    out: dict[str, Score] = {
        "model": lambda matrix: model.predict(matrix).score,
        "logistic regression": logistic.predict,
    }
    for name in RULES:
        out[f"rule: {name}"] = lambda matrix, name=name: rules(matrix, 0)[name]  # type: ignore[misc]
    for family in FAMILIES:
        less = trained(rows, candidates, without(family, PARAMS))
        out[f"model without {family}"] = lambda matrix, less=less: less.predict(matrix).score  # type: ignore[misc]
    plain = replace(model, choice=None)
    out["model without choice correction"] = lambda matrix: plain.predict(matrix).score
    return out


def trained(rows: Rows, candidates: Candidates, params: FitParams) -> ConversionModel:
    """The model that is served, of all rows."""
    judged = fit_before_test(rows, candidates, split_by_time(rows), params)
    return fit_on_all(rows, candidates, judged, params)


class _Holding:
    """Sums of what intervals held, campaign by campaign."""

    def __init__(self) -> None:
        self.held: dict[str, list[float]] = defaultdict(list)
        self.labels: list[Labels] = []
        self.rates: list[Floats] = []
        self.expected = self.true = 0.0

    def add(
        self, model: ConversionModel, matrix: Floats, rate: Floats, chosen: Ints, labels: Labels
    ) -> None:
        told = model.predict(matrix)
        inside = (told.rate_low <= rate) & (rate <= told.rate_high)
        top = np.argsort(-told.score, kind="stable")[:TOP]
        self.held["coverage, all creators"].append(float(inside.mean()))
        self.held[f"coverage, first {TOP}"].append(float(inside[top].mean()))
        self.expected += float(told.rate[top].sum())
        self.true += float(rate[top].sum())
        own = model.predict(matrix[chosen], chosen=True)
        held = (own.rate_low <= rate[chosen]) & (rate[chosen] <= own.rate_high)
        self.held["coverage, chosen by the brand"].extend(held.tolist())
        self.rates.append(own.rate)
        self.labels.append(labels)

    def figures(self) -> dict[str, float]:
        labels = Labels(
            np.concatenate([part.impressions for part in self.labels]),
            np.concatenate([part.clicks for part in self.labels]),
            np.concatenate([part.conversions for part in self.labels]),
        )
        rate = np.concatenate(self.rates)
        expected = float((rate * labels.impressions).sum() / labels.conversions.sum())
        return {name: float(np.mean(values)) for name, values in self.held.items()} | {
            f"expected / true, first {TOP}": self.expected / self.true,
            "expected / observed, chosen": expected,
            "calibration error (ECE), chosen": float(
                calibration_errors(labels, rate, draw(np.arange(len(rate))))[0]
            ),
        }


def _table(title: str, figures: dict[str, list[float]], seeds: list[int]) -> Table:
    table = Table(title=title)
    table.add_column("")
    for seed in seeds:
        table.add_column(str(seed), justify="right")
    table.add_column("mean", justify="right")
    for name, values in figures.items():
        table.add_row(name, *(f"{value:.3f}" for value in values), f"{np.mean(values):.3f}")
    return table


if __name__ == "__main__":
    main()
