"""Training on a Dask cluster of this machine: time by step, memory of each worker, and kills.

    python -m benchmarks.distributed [--sizes 200000 1000000 5000000] [--real 20000]
        [--kill 200000] [--json FILE]

Five tables of **simulated** data, each size trained from its tables to its published version on
workers that are processes of their own, with one thread each:

- what each step takes, by size: seconds on the wall, and of the workers' processors;
- the same with the default text encoder, on a smaller world whose texts are those of `simulate`;
- the peak of resident memory of each worker and of the process that leads them, by size: the
  posts of a worker are in parts, so a worker's does not grow with the posts;
- what these figures come to for 100 million creators and 10 billion posts;
- a world twice, the second time a worker killed (SIGKILL) in each of three steps: what that
  costs, and whether the index is the same to the byte.

Worlds of many posts are drawn file by file (`benchmarks.distributed_world`), with texts of a few
words of a niche. Each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.distributed_world import write_many
from benchmarks.machine import machine, resident_mib

WORKERS = 2
MEMORY = "2GiB"  # that Dask lets a worker have before it is started anew
KILLED_IN = ("Encoding posts", "Building rows", "Profiling creators")
TOLD = ("rank_ndcg10", "rate_deviance_explained")
REAL_POSTS_PER_CREATOR = 36
OTHER = "between steps"
LARGEST_AFTER = "Profiling creators"  # when the folder of work holds all it ever does
# Of which the cost is told, and of what it grows with.
BY_POSTS = ("Reading tables", "Encoding posts", "Learning niches", "Profiling creators")
BY_SPONSORSHIPS = ("Building rows",)
MANY_POSTS, MANY_CREATORS, MANY_SPONSORSHIPS = 10**10, 10**8, 10**8


def usage() -> dict[str, float]:
    """Peak of resident memory of this process, and the processor's seconds it has had."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"mib": resident_mib(), "seconds": used.ru_utime + used.ru_stime}


class Watch:
    """A reporter that takes the time of each step, on the wall and of the workers' processors.

    Args:
        cluster: Whose workers to ask; a `LocalCluster`.
        work: Folder of what steps leave for one another.
        kill_in: Steps in which a worker is killed, once each, when a part of the step is done.
    """

    def __init__(self, cluster: Any, work: Path, kill_in: Sequence[str] = ()) -> None:
        from distributed import Client

        self.work, self.work_mib = work, 0.0
        self.client = Client(cluster, set_as_default=False)
        self.cluster, self.kill_in = cluster, list(kill_in)
        self.wall: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self.killed = 0

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        name = title.split(" (", maxsplit=1)[0]
        began, used = time.perf_counter(), self.seconds()
        yield lambda units: self._done(name)
        self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - began
        self.processor[name] = self.processor.get(name, 0.0) + self.seconds() - used
        if name == LARGEST_AFTER:
            self.work_mib = _mib(self.work)

    def _done(self, step: str) -> None:
        if step in self.kill_in:
            self.kill_in.remove(step)
            self.killed += 1
            os.kill(next(iter(self.cluster.workers.values())).pid, signal.SIGKILL)

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def usages(self) -> list[dict[str, float]]:
        """Of each worker that is there now."""
        return list(self.client.run(usage, on_error="ignore").values())

    def seconds(self) -> float:
        return sum(one["seconds"] for one in self.usages())


def measure(source: Path, encoder: str, home: Path, kill_in: Sequence[str] = ()) -> dict[str, Any]:
    """Train on the tables of a folder; what it took, and what came of it."""
    from distributed import LocalCluster

    from training.pipeline import train
    from training.settings import TrainingSettings

    with LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=MEMORY,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        watch = Watch(cluster, home / "cluster", kill_in)
        address = cluster.scheduler_address
        settings = TrainingSettings(home=home, encoder=encoder, simulated=True, scheduler=address)
        began, used = time.perf_counter(), watch.seconds()
        trained = train(settings, str(source), watch, full=False)
        wall, processor = time.perf_counter() - began, watch.seconds() - used
        peaks = sorted(one["mib"] for one in watch.usages())
        watch.client.close()
    watch.wall[OTHER] = wall - sum(watch.wall.values())
    watch.processor[OTHER] = processor - sum(watch.processor.values())
    manifest = trained.bundle.manifest
    index = {name: digest for name, digest in manifest.files.items() if name.startswith("index/")}
    return {
        "posts": manifest.data["posts"],
        "creators": manifest.data["creators"],
        "sponsorships": manifest.data["sponsorships"],
        "encoder": encoder,
        "wall": watch.wall,
        "processor": watch.processor,
        "worker_mib": peaks,
        "leader_mib": usage()["mib"],
        "leader_seconds": usage()["seconds"],
        "work_mib": watch.work_mib,
        "index_mib": max(_mib(found) for found in home.rglob("index") if found.is_dir()),
        "index_digest": hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest(),
        "metrics": {name: manifest.metrics.get(name) for name in TOLD},
        "killed": watch.killed,
    }


