"""What is believed of creators in a running campaign: what the model foretold, and what came since.

Of each creator two numbers are unknown: conversions for each impression, and impressions of a post.
The model's interval is the prior of each. Outcomes are noisier than chance alone would have them,
so one lucky post does not decide. Knows nothing of money, briefs, HTTP or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammainc, gammaincinv, logsumexp, polygamma

from features.windows import Floats, Ints
from models.conversion import INTERVAL, SIGMAS, TINY

GRID = 256  # points of a posterior, over where it is not negligible
NEGLIGIBLE = 25.0  # in logarithms below the highest density: a factor of 1e-11
# The part that all creators of a campaign share, in its standard deviations.
SHARED = np.linspace(-3.5, 3.5, 29)
_PRIOR = -(SHARED**2) / 2 - logsumexp(-(SHARED**2) / 2)
SHARED_MOST = 1.5  # a factor of 4.5: by more no brief is off for everyone
# Shapes of a Gamma that intervals are looked up in. The first is so wide that its lower end all but
# underflows; the last spans 0.3%.
_SHAPES = np.exp(np.linspace(np.log(0.05), np.log(1e6), 400))


@dataclass(frozen=True)
class RateBelief:
    """The joint posterior of creators' rates.

    Given the shared part the rates are independent, each on a grid of its logarithm.

    Attributes:
        shared: Probability of each value of `SHARED`, ``(S,)``.
        log_rate: Each creator's grid, ``(n, GRID)``.
        weight: Probability of each point given the shared part, ``(S, n, GRID)``; sums to 1 over
            the last axis.
    """

    shared: Floats
    log_rate: Floats
    weight: Floats

    def mean(self) -> Floats:
        out: Floats = (self._marginal() * np.exp(self.log_rate)).sum(axis=1)
        return out

    def quantile(self, share: float) -> Floats:
        """The quantile of each creator's rate, ``(n,)``."""
        below = _below(self._marginal())
        rows = zip(below, self.log_rate, strict=True)
        return np.exp([np.interp(share, curve, grid) for curve, grid in rows])

    def draw(self, chance: Floats, shared: Floats) -> Floats:
        """Rates at uniform numbers: `chance` ``(draws, n)``, `shared` ``(draws,)``."""
        # The last sum may fall short of 1 by rounding.
        place = np.minimum(np.searchsorted(np.cumsum(self.shared), shared), len(SHARED) - 1)
        out = np.empty_like(chance)
        for value in np.unique(place):
            rows = place == value
            below = _below(self.weight[value])
            for creator, curve in enumerate(below):
                out[rows, creator] = np.interp(chance[rows, creator], curve, self.log_rate[creator])
        return np.exp(out)

    def _marginal(self) -> Floats:
        out: Floats = np.tensordot(self.shared, self.weight, axes=1)
        return out


def _below(weight: Floats) -> Floats:
    """Probability below each point of a grid; half of a point's own lies to either side."""
    out: Floats = np.cumsum(weight, axis=-1) - weight / 2
    return out


def rate_priors(low: Floats, high: Floats, shared_share: float) -> tuple[Floats, Floats]:
    """The priors that are as wide as the intervals.

    A rate is the estimate, times a lognormal factor of mean 1 that all creators of the campaign
    share in proportion to their own uncertainty, times a Gamma factor of mean 1 of the creator's
    own. This is the form of the model's own intervals: a Gamma, widened in logarithms.

    Args:
        low, high: The 80% intervals, ``(n,)``, ``high > 0``.
        shared_share: Share of the variance of the logarithm that is common, in [0, 1).

    Returns:
        Shape of the Gamma and standard deviation of the lognormal's logarithm, ``(n,)`` each.
    """
    asked = np.log(high) - np.log(np.maximum(low, TINY))
    lower, upper = _prior_ends(shared_share)
    shape: Floats = np.exp(np.interp(-asked, lower - upper, np.log(_SHAPES)))
    return shape, _shared_deviation(shape, shared_share)


def _shared_deviation(shape: Floats, shared_share: float) -> Floats:
    # The logarithm of a Gamma has variance trigamma(shape).
    out: Floats = np.sqrt(shared_share / (1 - shared_share) * polygamma(1, shape))
    return np.minimum(out, SHARED_MOST)


