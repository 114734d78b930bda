"""Plans for briefs: constraints, gifts, forecasts, one large account; on a real bundle."""

import numpy as np
import pytest

from features.schemas import BriefError, PlanRequest
from models import ranker
from models.conversion import TOGETHER
from models.overlap import FOLLOWS, audiences
from models.planning import LARGE_FOLLOWERS
from tests.index_tables import audience_of, creators_of


@pytest.fixture(scope="module")
def bundle(trained_home):
    return trained_home.trained.bundle


def request(**fields):
    base = {
        "brand": {"name": "Luma"},
        "query": "gentle skincare routine for sensitive skin",
        "budget": {"amount": 2500},
    }
    return PlanRequest.model_validate(base | fields)


def plan(bundle, **fields):
    return ranker.portfolio(bundle, request(**fields)).plan


def test_a_plan_keeps_its_budget_and_says_what_it_adds(bundle):
    found = plan(bundle)
    assert found.spend == pytest.approx(sum(pick.cost for pick in found.picked))
    assert found.spend <= 2500
    assert len(found.picked) > 1
    for pick in found.picked:
        assert 0 < pick.adds_conversions <= pick.expected_conversions * (1 + 1e-9)
    assert 0.8 < found.of_best <= 1
    assert 0 <= found.overlap.share < 1
    alone = sum(pick.expected_conversions for pick in found.picked)
    adds = sum(pick.adds_conversions for pick in found.picked)
    assert found.overlap.share == pytest.approx(1 - adds / alone)
    assert found.overlap.known_audiences + found.overlap.estimated_audiences == len(found.picked)


def test_the_plan_in_an_answer_is_the_plan_without_constraints(bundle):
    asked = request()
    assert ranker.recommend(bundle, asked).portfolio == ranker.portfolio(bundle, asked).plan


def test_every_constraint_is_kept(bundle):
    ids = [str(one) for one in bundle.index.ids]
    first = plan(bundle)
    never = [pick.creator_id for pick in first.picked[:3]]
    cheap = np.nanargmin(bundle.index.price)
    found = plan(
        bundle,
        constraints={
            "min_creators": 6,
            "max_creators": 9,
            "max_share": {"platform": 0.6},
            "must_have": [ids[cheap]],
            "never": never,
        },
    )
    picked = {pick.creator_id for pick in found.picked}
    assert 6 <= len(picked) <= 9
    assert ids[cheap] in picked
    assert not picked & set(never)
    for platform in {pick.platform for pick in found.picked}:
        share = sum(pick.cost for pick in found.picked if pick.platform == platform)
        assert share <= 0.6 * found.spend * (1 + 1e-9)


def test_a_share_of_one_niche_is_kept(bundle):
    label = bundle.index.labels[int(np.nanargmax(np.nanmean(bundle.index.profiles.mix, axis=0)))]
    found = plan(bundle, constraints={"max_share": {"niche": {label: 0.2}}})
    niche = {
        str(one): bundle.index.labels[int(np.argmax(mix))]
        for one, mix in zip(bundle.index.ids, bundle.index.profiles.mix, strict=True)
        if not np.isnan(mix[0])
    }
    share = sum(pick.cost for pick in found.picked if niche.get(pick.creator_id) == label)
    assert share <= 0.2 * found.spend * (1 + 1e-9)


def test_whom_a_plan_must_hold_may_be_taken_out_by_a_filter(bundle):
    creators = creators_of(bundle.index)
    youtube = creators.loc[
        (creators["platform"] == "youtube") & (bundle.index.price < 1000), "creator_id"
    ]
    one = str(youtube.iloc[0])
    found = ranker.portfolio(
        bundle,
        request(filters={"platforms": ["instagram"]}, constraints={"must_have": [one]}),
    )
    assert one in {pick.creator_id for pick in found.plan.picked}
    assert {pick.platform for pick in found.plan.picked} <= {"instagram", "youtube"}
    assert found.pool.eligible == (creators["platform"] == "instagram").sum()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"constraints": {"must_have": ["nobody"]}}, "/constraints/must_have/0"),
        ({"constraints": {"never": ["x", "nobody"]}}, "/constraints/never/0"),
        ({"constraints": {"min_creators": 400}}, "/constraints/min_creators"),
        (
            {"constraints": {"max_share": {"niche": {"zzz": 0.5}}}},
            "/constraints/max_share/niche/zzz",
        ),
        ({"budget": {"amount": 100, "currency": "EUR"}}, "/budget/currency"),
    ],
)
def test_what_cannot_be_planned_names_the_field(bundle, fields, pointer):
    with pytest.raises(BriefError) as caught:
        plan(bundle, **fields)
    assert caught.value.pointer == pointer


