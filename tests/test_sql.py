"""Reading the tables of somebody else's database: SQLite and a real PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from features.schemas import TABLES, DataError, InvalidTables, Tables
from features.tables import read_tables

SOUND = Path(__file__).resolve().parent / "sound_tables"

TYPES: dict[str, Any] = {
    "text": sa.Text(),
    "integer": sa.BigInteger(),
    "number": sa.Numeric(12, 2),
    "share": sa.Double(),
    "boolean": sa.Boolean(),
    "time": sa.DateTime(timezone=True),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a b%23#.db"
    return str(request.getfixturevalue("postgres_url"))


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as Python values, None where there is none."""
    plain = frame.astype(object).where(frame.notna(), None)
    records = plain.to_dict("records")
    return [
        {
            n: v.to_pydatetime() if isinstance(v, datetime) and v is not None else v
            for n, v in row.items()
        }
        for row in records
    ]


def fill(url: str, tables: Tables, **types: Any) -> None:
    """Make the contract's tables in a database, some columns with types of one's own."""
    metadata = sa.MetaData()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for name, columns in TABLES.items():
            table = sa.Table(
                name,
                metadata,
                *(sa.Column(n, types.get(n, TYPES[c.type])) for n, c in columns.items()),
                sa.Column("shoe size", sa.Integer()),
            )
            table.drop(connection, checkfirst=True)
            table.create(connection)
            rows = rows_of(getattr(tables, name).iloc[::-1])
            if rows:
                connection.execute(sa.insert(table), rows)
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS unrelated (a INTEGER)"))
    engine.dispose()


def test_a_database_holds_what_a_folder_holds(url: str) -> None:
    expected = read_tables(SOUND)
    fill(url, expected)
    tables = read_tables(url)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(tables, name), getattr(expected, name))
    assert tables.digest == expected.digest
    assert tables.warnings == tuple(
        f"{n}: unknown columns were left out: shoe size" for n in TABLES
    )


def test_times_are_utc_whatever_zone_the_database_speaks_in(postgres_url: str) -> None:
    expected = read_tables(SOUND)
    fill(postgres_url, expected)
    elsewhere = f"{postgres_url}&options=-c%20timezone%3DAsia/Tokyo"
    assert read_tables(elsewhere).digest == expected.digest


def test_a_row_at_fault_in_a_database_is_refused_by_name(url: str) -> None:
    fill(url, read_tables(SOUND))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE posts SET likes = -3 WHERE post_id = 'p2'"))
        connection.execute(sa.text("UPDATE posts SET text = NULL WHERE post_id = 'p3'"))
        connection.execute(
            sa.text("UPDATE creators SET price_per_post = -0.5 WHERE creator_id = 'c0'")
        )
    with pytest.raises(InvalidTables) as caught:
        read_tables(url)
    found = [(f.table, f.file, f.row, f.column, f.value, f.kind) for f in caught.value.faults]
    assert found == [
        ("creators", "creators", 1, "price_per_post", "-0.5", "out_of_range"),
        ("posts", "posts", 4, "text", None, "missing_value"),
        ("posts", "posts", 3, "likes", "-3", "out_of_range"),
    ]


def test_a_column_or_table_missing_in_a_database_is_refused(url: str) -> None:
    fill(url, read_tables(SOUND))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE posts RENAME COLUMN likes TO hearts"))
        connection.execute(sa.text("DROP TABLE creators"))
    with pytest.raises(InvalidTables) as caught:
        read_tables(url)
    assert caught.value.counts == {
        ("creators", "missing_table"): 1,
        ("posts", "missing_column"): 1,
    }


def test_views_and_uuids_are_read(postgres_url: str) -> None:
    tables = read_tables(SOUND)
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_DNS, old)) for old in tables.posts["post_id"]}
    posts = tables.posts.assign(post_id=tables.posts["post_id"].map(names))
    renamed = Tables(**{**{n: getattr(tables, n) for n in TABLES}, "posts": posts}, digest="")
    fill(postgres_url, renamed, post_id=sa.Uuid(as_uuid=False))
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE posts RENAME TO all_posts"))
        connection.execute(sa.text("CREATE VIEW posts AS SELECT * FROM all_posts WHERE likes > 0"))
    try:
        assert set(read_tables(postgres_url).posts["post_id"]) == set(names.values())
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP VIEW posts"))


def test_nothing_is_written_to_a_database(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(DataError, match="unable to open"):
        read_tables(f"sqlite:///{path}")
    assert not path.exists()
    fill(f"sqlite:///{path}", read_tables(SOUND))
    before = path.read_bytes()
    assert len(read_tables(f"sqlite:///{path}").posts) == 4
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["none.db"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:1/x", "connection"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/x", "me:...@127.0.0.1"),
        ("nonesuch://me:secret@host/x", "nonesuch"),
        ("oracle+oracledb://me:secret@host/x", "driver is not installed"),
        ("://", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_data_error(url: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_tables(url)
    assert words.replace("...", "***") in str(caught.value)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database, but long enough to be looked at" * 30)
    with pytest.raises(DataError, match="not a database"):
        read_tables(f"sqlite:///{tmp_path}/a.db")
