"""Asks the service everything its own OpenAPI allows, and much that it does not (Schemathesis).

    python -m benchmarks.fuzz_api --cases 5000 [--seed 0] [--seconds N] [--home HOME]

Trains a model on a small SIMULATED world, unless a home with one is named, serves it on loopback,
and runs Schemathesis with all of its checks: its examples, the edges of every field, random cases,
and chains of calls along the links of the document. Rounds follow until there were so many cases.
Any failure, and any answer of 500 or above, is told and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.machine import machine
from benchmarks.refresh import Quiet
from features.store import open_store
from features.store_keys import Key
from models.registry import Registry
from service.app import create_app
from service.keyring import new_secret
from service.settings import ServiceSettings
from training.pipeline import train
from training.settings import TrainingSettings
from training.simulate import simulate, write_world

KEY = "CREATORFIT_FUZZ_KEY"
CONFIG = Path(__file__).with_name("schemathesis.toml")
START_SECONDS = 60.0
# Random cases of each operation in a round: as many again as its edges give.
EXAMPLES = 40


@dataclass
class Fuzzed:
    """What came of the cases.

    Attributes:
        cases: How many were sent.
        failures: Those that fail a check, by title and operation.
        errors: What kept Schemathesis itself from going on.
        phases: How each phase of a round ended.
        statuses: Answers by status, where the service is our own.
        said: What Schemathesis printed of a round with failures.
    """

    cases: int = 0
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    phases: list[dict[str, str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    said: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not (self.failures or self.errors or any(s >= 500 for s in self.statuses))


def fuzz(
    url: str,
    key: str,
    cases: int,
    seed: int = 0,
    seconds: int | None = None,
    phases: Sequence[str] = ("examples", "coverage", "fuzzing", "stateful"),
) -> Fuzzed:
    """Run rounds of Schemathesis against a service until there were so many cases.

    Args:
        url: Where the service answers.
        key: An API key for all of it.
        cases: How many there shall be at least; a round is always finished.
        seed: Of the first round; each round has one of its own.
        seconds: The most that a round may take; None: until it is done.
        phases: What a round consists of.
    """
    found = Fuzzed()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        while found.sound and (found.cases < cases or not found.phases):
            done = subprocess.run(
                [
                    *(str(Path(sys.executable).with_name("schemathesis")), "--config-file"),
                    *(str(CONFIG), "run", f"{url.rstrip('/')}/openapi.json", "--checks", "all"),
                    *("--max-examples", str(EXAMPLES), "--seed", str(seed + len(found.phases))),
                    *("--phases", ",".join(phases), "--suppress-health-check", "all"),
                    *("--report", "json", "--report-json-path", str(report)),
                    *(() if seconds is None else ("--max-time", str(seconds))),
                    *("--continue-on-failure", "--no-shrink"),
                    *("--header", f"Authorization: Bearer {key}"),
                ],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(CONFIG.parents[1]), KEY: key},
                capture_output=True,
                text=True,
            )
            if not report.exists():
                raise RuntimeError(f"Schemathesis wrote no report:\n{done.stdout}{done.stderr}")
            _count(json.loads(report.read_text(encoding="utf-8")), found)
            if done.returncode:
                found.said += done.stdout
            report.unlink()
    return found


def _count(report: dict[str, Any], into: Fuzzed) -> None:
    into.cases += report["test_cases"]["generated"]
    into.phases.append({name: phase["status"] for name, phase in report["phases"].items()})
    into.failures += [
        f"{failure['title']}: {operation}"
        for failure in report["failures"]
        for operation in failure["operations"]
    ]
    into.errors += [json.dumps(error) for error in report["errors"]]


def patient(home: Path) -> ServiceSettings:
    """Settings of a service that asks everybody for a key, and refuses nothing for want of time."""
    return ServiceSettings(
        home=home,
        access="keys",
        key_requests_per_minute=1e9,
        key_burst=1_000_000,
        request_seconds=600,
        waiting=100,
    )


def new_key(settings: ServiceSettings) -> str:
    """An API key of a service, for all of it."""
    made = new_secret()
    scopes: Any = ("recommend", "outcomes", "metrics", "admin")
    store = open_store(settings.store_url)
    try:
        store.prepare()
        store.add_key(Key(made.key_id, "fuzzing", scopes, made.digest, time.time_ns() // 1_000))
    finally:
        store.close()
    return made.token


@contextmanager
def serving(settings: ServiceSettings, statuses: Counter[int]) -> Iterator[str]:
    """Serve on a free port of loopback, and count answers by status."""
    app = _counted(create_app(settings), statuses)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the service did not start")
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _counted(app: ASGIApp, statuses: Counter[int]) -> ASGIApp:
    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses[message["status"]] += 1
            await send(message)

        await app(scope, receive, sent)

    return counting


def small_home(folder: Path) -> Path:
    """A home with a champion, trained on a small simulated world."""
    write_world(simulate(200, 11, posts_per_creator=16, months=15), folder / "world")
    settings = TrainingSettings(home=folder / "home", encoder="hash", threads=1, simulated=True)
    trained = train(settings, str(folder / "world"), Quiet(), full=False)
    # A hash knows no meaning, so the gate refuses this model; it answers all the same.
    registry = Registry(settings.registry_uri, settings.artifacts)
    registry.promote(trained.version.version, "what the API does is asked, not how well it ranks")
    return settings.home


def main() -> int:
    """Run, print the figures, and return 1 where anything was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, help="the most that a round may take")
    parser.add_argument("--home", type=Path, help="a home with a model; else one is trained")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    statuses: Counter[int] = Counter()
    try:
        home = said.home or small_home(folder)
        start = time.monotonic()
        settings = patient(home)
        key = new_key(settings)
        with serving(settings, statuses) as url:
            found = fuzz(url, key, said.cases, said.seed, said.seconds)
        took = time.monotonic() - start
    finally:
        shutil.rmtree(folder)
    found.statuses = statuses
    on = machine("schemathesis", "fastapi")
    if said.json:
        print(json.dumps({"machine": on.as_json(), "seconds": took, **asdict(found)}))
        return 0 if found.sound else 1
    print(found.said, end="")
    print(on)
    print(f"{found.cases:,} cases in {len(found.phases)} rounds, {took:.0f} s, seed {said.seed}")
    print("answers: " + ", ".join(f"{n:,} of {s}" for s, n in sorted(found.statuses.items())))
    for one in found.phases:
        print("phases: " + ", ".join(f"{name} {status}" for name, status in one.items()))
    for failure in (*found.failures, *found.errors):
        print(f"  {failure}")
    print(f"{len(found.failures):,} failures, {len(found.errors):,} errors")
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
