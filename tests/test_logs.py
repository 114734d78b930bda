"""The log: a JSON object a line, for which request, and nothing of what was asked."""

import io
import json
import logging
import logging.config
import re
import threading

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from features.schemas import StoreAway
from models import ranker
from models.registry import Registry
from service import logs
from service.app import create_app
from service.observe import SANE
from service.settings import ServiceSettings

BRIEF = {"brand": {"name": "Secretbrand"}, "query": "A secret serum that nobody shall read of"}


@pytest.fixture
def log_lines(monkeypatch):
    """What the service logs, in the form it was told; everything is as before at the end."""
    before = {
        name: (logger.level, logger.handlers[:], logger.propagate)
        for name in ("", "creatorfit", "uvicorn", "uvicorn.access")
        for logger in [logging.getLogger(name)]
    }

    def begin(form="json"):
        written = io.StringIO()
        config = logs.log_config(form)
        config["handlers"]["stderr"]["stream"] = written
        logging.config.dictConfig(config)
        return written

    yield begin
    for name, (level, handlers, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture
def client(trained_home):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    app = create_app(ServiceSettings(home=home.home))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def lines(written):
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_every_request_has_a_line_that_says_nothing_of_what_was_asked(client, log_lines):
    written = log_lines()
    creator = client.post("/v1/recommendations", json=BRIEF).json()["items"][0]["creator_id"]
    client.get(f"/v1/creators/{creator}?who=somebody")
    client.get("/v1/outcomes/my-secret-sponsorship")
    client.get("/no/such/path")
    told = [line for line in lines(written) if line["logger"] == "creatorfit.requests"]
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("POST", "/v1/recommendations", 200),
        ("GET", "/v1/creators/{creator_id}", 200),
        ("GET", "/v1/outcomes/{sponsorship_id}", 404),
        ("GET", "none", 404),
    ]
    assert all(line["duration_ms"] > 0 and line["level"] == "INFO" for line in told)
    assert len({line["request_id"] for line in told}) == 4
    assert not re.search(f"secret|{creator}|somebody|no/such", written.getvalue(), re.I)


@pytest.mark.parametrize(
    ("given_id", "is_kept"),
    [("abc-1.2:3_X", True), ("", False), ("a b", False), ("a" * 129, False), ("é", False)],
)
def test_an_id_that_is_sane_is_kept_and_else_one_is_made(client, given_id, is_kept):
    headers = {"X-Request-ID": given_id.encode("latin-1")}
    answered = client.get("/healthz", headers=headers).headers["x-request-id"]
    refused = client.post("/v1/recommendations", json={}, headers=headers)
    assert (answered == given_id) is is_kept and SANE.fullmatch(answered)
    assert refused.status_code == 422
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_lines_from_below_and_from_threads_carry_the_request(client, log_lines, monkeypatch):
    written = log_lines()
    plain = ranker.answer

    def logging_answer(*args, **kwargs):
        assert threading.current_thread() is not threading.main_thread()
        logging.getLogger("creatorfit.below").warning("told from below")
        return plain(*args, **kwargs)

    monkeypatch.setattr(ranker, "answer", logging_answer)
    client.post("/v1/recommendations", json=BRIEF, headers={"X-Request-ID": "mine"})
    logging.getLogger("creatorfit.below").warning("told outside")
    told = {line["message"]: line for line in lines(written)}
    assert told["told from below"]["request_id"] == "mine"
    assert "request_id" not in told["told outside"]


def test_a_failure_of_our_own_is_told_with_its_place_and_without_its_words(
    client, log_lines, monkeypatch
):
    written = log_lines()

    def failing(*args, **kwargs):
        try:
            {}[BRIEF["query"]]
        except KeyError as error:
            raise ValueError(f"cannot read {BRIEF['query']}") from error

    monkeypatch.setattr(ranker, "answer", failing)
    response = client.post("/v1/recommendations", json=BRIEF, headers={"X-Request-ID": "broken"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == response.json()["request_id"] == "broken"
    [line] = [line for line in lines(written) if line["level"] == "ERROR"]
    assert line["request_id"] == "broken" and line["message"].startswith("POST /v1/recommend")
    assert "ValueError" in line["error"] and "KeyError" in line["error"]
    assert "in failing" in line["error"]
    assert "secret" not in written.getvalue()


def test_an_error_that_tells_nothing_of_what_was_asked_keeps_its_words():
    def cause():
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise StoreAway("postgresql://me:pass@host/db: it is full") from error

    try:
        cause()
    except StoreAway as error:
        told = logs.in_short(error)
    assert "No space left on device" in told and "it is full" in told
    assert "pass" not in told and "me:***@host" in told


@given(
    st.text(st.characters(blacklist_characters="/:@", blacklist_categories=["Z", "C"]), min_size=1)
)
def test_no_password_of_a_url_is_told(password):
    told = logs.without_passwords(f"cannot reach https://me:{password}@tracking:5000/x")
    assert told == "cannot reach https://me:***@tracking:5000/x"


def test_plain_text_is_one_line_for_people(client, log_lines):
    written = log_lines("text")
    client.get("/healthz", headers={"X-Request-ID": "seen"})
    [line] = written.getvalue().splitlines()
    assert "INFO" in line and "GET /healthz 200" in line and "request_id=seen" in line


def test_text_is_for_terminals_unless_told(monkeypatch):
    def formatter(form):
        return logs.log_config(form)["formatters"]["lines"]["()"]

    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert formatter("auto") is formatter("json") is logs.JsonLines
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert formatter("auto") is formatter("text") is logs.TextLines
