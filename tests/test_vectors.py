"""Vectors on the grid: dot products are exact, whatever the order, batch or threads."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.vectors import GRID, EightBits, OnGrid, snap


@settings(max_examples=25)
@given(st.integers(1, 50), st.sampled_from([64, 384, 512, 768]), st.integers(0, 2**32 - 1))
def test_dot_products_are_exact(n, dim, seed):
    rng = np.random.default_rng(seed)
    rows = snap(rng.standard_normal((n, dim)) ** 3)
    vector = snap(rng.standard_normal(dim))
    whole = (rows.astype(np.float64) * GRID).astype(np.int64)
    exact = whole @ (vector.astype(np.float64) * GRID).astype(np.int64) / GRID**2
    mixed = rng.permutation(dim)
    assert np.array_equal(rows @ vector, exact.astype(np.float32))
    assert np.array_equal(rows[:, mixed] @ vector[mixed], exact.astype(np.float32))
    assert np.array_equal(rows[-1:] @ vector, exact[-1:].astype(np.float32))


def test_snapping_moves_a_cosine_by_little():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4000, 512))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    moved = (snap(a) * snap(b)).sum(axis=1) - (a * b).sum(axis=1)
    assert moved.std() < 0.0003


def test_float16_holds_the_grid():
    vectors = snap(np.random.default_rng(1).standard_normal((100, 384)))
    assert np.array_equal(vectors.astype(np.float16).astype(np.float32), vectors)


@given(st.integers(1, 20), st.integers(1, 600), st.integers(0, 10_000))
def test_what_is_kept_on_the_grid_comes_back_bit_for_bit(n, dim, seed):
    vectors = snap(np.random.default_rng(seed).normal(size=(n, dim)))
    kept = OnGrid.of(vectors)
    assert np.array_equal(kept[...], vectors) and kept[...].dtype == np.float32
    assert np.array_equal(kept[np.arange(n)[::-1]], vectors[::-1])
    assert OnGrid.of(kept) is kept


def test_eight_bits_move_a_cosine_by_less_than_is_shown():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(500, 384))
    few = dense * (rng.random(dense.shape) < 0.05)  # as a hash of a few words is
    for vectors in (snap(dense), snap(few)):
        moved = EightBits.of(vectors)[:] @ vectors.T - vectors @ vectors.T
        assert np.abs(moved).max() < 0.005
    assert not EightBits.of(np.zeros((2, 8), dtype=np.float32))[:].any()


def test_zeros_stay_zeros():
    assert not snap(np.zeros((2, 8))).any()
