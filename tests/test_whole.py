"""The whole product from the outside: commands in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from features.settings import HomeSettings
from features.store import open_store
from tests.conftest import database_of

ROOT = Path(__file__).parents[1]
BRIEF = ROOT / "examples" / "brief.json"
HEAVY = ("torch", "sentence_transformers", "dask", "matplotlib")


def run(*arguments, home, check=True, module=True):
    """Run a command of the product with a home of its own; returns what it printed."""
    import os

    environment = os.environ | {"CREATORFIT_HOME": str(home), "CREATORFIT_ENCODER": "hash"}
    environment |= {"CREATORFIT_THREADS": "1"} | database_of(home)
    command = [sys.executable, *(["-m"] if module else []), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr}")
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in which the commands themselves made a world and trained on it."""
    home = tmp_path_factory.mktemp("whole")
    run("training", "simulate", home / "world", "--creators", 150, "--seed", 3, home=home)
    assert "valid" in run("training", "validate", home / "world", home=home).stdout
    told = run("training", "train", home / "world", "--quick", home=home).stdout
    assert "version 1 (outcomes) was published, not promoted" in told
    assert "version 2 (heuristic) is the champion" in told
    # A hash knows no meaning, so the gate refuses what was learned: it is served all the same here.
    run("training", "promote", 1, "--reason", "for the tests", home=home)
    return home


def test_rank_prints_the_contracts_answer(home):
    answer = json.loads(run("service", "rank", BRIEF, home=home).stdout)
    assert answer["model"]["version"] == "1"
    assert len(answer["items"]) == json.loads(BRIEF.read_text())["limit"]
    assert answer["portfolio"]["spend"] <= 5000


def test_http_and_the_command_line_give_the_same_answer(home):
    line = json.loads(run("service", "rank", BRIEF, home=home).stdout)
    over_http = run("examples.ask", BRIEF, "--json", home=home)
    http = json.loads(over_http.stdout)
    assert line.pop("recommendation_id") != http.pop("recommendation_id")
    assert line == http


def test_what_was_served_is_stored_and_audited(home):
    answer = json.loads(run("service", "rank", BRIEF, home=home).stdout)
    found = json.loads(run("training", "audit", "--json", home=home).stdout)
    assert found["answers"] >= 1 and found["rows"] >= len(answer["items"])
    assert (found["differing"], found["skipped"]) == (0, 0)
    store = open_store(HomeSettings(home=home).store_url)
    assert answer["recommendation_id"] in store.answers([answer["recommendation_id"]])
    store.close()
    none = run("training", "audit", home=home / "another")
    assert "0 answers" in none.stdout and not (home / "another").exists()


def test_the_service_imports_nothing_heavy(home):
    code = (
        "import sys, json\n"
        "from service.__main__ import read_brief\n"
        "from service.app import create_app\n"
        "from fastapi.testclient import TestClient\n"
        "with TestClient(create_app()) as client:\n"
        f"    body = json.load(open({str(BRIEF)!r}))\n"
        "    assert client.post('/v1/recommendations', json=body).status_code == 200\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    # The last line: HiGHS now and then says something of its own.
    assert run("-c", code, home=home, module=False).stdout.splitlines()[-1] == "[]"


def test_importing_the_rooms_does_nothing(tmp_path):
    code = (
        "import pathlib, pkgutil, importlib, logging\n"
        "import features, models, training, service\n"
        "for room in (features, models, training, service):\n"
        "    for module in pkgutil.iter_modules(room.__path__, room.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "assert not logging.getLogger().handlers\n"
        f"print(sorted(pathlib.Path({str(tmp_path)!r}).iterdir()))"
    )
    assert run("-c", code, home=tmp_path, module=False).stdout.strip() == "[]"


def test_broken_tables_are_told_in_words_with_exit_status_2(home, tmp_path):
    (tmp_path / "creators.csv").write_text("creator_id,platform,handle\nc1,myspace,@a\n")
    (tmp_path / "posts.csv").write_text(
        "post_id,creator_id,published_at,text,likes,comments\np1,c1,yesterday,hi,-1,0\n"
    )
    for command in ("validate", "train"):
        done = run("training", command, tmp_path, home=home, check=False)
        assert done.returncode == 2
        for words in ("creators.csv row 2, platform = 'myspace'", "'yesterday'", "'-1'"):
            assert words in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "brief.json"),
        ('{"brand": {"name": "A"}, "query": "ab"}', "/query"),
        (
            '{"brand": {"name": "A"}, "query": "abc", "budget": {"amount": "many"}}',
            "/budget/amount",
        ),
    ],
)
def test_a_wrong_brief_is_told_in_words(home, tmp_path, text, words):
    path = tmp_path / "brief.json"
    path.write_text(text)
    done = run("service", "rank", path, home=home, check=False)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr


