"""API keys as requests are checked against them: a copy of the database's list, seconds old.

A thread reads the list, and writes when keys were last used; no request waits for the database.
Knows nothing of HTTP, nor of what a key may be used for.

A key is `creatorfit_ID_SECRET`. The secret is 256 bits of chance and only its SHA-256 is kept: a
slow hash such as argon2 makes guessable secrets dear to guess, and here there is nothing to guess
from, while every request would pay for it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass, field

from features.schemas import StoreAway, StoreError
from features.store import Store
from features.store_keys import Key

log = logging.getLogger("creatorfit.keyring")

ID_BYTES = 6
SECRET_BYTES = 32
_TOKEN = re.compile(r"creatorfit_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")

# How soon a new or revoked key is known to every process.
REFRESH_SECONDS = 2.0
# While the database is away nobody can revoke a key there; those known go on for this long.
STALE_SECONDS = 600.0
# The last use of a key is written this often at most.
USE_SECONDS = 60.0
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class NewSecret:
    """What a new key is made of.

    Attributes:
        key_id: What it is known by.
        digest: What is kept to check it by.
        token: What its holder sends; it is kept nowhere.
    """

    key_id: str
    digest: str
    token: str = field(repr=False)


def new_secret() -> NewSecret:
    """Draw a new key."""
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return NewSecret(key_id, _digest(secret), f"creatorfit_{key_id}_{secret}")


class Keyring:
    """The keys that are taken.

    Args:
        store: Where they are kept.
        background: Whether a thread reads them again and again, until `close`.
    """

    def __init__(self, store: Store, *, background: bool = True) -> None:
        self.store = store
        self._keys: dict[str, Key] = {}
        self._read_at: float | None = None  # by the clock that never goes back
        self._used_us: dict[str, int] = {}  # the last use seen, by key
        self._noted_us: dict[str, int] = {}  # the last use written
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._run, name="keyring", daemon=True)
            self._thread.start()

    def find(self, token: str) -> Key | None:
        """The key that somebody sent, where it is taken; notes its use.

        Raises:
            StoreAway: The keys were never read, or too long ago.
        """
        if self._read_at is None or time.monotonic() - self._read_at > STALE_SECONDS:
            why = self._trouble or "they were not read yet"
            raise StoreAway(f"keys cannot be checked: {why}")
        sent = _TOKEN.fullmatch(token)
        key = None if sent is None else self._keys.get(sent[1])
        if sent is None or key is None:
            return None
        now_us = time.time_ns() // 1_000
        if not hmac.compare_digest(_digest(sent[2]), key.digest) or not key.is_good(now_us):
            return None
        self._used_us[key.key_id] = now_us
        return key

    def refresh(self) -> None:
        """Read the keys, and write the uses that are due. A failure is logged once, not raised."""
        try:
            at = time.monotonic()
            self._keys = {key.key_id: key for key in self.store.access_keys()}
            self._read_at = at
            self._note_uses(USE_SECONDS)
            self._trouble = None
        except StoreError as error:
            if str(error) != self._trouble:
                log.warning("the keys are not read: %s", error)
            self._trouble = str(error)

    def close(self) -> None:
        """Stop reading, and write the uses that are not written yet."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        try:
            self._note_uses(0.0)
        except StoreError as error:
            log.warning("when keys were last used is not kept: %s", error)

    def _run(self) -> None:
        while not self._closing.wait(REFRESH_SECONDS):
            try:
                self.refresh()
            except Exception:
                # Whatever it was, the keys are read again.
                log.exception("reading the keys failed")

    def _note_uses(self, every_seconds: float) -> None:
        due = {
            key_id: used_us
            for key_id, used_us in self._used_us.copy().items()
            if used_us - self._noted_us.get(key_id, 0) > every_seconds * 1_000_000
        }
        if due:
            self.store.note_uses(due)
            self._noted_us |= due


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
