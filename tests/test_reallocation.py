"""A campaign from the outside: planned, running, and its money moved by what came in."""

import time

import pytest
from fastapi.testclient import TestClient

from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF

BUDGET = 3000.0


@pytest.fixture(scope="module")
def client(trained_home, tmp_path_factory):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    settings = ServiceSettings(
        home=tmp_path_factory.mktemp("campaign"), tracking_uri=home.registry_uri
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def planned(client, campaign_id):
    body = EXAMPLE_BRIEF | {
        "filters": {},
        "budget": {"amount": BUDGET},
        "constraints": {"max_creators": 6},
        "campaign_id": campaign_id,
    }
    response = client.post("/v1/portfolios", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def allocation(client, campaign_id, **query):
    # A plan is written beside its answer, so a moment later.
    for _ in range(100):
        response = client.get(f"/v1/campaigns/{campaign_id}/allocation", params=query)
        if response.status_code != 404:
            break
        time.sleep(0.05)
    assert response.status_code == 200, response.text
    return response.json()


def outcome(plan, pick, number, impressions, conversions):
    return {
        "sponsorship_id": f"{plan['recommendation_id']}-{number}",
        "creator_id": pick["creator_id"],
        "campaign_id": "",
        "recommendation_id": plan["recommendation_id"],
        "cost": pick["cost"],
        "impressions": impressions,
        "conversions": conversions,
    }


def test_a_plan_is_where_a_campaign_begins(client):
    plan = planned(client, "begins/here")["portfolio"]
    found = allocation(client, "begins/here")
    picked = {pick["creator_id"] for pick in plan["picked"]}
    assert {one["creator_id"] for one in found["creators"]} == picked
    assert found["remaining"] == BUDGET
    assert found["amount"] <= BUDGET
    assert found["amount"] == pytest.approx(sum(one["amount"] for one in found["creators"]))
    assert all(one["posts_so_far"] == 0 for one in found["creators"])
    assert found == allocation(client, "begins/here")


def test_money_goes_to_who_did_well_and_leaves_who_did_not(client):
    plan = planned(client, "running")
    picks = plan["portfolio"]["picked"]
    before = {one["creator_id"]: one for one in allocation(client, "running")["creators"]}
    good, bad = picks[0], picks[1]
    sent = []
    for number in range(3):
        reach = int(before[good["creator_id"]]["impressions"]["estimate"])
        rate = before[good["creator_id"]]["conversion_rate"]["high"]
        sent.append(outcome(plan, good, f"a{number}", reach, max(int(4 * rate * reach), 9)))
        reach = int(before[bad["creator_id"]]["impressions"]["estimate"])
        sent.append(outcome(plan, bad, f"b{number}", max(reach, 40_000), 0))
    for one in sent:
        one["campaign_id"] = "running"
        one["cost"] = 50.0
    response = client.post("/v1/outcomes", json={"outcomes": sent})
    assert response.status_code == 200, response.text
    after = allocation(client, "running", weeks_left=4)
    assert after["remaining"] == pytest.approx(BUDGET - 50 * len(sent))
    now = {one["creator_id"]: one for one in after["creators"]}
    risen, fallen = now[good["creator_id"]], now[bad["creator_id"]]
    assert (
        risen["conversion_rate"]["estimate"]
        > before[good["creator_id"]]["conversion_rate"]["estimate"]
    )
    assert (
        fallen["conversion_rate"]["estimate"]
        < before[bad["creator_id"]]["conversion_rate"]["estimate"]
    )
    assert risen["amount"] > fallen["amount"]
    assert fallen["action"] in ("stop", "scale_down")
    assert risen["posts_so_far"] == 3 and fallen["conversions_so_far"] == 0
    for one in after["creators"]:
        words = one["action"].replace("_", " ")
        assert one["reason"].lower().startswith(words)
    # What a conversion may cost bounds what is booked.
    least = allocation(client, "running", most_per_conversion=0.01)
    assert least["amount"] == 0


def test_what_is_left_can_be_said_where_nothing_tells_it(client):
    plan = planned(client, "known")
    pick = plan["portfolio"]["picked"][0]
    body = outcome(plan, pick, "x", 1000, 1) | {
        "campaign_id": "unbudgeted",
        "recommendation_id": None,
        "brand": "Luma",
        "brief": "A serum for sensitive skin",
        "started_at": "2025-01-02T00:00:00Z",
    }
    assert client.post("/v1/outcomes", json=body).status_code == 200
    response = client.get("/v1/campaigns/unbudgeted/allocation")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/remaining"
    found = allocation(client, "unbudgeted", remaining=500)
    assert found["remaining"] == 500
    # Nothing was foretold of this creator: no money goes where nothing is known.
    assert found["amount"] == 0
    assert found["creators"][0]["action"] == "hold"


def test_an_unknown_campaign_is_a_problem(client):
    response = client.get("/v1/campaigns/nobody-knows/allocation")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
