"""Answers are found by when they were served: the oldest are deleted."""

from __future__ import annotations

from alembic.operations import Operations

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    """Make an index."""
    op.create_index("recommendations_by_time", "recommendations", ["served_at_us"])
