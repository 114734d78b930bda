"""A budget over creators whose audiences overlap: whom to book.

What a set of creators is worth is monotone and submodular: who is seen by people that others
already reached adds less (`Audience`). Where nothing overlaps that is a sum, and HiGHS finds the
best set. Where audiences do overlap, lazy greedy finds a good one: at least 1 - 1/e of the best
where costs are equal (Nemhauser, Wolsey and Fisher 1978), 1 - 1/sqrt(e) under a budget (Khuller,
Moss and Naor 1999); HiGHS on sums around it finds others where limits forbid greedy steps; and
exchanges improve the best of them. `Chosen.of_best` says how near the optimum a set must be.

Knows nothing of briefs, features or forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from features.windows import Floats, Ints

Mask = NDArray[np.bool_]

GAP = 2e-3  # HiGHS stops within two thousandths of the best sum,
NODES = 2_000  # or after so many nodes with the best found: a limit of time would be chance
SMALL = 60  # so few creators are given to HiGHS too where their audiences overlap
# Creators that are looked at: the most worth for the money, in all, and the cheapest. Of 1,000 in
# `benchmarks.portfolios` plans from these are as good as plans from all, in a tenth of the time.
CORE = 150
CORE_APART = 50
PASSES = 4
BATCH = 16  # gains that lazy greedy looks at again at a time
BETTER = 1 + 1e-9
NEARLY = 0.98
FULL = 0.8  # largest share of a segment that one post can reach
BOUNDED_BY = (0.0, 0.5, 1.0)  # parts of a set that bound the best one


class NoPlan(ValueError):
    """No set of creators keeps the limits.

    Args:
        limit: The field at fault, such as ``min_creators``.
        reason: Why, with the figures.
    """

    def __init__(self, limit: str, reason: str) -> None:
        self.limit = limit
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Audience:
    """Whom each creator's post reaches, and what that is worth.

    People live in segments. Within one, who sees a post is drawn apart for each creator, and
    someone reached by several converts as the best of them makes them, once: the worth of a set is
    the expected maximum, weighted coverage (Krause and Golovin 2014, "Submodular function
    maximization", section 1.2).

    Attributes:
        rate: Conversions for each person reached, ``(n,)``.
        people: In each segment, ``(n_segments,)``.
        reached: Share of each segment that a creator's post reaches, ``(n, n_segments)``.
        apart: People reached whom nobody else reaches, ``(n,)``.
    """

    rate: Floats
    people: Floats
    reached: Floats
    apart: Floats

    @classmethod
    def of_views(cls, rate: Floats, people: Floats, views: Floats, elsewhere: Floats) -> Audience:
        """From the views of a post in each segment; what a segment cannot hold is reached apart.

        Args:
            rate: Conversions for each view, ``(n,)``.
            people: In each segment, ``(n_segments,)``.
            views: Of each creator's post in each segment, ``(n, n_segments)``.
            elsewhere: Its views outside the segments, ``(n,)``.
        """
        inside = np.minimum(views, FULL * people)
        reached = np.divide(inside, people, out=np.zeros_like(inside), where=people > 0)
        return cls(rate, people, reached, elsewhere + (views - inside).sum(axis=1))

    def __len__(self) -> int:
        return len(self.rate)

    @cached_property
    def alone(self) -> Floats:
        """What each is worth by itself, ``(n,)``."""
        out: Floats = self.rate * (self.reached @ self.people + self.apart)
        return out

    def take(self, rows: Ints) -> Audience:
        return Audience(self.rate[rows], self.people, self.reached[rows], self.apart[rows])

    def adds(self, chosen: Ints) -> Floats:
        """What each of `chosen` is counted with, ``(len(chosen),)``; their sum is `total`.

        Whoever is reached by several is counted with the best of them.
        """
        order = np.argsort(-self.rate[chosen], kind="stable")
        best = chosen[order]
        free = np.ones((len(best), len(self.people)))
        np.cumprod(1 - self.reached[best[:-1]], axis=0, out=free[1:])
        out = np.empty(len(chosen))
        out[order] = self.rate[best] * ((self.reached[best] * free) @ self.people)
        out += self.rate[chosen] * self.apart[chosen]
        return out

    def total(self, chosen: Ints) -> float:
        """What a set is worth."""
        return float(self.adds(chosen).sum())

    def gains(self, chosen: Ints, rows: Ints) -> Floats:
        """What each of `rows` would add to `chosen`, ``(len(rows),)``."""
        rate = self.rate[rows]
        steps = np.sort(self.rate[chosen])[::-1]
        best = chosen[np.argsort(-self.rate[chosen], kind="stable")]
        # free[k]: share of a segment that none of the k best reaches, so where the best rate of
        # those who reach a person lies below theirs.
        free = np.ones((len(best) + 1, len(self.people)))
        np.cumprod(1 - self.reached[best], axis=0, out=free[1:])
        # The gain of a rate c is the integral of that share from 0 to c: E[max(c - best, 0)].
        edges = np.append(steps, 0.0)
        below = np.zeros((len(best) + 2, len(self.people)))
        below[1:-1] = free[1:] * (edges[:-1] - edges[1:])[:, np.newaxis]
        below[:-1] = np.cumsum(below[:-1][::-1], axis=0)[::-1]
        above = np.searchsorted(-steps, -rate, side="left")
        integral = below[above + 1] + free[above] * (rate - edges[above])[:, np.newaxis]
        out: Floats = (self.reached[rows] * integral) @ self.people + rate * self.apart[rows]
        return out


@dataclass(frozen=True)
class Limits:
    """What a plan has to keep.

    Attributes:
        budget: What may be spent, in the unit of the costs.
        least, most: Fewest and most creators.
        shares: Most of the money spent that may go to some creators: a name for them, who they
            are ``(n,)``, and the share.
        must_have: Creators that are in every plan.
    """

    budget: float
    least: int = 0
    most: int | None = None
    shares: tuple[tuple[str, Mask, float], ...] = ()
    must_have: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def take(self, rows: Ints) -> Limits:
        shares = tuple((name, members[rows], share) for name, members, share in self.shares)
        must = np.flatnonzero(np.isin(rows, self.must_have)).astype(np.int64)
        return Limits(self.budget, self.least, self.most, shares, must)

    def kept_with(self, cost: Floats, chosen: Ints, *, of_budget: bool = False) -> Mask:
        """Whether `chosen` and one more would keep all limits but the least, ``(n,)``.

        `of_budget` takes shares of nearly all the budget for shares of what is spent.
        """
        spend = cost[chosen].sum() + cost
        kept: Mask = spend <= self.budget
        if self.most is not None:
            kept &= len(chosen) < self.most
        for _, members, share in self.shares:
            theirs = cost[chosen][members[chosen]].sum() + np.where(members, cost, 0.0)
            whole = NEARLY * self.budget if of_budget else spend
            kept &= theirs <= share * whole * (1 + 1e-12)
        kept[chosen] = False
        return kept

    def kept(self, cost: Floats, chosen: Ints) -> bool:
        """Whether a set keeps every limit."""
        spend = cost[chosen].sum()
        return bool(
            spend <= self.budget
            and self.least <= len(chosen)
            and (self.most is None or len(chosen) <= self.most)
            and np.isin(self.must_have, chosen).all()
            and all(
                cost[chosen][members[chosen]].sum() <= share * spend * (1 + 1e-12)
                for _, members, share in self.shares
            )
        )


@dataclass(frozen=True)
class Chosen:
    """A set of creators.

    Attributes:
        rows: Ascending, ``(k,)``.
        of_best: Its worth is at least this share of the best set's: gains bound what any other
            could add (Leskovec and others 2007, "Cost-effective outbreak detection", section 4).
    """

    rows: Ints
    of_best: float


def choose(audience: Audience, cost: Floats, limits: Limits) -> Chosen:
    """The creators that bring the most for the budget, within the limits.

    Args:
        audience: What sets of creators are worth; a creator worth nothing, or NaN, is never
            chosen, but for those the limits require.
        cost: What each costs, ``(n,)``; NaN is never chosen.
        limits: What the plan has to keep.

    Raises:
        NoPlan: No set keeps the limits.
    """
    alone = audience.alone
    required = np.zeros(len(audience), dtype=bool)
    required[limits.must_have] = True
    able = np.flatnonzero(
        (np.nan_to_num(alone, nan=0.0) > 0) & (cost >= 0) & (cost <= limits.budget) | required
    ).astype(np.int64)
    _check(cost, limits, able)
    if len(able) == 0:
        return Chosen(able, 1.0)
    core = able[_core(alone[able], cost[able], limits.take(able))]
    own, price, held = audience.take(core), cost[core], limits.take(core)
    sets = _starts(own, price, held)
    if not sets:
        raise NoPlan("constraints", "no set of creators keeps all of them within the budget")
    rows = core[_exchanged(own, price, held, max(sets, key=own.total))]
    if len(rows) == 0 and limits.shares:
        raise NoPlan("max_share", "nobody can be booked: whoever it is would get too large a share")
    place = np.searchsorted(able, rows)
    of_best = _of_best(audience.take(able), cost[able], limits.take(able), place)
    return Chosen(np.sort(rows), of_best)


def _check(cost: Floats, limits: Limits, able: Ints) -> None:
    must = cost[limits.must_have]
    if np.isnan(must).any():
        raise NoPlan("must_have", "a creator of them has no price, and none can be estimated")
    if must.sum() > limits.budget:
        raise NoPlan(
            "must_have", f"they cost {must.sum():,.0f} together, the budget is {limits.budget:,.0f}"
        )
    if limits.most is not None and len(must) > limits.most:
        raise NoPlan("must_have", f"they are {len(must)}, max_creators is {limits.most}")
    if len(able) < limits.least:
        raise NoPlan(
            "min_creators",
            f"{len(able)} creators can be afforded at all, fewer than {limits.least}",
        )
    others = np.sort(cost[np.setdiff1d(able, limits.must_have)])
    cheapest = must.sum() + others[: max(limits.least - len(must), 0)].sum()
    if cheapest > limits.budget:
        raise NoPlan(
            "min_creators",
            f"the {limits.least} cheapest cost {cheapest:,.0f} together, "
            f"the budget is {limits.budget:,.0f}",
        )


def _core(alone: Floats, cost: Floats, limits: Limits) -> Ints:
    """Whom a good plan is made of, ascending: most others cannot be in one (Balas and Zemel 1980,
    "An algorithm for large zero-one knapsack problems")."""
    order = np.argsort(-np.nan_to_num(alone) / np.maximum(cost, limits.budget * 1e-6))
    kept = [order[:CORE], np.argsort(-alone)[:CORE_APART], limits.must_have]
    kept.append(np.argsort(cost, kind="stable")[: max(limits.least, CORE_APART)])
    for _, members, _ in limits.shares:
        kept.append(order[~members[order]][:CORE_APART])
    return np.unique(np.concatenate(kept)).astype(np.int64)


def _starts(audience: Audience, cost: Floats, limits: Limits) -> list[Ints]:
    """Sets that keep the limits, to begin from."""
    sums = audience.reached.shape[1] == 0
    sets: list[Ints] = []
    if not sums:
        # Shares of the budget can be kept step by step; of what is spent, seen at the end.
        for use in _uses(audience.alone, cost, limits):
            found = _repaired(audience, cost, limits, _greedy(audience, cost, limits, use))
            if limits.kept(cost, found):
                sets.append(found)
        if sets and len(audience) > SMALL:
            return sets
    first = _solve(audience.alone, cost, limits)
    if first is None:
        return sets
    sets.append(first)
    if not sums:
        # What each would add beside, or is counted with in, the set found: sums around it.
        worth = audience.gains(first, np.arange(len(audience), dtype=np.int64))
        worth[first] = audience.adds(first)
        second = _solve(worth, cost, limits)
        if second is not None:
            sets.append(second)
    return sets


def _solve(value: Floats, cost: Floats, limits: Limits) -> Ints | None:
    """The best set where worth is a sum: a 0/1 program, by HiGHS."""
    value = np.nan_to_num(value, nan=0.0)
    lower = np.zeros(len(value))
    lower[limits.must_have] = 1.0
    above, upper = _rows(cost, limits)
    rows = [LinearConstraint(above, ub=upper)]
    if limits.least:
        rows.append(LinearConstraint(np.ones((1, len(value))), lb=limits.least))
    found = milp(
        -value / max(value.max(), 1e-300),
        constraints=rows,
        integrality=np.ones(len(value), dtype=np.int64),
        bounds=Bounds(lower, 1),
        options={"mip_rel_gap": GAP, "node_limit": NODES},
    )
    if found.x is None:
        return None
    picked = np.flatnonzero(found.x > 0.5).astype(np.int64)
    # The solver keeps a limit within a tolerance; a budget is kept to the cent.
    while not limits.kept(cost, picked):
        free = np.setdiff1d(picked, limits.must_have)
        if len(free) == 0:
            return None
        picked = picked[picked != free[np.argmin(value[free])]]
    return picked


def _uses(value: Floats, cost: Floats, limits: Limits) -> list[Floats]:
    """What each takes of all that is limited, of the budget alone, and nothing, ``(n,)`` each.

    The first weighs limits by the prices that the linear program of `value` puts on them: its
    duals (Magazine and Oguz 1984, "A heuristic algorithm for the multidimensional zero-one knapsack
    problem").
    """
    rows, most = _rows(cost, limits)
    prices = -linprog(-value / value.max(), rows, most, bounds=(0, 1)).ineqlin.marginals
    of_budget = np.maximum(cost / limits.budget, 1e-6)
    return [np.maximum(prices @ rows, 1e-9), of_budget, np.ones(len(cost))]


def _rows(cost: Floats, limits: Limits) -> tuple[Floats, Floats]:
    """Limits from above as a matrix ``(m, n)`` and what its product may be, ``(m,)``.

    Scaled to about 1, as the solver's tolerances are absolute.
    """
    of_budget = cost / limits.budget
    rows, most = [of_budget], [1.0]
    if limits.most is not None:
        rows.append(np.full(len(cost), 1 / limits.most))
        most.append(1.0)
    for _, members, share in limits.shares:
        rows.append((members - share) * of_budget)
        most.append(0.0)
    return np.array(rows), np.array(most)


def _greedy(audience: Audience, cost: Floats, limits: Limits, use: Floats) -> Ints:
    """Take what adds most for its use, as long as anything fits; gains are looked up lazily.

    Gains only fall as the set grows (Minoux 1978), so what was known of them bounds them still.
    """
    scale = 1 / use
    chosen = limits.must_have.copy()
    upper = audience.alone * scale
    if len(chosen):
        upper = audience.gains(chosen, np.arange(len(audience), dtype=np.int64)) * scale
    while True:
        fits = limits.kept_with(cost, chosen, of_budget=True) & (upper > 0)
        if not fits.any():
            return chosen
        open_ = np.flatnonzero(fits)
        open_ = open_[np.argsort(-upper[open_], kind="stable")]
        fresh, best = 0, -np.inf
        while fresh < len(open_) and best < upper[open_[fresh]]:
            rows = open_[fresh : fresh + BATCH].astype(np.int64)
            upper[rows] = audience.gains(chosen, rows) * scale[rows]
            fresh += len(rows)
            best = float(upper[open_[:fresh]].max())
        seen = open_[:fresh]
        chosen = np.append(chosen, seen[np.argmax(upper[seen])])


def _repaired(audience: Audience, cost: Floats, limits: Limits, chosen: Ints) -> Ints:
    """Leave out, of those who got too large a share of what is spent, the least for the money."""
    for _ in range(len(chosen)):
        spend = cost[chosen].sum()
        over = [
            members
            for _, members, share in limits.shares
            if cost[chosen][members[chosen]].sum() > share * spend * (1 + 1e-12)
        ]
        if not over:
            break
        free = np.setdiff1d(chosen[over[0][chosen]], limits.must_have)
        if len(free) == 0:
            break
        worth = audience.alone[free] / np.maximum(cost[free], limits.budget * 1e-6)
        chosen = chosen[chosen != free[np.argmin(worth)]]
    return chosen


def _exchanged(audience: Audience, cost: Floats, limits: Limits, chosen: Ints) -> Ints:
    """Fill up, and exchange one for one or more, as long as that brings more."""
    best = _filled(audience, cost, limits, chosen)
    total = audience.total(best)
    for _ in range(PASSES):
        before = total
        for row in np.setdiff1d(best, limits.must_have):
            left = best[best != row]
            free = limits.budget - cost[left].sum()
            if _at_most(audience, cost, free, None, left) <= total * BETTER:
                continue
            for out in (None, row):
                other = _filled(audience, cost, limits, left, out)
                worth = audience.total(other)
                if worth > total * BETTER and limits.kept(cost, other):
                    best, total = other, worth
                    break
        if total <= before * BETTER:
            break
    return best


def _filled(
    audience: Audience,
    cost: Floats,
    limits: Limits,
    chosen: Ints,
    out: np.int64 | None = None,
) -> Ints:
    """Add what adds most, the first by its gain and the rest by gain for cost, while any fits."""
    payable = np.maximum(cost, limits.budget * 1e-6)
    while True:
        fits = limits.kept_with(cost, chosen)
        if out is not None:
            fits[out] = False
        rows = np.flatnonzero(fits).astype(np.int64)
        if len(rows) == 0:
            return chosen
        gains = audience.gains(chosen, rows)
        order = gains if out is not None else gains / payable[rows]
        top = int(np.argmax(order))
        if gains[top] <= 0:
            return chosen
        chosen = np.append(chosen, rows[top])


def _of_best(audience: Audience, cost: Floats, limits: Limits, chosen: Ints) -> float:
    """How much of the best set's worth a set has at least: the best bound from parts of it."""
    total = audience.total(chosen)
    if total <= 0:
        return 1.0
    worth = audience.alone[chosen] / np.maximum(cost[chosen], limits.budget * 1e-6)
    order = chosen[np.argsort(-worth, kind="stable")]
    parts = [order[: round(len(order) * share)] for share in BOUNDED_BY]
    # Beside a part the best set may spend the whole budget and book all it may.
    return min(
        1.0, total / min(_at_most(audience, cost, limits.budget, limits.most, p) for p in parts)
    )


def _at_most(
    audience: Audience, cost: Floats, budget: float, most: int | None, part: Ints
) -> float:
    """What some creators and the best set beside them are worth at most.

    That of `part`, and what anyone adds to it: the most for the money first and the last in part,
    or the `most` that add most, whichever is less.
    """
    gains = audience.gains(part, np.arange(len(audience), dtype=np.int64))
    gains[part] = 0.0
    # Who costs nothing comes first and whole, for what has no end is clipped; who also adds nothing
    # is no number, and comes last.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        order = np.argsort(-gains / np.maximum(cost, budget * 1e-9), kind="stable")
        price = np.maximum(cost[order], 1e-300)
        before = np.cumsum(price) - price
        more = float(gains[order] @ np.clip((budget - before) / price, 0.0, 1.0))
    if most is not None:
        more = min(more, float(np.sort(gains)[::-1][:most].sum()))
    return audience.total(part) + more


def choose_in_order(cost: Floats, budget: float) -> Ints:
    """Where nothing is known of value: take the next in order for as long as the money lasts."""
    picked, left = [], budget
    for place, price in enumerate(cost):
        if price <= left:
            picked.append(place)
            left -= price
    return np.array(picked, dtype=np.int64)
