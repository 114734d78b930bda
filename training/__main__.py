"""The commands of training: ``python -m training --help``."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Table
from typer.completion import completion_init  # type: ignore[attr-defined]

from features.schemas import TABLES, CreatorfitError, DataError, InvalidTables
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from models.registry import Registry

app = typer.Typer(
    help="Make worlds, check tables, train, judge, publish and promote models. Exit statuses: "
    "0 done, 1 a finding (each command says which), 2 a failure told in words. All is written "
    "under CREATORFIT_HOME. With --json, stdout holds one JSON document; progress goes to stderr.",
    no_args_is_help=True,
    add_completion=False,  # Typer's completes a program's name; docs/completion.bash does ours
    pretty_exceptions_enable=False,
)

Source = Annotated[str, typer.Argument(help="Folder or SQL URL that holds the tables")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]
OnInvalid = Annotated[
    Literal["refuse", "quarantine"],
    typer.Option(
        help="Refuse tables with rows that break the contract, or set such rows aside in HOME"
    ),
]

COMPLETE = "_CREATORFIT_COMPLETE"  # what docs/completion.bash asks with

# The figures of a run that are told at its end, where it has them.
TOLD = {
    "rate_deviance_explained": "deviance explained",
    "rate_deviance_explained_best_rule": "deviance explained by the best simple rule",
    "rank_ndcg10": "NDCG@10",
    "rank_ndcg10_best_rule": "NDCG@10 of the best simple rule",
    "calibration_ece": "calibration error",
    "calibration_interval_coverage": "outcomes within the 80% interval",
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
        _print_json({"folder": str(folder), "simulated": True, "seed": seed, "rows": counts})


@app.command("import")
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
        _print_json(imported)


@app.command()
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
            _print_json({"valid": False, "faults": [dataclasses.asdict(f) for f in error.faults]})
        raise
    if as_json:
        _print_json(
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


@app.command()
def train(
    source: Source,
    on_invalid: OnInvalid = "refuse",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Judge on later time alone: no cold start, no ablations"),
    ] = False,
    trials: Annotated[
        int, typer.Option(min=0, help="Search over so many sets of parameters, as child runs")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a model, judge it on later time, log it to MLflow, and promote it if the gate passes.

    Writes a version into the MLflow store, a report into HOME/reports, vectors of texts into
    HOME/vectors. Exit status 0 whatever the gate says (see `history`), 2 where tables are refused.

    Example: python -m training train ../my-tables --quick

    Example: python -m training train ../my-tables
    """
    from training.pipeline import train as run

    report = ConsoleReporter(Console(stderr=True))
    trained = run(TrainingSettings(), source, report, on_invalid, not quick, trials)
    figures = trained.bundle.manifest.metrics
    for name, words in TOLD.items():
        if name in figures:
            report.say(f"on later time, {words}: {figures[name]:.3f}")
    report.say(f"report: {trained.report[0]}")
    if as_json:
        _print_json(
            {
                "version": trained.version.version,
                "run_id": trained.version.run_id,
                "kind": trained.bundle.manifest.kind,
                "promoted": trained.promoted,
                "reason": trained.decision.reason,
                "metrics": figures,
                "report": str(trained.report[0]),
                "stand_in": trained.stand_in and trained.stand_in.version.version,
            }
        )
        return
    for one in filter(None, (trained, trained.stand_in)):
        told = " is the champion" if one.promoted else " was published, not promoted"
        kind = one.bundle.manifest.kind
        Console().print(f"version {one.version.version} ({kind}){told}", highlight=False)


@app.command()
def evaluate(
    source: Source,
    model: Annotated[
        str, typer.Option(help="Alias or number of the version to judge")
    ] = "champion",
    as_json: AsJson = False,
) -> None:
    """Judge a version on outcomes it has not seen, beside baselines and without each signal.

    Writes one HTML page that stands alone, and JSON, into HOME/reports, and logs both. Exit status
    0 whatever it finds.

    Example: python -m training evaluate ../my-tables --model 3
    """
    from training.report import SHORT, verdict_of
    from training.versions import evaluate as run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), source, report, model)
    report.say(f"logged as run {found.run_id}")
    if as_json:
        Console().out(found.report[1].read_text("utf-8"), highlight=False, end="")
        return
    console = Console()
    segments = [(segment.name, segment) for segment in found.evaluation.segments]
    if found.evaluation.ablations is not None:
        segments.append(("what each signal is worth", found.evaluation.ablations))
    for told, segment in segments:
        table = Table(
            title=f"{told}: {segment.rows:,} collaborations of {segment.campaigns:,} campaigns"
        )
        table.add_column("")
        for words in SHORT.values():
            table.add_column(words, justify="right")
        for name, figures in segment.figures.items():
            table.add_row(name, *(f"{figures[one].value:.3f}" for one in SHORT))
        console.print(table)
    console.print(verdict_of(found.evaluation), highlight=False)
    console.print(f"report: {found.report[0]}", highlight=False, soft_wrap=True)


