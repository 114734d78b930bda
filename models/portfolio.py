"""A budget over creators: whom to book, and what may come of it.

The choice is a 0/1 knapsack, solved by HiGHS through scipy. Audiences are taken not to overlap.
Knows nothing of briefs or features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from features.windows import Floats, Ints

# Within a thousandth of the optimum, or the best found in this time.
GAP = 1e-3
SECONDS = 1.0
DRAWS = 4_000
# The middle 80% of a normal lies within this many standard deviations.
SIGMAS_80 = 1.2815515655446004


@dataclass(frozen=True)
class Forecast:
    """Quantiles of the conversions a plan brings."""

    p10: float
    p50: float
    p90: float


def choose(value: Floats, cost: Floats, budget: float) -> Ints:
    """The creators that bring the most value for the budget.

    Args:
        value: What each brings, ``(n,)``; NaN or not above 0 is never chosen.
        cost: What each costs, ``(n,)``; NaN is never chosen.
        budget: What may be spent, in the unit of `cost`.

    Returns:
        Places of those chosen, ascending.
    """
    able = np.flatnonzero((value > 0) & (cost >= 0) & (cost <= budget))
    if len(able) == 0:
        return able.astype(np.int64)
    # Scaled to about 1, as the solver's tolerances are absolute.
    worth = value[able] / value[able].max()
    found = milp(
        -worth,
        constraints=LinearConstraint(cost[able][np.newaxis] / budget, ub=1.0),
        integrality=np.ones(len(able), dtype=np.int64),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if found.x is None:
        raise RuntimeError(f"the solver gave no plan: {found.message}")
    picked = able[found.x > 0.5]
    # The solver keeps a limit within a tolerance; a budget is kept to the cent.
    while cost[picked].sum() > budget:
        picked = np.delete(picked, np.argmin(value[picked]))
    return picked.astype(np.int64)


def choose_in_order(cost: Floats, budget: float) -> Ints:
    """Where nothing is known of value: take the next in order for as long as the money lasts."""
    picked, left = [], budget
    for place, price in enumerate(cost):
        if price <= left:
            picked.append(place)
            left -= price
    return np.array(picked, dtype=np.int64)


def forecast(
    rates: Floats, impressions: Floats, low: Floats, high: Floats, rng: np.random.Generator
) -> Forecast:
    """Simulate what a plan brings: draws of rates times draws of impressions, then counts.

    Args:
        rates: Draws of each creator's true rate, ``(draws, n)``.
        impressions, low, high: Estimate and 80% interval of each creator's impressions, ``(n,)``.
        rng: Where chance comes from.
    """
    spread = np.log(high / low) / (2 * SIGMAS_80)
    centre = np.log(impressions) - spread**2 / 2
    seen = np.exp(centre + spread * rng.standard_normal(rates.shape))
    total: NDArray[np.float64] = rng.poisson(rates * seen).sum(axis=1)
    p10, p50, p90 = np.quantile(total, [0.1, 0.5, 0.9])
    return Forecast(float(p10), float(p50), float(p90))
