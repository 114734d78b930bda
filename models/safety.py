"""What every creator spoke of in the last year: brand-safety risks, and a brand's own terms.

A post carries a risk where the rules find it in its words (`features.safety`), or where its vector
is more like risky examples than like harmless ones (`RiskModel`). All posts with text of the last
365 days are kept, so that a brand's terms are looked for in each of them and every share comes with
the posts behind it. Knows nothing of predictions, nor of how it is told (`describe_safety`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.facts import Asks, Posts
from features.readings import AFRESH, TextRules
from features.safety import RISK_TOPICS
from features.safety_words import wanted
from features.schemas import BrandSafety, BriefError
from features.vectors import Vectors
from features.windows import Floats, Ints, Ragged, Rows
from models.columns import only_rows, some_rows
from models.words import WordIndex

YEAR_DAYS = 365
CHUNK_POSTS = 4_096  # scored at once: 16 MB of products with 512 dimensions
TERMS_POINTER = "/filters/brand_safety/terms"

Mask = NDArray[np.bool_]

COLUMNS = ("post_id", "text", "url", "words")
_SCHEMA = pa.schema([(name, pa.large_string()) for name in COLUMNS] + [("risks", pa.uint8())])


@dataclass(frozen=True)
class RiskModel:
    """Risks by vector: linear scores, and the score from which a text is flagged.

    Attributes:
        weights: ``(dim, n_topics)``.
        bias: ``(n_topics,)``.
        threshold: ``(n_topics,)``; infinite where no score was sure enough on the examples.
    """

    weights: Floats
    bias: Floats
    threshold: Floats

    def flags(self, vectors: Vectors) -> Mask:
        """Which risks each vector carries, ``(n, n_topics)``."""
        flags = np.zeros((len(vectors), len(self.bias)), dtype=bool)
        for start in range(0, len(vectors), CHUNK_POSTS):
            chunk = vectors[start : start + CHUNK_POSTS]
            # Row by row, not as a matrix product: a post scores the same alone as in a batch.
            scores = np.stack([(chunk * column).sum(axis=1) for column in self.weights.T], axis=1)
            flags[start : start + CHUNK_POSTS] = scores + self.bias >= self.threshold
        return flags


@dataclass(frozen=True)
class YearPosts:
    """Posts with text of the last 365 days: row i of `rows` belongs to creator i, oldest first.

    Attributes:
        table: Columns `COLUMNS` and ``risks``, one bit for each of `RISK_TOPICS`.
        counts: How many posts carry each risk, ``(n_creators, n_topics)``.
        kept_words: The posts by word, where that was made before.
    """

    rows: Rows
    table: pa.Table
    counts: NDArray[np.int32]
    kept_words: WordIndex | None = None

    @classmethod
    def counted(cls, rows: Rows, table: pa.Table) -> YearPosts:
        """With the risks counted."""
        total = np.zeros((table.num_rows + 1, len(RISK_TOPICS)), dtype=np.int32)
        np.cumsum(flags_of(table["risks"].to_numpy()), axis=0, out=total[1:])
        return cls(rows, table, np.diff(total[rows.indptr], axis=0))

    @cached_property
    def words(self) -> WordIndex:
        """The posts by word."""
        return self.kept_words or WordIndex.build(self.table["words"])

    @cached_property
    def posts(self) -> Ints:
        """How many posts each creator has here, ``(n_creators,)``."""
        return np.diff(self.rows.indptr)

    def flags(self, start: int, stop: int) -> Mask:
        """Which risks each post of ``[start, stop)`` carries, ``(stop - start, n_topics)``."""
        return flags_of(self.table["risks"].slice(start, stop - start).to_numpy())

    def count_terms(self, terms: Sequence[str]) -> Ints:
        """How many posts of each creator speak of any of the terms, ``(n_creators,)``."""
        found = [self.words.posts_with(term, self.table["words"]) for term in terms]
        spoken = reduce(np.union1d, found, np.zeros(0, dtype=np.int64))
        return np.bincount(self.rows.row_of(spoken), minlength=len(self.posts))

    def speaks_of(self, term: str, start: int, stop: int) -> Mask:
        """Which posts of ``[start, stop)`` have a term in their words, by looking in each."""
        words = self.table["words"].slice(start, stop - start)
        spoken = np.zeros(stop - start, dtype=bool)
        for form in wanted(term):
            spoken |= pc.match_substring(words, form).to_numpy(zero_copy_only=False)
        return spoken

    def of(self, place: int) -> tuple[int, int]:
        """Where a creator's posts stand: ``start`` and ``stop``."""
        return self.rows.of(place)

    def only(self, kept: Mask) -> YearPosts:
        """The posts of some creators alone."""
        rows, posts = only_rows(self.rows, kept)
        words = None if self.kept_words is None else self.kept_words.only(posts)
        return YearPosts(rows, some_rows(self.table, posts), self.counts[kept], words)


def flags_of(bits: NDArray[np.uint8]) -> Mask:
    """Which risks are set in one byte a post, ``(n_posts, n_topics)``."""
    flags: Mask = (bits[:, np.newaxis] >> np.arange(len(RISK_TOPICS), dtype=np.uint8)) & 1 > 0
    return flags


def read_year(
    posts: Posts, asks: Asks, model: RiskModel | None, rules: TextRules = AFRESH
) -> YearPosts:
    """Read the posts of the 365 days before each ask.

    Args:
        model: Risks by vector; without it the rules alone decide.
        rules: Reads the texts.
    """
    first, past = posts.timeline.window(asks.creator, asks.as_of_us, YEAR_DAYS)
    every = Ragged.from_slices(first, past)
    words, risks = rules.safety(posts.text[every.index].tolist())
    written = np.array([bool(text) for text in words], dtype=bool)
    index = every.index[written]
    lengths = np.bincount(every.row[written], minlength=len(asks))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    texts = posts.text[index].tolist()
    risks = risks[written]
    if model is not None and len(texts):
        risks |= model.flags(posts.vector[index])
    bits = (risks << np.arange(len(RISK_TOPICS), dtype=np.uint8)).sum(axis=1).astype(np.uint8)
    columns = [
        posts.post_id[index].tolist(),
        texts,
        posts.url[index].tolist(),
        [text for text in words if text],
        bits,
    ]
    return YearPosts.counted(
        Rows(indptr),
        pa.Table.from_arrays(
            [
                pa.array(values, field.type, from_pandas=True)
                for values, field in zip(columns, _SCHEMA, strict=True)
            ],
            schema=_SCHEMA,
        ),
    )


def is_set(wish: BrandSafety) -> bool:
    """Whether a brief filters by brand safety at all."""
    return bool(wish.exclude or wish.terms)


def who_passes(year: YearPosts, wish: BrandSafety) -> Mask:
    """Who stays within `max_share` for each topic excluded, and for the brand's terms together.

    A creator without posts to read does not pass.

    Raises:
        BriefError: A term has neither letter nor digit.
    """
    for number, term in enumerate(wish.terms):
        if not wanted(term):
            raise BriefError(
                f"{TERMS_POINTER}/{number}", f"{term!r} has neither a letter nor a digit"
            )
    known: Mask = year.posts > 0
    allowed = wish.max_share * year.posts
    mask = known.copy()
    for topic in wish.exclude:
        mask &= year.counts[:, RISK_TOPICS.index(topic)] <= allowed
    if wish.terms:
        mask &= year.count_terms(wish.terms) <= allowed
    return mask
