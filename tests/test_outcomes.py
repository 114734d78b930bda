"""Outcomes from the outside: sent, repeated, corrected, refused; then learned from."""

import dataclasses
import json
import re
import threading
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from features.outcomes import read_outcomes
from features.schemas import Brief, PlanRequest
from features.store import open_store
from features.tables import read_tables
from models import ranker
from models.registry import Registry
from models.served import candidates_of
from service.app import create_app
from service.recorder import Recorder, worth_of
from service.reload import ModelHolder
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, EXAMPLE_PLAN
from service.wire_outcomes import EXAMPLE_OUTCOME
from tests.conftest import Silent, train
from tests.index_tables import collaborations_of
from training.outcomes import merge, with_outcomes
from training.pipeline import read
from training.settings import TrainingSettings

AWAY = "postgresql://me:secret@127.0.0.1:1/nothing"


@pytest.fixture(scope="module")
def service(trained_home):
    """Settings of a service with a home of its own that serves the trained model."""
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )

    def at(folder, **more):
        return ServiceSettings(home=folder, tracking_uri=home.registry_uri, **more)

    return at


@pytest.fixture(scope="module")
def client(service, tmp_path_factory):
    app = create_app(service(tmp_path_factory.mktemp("outcomes")))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def served(client, **more):
    return client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 5} | more).json()


def sent(client, key, **more):
    creator = "c000017"
    return EXAMPLE_OUTCOME | {"sponsorship_id": key, "creator_id": creator} | more


def post(client, body):
    return client.post("/v1/outcomes", json=body)


def test_sent_twice_it_counts_once_and_a_correction_keeps_the_trace(client):
    first, second = sent(client, "twice"), sent(client, "twice", conversions=13)
    for body, status, revision in (
        (first, "accepted", 1),
        (first, "unchanged", 1),
        (second, "corrected", 2),
        (second, "unchanged", 2),
        (first, "corrected", 3),
    ):
        response = post(client, body)
        assert response.status_code == 200
        assert response.json() == {
            "results": [{"sponsorship_id": "twice", "status": status, "revision": revision}]
        }
    found = client.get("/v1/outcomes/twice").json()
    assert [one["conversions"] for one in found["history"]] == [12, 13, 12]
    assert found["outcome"] == found["history"][-1]
    assert found["outcome"]["revision"] == 3
    received = [one["received_at"] for one in found["history"]]
    assert received == sorted(received)
    total = client.get("/v1/campaigns/serum-spring").json()["total"]
    assert (total["collaborations"], total["conversions"]) == (1, 12)


def test_the_readme_shows_an_outcome_that_is_taken(client):
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    [body] = re.findall(r"/v1/outcomes -d '(\{.*?\})'", readme, re.S)
    told = post(client, json.loads(body)).json()["results"]
    assert told[0]["sponsorship_id"] == "s-2041"


def test_equal_values_written_in_another_way_are_the_same_outcome(client):
    body = sent(client, "same", started_at="2025-05-02T09:00:00Z", cost=350)
    assert post(client, body).json()["results"][0]["status"] == "accepted"
    other = body | {"started_at": "2025-05-02 11:00:00+02:00", "cost": 350.0, "post_id": None}
    assert post(client, other).json()["results"][0]["status"] == "unchanged"


