"""What to do with a creator of a running campaign, by stated rules, and why, in words.

Knows nothing of how the numbers came about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Action = Literal["scale_up", "hold", "scale_down", "stop"]

BEYOND = 1.25  # a share this many times another is more than it; between, it is about the same
SURE = 0.9  # probability from which on one is stopped
# Where the model expected fewer conversions by now, and fewer posts came, nobody is stopped: none
# where 3 are expected comes to 1 in 20 by chance alone (Poisson).
ENOUGH_EXPECTED = 3.0
ENOUGH_POSTS = 3


@dataclass(frozen=True)
class Facts:
    """What one creator's action and reason are made of.

    Attributes:
        budget, planned: Money that remains, and what of it is planned over all creators.
        cost: Of one more post; NaN where unknown.
        share_before: Share of the money spent so far; of all creators alike where none was.
        anything_spent: Whether any was.
        share, amount, posts: Planned for this creator.
        most: Posts that are planned of one creator at most.
        posts_by_mean: Posts that would be planned if only expectations counted.
        posts_so_far, conversions, expected: What came, and what the model foretold of it.
        foretold, rate, rate_low, rate_high: Conversions for each impression, before and now.
        next_value, next_high: Conversions of the next post for each unit of money: expected, and
            the quantile that money goes by.
        optimism: That quantile.
        bar, bar_is_asked: Conversions for each unit of money that a post has to bring: what the
            planned ones bring on average, or more, where more was asked for.
        chance_worse: Probability that the next post brings less than `bar`.
        chance_best: Probability that nobody's brings more for its cost.
    """

    budget: float
    currency: str
    planned: float
    cost: float
    share_before: float
    anything_spent: bool
    share: float
    amount: float
    posts: int
    most: int
    posts_by_mean: int
    posts_so_far: int
    conversions: float
    expected: float
    foretold: float
    rate: float
    rate_low: float
    rate_high: float
    next_value: float
    next_high: float
    optimism: float
    bar: float
    bar_is_asked: bool
    chance_worse: float
    chance_best: float


def decide(facts: Facts) -> Action:
    """The action, by rules.

    - hold: the model foretold no rate, or the cost is unknown;
    - stop: nothing is planned, enough came to tell, and the next post brings less than it has to
      with a probability above `SURE`;
    - else the planned share of what remains is held against the share so far: `scale_up` where it
      is more than `BEYOND` times that, `scale_down` where that is more than `BEYOND` times it,
      `hold` between, and where nothing is planned for anyone.
    """
    if math.isnan(facts.foretold) or math.isnan(facts.cost):
        return "hold"
    enough = facts.expected >= ENOUGH_EXPECTED or facts.posts_so_far >= ENOUGH_POSTS
    if facts.posts == 0 and enough and facts.chance_worse > SURE:
        return "stop"
    if facts.planned == 0:
        return "hold"
    if facts.share > BEYOND * facts.share_before:
        return "scale_up"
    return "scale_down" if facts.share * BEYOND < facts.share_before else "hold"


def reason(action: Action, facts: Facts) -> str:
    """Why, in sentences that state the numbers; the first begins with the action."""
    if math.isnan(facts.foretold):
        return "Hold: the model foretold no rate of this creator, so there is nothing to go by."
    said = [_opening(action, facts), _evidence(facts)]
    if not math.isnan(facts.cost):
        said.append(_outlook(facts))
    return " ".join(said)


def _opening(action: Action, facts: Facts) -> str:
    money = facts.currency
    if action == "stop":
        bar = "what was asked for" if facts.bar_is_asked else "the planned posts do on average"
        return (
            f"Stop: with a probability of {percent(facts.chance_worse)} the next post brings less "
            f"for its cost than {bar}."
        )
    word = {"scale_up": "Scale up", "hold": "Hold", "scale_down": "Scale down"}[action]
    if math.isnan(facts.cost):
        return f"{word}: what a post costs is unknown, so no money is put on it."
    if facts.budget == 0:
        return f"{word}: nothing is left of the budget."
    if facts.planned == 0:
        return f"{word}: of the {_money(facts.budget)} {money} that remain no post is planned."
    before = percent(facts.share_before)
    of = f"{before} of the money so far" if facts.anything_spent else f"{before} of an equal split"
    if facts.posts == 0:
        if action == "hold":
            return f"{word}: nothing was spent here so far, and others come first."
        return f"{word}: nothing of the {_money(facts.budget)} {money} that remain, against {of}."
    between = "about as much as the" if action == "hold" else "against"
    limit = f" More than {facts.most} are planned of nobody." if facts.posts == facts.most else ""
    return (
        f"{word}: {_count(facts.posts, 'more post')} for {_money(facts.amount)} {money}, "
        f"{percent(facts.share)} of what remains, {between} {of}.{limit}"
    )


def _evidence(facts: Facts) -> str:
    now = (
        f"{_rate(facts.rate)} of impressions are believed to convert "
        f"({_rate(facts.rate_low)} to {_rate(facts.rate_high)})"
    )
    foretold = f"foretold were {_rate(facts.foretold)}"
    if facts.posts_so_far == 0:
        return f"No post of theirs came out yet: {now}; {foretold}."
    return (
        f"{_count(facts.posts_so_far, 'post')} brought {_count(facts.conversions, 'conversion')} "
        f"where {facts.expected:.1f} were expected: {now}; {foretold}."
    )


def _outlook(facts: Facts) -> str:
    said = (
        f"The next post should bring {_value(facts.next_value)} conversions for each 100 "
        f"{facts.currency}"
    )
    if facts.bar > 0:
        than = "asked for are" if facts.bar_is_asked else "the planned ones bring on average"
        said += f", {than} {_value(facts.bar)}"
    said += "; it is the best use of the next money with a probability of "
    said += f"{percent(facts.chance_best)}."
    if facts.posts > facts.posts_by_mean:
        said += (
            f" By expectation alone it would be {_count(facts.posts_by_mean, 'post')}; the rest is "
            f"a try, as with a probability of {percent(1 - facts.optimism)} the next one brings "
            f"{_value(facts.next_high)} or more."
        )
    return said


def percent(share: float) -> str:
    """A share as per cent, with a digit more where it is small."""
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"


def _rate(rate: float) -> str:
    return f"{100 * rate:.2g}%"


def _value(per_money: float) -> str:
    value = 100 * per_money
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.2f}"


def _count(number: float, thing: str) -> str:
    return f"{number:,.0f} {thing}" + ("" if number == 1 else "s")
