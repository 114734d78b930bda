"""Brings the service's database to the tables of this code, step by step, or leaves it as it was.

The steps are Alembic's revisions in `features.migrations`. There is no way back: whoever wants the
release before restores the backup made before. Knows nothing of what is written into the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from features import migrations
from features.schemas import StoreError
from features.store_tables import REVISION, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.migration import MigrationContext, MigrationStep
    from alembic.script import ScriptDirectory

# Any number, the same in every process of the product: held while the tables are changed.
LOCK = 0x63726561746F72
FIRST = "0001"
# Written before there were revisions; its tables are those of the first one.
_OLD = sa.table("store_format", sa.column("format", sa.Integer))
OLD_FORMAT = 1


def is_current(connection: sa.Connection) -> bool:
    """Whether the tables are those of this code: one look, and no lock."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return False
    version = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))
    return list(connection.execute(sa.select(version.c.version_num)).scalars()) == [REVISION]


def bring_up(connection: sa.Connection, name: str, to: str = "head") -> None:
    """Make or change the tables within the caller's transaction, which must be one that writes.

    Args:
        connection: To the database.
        name: What the database is called in an error.
        to: The revision to bring it to.

    Raises:
        StoreError: It was written by a newer release, or by one that is too old.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    scripts = steps_directory()

    def steps(at: str | tuple[str, ...], _: MigrationContext) -> Iterator[MigrationStep]:
        return _steps(scripts, at, to)

    options = {"fn": steps, "version_table": VERSION_TABLE}
    context = MigrationContext.configure(connection, opts=options)
    at = context.get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    if not set(at) <= known:
        told = ", ".join(at)
        raise StoreError(
            f"{name}: its revision is {told}, but this code goes to {REVISION} and not back: run "
            "the release that wrote it or a newer one, or restore a backup made before"
        )
    if not at and _OLD.name in sa.inspect(connection).get_table_names():
        _adopt(connection, name)
        context.stamp(scripts, FIRST)
    context.run_migrations(op=Operations(context))


def steps_directory() -> ScriptDirectory:
    """The steps as Alembic reads them."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(migrations.__file__).parent))


def _steps(scripts: ScriptDirectory, at: str | tuple[str, ...], to: str) -> Iterator[MigrationStep]:
    from alembic.migration import MigrationStep

    newer = list(scripts.iterate_revisions(to, at or "base"))
    for script in reversed(newer):
        yield MigrationStep.upgrade_from_script(scripts.revision_map, script)


def _adopt(connection: sa.Connection, name: str) -> None:
    """Refuse a database from before there were revisions, unless its tables are the first one's."""
    found = list(connection.execute(sa.select(_OLD.c.format)).scalars())
    if found != [OLD_FORMAT]:
        told = ", ".join(str(number) for number in found)
        raise StoreError(f"{name}: its format is {told}, but this code goes on from {OLD_FORMAT}")
