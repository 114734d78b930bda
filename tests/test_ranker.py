"""Ranking: filters, order, plans and reasons, on a bundle trained by the real pipeline."""

import numpy as np
import pytest

from features.schemas import Brief, BriefError, UnknownCreator
from models import describe, ranker, scoring
from tests.index_tables import audience_of, collaborations_of, creators_of


@pytest.fixture(scope="module")
def bundle(trained_home):
    return trained_home.trained.bundle


def brief(**fields):
    base = {"brand": {"name": "Luma"}, "query": "gentle skincare routine for sensitive skin"}
    return Brief.model_validate(base | fields)


def test_better_comes_first(bundle):
    items = ranker.recommend(bundle, brief(limit=100)).items
    scores = [item.score for item in items]
    assert scores == sorted(scores, reverse=True)
    assert [item.rank for item in items] == list(range(1, 101))
    rates = [item.conversion_rate.estimate for item in items]
    assert rates == sorted(rates, reverse=True)


def test_reasons_add_up_to_the_score_over_a_thousand_asks(bundle, trained_home):
    """And none contradicts its sign; whatever the brief, the brand and the objective."""
    deals = trained_home.world.sponsorships.drop_duplicates("campaign_id")
    rng = np.random.default_rng(0)
    asks = 0
    while asks < 1_000:
        deal = deals.iloc[int(rng.integers(len(deals)))]
        asked = brief(
            brand={"name": str(rng.choice([deal["brand"], "Luma"]))},
            query=deal["brief"][: int(rng.integers(40, 400))],
            objective=str(rng.choice(["conversion_rate", "conversions", "value"])),
            explore_share=float(rng.choice([0.0, 0.2])),
            limit=100,
        )
        for item in ranker.recommend(bundle, asked, seed=asks).items:
            if item.score is None:
                continue
            asks += 1
            assert sum(r.contribution for r in item.reasons) == pytest.approx(item.score, abs=1e-6)
            for reason in item.reasons:
                if "raises the score" in reason.text:
                    assert reason.contribution > 0
                if "lowers the score" in reason.text:
                    assert reason.contribution < 0


def test_objectives_order_by_what_they_say(bundle):
    by_total = ranker.recommend(bundle, brief(objective="conversions", limit=30)).items
    totals = [item.expected.conversions for item in by_total]
    assert totals == sorted(totals, reverse=True)
    by_value = ranker.recommend(bundle, brief(objective="value", limit=30)).items
    priced = [item for item in by_value if item.expected.cost and item.expected.cost >= 1]
    value = [item.expected.conversions / item.expected.cost for item in priced]
    assert value == sorted(value, reverse=True)


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        (
            {"platforms": ["instagram", "youtube"]},
            lambda c: c["platform"] in ("instagram", "youtube"),
        ),
        ({"countries": ["US"]}, lambda c: c["country"] == "US"),
        ({"languages": ["es"]}, lambda c: str(c["language"]).split("-")[0] == "es"),
        ({"price_per_post": {"max": 300}}, lambda c: c["price_per_post"] <= 300),
        (
            {"accepts_gifting": True},
            lambda c: c["accepts_gifting"] is True or c["accepts_gifting"] == 1,
        ),
    ],
)
def test_a_filter_keeps_what_it_says_and_counts_the_rest(bundle, filters, holds):
    answer = ranker.recommend(bundle, brief(filters=filters, limit=500))
    creators = creators_of(bundle.index).set_index("creator_id")
    kept = {item.creator_id for item in answer.items}
    assert 0 < len(kept) < len(creators)
    assert all(holds(creators.loc[creator_id]) for creator_id in kept)
    [(name, removed)] = answer.pool.removed_by.items()
    assert name == next(iter(filters))
    assert removed == len(creators) - answer.pool.eligible == len(creators) - len(kept)


def test_filters_and_together_and_the_counts_add_up(bundle):
    filters = {
        "platforms": ["instagram", "tiktok", "youtube"],
        "follower_count": {"min": 5000, "max": 100000},
        "engagement_rate": {"min": 0.005},
        "last_posted_in_days": 60,
    }
    answer = ranker.recommend(bundle, brief(filters=filters, limit=500))
    pool = answer.pool
    assert sum(pool.removed_by.values()) == pool.creators - pool.eligible
    assert all(5000 <= item.follower_count <= 100000 for item in answer.items)


def test_an_unknown_value_does_not_pass_its_filter(bundle):
    answer = ranker.recommend(bundle, brief(filters={"price_per_post": {"min": 0}}, limit=500))
    unpriced = set(bundle.index.ids[np.isnan(bundle.index.creators.price_per_post)])
    assert unpriced
    assert not unpriced & {item.creator_id for item in answer.items}


def test_excluded_creators_and_rivals_partners_are_left_out(bundle):
    collaborations = collaborations_of(bundle.index)
    as_of = bundle.index.as_of_us
    recent = collaborations[collaborations["started_us"] > as_of - 300 * 86_400_000_000]
    rival = recent["brand"].mode()[0]
    partners = set(recent.loc[recent["brand"] == rival, "creator_id"])
    first = bundle.index.id_of(0)
    answer = ranker.recommend(
        bundle,
        brief(
            filters={"exclude_creators": [first], "exclude_sponsored_by": [f"@{rival.upper()}"]},
            limit=500,
        ),
    )
    shown = {item.creator_id for item in answer.items}
    assert first not in shown
    assert not partners & shown
    assert answer.pool.removed_by["exclude_creators"] == 1


