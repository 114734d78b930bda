"""Connections to the service's database, set up so that what is committed is on disk.

Knows nothing of its tables.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)

from features.schemas import StoreError
from features.sql import with_driver

# How long a writer waits for another, and a reader for a server. A transaction takes milliseconds.
WAIT_SECONDS = 5.0
# A server that is gone without a word is noticed after this, not after the system's 15 minutes.
NO_WORD_SECONDS = 10
# Set for one connection: whether its transaction writes, and whether there shall be none at all.
WRITES = "creatorfit_writes"
NO_TRANSACTION = "creatorfit_no_transaction"
# What goes well later, by the driver's class of failure: a lock, a full disk, a server that is gone
# or takes no writes. Other classes blame the statement or its values.
LATER = (OperationalError, InterfaceError, InternalError)


def engine_of(url: str, wait_seconds: float) -> tuple[sa.Engine, str]:
    """An engine, and the URL without its password; nothing is connected yet.

    Args:
        url: An SQLAlchemy URL.
        wait_seconds: How long to wait for a lock, or for a connection.

    Raises:
        StoreError: The URL cannot be read, or there is no driver for it.
    """
    try:
        parsed = with_driver(sa.make_url(url))
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        reason = "CREATORFIT_DATABASE_URL cannot be read; write DIALECT://USER@HOST/NAME"
        raise StoreError(reason) from None
    name = parsed.render_as_string(hide_password=True)
    dialect = parsed.get_backend_name()
    if dialect not in ("sqlite", "postgresql"):
        raise StoreError(f"{name}: the service's database is SQLite or PostgreSQL")
    sqlite = dialect == "sqlite"
    if sqlite and parsed.database in (None, "", ":memory:"):
        raise StoreError(f"{name}: name a file: what is in memory alone is not kept")
    options: dict[str, Any] = {"timeout": wait_seconds}
    if not sqlite:
        options = {
            "connect_timeout": max(2, math.ceil(wait_seconds)),  # libpq takes no less
            "tcp_user_timeout": NO_WORD_SECONDS * 1000,
        }
    try:
        engine = sa.create_engine(
            parsed, connect_args=options, pool_pre_ping=True, pool_timeout=wait_seconds
        )
    except ImportError as error:
        raise StoreError(f"{name}: its driver is not installed ({error.name})") from None
    except ArgumentError:
        raise StoreError(f"{name}: there is no such driver") from None
    if sqlite:
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:

        def set_up(connection: Any, _: object) -> None:
            _set_up_postgresql(connection, wait_seconds)

        sa.event.listen(engine, "connect", set_up)
    return engine, name


def state_of(error: DBAPIError) -> str | None:
    """PostgreSQL's code of what went wrong; SQLite has none."""
    return getattr(error.orig, "sqlstate", None)


def identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another that took its place; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_up_sqlite(connection: Any, _: object) -> None:
    # SQLAlchemy begins transactions itself (`_begin_sqlite`), not the driver at the first write.
    connection.isolation_level = None
    # Readers do not wait for a writer; what was committed survives a loss of power.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # What is deleted is written over with zeros, not only struck from the lists.
    connection.execute("PRAGMA secure_delete=ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get(NO_TRANSACTION):
        return
    # One that reads first and then writes would be refused where another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")


def _set_up_postgresql(connection: Any, wait_seconds: float) -> None:
    connection.autocommit = True  # else what is set here goes with the first transaction
    connection.execute(f"SET lock_timeout = {round(wait_seconds * 1000)}")
    # Where a server or a role acknowledges before it writes, this product does not.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.autocommit = False
