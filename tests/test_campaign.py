"""A campaign against its forecast: sums, intervals that hold, and what is not known."""

import dataclasses

import numpy as np
import pytest
from fastapi.testclient import TestClient
from scipy.stats import gamma, norm

from features.schemas import Budget
from features.store import open_store
from models.answer import Interval
from models.campaign import Promise, draw_rates, promises, so_far
from models.conversion import TOGETHER, interval_factors
from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF
from tests.test_store import DAY_US, answer, candidates, outcome

START_US = 20_000 * DAY_US


def promise(rate, low, high):
    return Promise("r1", Interval(rate, low, high), None, None)


def test_sums_by_creator_and_in_all():
    rows = [
        outcome("s1", cost=10.0, revenue=5.0, impressions=1000, clicks=50, conversions=4),
        outcome("s2", cost=30.0, revenue=7.0, impressions=3000, clicks=None, conversions=6),
        outcome("s3", creator_id="c2", cost=None, impressions=0, clicks=0, conversions=0),
    ]
    found = so_far("k1", rows, {}, Budget(amount=100.0), START_US + 6 * DAY_US)
    first, second = found.creators
    assert (first.creator_id, first.collaborations, first.impressions) == ("c1", 2, 4000)
    assert (first.clicks, first.conversions, first.revenue, first.cost) == (None, 10, 12.0, 40.0)
    assert first.conversion_rate == 10 / 4000 and first.cost_per_conversion == 4.0
    assert second.conversion_rate is None and second.cost_per_conversion is None
    assert found.total.impressions == 4000 and found.total.cost is None
    assert found.remaining is None
    assert found.days_running == 6.0 and not found.is_final
    assert found.forecast is None and found.standing is None and found.compared == 0
    after = so_far("k1", rows[:2], {}, Budget(amount=100.0), START_US + 99 * DAY_US)
    assert after.days_running == 30.0 and after.is_final
    assert after.remaining == 60.0


def test_a_campaign_without_outcomes_has_run_no_day():
    found = so_far("k1", [], {}, None, START_US)
    assert (found.days_running, found.is_final, found.creators) == (0.0, False, ())
    assert found.total.impressions == 0 and found.remaining is None


def test_only_what_was_promised_is_compared():
    rows = [outcome("s1", impressions=10_000, conversions=3), outcome("s2", creator_id="c2")]
    found = so_far("k1", rows, {"c1": promise(0.001, 0.0005, 0.0016)}, None, START_US)
    assert found.compared == 1 and found.observed == 3
    assert found.creators[0].expected_conversions == Interval(10.0, 5.0, 16.0)
    assert found.creators[1].expected_conversions is None


@pytest.mark.parametrize(
    ("conversions", "standing"),
    [(0, "below forecast"), (50, "on forecast"), (500, "above forecast")],
)
def test_where_it_stands(conversions, standing):
    rows = [outcome("s1", impressions=50_000, clicks=None, conversions=conversions)]
    found = so_far("k1", rows, {"c1": promise(0.001, 0.0007, 0.0013)}, None, START_US)
    assert found.standing == standing
    again = so_far("k1", rows, {"c1": promise(0.001, 0.0007, 0.0013)}, None, START_US)
    assert again.forecast == found.forecast


def test_the_interval_holds_what_it_says():
    """Campaigns whose true rates come from the promised distributions: 80% lie in the interval."""
    rng = np.random.default_rng(3)
    inside = []
    for number in range(300):
        shape = rng.uniform(0.5, 8.0, 6)
        mean = rng.uniform(0.0005, 0.003, 6)
        lower, upper = interval_factors(shape)
        promised = {
            f"c{i}": promise(mean[i], mean[i] * lower[i], mean[i] * upper[i]) for i in range(6)
        }
        impressions = rng.integers(5_000, 60_000, 6)
        # What is not known of a brief is not known of all its creators.
        normal = np.sqrt(TOGETHER) * rng.standard_normal()
        normal = normal + np.sqrt(1 - TOGETHER) * rng.standard_normal(6)
        rates = mean * gamma.ppf(norm.cdf(normal), shape) / shape
        came = rng.poisson(rates * impressions)
        rows = [
            outcome(
                f"s{i}",
                creator_id=f"c{i}",
                impressions=int(impressions[i]),
                clicks=None,
                conversions=int(came[i]),
            )
            for i in range(6)
        ]
        found = so_far(f"k{number}", rows, promised, None, START_US)
        inside.append(found.forecast.p10 <= found.observed <= found.forecast.p90)
    # Three standard deviations of 300 tries, and a little for counts, which are whole.
    assert 0.73 < np.mean(inside) < 0.88


