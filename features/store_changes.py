"""The log of changes: who changed what, and when. It is appended to, and never altered.

The database itself refuses anything else (`features.migrations`), but for this: what a forgotten
creator's changes were about is written over, for ids may name people. Knows nothing of connections
(`features.store` opens them), nor of who may change what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import sqlalchemy as sa

from features.forgotten import PLACEHOLDER, Forgotten
from features.store_tables import CHANGES, OUTCOMES

What = Literal["outcome accepted", "outcome corrected", "key created", "key rotated", "key revoked"]
# Who it was where nobody had to say: a caller that needs no key, and whoever has the database.
ANYBODY = "anybody"
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Change:
    """A change that was made.

    Attributes:
        at_us: When.
        who: The id of a key, `ANYBODY` or `COMMAND_LINE`.
        what: What was done.
        subject: The id of what it was done to: a sponsorship or a key.
        detail: More of it, in words.
    """

    at_us: int
    who: str
    what: What
    subject: str
    detail: str


def append_changes(connection: sa.Connection, changes: Sequence[Change]) -> None:
    """Note changes, within the transaction that makes them."""
    if changes:
        connection.execute(sa.insert(CHANGES), [asdict(change) for change in changes])


def recent_changes(connection: sa.Connection, at_most: int) -> list[Change]:
    """The last changes, the latest first."""
    columns = [CHANGES.c[name] for name in Change.__dataclass_fields__]
    query = sa.select(*columns).order_by(CHANGES.c.change_id.desc()).limit(at_most)
    return [Change(**row) for row in connection.execute(query).mappings()]


def forget_subjects(connection: sa.Connection, forgotten: Forgotten) -> None:
    """Write over what changes were about, where that was an outcome of a forgotten creator.

    Call it while the outcomes are still there: they say whose they are.
    """
    query = sa.select(OUTCOMES.c.creator_id, OUTCOMES.c.sponsorship_id)
    rows = connection.execute(query).all()
    listed = {name for name in {row.creator_id for row in rows} if name in forgotten}
    for row in rows:
        if row.creator_id in listed:
            of_it = (CHANGES.c.subject == row.sponsorship_id) & CHANGES.c.what.startswith("outcome")
            connection.execute(sa.update(CHANGES).where(of_it).values(subject=PLACEHOLDER))