def _shared_factors(deviation: Floats) -> Floats:
    """Factors on the rates at each of `SHARED`, of mean 1, ``(S, n)``."""
    raw = np.exp(deviation * SHARED[:, np.newaxis])
    out: Floats = raw / (np.exp(_PRIOR) @ raw)
    return out


@cache
def _prior_ends(shared_share: float) -> tuple[Floats, Floats]:
    """Logarithms of the ends of the middle 80% of a prior of mean 1, for each of `_SHAPES`."""
    deviation = _shared_deviation(_SHAPES, shared_share)
    scale = _shared_factors(deviation) / _SHAPES
    ends = []
    for share in ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2):
        alone = np.maximum(gammaincinv(_SHAPES, share), TINY)
        least, most = np.log(alone * scale.min(axis=0)), np.log(alone * scale.max(axis=0))
        for _ in range(60):  # halved until there is nothing left to halve
            middle = (least + most) / 2
            under = np.exp(_PRIOR) @ gammainc(_SHAPES, np.exp(middle) / scale) < share
            least, most = np.where(under, middle, least), np.where(under, most, middle)
        ends.append(least)
    return ends[0], ends[1]


def rate_belief(
    rate: Floats,
    low: Floats,
    high: Floats,
    exposure: Floats,
    conversions: Floats,
    posts: Floats,
    *,
    noise_shape: float,
    shared_share: float,
) -> RateBelief:
    """Joint posterior of conversions for each impression.

    The prior is `rate_priors`. A post's own rate is the creator's times a Gamma factor of mean 1
    and `noise_shape`; conversions are Poisson given that. Over posts of about one size the sum is
    negative binomial of shape ``noise_shape * posts`` (Hilbe 2011, Negative Binomial Regression,
    2nd ed.). There is no closed posterior, so it is worked out on grids: that of a creator given
    the shared part, and that of the shared part.

    Args:
        rate, low, high: The model's estimate and 80% interval, ``(n,)``, ``rate`` and ``high`` > 0.
        exposure: Impressions so far, those of repeated posts at what they are worth, ``(n,)``.
        conversions: That came of them, ``(n,)``.
        posts: That brought them, ``(n,)``.
        noise_shape: Of the posts' own factors: the lower, the less one post says.
        shared_share: As in `rate_priors`.
    """
    shape, deviation = rate_priors(low, high, shared_share)
    scale = (rate / shape * _shared_factors(deviation))[..., np.newaxis]  # (S, n, 1)
    shape = shape[:, np.newaxis]
    events, shown = conversions[:, np.newaxis], exposure[:, np.newaxis]
    size = noise_shape * posts[:, np.newaxis]
    seen = (posts > 0)[:, np.newaxis]

    def log_density(log_rate: Floats) -> Floats:
        true = np.exp(log_rate)
        prior = shape * (log_rate - np.log(scale)) - true / scale
        told = events * log_rate - (size + events) * np.log(np.where(seen, size + shown * true, 1))
        out: Floats = prior + np.where(seen, told, 0.0)
        return out

    # Between what the prior and what the outcomes alone hold possible.
    ends = np.log(np.maximum(gammaincinv(shape, np.array([[1e-12, 1 - 1e-12]])), TINY))
    raw = np.log((events + 0.5) / np.maximum(shown, 1.0))
    first = ends[:, :1] + np.log(scale).min(axis=0)
    last = ends[:, 1:] + np.log(scale).max(axis=0)
    first = np.where(seen, np.minimum(first, raw - 2), first)
    last = np.where(seen, np.maximum(last, raw + 2), last)
    steps = np.linspace(0.0, 1.0, GRID)[np.newaxis]
    rows = np.arange(len(rate))
    # Three looks, each at what of the last is not negligible.
    for look in range(3):
        grid = first + (last - first) * steps
        density = log_density(grid)
        if look == 2:
            break
        whole = (density + _PRIOR[:, np.newaxis, np.newaxis]).max(axis=0)
        kept = whole > whole.max(axis=1, keepdims=True) - NEGLIGIBLE
        start = np.maximum(kept.argmax(axis=1) - 1, 0)
        stop = np.minimum(GRID - kept[:, ::-1].argmax(axis=1), GRID - 1)
        first, last = grid[rows, start][:, np.newaxis], grid[rows, stop][:, np.newaxis]
    top = density.max(axis=2, keepdims=True)
    weight = np.exp(density - top)
    total = weight.sum(axis=2, keepdims=True)
    # What does not depend on the shared part cancels; a creator without posts tells nothing of it.
    told = np.where(posts > 0, (top + np.log(total))[..., 0], 0.0).sum(axis=1) + _PRIOR
    return RateBelief(np.exp(told - logsumexp(told)), grid, weight / total)


