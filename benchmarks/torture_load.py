"""Requests to every route of the service without a pause, and what came of each.

The routes are those of the service's own OpenAPI, so a new one is asked too, or told of as not
asked. An answer that names its model version is kept by what it says, to be judged afterwards
(`torture_judge`). Knows nothing of what is done to the service meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.killing import Load
from models.bundle import Bundle
from service.wire import EXAMPLE_BRIEF

LIMIT = 8  # creators of a list: the answers are to be many, not long
AGAIN_SECONDS = 0.25  # until the next request of who got no good answer
PER_CAMPAIGN = 40  # collaborations of one campaign, so that its report stays one of a campaign
SENT = "POST /v1/outcomes"  # by `Load`
# Routes that are asked more often than once in a round of all.
OFTEN = {"POST /v1/recommendations": 6, "GET /v1/model": 3, "POST /v1/portfolios": 2}

Json = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """A request.

    Attributes:
        route: Method and path as OpenAPI writes it, such as ``GET /v1/creators/{creator_id}``.
        body: JSON, where there is one.
        outcomes: How many versions of an outcome must be there in the answer.
    """

    route: str
    path: str
    body: str | None = None
    outcomes: int = 0

    @property
    def method(self) -> str:
        return self.route.split(" ", 1)[0]

    def of(self, client: Any) -> Any:
        """Make it, by a client of httpx or of the application itself; returns the response."""
        headers = {} if self.body is None else {"content-type": "application/json"}
        return client.request(self.method, self.path, content=self.body, headers=headers)


@dataclass(frozen=True)
class Ended:
    """A request that got no answer of status 200; `status` is None where it got none at all.

    Times are of `time.monotonic`.
    """

    route: str
    began: float
    ended: float
    status: int | None
    detail: str


@dataclass
class Told:
    """What some clients were told.

    Attributes:
        answers: How often each answer came, by version, ask and digest of what it said.
        samples: One answer of each digest.
        ended: Requests without a good answer.
        statuses: Answers by status; None where there was none.
        refused: Champions that the service said it refuses, by version, with the reason in a word.
        lost: Outcomes that were acknowledged and not told of, in words.
        asked: Routes that were answered by 200.
    """

    answers: Counter[tuple[str, Ask, str]] = field(default_factory=Counter)
    samples: dict[str, Json] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    statuses: Counter[int | None] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)


def plain(answer: Json) -> Json:
    """What the version alone decides of an answer."""
    told = {
        k: v for k, v in answer.items() if k not in ("recommendation_id", "loaded_at", "refused")
    }
    told["model"] = {k: v for k, v in told["model"].items() if k != "alias"}
    return told


def digest(answer: Json) -> str:
    """Of what a version alone decides of an answer."""
    return hashlib.sha256(json.dumps(plain(answer), sort_keys=True).encode()).hexdigest()


def campaign_of(sponsorship_id: str) -> str:
    """The campaign of an outcome that `Load` sends."""
    sender, number = sponsorship_id.split("-")
    return f"campaign-{sender}-{int(number) // PER_CAMPAIGN}"


class Asker:
    """Makes requests to every route there is.

    Args:
        openapi: The service's own.
        bundle: Whose creators are asked about.
        load: Whose outcomes are asked for.
    """

    def __init__(self, openapi: Json, bundle: Bundle, load: Load) -> None:
        self._load = load
        some = bundle.index.ids[:: max(1, len(bundle.index) // 12)].tolist()
        self._creators = [str(name) for name in some]
        self._briefs = _briefs(self._creators)
        self._routes: dict[str, Callable[[random.Random], Ask | None]] = {}
        self.not_asked: list[str] = []
        for path, methods in openapi["paths"].items():
            for method in methods:
                route = f"{method.upper()} {path}"
                make = self._maker(route, path)
                if make is not None:
                    self._routes[route] = make
                elif route != SENT:
                    self.not_asked.append(route)
        self._routes["GET /"] = lambda _: Ask("GET /", "/")

    @property
    def routes(self) -> list[str]:
        """All that are asked here."""
        return list(self._routes)

    def asks(self, rng: random.Random) -> Iterator[Ask]:
        """Requests without end: every route once in each round, in any order."""
        round_ = [route for route in self._routes for _ in range(OFTEN.get(route, 1))]
        while True:
            rng.shuffle(round_)
            for route in round_:
                made = self._routes[route](rng)
                if made is not None:
                    yield made

    def _maker(self, route: str, path: str) -> Callable[[random.Random], Ask | None] | None:
        briefs = [json.dumps(brief) for brief in self._briefs]
        plans = [json.dumps(brief) for brief in self._briefs if "budget" in brief]
        bodies = {
            "POST /v1/recommendations": briefs,
            "POST /v1/recommendations.{kind}": briefs,
            "POST /v1/portfolios": plans,
            "POST /v1/portfolios.{kind}": plans,
            "POST /v1/portfolios/curve": plans,
        }
        if route in bodies:
            return lambda rng: Ask(
                route,
                path.replace("{kind}", rng.choice(["csv", "xlsx"])),
                rng.choice(bodies[route]),
            )
        named: dict[str, Callable[[random.Random], Ask | None]] = {
            "GET /v1/creators/{creator_id}": lambda rng: self._creator(route, rng),
            "GET /v1/creators/{creator_id}/similar": lambda rng: self._creator(route, rng),
            "GET /v1/handles": lambda _: Ask(route, f"{path}?id={self._creators[0]}"),
            "GET /v1/outcomes/{sponsorship_id}": lambda rng: self._outcome(route, rng),
            "GET /v1/campaigns/{campaign_id}": lambda rng: self._campaign(route, rng),
            "GET /v1/campaigns/{campaign_id}/allocation": lambda rng: self._campaign(route, rng),
        }
        if route in named:
            return named[route]
        if route.startswith("GET ") and "{" not in path:
            return lambda _: Ask(route, path)
        return None

    def _creator(self, route: str, rng: random.Random) -> Ask:
        return Ask(route, _filled(route, rng.choice(self._creators)))

    def _outcome(self, route: str, rng: random.Random) -> Ask | None:
        key, versions = self._acknowledged(rng)
        return Ask(route, _filled(route, key), outcomes=versions) if key else None

    def _campaign(self, route: str, rng: random.Random) -> Ask | None:
        key, _ = self._acknowledged(rng)
        more = "?remaining=1000" if route.endswith("allocation") else ""
        return Ask(route, _filled(route, campaign_of(key)) + more) if key else None

    def _acknowledged(self, rng: random.Random) -> tuple[str, int]:
        """An outcome that the service said it has, and how many versions of it; "" where none."""
        kept = dict(rng.choice(self._load.tallies).acknowledged)
        if not kept:
            return "", 0
        key = rng.choice(list(kept))
        return key, len(kept[key])


def _filled(route: str, value: str) -> str:
    return re.sub(r"\{\w+\}", value, route.split(" ", 1)[1])


def _briefs(creators: list[str]) -> list[Json]:
    """Briefs of each kind: order, filters, budget, lookalikes, languages."""
    query = "Wanderschuhe für lange Touren, gezeigt auf dem Weg"
    short = EXAMPLE_BRIEF | {"limit": LIMIT}
    return [
        short,
        short | {"objective": "value"},
        {"brand": {"name": "Bergauf"}, "query": query, "objective": "conversions", "limit": LIMIT},
        {"brand": {"name": "Luma"}, "query": "A serum", "lookalikes": creators[:2], "limit": LIMIT},
        {
            "brand": {"name": "Loud"},
            "query": "A headset for streams",
            "explain": False,
            "limit": 50,
        },
        short | {"budget": {"amount": 900}},
    ]


class Clients:
    """Threads that ask without a pause.

    Args:
        url: Of the service.
        asker: What they ask.
        threads: How many.
        seed: Of the order in which they ask.
    """

    def __init__(self, url: str, asker: Asker, threads: int, seed: int) -> None:
        self._url, self._asker, self._seed = url, asker, seed
        self.told = [Told() for _ in range(threads)]
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish its request."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        told = self.told[number]
        asks = self._asker.asks(random.Random(f"{self._seed} {number}"))
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stopping.is_set():
                ask, began = next(asks), time.monotonic()
                try:
                    response = ask.of(client)
                except httpx.TransportError as error:
                    told.statuses[None] += 1
                    ended = Ended(ask.route, began, time.monotonic(), None, repr(error))
                    told.ended.append(ended)
                    time.sleep(AGAIN_SECONDS)
                    continue
                told.statuses[response.status_code] += 1
                if response.status_code == 200:
                    take(told, ask, response)
                else:
                    now, code, text = time.monotonic(), response.status_code, response.text[:500]
                    told.ended.append(Ended(ask.route, began, now, code, text))
                    time.sleep(AGAIN_SECONDS)


def take(told: Told, ask: Ask, response: httpx.Response) -> None:
    """Note a good answer."""
    told.asked.add(ask.route)
    if "json" not in response.headers["content-type"]:
        return
    answer = response.json()
    if ask.outcomes and len(answer["history"]) < ask.outcomes:
        told.lost.append(f"{ask.path}: {ask.outcomes} versions acknowledged, {answer} told")
    model = answer.get("model") if isinstance(answer, dict) else None
    if not isinstance(model, dict) or "version" not in model:
        return
    if answer.get("refused"):
        told.refused[answer["refused"]["version"]] = answer["refused"]["kind"]
    key = digest(answer)
    told.answers[model["version"], ask, key] += 1
    told.samples.setdefault(key, answer)
