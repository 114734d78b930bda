"""Which posts hold a word: an inverted index, so that a term costs by how often it is used.

Texts are as `features.safety_words.searchable` puts them: words between single spaces, a newline
where a sentence ends. What a term matches is what looking for each of its forms in every text would
find (`tests/test_words.py` holds the two together). Knows nothing of who wrote the posts.

After Zobel and Moffat 2006, "Inverted files for text search engines".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.safety_words import wanted
from features.windows import Ints, Rows

NO_WORDS = ("", "\n")
CHUNK_TEXTS = 200_000  # split at once: about 60 MB of words

Posts = NDArray[np.uint32]


@dataclass(frozen=True)
class WordIndex:
    """Posts by word.

    Attributes:
        words: Distinct words, ascending, a ``large_string`` array.
        rows: Row i of it are the entries of word i in `post`.
        post: Rows of the texts that hold the word, ascending.
    """

    words: pa.Array[Any]
    rows: Rows
    post: Posts

    @classmethod
    def build(cls, texts: pa.ChunkedArray[Any]) -> WordIndex:
        """Of texts, ``(n,)``."""
        parts, first = [], 0
        for start in range(0, len(texts), CHUNK_TEXTS):
            for chunk in texts.slice(start, CHUNK_TEXTS).chunks:
                parts.append(_tokens(chunk, first))
                first += len(chunk)
        tokens = pa.chunked_array([words for words, _ in parts], pa.large_string())
        post = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in parts)])
        distinct = _sorted(tokens.unique())
        code = pc.index_in(tokens, distinct).to_numpy().astype(np.int64)
        # One number holds both, so that one sort orders by word and post and shows what is twice.
        key = np.sort(code * max(len(texts), 1) + post)
        key = key[np.diff(key, prepend=-1) > 0]
        code, post = np.divmod(key, max(len(texts), 1))
        counts = np.bincount(code, minlength=len(distinct))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(distinct, Rows(indptr), post.astype(np.uint32))

    def posts_with(self, term: str, texts: pa.ChunkedArray[Any]) -> Ints:
        """Rows of the texts that speak of a term, ascending."""
        found = [self._with_form(form, texts) for form in wanted(term)]
        return reduce(np.union1d, found, np.zeros(0, dtype=np.int64))

    def _with_form(self, form: str, texts: pa.ChunkedArray[Any]) -> Ints:
        whole = form.startswith(" ")  # else it is found inside longer words too
        parts = form.strip(" ").split(" ")
        found = sorted((self._posts(part, whole) for part in parts), key=len)
        rows = reduce(lambda one, two: np.intersect1d(one, two, assume_unique=True), found)
        places: Ints = rows.astype(np.int64)
        if len(parts) == 1 or len(places) == 0:
            return places
        beside = pc.match_substring(texts.take(places), form)
        kept: Ints = places[beside.to_numpy().astype(bool)]
        return kept

    def _posts(self, word: str, whole: bool) -> Posts:
        if not whole:
            holding = np.flatnonzero(pc.match_substring(self.words, word).to_numpy(False))
            parts = [self.post[slice(*self.rows.of(int(place)))] for place in holding]
            return np.unique(np.concatenate([np.zeros(0, np.uint32), *parts]))
        place = _place(self.words, word)
        return self.post[slice(*self.rows.of(place))] if place >= 0 else self.post[:0]

    def only(self, kept: NDArray[np.bool_]) -> WordIndex:
        """Of some of the texts, ``(n,)``, alone; words that none of them holds stay."""
        number = np.cumsum(kept) - 1
        stays = kept[self.post]
        total = np.concatenate([[0], np.cumsum(stays)]).astype(np.int64)
        post = number[self.post[stays]].astype(np.uint32)
        return WordIndex(self.words, Rows(total[self.rows.indptr]), post)


def merged(vocabularies: list[pa.Array[Any]]) -> pa.Array[Any]:
    """One vocabulary of several."""
    return _sorted(pa.chunked_array(vocabularies, pa.large_string()).unique())


def _sorted(words: Any) -> pa.Array[Any]:
    taken: pa.Array[Any] = words.take(pc.sort_indices(words))
    return taken


def _tokens(texts: pa.Array[Any], first: int) -> tuple[pa.Array[Any], Ints]:
    """Words of texts, and the row of each, counted from `first`."""
    split = pc.split_pattern(texts, " ")
    words = split.flatten()
    lengths = pc.list_value_length(split).to_numpy(False).astype(np.int64)
    rows = first + np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    real = pc.invert(pc.is_in(words, pa.array(NO_WORDS, words.type)))
    return words.filter(real).cast(pa.large_string()), rows[real.to_numpy(False).astype(bool)]


def _place(words: pa.Array[Any], word: str) -> int:
    """Place of a word among sorted ones, -1 where it is none of them."""
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        # UTF-8 sorts as code points do, and so does Python.
        if words[middle].as_py() < word:
            low = middle + 1
        else:
            high = middle
    return low if low < len(words) and words[low].as_py() == word else -1
