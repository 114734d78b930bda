"""What more or less money would bring: the best plan at each of several budgets.

Every point is a plan of its own, chosen for that budget, so the curve bends where the best creators
are booked already. Knows nothing of HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.schemas import BUDGET_AT_LEAST, NUMBER_AT_MOST, BriefError, Budget, PlanRequest
from features.windows import Floats
from models.bundle import Bundle
from models.forecast import Forecast
from models.planning import Ground, plan
from models.ranker import ground_of
from models.timing import stage


@dataclass(frozen=True)
class Point:
    """What a budget brings.

    Attributes:
        forecast: Quantiles of the conversions; None where the model foretells nothing.
    """

    budget: float
    spend: float
    creators: int
    forecast: Forecast | None


def curve(bundle: Bundle, request: PlanRequest, budgets: list[float]) -> tuple[Point, ...]:
    """Plan a brief at several budgets, within its constraints, in the order of `budgets`.

    Raises:
        BriefError: The brief asks for what cannot be answered, or no plan keeps the constraints.
    """
    ground, _ = ground_of(bundle, request)
    points, refused = [], None
    for amount in budgets:
        try:
            points.append(_point(ground, amount, request.budget.currency))
        except BriefError as error:
            # Too little money for the constraints: what more would bring is still told.
            refused = error
    if not points and refused is not None:
        raise refused
    return tuple(points)


def budgets_around(amount: float, points: int) -> list[float]:
    """Budgets from a tenth of one to twice it, to two digits, in even steps; itself among them."""
    steps: Floats = np.linspace(0.1, 2.0, points) * amount
    rounded = (float(f"{value:.2g}") for value in steps)
    return sorted({*(one for one in rounded if BUDGET_AT_LEAST <= one <= NUMBER_AT_MOST), amount})


def _point(ground: Ground, amount: float, currency: str) -> Point:
    with stage("portfolio"):
        found = plan(ground, Budget(amount=amount, currency=currency)).plan
    return Point(amount, found.spend, len(found.picked), found.expected_conversions)
