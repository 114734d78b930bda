"""What of an answer is kept: those shown, those of the plan, and the next ones in order.

Knows nothing of databases, nor of how an answer is found.
"""

from __future__ import annotations

import numpy as np

from features.catalogue import FEATURE_NAMES
from features.served_rows import ESTIMATES, Candidates
from features.windows import Floats, Ints
from models.bundle import Bundle
from models.scoring import Scored


def candidates_of(
    bundle: Bundle,
    scored: Scored,
    order: Ints,
    shown: int,
    *,
    at_most: int,
    planned: tuple[str, ...] = (),
    propensity: Floats | None = None,
) -> Candidates:
    """The candidates of an answer that are to be kept.

    Args:
        bundle: What answered.
        scored: All candidates.
        order: Rows of `scored`, best first; the first `shown` of them were shown in this order.
        shown: How many were shown.
        at_most: How many to keep, unless more were shown.
        planned: Creators of the plan for the budget: kept wherever they stand in the order.
        propensity: Probability of each one shown at its place, ``(shown,)``; None: there was no
            chance in it, so it is 1.
    """
    ids = bundle.index.ids_of(scored.places[order])
    kept = np.arange(len(order)) < max(shown, at_most)
    kept |= np.isin(ids, np.array(planned, dtype=object))
    rows = order[kept]
    position = np.zeros(len(rows), dtype=np.int64)
    position[:shown] = np.arange(1, shown + 1)
    chance = np.full(len(rows), np.nan)
    chance[:shown] = 1.0 if propensity is None else propensity
    predictions = scored.predictions
    estimates = {name: getattr(predictions, name)[rows] for name in ESTIMATES if name != "cost"}
    estimates["cost"] = scored.costs.cost[rows]
    return Candidates(
        creator_id=ids[kept],
        position=position,
        propensity=chance,
        features=FEATURE_NAMES,
        matrix=scored.matrix[rows],
        estimates=np.column_stack([estimates[name] for name in ESTIMATES]),
    )
