"""Small trees as tables: a tree's answer is looked up by the outcomes of all of its splits.

A tree of at most `SPLITS` splits has at most 2^SPLITS patterns of outcomes, so both its value and
the SHAP values of its features are tables with a row for each pattern (bit vectors of splits:
Lucchese et al. 2015, "QuickScorer"; SHAP values prepared for each pattern: Yang 2021, "Fast
TreeSHAP", version 2). Splits of all trees are then a comparison of whole arrays, without a branch.
Predictions are LightGBM's own bit for bit: the same comparisons, values and order of addition.
SHAP values are its own up to rounding. Both are held to that by `tests/test_trees.py`, and what
they cost by `benchmarks.requests`.

Knows LightGBM's text format, and nothing of what is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.windows import Floats, Ints

SPLITS = 6  # of a tree of 7 leaves, which is what `conversion_fit` fits; each more doubles tables
PATTERNS = 1 << SPLITS
LEAVES = SPLITS + 1
# Rows looked up at once, so that what is between stays in the processor's cache: 1,500 rows through
# 591 trees took 6.3 ms so, 10 ms with 128 or all at once, 24 ms by LightGBM (one thread).
ROWS = 384
NEVER = np.iinfo(np.uint16).max  # a limit that no rank exceeds: there is no such split

# LightGBM's decision_type: bit 0 says categorical, bit 1 where missing values go, bits 2 and 3
# what counts as missing. https://github.com/microsoft/LightGBM/blob/v4.6.0/include/LightGBM/tree.h
CATEGORICAL, LEFT = 1, 2
NONE_MISSING, ZERO_MISSING = 0, 1
ZERO = float(np.float32(1e-35))  # what LightGBM takes for 0, and no more

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Column:
    """A feature as some splits read it: values become ranks, and a split sends high ranks right.

    Attributes:
        feature: Which column of a matrix.
        decision: LightGBM's decision type.
        edges: Sorted thresholds; of a categorical split, the categories that go left.
    """

    feature: int
    decision: int
    edges: Floats

    def ranks(self, values: Floats) -> NDArray[np.uint16]:
        """Number of edges below each value, ``(n,)``; a split at edge i sends ranks over i right.

        Of a categorical split, 0 for the categories that go left and 1 for all others.
        """
        missing = np.isnan(values)
        if self.decision & CATEGORICAL:
            # A category that is missing, negative or unknown goes right.
            return (~np.isin(np.trunc(values), self.edges)).astype(np.uint16)
        kind = self.decision >> 2
        if kind in (NONE_MISSING, ZERO_MISSING):
            values = np.where(missing, 0.0, values)
            missing = values == 0 if kind == ZERO_MISSING else np.zeros_like(missing)
        ranks = np.searchsorted(self.edges, values, side="left").astype(np.uint16)
        ranks[missing] = 0 if self.decision & LEFT else len(self.edges)
        return ranks


@dataclass(frozen=True)
class Tree:
    """One tree, as LightGBM writes it; children below 0 are leaves, ``~child`` their number."""

    feature: Ints
    threshold: Floats
    decision: Ints
    left: Ints
    right: Ints
    value: Floats
    leaf_count: Ints
    count: Ints
    categories: tuple[Floats, ...]

    @classmethod
    def read(cls, said: dict[str, str]) -> Tree:
        def numbers(name: str, kind: Any) -> NDArray[Any]:
            return np.array(said.get(name, "").split(), dtype=kind)

        words, bounds = numbers("cat_threshold", np.uint32), numbers("cat_boundaries", np.int64)
        sets = [
            np.flatnonzero(np.unpackbits(words[start:stop].view(np.uint8), bitorder="little"))
            for start, stop in pairwise(bounds.tolist())
        ]
        tree = cls(
            feature=numbers("split_feature", np.int64),
            threshold=numbers("threshold", np.float64),
            decision=numbers("decision_type", np.int64),
            left=numbers("left_child", np.int64),
            right=numbers("right_child", np.int64),
            value=numbers("leaf_value", np.float64),
            leaf_count=numbers("leaf_count", np.int64),
            count=numbers("internal_count", np.int64),
            categories=tuple(one.astype(np.float64) for one in sets),
        )
        splits, leaves = len(tree.feature), len(tree.value)
        children = sorted([*tree.left.tolist(), *tree.right.tolist()])
        if splits and children != [*range(-leaves, 0), *range(1, splits)]:
            raise ValueError("a tree whose nodes do not belong together")
        return tree

    def paths(self) -> list[list[tuple[int, bool, float]]]:
        """For each leaf the splits above it: number, whether it lies right, share that goes so."""
        found: list[list[tuple[int, bool, float]]] = [[] for _ in self.value]
        waiting: list[tuple[int, list[tuple[int, bool, float]]]] = [(0, [])]
        while waiting and len(self.feature):
            node, above = waiting.pop()
            for right, child in ((False, int(self.left[node])), (True, int(self.right[node]))):
                count = self.leaf_count[~child] if child < 0 else self.count[child]
                path = [*above, (node, right, float(count) / float(self.count[node]))]
                if child < 0:
                    found[~child] = path
                else:
                    waiting.append((child, path))
        return found


class Trees:
    """A model of small trees.

    Args:
        trees: In their order, `SPLITS` splits each at the most.
        features: How many columns a matrix has.
    """

    def __init__(self, trees: list[Tree], features: int) -> None:
        self.features = features
        self._trees = trees
        self._columns: list[Column] = []
        # The column that split `bit` of each tree reads, and the rank that it sends right above.
        self._column = np.zeros((SPLITS, len(trees)), dtype=np.int64)
        self._limit = np.full((SPLITS, len(trees), 1), NEVER, dtype=np.uint16)
        self._lay_out_splits()
        self._base = (np.arange(len(trees)) * PATTERNS)[:, np.newaxis]

    def _lay_out_splits(self) -> None:
        splits: dict[tuple[int, int, tuple[float, ...]], list[tuple[int, int, float]]] = {}
        for number, tree in enumerate(self._trees):
            for bit, (feature, decision) in enumerate(
                zip(tree.feature.tolist(), tree.decision.tolist(), strict=True)
            ):
                threshold, members = float(tree.threshold[bit]), tuple[float, ...]()
                if decision & CATEGORICAL:
                    members = tuple(tree.categories[int(threshold)].tolist())
                    threshold = 0.0
                splits.setdefault((feature, decision, members), []).append((bit, number, threshold))
        for (feature, decision, members), found in splits.items():
            bits, numbers, thresholds = (np.array(part) for part in zip(*found, strict=True))
            edges = np.unique(thresholds)
            self._column[bits, numbers] = len(self._columns)
            self._limit[bits, numbers, 0] = np.searchsorted(edges, thresholds)
            of_category = np.array(members, dtype=np.float64)
            edges = of_category if decision & CATEGORICAL else edges
            self._columns.append(Column(feature, decision, edges))

    def predict(self, matrix: Floats) -> Floats:
        """Sum of the trees' values, ``(n,)``."""
        out = np.empty(len(matrix))
        table = self._value.ravel()
        for rows, part in _parts(matrix):
            patterns = self._base + self._patterns(part)
            # Down the first axis numbers are added one after the other, as LightGBM does.
            out[rows] = table.take(patterns).sum(axis=0)[: len(out[rows])]
        return out

    def contributions(self, matrix: Floats) -> Floats:
        """SHAP values that follow the trees' paths, and last the base: ``(n, features + 1)``.

        Lundberg et al. 2018, "Consistent individualized feature attribution for tree ensembles".
        """
        out = np.empty((len(matrix), self.features + 1))
        tables, entry, starts, features, base = self._explained
        for rows, part in _parts(matrix):
            patterns = self._base + self._patterns(part)
            each = tables.take(patterns, axis=0)  # (trees, rows, SPLITS)
            by_entry = each.transpose(0, 2, 1).reshape(-1, len(part))[entry]
            told = np.zeros((self.features + 1, len(part)))
            if len(features):
                told[features] = np.add.reduceat(by_entry, starts, axis=0)
            told[-1] = base
            out[rows] = told.T[: len(out[rows])]
        return out

    def _patterns(self, matrix: Floats) -> Codes:
        """Which pattern each tree's splits have for each row, ``(trees, n)``: bit by split."""
        by_feature = np.ascontiguousarray(matrix.T)
        by_feature = np.where(np.abs(by_feature) <= ZERO, 0.0, by_feature)
        out = np.zeros((len(self._trees), len(matrix)), dtype=np.uint8)
        if not self._columns:
            return out
        ranks = np.stack([column.ranks(by_feature[column.feature]) for column in self._columns])
        for bit in range(SPLITS):
            right = ranks[self._column[bit]] > self._limit[bit]
            out |= right.view(np.uint8) << np.uint8(bit)
        return out

    @cached_property
    def _value(self) -> Floats:
        """Value of each tree for each pattern, ``(trees, PATTERNS)``."""
        numbers = np.arange(PATTERNS)
        out = np.empty((len(self._trees), PATTERNS))
        for number, tree in enumerate(self._trees):
            out[number] = tree.value[0]
            for leaf, path in enumerate(tree.paths()):
                care = sum(1 << bit for bit, _, _ in path)
                wanted = sum(int(right) << bit for bit, right, _ in path)
                out[number, numbers & care == wanted] = tree.value[leaf]
        return out

    @cached_property
    def _explained(self) -> tuple[Floats, Ints, Ints, Ints, float]:
        """Tables of SHAP values ``(trees * PATTERNS, SPLITS)``, and how they are added up.

        Every tree has a place for each of its features. Then the places in the order of their
        features, where each feature begins among them, the features, and the base.
        """
        tables = np.zeros((len(self._trees), PATTERNS, SPLITS))
        feature = np.full((len(self._trees), SPLITS), -1)
        base = 0.0
        by_width: dict[int, list[tuple[int, float, list[tuple[int, int, int, float]]]]] = {}
        for number, tree in enumerate(self._trees):
            own = list(dict.fromkeys(tree.feature.tolist()))
            feature[number, : len(own)] = own
            base += float((tree.leaf_count * tree.value).sum() / max(tree.leaf_count.sum(), 1))
            for leaf, path in enumerate(tree.paths()):
                # A feature that splits twice above a leaf: both must hold, their shares multiply.
                met: dict[int, tuple[int, int, float]] = {}
                for bit, right, share in path:
                    place = own.index(int(tree.feature[bit]))
                    care, wanted, before = met.get(place, (0, 0, 1.0))
                    met[place] = (care | 1 << bit, wanted | right << bit, before * share)
                told = [(place, *one) for place, one in met.items()]
                by_width.setdefault(len(told), []).append((number, float(tree.value[leaf]), told))
        for width, leaves in by_width.items():
            if width:
                _add_leaves(tables, width, leaves)
        entry = np.argsort(feature.ravel(), kind="stable")
        entry = entry[feature.ravel()[entry] >= 0]
        features, starts = np.unique(feature.ravel()[entry], return_index=True)
        return tables.reshape(-1, SPLITS), entry, starts, features, base