def test_rates_are_drawn_as_wide_as_the_interval():
    rng = np.random.default_rng(0)
    for shape in (0.6, 1.0, 5.0, 50.0):
        lower, upper = interval_factors(np.array([shape]))
        rate = Interval(0.001, 0.001 * lower[0], 0.001 * upper[0])
        drawn = draw_rates([rate], rng)[:, 0]
        assert drawn.mean() == pytest.approx(0.001, rel=0.1)
        assert np.quantile(drawn, 0.9) == pytest.approx(rate.high, rel=0.1)
    assert np.isfinite(draw_rates([Interval(0.001, 0.0, 0.002)], rng)).all()


def test_the_answer_an_outcome_names_speaks_before_a_later_one():
    named, later = candidates(4, seed=1), candidates(4, seed=2)
    rows = [outcome("s1", creator_id="c2", recommendation_id="r1"), outcome("s2", creator_id="c3")]
    found = promises(rows, [("r2", later), ("r1", named)])
    assert found["c2"].recommendation_id == "r1"
    assert found["c2"].rate.estimate == named.estimates[2, 0]
    assert found["c3"].recommendation_id == "r2"
    ordered_only = dataclasses.replace(named, estimates=np.full_like(named.estimates, np.nan))
    assert promises(rows, [("r1", ordered_only)]) == {}
    assert promises([outcome("s1", creator_id="nobody")], [("r1", named)]) == {}


def test_the_route_sets_results_against_what_was_served(trained_home, tmp_path):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    app = create_app(ServiceSettings(home=tmp_path, tracking_uri=home.registry_uri))
    with TestClient(app) as client:
        answer = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 2}).json()
        items = {item["creator_id"]: item for item in answer["items"]}
        rows = [
            {
                "sponsorship_id": f"s{number}",
                "creator_id": creator_id,
                "campaign_id": "spring/summer",
                "impressions": 20_000,
                "conversions": 7,
                "cost": 120.5,
                "recommendation_id": answer["recommendation_id"],
            }
            for number, creator_id in enumerate(items)
        ]
        assert client.post("/v1/outcomes", json={"outcomes": rows}).status_code == 200
        found = client.get("/v1/campaigns/spring/summer").json()
    assert found["campaign_id"] == "spring/summer"
    assert found["budget"] == {"amount": 5000.0, "currency": "USD"}
    assert found["remaining"] == 5000 - 241.0
    assert found["total"]["conversions"] == 14
    assert found["forecast"]["creators"] == 2 and found["forecast"]["conversions"] == 14
    for creator in found["creators"]:
        rate = items[creator["creator_id"]]["conversion_rate"]
        assert creator["forecast"]["conversion_rate"] == rate
        assert creator["forecast"]["expected_conversions"]["estimate"] == rate["estimate"] * 20_000
        assert creator["forecast"]["recommendation_id"] == answer["recommendation_id"]


def test_a_plan_asked_for_a_campaign_is_its_forecast_before_any_outcome(trained_home, tmp_path):
    settings = ServiceSettings(home=tmp_path, tracking_uri=trained_home.settings.registry_uri)
    brief = '{"brand": {"name": "A"}, "query": "abc", "budget": {"amount": 9.0}}'
    store = open_store(settings.store_url)
    store.record(answer("r1", brief=brief, campaign_id="k1", kind="portfolio"), candidates(3))
    store.close()
    with TestClient(create_app(settings)) as client:
        found = client.get("/v1/campaigns/k1").json()
        assert found["budget"]["amount"] == 9.0 and found["remaining"] == 9.0
        assert found["creators"] == [] and found["forecast"] is None
        row = {
            "sponsorship_id": "s1",
            "creator_id": "c000001",
            "campaign_id": "k1",
            "impressions": 5,
            "conversions": 0,
            "recommendation_id": "r1",
        }
        assert client.post("/v1/outcomes", json=row).status_code == 200
        assert client.get("/v1/campaigns/k1").json()["creators"][0]["forecast"] is None
