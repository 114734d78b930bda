"""Somebody else's database: whether it answers, and the contract's tables in it. Writes nothing.

Knows nothing of types, ranges or keys; values come as the driver gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from features.schemas import KEYS, TABLES, DataError
from features.table_raw import RawPart, RawTable

# Rows fetched at a time: bounds what the driver holds beside our own columns.
_ROWS_A_FETCH = 20_000


def read_database(url: str) -> dict[str, RawTable]:
    """Read every table of the contract that a database holds.

    Tables and views of the default schema are read, in one transaction that only reads, ordered
    by key, so that a row's number is the same each time.

    Args:
        url: An SQLAlchemy URL, such as ``postgresql+psycopg://user@host/name``.

    Raises:
        DataError: The URL, its driver or the database cannot be used. A password is not shown.
    """
    parsed, name = _parsed(url)
    engine = _engine(_read_only(parsed), name)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            inspector = sa.inspect(connection)
            present = {*inspector.get_table_names(), *inspector.get_view_names()}
            return {
                table: _read_table(
                    connection,
                    table,
                    [column["name"] for column in inspector.get_columns(table)],
                )
                for table in TABLES
                if table in present
            }
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        raise DataError(f"{name}: {first_line(error)}") from None
    finally:
        engine.dispose()


def reached(url: str, seconds: int) -> str:
    """The URL of a database with the driver that is installed, once it has answered.

    Args:
        url: An SQLAlchemy URL.
        seconds: How long a connection to PostgreSQL may take; 0: none is tried.

    Raises:
        DataError: The URL, its driver or the database cannot be used. A password is not shown.
    """
    parsed, name = _parsed(url)
    wait = {"connect_timeout": seconds} if parsed.get_backend_name() == "postgresql" else {}
    engine = _engine(parsed, name, wait)
    try:
        if seconds:
            engine.connect().close()
    except SQLAlchemyError as error:
        raise DataError(f"{name}: {first_line(error)}") from None
    return parsed.render_as_string(hide_password=False)


def _parsed(url: str) -> tuple[sa.URL, str]:
    """A URL with its driver, and as it may be shown."""
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise DataError("the SQL URL cannot be read; write DIALECT://USER@HOST/NAME") from None
    return with_driver(parsed), parsed.render_as_string(hide_password=True)


def _engine(url: sa.URL, name: str, options: Mapping[str, Any] | None = None) -> sa.Engine:
    """An engine that keeps no connection; nothing is connected yet."""
    try:
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args=dict(options or {}))
    except ImportError as error:
        raise DataError(f"{name}: its driver is not installed ({error.name})") from None
    except SQLAlchemyError as error:
        raise DataError(f"{name}: {first_line(error)}") from None


def _read_only(url: sa.URL) -> sa.URL:
    """The URL, with which SQLite neither makes nor changes the file."""
    file = url.database
    if url.get_backend_name() != "sqlite" or not file or file.startswith((":memory:", "file:")):
        return url
    quoted = file.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return url.set(database=f"file:{quoted}").update_query_dict({"mode": "ro", "uri": "true"})


def with_driver(url: sa.URL) -> sa.URL:
    """The URL with the driver that is installed, where it names none."""
    if url.drivername == "postgresql":  # before SQLAlchemy 2.1 that means psycopg2
        return url.set(drivername="postgresql+psycopg")
    return url


def first_line(error: Exception) -> str:
    """What a database or its driver says of a failure, on one line."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


def _read_table(connection: sa.Connection, table: str, found: list[str]) -> RawTable:
    known = [name for name in TABLES[table] if name in found]
    columns: dict[str, list[Any]] = {name: [] for name in known}
    n_rows = 0
    if known:
        # Bare columns carry no type, so nothing stands between the driver's value and the check.
        query: Any = (
            sa.select(*(sa.column(name) for name in known))
            .select_from(sa.table(table))
            .order_by(*(sa.column(name) for name in KEYS[table] if name in known))
        )
        result = connection.execution_options(yield_per=_ROWS_A_FETCH).execute(query)
        for rows in result.partitions():
            n_rows += len(rows)
            for name, values in zip(known, zip(*rows, strict=True), strict=True):
                columns[name].extend(_plain(value) for value in values)
    part = RawPart(
        file=table,
        columns=columns,
        rows=np.arange(1, n_rows + 1, dtype=np.int64),
        unknown=tuple(name for name in found if name not in known),
    )
    return RawTable(table, (part,))


def _plain(value: Any) -> Any:
    """A UUID is text in every other source; a decimal is a number."""
    if isinstance(value, UUID):
        return str(value)
    return float(value) if isinstance(value, Decimal) else value
