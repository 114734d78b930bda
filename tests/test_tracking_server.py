"""A tracking server by one setting: trained, published and served over HTTP, then without it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from models.bundle import load
from service.reload import ModelHolder
from service.settings import ServiceSettings
from tests.conftest import Silent, train
from training.forget import forget

PATIENCE_SECONDS = 120


@pytest.fixture
def server(tmp_path):
    """A real MLflow server on loopback; its address, and how to end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--workers", "1"),
        *("--artifacts-destination", str(tmp_path / "server-artifacts")),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, tmp_path / "server.log")
            yield f"http://127.0.0.1:{port}", lambda: _end(process)
        finally:
            _end(process)


def _wait(url, process, log):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the MLflow server is not there: {log.read_text()}")


def _end(process):
    """End the server and every worker it started."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def test_a_server_by_one_setting(server, trained_home, tmp_path):
    uri, end = server
    settings = trained_home.settings.model_copy(
        update={"home": tmp_path / "trainer", "tracking_uri": uri}
    )
    trained = train(settings, str(trained_home.source), Silent()).stand_in
    assert trained.promoted
    assert not (tmp_path / "trainer" / "mlflow.db").exists()
    elsewhere = ServiceSettings(home=tmp_path / "server-home", tracking_uri=uri)
    holder = ModelHolder(elsewhere)
    assert holder.refresh()
    assert holder.current().bundle.manifest == trained.bundle.manifest
    # Who is forgotten is taken out of what the server holds, and is not fetched again.
    creator = str(trained.bundle.index.ids[0])
    found = forget(settings, [creator], Silent())
    assert found.versions == tuple(one.version for one in holder.registry.versions())
    assert found.left == ()
    for version in holder.registry.versions():
        anew = load(holder.registry.fetch(version, tmp_path / "anew"))
        assert creator not in anew.index.ids
        assert len(anew.index) == len(trained.bundle.index) - 1
    end()
    restarted = ModelHolder(elsewhere)
    assert restarted.refresh()
    assert restarted.trouble
    assert restarted.current().version.version == trained.version.version
