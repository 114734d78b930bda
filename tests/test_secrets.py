"""No password and no key is told: not in logs, not on a terminal, not in answers, not in errors."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.serving import free_port, wait_until
from features.passwords import hide_passwords
from features.schemas import CreatorfitError, DataError, StoreError
from features.sql import read_database
from features.store import open_store
from features.store_keys import Scope
from service.app import create_app
from tests.test_access import ELSEWHERE, add_key, sending, settings_of

ROOT = Path(__file__).parents[1]
PASSWORD = "hunter2-7391"
AWAY = f"postgresql://me:{PASSWORD}@127.0.0.1:1/none"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("at postgresql://me:pw@h/db: away", "at postgresql://me:***@h/db: away"),
        ("http://me:p:w@h:1/a and http://b:c@d", "http://me:***@h:1/a and http://b:***@d"),
        ("http://me:p@w/ord@h/x", "http://me:***@h/x"),
        ("http://:pw@h", "http://:***@h"),
        ("postgresql://me@h/db?password=pw&x=1", "postgresql://me@h/db?password=***&x=1"),
        ("?sslpassword=pw", "?sslpassword=***"),
        ("sqlite:////var/service.db: locked", "sqlite:////var/service.db: locked"),
        ("http://h:80/a: write to a@b", "http://h:80/a: write to a@b"),
    ],
)
def test_passwords_in_urls_are_hidden(told, shown):
    assert hide_passwords(told) == shown
    assert str(CreatorfitError(told)) == shown
    assert str(DataError(told)) == shown


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=30))
def test_whatever_the_password_is(password):
    told = hide_passwords(f"postgresql+psycopg://me:{password}@h:1/db: refused")
    assert told == "postgresql+psycopg://me:***@h:1/db: refused"


def test_hiding_takes_no_time_on_long_texts():
    for text in ("//a:" * 50_000, "//" + "a" * 200_000, "?" + "a" * 200_000, "//a:b@" * 40_000):
        hide_passwords(text)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/none",
        f"postgresql://me:1/{PASSWORD}@127.0.0.1/none",
        f"mysql://me:{PASSWORD}@127.0.0.1/none",
        f"postgresql://me@127.0.0.1:1/none?password={PASSWORD}",
        f"postgresql+nothing://me:{PASSWORD}@127.0.0.1/none",
        f"no url {PASSWORD}",
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_password(url):
    with pytest.raises(StoreError) as refused:
        open_store(url).outcomes()
    with pytest.raises(DataError) as of_tables:
        read_database(url)
    assert PASSWORD not in str(refused.value) + str(of_tables.value)


def test_commands_tell_no_password(tmp_path):
    environment = {name: v for name, v in os.environ.items() if not name.startswith("CREATORFIT_")}
    environment |= {"CREATORFIT_HOME": str(tmp_path), "CREATORFIT_DATABASE_URL": AWAY}
    done = subprocess.run(
        [sys.executable, "-m", "service", "keys", "list"],
        capture_output=True, text=True, cwd=ROOT, timeout=300, env=environment,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 2 and "Traceback" not in told
    assert "me:***@127.0.0.1:1/none" in told and PASSWORD not in told


def test_a_service_logs_no_password_and_no_key(tmp_path):
    """As it is started for others, by uvicorn itself, with registry and database away."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    known = "creatorfit_0123456789ab_" + "S" * 43
    environment = {name: v for name, v in os.environ.items() if not name.startswith("CREATORFIT_")}
    environment |= {
        "CREATORFIT_HOME": str(tmp_path),
        "CREATORFIT_ACCESS": "keys",
        "CREATORFIT_DATABASE_URL": AWAY,
        "CREATORFIT_TRACKING_URI": f"http://me:{PASSWORD}@127.0.0.1:1",
        "CREATORFIT_POLL_SECONDS": "0.2",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    log = tmp_path / "log"
    arguments = ["service.app:create_app", "--factory", "--port", str(port), "--workers", "2"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *arguments, "--log-level", "debug"],
            stdout=file, stderr=file, cwd=ROOT, env=environment,
        )  # fmt: skip
    answers = []
    try:
        with httpx.Client(base_url=address, timeout=60) as client:
            wait_until(lambda: is_up(client), "the service answers")
            for headers in ({}, sending(known), sending(PASSWORD), {"Authorization": PASSWORD}):
                for path in ("/readyz", "/v1/model", "/v1/changes", "/v1/nothing", "/%00"):
                    answers.append(client.get(path, headers=headers))
                answers.append(client.post("/v1/outcomes", content=b"{", headers=headers))
            time.sleep(0.5)  # the registry is asked again meanwhile
    finally:
        process.terminate()
        process.wait(timeout=60)
    said = log.read_text() + "".join(f"{one.text}{one.headers}" for one in answers)
    assert {answer.status_code for answer in answers} == {401, 503}
    assert "me:***@127.0.0.1:1" in said, "it did say what is away"
    assert PASSWORD not in said and known not in said and "S" * 43 not in said


def is_up(client):
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_failure_of_our_own_logs_no_key(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    app = create_app(settings_of(tmp_path))
    with TestClient(app, raise_server_exceptions=False, **ELSEWHERE) as client:
        store = client.app_state["store"]
        token = add_key(store, *Scope).token
        client.app_state["keyring"].refresh()

        def fails(*_):
            raise RuntimeError("a fault")

        monkeypatch.setattr(store, "changes", fails)
        response = client.get("/v1/changes", headers=sending(token))
        assert response.status_code == 500 and "a fault" not in response.text
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "a fault" in caplog.text and token not in caplog.text
    assert token.split("_", 2)[2] not in caplog.text  # its secret, in which "_" may stand too
