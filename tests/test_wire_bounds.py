"""What comes over the wire is bounded, and says so; whatever comes is answered, never by a 5xx."""

import json
from collections.abc import Iterator
from functools import cache

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.schemas import FAULTS_SHOWN
from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, EXAMPLE_PLAN
from service.wire_outcomes import EXAMPLE_OUTCOME

# Every field there is, so that each can be set to what it should not be.
BRIEF = EXAMPLE_BRIEF | {
    "filters": {
        "platforms": ["instagram", "youtube", "tiktok", "blog"],
        "follower_count": {"min": 0, "max": 1_000_000},
        "engagement_rate": {"min": 0.0, "max": 1.0},
        "price_per_post": {"min": 0, "max": 100_000},
        "countries": ["US", "GB", "DE", "ES"],
        "languages": ["en", "es", "de"],
        "niches": ["beauty", "fashion", "food", "travel", "fitness", "technology", "lifestyle"],
        "last_posted_in_days": 3650,
        "accepts_gifting": None,
        "exclude_creators": ["c000001"],
        "exclude_sponsored_by": ["Rival"],
        "brand_safety": {"exclude": ["adult"], "max_share": 0.5, "terms": ["palm oil"]},
    },
    "audience": [{"dimension": "country", "code": "US", "min_share": 0.0}],
    "lookalikes": ["c000017"],
    "budget": {"amount": 5000, "currency": "USD"},
    "product_cost": 10.0,
    "explore_share": 0.1,
    "limit": 3,
    "explain": True,
}
CONSTRAINTS = {
    "min_creators": 0,
    "max_creators": 10,
    "max_share": {"platform": {"instagram": 1.0}, "niche": 0.9},
    "must_have": [],
    "never": ["c000003"],
}
PLAN = EXAMPLE_PLAN | BRIEF | {"constraints": CONSTRAINTS, "campaign_id": "bounds"}
OUTCOME = EXAMPLE_OUTCOME | {"campaign_id": "bounds", "post_id": "p", "recommendation_id": "r"}
BODIES = {
    "/v1/recommendations": BRIEF,
    "/v1/recommendations.csv": BRIEF,
    "/v1/portfolios": PLAN,
    "/v1/portfolios/curve": PLAN,
    "/v1/outcomes": OUTCOME,
}
# As they are written, for many of them no library writes.
NUMBERS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "1e308", "-1e308", "1e13", "5e-324", "1e-300"),
    *("-1", "-0.0", "0", "1", "0.5", str(2**53), str(2**63), "1" * 400, "1" * 5_000),
)
OTHERS = (
    *("true", "null", '""', '"x"', "[]", "{}", '[{"":{}}]', '"\\ud800"', '"\\u0000"'),
    *('{"\\ud800":1}', '{"\\u0000~/":1}', json.dumps("x" * 10_000), json.dumps(["x"] * 11_000)),
    *(json.dumps([1] * 11_000), json.dumps(dict.fromkeys(map(str, range(11_000))))),
    *('"9999-12-31T23:59:59Z"', '"0001-01-01"', "1746176400", "[" * 150 + "]" * 150),
)
QUERIES = (
    "/v1/creators/c000017/similar?limit=",
    "/v1/campaigns?limit=",
    "/v1/campaigns/bounds/allocation?remaining=",
    "/v1/campaigns/bounds/allocation?remaining=100&weeks_left=",
    "/v1/campaigns/bounds/allocation?remaining=100&most_per_conversion=",
    "/v1/handles?id=",
)
MARK = "to be set"
JSON = {"content-type": "application/json"}


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a body."""
    yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*at, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*at, number))


def with_set(body: object, at: tuple[str | int, ...], raw: str) -> str:
    """A body as JSON, with something else at one place."""
    whole = {"body": json.loads(json.dumps(body))}
    inner, last = whole, "body"
    for key in at:
        inner, last = inner[last], key
    inner[last] = MARK
    return json.dumps(whole["body"]).replace(json.dumps(MARK), raw)


@pytest.fixture(scope="module")
def client(trained_home, tmp_path_factory):
    home = trained_home.settings
    version = trained_home.trained.version.version
    Registry(home.registry_uri, home.artifacts).promote(version, "a test")
    settings = ServiceSettings(
        home=tmp_path_factory.mktemp("bounds"),
        tracking_uri=home.registry_uri,
        shared_bundles=str(home.home / "bundles"),
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        for path, body in BODIES.items():
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            assert "/curve" not in path or answer.json()["points"][-1]["spend"] > 0
        yield client


def check(response):
    """What was sent got an answer, and one of modest size where it was refused."""
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]
        assert len(response.content) < 100_000


@cache
def numeric(path):
    """The places of numbers in a body."""

    def value(at):
        found = BODIES[path]
        for key in at:
            found = found[key]
        return found

    kinds = (int, float)
    every = ((at, value(at)) for at in places(BODIES[path]))
    return [at for at, v in every if isinstance(v, kinds) and not isinstance(v, bool)]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda raw: raw[:20])
def test_any_number_in_any_field_is_answered(client, number):
    # A curve is twelve plans that differ in nothing but the budget.
    fields = [("/v1/portfolios/curve", ("budget", "amount"))]
    fields += [(path, at) for path in ("/v1/portfolios", "/v1/outcomes") for at in numeric(path)]
    for path, at in fields:
        check(client.post(path, content=with_set(BODIES[path], at, number), headers=JSON))
    for query in QUERIES:
        check(client.get(query + number))
    check(client.get("/v1/campaigns/bounds"))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_anything_in_any_place_is_answered(client, data):
    path = data.draw(st.sampled_from(sorted(BODIES)))
    body = BODIES[path]
    text = with_set(
        body,
        data.draw(st.sampled_from(list(places(body)))),
        data.draw(st.sampled_from(NUMBERS + OTHERS)),
    )
    check(client.post(path, content=text, headers=JSON))


def test_a_field_whose_name_is_no_text_is_told(client):
    for path, pointer in (("/v1/recommendations", ""), ("/v1/outcomes", "/\\ud800")):
        response = client.post(path, content='{"\\ud800": 1}', headers=JSON)
        assert response.status_code == 422
        assert pointer in [error["pointer"] for error in response.json()["errors"]]


def test_of_very_many_faults_the_first_are_told_and_the_rest_counted(client):
    brief = EXAMPLE_BRIEF | {f"field{number}": 1 for number in range(80)}
    told = client.post("/v1/recommendations", json=brief).json()
    assert len(told["errors"]) == FAULTS_SHOWN
    assert "(and 79 more)" in told["detail"]
    many = EXAMPLE_BRIEF | {f"field{number}": 1 for number in range(200_000)}
    told = client.post("/v1/recommendations", json=many).json()
    assert "at most 100 fields, not 200,0" in told["detail"] and len(told["errors"]) == 1


def test_an_outcome_out_of_bounds_names_the_field_and_the_bound(client):
    for name, value, bound in (
        ("sponsorship_id", "s" * 201, "at most 200"),
        ("brief", "b" * 4_001, "at most 4,000"),
        ("impressions", 10**13, "at most 1,000,000,000,000"),
        ("cost", 1e300, "at most 1,000,000,000,000"),
    ):
        told = client.post("/v1/outcomes", json=OUTCOME | {name: value}).json()
        assert [error["pointer"] for error in told["errors"]] == [f"/{name}"]
        assert bound in told["detail"]
    # What is at the bounds is taken.
    kept = EXAMPLE_OUTCOME | {"sponsorship_id": "s" * 200, "brief": "b" * 4_000, "cost": 1e12}
    assert client.post("/v1/outcomes", json=kept).status_code == 200


def unbounded(schema, components, at="") -> Iterator[str]:
    """The places of a schema where something of any size may stand."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        yield from unbounded(components[name], components, at)
        return
    for one in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from unbounded(one, components, at)
    if "enum" in schema or "const" in schema:
        return
    kind = schema.get("type")
    if kind == "string":
        if "maxLength" not in schema and schema.get("format") not in ("date-time", "uuid"):
            yield f"{at}: any text"
    elif kind in ("integer", "number"):
        if not {"maximum", "exclusiveMaximum"} & schema.keys():
            yield f"{at}: any number"
        if not {"minimum", "exclusiveMinimum"} & schema.keys():
            yield f"{at}: any negative number"
    elif kind == "array":
        if "maxItems" not in schema:
            yield f"{at}: any number of items"
        yield from unbounded(schema["items"], components, f"{at}/0")
    elif kind == "object":
        for name, inner in schema.get("properties", {}).items():
            yield from unbounded(inner, components, f"{at}/{name}")
        more = schema.get("additionalProperties", True)
        if more is not False and "maxProperties" not in schema:
            yield f"{at}: any fields"
        if isinstance(more, dict):
            yield from unbounded(more, components, f"{at}/…")


def test_every_field_of_every_request_has_its_bounds_in_openapi(client):
    api = client.get("/openapi.json").json()
    components, found, seen = api["components"]["schemas"], [], 0
    for path, methods in api["paths"].items():
        for operation in methods.values():
            sent = {p["name"]: p["schema"] for p in operation.get("parameters", [])}
            if "requestBody" in operation:
                sent["body"] = operation["requestBody"]["content"]["application/json"]["schema"]
            for name, schema in sent.items():
                seen += 1
                found += [f"{path} {name}{place}" for place in unbounded(schema, components)]
    assert found == [] and seen > 15


def test_what_has_no_bound_would_be_found():
    assert list(unbounded({"type": "array", "items": {"type": "string"}}, {})) == [
        ": any number of items",
        "/0: any text",
    ]
    assert (
        len(list(unbounded({"type": "object", "properties": {"a": {"type": "number"}}}, {}))) == 3
    )
