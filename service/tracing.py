"""Traces by OpenTelemetry, where the extra `otel` is installed and a collector is named.

One span a request and one a stage inside it, of the trace that the request says it belongs to. Says
nothing of what was asked: no path, no query, no body. Knows nothing of metrics or logs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from features.schemas import CreatorfitError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanKind

log = logging.getLogger("creatorfit.tracing")

# OpenTelemetry's own name for the collector's address; others of its variables hold as well.
STANDARD = "OTEL_EXPORTER_OTLP_ENDPOINT"
INSTALL = "pip install --constraint constraints.txt 'creatorfit[otel]'"


class TracingError(CreatorfitError):
    """Traces were asked for, but cannot be sent."""


class Tracing:
    """Sends spans.

    Args:
        provider: Of the spans; it is shut down by `close`.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("creatorfit")

    @contextmanager
    def _span(
        self,
        name: str,
        parent: Context | None = None,
        kind: SpanKind | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Iterator[Span]:
        from opentelemetry.trace import SpanKind, StatusCode  # only where traces are on

        # What an error says may quote what was asked: by default its message would be in the span.
        with self._tracer.start_as_current_span(
            name,
            parent,
            kind or SpanKind.INTERNAL,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def request(self, method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """A span for a request, within the trace that its header `traceparent` names."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract(headers)
        return self._span(method, parent, SpanKind.SERVER, {"http.request.method": method})

    def stage(self, name: str) -> AbstractContextManager[Span]:
        """A span for a stage, within the request that runs."""
        return self._span(name)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def ids(span: Span) -> dict[str, str]:
    """What a line of the log says of a span."""
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def finish(span: Span, route: str, status: int) -> None:
    """Say of a request's span what is known at its end."""
    from opentelemetry.trace import StatusCode

    span.update_name(f"{span.attributes['http.request.method']} {route}")  # type: ignore[attr-defined]
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def open_tracing(collector: str) -> Tracing | None:
    """Traces to a collector; None where nobody named one.

    Args:
        collector: Its address for OTLP over HTTP, such as ``http://127.0.0.1:4318``; where empty,
            what `STANDARD` names.

    Raises:
        TracingError: The extra is not installed.
    """
    if not collector and not os.environ.get(STANDARD):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        if not collector:  # meant for other programs too
            log.warning("no traces are sent, though %s is set: %s", STANDARD, INSTALL)
            return None
        raise TracingError(
            f"CREATORFIT_TRACES = {collector!r}, but there is no module {error.name}: {INSTALL}"
        ) from None
    # The exporter takes the whole address, but adds the path to that of the standard variable.
    exporter = OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces" if collector else None)
    name = os.environ.get("OTEL_SERVICE_NAME", "creatorfit")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