def test_a_world_is_not_written_over(home):
    done = run("training", "simulate", home / "world", home=home, check=False)
    assert done.returncode == 2
    assert "not empty" in done.stderr


def test_the_history_says_what_was_champion_when_and_why(home):
    events = json.loads(run("training", "history", "--json", home=home).stdout)
    assert [(event["version"], event["what"]) for event in events[:3]] == [
        ("1", "refused"),
        ("2", "promoted"),
        ("1", "promoted"),
    ]
    assert "worse than the baselines: ndcg10" in events[0]["reason"]
    assert events[2]["reason"] == "for the tests"
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    back = run("training", "rollback", "--reason", "a drill", home=home).stdout
    assert "version 2 is the champion again" in back
    assert json.loads(run("service", "rank", BRIEF, home=home).stdout)["model"]["version"] == "2"
    run("training", "promote", 1, home=home)
    assert "a drill" in run("training", "history", home=home).stdout
    nobody = run("training", "promote", 77, home=home, check=False)
    assert nobody.returncode == 2 and "no version or alias '77'" in nobody.stderr


def test_evaluate_writes_a_report_that_stands_alone(home):
    source = home / "world"
    told = run("training", "evaluate", source, "--model", 1, "--json", home=home).stdout
    found = json.loads(told)
    assert found["simulated"] is True
    all_rows, warm = found["evaluation"]["segments"]
    assert warm["name"] == "warm"
    assert "Too few rows to judge: cold brand, cold creator." in found["limits"]
    assert {"model", "logistic regression", "random", "past rate"} <= set(all_rows["figures"])
    assert "champion, version 1" not in all_rows["figures"]
    assert len(found["evaluation"]["ablations"]["figures"]) == 8
    [page] = (home / "reports").glob("evaluation-version-1-*.html")
    html = page.read_text()
    assert "SIMULATED DATA" in html and "<svg" in html
    assert "<script" not in html and "src=" not in html and "@import" not in html


def test_monitor_ends_with_its_status(home):
    done = run("training", "monitor", home / "world", "--json", home=home)
    found = json.loads(done.stdout)
    assert found["status"] == "too few"
    assert (home / "reports" / "monitor.html").is_file()


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    from service.__main__ import app as service
    from training.__main__ import app as training

    for module, app in (("training", training), ("service", service)):
        for command in app.registered_commands:
            name = command.name or command.callback.__name__
            assert f"python -m {module} {name}" in readme


def test_every_setting_is_in_the_readme():
    from service.settings import ServiceSettings
    from training.settings import TrainingSettings

    readme = (ROOT / "README.md").read_text()
    for settings in (TrainingSettings, ServiceSettings):
        for name in settings.model_fields:
            assert f"`CREATORFIT_{name.upper()}`" in readme


def test_the_readme_shows_the_two_commands_first():
    import re

    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.S)
    assert [line.split("#")[0].strip() for line in blocks[0].strip().splitlines()] == [
        "make demo",
        "make test",
    ]
