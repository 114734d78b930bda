"""The commands that say which version is served, and keep why.

They fit and judge nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.console import AsJson, print_json, registry_of, waiting
from training.settings import TrainingSettings


def promote(
    version: Annotated[str, typer.Argument(help="Number of the version")],
    reason: Annotated[
        str, typer.Option(help="Kept in the history, for whoever asks later")
    ] = "by hand, without the gate",
    as_json: AsJson = False,
) -> None:
    """Make a version the champion, whatever the gate said of it, and keep the reason.

    Writes into the MLflow store alone; a running service takes it up by itself within
    CREATORFIT_POLL_SECONDS. Exit status 2 where there is no such version.

    Example: python -m training promote 3 --reason "the gate's test part held one odd campaign"
    """
    with waiting("Promoting"):
        registry = registry_of(TrainingSettings())
        registry.promote(version, reason)
    if as_json:
        print_json({"champion": version, "reason": reason})
        return
    Console().print(f"version {version} is the champion", highlight=False)


def rollback(
    reason: Annotated[str, typer.Option(help="Kept in the history")] = "by hand",
    as_json: AsJson = False,
) -> None:
    """Make the champion before the present one champion again, and keep the reason.

    Writes into the MLflow store alone. Exit status 2 where there was no champion before.

    Example: python -m training rollback --reason "complaints since Monday"
    """
    with waiting("Rolling back"):
        found = registry_of(TrainingSettings()).rollback(reason)
    if as_json:
        print_json({"champion": found.version, "reason": reason})
        return
    Console().print(f"version {found.version} is the champion again", highlight=False)


def history(as_json: AsJson = False) -> None:
    """Show what became champion or was refused, when, and why. Writes nothing.

    Example: python -m training history
    """
    with waiting("Reading the registry"):
        events = registry_of(TrainingSettings()).history()
    if as_json:
        print_json([dataclasses.asdict(event) for event in events])
        return
    if not events:
        Console().print("nothing was published yet: python -m training train DIR")
        return
    table = Table()
    for title in ("when (UTC)", "version", "what", "why"):
        table.add_column(title, overflow="fold")
    for event in events:
        table.add_row(event.at[:19].replace("T", " "), event.version, event.what, event.reason)
    Console().print(table)
