"""What every answer says to a browser, and who else may ask from within one."""

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from features.store_keys import Scope
from service.app import create_app
from service.headers import API_HEADERS, EVERYWHERE
from tests.test_access import ELSEWHERE, HERE, add_key, sending, settings_of

APP = "https://app.example"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    app = create_app(settings_of(tmp_path_factory.mktemp("headers")))
    with TestClient(app, raise_server_exceptions=False, **HERE) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/v1/changes"), ("GET", "/openapi.json"),
        ("GET", "/nothing"), ("GET", "/v1/model"), ("DELETE", "/v1/outcomes"),
        ("POST", "/v1/recommendations"), ("GET", "/v1/changes?limit=0"), ("GET", "/v1/model/"),
    ],
)  # fmt: skip
def test_every_answer_of_the_api_is_data_and_kept_by_nobody(client, method, path):
    response = client.request(method, path, follow_redirects=False)
    assert {name: response.headers[name] for name in API_HEADERS} == API_HEADERS


@pytest.mark.parametrize("path", ["/", "/web/app.js", "/web/icon.svg", "/web/nothing", "/docs"])
def test_the_page_says_what_the_api_says_but_for_its_own_scripts(client, path):
    response = client.get(path)
    assert {name: response.headers[name] for name in EVERYWHERE} == EVERYWHERE
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline'; script" not in policy and "script-src 'unsafe" not in policy


def test_refusals_say_it_too(tmp_path):
    with TestClient(create_app(settings_of(tmp_path)), **ELSEWHERE) as client:
        response = client.get("/v1/model")
        assert response.status_code == 401
        assert {name: response.headers[name] for name in API_HEADERS} == API_HEADERS


# ---------------------------------------------------------------- other origins


def preflight(client, origin):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return client.options("/v1/recommendations", headers=headers)


def test_pages_of_other_origins_may_not_ask_unless_they_are_named(client, tmp_path):
    assert "access-control-allow-origin" not in preflight(client, APP).headers
    assert (
        "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": APP}).headers
    )
    settings = settings_of(tmp_path, cors_origins=f"{APP} https://b.example:8443")
    with TestClient(create_app(settings), **ELSEWHERE) as named:
        token = add_key(named.app_state["store"], *Scope).token
        named.app_state["keyring"].refresh()
        asked = preflight(named, APP)
        assert asked.status_code == 200, "it is asked without a key"
        assert asked.headers["access-control-allow-origin"] == APP
        assert "access-control-allow-credentials" not in asked.headers
        assert "access-control-allow-origin" not in preflight(named, "https://evil.example").headers
        sent = sending(token) | {"Origin": APP}
        assert named.get("/v1/changes", headers=sent).headers["access-control-allow-origin"] == APP
        refused = named.get("/v1/changes", headers={"Origin": APP})
        assert refused.status_code == 401, "and is told why, in words it may read"
        assert refused.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("wrong", ["*", "app.example", "https://a.example/", "https://*.example"])
def test_what_is_no_origin_is_refused(tmp_path, wrong):
    with pytest.raises(ValidationError, match="is no origin such as"):
        settings_of(tmp_path, cors_origins=wrong)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_form_of_another_page_cannot_send_outcomes(client, kind):
    """A browser sends these without asking; JSON it asks about first, and is told no."""
    body = b'{"outcomes": []}'
    headers = {"Origin": "https://evil.example"} | ({} if kind is None else {"Content-Type": kind})
    response = client.post("/v1/outcomes", content=body, headers=headers)
    assert response.status_code == 415
