"""The tables as they were before there were revisions: format 1, as `store_format` says."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Make them all."""
    op.create_table(
        "store_format",
        sa.Column("format", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.execute("INSERT INTO store_format (format) VALUES (1)")
    op.create_table(
        "recommendations",
        sa.Column("recommendation_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("served_at_us", sa.BigInteger, nullable=False),
        sa.Column("brief", sa.Text, nullable=False),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("as_of_us", sa.BigInteger, nullable=False),
        sa.Column("campaign_id", sa.Text),
        sa.Column("plan", sa.Text),
    )
    op.create_index("ix_recommendations_campaign_id", "recommendations", ["campaign_id"])
    op.create_table(
        "served",
        sa.Column(
            "recommendation_id",
            sa.Text,
            sa.ForeignKey("recommendations.recommendation_id"),
            primary_key=True,
        ),
        sa.Column("candidates", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("sponsorship_id", sa.Text, primary_key=True),
        *_of_an_outcome(),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("received_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("outcomes_by_campaign", "outcomes", ["campaign_id"])
    op.create_table(
        "outcome_history",
        sa.Column("sponsorship_id", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        *_of_an_outcome(),
        sa.Column("received_at_us", sa.BigInteger, nullable=False),
    )


def _of_an_outcome() -> list[sa.Column[Any]]:
    return [
        sa.Column("creator_id", sa.Text, nullable=False),
        sa.Column("campaign_id", sa.Text, nullable=False),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("brief", sa.Text, nullable=False),
        sa.Column("started_at_us", sa.BigInteger, nullable=False),
        sa.Column("resolved_at_us", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.Double),
        sa.Column("impressions", sa.BigInteger, nullable=False),
        sa.Column("clicks", sa.BigInteger),
        sa.Column("conversions", sa.BigInteger, nullable=False),
        sa.Column("revenue", sa.Double),
        sa.Column("post_id", sa.Text),
        sa.Column("recommendation_id", sa.Text),
    ]
