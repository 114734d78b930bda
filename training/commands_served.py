"""The commands that look after what is served: does it hold, would another have done better.

They change nothing that is served.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.console import AsJson, ConsoleReporter, Source, print_json
from training.settings import TrainingSettings


def monitor(
    source: Source,
    model: Annotated[
        str, typer.Option(help="Alias or number of the version to look after")
    ] = "champion",
    as_json: AsJson = False,
) -> None:
    """Say what moved since a version was trained, and whether its promises still hold.

    Writes an HTML page and JSON into HOME/reports. Exit status 1 where something is wrong, else 0.

    Example: python -m training monitor ../my-tables || echo "look at var/reports/monitor.html"
    """
    from training.monitor import run
    from training.monitor_page import as_dict, write
    from training.report import plain

    settings = TrainingSettings()
    report = ConsoleReporter(Console(stderr=True))
    found = run(settings, source, report, model)
    page, _ = write(found, settings.home / "reports")
    if as_json:
        print_json(plain(as_dict(found)))
    else:
        Console().print(f"{found.status}; report: {page}", highlight=False, soft_wrap=True)
    raise typer.Exit(found.exit_status)


def off_policy(
    log: Annotated[
        str,
        typer.Argument(
            help="File or folder of what was served, or `store`: what the service stored"
        ),
    ],
    source: Source,
    model: Annotated[
        str, typer.Option(help="Alias or number of the version to ask about")
    ] = "champion",
    temperature: Annotated[
        float | None,
        typer.Option(min=0, help="Ask about a softmax of its scores, not about its highest"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a version would have earned on what was served, from what came of it.

    Writes nothing. Exit status 2 where too little was served, or nothing came of it yet.

    Example: python -m training off-policy store ../my-tables --model 3
    """
    from training.offpolicy import run
    from training.report import plain

    report = ConsoleReporter(Console(stderr=as_json))
    found = run(TrainingSettings(), log, source, model, report, temperature=temperature)
    if as_json:
        print_json(plain(dataclasses.asdict(found)))


def audit(as_json: AsJson = False) -> None:
    """Build the rows that were served again, and report any that differs from what was stored.

    Writes nothing. Exit status 1 where any differs, else 0.

    Example: python -m training audit
    """
    from training.audit import run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), report)
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        console = Console()
        if found.differences:
            table = Table(title="Stored rows that differ from those built again")
            table.add_column("feature")
            for title in ("rows", "largest difference", "first answer", "creator"):
                table.add_column(title, justify="right", overflow="fold")
            for one in found.differences:
                largest = "–" if one.largest is None else f"{one.largest:.6g}"
                table.add_row(
                    one.feature, f"{one.rows:,}", largest, one.recommendation_id, one.creator_id
                )
            console.print(table)
        told = (
            f"{found.answers:,} answers, {found.rows:,} rows: "
            f"{found.differing:,} differ; {found.skipped:,} answers could not be checked"
        )
        console.print(told, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if found.differing else 0)