def test_a_product_stands_for_money_where_it_is_taken_and_costs_less(bundle):
    found = plan(bundle, product_cost=20.0)
    creators = creators_of(bundle.index).set_index("creator_id")
    bases = {pick.cost_basis for pick in found.picked}
    assert "gift" in bases
    for pick in found.picked:
        taken = creators.loc[pick.creator_id, "accepts_gifting"]
        if pick.cost_basis == "gift":
            assert taken and pick.cost == 20.0
        elif taken is True:
            assert pick.cost <= 20.0
    assert sum(p.adds_conversions for p in found.picked) >= sum(
        p.adds_conversions for p in plan(bundle).picked
    )


def test_an_estimated_cost_says_so_and_how_far_off_it_may_be(bundle):
    items = ranker.recommend(bundle, request(limit=200)).items
    by_basis = {item.expected.cost_basis: item.expected for item in items}
    assert by_basis["price"].cost_interval is None and not by_basis["price"].cost_is_estimate
    guessed = by_basis["estimate"]
    assert guessed.cost_is_estimate
    assert guessed.cost_interval.low < guessed.cost < guessed.cost_interval.high


def test_a_forecast_is_wider_than_if_creators_were_apart_and_narrower_than_sums(bundle):
    """The middle of a sum is neither that of independent creators nor that of one."""
    assert 0 < TOGETHER < 1
    found = ranker.portfolio(bundle, request())
    outlook = found.plan.expected_conversions
    assert outlook.p10 < outlook.p50 < outlook.p90
    scored = found.scored
    rows = found.order[: len(found.plan.picked)]
    told = scored.predictions.take(rows)
    lows = (told.rate_low * told.impressions_low).sum()
    highs = (told.rate_high * told.impressions_high).sum()
    assert lows < outlook.p10 and outlook.p90 < highs


def test_the_same_plan_gets_the_same_forecast(bundle):
    assert plan(bundle) == plan(bundle)


def test_one_large_account_stands_beside_the_plan(bundle):
    found = plan(bundle, budget={"amount": 20_000}).large_account
    followers = creators_of(bundle.index).set_index("creator_id")["follower_count"]
    assert followers[found.creator_id] >= LARGE_FOLLOWERS * 0.9  # a later count may stand
    assert found.cost <= 20_000
    assert 1 <= found.posts <= 12
    assert f"{found.posts} post" in found.text
    assert 0 <= found.plan_brings_more <= 1


def test_a_budget_too_small_for_a_large_account_says_what_the_cheapest_costs(bundle):
    found = plan(bundle, budget={"amount": 50}).large_account
    assert found.creator_id is None
    assert "the cheapest costs about" in found.text


# ---------------------------------------------------------------- whose audiences overlap


def test_shares_of_audiences_are_shares(bundle):
    found = audiences(bundle.index, bundle.niche.resolve)
    assert (found.market >= 0).all() and (found.market.sum(axis=1) <= 1 + 1e-6).all()
    assert np.allclose(found.interest.sum(axis=1), 1, atol=1e-6)
    assert 0.3 < found.known.mean() < 0.9


def test_everyone_follows_as_many_creators_as_assumed(bundle):
    found = bundle.audiences
    inside = (found.followers * found.market.sum(axis=1)).sum()
    people = found.people
    # Those on one platform alone, and those on any: together all people.
    assert people.sum() * FOLLOWS == pytest.approx(inside, rel=1e-6)


def test_what_the_audience_table_says_of_countries_stands(bundle):
    """Two creators told to live in different countries share nobody there."""
    index = bundle.index
    table = audience_of(index)
    table = table[table["dimension"] == "country"]
    told = table.pivot_table(index="creator_id", columns="code", values="share", aggfunc="sum")
    known = bundle.audiences.known[np.isin(index.ids, told.index.to_numpy(object))]
    assert known.all()


def test_alike_audiences_overlap_more_than_others(bundle):
    """Creators of one niche and country, against one of another."""
    found = bundle.audiences
    leading = np.argmax(found.interest, axis=1)
    country = index_codes(creators_of(bundle.index)["country"])
    platform = found.platform
    rng = np.random.default_rng(0)
    same, other = [], []
    for one in rng.permutation(len(leading))[:60]:
        alike = (leading == leading[one]) & (country == country[one]) & (platform == platform[one])
        unlike = (leading != leading[one]) & (country != country[one])
        alike[one] = False
        for mask, out in ((alike, same), (unlike, other)):
            if mask.any():
                pair = np.array([one, rng.choice(np.flatnonzero(mask))])
                audience = found.reach(pair, np.full(2, 20_000.0), np.full(2, 0.001))
                both = np.arange(2)
                out.append(1 - audience.total(both) / audience.alone.sum())
    assert len(same) > 10
    assert np.mean(same) > 2 * np.mean(other)


def index_codes(column):
    return column.astype("category").cat.codes.to_numpy()
