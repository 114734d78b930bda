"""A brief's budget becomes a plan: whom to book, what that may bring, one large account beside it.

Knows nothing of how sets are searched (`portfolio`) or audiences told apart (`overlap`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.schemas import Brief, BriefError, Budget, Constraints, Range
from features.windows import Floats, Ints
from models import index as indexes
from models.answer import LargeAccount, Overlap, Pick, Plan
from models.bundle import Bundle
from models.conversion import ConversionModel
from models.forecast import DRAWS, draw_conversions, forecast, seed_of
from models.overlap import ASSUMED
from models.portfolio import Audience, Limits, NoPlan, choose, choose_in_order
from models.scoring import BASES, ESTIMATE, Scored, candidates, score_places

# Where a plan of several small accounts is compared with one: above what is called micro.
LARGE_FOLLOWERS = 100_000
LARGE_SCORED = 200  # large accounts looked at, those nearest to the brief
MAX_POSTS = 12  # that one account is booked for, at most
REACH = 0.8  # share of its followers that a post of an account reaches, at most


@dataclass(frozen=True)
class Planned:
    """A plan, with what it was chosen from."""

    plan: Plan
    rows: Ints


@dataclass(frozen=True)
class Ground:
    """What plans for a brief are made from, whatever the budget.

    Attributes:
        constraints: What a plan has to keep.
        scored: Candidates for the brief; `must_have` among them.
    """

    bundle: Bundle
    brief: Brief
    constraints: Constraints
    scored: Scored

    @cached_property
    def audience(self) -> Audience:
        """Whom a post of each candidate reaches."""
        told = self.scored.predictions
        return self.bundle.audiences.reach(self.scored.places, told.impressions, told.rate)

    @cached_property
    def large(self) -> Scored:
        """The large accounts nearest to the brief; its filters of size and price aside."""
        brief, index = self.brief, self.bundle.index
        exclude = (*brief.filters.exclude_creators, *self.constraints.never)
        wider = {
            "follower_count": Range(min=LARGE_FOLLOWERS),
            "price_per_post": Range(),
            "exclude_creators": exclude,
        }
        filters = brief.filters.model_copy(update=wider)
        asked = brief.model_copy(update={"filters": filters})
        eligible = indexes.filter_pool(index, asked, self.bundle.niche).eligible
        profile = self.scored.brief
        wanted = brief.model_copy(update={"objective": "conversions"})
        places = candidates(self.bundle, wanted, profile, eligible, LARGE_SCORED)
        return score_places(self.bundle, brief, profile, places)


def plan(ground: Ground, budget: Budget) -> Planned:
    """Spend a budget.

    Raises:
        BriefError: No plan keeps the constraints.
    """
    bundle, constraints, scored = ground.bundle, ground.constraints, ground.scored
    limits = _limits(bundle, budget, constraints, scored)
    if not isinstance(bundle.model, ConversionModel):
        return _in_order(bundle, ground.brief, limits, scored)
    audience = ground.audience
    cost = scored.costs.cost.copy()
    cost[_places_of(bundle, constraints.never, scored, "never")] = np.nan
    try:
        chosen = choose(audience, cost, limits)
    except NoPlan as error:
        pointer = "/constraints" + ("" if error.limit == "constraints" else f"/{error.limit}")
        raise BriefError(pointer, error.reason) from None
    rows = chosen.rows
    adds = audience.adds(rows)
    account = _large_account(bundle, ground.large, limits.budget)
    # The same brief gets the same forecast: chance is seeded by what is asked.
    asked = ground.brief.model_copy(update={"budget": budget})
    seed = seed_of(asked.model_dump_json(exclude={"limit", "explain", "explore_share"}))
    ours, theirs = _draws(bundle.model, scored, rows, audience, account, seed)
    picked = tuple(
        _pick(bundle, scored, int(row), float(added)) for row, added in zip(rows, adds, strict=True)
    )
    return Planned(
        Plan(
            budget=limits.budget,
            currency=budget.currency,
            spend=float(sum(pick.cost for pick in picked)),
            picked=picked,
            expected_conversions=forecast(ours) if len(rows) else None,
            of_best=chosen.of_best,
            overlap=_overlap(bundle, scored, rows, audience, adds),
            large_account=_told(bundle, account, ours, theirs, limits.budget),
        ),
        rows,
    )


def _limits(bundle: Bundle, budget: Budget, constraints: Constraints, scored: Scored) -> Limits:
    return Limits(
        budget=budget.amount,
        least=constraints.min_creators,
        most=constraints.max_creators,
        shares=_shares(bundle, constraints, scored),
        must_have=_places_of(bundle, constraints.must_have, scored, "must_have"),
    )


def _places_of(bundle: Bundle, ids: tuple[str, ...], scored: Scored, field: str) -> Ints:
    """Rows of `scored` of creators that a constraint names; those not in it are left out."""
    places = indexes.places_of(bundle.index, ids, f"/constraints/{field}")
    return np.flatnonzero(np.isin(scored.places, places)).astype(np.int64)


def _shares(
    bundle: Bundle, constraints: Constraints, scored: Scored
) -> tuple[tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]], float], ...]:
    index, wanted = bundle.index, constraints.max_share
    platform = index.creators.platform.texts(scored.places)
    # Who posted nothing (-1) is of no niche.
    niche = np.array([*index.labels, ""], dtype=object)[index.leading[scored.places]]
    out = []
    for field, names, share in (
        ("platform", platform, wanted.platform),
        ("niche", niche, wanted.niche),
    ):
        if share is None:
            continue
        if isinstance(share, float):
            limits = {str(name): share for name in sorted(set(names)) if name}
        else:
            limits = {_known(bundle, field, name): value for name, value in share.items()}
        out += [(name, names == name, value) for name, value in limits.items()]
    return tuple(out)


def _known(bundle: Bundle, field: str, name: str) -> str:
    if field == "platform":
        return name
    label = bundle.niche.resolve(name)
    if label is None:
        raise BriefError(
            f"/constraints/max_share/niche/{name}",
            f"{name!r} is not a niche of this model; it knows " + ", ".join(bundle.niche.labels),
        )
    return label


def _in_order(bundle: Bundle, brief: Brief, limits: Limits, scored: Scored) -> Planned:
    """Nothing is known of value: those on top are booked, dear or not, while the money lasts."""
    if limits.shares or limits.least:
        raise BriefError(
            "/constraints",
            "this model only orders creators; shares and a least number need one that was learned "
            "from outcomes",
        )
    must = limits.must_have
    others = scored.order[: brief.limit]
    order = np.concatenate([must, others[~np.isin(others, must)]])[: limits.most]
    cost = np.nan_to_num(scored.costs.cost[order], nan=np.inf)
    rows = order[choose_in_order(cost, limits.budget)]
    if not np.isin(must, rows).all():
        raise BriefError(
            "/constraints/must_have", "they cost more than the budget, or have no price"
        )
    picked = tuple(_pick(bundle, scored, int(row), None) for row in rows)
    spend = float(sum(pick.cost for pick in picked))
    plan = Plan(limits.budget, bundle.index.currency, spend, picked, None, None, None, None)
    return Planned(plan, rows)


def _pick(bundle: Bundle, scored: Scored, row: int, adds: float | None) -> Pick:
    index, place = bundle.index, int(scored.places[row])
    expected = float(scored.conversions[row])
    costs = scored.costs
    return Pick(
        creator_id=index.id_of(place),
        handle=str(index.creators.at("handle", place)),
        platform=str(index.creators.platform.at(place)),
        cost=float(costs.cost[row]),
        price_is_estimate=bool(costs.basis[row] == ESTIMATE),
        cost_basis=BASES[int(costs.basis[row])],
        expected_conversions=None if np.isnan(expected) else expected,
        adds_conversions=adds,
    )


# ---------------------------------------------------------------- what it may bring


@dataclass(frozen=True)
class _Account:
    """One large account and how often it is booked; None where none can be afforded.

    `kept` is the share of its posts' conversions that is left as the same people see it again.
    """

    scored: Scored
    row: int | None
    posts: int = 0
    kept: float = 1.0


def _draws(
    model: ConversionModel,
    scored: Scored,
    rows: Ints,
    audience: Audience,
    account: _Account,
    seed: int,
) -> tuple[Floats, Floats]:
    """Draws of what the plan brings, and of what the large account does, of the same chances."""
    rng = np.random.default_rng(seed)
    one = np.array([] if account.row is None else [account.row], dtype=np.int64)
    matrix = np.concatenate([scored.matrix[rows], account.scored.matrix[one]])
    rates = model.draw_rates(matrix, DRAWS, rng)
    ours, theirs = scored.predictions.take(rows), account.scored.predictions.take(one)
    alone = audience.alone[rows]
    kept = np.divide(audience.adds(rows), alone, out=np.ones(len(rows)), where=alone > 0)
    drawn = draw_conversions(
        rates,
        np.concatenate([ours.impressions, theirs.impressions]),
        np.concatenate([ours.impressions_low, theirs.impressions_low]),
        np.concatenate([ours.impressions_high, theirs.impressions_high]),
        np.append(kept, np.full(len(one), account.posts * account.kept)),
        rng,
    )
    return drawn[:, : len(rows)].sum(axis=1), drawn[:, len(rows) :].sum(axis=1)


def _overlap(
    bundle: Bundle, scored: Scored, rows: Ints, audience: Audience, adds: Floats
) -> Overlap:
    alone = float(audience.alone[rows].sum())
    known = int(bundle.audiences.known[scored.places[rows]].sum())
    return Overlap(
        share=1 - float(adds.sum()) / alone if alone > 0 else 0.0,
        known_audiences=known,
        estimated_audiences=len(rows) - known,
        note=f"an estimate: {ASSUMED}",
    )


def _large_account(bundle: Bundle, scored: Scored, budget: float) -> _Account:
    """The one of some large accounts that brings most for the budget."""
    cost, conversions = scored.costs.cost, scored.conversions
    followers = bundle.index.profiles.numbers.followers[scored.places]
    able = np.flatnonzero((cost <= budget) & (conversions > 0))
    if len(able) == 0:
        return _Account(scored, None)
    posts = np.minimum(budget // np.maximum(cost[able], budget / MAX_POSTS), MAX_POSTS)
    reach = np.minimum(scored.predictions.impressions[able] / followers[able], REACH)
    kept = (1 - (1 - reach) ** posts) / (reach * posts)
    best = int(np.argmax(conversions[able] * posts * kept))
    return _Account(scored, int(able[best]), int(posts[best]), float(kept[best]))


def _told(
    bundle: Bundle, account: _Account, ours: Floats, theirs: Floats, budget: float
) -> LargeAccount:
    scored, row = account.scored, account.row
    currency = bundle.index.currency
    if row is None:
        known = scored.costs.cost[~np.isnan(scored.costs.cost)]
        if len(known) == 0:
            text = f"No account of {LARGE_FOLLOWERS:,} followers or more passes the other filters"
        else:
            text = (
                f"No account of {LARGE_FOLLOWERS:,} followers or more can be had for "
                f"{budget:,.0f} {currency}: the cheapest costs about {known.min():,.0f}"
            )
        return LargeAccount(None, None, 0, None, None, None, text)
    pick = _pick(bundle, scored, row, None)
    outlook = forecast(theirs)
    better = float((ours > theirs).mean())
    times = float(ours.mean() / max(theirs.mean(), 1e-9))
    text = (
        f"{account.posts} {'post' if account.posts == 1 else 'posts'} of {pick.handle} for "
        f"{pick.cost * account.posts:,.0f} {currency} would bring about {outlook.p50:,.0f} "
        f"conversions ({outlook.p10:,.0f} to {outlook.p90:,.0f}); the plan about "
        f"{times:.2g} times as many, and more in {better:.0%} of simulated cases"
    )
    return LargeAccount(
        creator_id=pick.creator_id,
        handle=pick.handle,
        posts=account.posts,
        cost=pick.cost * account.posts,
        expected_conversions=outlook,
        plan_brings_more=better,
        text=text,
    )
