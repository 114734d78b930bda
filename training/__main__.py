"""The commands of training: ``python -m training --help``.

What each does is in ``training/commands_*.py``; here is their order, and how failures are told.
"""

from __future__ import annotations

import logging

import typer
from rich.console import Console
from typer.completion import completion_init  # type: ignore[attr-defined]

from features.schemas import CreatorfitError
from training.commands_forget import forget
from training.commands_models import evaluate, finetune, train
from training.commands_refresh import refresh
from training.commands_served import audit, monitor, off_policy
from training.commands_tables import import_files, simulate, validate
from training.commands_versions import history, promote, rollback

app = typer.Typer(
    help="Make worlds, check tables, train, judge, publish and promote models. Exit statuses: "
    "0 done, 1 a finding (each command says which), 2 a failure told in words. All is written "
    "under CREATORFIT_HOME. With --json, stdout holds one JSON document; progress goes to stderr.",
    no_args_is_help=True,
    add_completion=False,  # Typer's completes a program's name; docs/completion.bash does ours
    pretty_exceptions_enable=False,
)

# In the order of the help.
app.command()(simulate)
app.command("import")(import_files)
app.command()(validate)
app.command()(train)
app.command()(refresh)
app.command()(evaluate)
app.command()(finetune)
app.command()(monitor)
app.command("off-policy")(off_policy)
app.command()(audit)
app.command()(promote)
app.command()(rollback)
app.command()(forget)
app.command()(history)

COMPLETE = "_CREATORFIT_COMPLETE"  # what docs/completion.bash asks with


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
