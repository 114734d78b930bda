"""What `refresh` costs beside `train`, after 1% of the posts changed: half edited, half new.

Whole programs in one run, on simulated worlds: reading tables, encoding, profiling, saving and
MLflow are in every figure. `train` begins with nothing known from before, as a whole build does.

    python -m benchmarks.refresh --creators 1000 2000 --json refresh.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import machine
from features.schemas import TABLES, Tables
from features.tables import read_tables, write_tables
from models.registry import Registry
from training.pipeline import train
from training.refresh import refresh
from training.settings import TrainingSettings
from training.simulate import simulate, write_world

CHANGED = 0.01  # of the posts
TIMES = 3


class Quiet:
    """A reporter that tells nothing."""

    def step(self, title: str, total: int) -> Any:
        return nullcontext(lambda units: None)

    def say(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Cost:
    """Seconds of one world: `train`, and each refresh."""

    creators: int
    posts: int
    changed: int
    train_s: float
    refresh_s: list[float]

    def share(self) -> tuple[float, float, float]:
        """Median, least and most that a refresh takes of a whole build."""
        shares = [one / self.train_s for one in self.refresh_s]
        return statistics.median(shares), min(shares), max(shares)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--creators", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--encoder", default=TrainingSettings().encoder)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args(arguments)
    print(f"{machine('lightgbm', 'mlflow')}; encoder {given.encoder}, simulated data")
    print(f"`train` once, `refresh` {TIMES} times, {CHANGED:.0%} of the posts changed\n")
    print("| creators | posts | train, s | refresh, s | of train |")
    print("|---:|---:|---:|---:|---:|")
    costs = []
    for creators in given.creators:
        with tempfile.TemporaryDirectory(prefix="creatorfit-refresh-") as scratch:
            costs.append(measure(Path(scratch), creators, given.seed, given.encoder))
        print(row(costs[-1]), flush=True)
    if given.json is not None:
        told = {"encoder": given.encoder, "changed": CHANGED, "costs": [asdict(c) for c in costs]}
        given.json.write_text(json.dumps(told, indent=2) + "\n")


def row(cost: Cost) -> str:
    """A row of the table: medians, and the least and the most of the ratios."""
    middle, least, most = cost.share()
    seconds = f"{cost.train_s:.1f} | {statistics.median(cost.refresh_s):.1f}"
    share = f"{middle:.1%} ({least:.1%} to {most:.1%})"
    return f"| {cost.creators:,} | {cost.posts:,} | {seconds} | {share} |"


def measure(folder: Path, creators: int, seed: int, encoder: str) -> Cost:
    """Make a world, train on it, and refresh it several times."""
    world = folder / "world"
    write_world(simulate(creators, seed), world)
    settings = TrainingSettings(home=folder / "home", encoder=encoder)
    registry = Registry(settings.registry_uri, settings.artifacts)
    assert registry.champion() is None  # the store is made, and MLflow imported, before any clock
    start = time.perf_counter()
    trained = train(settings, str(world), Quiet())
    train_s = time.perf_counter() - start
    # What the gate says is not measured here: a small world's model may lose to the baselines.
    registry.promote(trained.version.version, "to be refreshed")
    tables, took, changed = read_tables(world), [], 0
    for number in range(TIMES):
        frames, changed = change(tables, np.random.default_rng([seed, number]), number)
        newer = folder / f"newer{number}"
        write_tables(frames, newer, "parquet")
        start = time.perf_counter()
        refresh(settings, str(newer), Quiet())
        took.append(time.perf_counter() - start)
    return Cost(creators, len(tables.posts), changed, train_s, took)


def change(
    tables: Tables, rng: np.random.Generator, number: int
) -> tuple[dict[str, pd.DataFrame], int]:
    """Tables in which half of `CHANGED` were edited and as many are new, a day later each time."""
    frames = {name: getattr(tables, name).copy() for name in TABLES}
    posts = frames["posts"]
    half = max(1, round(CHANGED * len(posts) / 2))
    drawn = rng.choice(len(posts), size=2 * half, replace=False)
    texts = posts["text"].to_numpy(object).copy()
    for place in drawn[:half]:
        texts[place] = f"{texts[place]} Edited in round {number}."
    new = posts.iloc[drawn[half:]].copy()
    new["text"] = [f"{text} Once more, round {number}." for text in new["text"]]
    new["post_id"] = [f"new-{number}-{place}" for place in range(half)]
    new["published_at"] = posts["published_at"].max() + pd.Timedelta(days=number + 1)
    posts = posts.assign(text=texts)
    frames["posts"] = pd.concat([posts, new], ignore_index=True)
    return frames, 2 * half


if __name__ == "__main__":
    main()
