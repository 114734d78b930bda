"""What Prometheus is told: names, types, labels and sums, also of several workers."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.serving import ROOT, Process, wait_until
from features.schemas import StoreAway
from models.registry import Registry
from models.timing import STAGES
from service.app import create_app
from service.metrics import FOLDER, Metrics, folder_for_workers
from service.recorder import WORTHS
from service.settings import ServiceSettings

BRIEF = {"brand": {"name": "Luma"}, "query": "A vegan serum; honest routines", "limit": 3}
# https://prometheus.io/docs/practices/naming/
UNITS = {"histogram": "_seconds|_creators", "counter": "", "gauge": ""}
# What may be told apart, and by how many values at most.
LABELS = {"method", "route", "status", "stage", "worth", "reason", "kind", "version", "run_id"}


def families(text):
    """Families by name, as Prometheus reads them."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(text, name, **labels):
    """The sum of the samples of a name with some labels."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert found, f"no {name} {labels}"
    return sum(found)


@pytest.fixture
def client(trained_home):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    with TestClient(create_app(ServiceSettings(home=home.home))) as client:
        yield client


def test_names_types_and_labels_are_as_prometheus_has_them(client):
    client.post("/v1/recommendations", json=BRIEF)
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = families(response.text)
    assert len(found) > 15
    for name, family in found.items():
        assert re.fullmatch(r"creatorfit_[a-z_]+", name) and family.documentation.endswith(".")
        assert family.type in UNITS
        # The parser leaves out `_total`.
        counted = {sample.name for sample in family.samples}
        if family.type == "counter":
            assert counted <= {f"{name}_total"}
        assert not name.endswith(("_count", "_sum", "_bucket", "_ms", "_total"))
        if family.type == "histogram":
            assert re.search(rf"({UNITS['histogram']})$", name)
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS | {"le"}, name


def test_a_request_is_counted_by_route_and_by_stage(client):
    before = client.get("/metrics").text
    creator = client.post("/v1/recommendations", json=BRIEF | {"budget": {"amount": 900}}).json()
    creator = creator["items"][0]["creator_id"]
    client.get(f"/v1/creators/{creator}")
    client.get("/v1/creators/nobody")
    client.request("BREW", "/healthz")
    after = client.get("/metrics").text

    count = "creatorfit_request_duration_seconds_count"
    assert value(after, count, method="POST", route="/v1/recommendations", status="200") == 1
    assert value(after, count, route="/v1/creators/{creator_id}", status="404") == 1
    assert value(after, count, method="other", route="/healthz", status="405") == 1
    for stage in STAGES:
        assert value(before, "creatorfit_stage_duration_seconds_count", stage=stage) == 0
        assert value(after, "creatorfit_stage_duration_seconds_count", stage=stage) >= 1
    assert value(after, "creatorfit_eligible_creators_count") == 1
    assert creator not in after and "nobody" not in after


def test_what_is_served_and_kept_is_told(client, trained_home):
    client.post("/v1/recommendations", json=BRIEF)
    state = client.app_state
    assert state["recorder"].flush(10)
    text = client.get("/metrics").text
    version = trained_home.trained.version
    assert value(text, "creatorfit_model_info", version=version.version, run_id=version.run_id) == 1
    assert value(text, "creatorfit_model_loaded") == 1
    assert value(text, "creatorfit_model_degraded") == 0
    assert value(text, "creatorfit_pool_creators") == len(trained_home.trained.bundle.index)
    served = state["holder"].current()
    assert value(text, "creatorfit_model_data_timestamp_seconds") * 1e6 == pytest.approx(
        served.bundle.index.as_of_us
    )
    assert value(text, "creatorfit_model_loaded_timestamp_seconds") == pytest.approx(
        served.loaded_at.timestamp()
    )
    assert value(text, "creatorfit_answers_written_total") == state["recorder"].counts.written == 1
    assert value(text, "creatorfit_answers_waiting") == 0
    for worth in WORTHS:
        assert value(text, "creatorfit_answers_dropped_total", worth=worth) == 0
    wait_until(lambda: "creatorfit_database_up 1.0" in client.get("/metrics").text, "a look at it")


def test_a_stage_is_told_without_the_stages_inside_it():
    metrics = Metrics()
    with metrics.stage("portfolio"):
        time.sleep(0.01)
        with metrics.stage("predict"):
            time.sleep(0.2)
    text = metrics.text().decode()
    seconds = "creatorfit_stage_duration_seconds_sum"
    inside, outside = value(text, seconds, stage="predict"), value(text, seconds, stage="portfolio")
    assert inside >= 0.2 and 0.01 <= outside < inside


def test_without_a_model_or_a_database_it_says_so(tmp_path):
    with TestClient(create_app(ServiceSettings(home=tmp_path))) as client:
        text = client.get("/metrics").text
        assert value(text, "creatorfit_model_loaded") == 0
        metrics, store = client.app_state["metrics"], client.app_state["store"]

        def away():
            raise StoreAway("gone")

        store.ping = away
        metrics._look_at_database(store)
        assert value(client.get("/metrics").text, "creatorfit_database_up") == 0


def test_counters_follow_what_others_count_and_an_old_model_is_no_more():
    class Index(list):
        as_of_us = 5_000_000

    def model(version):
        return SimpleNamespace(
            version=SimpleNamespace(version=version, run_id=f"run{version}"),
            bundle=SimpleNamespace(manifest=SimpleNamespace(kind="outcomes"), index=Index("abc")),
            loaded_at=SimpleNamespace(timestamp=lambda: 7.0),
        )

    one, two = model("1"), model("2")
    counts = SimpleNamespace(written=3, failed=0, dropped_by={"campaign": 2})
    holder = SimpleNamespace(served=one, trouble=None, swaps=1, refusals=Counter(damaged=1))
    watched = SimpleNamespace(
        holder=holder,
        recorder=SimpleNamespace(waiting=4, counts=counts),
        retention=SimpleNamespace(deleted=9),
        limits=SimpleNamespace(
            refused={"busy": 6}, running={"model": 2, "other": 0}, waiting={"model": 5, "other": 0}
        ),
    )
    metrics = Metrics()
    metrics.look(watched)
    holder.served, holder.trouble, counts.written = two, "its champion is damaged", 5
    holder.swaps = 2
    metrics.look(watched)
    metrics.look(watched)
    text = metrics.text().decode()
    assert value(text, "creatorfit_answers_written_total") == 5
    assert value(text, "creatorfit_answers_dropped_total", worth="campaign") == 2
    assert value(text, "creatorfit_answers_deleted_total") == 9
    assert value(text, "creatorfit_model_swaps_total") == 2
    assert value(text, "creatorfit_bundles_refused_total", reason="damaged") == 1
    assert value(text, "creatorfit_bundles_refused_total", reason="scores") == 0
    assert value(text, "creatorfit_refusals_total", reason="busy") == 6
    assert value(text, "creatorfit_requests_running", kind="model") == 2
    assert value(text, "creatorfit_requests_waiting", kind="model") == 5
    assert value(text, "creatorfit_answers_waiting") == 4
    assert value(text, "creatorfit_model_degraded") == 1
    assert value(text, "creatorfit_model_info", version="1") == 0
    assert value(text, "creatorfit_model_info", version="2", run_id="run2") == 1


def test_the_folder_of_workers_is_empty_at_the_start_and_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    with folder_for_workers(tmp_path, "::1", 8000) as folder:
        assert folder.parent == tmp_path / "metrics" and os.environ[FOLDER] == str(folder)
        (folder / "counter_1.db").touch()
        with folder_for_workers(tmp_path, "::1", 8001) as other:
            assert other != folder and list(folder.iterdir())
    assert not folder.exists() and FOLDER not in os.environ
    folder.mkdir(parents=True)
    (folder / "counter_1.db").touch()  # of a service that was killed
    with folder_for_workers(tmp_path, "::1", 8000) as again:
        assert again == folder and not list(folder.iterdir())
    (tmp_path / "a file").touch()
    with folder_for_workers(tmp_path / "a file", "::1", 8000) as elsewhere:
        assert elsewhere.is_dir()
    assert not elsewhere.exists()


WORKER = """
import sys
from types import SimpleNamespace
from service.metrics import Metrics
metrics = Metrics()
for _ in range(int(sys.argv[1])):
    metrics.answered("GET", "/", 200, 0.01)
