"""The revision says what `store_format` said."""

from __future__ import annotations

from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Drop it."""
    op.drop_table("store_format")
