"""The commands of training: ``python -m training --help``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from features.schemas import CreatorfitError, DataError
from training.settings import TrainingSettings

app = typer.Typer(
    help="Make worlds, check tables, train and publish models.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

Source = Annotated[str, typer.Argument(help="Folder or SQL URL that holds the tables")]
OnInvalid = Annotated[
    Literal["refuse", "quarantine"],
    typer.Option(
        help="Refuse tables with rows that break the contract, or set such rows aside in HOME"
    ),
]

# The figures of a run that are told at its end, where it has them.
TOLD = {
    "rate_deviance_explained": "deviance explained",
    "ndcg10": "NDCG@10",
    "ndcg10_rule_cosine": "NDCG@10 of the cosine alone",
    "ndcg10_rule_followers": "NDCG@10 of the number of followers alone",
}


class ConsoleReporter:
    """Steps as progress bars, facts as lines."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(title, total=total)
            yield lambda units: progress.advance(task, units)
            progress.update(task, completed=total)

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False, markup=False)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must be new or empty")],
    creators: Annotated[int, typer.Option(min=10, help="Number of creators")] = 1_000,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same world")] = 0,
) -> None:
    """Make a SIMULATED world whose truth is known, for demos and tests.

    Example: python -m training simulate var/world --creators 1000 --seed 7
    """
    from training.simulate import simulate as make
    from training.simulate import write_world

    report = ConsoleReporter(Console(stderr=True))
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: nothing is written over it")
    with report.step("Simulating", 1) as done:
        world = make(creators, seed)
        write_world(world, folder)
        done(1)
    report.say(
        f"simulated: {len(world.creators):,} creators, {len(world.posts):,} posts, "
        f"{len(world.sponsorships):,} sponsorships in {folder}; the truth is in {folder / 'truth'}"
    )


@app.command()
def validate(
    source: Source,
    on_invalid: OnInvalid = "refuse",
) -> None:
    """Check tables against the contract, and list every fault.

    Example: python -m training validate ../my-tables
    """
    from training.pipeline import read

    report = ConsoleReporter(Console(stderr=True))
    tables = read(TrainingSettings(), source, report, on_invalid)
    Console().print(f"valid: {source}, digest {tables.digest[:12]}", highlight=False)


@app.command()
def train(
    source: Source,
    on_invalid: OnInvalid = "refuse",
) -> None:
    """Fit a model, judge it on later time, log it to MLflow and publish it.

    Example: python -m training train ../my-tables
    """
    from training.pipeline import train as run

    report = ConsoleReporter(Console(stderr=True))
    trained = run(TrainingSettings(), source, report, on_invalid)
    figures = trained.bundle.manifest.metrics
    for name, words in TOLD.items():
        if name in figures:
            report.say(f"on later time, {words}: {figures[name]:.3f}")
    Console().print(
        f"version {trained.version.version} ({trained.bundle.manifest.kind})"
        + (" is the champion" if trained.promoted else " was published, not promoted"),
        highlight=False,
    )


def main() -> None:
    """Run a command; the product's own failures are told in words, with exit status 2."""
    logging.basicConfig(level=logging.WARNING)
    try:
        app()
    except CreatorfitError as error:
        Console(stderr=True).print(f"{error}", highlight=False, markup=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