def _mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def one(kind: str, size: int, seed: int) -> dict[str, Any]:
    """A run of its own: make the world, train on it."""
    with tempfile.TemporaryDirectory(prefix="creatorfit-cluster-") as folder:
        world, home = Path(folder) / "world", Path(folder) / "home"
        if kind == "real":
            from features.text import DEFAULT_ENCODER
            from training.simulate import simulate, write_world

            write_world(simulate(size // REAL_POSTS_PER_CREATOR, seed), world)
            return measure(world, DEFAULT_ENCODER, home)
        write_many(world, size, seed)
        return measure(world, "hash", home, KILLED_IN if kind == "killed" else ())


def apart(kind: str, size: int, seed: int) -> dict[str, Any]:
    """`one`, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.distributed", "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--one", kind, str(size)], stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def print_steps(found: dict[str, Any]) -> None:
    """What each step of a run took."""
    posts, leads = found["posts"], found["leader_seconds"]
    print(
        f"\n{posts:,} posts of {found['creators']:,} creators, {found['sponsorships']:,} "
        f"sponsorships, encoder `{found['encoder']}`, {WORKERS} workers of one thread\n"
    )
    print("| step | wall, s | workers' processors, s | posts/s of a core |")
    print("|---|---:|---:|---:|")
    for name, wall in found["wall"].items():
        spent = found["processor"][name]
        each = f"{posts / spent:,.0f}" if spent >= 1 else ""
        print(f"| {name} | {wall:.1f} | {spent:.1f} | {each} |")
    wall, spent = sum(found["wall"].values()), sum(found["processor"].values())
    print(f"| **all** | {wall:.1f} | {spent:.1f} | {posts / spent:,.0f} |")
    print(f"\nThe process that leads spent {leads:.1f} s of its own.", flush=True)


def print_memory(runs: Sequence[dict[str, Any]]) -> None:
    """Peaks by size."""
    print(
        "\n| posts | creators | encoder | each worker, MiB | the leading process, MiB | wall, s |"
    )
    print("|---:|---:|---|---:|---:|---:|")
    for run in runs:
        peaks = ", ".join(f"{peak:,.0f}" for peak in run["worker_mib"])
        wall = sum(run["wall"].values())
        print(
            f"| {run['posts']:,} | {run['creators']:,} | `{run['encoder']}` | {peaks} | "
            f"{run['leader_mib']:,.0f} | {wall:,.0f} |"
        )


def print_kills(whole: dict[str, Any], killed: dict[str, Any]) -> None:
    """The same world with and without kills."""
    same = "the same" if whole["index_digest"] == killed["index_digest"] else "ANOTHER"
    print(f"\n| {whole['posts']:,} posts | wall, s | workers killed | index, by digest |")
    print("|---|---:|---:|---|")
    for name, run in (("undisturbed", whole), ("killed in " + ", ".join(KILLED_IN), killed)):
        told = "" if run is whole else same
        print(f"| {name} | {sum(run['wall'].values()):.1f} | {run['killed']} | {told} |")
    for name in TOLD:
        one, other = whole["metrics"][name], killed["metrics"][name]
        if one is not None and other is not None:
            print(f"\n{name}: {one:.4f} undisturbed, {other:.4f} with kills", end="")
    print(flush=True)


def print_many(found: dict[tuple[str, int], dict[str, Any]]) -> None:
    """What the figures of each core come to for very many posts."""
    hashed = [run for (kind, _), run in found.items() if kind == "hash"]
    large, small = hashed[-1], hashed[0]
    print(f"\n| {MANY_POSTS:,} posts of {MANY_CREATORS:,} creators | core hours |")
    print("|---|---:|")
    for run in [large, *(run for (kind, _), run in found.items() if kind == "real")]:
        for name in BY_POSTS if run is large else ("Encoding posts",):
            hours = run["processor"][name] / run["posts"] * MANY_POSTS / 3600
            print(f"| {name}, encoder `{run['encoder']}` | {hours:,.0f} |")
    for name in BY_SPONSORSHIPS:
        hours = large["processor"][name] / large["sponsorships"] * MANY_SPONSORSHIPS / 3600
        print(f"| {name}, once, {MANY_SPONSORSHIPS:,} sponsorships | {hours:,.0f} |")
    work = large["work_mib"] * 2**20 / large["posts"]
    index = large["index_mib"] * 2**20 / large["creators"]
    print(f"\nFiles of work: {work:,.0f} bytes a post, {work * MANY_POSTS / 1e12:,.1f} TB. ")
    print(f"Index: {index:,.0f} bytes a creator, {index * MANY_CREATORS / 1e12:,.2f} TB.")
    if large is not small:
        more = (large["leader_mib"] - small["leader_mib"]) * 2**20
        each = more / (large["creators"] - small["creators"])
        total = each * MANY_CREATORS / 1e12
        print(f"The leading process: {each:,.0f} bytes a creator, {total:,.2f} TB.")


def main() -> None:
    """Run all and print the tables; or one run, and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[200_000, 1_000_000, 5_000_000])
    parser.add_argument(
        "--real", type=int, default=20_000, help="posts for the default encoder; 0: none"
    )
    parser.add_argument("--kill", type=int, default=200_000, help="posts of the kill test; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "POSTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one[0], int(given.one[1]), given.seed)))
        return
    where = machine("dask", "distributed", "lightgbm", "numpy", "pyarrow")
    print(f"{where}; simulated data", flush=True)
    wanted = [("hash", size) for size in sorted(given.sizes)]
    wanted += [("real", given.real)] * bool(given.real)
    wanted += [("hash", given.kill), ("killed", given.kill)] * bool(given.kill)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    # The longest last: what the others show is there before it.
    for kind, size in sorted(dict.fromkeys(wanted), key=lambda run: run[1]):
        found[kind, size] = apart(kind, size, given.seed)
        if kind != "killed":
            print_steps(found[kind, size])
        else:
            print_kills(found["hash", size], found[kind, size])
        if given.json is not None:
            told = {"machine": where.as_json(), "runs": list(found.values())}
            given.json.write_text(json.dumps(told, indent=2) + "\n")
    print_memory([run for (kind, _), run in found.items() if kind != "killed"])
    print_many(found)


if __name__ == "__main__":
    main()
