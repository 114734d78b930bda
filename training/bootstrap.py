"""Campaigns drawn with replacement: what a figure could as well have been.

Rows of one campaign share a brief, a brand and a season, so campaigns are drawn, not rows (cluster
bootstrap: Davison and Hinkley 1997). The same draws serve every candidate, so differences are
paired. Knows nothing of what the figures mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.windows import Floats, Ints

REPLICATES = 1000
LEVEL = 0.9  # of every interval that is shown or decided by


@dataclass(frozen=True)
class Figure:
    """A value with its interval; NaN where there is nothing to tell."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """How often each campaign is in each replicate; the first replicate is the sample itself.

    Attributes:
        campaign: Number of each row's campaign, ``(n,)``.
        times: ``(1 + REPLICATES, n_campaigns)``.
    """

    campaign: Ints
    times: Floats

    def sums(self, values: Floats) -> Floats:
        """Sums of a value of each row ``(n,)`` over each replicate, ``(1 + REPLICATES,)``."""
        count = self.times.shape[1]
        out: Floats = self.times @ np.bincount(self.campaign, values, count)
        return out

    def means(self, values: Floats) -> Floats:
        """Means of a value of each campaign ``(n_campaigns,)``, over those that have one."""
        told = ~np.isnan(values)
        times = self.times[:, told]
        with np.errstate(invalid="ignore"):
            out: Floats = times @ values[told] / times.sum(axis=1)
        return out


def draw(campaign: Ints, seed: int = 0, replicates: int = REPLICATES) -> Draws:
    """Draw campaigns.

    Args:
        campaign: Code of each row's campaign, ``(n,)``, at least one row.
        seed: Of the drawing.
        replicates: How many.
    """
    number = np.unique(campaign, return_inverse=True)[1].astype(np.int64)
    count = int(number.max()) + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=replicates)
    return Draws(number, np.vstack([np.ones(count), times]))


def figure(replicates: Floats) -> Figure:
    """The first of the replicates, and the middle `LEVEL` of the others."""
    rest = replicates[1:][np.isfinite(replicates[1:])]
    if len(rest) == 0 or not np.isfinite(replicates[0]):
        return Figure(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(rest, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(replicates[0]), float(low), float(high))
