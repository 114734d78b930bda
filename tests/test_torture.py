"""A short form of the torture run, and that it would tell what is wrong."""

import json
import shutil
import threading
from collections import Counter

import httpx
import pytest

from benchmarks.champions import Champions
from benchmarks.serving import Process, wait_until
from benchmarks.torture import run
from benchmarks.torture_chaos import Happened, Schedule, Window
from benchmarks.torture_judge import alone, judge, unexplained
from benchmarks.torture_load import Ask, Ended, Told, digest, take
from models.registry import Registry
from service.wire import EXAMPLE_BRIEF

# A champion every few seconds, one damaged; a kill, the tracking server and the database away once.
SHORT = Schedule(
    seconds=30,
    champion_every=7,
    kill_every=20,
    tracking_every=15,
    tracking_away=4,
    database_every=9,
    database_away=3,
)


@pytest.mark.long
def test_under_load_while_all_around_it_fails(trained_home, tmp_path):
    """A short form of `python -m benchmarks.torture`, which has PostgreSQL too."""
    figures = run(trained_home.trained.bundle, tmp_path, SHORT, None)
    assert figures.faults == [], figures.table()
    assert figures.not_asked == []
    assert figures.checked > 0 and figures.outcomes > 0
    assert figures.kills == 1 and figures.served > 1
    assert figures.tracking_away == 1 and figures.database_away >= 1


@pytest.fixture(scope="module")
def champions(trained_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torture")
    own = trained_home.settings
    uri = f"sqlite:///{shutil.copy(own.home / 'mlflow.db', folder)}"
    return Champions(trained_home.trained.bundle, Registry(uri, own.artifacts), folder / "whole")


def test_an_answer_of_another_version_is_found(champions, tmp_path):
    """The same request, one answer said to be of a version that did not give it."""
    one, other = champions.publish(), champions.publish()
    damaged = champions.publish("NaN scores")
    happened = Happened(promoted={one.version: None, other.version: None, damaged.version: "x"})
    ask = Ask("POST /v1/recommendations", "/v1/recommendations", json.dumps(EXAMPLE_BRIEF))
    answers = {}
    for version in (one, other):
        with alone(version.version, version.run_id, champions.folder, tmp_path) as client:
            answers[version.version] = ask.of(client).json()
    told = Told()

    def tell(version, answer):
        told.answers[version.version, ask, digest(answer)] += 1
        told.samples[digest(answer)] = answer

    tell(one, answers[one.version])
    tell(other, answers[other.version])
    assert judge([told], champions, happened, tmp_path) == []
    tell(one, answers[other.version])
    [wrong] = judge([told], champions, happened, tmp_path)
    assert f"by version {one.version}, 1 times" in wrong
    tell(damaged, answers[one.version])
    assert len(judge([told], champions, happened, tmp_path)) == 2


def test_what_nothing_explains_is_told():
    happened = Happened(down=[Window(10, 15)], database=[Window(20, 25)])

    def found(route, began, ended, status):
        told = Told(ended=[Ended(route, began, ended, status, "why")])
        return unexplained([told], happened)

    outcomes, model = "GET /v1/outcomes/{sponsorship_id}", "GET /v1/model"
    assert found(outcomes, 9, 11, None) == [] == found(outcomes, 21, 22, 503)
    for route, began, ended, status in (
        (outcomes, 1, 2, None),  # nobody was killed
        (outcomes, 40, 41, 503),  # the database was there
        (model, 21, 22, 503),  # which needs none
        (outcomes, 11, 12, 500),  # never
        (outcomes, 21, 22, 404),
    ):
        assert len(found(route, began, ended, status)) == 1, (route, status)


def test_what_was_lost_is_told_by_an_answer():
    ask = Ask("GET /v1/outcomes/{sponsorship_id}", "/v1/outcomes/s", outcomes=2)
    told = Told()
    take(told, ask, httpx.Response(200, json={"outcome": {}, "history": [{}, {}]}))
    assert told.lost == []
    take(told, ask, httpx.Response(200, json={"outcome": {}, "history": [{}]}))
    assert len(told.lost) == 1


@pytest.mark.long
def test_workers_agree(champions, tmp_path):
    """Two processes of one service: each takes up a new champion, and once it has, keeps to it."""
    first, second = champions.publish(), champions.publish()
    champions.promote(first)
    service = Process(
        tmp_path,
        home=tmp_path / "home",
        tracking_uri=champions.registry.tracking_uri,
        workers=2,
        poll_seconds=0.5,
    )
    try:
        service.start()
        service.wait("/readyz")

        def ask(path="/v1/model"):
            # A connection of its own each time: which worker takes it is the system's choice.
            return httpx.get(service.url + path, timeout=60)

        def workers(version):
            """Those that said they serve a version, by the moment each loaded it."""
            told = [ask().json() for _ in range(20)]
            return {one["loaded_at"] for one in told if one["model"]["version"] == version.version}

        wait_until(lambda: len(workers(first)) == 2, "both workers answer")
        stop, statuses, named = threading.Event(), Counter(), []

        def load():
            while not stop.is_set():
                answer = httpx.post(
                    service.url + "/v1/recommendations", json=EXAMPLE_BRIEF, timeout=60
                )
                statuses[answer.status_code] += 1
                named.append(answer.json()["model"]["version"])

        asking = threading.Thread(target=load)
        asking.start()
        try:
            champions.promote(second)
            wait_until(lambda: len(workers(second)) == 2, "both workers serve the new one")
            agreed = len(named)
            wait_until(lambda: len(named) > agreed + 3, "more answers")
        finally:
            stop.set()
            asking.join()
        assert set(statuses) == {200}
        assert set(named[agreed + 1 :]) == {second.version}, "nobody goes back"
    finally:
        service.close()
