"""A service that is ended answers what it has taken in, and takes in nothing more."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import time
from contextlib import closing

import pytest

from benchmarks.killing import service_of
from benchmarks.serving import wait_until
from features.store import open_store
from service.wire_outcomes import EXAMPLE_OUTCOME

# More than the database has places for in a process: some of them wait for one.
AT_ONCE = 12


def refuses(port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_what_is_under_way_is_answered_and_nothing_else_taken_in(tmp_path, workers):
    url = f"sqlite:///{tmp_path}/service.db"
    service = service_of(
        tmp_path, url, workers=workers, database_wait_seconds=60, request_seconds=60
    )
    asked = []
    try:
        service.start()
        service.wait()
        open_store(url).prepare()
        with closing(sqlite3.connect(tmp_path / "service.db", isolation_level=None)) as other:
            # Until this is over none of them can be answered.
            other.execute("BEGIN IMMEDIATE")
            for number in range(AT_ONCE):
                connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
                outcome = EXAMPLE_OUTCOME | {"sponsorship_id": f"s{number}"}
                connection.request(
                    "POST",
                    "/v1/outcomes",
                    json.dumps(outcome),
                    {"content-type": "application/json"},
                )
                asked.append(connection)
            for _ in range(20):  # so all of them have been read
                assert service.client.get("/healthz").status_code == 200
            time.sleep(0.5)
            service.client.close()
            os.kill(service.pid, signal.SIGTERM)
            wait_until(lambda: refuses(service.port), "connections are refused", 20)
            assert service.runs
            other.execute("ROLLBACK")
        for connection in asked:
            response = connection.getresponse()
            assert response.status == 200, response.read()
            assert json.loads(response.read())["results"][0]["status"] == "accepted"
        wait_until(lambda: not service.runs, "it ends", 20)
    finally:
        for connection in asked:
            connection.close()
        service.close()
    store = open_store(url)
    kept = {one.outcome.sponsorship_id for one in store.outcomes()}
    store.close()
    assert kept == {f"s{number}" for number in range(AT_ONCE)}
    assert "Traceback" not in service.log.read_text()
