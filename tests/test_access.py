"""Who may come in: by address, by key, by scope, and how often; from the outside, over HTTP."""

import re
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Mount, Route

from features.schemas import StoreAway
from features.store_keys import Key, Scope
from service import access, keyring
from service.app import create_app
from service.guard import AccessError, check_address
from service.keyring import Keyring, new_secret
from service.loopback import PASSED_ON, is_loopback
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, EXAMPLE_PLAN
from tests.test_store import outcome

HERE = {"base_url": "http://127.0.0.1:8000", "client": ("127.0.0.1", 50_000)}
ELSEWHERE = {"base_url": "http://creatorfit.example", "client": ("192.0.2.7", 50_000)}


def settings_of(home, **more):
    """Of a service without a registry, which would take seconds to make and has no part in this."""
    return ServiceSettings(home=home, **{"access": "auto", "tracking_uri": "none"} | more)


def now_us():
    return time.time_ns() // 1_000


def add_key(store, *scopes, **more):
    """A key in the database, and what its holder sends."""
    made = new_secret()
    store.add_key(Key(made.key_id, "a test", scopes, made.digest, now_us(), **more))
    return made


def sending(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def elsewhere(tmp_path):
    """Asks from elsewhere; `refresh` does now what the keyring's thread does every two seconds."""
    with TestClient(create_app(settings_of(tmp_path)), **ELSEWHERE) as client:
        client.store = client.app_state["store"]
        client.refresh = client.app_state["keyring"].refresh
        yield client


def routes_in(routes):
    """Every route there is, as `NEEDS` names them."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from routes_in(route.original_router.routes)
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/{{path:path}}"
        else:
            assert isinstance(route, Route), f"{route} is of no kind that `NEEDS` can name"
            yield from ((method, route.path) for method in route.methods - {"HEAD"})


# ---------------------------------------------------------------- what a route needs


def test_every_route_says_what_it_needs(tmp_path):
    app = create_app(settings_of(tmp_path))
    there_are = set(routes_in(app.routes))
    assert ("POST", "/v1/outcomes") in there_are and ("GET", "/web/{path:path}") in there_are
    assert there_are - access.NEEDS.keys() == set(), "say in service/access.py what these need"


def test_a_route_that_does_not_say_is_closed(tmp_path, monkeypatch):
    monkeypatch.delitem(access.NEEDS, ("GET", "/v1/changes"))
    monkeypatch.setattr(
        access, "_PATTERNS", [one for one in access._PATTERNS if one[2] != "/v1/changes"]
    )
    with TestClient(create_app(settings_of(tmp_path)), **ELSEWHERE) as client:
        made = add_key(client.app_state["store"], *Scope)
        client.app_state["keyring"].refresh()
        assert client.get("/v1/changes").status_code == 401
        assert client.get("/v1/changes", headers=sending(made.token)).status_code == 404


def test_without_a_key_nothing_but_the_page_answers(elsewhere):
    closed = {(method, path) for (method, path), need in access.NEEDS.items() if need is not None}
    for method, path in [
        *closed,
        ("GET", "/v1/nothing"),
        ("DELETE", "/v1/outcomes"),
        ("GET", "/v"),
    ]:
        response = elsewhere.request(method, path.replace(":path", ""), json={})
        assert response.status_code == 401, (method, path)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"] == 'Bearer realm="creatorfit"'
        assert "Authorization: Bearer KEY" in response.json()["detail"]
    for path in ("/", "/web/app.js", "/web/icon.svg", "/healthz", "/docs", "/openapi.json"):
        assert elsewhere.get(path).status_code == 200, path
    assert elsewhere.get("/readyz").status_code == 503  # no model: but it answers


@pytest.mark.parametrize("scope", Scope)
def test_a_key_opens_what_its_scopes_say_and_nothing_else(elsewhere, scope):
    headers = sending(add_key(elsewhere.store, scope).token)
    elsewhere.refresh()
    for (method, path), need in access.NEEDS.items():
        if need is None:
            continue
        response = elsewhere.request(method, path.replace(":path", ""), json={}, headers=headers)
        if need == scope:
            assert response.status_code not in (401, 403), (method, path)
        else:
            assert response.status_code == 403, (method, path)
            assert f'scope="{need}"' in response.headers["www-authenticate"]
            assert f"`{need}`" in response.json()["detail"]


def test_a_key_does_not_make_routes_of_what_is_none(elsewhere):
    headers = sending(add_key(elsewhere.store, *Scope).token)
    elsewhere.refresh()
    assert elsewhere.get("/v1/nothing", headers=headers).status_code == 404
    response = elsewhere.delete("/v1/outcomes", headers=headers)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "wrong",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token.replace("creatorfit_", "creatorfit_0")[: len(token)],
        lambda token: "creatorfit_" + "0" * 12 + token[-44:],
        lambda token: token.upper(),
        lambda token: "",
        lambda token: "é" * 20,
        lambda token: "A" * 100_000,
    ],
)
def test_what_is_not_the_key_is_refused(elsewhere, wrong):
    token = add_key(elsewhere.store, *Scope).token
    elsewhere.refresh()
    assert elsewhere.get("/v1/changes", headers=sending(token)).status_code == 200
    sent = {"Authorization": f"Bearer {wrong(token)}".encode()}
    response = elsewhere.get("/v1/changes", headers=sent)
    assert response.status_code == 401
    assert token not in response.text


def test_a_key_is_sent_as_bearer_and_once(elsewhere):
    token = add_key(elsewhere.store, *Scope).token
    elsewhere.refresh()

    def status(*sent, query=""):
        headers = [("Authorization", value) for value in sent]
        return elsewhere.get(f"/v1/changes{query}", headers=headers).status_code

    assert status(f"bearer {token}") == 200
    assert status(f"Basic {token}") == 401 and status(token) == 401
    assert status(f"Bearer {token}", f"Bearer {token}") == 401
    assert status(query=f"?key={token}&access_token={token}") == 401


def test_a_database_holds_nothing_that_opens(elsewhere):
    made = add_key(elsewhere.store, *Scope)
    [key] = elsewhere.store.access_keys()
    assert made.token.split("_", 2)[2] not in repr(key) and made.token not in repr(made)
    elsewhere.refresh()
    for guess in (key.digest, f"creatorfit_{key.key_id}_{key.digest}"):
        assert elsewhere.get("/v1/changes", headers=sending(guess)).status_code == 401


def test_secrets_are_of_256_bits_and_never_the_same():
    made = [new_secret() for _ in range(50)]
    assert len({one.token for one in made}) == len({one.key_id for one in made}) == 50
    assert keyring.SECRET_BYTES * 8 == 256 and all(len(one.token) == 67 for one in made)


def test_revoked_expired_and_rotated(elsewhere):
    def status(made):
        return elsewhere.get("/v1/changes", headers=sending(made.token)).status_code

    old = add_key(elsewhere.store, Scope.ADMIN)
    over = add_key(elsewhere.store, Scope.ADMIN, expires_at_us=now_us() - 1)
    elsewhere.refresh()
    assert (status(old), status(over)) == (200, 401)
    new = new_secret()
    ends_us = now_us() + 1_000_000_000
    elsewhere.store.replace_key(old.key_id, new.key_id, new.digest, now_us(), ends_us)
    elsewhere.refresh()
    assert (status(old), status(new)) == (200, 200)
    for made in (old, new):
        elsewhere.store.revoke_key(made.key_id, now_us())
    elsewhere.refresh()
    assert (status(old), status(new)) == (401, 401)


def test_other_processes_see_a_revocation_by_themselves(store, monkeypatch):
    """Two copies of the list with threads of their own, on either database."""
    monkeypatch.setattr(keyring, "REFRESH_SECONDS", 0.05)
    made = add_key(store, Scope.ADMIN)
    copies = [Keyring(store), Keyring(store)]
    try:
        for copy in copies:
            copy.refresh()
            assert copy.find(made.token).key_id == made.key_id
        store.revoke_key(made.key_id, now_us())
        deadline = time.monotonic() + 60
        while any(copy.find(made.token) for copy in copies):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for copy in copies:
            copy.close()
    assert keyring.REFRESH_SECONDS < 5


def test_the_last_use_is_written_once_a_minute_and_at_the_end(store, monkeypatch):
    made = add_key(store, Scope.ADMIN)
    ring = Keyring(store, background=False)
    ring.refresh()
    written = []
    monkeypatch.setattr(store, "note_uses", lambda uses: written.append(dict(uses)))
    for _ in range(3):
        assert ring.find(made.token)
        ring.refresh()
    assert [list(uses) for uses in written] == [[made.key_id]], "not at each use"
    ring._noted_us[made.key_id] -= 61_000_000
    ring.refresh()
    assert len(written) == 2
    monkeypatch.undo()
    assert ring.find(made.token)
    ring.close()
    [key] = store.access_keys()
    assert abs(key.last_used_at_us - now_us()) < 60_000_000


def test_keys_go_on_while_the_database_is_away_but_not_for_ever(store, monkeypatch, caplog):
    made = add_key(store, Scope.ADMIN)
    ring = Keyring(store, background=False)
    with pytest.raises(StoreAway, match="keys cannot be checked: they were not read yet"):
        ring.find(made.token)
    ring.refresh()

    def away(*_):
        raise StoreAway("gone fishing")

    monkeypatch.setattr(store, "access_keys", away)
    ring.refresh()
    ring.refresh()
    assert caplog.text.count("gone fishing") == 1, "told once"
    assert ring.find(made.token).key_id == made.key_id
    ring._read_at -= keyring.STALE_SECONDS
    with pytest.raises(StoreAway, match="keys cannot be checked: gone fishing"):
        ring.find(made.token)


def test_without_its_database_a_service_answers_503_to_those_with_keys(tmp_path):
    away = settings_of(tmp_path, database_url="postgresql://me:hidden@127.0.0.1:1/none")
    token = new_secret().token
    with TestClient(create_app(away), **ELSEWHERE) as client:
        response = client.get("/v1/changes", headers=sending(token))
        assert response.status_code == 503 and int(response.headers["retry-after"]) > 0
        assert "keys cannot be checked" in response.json()["detail"]
        assert "hidden" not in response.text
        assert client.get("/v1/changes").status_code == 401
        assert client.get("/healthz").status_code == 200


# ---------------------------------------------------------------- this machine, and others


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("localhost", True), ("0.0.0.0", False), ("::", False), ("", False),
        ("192.0.2.7", False), ("::ffff:192.0.2.7", False), ("127.0.0.1.example", False),
        ("localhost.example", False), ("2130706433", False), ("testserver", False),
    ],
)  # fmt: skip
def test_which_addresses_are_this_machines_alone(host, is_here):
    assert is_loopback(host) is is_here


def asked_by(home, base_url, client, headers=None, **more):
    app = create_app(settings_of(home, **more))
    with TestClient(app, base_url=base_url, client=client) as asking:
        return asking.get("/v1/changes", headers=headers).status_code


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "[::1]:8000", "localhost"])
def test_this_machine_needs_no_key(tmp_path, name):
    assert asked_by(tmp_path, f"http://{name}", ("127.0.0.1", 1)) == 200
    assert asked_by(tmp_path, f"http://{name}", ("127.0.0.1", 1), access="keys") == 401


@pytest.mark.parametrize("header", [*PASSED_ON, "X-Forwarded-For"])
def test_what_a_proxy_passed_on_is_not_of_this_machine(tmp_path, header):
    headers = {header: "127.0.0.1"}
    assert asked_by(tmp_path, HERE["base_url"], HERE["client"], headers) == 401


def test_a_name_that_was_made_to_point_here_is_not_this_machines(tmp_path):
    """DNS rebinding: the address is loopback's, the name that the browser asked for is not."""
    for host in ("evil.example:8000", "127.0.0.1.evil.example", "127.0.0.1@evil.example", ""):
        headers = {"Host": host}
        assert asked_by(tmp_path, HERE["base_url"], HERE["client"], headers) == 401


def test_others_need_a_key_whatever_the_setting_of_the_address_says(tmp_path):
    """As when uvicorn is told an address that the settings do not know."""
    assert asked_by(tmp_path, "http://192.0.2.1:8000", ("192.0.2.7", 1)) == 401
    assert asked_by(tmp_path, "http://192.0.2.1:8000", ("127.0.0.1", 1)) == 401
    assert asked_by(tmp_path, "http://127.0.0.1:8000", ("192.0.2.7", 1)) == 401
    assert asked_by(tmp_path, "http://192.0.2.1:8000", ("192.0.2.7", 1), access="open") == 200


def test_figures_are_for_admins_and_for_this_machine(tmp_path):
    app = create_app(settings_of(tmp_path, access="keys"))
    for who, refused in ((HERE, False), (ELSEWHERE, True)):
        with TestClient(app, **who) as client:
            assert (client.get("/metrics").status_code == 401) is refused


def test_serve_refuses_an_address_of_others_until_there_is_a_key(tmp_path, store, url, caplog):
    settings = settings_of(tmp_path, database_url=url)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_address(settings, host)
    for host in ("0.0.0.0", "::", "192.0.2.1", "creatorfit.example", ""):
        with pytest.raises(AccessError, match="python -m service keys create") as refused:
            check_address(settings, host)
        assert "CREATORFIT_ACCESS=keys" in str(refused.value)
        check_address(settings_of(tmp_path, database_url=url, access="keys"), host)
    check_address(settings_of(tmp_path, database_url=url, access="open"), "0.0.0.0")
    assert "whoever reaches 0.0.0.0 may ask for everything" in caplog.text
    made = add_key(store, Scope.RECOMMEND)
    check_address(settings, "0.0.0.0")
    store.revoke_key(made.key_id, now_us())
    with pytest.raises(AccessError):
        check_address(settings, "0.0.0.0")


def test_serve_starts_without_its_database_and_asks_for_keys(tmp_path, caplog):
    away = settings_of(tmp_path, database_url="postgresql://me:hidden@127.0.0.1:1/none")
    check_address(away, "0.0.0.0")
    assert "cannot be seen yet" in caplog.text and "hidden" not in caplog.text


# ---------------------------------------------------------------- how often


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(tmp_path):
    settings = settings_of(tmp_path, key_requests_per_minute=1, key_burst=3)
    with TestClient(create_app(settings), **ELSEWHERE) as client:
        one, other = (add_key(client.app_state["store"], Scope.ADMIN) for _ in range(2))
        client.app_state["keyring"].refresh()
        answers = [client.get("/v1/changes", headers=sending(one.token)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert one.key_id in answers[-1].json()["detail"]
        assert client.get("/v1/changes", headers=sending(other.token)).status_code == 200


# ---------------------------------------------------------------- who did what


def test_an_outcome_is_logged_with_the_key_it_came_with(elsewhere):
    sender = add_key(elsewhere.store, Scope.OUTCOMES)
    admin = add_key(elsewhere.store, Scope.ADMIN)
    elsewhere.refresh()
    body = {
        "sponsorship_id": "s1", "creator_id": "c1", "campaign_id": "spring", "brand": "Luma",
        "brief": "A serum", "started_at": "2025-05-02T09:00:00Z", "impressions": 9,
        "conversions": 1,
    }  # fmt: skip
    for conversions in (1, 1, 2):
        sent = body | {"conversions": conversions}
        headers = sending(sender.token)
        assert elsewhere.post("/v1/outcomes", json=sent, headers=headers).status_code == 200
    found = elsewhere.get("/v1/changes?limit=2", headers=sending(admin.token)).json()
    assert [(one["who"], one["what"], one["subject"]) for one in found] == [
        (sender.key_id, "outcome corrected", "s1"),
        (sender.key_id, "outcome accepted", "s1"),
    ]


# ---------------------------------------------------------------- what else is said


def test_a_body_is_not_read_before_its_sender_may_come_in(elsewhere):
    response = elsewhere.post("/v1/recommendations", content=b"{no json")
    assert response.status_code == 401
    assert elsewhere.post("/v1/recommendations", json=EXAMPLE_BRIEF).status_code == 401


@pytest.mark.parametrize("text", ["'; DROP TABLE outcomes; --", '" OR 1=1 --', "%27", "\0", "a\0b"])
def test_what_looks_like_sql_is_a_value(store, text):
    """On either database; a null byte, of which PostgreSQL takes none, is in no id."""
    name = text.replace("\0", "0")
    store.write_outcomes([outcome(name, campaign_id=name, brand=name)], 1, name)
    assert [kept.outcome.brand for kept in store.history(name)] == [name]
    if text != name:
        assert store.history(text) == [] and store.campaign(text) == ([], [])
    assert len(store.campaign(name)[0]) == 1 and store.campaign(f"{name}'")[0] == []
    store.add_key(Key(name, name, (), name, 1))
    assert store.revoke_key(name, 2).name == name
    assert {change.subject for change in store.changes(9)} == {name}


@pytest.mark.parametrize("place", [("brand", "name"), ("query",), ("campaign_id",)])
def test_a_null_byte_in_a_brief_is_refused_by_name(tmp_path, place):
    with TestClient(create_app(settings_of(tmp_path)), **HERE) as client:
        body = EXAMPLE_PLAN | {"campaign_id": "spring", "brand": dict(EXAMPLE_PLAN["brand"])}
        inside = body if len(place) == 1 else body[place[0]]
        inside[place[-1]] = "spring\0"
        response = client.post("/v1/portfolios", json=body)
        assert response.status_code == 422
        [error] = response.json()["errors"]
        assert error["pointer"] == "/" + "/".join(place)
        assert "a text holds no null byte" in error["detail"]


def test_openapi_says_which_routes_need_a_key(elsewhere):
    spec = elsewhere.get("/openapi.json").json()
    assert spec["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    free = {
        path
        for path, operations in spec["paths"].items()
        for operation in operations.values()
        if "security" not in operation
    }
    assert free == {"/healthz", "/readyz"}
    for code in ("401", "403", "429"):
        assert code in spec["paths"]["/v1/creators/{creator_id}"]["get"]["responses"]


def test_the_page_on_security_names_tests_that_are_there():
    root = Path(__file__).parents[1]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "security.md").read_text()))
    there_are = set()
    for file in (root / "tests").glob("test_*.py"):
        there_are |= set(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))
    assert len(named) > 30 and named - there_are == set()