def test_an_outcome_takes_from_the_answer_it_names_what_it_does_not_say(client):
    answer = served(client)
    body = {
        "sponsorship_id": "named",
        "creator_id": answer["items"][0]["creator_id"],
        "campaign_id": "named",
        "impressions": 1000,
        "conversions": 2,
        "recommendation_id": answer["recommendation_id"],
    }
    assert post(client, body).status_code == 200
    found = client.get("/v1/outcomes/named").json()["outcome"]
    assert found["brand"] == EXAMPLE_BRIEF["brand"]["name"]
    assert found["brief"] == EXAMPLE_BRIEF["query"]
    start, end = (pd.Timestamp(found[name]) for name in ("started_at", "resolved_at"))
    assert abs(start - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=5)
    assert end - start == pd.Timedelta(days=30)
    assert post(client, body | {"brand": "Other"}).json()["results"][0]["status"] == "corrected"
    unknown = post(client, body | {"sponsorship_id": "x", "recommendation_id": "no such"})
    pointers = {error["pointer"]: error["detail"] for error in unknown.json()["errors"]}
    assert set(pointers) == {"/brand", "/brief", "/started_at"}
    assert "recommendation_id" in pointers["/brand"]


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"creator_id": None}, "/creator_id", "required"),
        ({"creator_id": "nobody"}, "/creator_id", "no creator of this id"),
        ({"sponsorship_id": " s"}, "/sponsorship_id", "blank"),
        ({"campaign_id": ""}, "/campaign_id", "required"),
        ({"impressions": "9"}, "/impressions", "not an integer"),
        ({"impressions": 9.5}, "/impressions", "without a fraction"),
        ({"impressions": True}, "/impressions", "a boolean"),
        ({"impressions": -1, "clicks": None, "conversions": 0}, "/impressions", "0 or more"),
        ({"impressions": 2**60}, "/impressions", "at most 1,000,000,000,000"),
        ({"clicks": 10**6}, "/clicks", "above impressions"),
        ({"conversions": 403}, "/conversions", "above clicks"),
        ({"clicks": None, "conversions": 10**6}, "/conversions", "above impressions"),
        ({"started_at": "2099-01-01"}, "/started_at", "in the future"),
        ({"started_at": "yesterday"}, "/started_at", "ISO 8601"),
        ({"started_at": 17}, "/started_at", "a number, not a time"),
        ({"resolved_at": "2025-01-01"}, "/resolved_at", "before started_at"),
        ({"cost": float("nan")}, "/cost", "number"),
        ({"cost": [1]}, "/cost", "not a number"),
        ({"revenue": -1}, "/revenue", "0 or more"),
        ({"brief": "a\0b"}, "/brief", "NUL"),
        ({"brand": "\ud800"}, "/brand", "surrogate"),
        ({"recommendation_id": "\0"}, "/recommendation_id", "NUL"),
        ({"recommendation_id": {"a": 1}}, "/recommendation_id", "text"),
        ({"colour": 1}, "/colour", "no such field"),
    ],
)
def test_a_wrong_outcome_is_a_problem_that_names_the_field(client, change, pointer, words):
    body = json.dumps(sent(client, "wrong") | change)
    response = client.post(
        "/v1/outcomes", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["detail"].startswith("/")
    [detail] = [error["detail"] for error in problem["errors"] if error["pointer"] == pointer]
    assert words in detail
    assert client.get("/v1/outcomes/wrong").status_code == 404


def test_of_many_all_or_none_are_kept_and_every_row_at_fault_is_named(client):
    rows = [sent(client, f"many-{i}") for i in range(300)]
    bad = [dict(row) for row in rows]
    for i in range(0, 300, 3):
        bad[i]["clicks"] = 10**9
    bad[7] = "no object"
    bad[8] = {}
    bad[10]["sponsorship_id"] = "many-11"
    response = post(client, {"outcomes": bad})
    assert response.status_code == 422
    pointers = [error["pointer"] for error in response.json()["errors"]]
    assert [f"/outcomes/{i}/clicks" for i in range(0, 300, 3)] == [
        pointer for pointer in pointers if pointer.endswith("/clicks")
    ]
    assert "/outcomes/7" in pointers and "/outcomes/8/impressions" in pointers
    assert "/outcomes/11/sponsorship_id" in pointers
    numbers = [int(pointer.split("/")[2]) for pointer in pointers]
    assert numbers == sorted(numbers)
    assert client.get("/v1/outcomes/many-1").status_code == 404
    told = post(client, {"outcomes": rows}).json()["results"]
    assert [one["sponsorship_id"] for one in told] == [row["sponsorship_id"] for row in rows]
    assert {one["status"] for one in told} == {"accepted"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"outcomes": []}, "/outcomes"),
        ({"outcomes": [{}] * 1001}, "/outcomes"),
        ({"outcomes": {}}, "/outcomes"),
        ({"outcomes": [{}], "more": 1}, "/more"),
        ([1], ""),
        ({}, "/sponsorship_id"),
    ],
)
def test_a_body_of_another_shape_is_a_problem(client, body, pointer):
    response = post(client, body)
    assert response.status_code == 422
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(EXAMPLE_OUTCOME)), anything), max_size=3))
def test_whatever_is_sent_is_read_or_refused_by_name(records):
    rows = [EXAMPLE_OUTCOME | {"sponsorship_id": str(i)} | row for i, row in enumerate(records)]
    outcomes, faults = read_outcomes(rows)
    assert (len(outcomes) == len(rows)) == (not faults)
    for fault in faults:
        _, _, number, name = fault.pointer.split("/")
        assert name in records[int(number)] or name in ("resolved_at", "clicks", "conversions")


