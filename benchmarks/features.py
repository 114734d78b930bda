"""What features cost, by the number of posts: seconds, memory, and whether cost grows linearly.

    python -m benchmarks.features [--most 10000000] [--texts 1000000] [--json] [--seed 0]

Two tables. The first makes rows of past campaigns, one for each hundred posts, from simulated facts
without texts (`benchmarks.features_world`), and times the prefix sums, the niche models and
projections of every month, and the rows. The second reads the tables of simulated worlds with
their texts (`training.simulate`), and times each thing that is done to every text.

Every size runs in a process and a thread of its own, whose peak of resident memory is the one
printed; pages of the file of vectors count as far as they were touched. Seconds are of processor
time, which other work on the machine disturbs little; those on the wall stand beside them. The
exponent is the slope of seconds against posts on logarithmic axes, by least squares: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.features_world import DIM, POSTS_PER_CREATOR, make_facts
from benchmarks.machine import machine, resident_mib

LEAST = 10_000
ROWS = ("prefix sums", "niches, projections", "rows")
TEXTS = ("read and check", "language", "sponsored", "facts in all", "safety")


class Quiet:
    """A reporter that tells nobody."""

    def step(self, title: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda units: None)

    def say(self, text: str) -> None:
        pass


class Clock:
    """Seconds of processor time of each named part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.began = time.perf_counter()

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        done = work()
        self.seconds[name] = time.process_time() - began
        return done

    @property
    def elapsed(self) -> float:
        """Seconds on the wall since the clock was made."""
        return time.perf_counter() - self.began


def rows_of_size(posts: int, seed: int) -> dict[str, Any]:
    """Make facts of so many posts, and rows from them; seconds, counts and memory."""
    from features.text import HashEncoder
    from training.dataset import rows_of
    from training.pipeline import learn_niches
    from training.settings import TrainingSettings

    with tempfile.TemporaryDirectory() as folder:
        asked = make_facts(posts, seed, Path(folder))
        made_mib = resident_mib()
        clock = Clock()
        settings = TrainingSettings(home=Path(folder), encoder="hash", threads=1)
        with _timed_history(clock):
            known = clock(
                "niches, projections",
                lambda: learn_niches(asked.facts, HashEncoder(DIM), settings, Quiet()),
            )
        clock.seconds["niches, projections"] -= clock.seconds["prefix sums"]
        clock("rows", lambda: rows_of(known, asked.asks, asked.brief, asked.brand))
        elapsed = clock.elapsed
    return {
        "posts": posts,
        "creators": len(asked.facts.creator_id),
        "asks": len(asked.asks),
        "briefs": len(asked.facts.brief_vector),
        "seconds": {name: clock.seconds[name] for name in ROWS},
        "elapsed": elapsed,
        "peak_mib": resident_mib(),
        "facts_mib": made_mib,
    }


def _timed_history(clock: Clock) -> AbstractContextManager[Any]:
    """Time the prefix sums apart from what they are made in the middle of."""
    from unittest.mock import patch

    from features.creator import build_history

    return patch(
        "models.snapshots.build_history",
        lambda facts: clock("prefix sums", lambda: build_history(facts)),
    )


