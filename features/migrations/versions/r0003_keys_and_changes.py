"""API keys, and the log of changes, which the database itself keeps from being altered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"

REASON = "the log of changes is appended to, and never altered"
# What a forgotten creator's changes were about may be written over, and nothing else.
FORGETS = (
    "NEW.subject = 'forgotten' AND NEW.change_id = OLD.change_id AND NEW.at_us = OLD.at_us "
    "AND NEW.who = OLD.who AND NEW.what = OLD.what AND NEW.detail = OLD.detail"
)
SQLITE = (
    "CREATE TRIGGER changes_stay BEFORE UPDATE ON changes "
    f"WHEN NOT ({FORGETS}) BEGIN SELECT RAISE(ABORT, '{REASON}'); END",
    "CREATE TRIGGER changes_are_kept BEFORE DELETE ON changes "
    f"BEGIN SELECT RAISE(ABORT, '{REASON}'); END",
)
POSTGRESQL = (
    "CREATE FUNCTION changes_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF TG_OP = 'UPDATE' THEN IF {FORGETS} THEN RETURN NEW; END IF; END IF; "
    f"RAISE EXCEPTION '{REASON}'; END $$",
    "CREATE TRIGGER changes_stay BEFORE UPDATE OR DELETE ON changes "
    "FOR EACH ROW EXECUTE FUNCTION changes_stay()",
    "CREATE TRIGGER changes_are_kept BEFORE TRUNCATE ON changes "
    "FOR EACH STATEMENT EXECUTE FUNCTION changes_stay()",
)


def upgrade(op: Operations) -> None:
    """Make them."""
    op.create_table(
        "access_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger),
        sa.Column("revoked_at_us", sa.BigInteger),
        sa.Column("last_used_at_us", sa.BigInteger),
    )
    op.create_table(
        "changes",
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
        ),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_changes_subject", "changes", ["subject"])
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
