"""The commands that make, import and check tables.

They know nothing about models.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from features.schemas import TABLES, DataError, InvalidTables
from training.console import AsJson, ConsoleReporter, OnInvalid, Source, print_json
from training.settings import TrainingSettings


def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must be new or empty")],
    creators: Annotated[int, typer.Option(min=20, help="Number of creators")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same seed gives the same world")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a SIMULATED world whose truth is known, for demos and tests.

    Writes the five tables into FOLDER, and what was put in into FOLDER/truth.

    Example: python -m training simulate var/world --creators 1000 --seed 7
    """
    from training.simulate import simulate as make
    from training.simulate import write_world

    report = ConsoleReporter(Console(stderr=True))
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: name a new folder, or delete this one first")
    with report.step("Simulating", 1) as done:
        world = make(creators, seed)
        write_world(world, folder)
        done(1)
    report.say(
        f"simulated: {len(world.creators):,} creators, {len(world.posts):,} posts, "
        f"{len(world.sponsorships):,} sponsorships in {folder}; the truth is in {folder / 'truth'}"
    )
    if as_json:
        counts = {name: len(getattr(world, name)) for name in TABLES}
        print_json({"folder": str(folder), "simulated": True, "seed": seed, "rows": counts})


def import_files(
    source: Annotated[
        str,
        typer.Argument(
            help="What the files are: youtube, instagram, tiktok or spreadsheet; of outcomes: "
            "codes, shopify or ga4"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of tables to write into, or a new one")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="The export's files; JSON in folders too")
    ] = None,
    bookings: Annotated[
        Path | None,
        typer.Option(
            help="CSV, JSON lines or Parquet: who was booked, from when until when, by which "
            "code, utm_content, utm_campaign or utm_source"
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="Take a column for a field, such as code=Coupon; repeatable"),
    ] = None,
    dates: Annotated[
        Literal["auto", "iso", "dmy", "mdy"], typer.Option(help="What 03/04/2026 means")
    ] = "auto",
    decimal: Annotated[
        Literal["auto", "point", "comma"], typer.Option(help="What 1.234 means")
    ] = "auto",
    timezone: Annotated[
        str, typer.Option(help="Zone of times without one, such as Europe/Berlin")
    ] = "UTC",
    currency: Annotated[
        str | None, typer.Option(help="Revenue counts in it alone; CREATORFIT_CURRENCY unless told")
    ] = None,
    covers: Annotated[
        str | None,
        typer.Option(help="Days the export covers, such as 2026-01-01/2026-03-31"),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Where it is neither UTF-8 nor UTF-16, such as cp1252")
    ] = None,
    on_invalid: Annotated[
        Literal["refuse", "quarantine"],
        typer.Option(
            help="Refuse rows that cannot be read, or list them in OUT/unjoined.csv (outcomes) or "
            "OUT/set_aside.csv"
        ),
    ] = "refuse",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say all, write nothing")] = False,
    table: Annotated[
        Literal["creators", "posts", "sponsorships"] | None,
        typer.Option(help="What a spreadsheet holds; guessed from its columns unless told"),
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="Where a spreadsheet's creators are, if it does not say")
    ] = None,
    observed_at: Annotated[
        str | None,
        typer.Option(help="When what the files say was so; their own time unless told"),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(help="Fetch these from YouTube, in place of files: @handle,UC…; repeatable"),
    ] = None,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable that holds the API key")
    ] = "YOUTUBE_API_KEY",
    quota: Annotated[int, typer.Option(min=1, help="Units a fetch may spend in a day")] = 10_000,
    videos: Annotated[int, typer.Option(min=0, help="Latest videos of each channel")] = 200,
    api_url: Annotated[
        str | None, typer.Option(help="Where the API answers, such as a proxy of your own")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import what platforms, shops and people's own lists hold, into the tables.

    youtube, instagram, tiktok and spreadsheet write creators, posts and followers (spreadsheet
    also sponsorships). Whatever is there is merged: the latest observation wins.

    Example: python -m training import youtube answers/ --out my-tables

    Example: python -m training import youtube --channels @handle,UC… --out my-tables

    Example: python -m training import instagram business_discovery.json --out my-tables

    Example: python -m training import tiktok answers/ --out my-tables

    Example: python -m training import spreadsheet list.xlsx --map handle=Username --out my-tables

    codes, shopify and ga4 join what came of bookings to who was booked, by code or tag. That
    writes OUT/sponsorships.csv (merged by sponsorship_id where it is there) and OUT/unjoined.csv,
    which lists every row that was not counted, and why. --json prints what was done.

    Example: python -m training import codes redemptions.csv --bookings plan.csv --out my-tables

    Example: python -m training import shopify orders_export.csv --bookings plan.csv --out my-tables

    Exit status 2 where rows cannot be read or may be read in two ways.

    Example: python -m training import ga4 traffic.csv --bookings plan.csv --out my-tables
    """
    from training.sources import Request, source_of
    from training.sources.options import fetch_of, moment_of, reading_of, span_of

    reading = reading_of(
        timezone, currency or TrainingSettings().currency, dates, decimal, columns or [], encoding
    )
    span = None if covers is None else span_of(covers, reading)
    request = Request(
        files or [],
        out,
        bookings,
        reading,
        span,
        on_invalid,
        dry_run,
        None if observed_at is None else moment_of(observed_at, reading),
        table,
        platform,
        None if not channels else fetch_of(source, channels, api_key_env, quota, videos, api_url),
    )
    imported = source_of(source).run(request, ConsoleReporter(Console(stderr=True)))
    if as_json:
        print_json(imported)


def validate(
    source: Source,
    on_invalid: OnInvalid = "refuse",
    as_json: AsJson = False,
) -> None:
    """Check tables against the contract, and list every fault.

    Changes nothing; with --on-invalid quarantine, writes rows at fault into HOME/quarantine. Exit
    status 2 where the tables are refused. docs/data.md says what they must be.

    Example: python -m training validate ../my-tables
    """
    from training.pipeline import read

    report = ConsoleReporter(Console(stderr=True))
    try:
        tables = read(TrainingSettings(), source, report, on_invalid)
    except InvalidTables as error:
        if as_json:
            print_json({"valid": False, "faults": [dataclasses.asdict(f) for f in error.faults]})
        raise
    if as_json:
        print_json(
            {
                "valid": True,
                "digest": tables.digest,
                "rows": {name: len(getattr(tables, name)) for name in TABLES},
                "set_aside": tables.quarantined,
                "warnings": tables.warnings,
            }
        )
        return
    Console().print(f"valid: {source}, digest {tables.digest[:12]}", highlight=False)