def texts_of_size(posts: int, seed: int) -> dict[str, Any]:
    """Read a simulated world of about so many posts, and do to its texts all that is done."""
    from features.facts import Asks, build_facts, distinct_briefs
    from features.language import detect
    from features.sponsored import label_posts
    from features.tables import read_tables, write_tables
    from models.safety import read_year
    from training.simulate import simulate

    detect(["the model is read once"])
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        world = simulate(max(posts // POSTS_PER_CREATOR, 20), seed)
        names = ("creators", "posts", "sponsorships", "audience", "followers")
        write_tables({name: getattr(world, name) for name in names}, Path(folder), "parquet")
        del world
        made_mib = resident_mib()
        tables = clock("read and check", lambda: read_tables(folder))
    texts = tables.posts["text"].tolist()
    clock("language", lambda: detect(texts))
    clock(
        "sponsored",
        lambda: label_posts(texts, tables.posts["is_sponsored"], tables.posts["sponsor"]),
    )
    vectors = np.zeros((len(texts), 1), dtype=np.float32)
    briefs = np.zeros((len(distinct_briefs(tables)), 1), dtype=np.float32)
    facts = clock("facts in all", lambda: build_facts(tables, vectors, briefs))
    everyone = np.arange(len(facts.creator_id), dtype=np.int64)
    now = Asks(everyone, np.full(len(everyone), facts.as_of_us))
    clock("safety", lambda: read_year(facts.posts, now, None))
    return {
        "posts": len(texts),
        "creators": len(everyone),
        "seconds": {name: clock.seconds[name] for name in TEXTS},
        "peak_mib": resident_mib(),
        "simulated_mib": made_mib,
    }


def sizes_to(most: int) -> Iterator[int]:
    """Whole decades from `LEAST`, in thirds."""
    size = float(LEAST)
    while size <= most * 1.001:
        yield int(round(size, -3))
        size *= 10**0.5


def exponent(found: Sequence[dict[str, Any]], seconds: Callable[[dict[str, Any]], float]) -> float:
    """Slope of seconds against posts, both in logarithms."""
    if len(found) < 2:
        return float("nan")
    posts = np.log([one["posts"] for one in found])
    return float(np.polyfit(posts, np.log([seconds(one) for one in found]), 1)[0])


def measured(kind: str, sizes: Sequence[int], seed: int) -> list[dict[str, Any]]:
    """Each size in a process of its own."""
    found = []
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.features", "--one", kind, str(size)]
        ran = subprocess.run(
            [*command, "--seed", str(seed)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        found.append(json.loads(ran.stdout))
        print(f"{kind} of {size:,} posts: done", file=sys.stderr)
    return found


def print_rows(found: Sequence[dict[str, Any]]) -> None:
    """The first table."""
    print(f"simulated facts, {DIM} dimensions; seconds of prefix sums, niches, rows")
    head = ("posts", "asks", "sums", "niches", "rows", "all", "wall", "us/post", "ms/ask", "MiB")
    print("".join(f"{name:>11s}" for name in head))
    for one in found:
        spent = one["seconds"]
        total = sum(spent.values())
        print(
            f"{one['posts']:11,}{one['asks']:11,}"
            + "".join(f"{spent[name]:11.2f}" for name in ROWS)
            + f"{total:11.2f}{one['elapsed']:11.2f}{1e6 * total / one['posts']:11.1f}"
            + f"{1e3 * spent['rows'] / one['asks']:11.2f}{one['peak_mib']:11,.0f}"
        )
    print_exponents(found, ROWS)


def print_texts(found: Sequence[dict[str, Any]]) -> None:
    """The second table."""
    print("simulated texts; microseconds a post")
    print(f"{'posts':>11s}" + "".join(f"{name:>16s}" for name in TEXTS) + f"{'MiB':>9s}")
    for one in found:
        each = [1e6 * one["seconds"][name] / one["posts"] for name in TEXTS]
        print(
            f"{one['posts']:11,}"
            + "".join(f"{value:16.1f}" for value in each)
            + f"{one['peak_mib']:9,.0f}"
        )
    print_exponents(found, TEXTS)


def print_exponents(found: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """Exponents of each part and of all, over all sizes and over the last decade."""
    last = [one for one in found if one["posts"] >= found[-1]["posts"] / 11]
    for name in (*names, "all"):
        wanted = names if name == "all" else (name,)

        def seconds(one: dict[str, Any], wanted: Sequence[str] = wanted) -> float:
            return sum(float(one["seconds"][part]) for part in wanted)

        told = f"{exponent(found, seconds):.2f}, of the last decade {exponent(last, seconds):.2f}"
        print(f"exponent of {name}: {told}")


def main() -> None:
    """Print both tables, or one size's figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--most", type=int, default=10_000_000, help="posts; 0: no first table")
    parser.add_argument("--texts", type=int, default=1_000_000, help="posts; 0: no second table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "POSTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, posts = given.one
        work = {"rows": rows_of_size, "texts": texts_of_size}[kind]
        print(json.dumps(work(int(posts), given.seed)))
        return
    here = machine("numpy", "pandas")
    rows = measured("rows", list(sizes_to(given.most)), given.seed)
    texts = measured("texts", list(sizes_to(given.texts)), given.seed)
    if given.json:
        print(json.dumps({"machine": here.as_json(), "rows": rows, "texts": texts}))
        return
    print(here)
    if rows:
        print_rows(rows)
    if texts:
        print_texts(texts)


if __name__ == "__main__":
    main()
