"""What a wider filter brings is what it says: the change is made, and creators are counted."""

import pytest

from features.schemas import Brief
from models import ranker

BASE = {"brand": {"name": "Luma"}, "query": "gentle skincare routine for sensitive skin"}

NARROW = [
    {"filters": {"engagement_rate": {"min": 0.05}, "follower_count": {"max": 60000}}},
    {"filters": {"price_per_post": {"min": 50, "max": 200}, "platforms": ["youtube"]}},
    {"filters": {"countries": ["US"], "languages": ["en"], "last_posted_in_days": 5}},
    {"filters": {"niches": ["beauty"], "accepts_gifting": True}},
    {
        "filters": {"follower_count": {"min": 3000, "max": 30000}},
        "audience": [{"dimension": "country", "code": "US", "min_share": 0.45}],
    },
    {
        "audience": [
            {"dimension": "country", "code": "US", "min_share": 0.45},
            {"dimension": "language", "code": "en", "min_share": 0.8},
        ]
    },
]


@pytest.fixture(scope="module")
def bundle(trained_home):
    return trained_home.trained.bundle


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


@pytest.mark.parametrize("fields", NARROW)
def test_a_relaxation_brings_as_many_as_it_says(bundle, fields):
    pool = ranker.recommend(bundle, Brief.model_validate(BASE | fields)).pool
    assert pool.relaxations
    for relaxation in pool.relaxations:
        changed = merge(BASE | fields, relaxation.change)
        after = ranker.recommend(bundle, Brief.model_validate(changed)).pool
        assert after.eligible - pool.eligible == relaxation.creators > 0
        assert f"{relaxation.creators:,} more creator" in relaxation.text
        if relaxation.cost_per_conversion is not None:
            assert relaxation.cost_per_conversion > 0
            assert "cost per conversion" in relaxation.text
    counts = [relaxation.creators for relaxation in pool.relaxations]
    assert counts == sorted(counts, reverse=True)


def test_filters_that_take_nobody_out_are_not_relaxed(bundle):
    fields = {"filters": {"follower_count": {"min": 0}, "engagement_rate": {"min": 0.03}}}
    pool = ranker.recommend(bundle, Brief.model_validate(BASE | fields)).pool
    assert {relaxation.filter for relaxation in pool.relaxations} == {"engagement_rate"}


def test_exclusions_are_meant_and_not_relaxed(bundle):
    ids = [str(one) for one in bundle.index.ids[:50]]
    pool = ranker.recommend(
        bundle, Brief.model_validate(BASE | {"filters": {"exclude_creators": ids}})
    ).pool
    assert pool.removed_by == {"exclude_creators": 50}
    assert pool.relaxations == ()


def test_an_empty_pool_says_which_filters_stand_in_the_way(bundle):
    fields = {
        "filters": {
            "engagement_rate": {"min": 0.95},
            "follower_count": {"min": 10**9},
            "platforms": ["instagram", "youtube", "tiktok"],
        }
    }
    pool = ranker.recommend(bundle, Brief.model_validate(BASE | fields)).pool
    assert pool.eligible == 0
    assert pool.nearest.filters == ("follower_count", "engagement_rate")
    without = {"filters": {"platforms": fields["filters"]["platforms"]}}
    after = ranker.recommend(bundle, Brief.model_validate(BASE | without)).pool
    assert after.eligible == pool.nearest.creators
    assert "follower_count and engagement_rate" in pool.nearest.text


def test_without_explain_nothing_is_worked_out(bundle):
    fields = NARROW[0] | {"explain": False}
    assert ranker.recommend(bundle, Brief.model_validate(BASE | fields)).pool.relaxations == ()
