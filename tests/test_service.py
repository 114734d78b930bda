"""The service from the outside: answers, problem documents, the OpenAPI file, reloading."""

import io
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.schemas import BundleError
from models import ranker
from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, RecommendationResponse

GOLDEN = Path(__file__).with_name("openapi.json")


@pytest.fixture(scope="module")
def client(trained_home):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    app = create_app(ServiceSettings(home=home.home))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_brief_gets_ranked_creators(client, trained_home):
    response = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 5})
    assert response.status_code == 200
    answer = response.json()
    assert answer["model"]["kind"] == "outcomes"
    assert answer["model"]["alias"] == "champion"
    assert answer["model"]["version"] == trained_home.trained.version.version
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    for item in answer["items"]:
        rate = item["conversion_rate"]
        assert rate["low"] < rate["high"]
        assert sum(r["contribution"] for r in item["reasons"]) == pytest.approx(item["score"])
    assert answer["portfolio"]["spend"] <= 5000


def test_the_answer_is_what_openapi_says_it_is(client):
    """It is written without its model: every field must be there, and as the model writes it."""
    response = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 40})
    answer = RecommendationResponse.model_validate_json(response.content, strict=True)
    assert json.loads(answer.model_dump_json()) == response.json()
    assert answer.portfolio is not None
    assert any(item.evidence for item in answer.items)


