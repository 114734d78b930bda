"""Learn from outcomes where there are enough, else order by stated rules.

A model is fitted twice: once without the last part of time, to be judged on it, and once on all
there is, to be served. Knows nothing of figures, files or registries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.language import UNKNOWN
from features.pair import Profiles, pair_features
from features.text import Encoder
from models.bundle import Judgeable
from models.choice import Choice, fit_choice
from models.conversion import ConversionModel
from models.conversion_fit import FitParams, Rounds, fit, refit
from models.heuristic import HeuristicModel, fit_heuristic
from models.snapshots import Known, profile_brief
from models.stage import Grow, grow_here
from models.taxonomy import NICHES
from training.dataset import Candidates, Rows, Split

# From so many outcomes on a learned model ordered creators better than the heuristic in each of
# four simulated worlds (`benchmarks/cold_start.py` prints the curve), and it alone says a rate.
MIN_OUTCOMES = 200
MIN_CONVERSIONS = 500
MIN_PART = 30  # rows, and conversions, to fit, to calibrate and to judge on: fewer say nothing
HEURISTIC_SAMPLE = 500  # creators that the heuristic's terms are standardised on


@dataclass(frozen=True)
class Fitted:
    """A model as it was before the test part, and how many trees its stages have."""

    judged: Judgeable
    rounds: Rounds

    @property
    def model(self) -> ConversionModel:
        return self.judged.model


def fit_before_test(
    rows: Rows, candidates: Candidates, split: Split, params: FitParams, grow: Grow = grow_here
) -> Fitted:
    """Fit on the past, stop and calibrate on later rows, fit again on both.

    Args:
        rows: Labelled rows.
        candidates: Whom their campaigns could have chosen.
        split: Of the rows, by time.
        params: Parameters of the learning.
        grow: Where trees are grown.
    """
    early, later = rows.take(split.fit), rows.take(split.later)
    first, rounds = fit(early.matrix, early.labels, later.matrix, later.labels, params, grow)
    both = rows.take(np.sort(np.concatenate([split.fit, split.later])))
    choice = choice_model(candidates.before(split.test_from_us), params, grow)
    model = refit(both.matrix, both.labels, params, rounds, first.calibration, choice, grow)
    return Fitted(Judgeable(model, split.test_from_us), rounds)


def fit_on_all(
    rows: Rows, candidates: Candidates, fitted: Fitted, params: FitParams, grow: Grow = grow_here
) -> ConversionModel:
    """Fit on all rows, with the trees and the calibration of the judged model."""
    choice = choice_model(candidates, params, grow)
    calibration = fitted.model.calibration
    return refit(rows.matrix, rows.labels, params, fitted.rounds, calibration, choice, grow)


def choice_model(
    candidates: Candidates, params: FitParams, grow: Grow = grow_here
) -> Choice | None:
    """The model of whom brands choose; None where they chose everyone, or it shall not count."""
    if params.choice_power == 0 or candidates.chosen.all():
        return None
    return fit_choice(
        candidates.matrix,
        candidates.chosen,
        params.choice_power,
        params.choice_doubt,
        params.seed,
        params.threads,
        grow=grow,
    )


def too_little(rows: Rows) -> str | None:
    """Why rows are too few to learn from, or None."""
    conversions = int(rows.labels.conversions.sum())
    if len(rows) >= MIN_OUTCOMES and conversions >= MIN_CONVERSIONS:
        return None
    return (
        f"{len(rows):,} resolved sponsorships with {conversions:,} conversions; "
        f"learning needs {MIN_OUTCOMES:,} and {MIN_CONVERSIONS:,}"
    )


def too_close(rows: Rows, split: Split) -> str | None:
    """Why rows cannot be told apart in time, or None."""
    parts = [rows.take(part).labels for part in (split.fit, split.later, split.test)]
    fewest = min(len(part) for part in parts)
    rarest = min(int(part.conversions.sum()) for part in parts)
    if fewest >= MIN_PART and rarest >= MIN_PART:
        return None
    return (
        f"{len(rows):,} resolved sponsorships lie too close in time: of the parts to fit, to "
        f"calibrate and to judge on, kept apart, the least has {fewest:,} rows and "
        f"{rarest:,} conversions; learning needs {MIN_PART:,} in each"
    )


def order_by_rules(known: Known, profiles: Profiles, encoder: Encoder) -> HeuristicModel:
    """Standardise the heuristic's terms over creators and the niches of the built-in taxonomy.

    Args:
        known: Facts and snapshots.
        profiles: Of every creator, as of the end of the facts.
        encoder: Encodes the niches' words.
    """
    latest = known.snapshots[-1]
    every = len(known.facts.creator_id)
    n = min(every, HEURISTIC_SAMPLE)
    sample = np.linspace(0, every - 1, n).astype(np.int64)
    # Briefs of no brand in particular: each niche in its own words.
    vectors = encoder.encode([niche.description for niche in NICHES])
    briefs = [
        profile_brief(latest.model, latest.projection, vector, UNKNOWN, 0) for vector in vectors
    ]
    matrix = pair_features(
        profiles,
        np.tile(sample, len(briefs)),
        briefs,
        np.repeat(np.arange(len(briefs), dtype=np.int64), n),
    )
    return fit_heuristic(matrix)
