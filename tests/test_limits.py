"""What a request may cost: the middleware by itself, then before the whole application."""

import asyncio
import json
import threading

import pytest
from fastapi.testclient import TestClient

from benchmarks.serving import wait_until
from features.encoders import cores
from service.app import create_app
from service.limits import Limits, LimitsMiddleware, kind_of
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, EXAMPLE_PLAN

# The kind of every route of the API: a new one has to be thought of here.
KINDS = {
    "model": [
        "/v1/recommendations",
        "/v1/recommendations.{kind}",
        "/v1/portfolios",
        "/v1/portfolios.{kind}",
        "/v1/portfolios/curve",
        "/v1/creators/{creator_id}/similar",
        "/v1/map",
    ],
    "database": [
        "/v1/outcomes",
        "/v1/outcomes/{sponsorship_id}",
        "/v1/campaigns",
        "/v1/campaigns/{campaign_id}",
        "/v1/campaigns/{campaign_id}/allocation",
        "/v1/changes",
    ],
    "other": ["/v1/creators/{creator_id}", "/v1/choices", "/v1/handles", "/v1/model"],
    None: ["/healthz", "/readyz"],
}


class Server:
    """What stands before and behind the middleware: requests by hand, an application that waits."""

    def __init__(self, **settings):
        settings = {"concurrency": 1, "waiting": 1} | settings
        self.limits = Limits(ServiceSettings(**settings))
        self.asked = LimitsMiddleware(self.app, self.limits)
        self.begun = []  # bodies, in the order in which work on them began
        self.go_on = asyncio.Event()
        self.half = False  # answer in part, then wait

    async def app(self, scope, receive, send):
        message = await receive()
        self.begun.append(message["body"])
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if self.half:
            await send(start)
        await self.go_on.wait()
        if not self.half:
            await send(start)
        await send({"type": "http.response.body", "body": message["body"]})

    def ask(self, *parts, path="/v1/recommendations", length=None, more=False):
        """Send a request of some parts; its body goes on after them where there is `more`."""
        return Asked(self, path, parts, length, more)


class Asked:
    def __init__(self, server, path, parts, length, more):
        self.status, self.headers, self.body = None, {}, b""
        self.parts, self.more, self.received = list(parts or [b""]), more, 0
        self.left = asyncio.Event()
        headers = [] if length is None else [(b"content-length", str(length).encode())]
        scope = {"type": "http", "path": path, "method": "POST", "headers": headers}
        self.task = asyncio.create_task(server.asked(scope, self.receive, self.send))

    async def receive(self):
        if self.parts:
            self.received += 1
            part = self.parts.pop(0)
            more = bool(self.parts) or self.more
            return {"type": "http.request", "body": part, "more_body": more}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]

    @property
    def problem(self):
        assert self.headers["content-type"] == "application/problem+json"
        told = json.loads(self.body)
        assert told["status"] == self.status
        return told["detail"]


def by_itself(test):
    """Run a test in an event loop, and see that it leaves nothing behind."""

    def run():
        async def whole():
            await asyncio.wait_for(test(), 30)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


async def settled():
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def idle(server):
    limits = server.limits
    assert set(limits.running.values()) == set(limits.waiting.values()) == {0}
    assert limits.held_bytes == 0


@by_itself
async def test_what_does_not_fit_is_refused_at_once_and_the_rest_is_answered_in_order():
    server = Server()
    first, second = server.ask(b"1"), server.ask(b"2")
    await settled()
    assert server.begun == [b"1"]
    assert (server.limits.running["model"], server.limits.waiting["model"]) == (1, 1)
    third = server.ask(b"3", length=1)
    await third.task
    assert third.status == 503 and third.headers["retry-after"] == "1"
    assert "as many requests as it can" in third.problem
    assert third.received == 0  # nor was its body read
    # The others have places of their own.
    elsewhere = [server.ask(b"", path=path) for path in ("/v1/model", "/v1/outcomes", "/healthz")]
    server.go_on.set()
    for asked in (first, second, *elsewhere):
        await asked.task
        assert asked.status == 200
    assert (first.body, second.body) == (b"1", b"2")
    assert server.limits.refused["busy"] == 1
    idle(server)


