"""What a post of a creator without a price is likely to cost.

Logarithm of the price by least squares on the logarithm of followers and the platform, from the
creators that have a price. Every use marks it as an estimate. Knows nothing of briefs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from features.schemas import PLATFORMS
from features.windows import Floats, Ints

SIGMAS = float(ndtri(0.9))  # of a normal, to either side of its middle 80%
PRICED_MIN = 20  # with fewer priced creators there is no estimate


@dataclass(frozen=True)
class PriceModel:
    """``ln(1 + price) = intercept[platform] + slope ln(1 + followers)``.

    Attributes:
        intercept: One for each of `PLATFORMS`.
        residual: Standard deviation of the logarithm around the line.
    """

    intercept: tuple[float, ...]
    slope: float
    residual: float

    def estimate(self, platform: Ints, followers_log: Floats) -> tuple[Floats, Floats, Floats]:
        """Expected price and the middle 80% of prices, ``(n,)`` each.

        NaN where followers are unknown or the line has no price.
        """
        line = np.asarray(self.intercept)[platform] + self.slope * followers_log
        # The mean of a lognormal lies above its median.
        mean = np.expm1(line + self.residual**2 / 2)
        mean = np.where(mean > 0, mean, np.nan)
        low, high = (
            np.where(np.isnan(mean), np.nan, np.maximum(np.expm1(line + sigmas * self.residual), 0))
            for sigmas in (-SIGMAS, SIGMAS)
        )
        return mean, low, high


def fit_prices(price: Floats, platform: Ints, followers_log: Floats) -> PriceModel | None:
    """Fit the line, or None where fewer than `PRICED_MIN` creators have a price."""
    known = np.flatnonzero(~np.isnan(price) & ~np.isnan(followers_log))
    if len(known) < PRICED_MIN:
        return None
    target = np.log1p(price[known])
    onehot = (platform[known][:, np.newaxis] == np.arange(len(PLATFORMS))).astype(np.float64)
    # A little ridge: platforms with no priced creator get the overall intercept, and followers
    # that are all alike no slope.
    centre = followers_log[known].mean()
    design = np.column_stack([np.ones(len(known)), followers_log[known] - centre, onehot])
    ridge = np.diag([0.0, 1e-3, *([1.0] * len(PLATFORMS))])
    weights = np.linalg.solve(design.T @ design + ridge, design.T @ target)
    # Two are spent on level and slope.
    residual = float(np.std(target - design @ weights, ddof=2))
    intercept = tuple(float(weights[0] - weights[1] * centre + extra) for extra in weights[2:])
    return PriceModel(intercept, float(weights[1]), residual)
