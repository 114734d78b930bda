"""Around every request: its id, its line in the log, its time in the metrics, its trace.

The outermost layer of the application, so that what others refuse is seen too. What is told of a
request is its method, the template of its route, its status and its time: not its path, which holds
ids of creators, nor its query or body.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import timing
from service import logs, tracing
from service.metrics import Metrics
from service.tracing import Tracing

log = logging.getLogger("creatorfit.requests")

HEADER = "X-Request-ID"
# What a proxy or a caller may call a request: nothing that a log or a header must escape.
SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# Of a request that no route took: there is none, or it was refused before.
NO_ROUTE = "none"


class Observing:
    """The outermost layer.

    Args:
        app: The application below.
        metrics: Where requests are counted.
        traces: Where spans are sent; None sends none.
        failed: Answers where the application fails, and logs it.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        traces: Tracing | None,
        failed: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.traces = traces
        self.failed = failed
        self._listener = metrics if traces is None else _Both(metrics, traces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else uuid.uuid4().hex
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        began = time.perf_counter()
        with ExitStack() as around:
            around.enter_context(logs.context(request_id=request_id))
            around.enter_context(timing.listening(self._listener))
            span = None
            if self.traces is not None:
                span = around.enter_context(self.traces.request(scope["method"], headers))
                around.enter_context(logs.context(**tracing.ids(span)))
            try:
                await self.app(scope, receive, sending)
            except Exception as error:
                if status:
                    raise  # the answer is half sent: its connection must end
                response = await self.failed(Request(scope), error)
                await response(scope, receive, sending)
            finally:
                seconds, route = time.perf_counter() - began, route_of(scope)
                self.metrics.answered(scope["method"], route, status, seconds)
                if span is not None:
                    tracing.finish(span, route, status)
                self._tell(scope, route, status, seconds)

    def _tell(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        fields = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        }
        if caller := scope.get("state", {}).get("caller"):
            fields["key"] = caller
        log.info("%s %s %d", scope["method"], route, status, extra={"fields": fields})


def route_of(scope: Scope) -> str:
    """The template of the route that took a request, such as ``/v1/creators/{creator_id}``."""
    route = scope.get("route")
    if route is not None:
        return str(route.path_format)
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return f"{mounted}/{{path}}" if mounted else NO_ROUTE


class _Both:
    """Tells metrics and traces of each stage."""

    def __init__(self, metrics: Metrics, traces: Tracing) -> None:
        self._metrics = metrics
        self._traces = traces

    @contextmanager
    def _stage(self, name: timing.Stage) -> Iterator[None]:
        with self._traces.stage(name), self._metrics.stage(name):
            yield

    def stage(self, name: timing.Stage) -> AbstractContextManager[object]:
        return self._stage(name)

    def eligible(self, creators: int) -> None:
        self._metrics.eligible(creators)