@by_itself
async def test_probes_are_answered_however_many_wait():
    server = Server()
    for path in ("/v1/map", "/v1/model", "/v1/campaigns"):
        for _ in range(400):
            server.ask(path=path)
    await settled()
    assert sum(server.limits.refused.values()) > 300
    server.go_on.set()
    for path in ("/healthz", "/readyz", "/metrics"):
        asked = server.ask(path=path)
        await asked.task
        assert asked.status == 200


@by_itself
async def test_a_body_may_be_as_large_as_is_said_and_no_larger():
    for parts, length, status, received in (
        ([b"x" * 2_000], 2_000, 200, 1),
        ([b"x" * 1_000, b"y" * 1_000], None, 200, 2),
        ([b"x"], 2_001, 413, 0),
        ([b"x" * 1_000, b"y" * 1_001, b"z"], None, 413, 2),
    ):
        server = Server(body_bytes=2_000)
        server.go_on.set()
        asked = server.ask(*parts, length=length)
        await asked.task
        assert (asked.status, asked.received) == (status, received)
        if status == 200:
            assert server.begun == [b"".join(parts)]
        else:
            assert "2,000 bytes" in asked.problem
            assert server.begun == []
            assert server.limits.refused["body_too_large"] == 1
        idle(server)


@by_itself
async def test_a_body_that_does_not_end_is_given_up_and_holds_no_place():
    server = Server(body_seconds=0.05)
    slow = server.ask(b"begun", more=True)
    await settled()
    assert server.limits.running["model"] == 0
    await slow.task
    assert slow.status == 408 and slow.headers["connection"] == "close"
    assert "0.05 s" in slow.problem and "5 bytes" in slow.problem
    assert server.begun == [] and server.limits.refused["body_too_slow"] == 1
    idle(server)


@by_itself
async def test_all_bodies_together_are_bounded():
    server = Server(body_bytes=2_000)
    slow = [server.ask(b"x" * 1_999, more=True) for _ in range(16)]
    await settled()
    assert server.limits.held_bytes == 16 * 1_999
    one_more = server.ask(b"x" * 100)
    await one_more.task
    assert one_more.status == 503 and one_more.headers["retry-after"]
    for asked in slow:
        asked.left.set()
        await asked.task
        assert asked.status is None
    idle(server)


@by_itself
async def test_who_leaves_the_line_is_not_worked_for():
    server = Server(waiting=2)
    first, second, third = (server.ask(b"%d" % number) for number in (1, 2, 3))
    await settled()
    second.left.set()
    await second.task
    assert server.limits.waiting["model"] == 1
    server.go_on.set()
    await asyncio.gather(first.task, third.task)
    assert server.begun == [b"1", b"3"] and second.status is None
    assert server.limits.refused["gone"] == 1
    idle(server)


@by_itself
async def test_an_answer_that_takes_too_long_is_a_503_and_keeps_its_place_to_its_end():
    server = Server(request_seconds=0.1)
    slow, waiting = server.ask(b"1"), server.ask(b"2")
    await asyncio.gather(slow.task, waiting.task)
    assert slow.status == waiting.status == 503
    assert "0.1 s" in slow.problem and slow.headers["retry-after"]
    assert server.limits.refused["took_too_long"] == server.limits.refused["busy"] == 1
    assert (server.limits.running["model"], server.limits.waiting["model"]) == (1, 0)
    told = slow.body
    server.go_on.set()
    await settled()
    assert slow.body == told  # the answer that came too late goes nowhere
    idle(server)
    after = server.ask(b"3")
    await after.task
    assert (after.status, after.body) == (200, b"3")


@by_itself
async def test_an_answer_that_is_read_too_slowly_is_broken_off():
    server = Server(request_seconds=0.05)
    server.half = True
    asked = server.ask(b"1")
    await asked.task
    await settled()
    assert asked.status == 200 and asked.body == b""
    idle(server)


