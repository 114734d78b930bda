"""Past rates of rare events, shrunk towards their kind, as of any moment (empirical Bayes).

Counts x out of an exposure n are taken as Poisson with mean ``rate * n``; a creator's rate as Gamma
with shape ``alpha`` around the mean of its kind. Both are estimated from what was resolved by then:
the mean by pooling, ``alpha`` by the method of moments (Casella 1985, "An introduction to empirical
Bayes data analysis"; DuMouchel 1999 uses the same gamma-Poisson pair for sparse counts):

    E[(x - rate n)^2] = rate n + (rate n)^2 / alpha

Knows nothing of what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.windows import Floats, Ints, Prefix, Timeline, ratio

# A kind's own mean is shrunk towards the overall one as if it had this many events more.
KIND_EVENTS = 20.0
# Bounds on alpha: below, one creator's history would be believed at once; above, never.
ALPHA_MIN, ALPHA_MAX = 0.5, 50.0
# Exposure is squared and added over creators: in thousands it stays inside int64.
EXPOSURE_UNIT = 1_000


@dataclass(frozen=True)
class Posterior:
    """What is believed of each ask's rate.

    Attributes:
        rate: Posterior mean, events for each unit of exposure; NaN where nothing was resolved.
        alpha: Shape of the prior, in events.
        events: Own events so far.
        exposure: Own exposure so far.
    """

    rate: Floats
    alpha: Floats
    events: Ints
    exposure: Ints


@dataclass(frozen=True)
class RateHistory:
    """Resolved outcomes, ready to be summed as of any moment."""

    by_unit: Timeline
    by_kind: Timeline
    overall: Timeline
    unit_events: Prefix
    unit_exposure: Prefix
    kind_events: Prefix
    kind_exposure: Prefix
    all_events: Prefix
    all_exposure: Prefix
    moments: tuple[Prefix, Prefix, Prefix, Prefix, Prefix]

    @classmethod
    def build(
        cls, unit: Ints, kind: Ints, resolved_us: Ints, events: Ints, exposure: Ints, tie: Ints
    ) -> RateHistory:
        """Sort outcomes, ``(n,)`` each, by unit, by kind and overall."""
        by_unit = Timeline.build(unit, resolved_us, tie)
        by_kind = Timeline.build(kind, resolved_us, tie)
        overall = Timeline.build(np.zeros(len(unit), dtype=np.int64), resolved_us, tie)
        x = events[by_unit.order]
        n = -(-exposure[by_unit.order] // EXPOSURE_UNIT)
        # What each outcome adds to the sums over units of x, n, x^2, x n and n^2.
        x_before = _running_before(x, by_unit.group)
        n_before = _running_before(n, by_unit.group)
        added = (
            x,
            n,
            x * x + 2 * x * x_before,
            x * n + x * n_before + n * x_before,
            n * n + 2 * n * n_before,
        )
        place = np.empty(len(unit), dtype=np.int64)
        place[by_unit.order] = np.arange(len(unit))
        in_time = place[overall.order]
        moments = tuple(Prefix.build(values[in_time]) for values in added)
        return cls(
            by_unit,
            by_kind,
            overall,
            Prefix.build(x),
            Prefix.build(exposure[by_unit.order]),
            Prefix.build(events[by_kind.order]),
            Prefix.build(exposure[by_kind.order]),
            Prefix.build(events[overall.order]),
            Prefix.build(exposure[overall.order]),
            (moments[0], moments[1], moments[2], moments[3], moments[4]),
        )

    def posterior(self, unit: Ints, kind: Ints, as_of_us: Ints) -> Posterior:
        """Shrink each unit's past rate towards its kind's, from what was resolved by `as_of_us`."""
        first, past = self.by_unit.window(unit, as_of_us, None)
        events = self.unit_events.between(first, past)
        exposure = self.unit_exposure.between(first, past)
        first, past = self.by_kind.window(kind, as_of_us, None)
        kind_events = self.kind_events.between(first, past)
        kind_exposure = self.kind_exposure.between(first, past)
        first, past = self.overall.window(np.zeros(len(unit), dtype=np.int64), as_of_us, None)
        overall_rate = ratio(
            self.all_events.between(first, past), self.all_exposure.between(first, past)
        )
        overall_rate[overall_rate == 0] = np.nan
        prior = (kind_events + KIND_EVENTS) / (kind_exposure + KIND_EVENTS / overall_rate)
        alpha = self._alpha(first, past)
        rate = (events + alpha) / (exposure + alpha / prior)
        return Posterior(rate, alpha, events, exposure)

    def _alpha(self, first: Ints, past: Ints) -> Floats:
        x, n, xx, xn, nn = (p.between(first, past).astype(np.float64) for p in self.moments)
        rate = ratio(x, n)
        spread = xx - 2 * rate * xn + rate**2 * nn - x
        alpha = ratio(rate**2 * nn, np.maximum(spread, 0.0))
        return np.clip(np.nan_to_num(alpha, nan=ALPHA_MAX), ALPHA_MIN, ALPHA_MAX)


def shrink(events: Floats, exposure: Floats, prior_rate: Floats, alpha: Floats) -> Floats:
    """Posterior mean of a rate whose prior is Gamma of shape `alpha` around `prior_rate`."""
    out: Floats = (events + alpha) / (exposure + alpha / prior_rate)
    return out


def _running_before(values: Ints, group: Ints) -> Ints:
    """Sum of the values that stand before each one in its group (groups are contiguous)."""
    total = np.cumsum(values) - values
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else group
    lengths = np.diff(np.append(starts, len(group)))
    return (total - np.repeat(total[starts], lengths)).astype(np.int64)
