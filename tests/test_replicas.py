"""Two replicas on one PostgreSQL, one registry and one folder of bundles, behind a proxy."""

import re
import shutil
import subprocess
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import mlflow
import pytest
import yaml

from benchmarks.serving import Process, free_port, round_robin, wait_until
from features.store import open_store
from models.bundle import load
from models.registry import Registry
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF
from service.wire_outcomes import EXAMPLE_OUTCOME

ROOT = Path(__file__).parents[1]
NGINX = shutil.which("nginx")
UPSTREAM = "server service:8000 resolve max_fails=1 fail_timeout=2s;"


@contextmanager
def nginx(targets, folder):
    """Debian's nginx with the configuration of the repository, on the tests' own addresses."""
    port = free_port()
    config = (ROOT / "deploy" / "nginx.conf").read_text()
    servers = " ".join(f"server {url.removeprefix('http://')} max_fails=1;" for url in targets)
    for ours, theirs in ((UPSTREAM, servers), ("listen 8080;", f"listen 127.0.0.1:{port};")):
        assert config.count(ours) == 1
        config = config.replace(ours, theirs)
    (folder / "replicas.conf").write_text(config)
    paths = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}\n"
        f"http {{ access_log off; {paths} include {folder}/replicas.conf; }}\n"
    )
    process = subprocess.Popen([NGINX, "-e", folder / "nginx.log", "-c", folder / "nginx.conf"])
    try:
        yield f"http://127.0.0.1:{port}", None
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.parametrize("proxy", ["python", "nginx"])
def test_two_replicas_are_one_service(trained_home, postgres, tmp_path, proxy):
    if proxy == "nginx" and NGINX is None:
        pytest.skip("needs nginx")
    source = trained_home.settings
    registry_uri = f"sqlite:///{shutil.copy(source.home / 'mlflow.db', tmp_path)}"
    registry = Registry(registry_uri, source.artifacts)
    first = trained_home.trained.version
    second = trained_home.trained.stand_in.version
    registry.promote(first.version, "a test")
    database, bundles = postgres.new_schema(), tmp_path / "bundles"
    replicas = []
    for name in ("a", "b"):
        home = tmp_path / name
        home.mkdir()
        replicas.append(
            Process(
                home,
                home=home,
                tracking_uri=registry_uri,
                database_url=database,
                shared_bundles=bundles,
                poll_seconds=0.5,
                access="open",  # the proxy says that it passes on; keys have tests of their own
            )
        )
    a, b = replicas
    try:
        # Both at once, with nothing fetched yet and no tables there.
        for one in replicas:
            one.start()
        for one in replicas:
            one.wait("/readyz")
        assert [path.name for path in bundles.iterdir() if path.is_dir()] == [first.run_id]
        assert [list(path.iterdir()) for path in (tmp_path / "a", tmp_path / "b")] == [
            [a.log],
            [b.log],
        ], "a replica keeps nothing of its own"

        opened = (
            round_robin([a.url, b.url]) if proxy == "python" else nginx([a.url, b.url], tmp_path)
        )
        with opened as (url, answered), httpx.Client(base_url=url, timeout=60) as front:
            wait_until(lambda: is_up(front), "the proxy answers")
            creator = b.client.post("/v1/recommendations", json=EXAMPLE_BRIEF).json()["items"][0]
            sent = [
                EXAMPLE_OUTCOME | {"sponsorship_id": f"s{i}", "creator_id": creator["creator_id"]}
                for i in range(6)
            ]
            for body in sent:
                [told] = front.post("/v1/outcomes", json=body).json()["results"]
                assert told["status"] == "accepted"
            if answered is not None:
                assert set(answered) == {a.url, b.url}
            for body in sent:
                path = f"/v1/outcomes/{body['sponsorship_id']}"
                assert a.client.get(path).json() == b.client.get(path).json()
            # Sent again, to whichever it comes: it counts once.
            for body in sent:
                [told] = front.post("/v1/outcomes", json=body).json()["results"]
                assert (told["status"], told["revision"]) == ("unchanged", 1)
            campaign = f"/v1/campaigns/{EXAMPLE_OUTCOME['campaign_id']}"
            for one in replicas:
                assert one.client.get(campaign).json()["total"]["collaborations"] == 6

            # What one answered the other attributes, and completes from it what is not said.
            answer = a.client.post("/v1/recommendations", json=EXAMPLE_BRIEF).json()
            named = {
                "sponsorship_id": "named",
                "creator_id": answer["items"][0]["creator_id"],
                "campaign_id": "named",
                "impressions": 1000,
                "conversions": 2,
                "recommendation_id": answer["recommendation_id"],
            }
            wait_until(
                lambda: b.client.post("/v1/outcomes", json=named).status_code == 200,
                "an answer of the other replica is known",
            )
            kept = b.client.get("/v1/outcomes/named").json()["outcome"]
            assert kept["brand"] == EXAMPLE_BRIEF["brand"]["name"]

            # A new champion reaches both by themselves, from one download.
            registry.promote(second.version, "a test")
            for one in replicas:
                wait_until(lambda one=one: serves(one) == second.version, "the new one is served")
            fetched = {path.name for path in bundles.iterdir() if path.is_dir()}
            assert fetched == {first.run_id, second.run_id}

            # One is killed: nobody before the proxy notices.
            a.kill()
            for i in range(8):
                assert front.get("/readyz").status_code == 200
                assert len(front.post("/v1/recommendations", json=EXAMPLE_BRIEF).json()["items"])
                body = sent[0] | {"sponsorship_id": f"alone{i}"}
                assert front.post("/v1/outcomes", json=body).status_code == 200
            a.start()
            a.wait("/readyz")
            assert serves(a) == second.version
            for i in range(8):
                assert a.client.get(f"/v1/outcomes/alone{i}").json()["outcome"]["revision"] == 1
    finally:
        for one in replicas:
            one.close()


