"""How many outcomes a learned model needs before it orders creators better than the heuristic.

    python -m benchmarks.cold_start

In SIMULATED worlds, whose true rates are known, a model is trained as `training.pipeline` trains
it, on N sponsorships of whole campaigns drawn from before the last three months, and asked to order
all creators for each campaign of those three months. Printed is NDCG@10 of the true conversion
rates, of the learned model and of the heuristic on the same rows, and in how many worlds the
learned one wins. `learning.MIN_OUTCOMES` and `MIN_CONVERSIONS` are read from this table.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
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
    rows_known,
    truth_of,
)
from models.conversion_fit import FitParams
from models.heuristic import fit_heuristic
from training.dataset import draw_candidates, split_by_time
from training.learning import fit_before_test, fit_on_all

SEEDS = (101, 102, 103, 104)
CREATORS = 400
SIZES = (100, 200, 300, 500, 800, 1200)
CAMPAIGNS = 20
AT_ONCE = 2  # worlds, a process each
HOME = Path("var/benchmarks/cold_start")


def main() -> None:
    """Print the table."""
    scores: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for of_world in pool.map(_of_seed, SEEDS):
            for size, found in zip(SIZES, of_world, strict=True):
                scores[size].append(found)
    table = Table(
        title=f"SIMULATED, {len(SEEDS)} worlds of {CREATORS} creators, {platform.machine()}"
    )
    for title in ("outcomes", "conversions", "learned", "heuristic", "learned wins"):
        table.add_column(title, justify="right")
    for size, rows in scores.items():
        learned, heuristic, conversions = (np.array(column) for column in zip(*rows, strict=True))
        table.add_row(
            f"{size:,}",
            f"{conversions.mean():,.0f}",
            f"{learned.mean():.3f}",
            f"{heuristic.mean():.3f}",
            f"{(learned > heuristic).sum()} of {len(SEEDS)}",
        )
    Console().print(table)


def _of_seed(seed: int) -> list[tuple[float, float, int]]:
    with threadpool_limits(1):
        cut = make_world(CREATORS, seed, HOME)
        return [one(cut, size) for size in SIZES]


def one(cut: Cut, size: int) -> tuple[float, float, int]:
    """NDCG@10 of the learned model and of the heuristic, and the conversions learned from."""
    deals = cut.tables.sponsorships
    early = deals[deals["resolved_at"] < cut.late_from]
    drawn = early["campaign_id"].drop_duplicates().sample(frac=1, random_state=size)
    place = dict(zip(drawn, range(len(drawn)), strict=True))
    early = early.iloc[np.argsort(early["campaign_id"].map(place), kind="stable")].head(size)
    asked = cut.late.head(CAMPAIGNS)
    known = known_of(cut.tables, early, asked, HOME)
    rows = rows_known(known, early)
    params = FitParams(threads=1)
    candidates = draw_candidates(known, rows, params.seed)
    judged = fit_before_test(rows, candidates, split_by_time(rows), params)
    learned = fit_on_all(rows, candidates, judged, params)
    heuristic = fit_heuristic(rows.matrix)
    pairs = []
    for campaign in campaigns(asked):
        matrix = everyone(known, campaign)
        rate = truth_of(cut, campaign)["conversion_rate"].to_numpy(np.float64)
        pairs.append([ndcg(rate, model.predict(matrix).score) for model in (learned, heuristic)])
    means = np.mean(pairs, axis=0)
    return float(means[0]), float(means[1]), int(rows.labels.conversions.sum())


if __name__ == "__main__":
    main()