def rate_interval(
    belief: RateBelief, rate: Floats, low: Floats, high: Floats, shared_share: float
) -> tuple[Floats, Floats]:
    """The 80% interval to tell, ``(n,)`` each: the model's own where nothing has come in.

    `rate_priors` keep the mean and the width of an interval; both ends of one that the model
    widened may then lie lower. That difference is added to the logarithms of the posterior's ends,
    in proportion to the variance that outcomes have left.
    """
    shape, _ = rate_priors(low, high, shared_share)
    asked = np.log(high) - np.log(np.maximum(low, TINY))
    told = [belief.quantile((1 - INTERVAL) / 2), belief.quantile((1 + INTERVAL) / 2)]
    left = np.log(told[1] / told[0]) / np.where(asked > 0, asked, 1.0)
    left = np.where(asked > 0, np.minimum(left, 1.0) ** 2, 0.0)
    out = []
    for end, model, curve in zip(told, (low, high), _prior_ends(shared_share), strict=True):
        prior = np.log(rate) + np.interp(np.log(shape), np.log(_SHAPES), curve)
        out.append(end * np.exp(left * (np.log(np.maximum(model, TINY)) - prior)))
    return out[0], out[1]


@dataclass(frozen=True)
class ReachBelief:
    """Posteriors of a creator's mean impressions of a post, lognormal, ``(n,)`` each.

    Attributes:
        centre, deviation: Mean and standard deviation of the logarithm.
        low, high: 80% interval of the next post.
    """

    centre: Floats
    deviation: Floats
    low: Floats
    high: Floats

    def mean(self) -> Floats:
        out: Floats = np.exp(self.centre + self.deviation**2 / 2)
        return out


def reach_belief(
    impressions: Floats,
    low: Floats,
    high: Floats,
    seen: Floats,
    posts: Floats,
    post_share: float,
) -> ReachBelief:
    """Posterior of a creator's mean impressions of a post: normal in logarithms.

    Args:
        impressions, low, high: The model's estimate for one post and its 80% interval, ``(n,)``.
        seen: Impressions so far, ``(n,)``; a post that nobody saw counts as seen once.
        posts: That brought them, ``(n,)``.
        post_share: Share of the interval's variance that is the post's own, in (0, 1); the rest is
            what is not known of the creator.
    """
    variance = (np.log(high / low) / (2 * SIGMAS)) ** 2
    own, unknown = post_share * variance, (1 - post_share) * variance
    count = np.maximum(posts, 1)
    # The mean of lognormal posts is itself about lognormal, with the sum's first two moments
    # (Fenton 1960, The sum of log-normal probability distributions).
    noise = np.log1p(np.expm1(own) / count)
    told = np.log(np.maximum(seen, 1.0) / count) + noise / 2
    prior = np.log(impressions) - unknown / 2
    known = (posts > 0) & (unknown > 0)
    gain = np.where(known, unknown / np.where(known, unknown + noise, 1.0), 0.0)
    centre = prior + gain * (told - prior)
    left = unknown * (1 - gain)
    mean = np.exp(centre + left / 2)
    narrowed = np.sqrt(
        np.where(variance > 0, (left + own) / np.where(variance > 0, variance, 1), 0)
    )
    return ReachBelief(
        centre,
        np.sqrt(left),
        mean * (low / impressions) ** narrowed,
        mean * (high / impressions) ** narrowed,
    )


def freshness(reach: Floats, again: float, before: Ints) -> Floats:
    """What a post is worth to one that reaches nobody twice, ``(n,)`` or as `before` broadcasts.

    A post reaches each of the audience with the same chance `reach`, whoever was reached before, so
    that after k posts ``(1 - reach)^k`` of those it reaches are new; whoever is not is worth
    `again`.
    """
    out: Floats = again + (1 - again) * (1 - reach) ** before
    return out