@app.command()
def finetune(source: Source, as_json: AsJson = False) -> None:
    """Teach the text encoder on briefs and posts that worked, and say whether it wins.

    Writes it into HOME/finetuned. Nothing uses it before you set it; it is logged as a run of its
    own. Exit status 0 whether it wins or not.

    Example: python -m training finetune ../my-tables
    """
    from training.finetune import log, run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), source, report)
    run_id = log(_registry(), found)
    if as_json:
        _print_json(
            {
                "folder": str(found.folder),
                "run_id": run_id,
                "wins": found.verdict.wins,
                "tags": found.tags,
            }
        )
        return
    console = Console()
    console.print(f"the fine-tuned encoder {found.tags['verdict']}", highlight=False)
    console.print(f"it lies in {found.folder}; run {run_id}", highlight=False, soft_wrap=True)
    if found.verdict.wins:
        console.print(
            f"to train with it: CREATORFIT_ENCODER={found.folder}; outcomes of campaigns before "
            f"{found.tags['cut']} are then not learned from, for it has seen them",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
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
        _print_json(plain(as_dict(found)))
    else:
        Console().print(f"{found.status}; report: {page}", highlight=False, soft_wrap=True)
    raise typer.Exit(found.exit_status)


@app.command("off-policy")
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
        _print_json(plain(dataclasses.asdict(found)))


@app.command()
def audit(as_json: AsJson = False) -> None:
    """Build the rows that were served again, and report any that differs from what was stored.

    Writes nothing. Exit status 1 where any differs, else 0.

    Example: python -m training audit
    """
    from training.audit import run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), report)
    if as_json:
        _print_json(dataclasses.asdict(found))
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


@app.command()
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
    with _waiting("Promoting"):
        registry = _registry()
        registry.promote(version, reason)
    if as_json:
        _print_json({"champion": version, "reason": reason})
        return
    Console().print(f"version {version} is the champion", highlight=False)


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Kept in the history")] = "by hand",
    as_json: AsJson = False,
) -> None:
    """Make the champion before the present one champion again, and keep the reason.

    Writes into the MLflow store alone. Exit status 2 where there was no champion before.

    Example: python -m training rollback --reason "complaints since Monday"
    """
    with _waiting("Rolling back"):
        found = _registry().rollback(reason)
    if as_json:
        _print_json({"champion": found.version, "reason": reason})
        return
    Console().print(f"version {found.version} is the champion again", highlight=False)


@app.command()
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
    service's database, vectors from the cache, rows set aside, and writes every bundle anew
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
        _print_json(dataclasses.asdict(found))
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


@app.command()
def history(as_json: AsJson = False) -> None:
    """Show what became champion or was refused, when, and why. Writes nothing.

    Example: python -m training history
    """
    with _waiting("Reading the registry"):
        events = _registry().history()
    if as_json:
        _print_json([dataclasses.asdict(event) for event in events])
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


def _registry() -> Registry:
    from models.registry import Registry

    settings = TrainingSettings()
    return Registry(settings.registry_uri, settings.artifacts)


def _waiting(told: str) -> Status:
    """Say on stderr what is waited for: opening a registry takes seconds."""
    return Console(stderr=True).status(told)


def _print_json(value: object) -> None:
    Console().out(json.dumps(value, indent=2, ensure_ascii=False), highlight=False)


def main() -> None:
    """Run a command; the product's own failures are told in words, with exit status 2."""
    logging.basicConfig(level=logging.WARNING)
    completion_init()
    try:
        app(complete_var=COMPLETE)
    except CreatorfitError as error:
        Console(stderr=True).print(f"{error}", highlight=False, markup=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
