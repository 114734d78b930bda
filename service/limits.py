"""What a request may cost: bytes, nesting, time, and a place to work at.

A middleware around the whole application. It takes in a body before anything works on it, so that
whoever sends slowly holds no place; then gives the request one of the places for its kind of work,
or refuses it at once. Refusals are problem documents, and counted. Knows nothing of what the routes
do beyond `kind_of`.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Literal, get_args

import anyio.to_thread
import pydantic_core
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.encoders import cores
from service import wire
from service.places import Full, Places
from service.problems import problem
from service.settings import ServiceSettings

Kind = Literal["model", "database", "other"]
Reason = Literal[
    "body_too_large", "body_too_slow", "nested_too_deeply", "busy", "took_too_long", "gone"
]

# What tells others how the process is never waits for a place.
PROBES = ("/healthz", "/readyz", "/metrics")
# Threads for the probes, beside those of all places.
PROBE_THREADS = 4
# At once, and waiting. The database has 15 connections a process, and one writer where it is
# SQLite; the rest takes a millisecond or few, and a browser asks for the page's 20 files at once.
# Either line is short in time: what stands last in it waits about half a second.
AT_ONCE: dict[Kind, tuple[int, int]] = {"database": (8, 64), "other": (8, 256)}
# Bodies that are held at the same time, as many as so many of the largest.
BODIES_HELD = 16
# A place is free again within seconds; whoever shall wait longer is told by `problems`.
RETRY_AFTER = {"Retry-After": "1"}
# The parser's own limit. No field of the API lies deeper than five.
LEVELS_AT_MOST = 200
TOO_DEEP = "recursion limit exceeded"  # what the parser says then

# For OpenAPI: how any route may refuse.
REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": wire.Problem, "description": "The body did not come in time"},
    413: {"model": wire.Problem, "description": "The body is too large"},
    503: {
        "model": wire.Problem,
        "description": "As much is being worked on as may be, or there is no model, or the "
        "database is away; `detail` says which",
        "headers": {
            "Retry-After": {
                "description": "In seconds",
                "schema": {"type": "integer", "minimum": 1},
            }
        },
    },
}


def kind_of(path: str) -> Kind | None:
    """What a path works with: the model for long, the database, or neither; None for the probes."""
    if path in PROBES:
        return None
    if path.startswith(("/v1/recommendations", "/v1/portfolios")) or path == "/v1/map":
        return "model"
    if path.startswith("/v1/creators/") and path.endswith("/similar"):
        return "model"
    if path.startswith(("/v1/outcomes", "/v1/campaigns", "/v1/changes")):
        return "database"
    return "other"


class Limits:
    """The limits of one process, and what came up against them.

    Attributes:
        places: By kind of work; `running` and `waiting` of each may be read at any time.
        refused: How many requests were refused since the start, by reason; `gone` is whoever no
            longer waited for a place.
        held_bytes: Of the bodies that are held now.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        at_once = settings.concurrency or max(1, cores() // settings.workers)
        self.places: dict[Kind, Places] = {
            "model": Places(at_once, at_once * settings.waiting),
            **{kind: Places(*sizes) for kind, sizes in AT_ONCE.items()},
        }
        self.refused: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)
        self.held_bytes = 0
        self.body_bytes = settings.body_bytes
        self.body_seconds = settings.body_seconds
        self.request_seconds = settings.request_seconds

    @property
    def running(self) -> dict[Kind, int]:
        """How many requests have a place, by kind."""
        return {kind: places.running for kind, places in self.places.items()}

    @property
    def waiting(self) -> dict[Kind, int]:
        """How many wait for one, by kind."""
        return {kind: places.waiting for kind, places in self.places.items()}

    def provide_threads(self) -> None:
        """See that whoever has a place, and the probes, find a thread at once; in the event loop.

        Starlette calls routes that are not coroutines in threads of one limited supply.
        """
        needed = sum(places.at_once for places in self.places.values()) + PROBE_THREADS
        supply = anyio.to_thread.current_default_thread_limiter()
        supply.total_tokens = max(supply.total_tokens, needed)


