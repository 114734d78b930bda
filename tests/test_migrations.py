"""The database's tables, step by step: from nothing, from each step, from before there were any."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from features.schemas import StoreError
from features.store import _write, open_store
from features.store_engine import WRITES
from features.store_migrate import bring_up, steps_directory
from features.store_tables import METADATA, REVISION, VERSION_TABLE
from tests.test_store import answer, assert_same, candidates, outcome

ROOT = Path(__file__).parents[1]
REVISIONS = [script.revision for script in steps_directory().walk_revisions()][::-1]


def at(store, change):
    """Do something to a database in one transaction that writes."""
    if store.file is not None:
        store.file.parent.mkdir(exist_ok=True)
    with store._engine.connect() as plain:
        connection = plain.execution_options(**{WRITES: True})
        with connection.begin():
            return change(connection)


def tables_in(store):
    return at(store, lambda connection: set(sa.inspect(connection).get_table_names()))


def make_old(store):
    """A database as the release before there were steps left it, with something in it."""
    at(store, lambda connection: bring_up(connection, "old", "0001"))
    at(store, lambda connection: connection.exec_driver_sql(f"DROP TABLE {VERSION_TABLE}"))


def test_the_steps_are_one_line_that_ends_at_the_code():
    scripts = steps_directory()
    assert scripts.get_heads() == [REVISION]
    assert [scripts.get_revision(one).down_revision for one in REVISIONS] == [None, *REVISIONS[:-1]]


@pytest.mark.parametrize("start", [None, *REVISIONS])
def test_every_step_on_leads_to_the_tables_of_the_code(store, start):
    """What Alembic would still change, down to types and indexes, is nothing."""
    if start is not None:
        at(store, lambda connection: bring_up(connection, "x", start))
    store.outcomes()

    def difference(connection):
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    assert at(store, difference) == []


def test_a_database_from_before_there_were_steps_is_taken_over_whole(url):
    store = open_store(url)
    make_old(store)
    sent = [outcome("a"), outcome("b", conversions=4)]
    at(store, lambda connection: _write(connection, sent, 5))
    assert "store_format" in tables_in(store)
    store.record(answer("r1", plan="{}"), candidates(3))
    assert [kept.outcome for kept in store.outcomes()] == sent
    assert len(store.history("b")) == 1
    [(kept, rows)] = store.served(["r1"])
    assert kept == answer("r1", plan="{}")
    assert_same(rows, candidates(3))
    assert tables_in(store) == {*METADATA.tables, VERSION_TABLE}
    store.close()


def test_a_file_that_the_release_before_wrote_is_taken_over_whole(tmp_path):
    """tests/store_format_1.sql is the dump of one."""
    with closing(sqlite3.connect(tmp_path / "service.db")) as connection:
        connection.executescript((ROOT / "tests" / "store_format_1.sql").read_text())
    store = open_store(f"sqlite:///{tmp_path}/service.db")
    assert [(kept.outcome.conversions, kept.revision) for kept in store.outcomes()] == [
        (3, 1),
        (4, 2),
    ]
    assert [kept.received_at_us for kept in store.history("b")] == [5, 6]
    assert store.campaign("k1")[1] == [
        answer("r1", kind="portfolio", plan="{}", campaign_id="k1", served_at_us=1)
    ]
    blobs = at(store, lambda c: c.exec_driver_sql("SELECT candidates FROM served").scalars().all())
    assert blobs == [b"PAR1"]
    assert tables_in(store) == {*METADATA.tables, VERSION_TABLE}
    store.close()


def test_an_old_database_of_another_format_is_refused(store):
    make_old(store)
    at(store, lambda connection: connection.exec_driver_sql("UPDATE store_format SET format = 99"))
    before = tables_in(store)
    with pytest.raises(StoreError, match="its format is 99, but this code goes on from 1"):
        store.outcomes()
    assert tables_in(store) == before


def test_a_database_of_a_newer_release_is_refused_and_taken_again_when_it_is_restored(store):
    store.write_outcomes([outcome()], 1)
    newer = f"UPDATE {VERSION_TABLE} SET version_num = '9999'"
    at(store, lambda connection: connection.exec_driver_sql(newer))
    store.close()
    other = open_store(store._engine.url.render_as_string(hide_password=False))
    with pytest.raises(StoreError, match=f"revision is 9999, but this code goes to {REVISION}"):
        other.outcomes()
    at(other, lambda c: c.exec_driver_sql(newer.replace("9999", REVISION)))
    assert [kept.outcome for kept in other.outcomes()] == [outcome()]
    other.close()


def test_steps_are_done_whole_or_not_at_all(store):
    """A table of somebody else's in the way of a later one: none is made."""
    at(store, lambda c: c.exec_driver_sql("CREATE TABLE outcome_history (mine INTEGER)"))
    with pytest.raises(StoreError, match="outcome_history"):
        store.write_outcomes([outcome()], 1)
    assert tables_in(store) == {"outcome_history"}
    at(store, lambda c: c.exec_driver_sql("DROP TABLE outcome_history"))
    assert store.write_outcomes([outcome()], 1)[0].status == "accepted"


def test_processes_that_find_nothing_there_make_it_once(url):
    code = (
        "import sys\n"
        "from features.store import open_store\n"
        "input()\n"
        "store = open_store(sys.argv[1], 30.0)\n"
        "store.prepare()\n"
        "store.close()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(4)
    ]
    for process in processes:
        process.communicate("\n", timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    store = open_store(url)
    store.prepare()
    assert tables_in(store) == {*METADATA.tables, VERSION_TABLE}
    store.close()