def test_http_says_what_the_ranker_says(client, trained_home):
    from features.schemas import Brief

    body = EXAMPLE_BRIEF | {"limit": 10}
    answer = client.post("/v1/recommendations", json=body).json()
    direct = ranker.recommend(trained_home.trained.bundle, Brief.model_validate(body))
    assert [item["creator_id"] for item in answer["items"]] == [
        item.creator_id for item in direct.items
    ]
    assert [item["score"] for item in answer["items"]] == [item.score for item in direct.items]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"query": "abc"}, 422, "/brand"),
        ({"brand": {"name": "A"}, "query": "ab"}, 422, "/query"),
        ({"brand": {"name": "A"}, "query": "abc", "colour": 1}, 422, "/colour"),
        ({"brand": {"name": "A"}, "query": "abc", "limit": 501}, 422, "/limit"),
        ({"brand": {"name": "A"}, "query": "abc", "objective": "fame"}, 422, "/objective"),
        (
            {"brand": {"name": "A"}, "query": "abc", "filters": {"countries": ["USA"]}},
            422,
            "/filters/countries/0",
        ),
        (
            {
                "brand": {"name": "A"},
                "query": "abc",
                "filters": {"follower_count": {"min": 9, "max": 1}},
            },
            422,
            "/filters/follower_count",
        ),
        ({"brand": {"name": "A"}, "query": "abc", "limit": "20"}, 422, "/limit"),
        ({"brand": {"name": "A"}, "query": "abc", "limit": True}, 422, "/limit"),
        ({"brand": {"name": "A"}, "query": "abc", "explain": "yes"}, 422, "/explain"),
        (
            {"brand": {"name": "A"}, "query": "abc", "budget": {"amount": "5"}},
            422,
            "/budget/amount",
        ),
        (
            {"brand": {"name": "A"}, "query": "abc", "filters": {"niches": ["zzz"]}},
            422,
            "/filters/niches/0",
        ),
    ],
)
def test_a_wrong_brief_is_a_problem_that_names_the_field(client, body, status, pointer):
    response = client.post("/v1/recommendations", json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert problem["detail"].startswith(pointer)


def test_what_is_no_json_is_a_bad_request(client):
    response = client.post(
        "/v1/recommendations", content="{", headers={"content-type": "application/json"}
    )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert "no JSON at character 1" in response.json()["detail"]


def test_a_body_of_another_kind_says_which_is_wanted(client):
    response = client.post("/v1/recommendations", content="{}", headers={"content-type": "text/x"})
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


def test_unknown_creators_and_routes_are_problems(client):
    for path in ("/v1/creators/nobody", "/v1/creators/nobody/similar", "/v1/nothing"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/recommendations").status_code == 405


def test_a_creator_and_its_lookalikes(client, trained_home):
    creator_id = str(trained_home.world.sponsorships["creator_id"].iloc[0])
    creator = client.get(f"/v1/creators/{creator_id}").json()
    assert creator["creator_id"] == creator_id
    assert creator["niches"] and creator["signals"] and creator["collaborations"]
    alike = client.get(f"/v1/creators/{creator_id}/similar", params={"limit": 3}).json()
    assert len(alike["items"]) == 3
    assert creator_id not in [item["creator_id"] for item in alike["items"]]


def test_the_model_says_what_it_is(client, trained_home):
    model = client.get("/v1/model").json()
    assert model["metrics"] == trained_home.trained.bundle.manifest.metrics
    assert model["creators"] == len(trained_home.world.creators)
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json() == {"status": "ready", "detail": None}


def test_openapi_is_the_golden_file(client):
    """After a wanted change: python -m tests.test_service"""
    assert client.get("/openapi.json").json() == json.loads(GOLDEN.read_text())


def test_without_a_model_the_service_says_so(tmp_path):
    with TestClient(create_app(ServiceSettings(home=tmp_path))) as client:
        assert client.get("/healthz").status_code == 200
        for response in (
            client.get("/readyz"),
            client.post("/v1/recommendations", json=EXAMPLE_BRIEF),
        ):
            assert response.status_code == 503
            assert "training train" in response.json()["detail"]


def test_a_new_champion_is_taken_up_and_the_registrys_absence_survived(trained_home, tmp_path):
    import shutil

    from service.reload import ModelHolder

    home = tmp_path / "home"
    source = trained_home.settings
    Registry(source.registry_uri, source.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    uri = f"sqlite:///{shutil.copy(source.home / 'mlflow.db', tmp_path)}"
    settings = ServiceSettings(home=home, tracking_uri=uri)
    holder = ModelHolder(settings)
    assert holder.refresh()
    assert not holder.refresh()
    first = holder.current()
    Registry(uri, source.artifacts).promote(trained_home.trained.version.version, "a test")
    assert not holder.refresh()
    # The registry goes away: what is loaded goes on, and a new process serves the last good one.
    (tmp_path / "file").touch()
    away = ServiceSettings(home=home, tracking_uri=f"sqlite:///{tmp_path}/file/mlflow.db")
    restarted = ModelHolder(away)
    assert restarted.refresh()
    assert restarted.current().bundle.manifest == first.bundle.manifest
    assert restarted.trouble
    with TestClient(create_app(away)) as client:
        assert client.get("/readyz").json()["status"] == "degraded"
        assert client.post("/v1/recommendations", json=EXAMPLE_BRIEF).status_code == 200


def test_a_damaged_bundle_on_disk_is_fetched_again(trained_home, tmp_path):
    from service.reload import ModelHolder

    source = trained_home.settings
    Registry(source.registry_uri, source.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    settings = ServiceSettings(home=tmp_path, tracking_uri=source.registry_uri)
    assert ModelHolder(settings).refresh()
    [folder] = [path for path in settings.bundles.iterdir() if path.is_dir()]
    (folder / "niche.safetensors").write_bytes(b"damaged")
    holder = ModelHolder(settings)
    assert holder.refresh()
    assert holder.current().bundle.manifest == trained_home.trained.bundle.manifest


def test_a_version_that_must_be_refused_is_downloaded_once(trained_home, tmp_path, monkeypatch):
    from models import registry
    from service.reload import ModelHolder

    source = trained_home.settings
    Registry(source.registry_uri, source.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    loads = []

    def refuse(folder):
        loads.append(folder)
        raise BundleError("of another format")

    settings = ServiceSettings(home=tmp_path, tracking_uri=source.registry_uri)
    holder = ModelHolder(settings)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "load_sound", refuse)
        assert [holder.refresh() for _ in range(3)] == [False] * 3
    assert len(loads) == 1 and "another format" in holder.trouble
    assert not holder.refresh()  # the same champion: what was refused stays so
    assert ModelHolder(settings).refresh()


def test_polling_survives_whatever_goes_wrong(trained_home, tmp_path, monkeypatch):
    import asyncio

    from service.reload import ModelHolder

    settings = ServiceSettings(home=tmp_path, poll_seconds=0.01)
    holder = ModelHolder(settings)
    calls = []

    def refresh():
        calls.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(holder, "refresh", refresh)

    async def run():
        task = asyncio.create_task(holder.poll())
        while len(calls) < 3 and not task.done():
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_table_for_people_takes_handles_as_they_are(client):
    from service.show import show, wide_console
    from service.wire import RecommendationResponse

    answer = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 1}).json()
    answer["items"][0]["handle"] = "[/x][bold]jo"
    console = wide_console(record=True, file=io.StringIO())
    show(RecommendationResponse.model_validate(answer), console)
    assert "[/x][bold]jo" in console.export_text()


def test_warnings_are_in_the_answer_and_in_the_table_for_people(client):
    from service.show import show, wide_console
    from service.wire import RecommendationResponse

    answer = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 1}).json()
    creator_id = answer["items"][0]["creator_id"]
    profile = client.get(f"/v1/creators/{creator_id}").json()
    assert profile["safety"] == answer["items"][0]["safety"]
    assert profile["safety"]["posts"] > 0 and profile["safety"]["terms"] == []
    answer["items"][0]["warnings"] = ["3 of 41 posts in a year speak of gambling"]
    console = wide_console(record=True, file=io.StringIO())
    show(RecommendationResponse.model_validate(answer), console)
    assert "! 3 of 41 posts" in console.export_text()


def test_a_wrong_brand_safety_filter_names_the_field(client):
    for wish, pointer in (
        ({"exclude": ["weather"]}, "/filters/brand_safety/exclude/0"),
        ({"max_share": 2.0}, "/filters/brand_safety/max_share"),
        ({"terms": ["***"]}, "/filters/brand_safety/terms/0"),
    ):
        body = EXAMPLE_BRIEF | {"filters": {"brand_safety": wish}}
        response = client.post("/v1/recommendations", json=body)
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(create_app(ServiceSettings()).openapi(), indent=1) + "\n")
