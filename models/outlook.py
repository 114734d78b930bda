"""What the next posts of a running campaign's creators may bring, by what came of those so far.

Says how each creator stands, what is assumed of posts and audiences, and draws what may come.
Knows nothing of budgets, briefs, HTTP or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from features.windows import Floats, Ints
from models.beliefs import RateBelief, ReachBelief, freshness, rate_belief, reach_belief

DRAWS = 2_000
# What may be NaN, and what may not be 0.
MAY_MISS = (
    *(f"{name}{end}" for name in ("rate", "impressions") for end in ("", "_low", "_high")),
    "cost",
    "audience",
)
POSITIVE = ("rate", "rate_high", "impressions", "impressions_low", "impressions_high")

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Assumptions:
    """What is assumed of posts and audiences, stated because no campaign alone can tell it.

    Attributes:
        noise_shape: Of the Gamma factor that a post's own rate has on the creator's. 2 is a
            coefficient of variation of 0.71. Simulated posts have 0.33; the rest is for repeats
            that wear off in another way than `again` has it. In simulated worlds (seeds 801 to 803)
            the 80% intervals held 80% of true rates at the end with 2, 77% with 5, and conversions
            were the same.
        post_share: Share of the variance in the model's interval of impressions that is a post's
            own and not the creator's.
        shared_share: Share of the uncertainty of rates that all creators of the campaign have in
            common: an offer that sells better or worse than such offers do. Of what the
            model was off by for 290 creators in 29 campaigns of simulated world 801, campaigns had
            about 40% of the variance. Only where a belief begins: outcomes correct it. What plans
            take before any came is `conversion.TOGETHER`, which stands for more than rates.
        reach_unknown: Share of followers that one post reaches, where followers are unknown.
        again: What a person reached again is worth, against one reached for the first time.
        tries_a_week: The quantile of what a post brings that money goes by is 1 - 1 / (1 + this
            many times the weeks left). In simulated worlds (seeds 801 to 803, 180 campaigns) 3
            brought 84% of an oracle's conversions, 2 brought 82%, quantiles of 0.9, 0.95 and 0.975
            in every week 82%, 82% and 80%.
        posts_a_week: Most posts of one creator in a week.
        weeks_unknown: Weeks left where nobody says how many.
    """

    noise_shape: float = 2.0
    post_share: float = 0.5
    shared_share: float = 0.4
    reach_unknown: float = 0.25
    again: float = 0.5
    tries_a_week: float = 3.0
    posts_a_week: int = 2
    weeks_unknown: int = 4


ASSUMED = Assumptions()


@dataclass(frozen=True)
class Standing:
    """How each creator of a campaign stands, ``(n,)`` each. NaN only where it says so.

    Attributes:
        rate, rate_low, rate_high: Conversions for each impression as the model foretold them, with
            the 80% interval; NaN where it gives none.
        impressions, impressions_low, impressions_high: Of one post, likewise.
        cost: Of one more post; NaN where unknown.
        posts: That came out so far.
        seen: Impressions they had.
        conversions: That came of them.
        spent: Money on them.
        audience: Followers; NaN where unknown.
    """

    rate: Floats
    rate_low: Floats
    rate_high: Floats
    impressions: Floats
    impressions_low: Floats
    impressions_high: Floats
    cost: Floats
    posts: Floats
    seen: Floats
    conversions: Floats
    spent: Floats
    audience: Floats

    def __len__(self) -> int:
        return len(self.rate)

    def take(self, rows: Ints) -> Standing:
        return Standing(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class Outlook:
    """What the next posts of creators are believed to bring.

    Attributes:
        rates, reach: The beliefs.
        drawn: Draws of the conversions of a post that reaches nobody twice, ``(DRAWS, n)``.
        worth: What the next posts are worth against such a one, ``(n, depth)``.
        shared_share: As it was assumed.
        expected_so_far: Conversions that the model foretold of the posts that came out, ``(n,)``.
    """

    rates: RateBelief
    reach: ReachBelief
    drawn: Floats
    worth: Floats
    shared_share: float
    expected_so_far: Floats

    def mean(self) -> Floats:
        """Expected conversions of a post that reaches nobody twice, ``(n,)``."""
        return self.rates.mean() * self.reach.mean()


def foresee(standing: Standing, seed: int, depth: int, assumed: Assumptions = ASSUMED) -> Outlook:
    """What the next `depth` posts of creators, all foretold by the model, are believed to bring."""
    reach = reach_belief(
        standing.impressions,
        standing.impressions_low,
        standing.impressions_high,
        standing.seen,
        standing.posts,
        assumed.post_share,
    )
    followers = np.where(standing.audience > 0, standing.audience, np.nan)
    share = np.minimum(reach.mean() / followers, 1.0)
    share = np.where(np.isnan(share), assumed.reach_unknown, share)[:, np.newaxis]
    came = standing.posts.astype(np.int64)
    ahead = came[:, np.newaxis] + np.arange(depth)
    so_far = np.arange(max(int(came.max(initial=0)), 1))
    past = np.where(so_far < came[:, np.newaxis], freshness(share, assumed.again, so_far), 0.0)
    exposure = standing.seen * past.sum(axis=1) / np.maximum(came, 1)
    rates = rate_belief(
        standing.rate,
        standing.rate_low,
        standing.rate_high,
        exposure,
        standing.conversions,
        standing.posts,
        noise_shape=assumed.noise_shape,
        shared_share=assumed.shared_share,
    )
    return Outlook(
        rates,
        reach,
        _draw(standing, rates, reach, seed),
        freshness(share, assumed.again, ahead),
        assumed.shared_share,
        standing.rate * exposure,
    )


def _draw(standing: Standing, rates: RateBelief, reach: ReachBelief, seed: int) -> Floats:
    """Draws of conversions of a post; each creator's do not depend on the order of creators."""
    columns = [getattr(standing, f.name) for f in fields(standing)]
    order = np.lexsort(columns)
    rng = np.random.default_rng(seed)
    shared = rng.random(DRAWS)
    chance, normal = np.empty((2, DRAWS, len(order)))
    chance[:, order] = rng.random((len(order), DRAWS)).T
    normal[:, order] = rng.standard_normal((len(order), DRAWS)).T
    out: Floats = rates.draw(chance, shared) * np.exp(reach.centre + reach.deviation * normal)
    return out


