"""Whether the memory of a service grows with the requests that it answers.

    python -m benchmarks.memory [HOME] [--requests 100000] [--json]

HOME holds a champion, and gets the outcomes and answers of the run; without it a small simulated
world is trained and served. The service runs in a process of its own. Requests of every kind come
in a random order, in the shares of `MIX`: new briefs, outcomes that are new and that correct
others, and requests that are refused.

After each hundredth of them the memory that the process has for itself is read (RssAnon: without
files, which it shares). The slope is that of the last four fifths, by Theil and Sen, with its 95%
interval; before that caches fill. The interval takes samples to be independent, which those of a
process's memory are not: take it for too narrow.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scipy.stats import theilslopes

from benchmarks.asking import Client, as_json, memory_mb, service_of
from benchmarks.machine import machine
from benchmarks.requests import briefs
from service.wire_outcomes import EXAMPLE_OUTCOME

CLIENTS = 4
SAMPLES = 100
SETTLED = 0.2  # of the run, before memory is taken to be settled
LIMIT = 20

Request = tuple[str, str, bytes]

# Of a thousand requests. The dear ones are few, for 100,000 requests to take minutes.
MIX = {
    "recommendation": 40,
    "recommendation as CSV": 5,
    "plan": 8,
    "curve": 2,
    "lookalikes": 10,
    "outcomes": 100,
    "campaign": 25,
    "allocation": 10,
    "creator": 150,
    "map": 5,
    "model": 100,
    "page": 145,
    "alive, ready": 200,
    "refused: no such creator": 80,
    "refused: no JSON": 60,
    "refused: a wrong field": 60,
}


@dataclass(frozen=True)
class Growth:
    """How memory went: megabytes at each sample, and the slope for each 100,000 requests."""

    samples: list[float]
    slope: float
    low: float
    high: float


def kinds(creators: list[str]) -> dict[str, Callable[[], Request]]:
    """How to make a request of each kind of `MIX`."""
    rng = random.Random(0)
    new_briefs, numbers = briefs(LIMIT), itertools.count()

    def post(path: str, body: dict[str, Any]) -> Request:
        return "POST", path, as_json(body)

    def get(path: str) -> Request:
        return "GET", path, b""

    def plan() -> dict[str, Any]:
        name = f"campaign {rng.randrange(50)}"
        return next(new_briefs) | {"budget": {"amount": 5_000}, "campaign_id": name}

    def outcomes() -> Request:
        number = next(numbers)
        # Every third one corrects one that came before.
        keys = [number, rng.randrange(number + 1)] if number % 3 == 0 else [number]
        some = [
            EXAMPLE_OUTCOME
            | {
                "sponsorship_id": f"memory {key}",
                "creator_id": rng.choice(creators),
                "campaign_id": f"campaign {key % 50} of {key // 10_000}",
                "conversions": rng.randrange(400),
            }
            for key in dict.fromkeys(keys)
        ]
        return post("/v1/outcomes", {"outcomes": some})

    def of_creator(more: str = "") -> Request:
        return get(f"/v1/creators/{rng.choice(creators)}{more}")

    return {
        "recommendation": lambda: post("/v1/recommendations", next(new_briefs)),
        "recommendation as CSV": lambda: post("/v1/recommendations.csv", next(new_briefs)),
        "plan": lambda: post("/v1/portfolios", plan()),
        "curve": lambda: post("/v1/portfolios/curve", plan()),
        "lookalikes": lambda: of_creator("/similar"),
        "outcomes": outcomes,
        "campaign": lambda: get(f"/v1/campaigns/campaign%20{rng.randrange(50)}%20of%200"),
        "allocation": lambda: get(
            f"/v1/campaigns/campaign%20{rng.randrange(50)}%20of%200/allocation?remaining=1000"
        ),
        "creator": of_creator,
        "map": lambda: get("/v1/map"),
        "model": lambda: get("/v1/model"),
        "page": lambda: get(rng.choice(["/", "/v1/choices", "/v1/campaigns"])),
        "alive, ready": lambda: get(rng.choice(["/healthz", "/readyz"])),
        "refused: no such creator": lambda: get(f"/v1/creators/nobody{next(numbers)}"),
        "refused: no JSON": lambda: ("POST", "/v1/recommendations", b"{" * rng.randrange(1, 500)),
        "refused: a wrong field": lambda: post(
            "/v1/recommendations", next(new_briefs) | {f"field{next(numbers)}": 1}
        ),
    }


def requests_of(creators: list[str], how_many: int) -> Iterator[tuple[str, Request]]:
    """Requests in a random order, with the kind of each."""
    make = kinds(creators)
    rng = random.Random(1)
    for name in rng.choices(list(MIX), weights=list(MIX.values()), k=how_many):
        yield name, make[name]()


async def run(
    url: str, pid: int, creators: list[str], how_many: int
) -> tuple[list[float], Counter[str]]:
    """Send all requests; memory after each hundredth of them, and how many had which status."""
    client, statuses = Client(url), Counter[str]()
    asked = requests_of(creators, how_many)
    samples: list[float] = []
    sent = 0

    async def one_after_the_other() -> None:
        nonlocal sent
        for name, request in asked:
            answer = await client.ask(*request)
            statuses[f"{name}: {answer.status}"] += 1
            sent += 1
            if sent % (how_many // SAMPLES) == 0:
                samples.append(memory_mb(pid))

    await asyncio.gather(*(one_after_the_other() for _ in range(CLIENTS)))
    client.close()
    return samples, statuses


def growth(samples: list[float], how_many: int) -> Growth:
    """The slope of what is settled."""
    settled = samples[int(len(samples) * SETTLED) :]
    slope, _, low, high = theilslopes(settled)
    scale = 100_000 / (how_many / len(samples))
    return Growth(samples, slope * scale, low * scale, high * scale)


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("home", type=Path, nargs="?")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    here = machine("fastapi", "uvicorn", "lightgbm")
    with service_of(given.home) as service:
        points = service.client.get("/v1/map").json()["points"]
        creators = [point["creator_id"] for point in points]
        began = time.perf_counter()
        samples, statuses = asyncio.run(run(service.url, service.pid, creators, given.requests))
        seconds = time.perf_counter() - began
    found = growth(samples, given.requests)
    if given.json:
        told = {"machine": here.as_json(), "requests": given.requests, "seconds": seconds}
        print(json.dumps(told | {"mix": MIX, "statuses": statuses, "growth": asdict(found)}))
        return
    print(f"{given.requests:,} requests in {seconds:,.0f} s to {len(creators):,} creators, {here}")
    for name, count in sorted(statuses.items()):
        print(f"  {name:34}{count:9,}")
    shown = ", ".join(f"{value:.0f}" for value in samples[:: SAMPLES // 10])
    print(f"memory of its own after each tenth of them: {shown}, at the end {samples[-1]:.0f} MB")
    print(
        f"slope of the last {1 - SETTLED:.0%}: {found.slope:+.1f} MB for 100,000 requests "
        f"(95% interval {found.low:+.1f} to {found.high:+.1f})"
    )


if __name__ == "__main__":
    main()
