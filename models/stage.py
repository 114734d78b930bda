"""One LightGBM model as its own text: what every learned part of a prediction is made of.

Small trees, as those that are grown for `conversion` and `choice`, answer from tables (`trees`);
larger ones by LightGBM, which is loaded where it is needed: with the scikit-learn that it brings it
takes 0.9 s, and a service needs neither. Knows nothing of what it predicts, nor of where its trees
are grown but here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.windows import Floats
from models.trees import Trees, read_trees

if TYPE_CHECKING:
    import lightgbm as lgb

# With the trees' sizes LightGBM reads them on several threads, and a text that is none ends the
# process there; without, the same text is an error that is caught.
_TREE_SIZES = re.compile("^tree_sizes=.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One LightGBM model, kept as its own text format.

    Attributes:
        trees: The same as tables; None where its trees are too large for that.
    """

    text: str
    trees: Trees | None = field(repr=False, compare=False)

    @classmethod
    def from_text(cls, text: str) -> Stage:
        """Read a model.

        Raises:
            ValueError: It is none.
        """
        stage = cls(text, read_trees(text))
        if stage.trees is None:
            _ = stage.booster  # so that what is damaged is found now
        return stage

    @cached_property
    def booster(self) -> lgb.Booster:
        """LightGBM's own.

        Raises:
            ValueError: It is no model.
        """
        import lightgbm as lgb

        try:
            return lgb.Booster(model_str=_TREE_SIZES.sub("", self.text, count=1))
        except lgb.basic.LightGBMError as error:
            raise ValueError(f"no LightGBM model: {error}") from error

    def log_mean(self, matrix: Floats) -> Floats:
        """Logarithm of the expected value, ``(n,)``."""
        if len(matrix) == 0:  # LightGBM takes no empty matrix
            return np.zeros(0)
        if self.trees is not None:
            return self.trees.predict(matrix)
        out: Floats = np.asarray(self.booster.predict(matrix, raw_score=True), dtype=np.float64)
        return out

    def contributions(self, matrix: Floats) -> Floats:
        """SHAP values and, last, the base: ``(n, n_features + 1)``, rows sum to `log_mean`."""
        if len(matrix) == 0:
            return np.zeros((0, matrix.shape[1] + 1))
        if self.trees is not None:
            return self.trees.contributions(matrix)
        out: Floats = np.asarray(self.booster.predict(matrix, pred_contrib=True), dtype=np.float64)
        return out


@dataclass(frozen=True)
class Sample:
    """Rows to grow trees on: features ``(n, n_features)``, targets and weights ``(n,)``."""

    matrix: Floats
    target: Floats
    weight: Floats | None = None

    def __len__(self) -> int:
        return len(self.target)


class Grow(Protocol):
    """Grows the trees of one model, in this process (`grow_here`) or on a cluster."""

    def __call__(
        self,
        options: Mapping[str, Any],
        sample: Sample,
        rounds: int,
        check: Sample | None = None,
        patience: int = 0,
        categorical: Sequence[str] = (),
    ) -> lgb.Booster:
        """Grow at most so many trees, one after the other.

        Args:
            options: LightGBM's parameters.
            sample: Rows to learn from.
            rounds: Trees, at most.
            check: Other rows; no more trees are grown where they get no better by `patience` of
                them, and `Booster.best_iteration` says how many were best.
            patience: In trees.
            categorical: Names of the features that are codes.
        """
        ...


def grow_here(
    options: Mapping[str, Any],
    sample: Sample,
    rounds: int,
    check: Sample | None = None,
    patience: int = 0,
    categorical: Sequence[str] = (),
) -> lgb.Booster:
    """Grow trees in this process; arguments as for `Grow`."""
    import lightgbm as lgb

    data = lgb.Dataset(
        sample.matrix,
        sample.target,
        weight=sample.weight,
        feature_name=list(FEATURE_NAMES),
        categorical_feature=list(categorical),
    )
    if check is None:
        return lgb.train(dict(options), data, num_boost_round=rounds)
    other = lgb.Dataset(check.matrix, check.target, weight=check.weight, reference=data)
    return lgb.train(
        dict(options),
        data,
        num_boost_round=rounds,
        valid_sets=[other],
        callbacks=[lgb.early_stopping(patience, verbose=False)],
    )
