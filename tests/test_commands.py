"""The command line teaches: every command's help, and what --json prints."""

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
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
    (module, " ".join([*group, command.name or command.callback.__name__.replace("_", "-")]))
    for module, app in APPS.items()
    for group, of_group in [
        ((), app),
        *(((one.name,), one.typer_instance) for one in app.registered_groups),
    ]
    for command in of_group.registered_commands
]
# Those that print no result of their own, or print JSON without being told.
WITHOUT_JSON = {("service", "serve"), ("service", "rank")}


def help_of(module, name):
    command = typer.main.get_command(APPS[module])
    for one in name.split():
        command = command.commands[one]
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
    done = CliRunner().invoke(APPS[module], [*name.split(), "--help"], env={"COLUMNS": "100"})
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


@pytest.fixture
def keys(tmp_path, url):
    """Runs commands of the service on a database of their own."""
    environment = {"CREATORFIT_HOME": str(tmp_path), "CREATORFIT_DATABASE_URL": url}

    def run(*arguments, status=0):
        done = CliRunner().invoke(service, [str(one) for one in arguments], env=environment)
        assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
        return done

    return run


def test_keys_are_made_listed_rotated_and_revoked(keys):
    made = keys("keys", "create", "web [shop]", "--scope", "recommend", "--scope", "outcomes")
    token = made.stdout.strip()
    assert re.fullmatch(r"creatorfit_[0-9a-f]{12}_[\w-]{43}", token), "the key and nothing else"
    [one] = json.loads(keys("keys", "list", "--json").stdout)
    assert (one["name"], one["scopes"]) == ("web [shop]", ["recommend", "outcomes"])
    assert one["taken"] is True and one["last_used_at"] is None
    assert token.split("_")[1] == one["key_id"] and not {"digest", "key"} & one.keys()
    rotated = keys("keys", "rotate", one["key_id"], "--overlap-hours", 1, "--json")
    new = json.loads(rotated.stdout)
    assert new["key"].startswith("creatorfit_") and new["scopes"] == one["scopes"]
    first, second = json.loads(keys("keys", "list", "--json").stdout)
    hours = datetime.fromisoformat(first["expires_at"]) - datetime.fromisoformat(
        second["created_at"]
    )
    assert hours == timedelta(hours=1) and first["taken"] and second["expires_at"] is None
    keys("keys", "revoke", new["key_id"])
    listed = keys("keys", "list").stdout
    assert "web [shop]" in listed and "revoked 20" in listed and "taken until 20" in listed
    logged = json.loads(keys("changes", "--json").stdout)
    assert [change["what"] for change in logged] == ["key revoked", "key rotated", "key created"]
    assert {change["who"] for change in logged} == {"command line"}
    assert new["key_id"] in keys("changes").stdout
    assert token not in listed + json.dumps(logged)


def test_keys_that_cannot_be_made_or_ended_are_told_in_words(keys):
    for arguments in (("rotate", "nothing"), ("revoke", "nothing")):
        done = keys("keys", *arguments, status=1)  # `main` makes exit status 2 of it
        assert isinstance(done.exception, CreatorfitError)
        assert "keys list" in str(done.exception)
    for name in ("", "a\nb", "\u202eb", "x" * 101):
        keys("keys", "create", name, "--scope", "admin", status=2)
    keys("keys", "create", "a", status=2)
    keys("keys", "create", "a", "--scope", "everything", status=2)
    assert json.loads(keys("keys", "list", "--json").stdout) == []


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
