"""The cold start: an order of creators where too little is known of outcomes to learn from.

Niche match, engagement, trust and fatigue, each standardised over the creators known, with stated
weights. It claims no rate: `kind` is ``heuristic``, every rate is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.windows import Floats
from models.conversion import Predictions


@dataclass(frozen=True)
class Term:
    """One signal.

    Attributes:
        weight: How much it counts, and which way.
        log: Whether its logarithm is taken.
        needed: A creator of whom it is not known stands as the worst, not as the average: who
            posts nothing matches nothing. Nor is it cut at the top: the closest match is the
            closest, however far above the average of all briefs.
    """

    feature: str
    weight: float
    log: bool = False
    needed: bool = False


# Weights are judgement, not evidence: match first, then engagement, then trust and fatigue. The
# signs follow the case for micro-influencers that the README states; a learned model tests them.
TERMS: tuple[Term, ...] = (
    Term("topic_similarity", 1.0, needed=True),
    Term("niche_match", 0.5, needed=True),
    Term("engagement_rate_relative", 0.3, log=True),
    Term("engagement_views_relative", 0.2, log=True),
    Term("comments_per_like_relative", 0.1, log=True),
    Term("niche_concentration", 0.1),
    Term("sponsored_share_90d", -0.2),
    Term("rivals_promoted_180d", -0.1),
    Term("bought_audience_signs", -0.2),
)
CLIP = 3.0  # standard deviations: one odd number must not decide


@dataclass(frozen=True)
class HeuristicModel:
    """Standardised signals, added up with `TERMS`' weights.

    Attributes:
        centre, scale: Mean and standard deviation of each term, ``(len(TERMS),)``.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    kind: Literal["heuristic"] = "heuristic"

    def predict(self, matrix: Floats) -> Predictions:
        """Scores that only order; every rate and count is NaN."""
        missing = np.full(len(matrix), np.nan)
        score = self.contributions(matrix).sum(axis=1)
        return Predictions(
            score=score,
            rate=missing,
            rate_low=missing,
            rate_high=missing,
            click_rate=missing,
            impressions=missing,
            impressions_low=missing,
            impressions_high=missing,
            spread=missing,
        )

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature adds, and last the base (0): ``(n, n_features + 1)``."""
        out = np.zeros((len(matrix), len(FEATURE_NAMES) + 1))
        for term, centre, scale in zip(TERMS, self.centre, self.scale, strict=True):
            z = (_values(matrix, term) - centre) / scale
            unknown, most = (-CLIP, np.inf) if term.needed else (0.0, CLIP)
            place = FEATURE_NAMES.index(term.feature)
            out[:, place] = term.weight * np.clip(np.nan_to_num(z, nan=unknown), -CLIP, most)
        return out


def fit_heuristic(matrix: Floats) -> HeuristicModel:
    """Measure centre and scale of every term over rows of features, ``(n, n_features)``."""
    centre, scale = [], []
    for term in TERMS:
        values = _values(matrix, term)
        values = values[np.isfinite(values)]
        centre.append(float(values.mean()) if len(values) else 0.0)
        spread = float(values.std()) if len(values) else 0.0
        scale.append(spread if spread > 0 else 1.0)
    return HeuristicModel(tuple(centre), tuple(scale))


def _values(matrix: Floats, term: Term) -> Floats:
    values = matrix[:, FEATURE_NAMES.index(term.feature)]
    if term.log:
        values = np.log(np.where(values > 0, values, np.nan))
    return values
