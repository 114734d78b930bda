"""Outcomes sent without a pause to a service that is killed again and again: none lost, none twice.

`python -m benchmarks.killing --seconds 120 --database postgresql` is the long form; the suite runs
a short one. `Load` and `faults` know nothing of what is done to the service meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.postgres import Postgres, postgres_of_our_own
from benchmarks.serving import Process, wait_until
from features.store import Store, open_store
from service.wire_outcomes import EXAMPLE_OUTCOME

# An address that nobody listens on: a registry that is away. The service takes outcomes all the
# same, and starts in half the time that it takes to make a registry.
NO_REGISTRY = "http://127.0.0.1:9"


@dataclass
class Tally:
    """What one thread sent.

    Attributes:
        acknowledged: Versions that the service said it has, by sponsorship, in order.
        pending: The batch that it has not answered yet: all of it may be there, or none.
        broken: Requests that ended without an answer.
        refused: Requests answered by 503.
        wrong: Answers of any other kind, which there must be none of.
    """

    acknowledged: dict[str, list[int]] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def example(sponsorship_id: str) -> dict[str, Any]:
    """An outcome of a sponsorship."""
    return EXAMPLE_OUTCOME | {"sponsorship_id": sponsorship_id}


class Load:
    """Threads that send outcomes: new ones, corrections of their own, and again what was not
    answered, until it is.

    Args:
        url: Of the service, or of a proxy before several.
        threads: How many.
        seed: What they send.
        outcome: An outcome of a sponsorship, but for its conversions.
        pause_seconds: Between an answer and the next request.
    """

    def __init__(
        self,
        url: str,
        threads: int = 3,
        seed: int = 0,
        outcome: Callable[[str], dict[str, Any]] = example,
        pause_seconds: float = 0.0,
    ) -> None:
        self.url = url
        self._outcome = outcome
        self._pause_seconds = pause_seconds
        self.tallies = [Tally() for _ in range(threads)]
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(number, seed)) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish its request."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def acknowledged(self) -> int:
        """Versions of outcomes that the service said it has, so far."""
        return sum(len(v) for tally in self.tallies for v in list(tally.acknowledged.values()))

    def _send(self, number: int, seed: int) -> None:
        rng = random.Random(f"{seed} {number}")
        tally = self.tallies[number]
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self._stopping.is_set():
                if not tally.pending:
                    tally.pending = _batch(rng, number, tally.acknowledged)
                body = {
                    "outcomes": [
                        self._outcome(key) | {"conversions": conversions}
                        for key, conversions in tally.pending.items()
                    ]
                }
                try:
                    response = client.post("/v1/outcomes", json=body)
                except httpx.TransportError:
                    tally.broken += 1
                    time.sleep(0.05)
                    continue
                if response.status_code == 503:
                    tally.refused += 1
                    time.sleep(0.05)
                elif response.status_code == 200:
                    for key, conversions in tally.pending.items():
                        tally.acknowledged.setdefault(key, []).append(conversions)
                    tally.pending = {}
                    time.sleep(self._pause_seconds)
                else:
                    tally.wrong.append(f"{response.status_code} {response.text[:500]}")
                    return


def _batch(rng: random.Random, number: int, there: dict[str, list[int]]) -> dict[str, int]:
    """Conversions by sponsorship: of new ones, and one higher of some that are there."""
    new = {f"{number}-{len(there) + i}": 1 for i in range(rng.randint(1, 4))}
    some = rng.sample(sorted(there), min(len(there), rng.randint(0, 2)))
    return new | {key: there[key][-1] + 1 for key in some}


def faults(load: Load, store: Store) -> list[str]:
    """What is lost, doubled or half-written, in words; empty where all is well."""
    found: list[str] = []
    standing = {kept.outcome.sponsorship_id: kept for kept in store.outcomes()}
    expected: set[str] = set()
    for tally in load.tallies:
        found.extend(tally.wrong)
        arrived = {}
        for key in tally.acknowledged.keys() | tally.pending.keys():
            history = store.history(key)
            versions = [kept.outcome.conversions for kept in history]
            known = tally.acknowledged.get(key, [])
            more = [tally.pending[key]] if key in tally.pending else []
            if versions not in (known, known + more):
                found.append(f"{key}: acknowledged {known}, pending {more}, kept {versions}")
            if [kept.revision for kept in history] != list(range(1, len(history) + 1)):
                found.append(f"{key}: revisions {[kept.revision for kept in history]}")
            if history:
                expected.add(key)
                if standing.get(key) != history[-1]:
                    found.append(f"{key}: what stands is not its last version")
            if more:
                arrived[key] = versions == known + more
        if len(set(arrived.values())) > 1:
            found.append(f"a batch is there in part: {arrived}")
    if standing.keys() != expected:
        found.append(f"nobody sent {sorted(standing.keys() - expected)[:5]}")
    return found


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    kills: int
    acknowledged: int
    broken: int
    refused: int
    faults: list[str]


def run(
    service: Process,
    database: str,
    kill: Callable[[random.Random], None],
    kills: int | None,
    seconds: float,
    seed: int = 0,
) -> Outcome:
    """Send outcomes to a service, and let something be killed at random moments.

    Args:
        service: Started and stopped here.
        database: URL of its database.
        kill: Kills something, and brings it back as far as that does not happen by itself.
        kills: How often; as often as there is time for where not given.
        seconds: Of load before each kill at most; of all of it where `kills` is not given.
        seed: Of what is sent, and when it is killed.
    """
    rng = random.Random(seed)
    deadline = time.monotonic() + seconds
    service.start()
    service.wait()
    load = Load(service.url, seed=seed)
    load.start()
    done = 0
    try:
        while done < kills if kills is not None else time.monotonic() < deadline:
            before = load.acknowledged
            wait_until(lambda before=before: load.acknowledged > before, "outcomes are taken")
            time.sleep(rng.uniform(0, seconds if kills is not None else 3.0))
            kill(rng)
            done += 1
        before = load.acknowledged
        wait_until(lambda: load.acknowledged > before, "outcomes are taken after the last")
    finally:
        load.stop()
        service.kill()
    store = open_store(database)
    found = faults(load, store)
    store.close()
    return Outcome(
        kills=done,
        acknowledged=load.acknowledged,
        broken=sum(tally.broken for tally in load.tallies),
        refused=sum(tally.refused for tally in load.tallies),
        faults=found,
    )


def service_of(folder: Path, database: str, **settings: Any) -> Process:
    """A service that has a database and nothing else."""
    settings = {"home": folder / "home", "tracking_uri": NO_REGISTRY} | settings
    return Process(folder, database_url=database, **settings)


def killer(service: Process, postgres: Postgres | None) -> Callable[[random.Random], None]:
    """Kills the service with -9; where there is a server behind it, crashes that in turn."""
    turns = itertools.cycle([False, True])

    def kill(rng: random.Random) -> None:
        if next(turns) and postgres is not None:
            postgres.stop("immediate")
            time.sleep(rng.uniform(0, 0.5))
            postgres.start()
        else:
            service.kill()
            service.start()

    return kill


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = None
        url = f"sqlite:///{folder}/service.db"
        if options.database == "postgresql":
            server = stack.enter_context(postgres_of_our_own())
            url = server.new_schema()
        service = service_of(folder, url)
        stack.callback(service.close)
        found = run(service, url, killer(service, server), None, options.seconds, options.seed)
    print(
        f"{options.database}: {found.kills} kills in {options.seconds:.0f} s, "
        f"{found.acknowledged:,} outcomes acknowledged, {found.broken} requests broken off, "
        f"{found.refused} answered 503, {len(found.faults)} lost, doubled or half-written"
    )
    if found.faults:
        raise SystemExit("\n".join(found.faults[:20]))


if __name__ == "__main__":
    main()
