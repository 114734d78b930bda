"""Vectors by the SHA-256 of their text, for one encoder, on disk.

Knows nothing of how a vector is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.content_cache import ContentCache
from features.encoders import Encoder
from features.vectors import Vectors

STORED = np.dtype("<f2")  # holds the vectors' grid without loss, in half the room


class VectorCache(ContentCache):
    """Vectors by the SHA-256 of their text, for one encoder, in ``home/vectors/DIGEST``.

    Args:
        home: Where the product writes.
        encoder: Whose vectors.
    """

    KIND = "vectors"

    def __init__(self, home: Path, encoder: Encoder) -> None:
        super().__init__(home, encoder.digest)
        self.dim = encoder.dim

    def get(self, texts: Sequence[str]) -> list[Vectors | None]:
        """The vector ``(dim,)`` of each text, None where it is not held."""
        return [self._vector(value) for value in self.get_bytes(texts)]

    def put(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Hold the vectors ``(n, dim)`` of texts, all of them or, after a crash, none."""
        rows = np.ascontiguousarray(vectors, dtype=STORED)
        self.put_bytes(texts, (row.tobytes() for row in rows))

    def _vector(self, value: bytes | None) -> Vectors | None:
        if value is None or len(value) != STORED.itemsize * self.dim:
            return None
        return np.frombuffer(value, dtype=STORED).astype(np.float32)
