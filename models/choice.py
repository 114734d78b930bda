"""What a brand's choice of a creator tells of their match, beyond what is seen.

Outcomes are known only of creators that brands chose, and brands know more than a catalogue does:
one who was chosen although the texts look far from the brief turns out better than others that
look as far. A model of chosen rows alone therefore promises too much of everybody else (selection
on unobservables: Heckman 1979, "Sample selection bias as a specification error"). Here a model of
who is chosen, from the texts alone, says how unlike the chosen a creator looks, and the expected
rate is lowered by a power of that. Nobody's rate is raised by it.

Knows nothing of outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES, FEATURES
from features.windows import Floats
from models.stage import Grow, Sample, Stage, grow_here

# What the match shows in. Brands also choose by price and reach, which tell nothing of a match: in
# simulated worlds a choice model of all features ordered creators far worse (NDCG@10 of true rates
# 0.48 against 0.55 with a tenth of its log odds added).
MATCH: tuple[str, ...] = (
    *(feature.name for feature in FEATURES if feature.family == "text"),
    "audience_language_share",
    "speaks_language",
)
# From this quantile of the chosen's log odds on, a creator looks like a natural choice, of whom
# there is nothing to correct. The median and the upper quartile ordered alike; the higher, the
# nearer the promises to what is true.
REFERENCE = 0.9
# A request asks these about every candidate, so they are few: `python -m benchmarks.trees` found
# them as good as 200 at a rate of 0.05.
ROUNDS = 60
LEARNING_RATE = 0.15

PARAMS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": LEARNING_RATE,
    "num_leaves": 7,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.5,
    "lambda_l2": 10.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Choice:
    """How likely brands choose, by the match alone.

    Attributes:
        stage: Log odds of being chosen, up to a constant.
        reference: Log odds from which on nothing is corrected.
        power: By how much of the log odds below it the log rate is lowered.
        doubt: How far off that may be: its standard deviation, as a share of it.
    """

    stage: Stage
    reference: float
    power: float
    doubt: float

    def correction(self, matrix: Floats) -> Floats:
        """What to add to the log rate, never positive, ``(n,)``."""
        return self.power * np.minimum(self.stage.log_mean(matrix) - self.reference, 0.0)

    def deviation(self, correction: Floats) -> Floats:
        """Standard deviation of the log rate that a `correction` brings, ``(n,)``."""
        return self.doubt * np.abs(correction)

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature adds to `correction`, and last the base; rows sum to it."""
        total = self.stage.contributions(matrix)
        total[:, -1] -= self.reference
        total[total.sum(axis=1) >= 0] = 0.0
        return self.power * total


def fit_choice(
    matrix: Floats,
    chosen: NDArray[np.bool_],
    power: float,
    doubt: float,
    seed: int,
    threads: int,
    rounds: int = ROUNDS,
    learning_rate: float = LEARNING_RATE,
    grow: Grow = grow_here,
) -> Choice:
    """Fit on creators that were chosen for campaigns and on others that could have been.

    Args:
        matrix: Features as of each campaign's start, ``(n, n_features)``.
        chosen: Which rows were, ``(n,)``; some of each.
        power, doubt: Of `Choice`.
        seed: Of LightGBM's sampling.
        threads: Processor threads.
        rounds, learning_rate: How many trees, and how much of each is taken.
        grow: Where trees are grown.
    """
    kept = np.full(matrix.shape, np.nan)
    columns = [FEATURE_NAMES.index(name) for name in MATCH]
    kept[:, columns] = matrix[:, columns]
    options = PARAMS | {
        "seed": seed,
        "num_threads": threads,
        "learning_rate": learning_rate,
    }
    booster = grow(options, Sample(kept, chosen.astype(np.float64)), rounds)
    stage = Stage.from_text(booster.model_to_string())
    reference = float(np.quantile(stage.log_mean(matrix[chosen]), REFERENCE))
    return Choice(stage, reference, power, doubt)
