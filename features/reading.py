"""A brief's text read once: its vector and language, remembered for the requests that follow.

The same brief is asked again and again while a person tries filters, turns pages and plans money,
and encoding is the dearest thing done with its words. Knows nothing of briefs beside their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from features.encoders import Encoder
from features.language import detect
from features.vectors import Vectors

# The last texts of a process. A text of 4,000 characters, the longest that a brief may have, with
# a vector of 512 parts is 6 to 18 kB: 2 to 5 MB for 256.
REMEMBERED = 256


@dataclass(frozen=True)
class ReadText:
    """What is known of a text alone: its vector ``(dim,)``, not to be written to, and language."""

    vector: Vectors
    language: str


class Reader:
    """Reads texts with one encoder, and remembers the last of them.

    Many threads may read at once. Two that meet the same new text at the same moment may both
    encode it; they get the same.
    """

    def __init__(self, encoder: Encoder, remembered: int = REMEMBERED) -> None:
        def read(text: str) -> ReadText:
            vector = encoder.encode([text])[0]
            vector.flags.writeable = False  # every later reader is handed this one
            return ReadText(vector, str(detect([text])[0]))

        self._read = lru_cache(maxsize=remembered)(read)

    def read(self, text: str) -> ReadText:
        """Vector and language of a text."""
        return self._read(text)
