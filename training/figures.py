"""Figures of one row or one campaign, of which all others are made.

Knows nothing of splits, candidates or intervals.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from features.windows import Floats, Ints
from models.conversion import Labels
from training.dataset import Rows


def deviances(labels: Labels, rate: Floats) -> Floats:
    """Binomial deviance of conversions out of impressions, ``(n,)`` (McCullagh and Nelder 1989)."""
    x = labels.conversions.astype(np.float64)
    n = labels.impressions.astype(np.float64)
    mean = np.clip(rate, 1e-12, 1 - 1e-12) * n
    part: Floats = xlogy(x, np.where(x > 0, x / mean, 1.0))
    part += xlogy(n - x, np.where(n > x, (n - x) / (n - mean), 1.0))
    return np.asarray(2 * part, dtype=np.float64)


def campaign_ndcg(rows: Rows, score: Floats, depth: int) -> Floats:
    """NDCG of observed conversion rates within each campaign, ``(n_campaigns,)``.

    Jaervelin and Kekaelaeinen 2002; the gain is linear in the rate. A missing score stands last;
    equal scores in the order of the rows. NaN for a campaign of one row or without conversions.

    Args:
        rows: Labelled rows; campaigns come in the order of their codes.
        score: Larger is better, ``(n,)``.
        depth: Places that count.
    """
    campaign = np.unique(rows.campaign, return_inverse=True)[1]
    rate = rows.labels.conversions / rows.labels.impressions
    score = np.where(np.isnan(score), -np.inf, score)
    size = np.bincount(campaign)
    gained, best = (
        _discounted(campaign, size, rate, order, depth)
        for order in (np.lexsort((-score, campaign)), np.lexsort((-rate, campaign)))
    )
    out: Floats = np.full(len(size), np.nan)
    told = (size > 1) & (best > 0)
    out[told] = gained[told] / best[told]
    return out


def _discounted(campaign: Ints, size: Ints, rate: Floats, order: Ints, depth: int) -> Floats:
    """Discounted sum of the first `depth` of each campaign; `order` is sorted by campaign."""
    place = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    weight = np.where(place < depth, 1 / np.log2(place + 2), 0.0)
    sums = np.bincount(campaign[order], rate[order] * weight, len(size))
    return sums.astype(np.float64)
