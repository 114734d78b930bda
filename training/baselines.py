"""What a model has to beat: rules that anyone would try first, and logistic regression.

A rule is a score. So that it can be compared in likelihood too, a rate is made of it by a Poisson
regression of one variable on the rows the model was fitted on. Knows nothing of figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.catalogue import CATEGORICAL, FEATURE_NAMES
from features.windows import Floats
from models.conversion import Labels
from training.dataset import Rows
from training.figures import deviances

RULES = (
    "random",
    "followers",
    "engagement rate",
    "cosine",
    "0.8 cosine + 0.2 engagement rate",
    "past rate",
)
# Inverse strengths of the penalty that are tried on later rows.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def rules(matrix: Floats, seed: int = 0) -> dict[str, Floats]:
    """Scores of the rules in `RULES`, ``(n,)`` each; larger is better, NaN where a rule is silent.

    The cosine is that of the brief with the mean of a creator's posts, as it is; the engagement
    rate is the plain one, in its own units; the past rate is shrunk towards that of the platform
    and size.

    Args:
        matrix: Features, ``(n, n_features)``.
        seed: Of the random order.
    """
    column = {name: matrix[:, place] for place, name in enumerate(FEATURE_NAMES)}
    engagement, cosine = column["engagement_rate"], column["mean_similarity"]
    return dict(
        zip(
            RULES,
            (
                np.random.default_rng(seed).random(len(matrix)),
                column["followers_log"],
                engagement,
                cosine,
                0.8 * cosine + 0.2 * engagement,
                column["past_conversion_rate"],
            ),
            strict=True,
        )
    )


def rate_of(score: Floats, labels: Labels, asked: Floats) -> Floats:
    """The rate that a score tells, ``(n_asked,)``: its logarithm is linear in the score.

    Args:
        score: Of rows that are known, ``(n,)``.
        labels: What came of those.
        asked: Scores to turn into rates.
    """
    middle = float(np.nanmedian(score)) if np.isfinite(score).any() else 0.0
    width = float(np.nanstd(score)) or 1.0

    def standard(values: Floats) -> Floats:
        return ((np.nan_to_num(values, nan=middle) - middle) / width)[:, np.newaxis]

    n = labels.impressions.astype(np.float64)
    level = labels.conversions.sum() / n.sum()
    # In units of the overall rate: the solver's tolerance is absolute.
    model = PoissonRegressor(alpha=1e-6, max_iter=1000)
    model.fit(standard(score), labels.conversions / n / level, sample_weight=n / n.mean())
    return np.asarray(model.predict(standard(asked)) * level, dtype=np.float64)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression of conversions out of impressions on all features."""

    pipeline: Any

    def predict(self, matrix: Floats) -> Floats:
        """Expected rate, ``(n,)``."""
        return np.asarray(self.pipeline.predict_proba(matrix)[:, 1], dtype=np.float64)


def fit_logistic(early: Rows, later: Rows, both: Rows) -> Logistic:
    """Choose the penalty by the deviance on later rows, then fit on both.

    Numbers are standardised, what is missing is the median and says so in a column of its own.

    Args:
        early, later: Parts of a split by time.
        both: Rows to fit the chosen one on.
    """
    fits = [(_fitted(early, strength), strength) for strength in STRENGTHS]
    _, best = min(
        (float(deviances(later.labels, model.predict(later.matrix)).mean()), strength)
        for model, strength in fits
    )
    return Logistic(_fitted(both, best).pipeline)


def _fitted(rows: Rows, strength: float) -> Logistic:
    seen = np.asarray(~np.isnan(rows.matrix).all(axis=0))
    codes = [
        place for place, name in enumerate(FEATURE_NAMES) if name in CATEGORICAL and seen[place]
    ]
    numbers = [place for place in np.flatnonzero(seen) if FEATURE_NAMES[place] not in CATEGORICAL]
    prepare = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(
                    SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
                ),
                numbers,
            ),
            ("codes", OneHotEncoder(handle_unknown="ignore"), codes),
        ]
    )
    labels = rows.labels
    won = labels.conversions.astype(np.float64)
    lost = labels.impressions - won
    weight = np.concatenate([won, lost]) / max(won.mean(), 1e-9)
    pipeline = make_pipeline(prepare, LogisticRegression(C=strength, max_iter=2000))
    pipeline.fit(
        np.concatenate([rows.matrix, rows.matrix]),
        np.repeat([1, 0], len(rows)),
        logisticregression__sample_weight=weight,
    )
    return Logistic(pipeline)