def test_campaigns_are_listed_the_latest_first(client):
    for key in ("listed/1", "listed/2"):
        assert post(client, sent(client, key, campaign_id=key)).status_code == 200
    body = EXAMPLE_BRIEF | {"campaign_id": "listed/1"}
    assert client.post("/v1/portfolios", json=body).status_code == 200
    assert client.app_state["recorder"].flush(10)
    found = client.get("/v1/campaigns", params={"limit": 2}).json()
    first, second = found["campaigns"]
    assert (first["campaign_id"], second["campaign_id"]) == ("listed/1", "listed/2")
    assert (first["answers"], first["outcomes"], first["conversions"]) == (1, 1, 12)
    assert (second["answers"], second["first_asked_at"]) == (0, None)
    assert first["first_asked_at"] == first["last_asked_at"] >= first["last_outcome_at"]
    everything = client.get("/v1/campaigns", params={"limit": 500}).json()
    assert everything["more"] is False
    one = client.get("/v1/campaigns", params={"limit": 1}).json()
    assert one["more"] is True and one["campaigns"] == [first]
    for limit in (0, 501, "many"):
        assert client.get("/v1/campaigns", params={"limit": limit}).status_code == 422


def test_what_is_unknown_is_not_found(client):
    for path in ("/v1/outcomes/nothing", "/v1/campaigns/nothing"):
        response = client.get(path)
        assert response.status_code == 404
        assert "nothing" in response.json()["detail"]


# ---------------------------------------------------------------- what was served


def test_an_answer_is_stored_with_what_it_was_made_of(client, service, trained_home):
    filters = {"filters": {}, "limit": 3}
    answer = served(client, **filters)
    assert client.app_state["recorder"].flush(10)
    store = client.app_state["store"]
    [(said, rows)] = store.served([answer["recommendation_id"]])
    brief = Brief.model_validate(EXAMPLE_BRIEF | filters)
    assert Brief.model_validate_json(said.brief) == brief
    assert said.run_id == answer["model"]["run_id"]
    assert said.model_version == answer["model"]["version"]
    assert [pick["creator_id"] for pick in json.loads(said.plan)["picked"]] == [
        pick["creator_id"] for pick in answer["portfolio"]["picked"]
    ]
    shown = [item["creator_id"] for item in answer["items"]]
    assert rows.creator_id[:3].tolist() == shown
    assert rows.position.tolist() == [1, 2, 3] + [0] * (len(rows) - 3)
    assert rows.propensity[:3].tolist() == [1.0] * 3 and np.isnan(rows.propensity[3:]).all()
    assert len(rows) == 200  # all creators, which is the default limit too
    direct = ranker.answer(trained_home.trained.bundle, brief)
    np.testing.assert_array_equal(rows.matrix, direct.scored.matrix[direct.order])
    assert rows.estimates[:3, 0].tolist() == [
        item["conversion_rate"]["estimate"] for item in answer["items"]
    ]


