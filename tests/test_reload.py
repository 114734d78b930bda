"""Champions come and go while requests are answered: none fails, none mixes two, bad ones wait."""

import dataclasses
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from benchmarks.champions import Champions
from benchmarks.damage import DAMAGES
from features.forgotten import ForgottenList, read_forgotten, write_forgotten
from features.schemas import NoModel
from models import bundle as bundles
from models.registry import Registry
from service import reload
from service.app import create_app
from service.reload import LAST_GOOD, ModelHolder
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF

BRIEF = EXAMPLE_BRIEF | {"limit": 5}
AWAY = "http://127.0.0.1:9"  # nobody listens there
NEVER = 3600.0  # seconds: swaps come when a test makes them


@pytest.fixture(scope="module")
def champions(trained_home, tmp_path_factory):
    """A registry of our own, for versions that differ in a known way."""
    own, folder = trained_home.settings, tmp_path_factory.mktemp("champions")
    uri = f"sqlite:///{shutil.copy(own.home / 'mlflow.db', folder)}"
    registry = Registry(uri, own.artifacts)
    return Champions(trained_home.trained.bundle, registry, folder / "whole")


@pytest.fixture(scope="module")
def versions(champions):
    """Two of them, both sound."""
    return champions.publish(), champions.publish()


@pytest.fixture
def settings(champions, tmp_path):
    uri = champions.registry.tracking_uri
    return ServiceSettings(home=tmp_path / "home", tracking_uri=uri, poll_seconds=NEVER)


def away(settings):
    return settings.model_copy(update={"tracking_uri": AWAY})


def plain(answer):
    """What a version alone decides of an answer."""
    told = answer.json()
    del told["recommendation_id"]
    return told


def test_each_request_meanwhile_is_answered_by_one_model(champions, versions, settings):
    """Every answer is, number for number, what the version gives that it names."""
    expected = {}
    for version in versions:
        champions.promote(version)
        with TestClient(create_app(settings)) as alone:
            expected[version.version] = plain(alone.post("/v1/recommendations", json=BRIEF))
    assert len({told["items"][0]["score"] for told in expected.values()}) == len(versions)

    with TestClient(create_app(settings)) as client:
        holder = client.app_state["holder"]
        stop = threading.Event()

        def ask(_):
            told = []
            while not stop.is_set():
                told.append(client.post("/v1/recommendations", json=BRIEF))
            return told

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask, number) for number in range(3)]
            try:
                for turn in range(6):
                    champions.promote(versions[turn % 2])
                    assert holder.refresh()
            finally:
                stop.set()
            answers = [answer for one in asking for answer in one.result()]
        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:
            assert plain(answer) == expected[answer.json()["model"]["version"]]
        assert len({answer.json()["model"]["version"] for answer in answers}) > 1
        assert holder.swaps == 7 and holder.refusals == {}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_bad_champion_is_refused_told_once_and_the_old_one_goes_on(
    champions, versions, settings, kind, caplog, monkeypatch
):
    (good, other), bad = versions, champions.publish(kind)
    champions.promote(good)
    with TestClient(create_app(settings)) as client:
        holder = client.app_state["holder"]
        before = plain(client.post("/v1/recommendations", json=BRIEF))
        assert client.get("/v1/model").json()["refused"] is None
        champions.promote(bad)
        downloads = []
        fetch = Registry._download

        def counted(self, version, target):
            downloads.append(version.version)
            return fetch(self, version, target)

        monkeypatch.setattr(Registry, "_download", counted)
        caplog.clear()
        for _ in range(3):
            assert not holder.refresh()
        assert downloads == [bad.version], "what is refused is not downloaded again"
        said = [record.getMessage() for record in caplog.records]
        said = [text for text in said if "refused" in text]
        assert len(said) == 1 and DAMAGES[kind].words in said[0]
        word = DAMAGES[kind].refused_as
        assert dict(holder.refusals) == {word: 1} and holder.swaps == 1
        told = client.get("/v1/model").json()
        assert told["model"]["version"] == good.version
        refused = told["refused"]
        assert (refused["version"], refused["run_id"]) == (bad.version, bad.run_id)
        assert refused["kind"] == word and DAMAGES[kind].words in refused["reason"]
        ready = client.get("/readyz")
        assert ready.status_code == 200 and ready.json()["status"] == "degraded"
        assert DAMAGES[kind].words in ready.json()["detail"]
        assert plain(client.post("/v1/recommendations", json=BRIEF)) == before
        # Nothing of it stays on disk, and a sound one is taken up at once.
        assert not (settings.bundles / bad.run_id).exists()
        champions.promote(other)
        assert holder.refresh() and holder.refused is None and holder.swaps == 2
        assert client.get("/v1/model").json()["refused"] is None
        assert client.get("/readyz").json()["status"] == "ready"


def test_rolled_back_to_what_serves_nothing_is_loaded_again(champions, versions, settings):
    good, bad = versions[0], champions.publish("cut short")
    champions.promote(good)
    holder = ModelHolder(settings)
    assert holder.refresh()
    served = holder.current()
    champions.promote(bad)
    assert not holder.refresh() and holder.refused is not None
    champions.promote(good)
    assert not holder.refresh() and holder.refused is None and holder.trouble is None
    assert holder.current().bundle is served.bundle and holder.swaps == 1