def _parts(matrix: Floats) -> Iterator[tuple[slice, Floats]]:
    """At most `ROWS` rows at once, and at least two: one alone numpy adds up in another order."""
    for start in range(0, len(matrix), ROWS):
        rows = slice(start, start + ROWS)
        part = matrix[rows]
        yield rows, part if len(part) > 1 else np.repeat(part, 2, axis=0)


def _add_leaves(
    tables: Floats, width: int, leaves: list[tuple[int, float, list[tuple[int, int, int, float]]]]
) -> None:
    """Add what leaves with `width` features above them give to each feature, by pattern."""
    tree = np.array([number for number, _, _ in leaves])
    value = np.array([one for _, one, _ in leaves])
    place, care, wanted = (
        np.array([[one[part] for one in met] for _, _, met in leaves]) for part in range(3)
    )
    share = np.array([[one[3] for one in met] for _, _, met in leaves])
    # All ways in which a row may follow these features' splits, or not: (2^width, width).
    follows = np.arange(1 << width)[:, np.newaxis] >> np.arange(width) & 1
    given = np.empty((len(leaves), 1 << width, width))
    for one in range(width):
        # Of the product over the other features of (share + follows * t), the powers of t count
        # how many of them are known; each is weighed as Shapley weighs sets of that size.
        powers = [np.ones((len(leaves), 1 << width))]
        for other in range(width):
            if other != one:
                zero, first = share[:, other, np.newaxis], follows[:, other]
                missed = [power * zero for power in powers] + [np.zeros_like(powers[0])]
                known = [np.zeros_like(powers[0])] + [power * first for power in powers]
                powers = [left + right for left, right in zip(missed, known, strict=True)]
        weight = [factorial(k) * factorial(width - 1 - k) / factorial(width) for k in range(width)]
        total = sum(w * power for w, power in zip(weight, powers, strict=True))
        given[:, :, one] = value[:, np.newaxis] * (follows[:, one] - share[:, [one]]) * total
    patterns = np.arange(PATTERNS)
    met = (patterns[:, np.newaxis] & care[:, np.newaxis]) == wanted[:, np.newaxis]
    way = (met << np.arange(width)).sum(axis=2)  # (leaves, PATTERNS)
    amounts = np.take_along_axis(given, way[:, :, np.newaxis], axis=1)
    for one in range(width):
        np.add.at(
            tables, (tree[:, np.newaxis], patterns, place[:, one, np.newaxis]), amounts[:, :, one]
        )


def read_trees(text: str) -> Trees | None:
    """Read LightGBM's text; None where a tree has more than `SPLITS` splits, or linear leaves.

    Raises:
        ValueError: It is none, or it is cut short.
    """
    told, end, _ = text.partition("\nend of trees")
    try:
        header, *each = told.split("\nTree=")
        about = _fields(header)
        if not end or len(each) != len(about["tree_sizes"].split()):
            raise ValueError(f"{len(each)} trees, and then the text ends")
        features, trees = int(about["max_feature_idx"]) + 1, []
        for one in each:
            said = _fields(one)
            if int(said["num_leaves"]) > LEAVES or said["is_linear"] != "0":
                return None
            trees.append(Tree.read(said))
        return Trees(trees, features)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"no LightGBM model: {error!r}") from error


def _fields(part: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in part.splitlines() if "=" in line)
