"""What rules read in a text alone: language, disclosures, risks, the words that are searched.

Each takes up to a millisecond, and is the same as long as the text and the rules are: it is kept by
the text's hash and the rules' digest, as vectors are. Knows nothing of posts, creators or moments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.content_cache import ContentCache
from features.language import detect
from features.safety import RISK_TOPICS, risks_of
from features.safety_words import searchable
from features.sponsored import Found, found_in

Strings = NDArray[np.object_]

HERE = Path(__file__).parent
# Whose code or data decides what is read; the language's model ships in a package.
LANGUAGE_FILES = ("language.py",)
DISCLOSURE_FILES = ("sponsored.py", "sponsored_brands.py", "sponsored_phrases.py")
SAFETY_FILES = ("safety*", "sponsored_brands.py", "sponsored_phrases.py")
LANGUAGE_PACKAGE = "py3langid"


class ReadingCache(ContentCache):
    """What rules read in texts, in ``home/readings/WHAT-DIGEST``."""

    KIND = "readings"


@dataclass(frozen=True)
class TextRules:
    """Reads texts by the rules, each distinct text once, and once for ever where there is a home.

    Args:
        home: Where the product writes; None keeps nothing.
    """

    home: Path | None = None

    def languages(self, texts: Sequence[str]) -> Strings:
        """Language of each text as `detect` says it, ``(n,)``."""
        read = self._read("language", texts, _languages)
        return np.array([value.decode() for value in read], dtype=object)

    def disclosures(self, texts: Sequence[str]) -> list[Found]:
        """Whether each text discloses that it is an advertisement, and whose."""
        return [Found(*json.loads(one)) for one in self._read("disclosures", texts, _disclosures)]

    def safety(self, texts: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
        """The searchable words of each text, and its risks ``(n, n_topics)``."""
        read = self._read("safety", texts, _safety)
        bits = np.frombuffer(b"".join(value[:1] for value in read), dtype=np.uint8)
        risks = (bits[:, np.newaxis] >> np.arange(len(RISK_TOPICS), dtype=np.uint8)) & 1 > 0
        return [value[1:].decode("utf-8", "surrogatepass") for value in read], risks

    def _read(
        self, what: str, texts: Sequence[str], read: Callable[[list[str]], list[bytes]]
    ) -> list[bytes]:
        distinct = list(dict.fromkeys(texts))
        if self.home is None:
            known = dict(zip(distinct, read(distinct), strict=True))
            return [known[text] for text in texts]
        cache = ReadingCache(self.home, f"{what}-{rules_digests()[what]}")
        held = dict(zip(distinct, cache.get_bytes(distinct), strict=True))
        new = [text for text, value in held.items() if value is None]
        if new:
            made = read(new)
            cache.put_bytes(new, made)
            held.update(zip(new, made, strict=True))
        return [value for value in (held[text] for text in texts) if value is not None]


AFRESH = TextRules()  # keeps nothing


@cache
def rules_digests() -> dict[str, str]:
    """Digest of the code and the data that each kind of reading hangs on."""
    every = {
        "language": LANGUAGE_FILES,
        "disclosures": DISCLOSURE_FILES,
        "safety": SAFETY_FILES,
    }
    return {what: _digest(what, patterns) for what, patterns in every.items()}


def _digest(what: str, patterns: Sequence[str]) -> str:
    digest = hashlib.sha256()
    if what == "language":
        digest.update(version(LANGUAGE_PACKAGE).encode())
    for path in sorted({path for pattern in patterns for path in HERE.glob(pattern)}):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:32]


def _languages(texts: list[str]) -> list[bytes]:
    return [language.encode() for language in detect(texts)]


def _disclosures(texts: list[str]) -> list[bytes]:
    return [json.dumps(found_in(text)).encode() for text in texts]


def _safety(texts: list[str]) -> list[bytes]:
    bits = (risks_of(texts) << np.arange(len(RISK_TOPICS), dtype=np.uint8)).sum(axis=1)
    return [
        bytes([flags]) + searchable(text).encode("utf-8", "surrogatepass")
        for flags, text in zip(bits.tolist(), texts, strict=True)
    ]
