"""The tables of the service's database. Times are microseconds since 1970, in UTC.

Knows nothing of what is written into them, nor when.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from features.schemas import TABLES

# The last step of `features.migrations`, which must leave just these tables behind; and the table
# that says which step a database is at. MLflow calls its own by Alembic's usual name.
REVISION = "0004"
VERSION_TABLE = "store_revision"

METADATA = sa.MetaData()

RECOMMENDATIONS = sa.Table(
    "recommendations",
    METADATA,
    sa.Column("recommendation_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("served_at_us", sa.BigInteger, nullable=False),
    sa.Column("brief", sa.Text, nullable=False),
    sa.Column("brand", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("as_of_us", sa.BigInteger, nullable=False),
    sa.Column("campaign_id", sa.Text, index=True),
    sa.Column("plan", sa.Text),
    sa.Index("recommendations_by_time", "served_at_us"),
)
SERVED = sa.Table(
    "served",
    METADATA,
    sa.Column(
        "recommendation_id",
        sa.Text,
        sa.ForeignKey("recommendations.recommendation_id"),
        primary_key=True,
    ),
    sa.Column("candidates", sa.LargeBinary, nullable=False),
)


def _outcome_columns() -> list[sa.Column[Any]]:
    """The contract's columns but the key, which each table has in its own way."""
    types: dict[str, Any] = {
        "text": sa.Text,
        "integer": sa.BigInteger,
        "number": sa.Double,
        "time": sa.BigInteger,
    }
    columns: list[sa.Column[Any]] = []
    for name, column in TABLES["sponsorships"].items():
        if name == "sponsorship_id":
            continue
        named = f"{name}_us" if column.type == "time" else name
        filled_in = column.required or column.type == "time"
        columns.append(sa.Column(named, types[column.type], nullable=not filled_in))
    return columns


OUTCOMES = sa.Table(
    "outcomes",
    METADATA,
    sa.Column("sponsorship_id", sa.Text, primary_key=True),
    *_outcome_columns(),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("received_at_us", sa.BigInteger, nullable=False),
    sa.Index("outcomes_by_campaign", "campaign_id"),
)
OUTCOME_HISTORY = sa.Table(
    "outcome_history",
    METADATA,
    sa.Column("sponsorship_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    *_outcome_columns(),
    sa.Column("received_at_us", sa.BigInteger, nullable=False),
)
ACCESS_KEYS = sa.Table(
    "access_keys",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger),
    sa.Column("revoked_at_us", sa.BigInteger),
    sa.Column("last_used_at_us", sa.BigInteger),
)
CHANGES = sa.Table(
    "changes",
    METADATA,
    # SQLite counts up by itself in a column of just this type.
    sa.Column("change_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("detail", sa.Text, nullable=False),
)
