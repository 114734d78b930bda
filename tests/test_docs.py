"""The pages say what is so: their commands run, and what is made from the code is up to date."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docs.generate import COLUMN_NOTES, PAGES, TABLE_NOTES
from features.schemas import TABLES
from tests.conftest import database_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?```sh\n(?P<code>.*?)```", re.S)
READ_ON = (
    "desk.md",
    "data.md",
    "features.md",
    "api.md",
    "operations.md",
    "resilience.md",
    "security.md",
    "personal.md",
    "performance.md",
    "scale.md",
    "how.md",
)


def blocks(page):
    """The shell blocks of a page: those that run, and why the others do not."""
    found = list(BLOCK.finditer(page.read_text()))
    run = [one["code"] for one in found if one["why"] is None]
    return run, [one["why"] for one in found if one["why"]]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Where the pages' commands run, and with what: one home for all of them."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "bin").mkdir()
    for name in ("python", "python3"):
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    environment = os.environ | {
        "CREATORFIT_HOME": str(folder / "home"),
        "CREATORFIT_ENCODER": "hash",
        "CREATORFIT_THREADS": "1",
        "CREATORFIT_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "COLUMNS": "100",
        **database_of(folder / "home"),
    }
    return folder, environment


def run_in(desk, code, status=0):
    """Run a script in bash, which stops at the first command that fails."""
    folder, environment = desk
    script = "set -euo pipefail\ntrap 'jobs -p | xargs -r kill 2>/dev/null || true' EXIT\n" + code
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True, text=True, cwd=folder, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == status, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def followed(desk):
    """The desk's page, followed from its first block to its last."""
    run, _ = blocks(DOCS / "desk.md")
    began = time.monotonic()
    done = run_in(desk, "\n".join(f"echo '== {n}'\n{code}" for n, code in enumerate(run)))
    return done.stdout, time.monotonic() - began


def test_every_block_of_the_desk_runs_in_order(desk, followed):
    told, seconds = followed
    run, why_not = blocks(DOCS / "desk.md")
    assert len(run) >= 10 and all(len(why) > 10 for why in why_not)
    assert f"== {len(run) - 1}" in told
    for words in (
        "valid: my-tables",
        "version 1 (outcomes)",
        "version 1 is the champion",
        "version 2 is the champion again",
        '"accepted"',
        "0 differ",
        "1 creators are forgotten",
    ):
        assert words in told, words
    folder, _ = desk
    assert json.loads((folder / "valid.json").read_text())["valid"] is True
    assert json.loads((folder / "answer.json").read_text())["model"]["version"] == "1"
    assert (folder / "home" / "reports" / "monitor.html").is_file()
    print(f"desk.md: {seconds:.0f} s")


@pytest.mark.parametrize("name", PAGES)
def test_pages_made_from_the_code_are_up_to_date(name):
    found = (DOCS / name).read_text("utf-8")
    assert found == PAGES[name](), f"docs/{name} is old: run `make docs`"


def test_every_table_and_column_is_explained():
    assert set(TABLE_NOTES) == set(COLUMN_NOTES) == set(TABLES)
    for table, columns in TABLES.items():
        assert list(COLUMN_NOTES[table]) == list(columns)


def test_the_readme_links_every_page():
    readme = (ROOT / "README.md").read_text()
    listed = readme.split("## Read on")[1].split("\n## ")[0]
    for name in READ_ON:
        assert f"(docs/{name})" in listed


def headings(page):
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}" for name in READ_ON)])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = path if not name else path.parent / name
        assert there.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in headings(there), f"{page}: {target}"


def test_operations_names_every_setting():
    from service.settings import ServiceSettings
    from training.settings import TrainingSettings

    text = (DOCS / "operations.md").read_text()
    for settings in (TrainingSettings, ServiceSettings):
        for name in settings.model_fields:
            assert f"`CREATORFIT_{name.upper()}`" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "--backend-store-uri sqlite:///var/mlflow.db"),
        ({"CREATORFIT_HOME": "/data/cf"}, "--backend-store-uri sqlite:////data/cf/mlflow.db"),
        ({"CREATORFIT_HOME": "/data/cf"}, "--artifacts-destination /data/cf/artifacts"),
        ({"CREATORFIT_TRACKING_URI": "sqlite:////else.db"}, "--backend-store-uri sqlite:////else.db"),
        ({"CREATORFIT_TRACKING_URI": "http://mlflow:5000"}, "open http://mlflow:5000"),
    ],
)  # fmt: skip
def test_make_mlflow_opens_the_right_store(settings, words):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CREATORFIT")}
    done = subprocess.run(
        ["make", "--dry-run", "mlflow"],
        capture_output=True, text=True, cwd=ROOT, env=plain | settings, check=True,
    )  # fmt: skip
    assert words in done.stdout
