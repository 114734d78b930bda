"""Creators who are to be forgotten: a list of salted hashes that everything else asks.

Whoever is on it is left out of tables, hidden in what is served, and deleted from what is kept. The
ids themselves are not written: the list shall not be what still names them. Knows nothing of where
creators are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.schemas import DataError

FILE = "forgotten.txt"
# Stands in for the id where a row must stay, such as a place in a list that was shown.
PLACEHOLDER = "forgotten"
HEADER = (
    "# Creators to be forgotten, as SHA-256 of the salt and the id. Written by\n"
    "# `python -m training forget`; keep it, and restore it with every backup.\n"
)
_LINE = re.compile(r"[0-9a-f]{64}")
_SALT = re.compile(r"salt ([0-9a-f]{32})")


@dataclass(frozen=True)
class Forgotten:
    """Who is to be forgotten.

    Attributes:
        salt: Of this list, in hexadecimal; empty where there is no list yet.
        digests: One for each creator.
    """

    salt: str = ""
    digests: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.digests)

    def __contains__(self, creator_id: object) -> bool:
        if not self.digests or not isinstance(creator_id, str):
            return False
        return _digest(self.salt, creator_id) in self.digests

    def mask(self, creator_ids: Iterable[object]) -> NDArray[np.bool_]:
        """Which of some ids are on the list, ``(n,)``."""
        return np.array([one in self for one in creator_ids], dtype=bool)

    def plus(self, creator_ids: Iterable[str]) -> Forgotten:
        """The list with more creators on it."""
        salt = self.salt or secrets.token_hex(16)
        new = {_digest(salt, one) for one in creator_ids}
        return replace(self, salt=salt, digests=self.digests | new)


def read_forgotten(home: Path) -> Forgotten:
    """The list of a home; an empty one where there is none.

    Raises:
        DataError: It cannot be read: nothing may go on as if nobody were on it.
    """
    path = home / FILE
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return Forgotten()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); restore it from a backup") from error
    said = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    said = [(number, line) for number, line in said if not line.startswith("#")]
    salt = _SALT.fullmatch(said[0][1]) if said else None
    if salt is None:
        raise DataError(f"{path}: has no line `salt …` before the others; restore it")
    for number, line in said[1:]:
        if not _LINE.fullmatch(line):
            raise DataError(f"{path} line {number}: {line[:80]!r} is no SHA-256; restore the file")
    return Forgotten(salt[1], frozenset(line for _, line in said[1:]))


def write_forgotten(home: Path, forgotten: Forgotten) -> None:
    """Write the list of a home, whole or not at all."""
    home.mkdir(parents=True, exist_ok=True)
    text = HEADER + f"salt {forgotten.salt}\n"
    text += "".join(f"{digest}\n" for digest in sorted(forgotten.digests))
    staging = home / f".{FILE}.{os.getpid()}"
    try:
        with staging.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(home / FILE)
    except OSError as error:
        raise DataError(f"{home / FILE}: cannot be written ({error})") from error
    finally:
        staging.unlink(missing_ok=True)


class ForgottenList:
    """The list of a home as it stands at any moment. Safe to use from several threads.

    Args:
        home: Where it lies.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: tuple[tuple[int, int] | None, Forgotten] | None = None

    def now(self) -> Forgotten:
        """The list: the same object until its file changes, so that asking is cheap.

        Raises:
            DataError: It cannot be read: nothing may go on as if nobody were on it.
        """
        # Its state before it is read: a change in between is seen the next time.
        state, known = self._state(), self._known
        if known is None or known[0] != state:
            known = (state, read_forgotten(self._home))
            self._known = known
        return known[1]

    def _state(self) -> tuple[int, int] | None:
        """What tells a changed file from the one that was read."""
        try:
            found = (self._home / FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _digest(salt: str, creator_id: str) -> str:
    return hashlib.sha256(f"{salt} {creator_id}".encode("utf-8", "surrogatepass")).hexdigest()
