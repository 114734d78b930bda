"""What a row would be if less were known: of brands and creators without a past, or of the future.

Two questions that a split by time alone leaves open. How good is the model for a brand that was
never seen and a creator who was never sponsored? And do rows know anything that came later than
they did? Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import build_history
from features.facts import Outcomes
from features.windows import Ints
from models.snapshots import Known
from training.dataset import Rows, rows_again

# Each brand and each creator is hidden once, a quarter of them at a time: enough others are left to
# learn from.
FOLDS = 4


@dataclass(frozen=True)
class Hidden:
    """Rows rebuilt without the past of some brands, or of some creators.

    Attributes:
        rows: The rows that were given, with other features.
        past: Whose collaborations are hidden, ``(n,)``. A published advertisement stays.
    """

    rows: Rows
    past: NDArray[np.bool_]


def hide_brands(known: Known, rows: Rows, seed: int) -> Iterator[Hidden]:
    """Strike brands from the history, fold by fold, and build the rows again.

    What their creators did for other brands stays: so it is when a new brand comes.
    """
    return _hide(known, rows, known.facts.outcomes.brand, seed)


def hide_creators(known: Known, rows: Rows, seed: int) -> Iterator[Hidden]:
    """The same with creators: what their brands learned from others stays."""
    return _hide(known, rows, known.facts.outcomes.creator, seed)


def _hide(known: Known, rows: Rows, owner: Ints, seed: int) -> Iterator[Hidden]:
    outcomes = known.facts.outcomes
    fold_of = _folds(np.random.default_rng(seed), owner)
    for fold in range(FOLDS):
        past = fold_of == fold
        left = with_outcomes(known, outcomes.take(np.flatnonzero(~past)))
        yield Hidden(replace(rows, matrix=rows_again(left, known, rows)), past[rows.outcome])


def _folds(rng: np.random.Generator, codes: Ints) -> Ints:
    """Fold of each code's owner, drawn, as even as can be, ``(n,)``."""
    found, place = np.unique(codes, return_inverse=True)
    out: Ints = (rng.permutation(len(found)) % FOLDS)[place]
    return out


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
    before, after = asked.matrix, rows_again(with_outcomes(known, other), known, asked)
    changed = (before != after) & ~(np.isnan(before) & np.isnan(after))
    counts = changed.sum(axis=0)
    return {FEATURE_NAMES[place]: int(counts[place]) for place in np.flatnonzero(counts)}


def with_outcomes(known: Known, outcomes: Outcomes) -> Known:
    """The same past with other collaborations; texts are read as before."""
    facts = replace(known.facts, outcomes=outcomes)
    return replace(known, history=build_history(facts))
