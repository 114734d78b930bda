"""A tracking server by one setting: trained, published and served over HTTP, then without it."""

import subprocess
import sys

import pytest

from benchmarks.serving import ROOT, TrackingServer
from models.bundle import load
from service.reload import ModelHolder
from service.settings import ServiceSettings
from tests.conftest import Silent, train
from training.forget import forget


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    started = TrackingServer(folder)
    started.start()
    try:
        started.wait()
        yield started
    finally:
        started.stop()


def test_a_server_by_one_setting(server, trained_home, tmp_path):
    uri = server.url
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
    server.stop()
    restarted = ModelHolder(elsewhere)
    assert restarted.refresh()
    assert restarted.trouble
    assert restarted.current().version.version == trained.version.version


def test_a_postgresql_by_one_setting(postgres, trained_home, tmp_path):
    """Named without its driver, as MLflow's own pages do; away when a service starts, and back."""
    uri = postgres.new_schema().replace("postgresql+psycopg://", "postgresql://")
    settings = trained_home.settings.model_copy(
        update={"home": tmp_path / "trainer", "tracking_uri": uri}
    )
    trained = train(settings, str(trained_home.source), Silent()).stand_in
    elsewhere = ServiceSettings(home=tmp_path / "server-home", tracking_uri=uri)
    assert ModelHolder(elsewhere).refresh()
    postgres.stop()
    try:
        restarted = ModelHolder(elsewhere)
        restarted.start()
        assert restarted.trouble and "No such file or directory" in restarted.trouble
        assert restarted.current().version.run_id == trained.version.run_id
    finally:
        postgres.start()
    restarted.refresh()
    assert restarted.trouble is None


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql://me:open-sesame@127.0.0.1:1/none", "Connection refused"),
        ("mysql://me:open-sesame@127.0.0.1:1/none", "its driver is not installed"),
        ("postgresql://me:open-sesame@127.0.0.1:port/none", "the SQL URL cannot be read"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path, uri, told):
    holder = ModelHolder(ServiceSettings(home=tmp_path, tracking_uri=uri))
    holder.start()
    assert told in (holder.trouble or "") and "open-sesame" not in (holder.trouble or "")


def test_processes_that_start_at_once_make_one_store(tmp_path):
    """MLflow itself makes the tables of a tracking store without a lock."""
    code = (
        "import sys; from pathlib import Path; from models.registry import Registry; "
        "print(Registry(sys.argv[1], Path(sys.argv[2])).champion())"
    )
    uri = f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}"
    command = [sys.executable, "-c", code, uri, str(tmp_path / "artifacts")]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for one in started:
        said, told = one.communicate(timeout=300)
        assert (one.returncode, said.strip()) == (0, b"None"), told
