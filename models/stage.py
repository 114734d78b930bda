"""One LightGBM model as its own text: what every learned part of a prediction is made of.

Knows nothing of what it predicts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import lightgbm as lgb
import numpy as np

from features.windows import Floats

# With the trees' sizes LightGBM reads them on several threads, and a text that is none ends the
# process there; without, the same text is an error that is caught.
_TREE_SIZES = re.compile("^tree_sizes=.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One LightGBM model, kept as its own text format."""

    text: str
    booster: lgb.Booster = field(repr=False, compare=False)

    @classmethod
    def from_text(cls, text: str) -> Stage:
        """Read a model.

        Raises:
            ValueError: It is none.
        """
        try:
            return cls(text, lgb.Booster(model_str=_TREE_SIZES.sub("", text, count=1)))
        except lgb.basic.LightGBMError as error:
            raise ValueError(f"no LightGBM model: {error}") from error

    def log_mean(self, matrix: Floats) -> Floats:
        """Logarithm of the expected value, ``(n,)``."""
        if len(matrix) == 0:  # LightGBM takes no empty matrix
            return np.zeros(0)
        out: Floats = np.asarray(self.booster.predict(matrix, raw_score=True), dtype=np.float64)
        return out

    def contributions(self, matrix: Floats) -> Floats:
        """SHAP values and, last, the base: ``(n, n_features + 1)``, rows sum to `log_mean`."""
        if len(matrix) == 0:
            return np.zeros((0, matrix.shape[1] + 1))
        out: Floats = np.asarray(self.booster.predict(matrix, pred_contrib=True), dtype=np.float64)
        return out
