"""What the commands share: options of the same meaning, progress on stderr, JSON on stdout.

It knows nothing about any one command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status

if TYPE_CHECKING:
    from models.registry import Registry
    from training.settings import TrainingSettings

Source = Annotated[str, typer.Argument(help="Folder or SQL URL that holds the tables")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]
OnInvalid = Annotated[
    Literal["refuse", "quarantine"],
    typer.Option(
        help="Refuse tables with rows that break the contract, or set such rows aside in HOME"
    ),
]


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


def registry_of(settings: TrainingSettings) -> Registry:
    """The registry, opened; MLflow is imported here, for it takes seconds."""
    from models.registry import Registry

    return Registry(settings.registry_uri, settings.artifacts)


def waiting(told: str) -> Status:
    """Say on stderr what is waited for: opening a registry takes seconds."""
    return Console(stderr=True).status(told)


def print_json(value: object) -> None:
    """The command's result as one JSON document on stdout."""
    Console().out(json.dumps(value, indent=2, ensure_ascii=False), highlight=False)