def test_an_audience_need_reads_the_audience_table(bundle):
    need = {"dimension": "country", "code": "us", "min_share": 0.3}
    answer = ranker.recommend(bundle, brief(audience=[need], limit=500))
    table = audience_of(bundle.index)
    enough = table[
        (table["dimension"] == "country") & (table["code"] == "US") & (table["share"] >= 0.3)
    ]
    assert {item.creator_id for item in answer.items} == set(enough["creator_id"])


def test_lookalikes_pull_the_order_and_are_left_out(bundle):
    index = bundle.index
    one = index.id_of(3)
    alike = {item.creator_id for item in describe.similar(bundle, one, 20)}
    before = scoring.score(bundle, brief())[0]
    after = scoring.score(bundle, brief(lookalikes=[one]))[0]
    ids = index.ids
    column = ranker.TOPIC_SIMILARITY

    def mean_match(scored):
        rows = np.isin(ids[scored.places], list(alike))
        return np.nanmean(scored.matrix[rows, column])

    assert mean_match(after) > mean_match(before)
    assert one not in ids[after.places]


def test_a_plan_keeps_the_budget_and_forecasts_in_order(bundle):
    plan = ranker.recommend(bundle, brief(budget={"amount": 2500})).portfolio
    assert plan.spend <= 2500
    assert plan.spend == pytest.approx(sum(pick.cost for pick in plan.picked))
    assert len(plan.picked) > 1
    outlook = plan.expected_conversions
    assert outlook.p10 <= outlook.p50 <= outlook.p90


def test_the_same_brief_gets_the_same_answer(bundle):
    asked = brief(budget={"amount": 2500})
    assert ranker.recommend(bundle, asked) == ranker.recommend(bundle, asked)


def test_without_explain_there_are_no_reasons(bundle):
    items = ranker.recommend(bundle, brief(explain=False)).items
    assert all(item.reasons == () and item.evidence == () for item in items)


def test_evidence_is_the_creators_own_and_nearest_first(bundle):
    posts = {row["post_id"]: row["text"] for row in bundle.index.evidence.text.to_pylist()}
    for item in ranker.recommend(bundle, brief(limit=20)).items:
        likeness = [post.similarity for post in item.evidence]
        assert likeness == sorted(likeness, reverse=True)
        assert all(posts[post.post_id] == post.text for post in item.evidence)


def test_an_empty_pool_is_an_answer(bundle):
    answer = ranker.recommend(
        bundle, brief(filters={"follower_count": {"min": 10**9}}, budget={"amount": 100})
    )
    assert answer.items == ()
    assert answer.pool.eligible == 0
    assert answer.portfolio.picked == ()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"filters": {"niches": ["beauty", "zzzz-no-niche"]}}, "/filters/niches/1"),
        ({"lookalikes": ["nobody"]}, "/lookalikes/0"),
        ({"budget": {"amount": 10, "currency": "EUR"}}, "/budget/currency"),
    ],
)
def test_what_cannot_be_answered_names_the_field(bundle, fields, pointer):
    with pytest.raises(BriefError) as caught:
        ranker.recommend(bundle, brief(**fields))
    assert caught.value.pointer == pointer


def test_a_profile_shows_what_is_known(bundle, trained_home):
    deals = trained_home.world.sponsorships
    creator_id = str(deals["creator_id"].mode()[0])
    profile = describe.creator_profile(bundle, creator_id)
    assert len(profile.collaborations) == (deals["creator_id"] == creator_id).sum()
    assert profile.niches and abs(sum(n.share for n in profile.niches) - 1) < 0.3
    assert {signal.feature for signal in profile.signals} >= {"engagement_rate", "past_click_rate"}
    with pytest.raises(UnknownCreator, match="nobody"):
        describe.creator_profile(bundle, "nobody")


def test_similar_creators_claim_no_rate(bundle):
    items = describe.similar(bundle, bundle.index.id_of(0), 5)
    matches = [item.match for item in items]
    assert len(items) == 5 and matches == sorted(matches, reverse=True)
    assert all(item.conversion_rate is None for item in items)


def test_two_audience_needs_count_all_they_remove(bundle):
    needs = [
        {"dimension": "country", "code": "US", "min_share": 0.3},
        {"dimension": "country", "code": "GB", "min_share": 0.1},
    ]
    pool = ranker.recommend(bundle, brief(audience=needs)).pool
    assert pool.removed_by["audience"] == pool.creators - pool.eligible


def test_a_brand_without_a_name_excludes_nobody(bundle):
    pool = ranker.recommend(bundle, brief(filters={"exclude_sponsored_by": ["\u200b"]})).pool
    assert pool.eligible == pool.creators


def test_a_heuristic_puts_creators_without_posts_last():
    from features.catalogue import FEATURE_NAMES
    from models.heuristic import fit_heuristic

    rng = np.random.default_rng(0)
    matrix = np.abs(rng.normal(1, 0.5, (200, len(FEATURE_NAMES))))
    silent = np.full((5, len(FEATURE_NAMES)), np.nan)
    score = fit_heuristic(matrix).predict(np.vstack([matrix, silent])).score
    assert score[-5:].max() < np.quantile(score[:-5], 0.02)
