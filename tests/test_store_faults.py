"""The database locked, full, read-only, gone: 503 in words, answers go on, all is well after."""

import random
import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from benchmarks.killing import Load, faults, killer, run, service_of
from benchmarks.serving import wait_until
from features.schemas import StoreAway
from features.store import open_store
from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF
from service.wire_outcomes import EXAMPLE_OUTCOME
from tests.test_store import outcome

KILLS = {"sqlite": 2, "postgresql": 2}


@contextmanager
def sqlite_locked(store, _):
    """Another process writes, and does not come to an end."""
    with closing(sqlite3.connect(store.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield "locked"
        other.execute("ROLLBACK")


@contextmanager
def sqlite_full(store, _):
    """Not a page more."""

    def limit(connection, _):
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(store._engine, "connect", limit)
    store._engine.dispose()
    yield "full"
    sa.event.remove(store._engine, "connect", limit)
    store._engine.dispose()


@contextmanager
def sqlite_gone(store, _):
    """Somebody moves the files away, which the service has open, and back."""
    names = [path.name for path in store.file.parent.glob("service.db*")]
    away = store.file.parent / "away"
    away.mkdir()
    for name in names:
        (store.file.parent / name).rename(away / name)
    yield "its file is gone"
    for name in names:
        if (away / name).exists():
            (away / name).rename(store.file.parent / name)


@contextmanager
def postgresql_locked(store, server):
    """Somebody alters a table, and does not come to an end."""
    engine = sa.create_engine(store._engine.url, poolclass=sa.NullPool)
    with engine.connect() as other, other.begin():
        other.execute(sa.text("LOCK TABLE outcomes, recommendations IN ACCESS EXCLUSIVE MODE"))
        yield "lock timeout"


@contextmanager
def postgresql_stopped(_, server):
    server.stop()
    try:
        yield "connection"
    finally:
        server.start()


@contextmanager
def postgresql_crashed(_, server):
    server.stop("immediate")
    try:
        yield "connection"
    finally:
        server.start()


@contextmanager
def postgresql_read_only(_, server):
    """As hosts of databases make one whose disk is nearly full."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    others += " AND backend_type = 'client backend'"
    server.execute("ALTER DATABASE postgres SET default_transaction_read_only = on", others)
    try:
        yield "read-only"
    finally:
        server.execute(
            "SET default_transaction_read_only = off",
            "ALTER DATABASE postgres RESET default_transaction_read_only",
            others,
        )


TROUBLES = (
    sqlite_locked,
    sqlite_full,
    sqlite_gone,
    postgresql_locked,
    postgresql_stopped,
    postgresql_crashed,
    postgresql_read_only,
)


def batch(start):
    """More than a page of them."""
    return {
        "outcomes": [
            EXAMPLE_OUTCOME
            | {"sponsorship_id": f"s{start + i}", "creator_id": "c000017", "brief": "x" * 900}
            for i in range(60)
        ]
    }


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_a_trouble_is_told_of_and_over_when_it_is_over(trained_home, request, tmp_path, trouble):
    source = trained_home.settings
    Registry(source.registry_uri, source.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    server = None
    url = f"sqlite:///{tmp_path}/service.db"
    if trouble.__name__.startswith("postgresql"):
        server = request.getfixturevalue("postgres")
        url = server.new_schema()
    settings = ServiceSettings(
        home=tmp_path,
        tracking_uri=source.registry_uri,
        shared_bundles=str(source.home / "bundles"),
        database_url=url,
        database_wait_seconds=0.2,
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        recorder, store = client.app_state["recorder"], client.app_state["store"]

        def answered():
            response = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 3})
            assert len(response.json()["items"]) == 3

        def sent(start):
            return client.post("/v1/outcomes", json=batch(start))

        answered()
        assert sent(0).status_code == 200
        assert recorder.flush(30)
        with trouble(store, server) as words:
            for _ in range(3):
                answered()
            for _ in range(2):
                response = sent(1000)
                assert response.status_code == 503
                assert response.headers["content-type"] == "application/problem+json"
                assert int(response.headers["retry-after"]) > 0
                assert words in response.json()["detail"]
        wait_until(lambda: sent(2000).status_code == 200, "outcomes are taken again")
        # All of the first and the last, and nothing of those between.
        kept = {one.outcome.sponsorship_id: one.revision for one in store.outcomes()}
        assert kept == {f"s{start + i}": 1 for start in (0, 2000) for i in range(60)}
        assert client.get("/v1/outcomes/s1000").status_code == 404
        assert sent(1000).status_code == 200
        assert recorder.flush(30)
        assert (recorder.counts.written, recorder.counts.failed, recorder.counts.dropped) == (
            4,
            0,
            0,
        )
        assert len(list(store.log())) == 4


def test_a_database_that_is_restored_in_place_of_another_is_taken_up(tmp_path):
    """An open file is written to after it was deleted: nothing may be acknowledged into that."""
    url = f"sqlite:///{tmp_path}/service.db"
    store = open_store(url)
    store.write_outcomes([outcome("old")], 1)
    with closing(sqlite3.connect(tmp_path / "service.db")) as source:
        source.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    store.write_outcomes([outcome("lost with the disk")], 1)
    for path in tmp_path.glob("service.db*"):
        path.unlink()
    with pytest.raises(StoreAway, match="its file is gone"):
        store.write_outcomes([outcome("new")], 1)
    assert not (tmp_path / "service.db").exists()
    shutil.copy(tmp_path / "backup.db", tmp_path / "service.db")
    assert [kept.outcome.sponsorship_id for kept in store.outcomes()] == ["old"]
    store.write_outcomes([outcome("new")], 1)
    store.close()
    again = open_store(url)
    assert [kept.outcome.sponsorship_id for kept in again.outcomes()] == ["new", "old"]
    again.close()


def test_a_file_that_is_taken_away_while_it_is_written_to_acknowledges_nothing(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/service.db")
    store.prepare()

    def take_away(*_):
        (tmp_path / "service.db").rename(tmp_path / "elsewhere.db")

    sa.event.listen(store._engine, "commit", take_away)
    with pytest.raises(StoreAway, match="taken away"):
        store.write_outcomes([outcome()], 1)
    store.close()


def test_tables_that_are_gone_are_made_again(postgres):
    """As after a server's database was dropped and made anew."""
    url = postgres.new_schema()
    name = url.rsplit("%3D", 1)[1]
    store = open_store(url)
    store.write_outcomes([outcome()], 1)
    postgres.execute(f"DROP SCHEMA {name} CASCADE", f"CREATE SCHEMA {name}")

    def taken():
        try:
            return store.write_outcomes([outcome()], 1)[0].status
        except Exception:
            return None

    assert wait_until(taken, "it is taken again") == "accepted"
    store.close()


def test_no_server_is_asked_to_acknowledge_before_it_writes(postgres):
    url = postgres.new_schema()
    for setting, wanted in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        store = open_store(f"{url}%20-csynchronous_commit%3D{setting}", 2.5)
        with store._transaction() as connection:
            for name, value in (("synchronous_commit", wanted), ("lock_timeout", "2500ms")):
                assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
        store.close()


def test_a_disk_that_is_really_full(tmp_path):
    """A file system of its own, of 2 MB, until another file has taken what is left of it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    store = open_store(f"sqlite:///{disk}/service.db")
    first = [outcome(f"first{i}") for i in range(50)]
    many = [outcome(f"many{i}") for i in range(200)]
    try:
        store.write_outcomes(first, 1)
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        for _ in range(3):
            with pytest.raises(StoreAway):
                store.write_outcomes(many, 2)
        assert len(store.outcomes()) == 50  # reading goes on
        filler.unlink()
        store.write_outcomes(many, 3)
        assert len(store.outcomes()) == 250
        store.close()
        with closing(sqlite3.connect(disk / "service.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        store.close()
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_under_a_real_process(tmp_path):
    """No file of it may grow any more; then they may again, and it goes on without a restart."""
    url = f"sqlite:///{tmp_path}/service.db"
    service = service_of(tmp_path, url)
    try:
        service.start()
        service.wait()
        assert service.client.post("/v1/outcomes", json=batch(0)).status_code == 200
        log = tmp_path / "service.db-wal"
        _, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        for _ in range(3):
            response = service.client.post("/v1/outcomes", json=batch(1000))
            assert response.status_code == 503 and response.headers["retry-after"]
        assert service.client.get("/v1/outcomes/s0").status_code == 200
        assert service.client.get("/v1/outcomes/s1000").status_code == 404
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert service.client.post("/v1/outcomes", json=batch(1000)).status_code == 200
        service.kill()
    finally:
        service.close()
    store = open_store(url)
    assert len(store.outcomes()) == 120
    store.close()
    with closing(sqlite3.connect(tmp_path / "service.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_is_lost_doubled_or_half_written_would_be_found(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/service.db")
    for conversions in (1, 2):
        store.write_outcomes([outcome("a", conversions=conversions)], 1)
    store.write_outcomes([outcome("b", conversions=1)], 1)
    load = Load("http://127.0.0.1:9", threads=1)
    [tally] = load.tallies
    tally.acknowledged = {"a": [1, 2], "b": [1]}
    assert faults(load, store) == []
    tally.pending = {"b": 2, "c": 1}
    assert faults(load, store) == []
    for acknowledged, pending, words in (
        ({"a": [1, 2, 3], "b": [1]}, {}, "a: acknowledged [1, 2, 3]"),
        ({"a": [1], "b": [1]}, {}, "a: acknowledged [1]"),
        ({"a": [1, 2], "b": [1], "lost": [1]}, {}, "lost: acknowledged [1]"),
        ({"a": [1, 2]}, {}, "nobody sent ['b']"),
        ({"a": [1, 2]}, {"b": 1, "c": 1}, "in part"),
    ):
        tally.acknowledged, tally.pending = acknowledged, pending
        assert any(words in fault for fault in faults(load, store)), words
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled(request, tmp_path, kind):
    """A short form of `python -m benchmarks.killing`."""
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    url = f"sqlite:///{tmp_path}/service.db" if server is None else server.new_schema()
    service = service_of(tmp_path, url)
    try:
        found = run(service, url, killer(service, server), KILLS[kind], 0.5, random.randrange(99))
    finally:
        service.close()
        if server is not None:
            server.start()
    assert found.faults == []
    assert found.kills == KILLS[kind] and found.acknowledged > found.kills
