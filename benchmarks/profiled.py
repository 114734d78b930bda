"""Where the time of a request and of a training run goes, as py-spy sees it.

    python -m benchmarks.profiled request BUNDLE [--seconds 20]
    python -m benchmarks.profiled training WORLD

BUNDLE is a folder that training wrote, or one of `benchmarks.crowd`; it is asked brief after brief,
none of them twice, once it is warm. WORLD is a folder of tables; `train --quick` runs on it into a
home of its own, so that every text is encoded. Printed: each function of the product that was on a
stack in at least `LEAST` of the samples, with its share, and with what of that was its own or that
of libraries that it called. Needs py-spy, from the `dev` extra.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RATE = 100  # samples a second
LEAST = 0.02
FRAME = re.compile(r"(?P<name>\S+) \((?P<file>(?:features|models|training|service)/\S+?\.py)")

ASKING = """
import itertools, json, sys, time
import orjson
from pathlib import Path
from benchmarks.requests import briefs, ours_of
from models.bundle import load

def warm(ours, some):
    for brief in itertools.islice(some, 5):
        ours(brief)

def measured(ours, some, until):
    for brief in some:
        if time.monotonic() > until:
            return
        ours(brief)

ours, some = ours_of(load(Path(sys.argv[1]))), briefs(50)
warm(ours, some)
measured(ours, some, time.monotonic() + float(sys.argv[2]))
"""


def stacks(command: list[str], within: str | None = None) -> list[tuple[list[str], int]]:
    """Run a command under py-spy; each stack of the product's functions, and its samples.

    Args:
        command: What is run, from the root of the project.
        within: Only samples with this function on their stack count.
    """
    with tempfile.TemporaryDirectory(prefix="creatorfit-profile-") as scratch:
        raw = Path(scratch) / "stacks"
        spy = [
            str(Path(sys.executable).with_name("py-spy")),
            "record",
            "--format",
            "raw",
            "--function",
            "--rate",
            str(RATE),
        ]
        environment = os.environ | {"CREATORFIT_HOME": f"{scratch}/home", "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*spy, "--output", str(raw), "--", *command],
            check=True,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=None,
        )
        lines = raw.read_text("utf-8").splitlines()
    found = []
    for line in lines:
        told, _, samples = line.rpartition(" ")
        if within is None or within in told:
            own = [f"{m['file']} {m['name']}" for m in map(FRAME.search, told.split(";")) if m]
            found.append((own, int(samples)))
    return found


def shares(found: list[tuple[list[str], int]]) -> list[tuple[str, float, float]]:
    """Each function, the share of samples it was on the stack in, and that it was the last of."""
    total = sum(samples for _, samples in found)
    inside: Counter[str] = Counter()
    last: Counter[str] = Counter()
    for own, samples in found:
        for name in set(own):
            inside[name] += samples
        if own:
            last[own[-1]] += samples
    told = [(name, count / total, last[name] / total) for name, count in inside.most_common()]
    return [one for one in told if one[1] >= LEAST]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("request", "training"))
    parser.add_argument("folder", type=Path, help="a bundle, or tables")
    parser.add_argument("--seconds", type=float, default=20.0, help="of requests")
    given = parser.parse_args()
    python, folder = sys.executable, str(given.folder.resolve())
    if given.what == "request":
        found = stacks([python, "-c", ASKING, folder, str(given.seconds)], "measured (")
    else:
        found = stacks([python, "-m", "training", "train", folder, "--quick"])
    print(f"{machine('py-spy', 'numpy', 'lightgbm')}; {sum(n for _, n in found):,} samples")
    print(f"{'in it':>7}{'its own':>9}")
    for name, inside, last in shares(found):
        print(f"{inside:7.1%}{last:9.1%}  {name}")


if __name__ == "__main__":
    main()
