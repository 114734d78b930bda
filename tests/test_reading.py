"""A brief's text is read once while it is remembered, by whichever thread comes first."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from features.encoders import HashEncoder
from features.language import detect
from features.reading import Reader
from features.vectors import Vectors


class Counting:
    """Counts what it encodes."""

    name, digest, dim = "counting", "c0", 256

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        return HashEncoder().encode(texts)


TEXTS = ["Vegan serum for sensitive skin", "Ropa de montaña para familias", "", "Vegan serum"]


def test_a_text_is_encoded_once_and_read_as_if_it_never_were() -> None:
    encoder = Counting()
    reader = Reader(encoder)
    for _ in range(2):
        for text in TEXTS:
            found = reader.read(text)
            np.testing.assert_array_equal(found.vector, HashEncoder().encode([text])[0])
            assert found.language == detect([text])[0]
    assert encoder.encoded == TEXTS


def test_the_text_asked_for_longest_ago_is_forgotten_first() -> None:
    encoder = Counting()
    reader = Reader(encoder, remembered=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        reader.read(text)
    assert encoder.encoded == ["a", "b", "c", "b"]


def test_what_is_remembered_cannot_be_written_to() -> None:
    vector = Reader(HashEncoder()).read("a").vector
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1.0


def test_readers_do_not_share_and_go_with_their_encoder() -> None:
    small, large = Reader(HashEncoder(dim=16)), Reader(HashEncoder(dim=32))
    assert (small.read("a").vector.shape, large.read("a").vector.shape) == ((16,), (32,))
    encoder = Counting()
    gone = weakref.ref(encoder)
    reader = Reader(encoder)
    reader.read("a")
    del reader, encoder
    gc.collect()
    assert gone() is None


def test_many_threads_read_the_same() -> None:
    reader = Reader(HashEncoder(), remembered=3)
    texts = [f"text {number % 5}" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.read, texts))
    np.testing.assert_array_equal([one.vector for one in found], HashEncoder().encode(texts))