metrics.answers_waiting.set(int(sys.argv[1]))
metrics.database_up.set(int(sys.argv[2]))
print(metrics.text().decode() if sys.argv[3] == "tell" else "ready", flush=True)
sys.stdin.read()
"""


def test_whichever_worker_is_asked_tells_of_all_and_of_none_that_died(tmp_path):
    """Counts of those that ended stay; what they had in hand goes with them."""

    def worker(*told):
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {FOLDER: str(tmp_path)},
        )

    runs, dies = worker(3, 1, "wait"), worker(4, 0, "wait")
    for one in (runs, dies):
        assert one.stdout.readline() == "ready\n"
    tells = worker(1, 1, "tell")
    both = tells.communicate()[0]
    dies.send_signal(signal.SIGKILL)
    dies.communicate()
    left = worker(0, 1, "tell").communicate()[0]
    runs.communicate()
    for text, waiting, up in ((both, 8, 0), (left, 3, 1)):
        assert value(text, "creatorfit_request_duration_seconds_count") == 8
        assert value(text, "creatorfit_answers_waiting") == waiting
        assert value(text, "creatorfit_database_up") == up
        assert families(text)["creatorfit_request_duration_seconds"].type == "histogram"


@pytest.mark.long
def test_two_workers_of_a_real_service_are_added_up(tmp_path):
    service = Process(tmp_path, home=tmp_path / "home", workers=2)
    try:
        service.start()
        service.wait()
        threads = [
            threading.Thread(target=lambda: service.client.get("/v1/outcomes/x")) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        labels = {"route": "/v1/outcomes/{sponsorship_id}", "status": "404"}
        count = "creatorfit_request_duration_seconds_count"
        # Whichever answers, and each on a connection of its own.
        for _ in range(6):
            service.client.close()
            service.client = type(service.client)(base_url=service.url, timeout=60)
            assert value(service.client.get("/metrics").text, count, **labels) == 20
        assert list((tmp_path / "home" / "metrics").rglob("*.db"))
        service.kill(signal.SIGTERM)
        assert not list((tmp_path / "home" / "metrics").rglob("*.db"))
    finally:
        service.close()
