"""What a service does with five times as many recommendations as it can make.

    python -m benchmarks.overload [HOME] [--seconds 20] [--times 5] [--limit 20] [--json]

HOME holds a champion; without it a small simulated world is trained and served. The service runs in
a process of its own, on the same machine as what asks it, which takes a part of its processors.

Requests come at random times that do not depend on the answers (a Poisson process), as those of
many clients do: whoever waits for an answer before it asks again slows down with the service, and
cannot overload it. An answer's time runs from the moment it was due to be asked for. In turns, in
one run:

- capacity: as many clients as the service works for at once, each asking again when it was
  answered;
- calm: requests at a share of that capacity (0.7);
- overload: at so many times of it;
- after: as calm, right behind it.

Beside each, `/healthz` is asked ten times a second. A refusal is a 503.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.asking import Answer, Client, as_json, memory_mb, service_of
from benchmarks.machine import machine
from benchmarks.requests import briefs
from features.encoders import cores

CALM = 0.7
PROBE_SECONDS = 0.1
PATH = "/v1/recommendations"


@dataclass(frozen=True)
class Phase:
    """What came of one phase; times in milliseconds, None where nothing was answered so.

    Attributes:
        offered, answered, refused: Requests a second.
        other: Answers that are neither 200 nor 503, or none at all; there must be none.
        memory_mb: The most that the service had for itself.
    """

    name: str
    offered: float
    answered: float
    refused: float
    other: int
    p50: float | None
    p99: float | None
    refused_p50: float | None
    refused_p99: float | None
    alive_p99: float | None
    memory_mb: float

    @property
    def share(self) -> float:
        """Of what was asked for, how much was answered."""
        return self.answered / self.offered if self.offered else 0.0


class Watch:
    """Asks whether the service is alive, and how large it is, until it is told to stop."""

    def __init__(self, client: Client, pid: int) -> None:
        self.alive: list[Answer] = []
        self.memory = 0.0
        self._client, self._pid = client, pid

    async def run(self) -> None:
        while True:
            self.alive.append(await self._client.ask("GET", "/healthz"))
            self.memory = max(self.memory, memory_mb(self._pid))
            await asyncio.sleep(PROBE_SECONDS)


async def closed(ask: Callable[[], Any], clients: int, seconds: float) -> list[Answer]:
    """Some clients, each asking again when it has its answer."""
    until = time.perf_counter() + seconds

    async def client() -> list[Answer]:
        got = []
        while time.perf_counter() < until:
            got.append(await ask())
        return got

    each = await asyncio.gather(*(client() for _ in range(clients)))
    return list(itertools.chain.from_iterable(each))


async def arrivals(rate: float, seconds: float, seed: int) -> AsyncIterator[float]:
    """Moments, at random and so many a second on average, when they have come."""
    rng = np.random.default_rng(seed)
    due = began = time.perf_counter()
    while (due := due + rng.exponential(1 / rate)) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield due


async def open_(
    client: Client, bodies: itertools.cycle[bytes], rate: float, seconds: float
) -> list[Answer]:
    """Requests that come whether or not those before them were answered."""
    asked = []
    async for due in arrivals(rate, seconds, 0):
        asked.append(asyncio.create_task(client.ask("POST", PATH, next(bodies), due)))
    return list(await asyncio.gather(*asked))


def summed_up(name: str, answers: list[Answer], seconds: float, watch: Watch) -> Phase:
    """A phase in figures."""
    by_status = {
        status: [1e3 * a.seconds for a in answers if a.status == status] for status in (200, 503)
    }
    known = sum(map(len, by_status.values()))

    def quantile(of: list[float], q: float) -> float | None:
        return float(np.quantile(of, q)) if of else None

    return Phase(
        name=name,
        offered=len(answers) / seconds,
        answered=len(by_status[200]) / seconds,
        refused=len(by_status[503]) / seconds,
        other=len(answers) - known + sum(a.status != 200 for a in watch.alive),
        p50=quantile(by_status[200], 0.5),
        p99=quantile(by_status[200], 0.99),
        refused_p50=quantile(by_status[503], 0.5),
        refused_p99=quantile(by_status[503], 0.99),
        alive_p99=quantile([1e3 * a.seconds for a in watch.alive], 0.99),
        memory_mb=watch.memory,
    )


async def run(url: str, pid: int, seconds: float, times: float, limit: int) -> list[Phase]:
    """All phases, one after the other."""
    client = Client(url)
    bodies = itertools.cycle([as_json(body) for body in itertools.islice(briefs(limit), 2_000)])

    async def ask() -> Answer:
        return await client.ask("POST", PATH, next(bodies))

    phases: list[Phase] = []

    async def phase(name: str, answers: Any) -> Phase:
        watch = Watch(client, pid)
        watching = asyncio.create_task(watch.run())
        got = await answers
        watching.cancel()
        phases.append(summed_up(name, got, seconds, watch))
        return phases[-1]

    await closed(ask, cores(), seconds / 4)  # warm
    capacity = (await phase("capacity", closed(ask, cores(), seconds))).answered
    for name, share in (("calm", CALM), ("overload", times), ("after", CALM)):
        await phase(name, open_(client, bodies, share * capacity, seconds))
    client.close()
    return phases


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("home", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=20, help="of each phase")
    parser.add_argument("--times", type=float, default=5, help="of the capacity, in overload")
    parser.add_argument("--limit", type=int, default=20, help="creators asked for")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    here = machine("fastapi", "uvicorn", "lightgbm")
    with service_of(given.home) as service:
        model = service.client.get("/v1/model").json()
        asked = (given.seconds, given.times, given.limit)
        phases = asyncio.run(run(service.url, service.pid, *asked))
    calm, overload = phases[1], phases[2]
    slower = (overload.p99 or np.nan) / (calm.p99 or np.nan)
    if given.json:
        told = [asdict(one) | {"share": one.share} for one in phases]
        figures = {"p99_against_calm": slower, "creators": model["creators"], "phases": told}
        print(json.dumps({"machine": here.as_json(), **figures}))
        return
    print(f"{model['creators']:,} creators, lists of {given.limit}, {here}")
    print(
        f"{'':10}{'offered':>9}{'answered':>9}{'share':>7}{'p50':>7}{'p99':>7}"
        f"{'refused':>9}{'p50':>7}{'p99':>7}{'alive p99':>11}{'memory':>9}{'other':>7}"
    )
    print(f"{'':10}{'a second':>9}{'a second':>9}{'':7}{'ms':>7}{'ms':>7}", end="")
    print(f"{'a second':>9}{'ms':>7}{'ms':>7}{'ms':>11}{'MB':>9}")
    for one in phases:
        print(
            f"{one.name:10}{one.offered:9.1f}{one.answered:9.1f}{one.share:7.2f}"
            f"{_ms(one.p50)}{_ms(one.p99)}{one.refused:9.1f}{_ms(one.refused_p50)}"
            f"{_ms(one.refused_p99)}{_ms(one.alive_p99, 11)}{one.memory_mb:9.0f}{one.other:7}"
        )
    print(f"p99 of the answers in overload: {slower:.2f} times that in calm")


def _ms(value: float | None, width: int = 7) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.0f}"


if __name__ == "__main__":
    main()
