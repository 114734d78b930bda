"""API keys as the service's database keeps them: never the secret, only what it is checked by.

Knows nothing of connections (`features.store` opens them), nor of how a key is sent or checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from features.schemas import UnknownKey
from features.store_changes import COMMAND_LINE, Change, What, append_changes
from features.store_tables import ACCESS_KEYS


class Scope(StrEnum):
    """What a key may be used for."""

    RECOMMEND = "recommend"
    OUTCOMES = "outcomes"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True)
class Key:
    """An API key.

    Attributes:
        key_id: What it is known by; not secret.
        name: Who or what holds it, in words.
        scopes: What it may be used for, any of `Scope`.
        digest: SHA-256 of its secret, in hexadecimal.
        expires_at_us: From when on it is no longer taken; None: never.
        revoked_at_us: When it was revoked.
        last_used_at_us: When it was last used, to the minute.
    """

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at_us: int
    expires_at_us: int | None = None
    revoked_at_us: int | None = None
    last_used_at_us: int | None = None

    def is_good(self, now_us: int) -> bool:
        """Whether it is still taken."""
        over = self.expires_at_us is not None and self.expires_at_us <= now_us
        return self.revoked_at_us is None and not over


def all_keys(connection: sa.Connection) -> list[Key]:
    """Every key there ever was, the earliest first."""
    query = sa.select(ACCESS_KEYS).order_by(ACCESS_KEYS.c.created_at_us, ACCESS_KEYS.c.key_id)
    return [_key(row) for row in connection.execute(query).mappings()]


def add_key(connection: sa.Connection, key: Key) -> None:
    """Keep a new key."""
    _insert(connection, key)
    _note(connection, key.created_at_us, "key created", key.key_id, _told(key))


def replace_key(
    connection: sa.Connection,
    key_id: str,
    new_id: str,
    digest: str,
    at_us: int,
    old_expires_at_us: int,
) -> Key:
    """Keep a new key of the name and scopes of another, which is taken until a moment.

    Args:
        connection: Within a transaction that writes.
        key_id: The key to replace.
        new_id: Of the new key.
        digest: Of the new key.
        at_us: Now.
        old_expires_at_us: When the old one ends.

    Returns:
        The new key.

    Raises:
        UnknownKey: There is none of that id, or it is no longer taken.
    """
    old = _good(connection, key_id, at_us)
    new = Key(new_id, old.name, old.scopes, digest, at_us)
    _insert(connection, new)
    # One that was to end sooner is not kept longer by being rotated again.
    ends = min(old_expires_at_us, old.expires_at_us or old_expires_at_us)
    same = ACCESS_KEYS.c.key_id == key_id
    connection.execute(sa.update(ACCESS_KEYS).where(same).values(expires_at_us=ends))
    _note(connection, at_us, "key rotated", key_id, f"by {new_id}; {_told(new)}")
    return new


def revoke_key(connection: sa.Connection, key_id: str, at_us: int) -> Key:
    """Take a key no longer, and say which it was.

    Raises:
        UnknownKey: There is none of that id, or it is no longer taken.
    """
    key = _good(connection, key_id, at_us)
    same = ACCESS_KEYS.c.key_id == key_id
    connection.execute(sa.update(ACCESS_KEYS).where(same).values(revoked_at_us=at_us))
    _note(connection, at_us, "key revoked", key_id, _told(key))
    return replace(key, revoked_at_us=at_us)


def note_uses(connection: sa.Connection, used_at_us: Mapping[str, int]) -> None:
    """Keep when keys were last used, unless another process has seen a later use."""
    column = ACCESS_KEYS.c.last_used_at_us
    # In one order, so that two who write the same rows do not wait for one another.
    for key_id, at_us in sorted(used_at_us.items()):
        earlier = column.is_(None) | (column < at_us)
        same = (ACCESS_KEYS.c.key_id == key_id) & earlier
        connection.execute(sa.update(ACCESS_KEYS).where(same).values(last_used_at_us=at_us))


def _good(connection: sa.Connection, key_id: str, now_us: int) -> Key:
    """A key that is still taken, held for this transaction."""
    query = sa.select(ACCESS_KEYS).where(ACCESS_KEYS.c.key_id == key_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise UnknownKey(key_id, "there is none of this id")
    key = _key(row)
    if not key.is_good(now_us):
        ended = "it was revoked" if key.revoked_at_us is not None else "it has expired"
        raise UnknownKey(key_id, ended)
    return key


def _insert(connection: sa.Connection, key: Key) -> None:
    connection.execute(sa.insert(ACCESS_KEYS), asdict(key) | {"scopes": " ".join(key.scopes)})


def _key(row: Mapping[Any, Any]) -> Key:
    return Key(**{**row, "scopes": tuple(Scope(one) for one in row["scopes"].split())})


def _told(key: Key) -> str:
    return f"{key.name}: {' '.join(key.scopes)}"


def _note(connection: sa.Connection, at_us: int, what: What, key_id: str, detail: str) -> None:
    append_changes(connection, [Change(at_us, COMMAND_LINE, what, key_id, detail)])
