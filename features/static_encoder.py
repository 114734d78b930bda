"""Vectors by adding up what is known of each word: no model runs, so a text costs 0.1 ms.

Tulkens and van Dongen 2024, "Model2Vec": each word piece of a sentence-transformers model is
encoded once, alone, and weighed by how rare it is; a text's vector is the mean of its pieces'.
What a word means beside its neighbours is lost. `text_distil` makes the table of pieces.

The table holds whole numbers, so sums are exact and a vector cannot depend on what else is in the
batch. Knows nothing of where tables come from, nor of posts, creators or niches.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.encoders import checked_settings, clean_text, cores, digest_of
from features.schemas import EncoderError
from features.vectors import Vectors, snap

# A part of a piece is at most so much, a text has at most so many pieces, and a vector so many
# parts: the square of a vector's length then stays below 2^53, up to where float64 holds every
# whole number: 2^13 x 2^9 = 2^22, and 2^44 x 2^9 = 2^53. The rounding is a quarter of the grid's
# (`vectors`): a piece of `all-MiniLM-L6-v2` has length 5.8 on average and a step is 0.0005.
PART_MAX = 2**13
PIECES_MAX = 2**9
DIM_MAX = 2**9
TEXTS_AT_ONCE = 256  # of one thread: 256 int32 vectors of 256 parts are 0.25 MB, in the cache


class StaticEncoder:
    """A table of word pieces made by `text_distil`.

    Args:
        folder: Holds ``encoder.json``, ``pieces.safetensors`` and ``tokenizer.json``.

    Raises:
        EncoderError: The folder is incomplete, or a file is not the one ``encoder.json`` names.
    """

    FILES = ("pieces.safetensors", "tokenizer.json")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = checked_settings(folder, self.FILES, ("lower_case", "unknown_piece"))
        self.name, self.dim = str(self.settings["name"]), int(self.settings["dim"])
        self._lower = bool(self.settings["lower_case"])
        self._left_out: int | None = self.settings["unknown_piece"]
        self.digest = static_digest(self.settings)
        import tokenizers
        from safetensors.numpy import load_file

        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            pieces = load_file(folder / "pieces.safetensors")["pieces"]
        except Exception as error:  # both libraries raise exceptions of their own
            raise EncoderError(f"{folder}: cannot be opened: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(PIECES_MAX)
        if not np.issubdtype(pieces.dtype, np.integer):
            raise EncoderError(f"{folder}: pieces are of {pieces.dtype}, not whole numbers")
        n_pieces = self._tokenizer.get_vocab_size()
        if pieces.shape != (n_pieces, self.dim) or self.dim > DIM_MAX:
            raise EncoderError(
                f"{folder}: pieces of shape {pieces.shape}, not ({n_pieces}, {self.dim}) "
                f"with at most {DIM_MAX} parts"
            )
        if np.abs(pieces).max() > PART_MAX:
            raise EncoderError(f"{folder}: a piece has a part above {PART_MAX}")
        self._pieces = pieces.astype(np.int32)

    def encode(self, texts: Sequence[str]) -> Vectors:
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        chunks = [texts[start : start + TEXTS_AT_ONCE] for start in starts]
        if len(chunks) < 2:
            return self._encode(texts)
        with ThreadPoolExecutor(cores()) as pool:
            return np.concatenate(list(pool.map(self._encode, chunks)))

    def _encode(self, texts: Sequence[str]) -> Vectors:
        cleaned = [clean_text(text) for text in texts]
        if self._lower:
            cleaned = [text.lower() for text in cleaned]
        encodings = self._tokenizer.encode_batch_fast(cleaned, add_special_tokens=False)
        return snap(self._sums([encoding.ids for encoding in encodings]))

    def _sums(self, ids: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """Sum of each text's pieces, ``(n, dim)``; nothing of those that are unknown."""
        ends = np.cumsum([0, *map(len, ids)])
        flat = np.fromiter((piece for text in ids for piece in text), np.int32, int(ends[-1]))
        counts = sparse.csr_array(
            ((flat != self._left_out).astype(np.int32), flat, ends),
            shape=(len(ids), len(self._pieces)),
        )
        sums: NDArray[np.int32] = counts @ self._pieces
        return sums


def static_digest(settings: dict[str, Any]) -> str:
    """The digest of a distilled encoder, from what its ``encoder.json`` says."""
    kept = {key: settings[key] for key in ("files", "lower_case", "unknown_piece")}
    return digest_of({"kind": "static", **kept})
