"""Traces: a span a request and one a stage inside it, and nothing of what was asked."""

import builtins
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from models import ranker
from models.registry import Registry
from models.timing import STAGES
from service import app as application
from service.app import create_app
from service.logs import InContext
from service.settings import ServiceSettings
from service.tracing import STANDARD, Tracing, TracingError, open_tracing

BRIEF = {
    "brand": {"name": "Secretbrand"},
    "query": "A secret serum that nobody shall read of",
    "budget": {"amount": 900},
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def spans(monkeypatch):
    """Where the spans of the next application are kept."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(application, "open_tracing", lambda collector: Tracing(provider))
    return exporter


@pytest.fixture
def client(trained_home, spans):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    app = create_app(ServiceSettings(home=home.home))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_request_is_a_span_with_its_stages_inside(client, spans):
    client.post("/v1/recommendations", json=BRIEF, headers={"traceparent": PARENT})
    found = {span.name: span for span in spans.get_finished_spans()}
    request = found.pop("POST /v1/recommendations")
    assert found.keys() == set(STAGES)
    assert f"{request.context.trace_id:032x}" == TRACE
    assert request.parent.span_id == 0x00F067AA0BA902B7
    assert {span.context.trace_id for span in found.values()} == {request.context.trace_id}
    inside = {request.context.span_id} | {span.context.span_id for span in found.values()}
    assert {span.parent.span_id for span in found.values()} <= inside
    assert request.attributes["http.route"] == "/v1/recommendations"
    assert request.attributes["http.response.status_code"] == 200


def test_spans_say_nothing_of_what_was_asked(client, spans, monkeypatch):
    creator = client.post("/v1/recommendations", json=BRIEF).json()["items"][0]["creator_id"]
    client.get(f"/v1/creators/{creator}?who=secret")

    def failing(*args, **kwargs):
        raise ValueError(BRIEF["query"])

    monkeypatch.setattr(ranker, "answer", failing)
    assert client.post("/v1/recommendations", json=BRIEF).status_code == 500
    told = spans.get_finished_spans()
    assert told[-1].attributes["http.response.status_code"] == 500
    assert not told[-1].status.is_ok
    said = " ".join(span.to_json() for span in told)
    assert "secret" not in said.lower() and creator not in said


def test_a_stage_that_fails_keeps_its_words_for_itself(client, spans, monkeypatch):
    def failing(*args, **kwargs):
        raise ValueError(BRIEF["query"])

    monkeypatch.setattr("models.scoring.pair_features", failing)
    assert client.post("/v1/recommendations", json=BRIEF).status_code == 500
    told = {span.name: span for span in spans.get_finished_spans()}
    assert told["features"].attributes["error.type"] == "ValueError"
    assert not told["features"].status.is_ok
    assert "secret" not in " ".join(span.to_json() for span in told.values()).lower()


def test_lines_of_the_log_name_the_trace(client, caplog):
    caplog.handler.addFilter(InContext())
    caplog.set_level(logging.INFO, "creatorfit.requests")
    client.get("/healthz", headers={"traceparent": PARENT})
    [line] = [record for record in caplog.records if record.name == "creatorfit.requests"]
    assert line.context["trace_id"] == TRACE and len(line.context["span_id"]) == 16


def test_nobody_asked_for_traces(monkeypatch):
    monkeypatch.delenv(STANDARD, raising=False)
    assert open_tracing("") is None


@pytest.fixture
def no_extra(monkeypatch):
    """As if the extra were not installed."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("opentelemetry.exporter"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)


def test_without_the_extra_the_setting_is_an_error_that_says_what_to_do(no_extra, tmp_path):
    with pytest.raises(TracingError, match=r"CREATORFIT_TRACES = 'http://x:4318'.*\[otel\]"):
        create_app(ServiceSettings(home=tmp_path, traces="http://x:4318"))


def test_without_the_extra_the_standard_variable_is_a_warning(no_extra, monkeypatch, caplog):
    monkeypatch.setenv(STANDARD, "http://x:4318")
    assert open_tracing("") is None
    assert STANDARD in caplog.text and "[otel]" in caplog.text


@pytest.mark.parametrize("by", ["setting", "standard variable"])
def test_spans_reach_a_collector(by, monkeypatch):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.delenv(STANDARD, raising=False)
        if by == "standard variable":
            monkeypatch.setenv(STANDARD, url)
        traces = open_tracing(url if by == "setting" else "")
        with traces.request("GET", {}), traces.stage("filter"):
            pass
        traces.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    [(path, body)] = got
    assert path == "/v1/traces" and b"creatorfit" in body and b"filter" in body