def serves(replica):
    return replica.client.get("/v1/model").json()["model"]["version"]


def is_up(client):
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_of_many_that_want_a_version_one_fetches_it(trained_home, tmp_path, monkeypatch):
    """Also where what lies there is damaged: one puts a sound one in its place."""
    source = trained_home.settings
    version = trained_home.trained.version
    registry = Registry(source.registry_uri, source.artifacts)
    download, calls = mlflow.artifacts.download_artifacts, []

    def counted(*args, **kwargs):
        calls.append(args)
        return download(*args, **kwargs)

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", counted)
    (tmp_path / ".fetch.killed").mkdir()
    for damaged in (False, True):
        calls.clear()
        threads = [
            threading.Thread(
                target=registry.fetch, args=(version, tmp_path), kwargs={"damaged": damaged}
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(calls) == 1
        folder = tmp_path / version.run_id
        load(folder)
        assert {path.name for path in tmp_path.iterdir()} == {version.run_id, ".lock"}
        (folder / "niche.safetensors").write_bytes(b"damaged")


# ---------------------------------------------------------------- compose.yaml


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def mounts(service):
    """Source and target of each volume; a variable's default stands for it."""
    found = []
    for line in service.get("volumes", []):
        plain = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", line)
        found.append(tuple(plain.split(":")))
    return found


def test_what_compose_mounts_is_there(compose):
    named = set()
    for service in compose["services"].values():
        for source, *_ in mounts(service):
            if source == "./var":  # made by training
                continue
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
            else:
                named.add(source)
    assert named == set(compose["volumes"])


def test_compose_starts_what_is_needed_first(compose):
    services = compose["services"]
    for service in services.values():
        needed = service.get("depends_on", [])
        assert set(needed) <= set(services)
        for name in needed:
            if isinstance(needed, dict) and needed[name]["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_compose_tells_the_service_what_it_understands(compose, monkeypatch):
    service = compose["services"]["service"]
    assert service["deploy"]["replicas"] >= 2
    dockerfile = (ROOT / "Dockerfile").read_text()
    environment = dict(re.findall(r"(CREATORFIT_\w+)=(\S+)", dockerfile)) | service["environment"]
    for name in environment:
        assert name.removeprefix("CREATORFIT_").lower() in ServiceSettings.model_fields, name
        monkeypatch.setenv(name, environment[name].replace("${POSTGRES_PASSWORD}", "secret"))
    settings = ServiceSettings()
    # Every name in a URL is a service or a database that is there.
    databases = compose["services"]["postgres"]["environment"]["POSTGRES_DB"]
    databases += (ROOT / "deploy" / "databases.sql").read_text()
    with closing(open_store(settings.database_url)) as store:
        url = store._engine.url
    assert url.username == compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
    assert url.host in compose["services"] and url.database in databases
    tracking = httpx.URL(settings.tracking_uri)
    assert tracking.host in compose["services"]
    command = compose["services"]["mlflow"]["command"]
    assert f"--port={tracking.port}" in command
    # What it writes lies where it may; what others write it only reads.
    places = {target: mode for _, target, *mode in mounts(service)}
    assert places[str(settings.bundles)] == [] and places[str(settings.home)] == ["ro"]
    for path in (settings.home, settings.bundles):
        assert str(path) in dockerfile


def test_the_proxy_asks_the_replicas(compose):
    config = (ROOT / "deploy" / "nginx.conf").read_text()
    [(name, port)] = re.findall(r"server (\w+):(\d+)", config)
    assert name == "service"
    assert f"EXPOSE {port}\n" in (ROOT / "Dockerfile").read_text()
    [listen] = re.findall(r"listen (\d+);", config)
    [published] = compose["services"]["proxy"]["ports"]
    assert published == f"127.0.0.1:8000:{listen}"
    assert "ports" not in compose["services"]["service"], "two replicas cannot have one port"
