"""The real service on a bundle's folder, for as long as a benchmark asks it.

The bundle becomes the champion of a registry of its own, by its manifest alone: the folder itself
is linked to where a fetched version lies, so that gigabytes are not copied and nothing is changed.
Knows nothing of what is asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.serving import free_port
from models.bundle import MANIFEST, Bundle
from models.registry import Registry, RunRecord
from service.settings import ServiceSettings

PATIENCE_SECONDS = 120.0
ASKED_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Running:
    """A service that is ready.

    Attributes:
        url: Where it listens.
        first_s: Seconds from the start of the process until `/readyz` answered 200, where nothing
            was served from the home before.
        again_s: The same of the next start, which is the one that runs.
        pid: Its process.
    """

    url: str
    first_s: float
    again_s: float
    pid: int

    def memory_mb(self) -> tuple[float, float]:
        """Resident memory of the process: its own, and of files that others share."""
        return resident_mb(self.pid)


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process, as Linux tells it: its own, and of files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = {line.split(":")[0]: int(line.split()[1]) for line in lines if " kB" in line}
    return own["RssAnon"] / 1024, own["RssFile"] / 1024


@contextmanager
def serving(folder: Path, bundle: Bundle, workers: int = 1) -> Iterator[Running]:
    """Start `python -m service serve` on a bundle, wait until it is ready, and end it.

    Args:
        folder: Where the bundle lies.
        bundle: The same, loaded.
        workers: Processes that serve.
    """
    with tempfile.TemporaryDirectory(prefix="creatorfit-serving-") as scratch:
        home = Path(scratch) / "home"
        _publish(home, folder, bundle, Path(scratch) / "manifest")
        port = free_port()
        told = {"HOME": home, "PORT": port, "WORKERS": workers}
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CREATORFIT_")}
        environment |= {f"CREATORFIT_{name}": str(value) for name, value in told.items()}
        url = f"http://127.0.0.1:{port}"
        log = Path(scratch) / "service.log"
        with _started(environment, url, log) as (first_s, _):
            pass
        with _started(environment, url, log) as (again_s, pid):
            yield Running(url, first_s, again_s, pid)


@contextmanager
def _started(environment: dict[str, str], url: str, log: Path) -> Iterator[tuple[float, int]]:
    """A service until the end: the seconds until it was ready, and its process."""
    began = time.perf_counter()
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            env=environment,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        _wait(process, f"{url}/readyz", log)
        yield time.perf_counter() - began, process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _publish(home: Path, folder: Path, bundle: Bundle, manifest_alone: Path) -> None:
    settings = ServiceSettings(home=home)
    registry = Registry(settings.registry_uri, settings.artifacts)
    manifest_alone.mkdir()
    (manifest_alone / MANIFEST).write_bytes((folder / MANIFEST).read_bytes())
    record = RunRecord(
        name="benchmark",
        card="",
        params={},
        metrics={},
        tags={},
        data=pd.DataFrame({"simulated": [True]}),
        data_digest="benchmark",
        data_source="benchmark",
    )
    version = registry.publish(manifest_alone, bundle, record)
    registry.promote(version.version, "to be measured")
    settings.bundles.mkdir(parents=True)
    (settings.bundles / version.run_id).symlink_to(folder.resolve())


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:  # it does not listen yet, or has no model
            time.sleep(ASKED_EVERY_SECONDS)
    raise RuntimeError(f"{url} is not ready: {log.read_text('utf-8')[-2_000:]}")
