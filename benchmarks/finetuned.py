"""Whether an encoder fine-tuned on what worked orders creators better than those there are.

    python -m benchmarks.finetuned [--home var/benchmarks/finetuned]

Two SIMULATED worlds of seeds that served for no choice, and `../shared/data/world_us`, whose texts
are real and whose outcomes are SIMULATED. In each, `training.finetune` trains all-MiniLM-L6-v2 on
the briefs and posts that worked in the first four fifths of time; printed is how well it, its base
and the default encoder order the creators of the campaigns after that: NDCG@10 of observed rates
within a campaign, and AUC of the creators chosen against 30 others drawn at random, both for the
cosine and for the projected similarity, with 90% intervals over campaigns; and the verdict. Where
no judged brief is new, what is seen is how well known briefs are told again.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.worlds import make_world
from training.bootstrap import Figure
from training.finetune import Finetuned, run
from training.finetune_judge import FIGURES
from training.settings import TrainingSettings

SEEDS = (401, 402)
CREATORS = 300
HOME = Path("var/benchmarks/finetuned")
DATA = Path("../shared/data/world_us")


class Lines:
    """Says facts and how long each step took, on the console of errors."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, width=120)

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        began = time.perf_counter()
        yield lambda units: None
        self.say(f"{title}: {time.perf_counter() - began:.0f} s")

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False)


def main() -> None:
    """Print a table for each world."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, default=HOME)
    home = parser.parse_args().home
    settings, report, console = TrainingSettings(home=home), Lines(), Console(width=120)
    for seed in SEEDS:
        make_world(CREATORS, seed, home)
        found = run(settings, str(home / f"world{CREATORS}_{seed}"), report)
        console.print(_table(f"SIMULATED world of {CREATORS} creators, seed {seed}", found))
        console.print(f"The fine-tuned encoder {found.verdict.words}\n", highlight=False)
    if not DATA.is_dir():
        console.print(f"{DATA} is not there: skipped")
        return
    found = run(settings, str(DATA), report)
    console.print(_table("world_us: real texts, SIMULATED outcomes", found))
    console.print(f"The fine-tuned encoder {found.verdict.words}", highlight=False)


def _table(title: str, found: Finetuned) -> Table:
    count = found.metrics
    table = Table(
        title=f"{title}: {count['pairs']:,.0f} pairs, {count['judged_campaigns']:.0f} campaigns "
        f"judged, {count['judged_campaigns_of_new_briefs']:.0f} of briefs not learned from, "
        f"{platform.machine()}"
    )
    table.add_column("")
    for words in FIGURES.values():
        table.add_column(words, justify="right")
    for name, figures in found.verdict.figures.items():
        table.add_row(name, *(_shown(figures[key]) for key in FIGURES))
    return table


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.2f} to {figure.high:.2f})"


if __name__ == "__main__":
    main()