@by_itself
async def test_nesting_is_refused_with_its_place_and_brackets_in_texts_are_none():
    for body, status in (
        (b'{"a":\n' + b"[" * 250 + b"]" * 250 + b"}", 400),
        (b'{"a":' + b"[" * 100_000, 400),
        (b"[" * 200 + b"]" * 200, 200),
        (json.dumps({"query": "[" * 5_000 + '\\"{' * 900}).encode(), 200),
        (b"[" + b"[]," * 5_000 + b"[]]", 200),
        (b"\xff" + b"{" * 300, 200),  # no JSON: for the route to say
    ):
        server = Server()
        server.go_on.set()
        asked = server.ask(body)
        await asked.task
        assert asked.status == status
        if status == 400:
            line = 2 if b"\n" in body else 1
            assert f"200 levels deep at line {line} column" in asked.problem
            assert server.limits.refused["nested_too_deeply"] == 1
        idle(server)


def test_a_process_works_on_as_much_at_once_as_it_has_cores():
    def at_once(**settings):
        places = Limits(ServiceSettings(**settings)).places["model"]
        return places.at_once, places.may_wait

    assert at_once() == (cores(), 3 * cores())
    assert at_once(workers=cores() + 1) == (1, 3)
    assert at_once(concurrency=5, waiting=2) == (5, 10)
    assert at_once(concurrency=5, waiting=0) == (5, 0)


# ---------------------------------------------------------------- before the whole application


def test_every_route_is_of_a_kind():
    paths = create_app(ServiceSettings()).openapi()["paths"]
    known = {path: kind for kind, some in KINDS.items() for path in some}
    assert paths.keys() - {"/metrics"} == known.keys()
    for path, kind in known.items():
        assert kind_of(path) == kind
    assert kind_of("/web/app.js") == kind_of("/") == "other"


@pytest.fixture(scope="module")
def settings(trained_home, tmp_path_factory):
    from models.registry import Registry

    source = trained_home.settings
    version = trained_home.trained.version.version
    Registry(source.registry_uri, source.artifacts).promote(version, "a test")

    def made(**more):
        home = tmp_path_factory.mktemp("limits")
        shared = str(source.home / "bundles")
        return ServiceSettings(
            home=home, tracking_uri=source.registry_uri, shared_bundles=shared, **more
        )

    return made


def test_while_recommendations_take_all_their_places_the_rest_is_answered(settings, monkeypatch):
    from models import ranker

    go_on, answer, inside = threading.Event(), ranker.answer, []

    def slow(*arguments, **named):
        inside.append(1)
        go_on.wait(60)
        return answer(*arguments, **named)

    monkeypatch.setattr(ranker, "answer", slow)
    app = create_app(settings(concurrency=2, waiting=0))
    with TestClient(app, raise_server_exceptions=False) as client:
        answers = []
        brief = EXAMPLE_BRIEF | {"limit": 2}
        threads = [
            threading.Thread(
                target=lambda: answers.append(client.post("/v1/recommendations", json=brief))
            )
            for _ in range(2)
        ]
        try:
            for thread in threads:
                thread.start()
            wait_until(lambda: len(inside) == 2, "both are worked on")
            refused = client.post("/v1/portfolios", json=EXAMPLE_PLAN)
            assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
            for path in ("/healthz", "/readyz", "/", "/v1/model", "/v1/campaigns"):
                assert client.get(path).status_code == 200
        finally:
            go_on.set()
            for thread in threads:
                thread.join()
        assert [one.status_code for one in answers] == [200, 200]
        assert client.app_state["limits"].refused["busy"] == 1


def test_refusals_are_problems_over_http(settings):
    def chunks():
        for _ in range(3):
            yield b"[" * 1_000

    json_type = {"content-type": "application/json"}
    with TestClient(
        create_app(settings(body_bytes=2_000)), raise_server_exceptions=False
    ) as client:
        for content, status in ((b"x" * 2_001, 413), (chunks(), 413), (b"[" * 300, 400)):
            response = client.post("/v1/recommendations", content=content, headers=json_type)
            assert response.status_code == status
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == status
