"""A projection of text vectors that keeps what tells creators apart.

What one creator's posts have in common is their subject; what differs between them is wording and
mood. Directions are weighed by the first against the second: linear discriminant analysis with
each creator as a class (Fisher 1936; used so on speakers by Hatch, Kajarekar and Stolcke 2006,
"Within-class covariance normalization"). It needs no labels and no outcomes. Knows nothing of
niches, briefs or time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from features.vectors import GRID, Vectors, snap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DIM = 128
# Of the within-creator covariance, the part that is taken for the same in every direction. In
# simulated worlds 0.1 and 0.3 ordered creators as well as this.
SHRINKAGE = 0.2
# With fewer posts beyond each creator's first than these for each dimension, the spread within
# creators is not known, and vectors stay as they are.
MIN_POSTS_PER_DIM = 1.0
# The matrix is kept in whole parts of this: a grid vector times it is then exact in float64.
PARTS = 2.0**20


@dataclass(frozen=True)
class Projection:
    """A linear map of vectors on the grid to vectors on the grid.

    Attributes:
        matrix: ``(dim, k)`` float64, whole multiples of 1 / `PARTS`.
        offset: The centre's image, ``(k,)``, whole multiples of 1 / (`PARTS` `GRID`).
    """

    matrix: Floats
    offset: Floats

    def project(self, vectors: Vectors) -> Vectors:
        """Project and scale to unit length; zeros stay zeros.

        A row depends on its vector alone, bit for bit: the sums are exact, whatever their order.

        Args:
            vectors: ``(n, dim)`` float32 on the grid.

        Returns:
            ``(n, k)`` float32 on the grid.
        """
        out = snap(vectors.astype(np.float64) @ self.matrix - self.offset)
        out[~(vectors != 0).any(axis=1)] = 0.0
        return out


def identity(dim: int) -> Projection:
    """The projection that leaves vectors as they are."""
    return Projection(np.eye(dim), np.zeros(dim))


def fit_projection(vectors: Vectors, creator: Ints) -> Projection:
    """Fit on posts; `identity` where they are too few.

    Args:
        vectors: ``(n_posts, dim)`` on the grid.
        creator: Whose each is, ascending, ``(n_posts,)``.
    """
    some = (vectors != 0).any(axis=1)
    rows, creator = vectors[some].astype(np.float64), creator[some]
    dim = vectors.shape[1]
    starts = np.flatnonzero(np.diff(creator, prepend=-1))
    count = np.diff(np.append(starts, len(creator))).astype(np.float64)
    spare = len(rows) - len(starts)
    if len(starts) < 2 or spare < MIN_POSTS_PER_DIM * dim:
        return identity(dim)
    # The same fit on any number of cores.
    with threadpool_limits(limits=1, user_api="blas"):
        sums = np.add.reduceat(rows, starts, axis=0)
        means = sums / count[:, np.newaxis]
        centre = rows.mean(axis=0)
        between = means.T @ sums
        within = (rows.T @ rows - between) / spare
        between = (between - len(rows) * np.outer(centre, centre)) / len(starts)
        # Means of few posts differ by chance, too.
        between = between / count.mean() - within / count.mean()
        level = np.trace(within) / dim
        if not level > 0:
            return identity(dim)
        held = (1 - SHRINKAGE) * within + SHRINKAGE * level * np.eye(dim)
        first = max(dim - DIM, 0)
        ratio, axes = eigh(between, held, subset_by_index=[first, dim - 1])
    kept = np.flatnonzero(ratio > 0)[::-1]
    if len(kept) == 0:
        return identity(dim)
    # The posterior's weight: a direction counts as far as it tells creators apart.
    weighed = axes[:, kept] * np.sqrt(ratio[kept] / (ratio[kept] + 1.0))
    matrix = np.ascontiguousarray(np.rint(weighed / np.abs(weighed).max() * PARTS) / PARTS)
    offset = np.rint(centre @ matrix * PARTS * GRID) / (PARTS * GRID)
    return Projection(matrix, offset)
