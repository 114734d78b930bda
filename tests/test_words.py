"""The index of words finds what looking in every text finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.safety_words import searchable, wanted
from models import words
from models.words import WordIndex

# Few words, so that phrases, their joined forms and words inside words occur together.
PIECE = st.sampled_from(
    [
        "new",
        "drop",
        "newdrop",
        "New",
        "ne",
        "w",
        "@new_drop",
        "#newdrop",
        "新作",
        "新作です",
        "作で",
    ]
)
TEXT = st.lists(st.tuples(PIECE, st.sampled_from([" ", "\n", "; ", ", "])), max_size=8).map(
    lambda found: "".join(piece + after for piece, after in found)
)
TERM = st.lists(PIECE, min_size=1, max_size=3).map(" ".join)


def scan(texts: pa.ChunkedArray, term: str) -> list[int]:
    found = np.zeros(len(texts), dtype=bool)
    for form in wanted(term):
        found |= pc.match_substring(texts, form).to_numpy().astype(bool)
    return np.flatnonzero(found).tolist()


def column(texts: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(map(searchable, texts), pa.large_string())])


@settings(deadline=None, max_examples=150)
@given(st.lists(TEXT, max_size=12), TERM)
def test_a_term_is_found_where_a_scan_finds_it(texts, term):
    searched = column(texts)
    assert WordIndex.build(searched).posts_with(term, searched).tolist() == scan(searched, term)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(TEXT, st.booleans()), max_size=12), TERM)
def test_of_some_texts_it_finds_what_an_index_of_those_finds(texts, term):
    kept = np.array([stays for _, stays in texts], dtype=bool)
    fewer = column([text for text, stays in texts if stays])
    part = WordIndex.build(column([text for text, _ in texts])).only(kept)
    assert part.posts_with(term, fewer).tolist() == scan(fewer, term)


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_it_is_the_same_however_texts_are_split(monkeypatch, chunk):
    texts = column(["a new drop", "drop", "new", "new drop new", "新作です"])
    whole = WordIndex.build(texts)
    monkeypatch.setattr(words, "CHUNK_TEXTS", chunk)
    again = WordIndex.build(texts)
    assert again.words.equals(whole.words)
    assert again.post.tolist() == whole.post.tolist()