def test_started_again_it_loads_the_champion_once_while_the_registry_is_asked(
    champions, versions, settings, monkeypatch
):
    champions.promote(versions[0])
    ModelHolder(settings).start()
    again = ModelHolder(settings)
    with monkeypatch.context() as patched:
        patched.setattr(again.registry, "load", None)  # what was served last needs no fetching
        again.start()
    assert again.current().version.version == versions[0].version
    assert (again.swaps, again.trouble) == (1, None)


def test_started_again_after_a_promotion_it_serves_the_new_champion(champions, versions, settings):
    champions.promote(versions[0])
    ModelHolder(settings).start()
    champions.promote(versions[1])
    again = ModelHolder(settings)
    again.start()
    assert again.current().version.version == versions[1].version
    assert again.trouble is None


def test_started_without_the_registry_the_last_good_one_serves_or_503_says_why(
    champions, versions, settings
):
    good, bad = versions[0], champions.publish("other answers")
    champions.promote(good)
    assert ModelHolder(settings).refresh()
    champions.promote(bad)  # which is the champion when the registry goes
    restarted = ModelHolder(settings)
    assert restarted.refresh() and restarted.current().version.version == good.version
    assert restarted.refused is not None and restarted.trouble is not None

    with TestClient(create_app(away(settings))) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200 and ready.json()["status"] == "degraded"
        assert client.get("/v1/model").json()["model"]["version"] == good.version
        assert client.post("/v1/recommendations", json=BRIEF).status_code == 200

    # The registry is back: what serves is the champion, and is not loaded again.
    champions.promote(good)
    again = ModelHolder(away(settings))
    assert again.refresh()
    again.registry = Registry(settings.registry_uri, settings.artifacts, patient=False)
    bundle = again.current().bundle
    assert not again.refresh() and again.trouble is None
    assert again.current().bundle is bundle and again.current().version.alias == "champion"


@pytest.mark.parametrize("kind", [*DAMAGES, "its folder gone", "its note cut short"])
def test_a_last_good_one_that_is_bad_by_now_is_a_503_that_says_so(
    champions, versions, settings, kind
):
    champions.promote(good := versions[0])
    assert ModelHolder(settings).refresh()
    folder = settings.bundles / good.run_id
    words = "no manifest"
    if kind in DAMAGES:
        DAMAGES[kind].do(folder)
        words = DAMAGES[kind].words
    elif kind == "its folder gone":
        shutil.rmtree(folder)
    else:
        note = settings.bundles / LAST_GOOD
        note.write_text(note.read_text()[:10])
        words = LAST_GOOD
    with TestClient(create_app(away(settings))) as client:
        for response in (client.get("/readyz"), client.post("/v1/recommendations", json=BRIEF)):
            assert response.status_code == 503
            detail = response.json()["detail"]
            assert AWAY in detail and words in detail
        assert client.get("/healthz").status_code == 200
    # With the registry it is fetched again and serves.
    holder = ModelHolder(settings)
    assert holder.refresh() and holder.current().version.run_id == good.run_id


def test_forgetting_while_a_champion_is_swapped_in_undoes_no_swap(
    champions, versions, settings, monkeypatch
):
    """A request that leaves somebody out of the model that serves does not put that one back."""
    first, second = versions
    champions.promote(first)
    holder = ModelHolder(settings)
    assert holder.refresh()
    gone = str(holder.current().bundle.index.ids[3])
    leaving, swapped = threading.Event(), threading.Event()
    without = reload.without

    def slow(bundle, forgotten):
        if threading.current_thread() is asking and not leaving.is_set():
            leaving.set()
            assert not swapped.wait(0.5), "the swap waits for what is under way"
        return without(bundle, forgotten)

    monkeypatch.setattr(reload, "without", slow)
    write_forgotten(settings.home, read_forgotten(settings.home).plus([gone]))
    asking = threading.Thread(target=holder.current)
    asking.start()
    assert leaving.wait(30)
    champions.promote(second)
    assert holder.refresh()
    swapped.set()
    asking.join()
    now = holder.current()
    assert now.version.version == second.version
    assert not now.bundle.index.knows(gone)


def test_the_list_is_the_same_object_until_its_file_changes(tmp_path):
    kept = ForgottenList(tmp_path)
    nobody = kept.now()
    assert len(nobody) == 0 and kept.now() is nobody
    write_forgotten(tmp_path, nobody.plus(["c1"]))
    listed = kept.now()
    assert "c1" in listed and kept.now() is listed
    write_forgotten(tmp_path, listed.plus(["c2"]))
    assert "c2" in kept.now()


def test_a_model_without_stored_asks_is_served_with_a_warning(
    champions, versions, settings, caplog
):
    """As bundles were saved before there were any."""
    champions.promote(version := versions[0])
    bundle = dataclasses.replace(bundles.load(champions.folder / version.run_id), probes=None)
    origin = bundles.Origin("a test", {}, {}, {})
    bundles.save(settings.bundles / version.run_id, bundle, origin)
    holder = ModelHolder(settings)
    assert holder.refresh() and holder.trouble is None
    assert holder.current().version.version == version.version
    assert "holds no stored asks" in caplog.text


def test_without_any_model_current_says_what_to_do(settings):
    with pytest.raises(NoModel, match="training train"):
        ModelHolder(settings).current()
