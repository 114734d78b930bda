"""The benchmarks run: each in its smallest form, as a program. Their figures are not looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TrainedHome

ROOT = Path(__file__).parents[1]


def figures(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments, "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.long
def test_overload(trained_home: TrainedHome) -> None:
    found = figures("overload", str(trained_home.settings.home), "--seconds", "1")
    phases = found["phases"]
    assert [phase["name"] for phase in phases] == ["capacity", "calm", "overload", "after"]
    assert all(phase["answered"] > 0 and phase["other"] == 0 for phase in phases)


@pytest.mark.long
def test_memory(trained_home: TrainedHome) -> None:
    found = figures("memory", str(trained_home.settings.home), "--requests", "500")
    statuses = {name.rpartition(": ")[2] for name in found["statuses"]}
    assert sum(found["statuses"].values()) == 500 and statuses == {"200", "400", "404", "422"}


@pytest.mark.long
def test_features() -> None:
    found = figures("features", "--most", "10000", "--texts", "0")
    assert [one["posts"] for one in found["rows"]] == [10_000]