class _Refused(Exception):
    """The request is not answered, for a reason that its sender is told."""

    def __init__(
        self,
        reason: Reason,
        status: HTTPStatus,
        detail: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.detail = detail
        self.headers = headers
        super().__init__(detail)


class _Gone(Exception):
    """Whoever asked is there no more."""


class LimitsMiddleware:
    """Holds every request to the limits.

    Args:
        app: What answers.
        limits: The limits.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self._limited(scope, receive, send)
        except _Refused as refused:
            self.limits.refused[refused.reason] += 1
            answer = problem(refused.status, refused.detail, headers=refused.headers)
            await answer(scope, receive, send)
        except _Gone:
            self.limits.refused["gone"] += 1

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = kind_of(scope["path"])
        places = None if kind is None else self.limits.places[kind]
        if places is not None and places.full:
            raise _busy()
        body = bytearray()
        try:
            await self._take_in(body, scope, receive)
            _check_nesting(body)
            deadline = asyncio.get_running_loop().time() + self.limits.request_seconds
            if places is not None:
                await _place(places, receive, deadline)
            await self._answer(scope, _again(bytes(body), receive), send, places, deadline)
        finally:
            self.limits.held_bytes -= len(body)

    async def _take_in(self, body: bytearray, scope: Scope, receive: Receive) -> None:
        """Read a body to its end."""
        limits = self.limits
        said = next((int(v) for name, v in scope["headers"] if name == b"content-length"), 0)
        if said > limits.body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    part = message.get("body", b"")
                    body += part
                    limits.held_bytes += len(part)
                    if len(body) > limits.body_bytes:
                        raise self._too_large()
                    if limits.held_bytes > BODIES_HELD * limits.body_bytes:
                        raise _busy()
                    more = message.get("more_body", False)
        except TimeoutError:
            raise _Refused(
                "body_too_slow",
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not come to an end within {limits.body_seconds:g} s: "
                f"{len(body):,} bytes came",
                {"Connection": "close"},
            ) from None

    def _too_large(self) -> _Refused:
        return _Refused(
            "body_too_large",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self.limits.body_bytes:,} bytes: send fewer at a time",
        )

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, places: Places | None, deadline: float
    ) -> None:
        """Let the application answer, for as long as it may."""
        answer = _Answer(send)

        async def answering() -> None:
            await self.app(scope, receive, answer.send)

        work = asyncio.create_task(answering())
        if places is not None:
            # Not when the time is up: a thread cannot be stopped, and keeps its place to its end.
            work.add_done_callback(lambda _: places.leave())
        left = deadline - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({work}, timeout=max(left, 0.0))
        if done:
            work.result()
        elif answer.begun:
            work.cancel()  # whoever asked reads too slowly; the server closes the connection
        else:
            answer.too_late = True
            raise _Refused(
                "took_too_long",
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"no answer within {self.limits.request_seconds:g} s; what was sent may be worked "
                "on still: ask again later",
            )


class _Answer:
    """An answer on its way.

    Attributes:
        begun: Its status was sent.
        too_late: Nobody waits for it any more.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.too_late = False

    async def send(self, message: Message) -> None:
        if self.too_late:
            return
        self.begun = True
        await self._send(message)


def _busy() -> _Refused:
    return _Refused(
        "busy",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the service works on as many requests as it can: ask again",
        RETRY_AFTER,
    )


def _check_nesting(body: bytearray) -> None:
    """Refuse JSON so deep that no parser or message written as a recursion would hold it."""
    if body.count(b"[") + body.count(b"{") <= LEVELS_AT_MOST:
        return
    try:
        pydantic_core.from_json(body, cache_strings="none")
    except ValueError as error:
        # Whatever else is wrong with it, the route says.
        if TOO_DEEP in str(error):
            where = str(error).removeprefix(TOO_DEEP).strip()
            raise _Refused(
                "nested_too_deeply",
                HTTPStatus.BAD_REQUEST,
                f"the body is nested more than {LEVELS_AT_MOST} levels deep {where}; no field of "
                "this API is",
            ) from None


async def _place(places: Places, receive: Receive, deadline: float) -> None:
    """Take a place, waiting for it where one may."""
    try:
        turn = places.enter()
    except Full:
        raise _busy() from None
    if turn is None:
        return
    # After the body nothing comes but the news that nobody waits any more.
    gone = asyncio.ensure_future(receive())
    try:
        left = deadline - asyncio.get_running_loop().time()
        either: set[asyncio.Future[Any]] = {turn, gone}
        await asyncio.wait(either, timeout=max(left, 0.0), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise _Gone
        if not turn.done():
            raise _busy()
    except BaseException:
        places.give_up(turn)
        raise
    finally:
        gone.cancel()


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was taken in to whoever reads it next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
