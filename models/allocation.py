"""Where the remaining budget of a running campaign should go: whom to book more, less, or no more.

What is believed of each creator (`beliefs`) says what the next post may bring for its cost. Money
goes, post by post, to where an upper quantile of that is highest: to a creator who did well, or of
whom too little is known to say, the more so the more weeks are left to use what is learnt.
Bayes-UCB (Kaufmann, Cappe and Garivier 2012, On Bayesian Upper Confidence Bounds for Bandit
Problems, AISTATS), with posts that cost money and wear off (budgeted bandits: Ding et al. 2013,
Multi-Armed Bandit with Budget Constraint and Variable Costs, AAAI). `python -m benchmarks.live`
compares it with others. Knows nothing of briefs, HTTP or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.windows import Floats, Ints
from models.allocation_words import Action, Facts, decide, reason
from models.beliefs import rate_interval
from models.outlook import ASSUMED, Assumptions, Outlook, Standing, check, foresee

LEAST_COST = 1.0  # a post that costs less, such as for a gift, counts as this in a ratio


@dataclass(frozen=True)
class Advice:
    """What to do with one creator, and why. None where the model foretold nothing.

    Attributes:
        rate, rate_low, rate_high: Conversions for each impression as believed now, 80% interval.
        impressions, impressions_low, impressions_high: Of the next post, likewise.
        conversions_per_money: Expected of the next post, for each unit of money.
        chance_best: Probability that nobody's next post brings more for its cost.
        share, amount, posts: Of the remaining budget.
        next_posts: Of `posts`, those to book in the coming week.
        expected_conversions: Of `posts`.
        reason: In words; it begins with the action.
    """

    action: Action
    reason: str
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    impressions: float | None
    impressions_low: float | None
    impressions_high: float | None
    conversions_per_money: float | None
    chance_best: float
    share: float
    amount: float
    posts: int
    next_posts: int
    expected_conversions: float


@dataclass(frozen=True)
class Allocation:
    """Where the remaining budget goes: an `Advice` for each creator, in the order asked about."""

    advice: tuple[Advice, ...]
    budget: float
    amount: float
    expected_conversions: float


def allocate(
    standing: Standing,
    budget: float,
    *,
    seed: int,
    weeks_left: int | None = None,
    most_per_conversion: float | None = None,
    currency: str = "USD",
    assumed: Assumptions = ASSUMED,
) -> Allocation:
    """Say where the remaining budget should go.

    Args:
        standing: The creators of the campaign.
        budget: What remains, in the unit of the costs; at least 0.
        seed: Of the draws; the same standing and seed give the same answer.
        weeks_left: Until the campaign ends, at least 1: the fewer, the less is tried.
        most_per_conversion: What a conversion may cost; a post that would cost more is not booked.
        currency: For the words.
        assumed: See there.

    Raises:
        ValueError: A number is out of its range, with its place.
    """
    check(standing)
    _check(budget, weeks_left, most_per_conversion)
    told = np.flatnonzero(~np.isnan(standing.rate) & ~np.isnan(standing.impressions))
    weeks = assumed.weeks_unknown if weeks_left is None else weeks_left
    most = assumed.posts_a_week * weeks
    known = standing.take(told)
    outlook = foresee(known, seed, most, assumed)
    optimism = 1 - 1 / (1 + assumed.tries_a_week * weeks)
    index = np.quantile(outlook.drawn, optimism, axis=0)
    floor = 0.0 if most_per_conversion is None else 1.0 / most_per_conversion
    posts = fill(index, outlook.worth, known.cost, most, budget, floor)
    week = week_money(posts, index * outlook.worth[:, 0], known.cost, budget / weeks)
    soon = np.minimum(posts, assumed.posts_a_week)
    plan = _Plan(
        posts=posts,
        next_posts=fill(index, outlook.worth, known.cost, soon, week, floor),
        posts_by_mean=fill(outlook.mean(), outlook.worth, known.cost, most, budget, floor),
        most=most,
        budget=budget,
        floor=floor,
        optimism=optimism,
        currency=currency,
    )
    return _advise(standing, told, outlook, plan)


def fill(
    value: Floats, worth: Floats, cost: Floats, most: Ints | int, budget: float, floor: float = 0.0
) -> Ints:
    """Posts of each creator, taken in the order of what they bring for the money, ``(n,)``.

    Args:
        value: Conversions of a post that reaches nobody twice, ``(n,)``.
        worth: What the next posts are worth against that, falling, ``(n, depth)``.
        cost: Of a post, ``(n,)``; NaN where unknown: none is taken.
        most: Posts of one creator, ``(n,)`` or one number, at most `depth`.
        budget: In the unit of `cost`; it is never passed.
        floor: Least conversions for each unit of money that a post is taken for.
    """
    posts = np.zeros(len(value), dtype=np.int64)
    density = (value / _payable(cost))[:, np.newaxis] * worth
    allowed = np.arange(worth.shape[1]) < np.broadcast_to(most, len(value))[:, np.newaxis]
    allowed &= (density > 0) & (density >= floor) & (cost <= budget)[:, np.newaxis]
    order = np.argsort(np.where(allowed, -density, np.inf), axis=None, kind="stable")
    price = np.nan_to_num(cost)
    for creator in order[: int(allowed.sum())] // worth.shape[1]:
        posts[creator] += 1
        # The sum as it is told in the end, so that it keeps the budget to the last digit.
        if (posts * price).sum() > budget:
            posts[creator] -= 1
    return posts


def _amount(posts: Ints, cost: Floats) -> float:
    return float((posts * np.nan_to_num(cost)).sum())


def _payable(cost: Floats) -> Floats:
    return np.maximum(cost, LEAST_COST)


def week_money(posts: Ints, value: Floats, cost: Floats, even: float) -> float:
    """Money for the coming week: an even part of what remains, or the best post's cost if more.

    Args:
        posts: Planned for all that remains, ``(n,)``.
        value: Conversions of the next post, ``(n,)``.
        cost: Of it, ``(n,)``.
        even: The even part.
    """
    planned = np.flatnonzero(posts)
    if len(planned) == 0:
        return even
    best = planned[np.argmax(value[planned] / _payable(cost[planned]))]
    return max(even, float(cost[best]))


@dataclass(frozen=True)
class _Plan:
    """Posts of each creator that the model foretold something of, ``(n,)`` each."""

    posts: Ints
    next_posts: Ints
    posts_by_mean: Ints
    most: int
    budget: float
    floor: float
    optimism: float
    currency: str


def _advise(standing: Standing, told: Ints, outlook: Outlook, plan: _Plan) -> Allocation:
    """The plan and the beliefs behind it, creator by creator."""
    known = standing.take(told)
    payable = _payable(known.cost)
    amount = _amount(plan.posts, known.cost)
    ahead = np.arange(outlook.worth.shape[1]) < plan.posts[:, np.newaxis]
    brought = outlook.mean() * np.where(ahead, outlook.worth, 0.0).sum(axis=1)
    paid = np.where(plan.posts > 0, plan.posts * payable, 0.0).sum()
    average = float(brought.sum() / paid) if paid > 0 else 0.0
    bar = max(average, plan.floor)
    per_money = outlook.drawn * outlook.worth[:, 0] / payable
    rate_low, rate_high = rate_interval(
        outlook.rates, known.rate, known.rate_low, known.rate_high, outlook.shared_share
    )

    def of_all(values: Floats) -> Floats:
        out = np.full(len(standing), np.nan)
        out[told] = values
        return out

    foretold, rate = of_all(known.rate), of_all(outlook.rates.mean())
    low, high = of_all(rate_low), of_all(rate_high)
    reach = of_all(outlook.reach.mean())
    reach_low, reach_high = of_all(outlook.reach.low), of_all(outlook.reach.high)
    value = of_all(outlook.mean() * outlook.worth[:, 0] / payable)
    value_high = of_all(np.quantile(per_money, plan.optimism, axis=0))
    worse, best = of_all((per_money < bar).mean(axis=0)), of_all(_chances_best(per_money))
    expected, brings = of_all(outlook.expected_so_far), of_all(brought)
    posts, next_posts, by_mean = np.zeros((3, len(standing)), dtype=np.int64)
    posts[told], next_posts[told] = plan.posts, plan.next_posts
    by_mean[told] = plan.posts_by_mean
    before = _shares_before(standing.spent)
    advice = []
    for i in range(len(standing)):
        money = float(posts[i] * standing.cost[i]) if posts[i] else 0.0
        facts = Facts(
            budget=plan.budget,
            currency=plan.currency,
            planned=amount,
            cost=float(standing.cost[i]),
            share_before=float(before[i]),
            anything_spent=bool(standing.spent.sum() > 0),
            share=money / plan.budget if money else 0.0,
            amount=money,
            posts=int(posts[i]),
            most=plan.most,
            posts_by_mean=int(by_mean[i]),
            posts_so_far=int(standing.posts[i]),
            conversions=float(standing.conversions[i]),
            expected=float(expected[i]),
            foretold=float(foretold[i]),
            rate=float(rate[i]),
            rate_low=float(low[i]),
            rate_high=float(high[i]),
            next_value=float(value[i]),
            next_high=float(value_high[i]),
            optimism=plan.optimism,
            bar=bar,
            bar_is_asked=plan.floor > average,
            chance_worse=float(np.nan_to_num(worse[i])),
            chance_best=float(np.nan_to_num(best[i])),
        )
        action = decide(facts)
        advice.append(
            Advice(
                action=action,
                reason=reason(action, facts),
                rate=_or_none(rate[i]),
                rate_low=_or_none(low[i]),
                rate_high=_or_none(high[i]),
                impressions=_or_none(reach[i]),
                impressions_low=_or_none(reach_low[i]),
                impressions_high=_or_none(reach_high[i]),
                conversions_per_money=_or_none(value[i]),
                chance_best=facts.chance_best,
                share=facts.share,
                amount=money,
                posts=facts.posts,
                next_posts=int(next_posts[i]),
                expected_conversions=float(np.nan_to_num(brings[i])),
            )
        )
    return Allocation(tuple(advice), plan.budget, amount, float(brought.sum()))


def _chances_best(drawn: Floats) -> Floats:
    """Share of the draws ``(draws, n)`` in which each is the highest; NaN never is."""
    if drawn.shape[1] == 0:
        return np.zeros(0)
    first = np.where(np.isnan(drawn), -np.inf, drawn).argmax(axis=1)
    chance = np.bincount(first, minlength=drawn.shape[1]) / len(drawn)
    out: Floats = np.where(np.isnan(drawn[0]), 0.0, chance)
    return out


def _shares_before(spent: Floats) -> Floats:
    total = spent.sum()
    out: Floats = spent / total if total > 0 else np.full(len(spent), 1 / max(len(spent), 1))
    return out


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _check(budget: float, weeks_left: int | None, most_per_conversion: float | None) -> None:
    if not (np.isfinite(budget) and budget >= 0):
        raise ValueError(f"budget is {budget}: it must be a number of at least 0")
    if weeks_left is not None and weeks_left < 1:
        raise ValueError(f"weeks_left is {weeks_left}: it must be at least 1")
    if most_per_conversion is not None and not most_per_conversion > 0:
        raise ValueError(f"most_per_conversion is {most_per_conversion}: it must be more than 0")
