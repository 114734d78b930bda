"""The commands of the service: ``python -m service --help``."""

from __future__ import annotations

import json
import os
import sys
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from typer.completion import completion_init  # type: ignore[attr-defined]

from features.schemas import Brief, BriefError, CreatorfitError
from features.store import open_store, open_store_if_there
from models import ranker
from service import server, wire
from service.commands_keys import changes, keys
from service.guard import check_address
from service.metrics import folder_for_workers
from service.recorder import Recorder
from service.reload import ModelHolder
from service.retention import Retention
from service.settings import ServiceSettings
from service.show import show, wide_console

app = typer.Typer(
    help="Rank creators for a brief, over HTTP or here. Exit statuses: 0 done, 2 a failure told in "
    "words.",
    no_args_is_help=True,
    add_completion=False,  # Typer's completes a program's name; docs/completion.bash does ours
    pretty_exceptions_enable=False,
)

app.add_typer(keys, name="keys")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes to run")] = None,
) -> None:
    """Serve the API, until interrupted.

    Loads the champion, and every later one by itself; writes what was served and what came of it
    into HOME/service.db. docs/operations.md says how to run it. Where others reach the address it
    asks for API keys; exit status 2 where there is none yet.

    Example: python -m service serve --port 8000
    """
    if workers is not None:
        os.environ["CREATORFIT_WORKERS"] = str(workers)  # read by each process that is started
    settings = ServiceSettings()
    host = settings.host if host is None else host
    check_address(settings, host)
    port = settings.port if port is None else port
    alone = settings.workers == 1
    several = nullcontext() if alone else folder_for_workers(settings.home, host, port)
    with several:
        server.serve(settings, host, port)


@app.command()
def prune(
    days: Annotated[
        int | None, typer.Option(min=1, help="Keep so many days, not CREATORFIT_KEEP_SERVED_DAYS")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Delete what was served longer ago than it is kept, as a running service does by itself.

    Outcomes stay, and so do the answers of campaigns of which outcomes came in since. Writes the
    service's database. Exit status 2 where it is away.

    Example: python -m service prune --days 90
    """
    settings = ServiceSettings()
    keep = settings.keep_served_days if days is None else days
    deleted = 0
    store = open_store_if_there(settings.store_url)
    if store is not None:
        deleted = Retention(store, keep).delete_old()
        store.close()
    if as_json:
        print(json.dumps({"deleted": deleted, "days": keep}))
    else:
        print(f"{deleted:,} answers deleted that were older than {keep:,} days")


@app.command()
def rank(
    brief_file: Annotated[Path, typer.Argument(metavar="BRIEF.json", help="The brief")],
    table: Annotated[bool, typer.Option("--table", help="Print a table instead of JSON")] = False,
) -> None:
    """Rank creators for a brief, without HTTP: the same answer, as JSON or as a table.

    Stores what was served, as the API does. Exit status 2 where a field of the brief is wrong, or
    nothing was published yet.

    Example: python -m service rank examples/brief.json --table
    """
    _keep_stdout_for_the_answer()
    brief = read_brief(brief_file)
    settings = ServiceSettings()
    holder = ModelHolder(settings)
    holder.refresh()
    served = holder.current()
    recommendation_id = uuid.uuid4()
    answered = ranker.answer(served.bundle, brief, seed=recommendation_id.int)
    store = open_store(settings.store_url)
    recorder = Recorder(store, settings.log_candidates, holder.forgotten, background=False)
    recorder.record_answered(str(recommendation_id), served, brief, answered)
    store.close()
    body = wire.recommendation(str(recommendation_id), served, answered.recommendation)
    answer = wire.RecommendationResponse.model_validate_json(body)
    if table:
        show(answer, wide_console())
    else:
        print(answer.model_dump_json(indent=2))


app.command()(changes)


def _keep_stdout_for_the_answer() -> None:
    """Send what a library prints past Python to stderr, as HiGHS does on some briefs."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


def read_brief(path: Path) -> Brief:
    """Read a brief from a JSON file.

    Raises:
        BriefError: It cannot be read, or a field of it is wrong.
    """
    try:
        return Brief.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            faults = [
                (wire.json_pointer(f["loc"]), wire.fault_in_words(f["type"], f["msg"]))
                for f in error.errors()
            ]
            others = "".join(f"\n{pointer}: {words}" for pointer, words in faults[1:])
            raise BriefError(faults[0][0], faults[0][1] + others) from error
        raise BriefError(str(path), str(error)) from error


def main() -> None:
    """Run a command; the product's own failures are told in words, with exit status 2."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    completion_init()
    try:
        app(complete_var="_CREATORFIT_COMPLETE")  # what docs/completion.bash asks with
    except CreatorfitError as error:
        Console(stderr=True).print(str(error), highlight=False, markup=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
