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
# A creator's mean is rounded to parts of this where it is summed: finer than the vectors' own grid.
MEAN_PARTS = 2.0**14


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


@dataclass
class Spread:
    """What a projection is fitted on, summed post by post: how vectors vary, and in whom.

    On the grid the sums are exact, so posts may come in any parts and order.

    Attributes:
        sums: Sum of each creator's vectors, ``(n_creators, dim)``.
        count: Posts of each, ``(n_creators,)``.
        square: Sum of the vectors' outer products, ``(dim, dim)``.
    """

    sums: Floats
    count: Ints
    square: Floats

    @classmethod
    def empty(cls, n_creators: int, dim: int) -> Spread:
        return cls(
            np.zeros((n_creators, dim)), np.zeros(n_creators, dtype=np.int64), np.zeros((dim, dim))
        )

    def add(self, vectors: Vectors, creator: Ints) -> None:
        """Count in posts of vectors ``(n, dim)``; whose each is, ascending, ``(n,)``."""
        some = (vectors != 0).any(axis=1)
        rows, creator = vectors[some].astype(np.float64), creator[some]
        if len(rows) == 0:
            return
        starts = np.flatnonzero(np.diff(creator, prepend=-1))
        who = creator[starts]
        self.sums[who] += np.add.reduceat(rows, starts, axis=0)
        self.count[who] += np.diff(np.append(starts, len(creator)))
        with threadpool_limits(limits=1, user_api="blas"):
            self.square += rows.T @ rows

    def moments(self) -> Moments:
        """What was added so far, summed over the creators."""
        posted = self.count > 0
        sums, count = self.sums[posted], self.count[posted]
        means = np.rint(sums / count[:, np.newaxis] * MEAN_PARTS) / MEAN_PARTS
        with threadpool_limits(limits=1, user_api="blas"):
            between = means.T @ sums
        return Moments(int(count.sum()), len(count), sums.sum(axis=0), between, self.square.copy())

    def projection(self) -> Projection:
        """Fit on what was added so far; `identity` where that is too little."""
        return self.moments().projection()


@dataclass(frozen=True)
class Moments:
    """How vectors vary, summed over creators: those of some and of others add up to those of all.

    Every sum is of whole multiples of a grid, and exact in float64 up to 2^28 posts (less than a
    hundredth of an entry's bound is ever reached): the parts and their order change nothing.

    Attributes:
        posts, creators: How many.
        total: Sum of the vectors, ``(dim,)``.
        between: Sum over creators of the outer product of the mean with the sum, ``(dim, dim)``.
        square: Sum over posts of the vectors' outer products, ``(dim, dim)``.
    """

    posts: int
    creators: int
    total: Floats
    between: Floats
    square: Floats

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.posts + other.posts,
            self.creators + other.creators,
            self.total + other.total,
            self.between + other.between,
            self.square + other.square,
        )

    def projection(self) -> Projection:
        """Fit on these; `identity` where they are too little."""
        dim = len(self.square)
        spare = self.posts - self.creators
        if self.creators < 2 or spare < MIN_POSTS_PER_DIM * dim:
            return identity(dim)
        # The same fit on any number of cores.
        with threadpool_limits(limits=1, user_api="blas"):
            centre = self.total / self.posts
            within = (self.square - self.between) / spare
            between = (self.between - self.posts * np.outer(centre, centre)) / self.creators
            # Means of few posts differ by chance, too.
            usual = self.posts / self.creators
            between = between / usual - within / usual
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


def fit_projection(vectors: Vectors, creator: Ints) -> Projection:
    """Fit on posts; `identity` where they are too few.

    Args:
        vectors: ``(n_posts, dim)`` on the grid.
        creator: Whose each is, ascending, ``(n_posts,)``.
    """
    spread = Spread.empty(int(creator.max(initial=-1)) + 1, vectors.shape[1])
    spread.add(vectors, creator)
    return spread.projection()
