"""What a row would be if less were known: of brands and creators without a past, or of the future.

Two questions that a split by time alone leaves open. How good is the model for a brand that was
never seen and a creator who was never sponsored? And do rows know anything that came later than
they did? Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import build_history
from features.facts import Asks, Outcomes
from features.windows import Floats, Ints
from models.profiles import Known
from training.dataset import Rows, rows_of

# Of brands and of creators, each: enough held-out rows to judge, and enough others to learn from.
HIDDEN_SHARE = 0.25


@dataclass(frozen=True)
class Hidden:
    """Rows rebuilt without the past of some brands and some creators.

    Attributes:
        rows: The rows that were given, with other features.
        brand, creator: Whose past is hidden, ``(n,)`` each. A published advertisement stays.
    """

    rows: Rows
    brand: NDArray[np.bool_]
    creator: NDArray[np.bool_]


def hide(known: Known, rows: Rows, seed: int) -> Hidden:
    """Draw brands and creators, strike their collaborations from the history, build rows again."""
    outcomes = known.facts.outcomes
    rng = np.random.default_rng(seed)
    brand = np.isin(outcomes.brand, _drawn(rng, outcomes.brand[rows.outcome]))
    creator = np.isin(outcomes.creator, _drawn(rng, outcomes.creator[rows.outcome]))
    left = with_outcomes(known, outcomes.take(np.flatnonzero(~brand & ~creator)))
    matrix = _again(left, known, rows)
    return Hidden(replace(rows, matrix=matrix), brand[rows.outcome], creator[rows.outcome])


def _drawn(rng: np.random.Generator, codes: Ints) -> Ints:
    found = np.unique(codes)
    return rng.choice(found, int(np.ceil(len(found) * HIDDEN_SHARE)), replace=False)


def knows_later(known: Known, rows: Rows, moment_us: int) -> dict[str, int]:
    """Features that change with outcomes which were not yet known, and in how many rows.

    Every outcome resolved from `moment_us` on is replaced by another; rows asked until then must
    stay what they are, bit for bit. A feature that changes knows the future, and whatever a model
    seems to earn with it is lost the day it is served.

    Args:
        known: What the rows were built from.
        rows: Rows to check.
        moment_us: Somewhere in the middle of them.
    """
    outcomes = known.facts.outcomes
    later = outcomes.resolved_us >= moment_us
    other = replace(
        outcomes,
        impressions=np.where(later, outcomes.impressions * 3 + 1000, outcomes.impressions),
        clicks=np.where(later, outcomes.clicks + 500.0, outcomes.clicks),
        conversions=np.where(later, outcomes.conversions + 100, outcomes.conversions),
    )
    asked = rows.take(np.flatnonzero(rows.started_us <= moment_us))
    before, after = asked.matrix, _again(with_outcomes(known, other), known, asked)
    changed = (before != after) & ~(np.isnan(before) & np.isnan(after))
    counts = changed.sum(axis=0)
    return {FEATURE_NAMES[place]: int(counts[place]) for place in np.flatnonzero(counts)}


def with_outcomes(known: Known, outcomes: Outcomes) -> Known:
    """The same past with other collaborations; texts are read as before."""
    facts = replace(known.facts, outcomes=outcomes)
    return Known(build_history(facts), known.snapshots)


def _again(other: Known, known: Known, rows: Rows) -> Floats:
    """The features of the same rows, in another past."""
    outcomes = known.facts.outcomes
    asks = Asks(outcomes.creator[rows.outcome], rows.started_us)
    return rows_of(other, asks, outcomes.brief[rows.outcome], outcomes.brand[rows.outcome])