def test_so_many_candidates_are_kept_and_those_of_the_plan_wherever_they_stand(trained_home):
    bundle = trained_home.trained.bundle
    brief = Brief.model_validate(EXAMPLE_BRIEF | {"filters": {}, "limit": 4})
    found = ranker.answer(bundle, brief)
    picked = tuple(pick.creator_id for pick in found.recommendation.portfolio.picked)
    chance = np.array([0.9, 0.5, 0.2, 0.1])
    kept = candidates_of(
        bundle, found.scored, found.order, 4, at_most=2, planned=picked, propensity=chance
    )
    assert kept.propensity[:4].tolist() == chance.tolist()
    top = [item.creator_id for item in found.recommendation.items]
    assert kept.creator_id[:4].tolist() == top
    assert set(kept.creator_id) == {*top, *picked}


def test_a_database_that_is_away_breaks_no_answer(service, tmp_path, caplog):
    with TestClient(create_app(service(tmp_path, database_url=AWAY))) as client:
        for _ in range(2):
            assert len(served(client)["items"]) == 5
        response = post(client, sent(client, "away"))
        assert response.status_code == 503
        assert "secret" not in response.text
        recorder = client.app_state["recorder"]
        assert not recorder.flush(0.1) and recorder.counts.written == 0
    assert (recorder.counts.dropped, recorder.counts.failed, recorder.waiting) == (2, 0, 0)
    assert [r.message for r in caplog.records if "is not kept" in r.message] == []
    told = [r.message for r in caplog.records if "waits to be kept" in r.message]
    assert len(told) == 1 and "secret" not in told[0]


def test_what_is_served_is_dropped_by_what_it_is_worth(service, tmp_path):
    """A plan for a campaign is kept where nothing else fits, whichever came first."""
    holder = ModelHolder(service(tmp_path))
    holder.refresh()
    model, gate = holder.current(), threading.Event()
    brief = Brief.model_validate(EXAMPLE_BRIEF | {"limit": 2})
    bare = Brief.model_validate(EXAMPLE_BRIEF | {"limit": 2, "budget": None})
    request = PlanRequest.model_validate(EXAMPLE_PLAN | {"campaign_id": None})
    named = request.model_copy(update={"campaign_id": "k"})
    kept = []

    class Shut:
        def record(self, answer, candidates):
            gate.wait(30)
            kept.append(worth_of(answer))

    recorder = Recorder(Shut(), 10, size=4)
    for one in (brief, named, bare, request, named, brief, bare):
        if isinstance(one, PlanRequest):
            found = ranker.portfolio(model.bundle, one)
            recorder.record_portfolio(str(uuid.uuid4()), model, one, found)
        else:
            found = ranker.answer(model.bundle, one)
            recorder.record_answered(str(uuid.uuid4()), model, one, found)
    assert recorder.waiting <= 4
    gate.set()
    recorder.close()
    # The first may have been in hand before anything else came.
    assert kept[-4:] == ["campaign", "campaign", "portfolio", "planned"]
    assert recorder.counts.written == len(kept) <= 5
    assert recorder.counts.dropped_by["recommendation"] == 2
    assert recorder.counts.dropped == 7 - len(kept)


def test_what_waits_is_written_before_the_service_ends(service, tmp_path):
    with TestClient(create_app(service(tmp_path))) as client:
        ids = {served(client)["recommendation_id"] for _ in range(4)}
    store = open_store(service(tmp_path).store_url)
    assert {answer.recommendation_id for answer, _ in store.log()} == ids
    store.close()


# ---------------------------------------------------------------- learned from


