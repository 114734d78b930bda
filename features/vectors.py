"""Vectors of texts on a grid, where dot products are exact.

A unit vector's parts are rounded to multiples of 1 / `GRID`. Products of two such parts are whole
multiples of 1 / GRID^2, and by Cauchy-Schwarz every partial sum of a dot product stays below
2^24 / GRID^2, so float32 adds them without rounding: the result is the same in any order, in a
batch of any size, on any number of threads. Parity of training and serving rests on it. The
rounding moves a cosine by about 0.0003 (standard deviation, `tests/test_vectors.py`), and float16
holds the grid without loss.

Knows nothing of texts or encoders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 2048

Vectors = NDArray[np.float32]


def snap(vectors: NDArray[Any]) -> Vectors:
    """Scale rows to unit length and put them on the grid; a row of zeros stays so."""
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.sqrt((rows * rows).sum(axis=-1, keepdims=True))
    unit = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    snapped: Vectors = (np.rint(unit * GRID) / GRID).astype(np.float32)
    return snapped