def check(standing: Standing) -> None:
    """Refuse a standing that cannot be.

    Raises:
        ValueError: A number is out of its range, with its place.
    """
    for field in fields(standing):
        values = getattr(standing, field.name)
        if values.shape != (len(standing),):
            raise ValueError(f"{field.name} has shape {values.shape}, rate ({len(standing)},)")
        may_miss = field.name in MAY_MISS
        wrong = (values < 0) | np.isinf(values) | (np.isnan(values) & (not may_miss))
        if field.name in POSITIVE:
            wrong |= values == 0
        _refuse(field.name, wrong, values, "a number above 0" if field.name in POSITIVE else "≥ 0")
    came = standing.posts >= 1
    _refuse("posts", standing.posts % 1 != 0, standing.posts, "a whole number")
    _refuse("seen", (standing.seen > 0) & ~came, standing.seen, "0 where no post came out")
    none = (standing.conversions > 0) & (standing.seen == 0)
    _refuse("conversions", none, standing.conversions, "0 where nothing was seen")
    for name in ("rate", "impressions"):
        low, high = getattr(standing, f"{name}_low"), getattr(standing, f"{name}_high")
        _refuse(f"{name}_low", low > high, low, f"no more than {name}_high")
        missing = np.isnan(low) | np.isnan(high)
        _refuse(name, ~np.isnan(getattr(standing, name)) & missing, low, "given with its interval")


def _refuse(name: str, wrong: Flags, values: Floats, wanted: str) -> None:
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name}[{place}] is {values[place]}: it must be {wanted}")