def test_trained_again_the_model_has_seen_it(service, trained_home, tmp_path):
    """Sent, sent again and corrected, it is in the next bundle once, as corrected."""
    creator_id = str(trained_home.world.creators["creator_id"].iloc[3])
    middle = trained_home.world.posts["published_at"].quantile(0.4)
    body = EXAMPLE_OUTCOME | {
        "sponsorship_id": "new",
        "creator_id": creator_id,
        "started_at": middle.isoformat(),
        "resolved_at": None,
    }
    before = trained_home.trained.bundle
    with TestClient(create_app(service(tmp_path))) as client:
        for conversions in (12, 12, 140):
            assert post(client, body | {"conversions": conversions}).status_code == 200
    settings = TrainingSettings(home=tmp_path, encoder="hash", threads=1)
    report = Silent()
    bundle = train(settings, str(trained_home.source), report).bundle
    assert "1 outcomes from the service's database" in report.said
    collaborations = collaborations_of(bundle.index)
    [row] = collaborations[collaborations["sponsorship_id"] == "new"].to_dict("records")
    assert row["conversions"] == 140
    assert len(collaborations) == len(before.index.collaborations) + 1
    learned = bundle.manifest.metrics["fit_conversions"]
    assert learned == before.manifest.metrics["fit_conversions"] + 140
    assert bundle.manifest.data["digest"] != before.manifest.data["digest"]


def test_an_outcome_takes_the_place_of_its_row(trained_home):
    tables = read_tables(trained_home.source)
    [own] = [o for o in outcomes_in(tables) if o.sponsorship_id == "s000100"]
    same = merge(tables, [own])
    assert same.tables.digest == tables.digest and same.replaced == 1
    corrected = dataclasses.replace(own, impressions=own.impressions + 1)
    changed = merge(tables, [corrected])
    assert len(changed.tables.sponsorships) == len(tables.sponsorships)
    assert changed.tables.digest != tables.digest
    assert outcomes_in(changed.tables)[100] == corrected
    assert [str(kind) for kind in changed.tables.sponsorships.dtypes] == [
        str(kind) for kind in tables.sponsorships.dtypes
    ]


def test_merged_tables_are_those_of_a_file_that_held_the_outcomes(trained_home):
    """Whatever part of the rows is taken out and sent instead, the tables are the same."""
    tables = read_tables(trained_home.source)
    rows = outcomes_in(tables)
    for part in (slice(0, 0), slice(3, 40), slice(0, None)):
        left = tables.sponsorships.drop(tables.sponsorships.index[part])
        merged = merge(dataclasses.replace(tables, sponsorships=left), rows[part])
        pd.testing.assert_frame_equal(merged.tables.sponsorships, tables.sponsorships)
        assert merged.tables.digest == tables.digest


def outcomes_in(tables):
    from features.outcomes import outcomes_of

    return outcomes_of(tables.sponsorships)


def test_what_the_tables_cannot_tell_of_is_left_out_and_told(trained_home, tmp_path):
    tables = read_tables(trained_home.source)
    one = outcomes_in(tables)[0]
    later = int(tables.posts["published_at"].max().timestamp() * 1e6) + 10**12
    store = open_store(TrainingSettings(home=tmp_path).store_url)
    store.write_outcomes(
        [
            dataclasses.replace(one, sponsorship_id="x", creator_id="nobody"),
            dataclasses.replace(
                one, sponsorship_id="y", started_at_us=later, resolved_at_us=later + 1
            ),
        ],
        1,
    )
    store.close()
    report = Silent()
    settings = TrainingSettings(home=tmp_path)
    got = read(settings, str(trained_home.source), report)
    assert got.digest == tables.digest
    told = [line for line in report.said if "left out" in line]
    assert len(told) == 2
    assert "not in the tables" in told[0] and "the last moment in the tables" in told[1]
    every = with_outcomes(tables, settings.store_url, report, until_us=None)
    assert len(every.sponsorships) == len(tables.sponsorships) + 1


def test_without_a_database_training_makes_none(trained_home, tmp_path):
    read(TrainingSettings(home=tmp_path), str(trained_home.source), Silent())
    assert list(tmp_path.iterdir()) == []
