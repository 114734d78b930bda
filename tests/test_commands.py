"""The command line teaches: every command's help, and what --json prints."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from conftest import ENCODER, database_of
from typer.testing import CliRunner

from features.schemas import CreatorfitError
from service.__main__ import app as service
from training.__main__ import app as training
from training.simulate import write_world

ROOT = Path(__file__).parents[1]
APPS = {"training": training, "service": service}
COMMANDS = [
    (module, command.name or command.callback.__name__.replace("_", "-"))
    for module, app in APPS.items()
    for command in app.registered_commands
]
# Those that print no result of their own, or print JSON without being told.
WITHOUT_JSON = {("service", "serve"), ("service", "rank")}


def help_of(module, name):
    command = typer.main.get_command(APPS[module]).commands[name]
    return command, " ".join((command.help or "").split())


@pytest.mark.parametrize(("module", "name"), COMMANDS)
def test_every_command_teaches(module, name):
    command, told = help_of(module, name)
    assert f"Example: python -m {module} {name}" in told
    assert re.search(r"[Ww]rites|[Pp]uts|[Ss]tores|[Cc]hanges nothing", told), "what it writes"
    assert "Exit status" in told or name in ("simulate", "history", "serve"), "exit statuses"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} says nothing"
    options = {option for one in command.params for option in one.opts}
    assert ("--json" in options) != ((module, name) in WITHOUT_JSON)


@pytest.mark.parametrize(("module", "name"), COMMANDS)
def test_help_is_printed_whole(module, name):
    done = CliRunner().invoke(APPS[module], [name, "--help"], env={"COLUMNS": "100"})
    assert done.exit_code == 0 and "Example: python -m" in done.stdout


@pytest.fixture(scope="module")
def desk(small_world, tmp_path_factory):
    """Runs commands in a home of their own; a second training makes a second version."""
    folder = tmp_path_factory.mktemp("commands")
    write_world(small_world, folder / "world")
    environment = {
        "CREATORFIT_HOME": str(folder / "home"),
        "CREATORFIT_ENCODER": "hash",
        "CREATORFIT_THREADS": "1",
        **database_of(folder / "home"),
    }
    assert ENCODER.name == "hash"

    def run(*arguments, status=0):
        done = CliRunner().invoke(training, [str(one) for one in arguments], env=environment)
        assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
        return done

    return folder, run


def test_json_is_one_document_and_nothing_else(desk):
    folder, run = desk
    world = folder / "world"

    def told(*arguments, status=0):
        return json.loads(run(*arguments, "--json", status=status).stdout)

    assert told("simulate", folder / "other", "--creators", 20)["rows"]["creators"] == 20
    valid = told("validate", world)
    assert valid["valid"] is True and valid["rows"]["creators"] == 60
    assert told("history") == []
    first, second = (told("train", world, "--quick") for _ in range(2))
    assert (first["version"], first["promoted"]) == ("1", True)
    assert (second["version"], second["promoted"]) == ("2", True)
    assert told("promote", 1, "--reason", "a test") == {"champion": "1", "reason": "a test"}
    assert told("rollback")["champion"] == "2"
    assert [event["what"] for event in told("history")][-1] == "rolled back to"
    assert told("audit")["answers"] == 0
    assert told("monitor", world)["status"]
    forgotten = told("forget", "c000003", "--source", world)
    assert forgotten["added"] == 1 and forgotten["left"] == []


def test_faults_are_json_too(tmp_path):
    (tmp_path / "creators.csv").write_text("creator_id,platform,handle\nc1,myspace,@a\n")
    (tmp_path / "posts.csv").write_text(
        "post_id,creator_id,published_at,text,likes,comments\np1,c1,2025-01-01,hi,1,0\n"
    )
    done = CliRunner().invoke(training, ["validate", str(tmp_path), "--json"])
    assert isinstance(done.exception, CreatorfitError)  # `main` makes exit status 2 of it
    found = json.loads(done.stdout)
    assert found["valid"] is False and found["faults"][0]["column"] == "platform"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["-m", "training", "ro"], "rollback"),
        (["-m", "training", "train", "--tri"], "--trials"),
        (["-m", "service", ""], "rank"),
    ],
)
def test_bash_completes(words, wanted):
    listed = " ".join(f"'{word}'" for word in [sys.executable, *words])
    script = (
        f". docs/completion.bash\nCOMP_WORDS=({listed})\nCOMP_CWORD={len(words)}\n"
        '_creatorfit\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert wanted in done.stdout.split()


def test_bash_leaves_other_commands_of_python_alone():
    script = (
        ". docs/completion.bash\nCOMP_WORDS=(python -m json.tool a)\nCOMP_CWORD=3\n"
        '_creatorfit\necho "${#COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "0"
