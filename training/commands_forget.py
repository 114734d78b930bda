"""The command that forgets creators, and its table of what was deleted.

How each place forgets is training/forget.py's.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from features.schemas import DataError
from training.console import AsJson, ConsoleReporter, print_json
from training.settings import TrainingSettings


def forget(
    creator_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CREATOR_ID]...",
            help="Whom to forget; with none, those on the list already, as after a restored backup",
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A file of ids too, one a line")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Tables that say which texts are theirs alone; without it every vector is deleted "
            "from the cache, and made again by the next training"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forget creators everywhere: in what is served, stored, cached and published, for good.

    Puts salted hashes of their ids into HOME/forgotten.txt, which `train` and the service read:
    who is on it is left out of tables and hidden at once. Deletes their outcomes and rows from the
    service's database, vectors and readings of texts, rows set aside, and writes every bundle anew
    without them. Your own tables are yours to edit. What a model learned from them with all others
    stays in its weights until `train`. Exit status 1 where something is left to do, else 0.

    Example: python -m training forget c000017 c000099 --source ../my-tables

    Example: python -m training forget --file removed.txt
    """
    from training.forget import forget as run
    from training.forget import in_words

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), _ids(creator_ids or [], file), report, source)
    if as_json:
        print_json(dataclasses.asdict(found))
        raise typer.Exit(1 if found.left else 0)
    table = Table(title=f"{found.listed:,} creators are forgotten, {found.added:,} of them new")
    table.add_column("where")
    table.add_column("deleted", justify="right")
    erased = found.database
    for where, count in (
        ("outcomes in the database", erased.outcomes if erased else 0),
        ("answers in the database that held them", erased.answers if erased else 0),
        ("vectors in the cache", found.vectors),
        ("rows set aside", found.set_aside),
        ("bundles on this disk", len(found.bundles)),
        ("published versions", len(found.versions)),
    ):
        table.add_row(where, f"{count:,}")
    console = Console()
    console.print(table)
    if found.in_tables:
        told = f"{source} still holds {in_words(found.in_tables)} of theirs: it is yours to edit"
        console.print(told, highlight=False, soft_wrap=True)
    for one in found.left:
        console.print(f"left: {one}", highlight=False, markup=False, soft_wrap=True)
    console.print("`python -m training train DIR` makes a model that never saw them.")
    raise typer.Exit(1 if found.left else 0)


def _ids(named: list[str], file: Path | None) -> list[str]:
    if file is None:
        return named
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read ({error}); one id a line, in UTF-8") from error
    return [*named, *filter(None, (line.strip() for line in lines))]
