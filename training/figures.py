"""Figures of one row or one campaign, of which all others are made.

Knows nothing of splits, candidates or intervals.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from features.windows import Floats, Ints
from models.conversion import Labels
from training.bootstrap import Draws
from training.dataset import Rows

BINS = 10


def deviances(labels: Labels, rate: Floats) -> Floats:
    """Binomial deviance of conversions out of impressions, ``(n,)`` (McCullagh and Nelder 1989)."""
    x = labels.conversions.astype(np.float64)
    n = labels.impressions.astype(np.float64)
    mean = np.clip(rate, 1e-12, 1 - 1e-12) * n
    part = np.asarray(xlogy(x, np.where(x > 0, x / mean, 1.0)), dtype=np.float64)
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
    size = np.bincount(campaign)
    gained, best = (
        np.bincount(campaign, rate * _discount(_places(campaign, size, values), depth), len(size))
        for values in (score, rate)
    )
    out = np.full(len(size), np.nan)
    told = (size > 1) & (best > 0)
    out[told] = gained[told] / best[told]
    return out


def _discount(place: Ints, depth: int) -> Floats:
    return np.where(place < depth, 1 / np.log2(place + 2.0), 0.0)


def campaign_recall(rows: Rows, score: Floats) -> Floats:
    """Share of each campaign's best quarter of creators that stands in the first half.

    ``(n_campaigns,)``; NaN for a campaign of fewer than four, or without conversions.
    """
    campaign = np.unique(rows.campaign, return_inverse=True)[1]
    rate = rows.labels.conversions / rows.labels.impressions
    size = np.bincount(campaign)
    best = _places(campaign, size, rate) < np.ceil(size / 4)[campaign]
    first = _places(campaign, size, score) < np.ceil(size / 2)[campaign]
    # Of those that converted nothing none is better than another.
    best &= rate > 0
    wanted = np.bincount(campaign, best, len(size))
    out = np.full(len(size), np.nan)
    told = (size >= 4) & (wanted > 0)
    out[told] = np.bincount(campaign, best & first, len(size))[told] / wanted[told]
    return out


def campaign_captured(rows: Rows, score: Floats, depth: int) -> Floats:
    """Conversions of the first `depth` creators, as a share of those of the best as many.

    Of a campaign with fewer than twice as many creators, half: else there is nothing to choose.
    ``(n_campaigns,)``; NaN for a campaign of one, or without conversions.
    """
    campaign = np.unique(rows.campaign, return_inverse=True)[1]
    won = rows.labels.conversions.astype(np.float64)
    size = np.bincount(campaign)
    taken = np.minimum(depth, np.ceil(size / 2))[campaign]
    ours = np.bincount(campaign, won * (_places(campaign, size, score) < taken), len(size))
    best = np.bincount(campaign, won * (_places(campaign, size, won) < taken), len(size))
    out = np.full(len(size), np.nan)
    told = (size > 1) & (best > 0)
    out[told] = ours[told] / best[told]
    return out


def _places(campaign: Ints, size: Ints, score: Floats) -> Ints:
    """Place of each row in its campaign, the highest score first, from 0, ``(n,)``."""
    score = np.where(np.isnan(score), -np.inf, score)
    order = np.lexsort((-score, campaign))
    out = np.empty(len(order), dtype=np.int64)
    out[order] = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    return out


def calibration_bins(labels: Labels, rate: Floats) -> Ints:
    """Bin of each row: `BINS` of about equal impressions, by rising rate, ``(n,)``."""
    order = np.argsort(rate, kind="stable")
    seen = np.cumsum(labels.impressions[order])
    out = np.empty(len(rate), dtype=np.int64)
    out[order] = np.minimum(((seen - 1) * BINS) // seen[-1], BINS - 1)
    return out


def calibration_errors(labels: Labels, rate: Floats, draws: Draws) -> Floats:
    """Mean distance of expected and observed rates over the bins, relative to the overall rate.

    Of each replicate; the bins are those of all rows. ``(1 + replicates,)``. The expected
    calibration error (ECE; Naeini, Cooper and Hauskrecht 2015) in units of the rate itself, for a
    rate of one in a thousand has no other scale.
    """
    gap = np.zeros((draws.times.shape[1], BINS))
    expected = rate * labels.impressions
    np.add.at(gap, (draws.campaign, calibration_bins(labels, rate)), expected - labels.conversions)
    total = draws.sums(labels.conversions.astype(np.float64))
    out: Floats = np.abs(draws.times @ gap).sum(axis=1) / np.maximum(total, 1.0)
    return out


def weighted_auc(labels: Labels, score: Floats, group: Ints, times: Floats) -> Floats:
    """Chance that an impression that converted has the higher score than one that did not.

    Only impressions of one group are compared, ties count half; groups weigh by their comparisons.

    Args:
        labels: Of the rows.
        score: ``(n,)``.
        group: Code of what each row may be compared within, ``(n,)``.
        times: How often each row counts, ``(replicates, n)``.

    Returns:
        ``(replicates,)``.
    """
    order = np.lexsort((score, group))
    won = labels.conversions[order] * times[:, order]
    lost = (labels.impressions - labels.conversions)[order] * times[:, order]
    new_group = np.diff(group[order], prepend=-1) != 0
    sorted_score = score[order]
    new_value = new_group.copy()
    new_value[1:] |= sorted_score[1:] != sorted_score[:-1]
    of = (np.cumsum(new_group) - 1)[new_value]
    starts = np.flatnonzero(new_value)
    won, lost = np.add.reduceat(won, starts, axis=1), np.add.reduceat(lost, starts, axis=1)
    below = np.cumsum(lost, axis=1) - lost
    begin = np.flatnonzero(np.diff(of, prepend=-1) != 0)
    below -= np.repeat(below[:, begin], np.diff(np.append(begin, len(of))), axis=1)
    pairs = np.add.reduceat(won, begin, axis=1) * np.add.reduceat(lost, begin, axis=1)
    right = (won * (below + lost / 2)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        out: Floats = right / pairs.sum(axis=1)
    return out
