"""Creators who are forgotten are nowhere, and everything else stays as it was."""

import dataclasses
import json
import logging
import threading
from datetime import UTC, datetime

import lmdb
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from conftest import TEST_DATABASE, Silent, train
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from features.forgotten import (
    FILE,
    PLACEHOLDER,
    Forgotten,
    ForgottenList,
    read_forgotten,
    write_forgotten,
)
from features.outcomes import Outcome
from features.schemas import Brief, DataError, StoreAway
from features.settings import HomeSettings
from features.store import Erased, open_store
from features.store_tables import METADATA
from features.tables import read_tables
from features.text import HashEncoder, VectorCache
from models import ranker
from models.index import only
from models.redact import without
from models.registry import Registry
from service.app import create_app
from service.recorder import Recorder
from service.reload import ModelHolder, Served
from service.settings import ServiceSettings
from tests.test_store import answer, candidates, outcome
from training import audit, offpolicy
from training.forget import forget, own_texts
from training.pipeline import read
from training.settings import TrainingSettings

BRIEF = {"brand": {"name": "Luma"}, "query": "A vegan serum; honest routines", "limit": 30}


def found_in(home, needles):
    """Files of a home, and what of `needles` each of them holds; Parquet is read."""
    held = {}
    for path in sorted(home.rglob("*")):
        if not path.is_file() or path.name == FILE:
            continue
        data = path.read_bytes()
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            data += frame.to_csv().encode() + "\n".join(
                str(value) for name in frame for value in frame[name]
            ).encode("utf-8", "surrogatepass")
        there = [needle for needle in needles if needle.encode() in data]
        if there:
            held[str(path.relative_to(home))] = there
    there = [
        needle for needle in needles if needle in in_database(HomeSettings(home=home).store_url)
    ]
    if there:
        held["the database"] = there
    return held


def in_database(url):
    """All that stands in the service's database, as text."""
    store = open_store(url)
    said = [str(name) for _, rows in store.log() for name in rows.creator_id]
    with store._transaction() as connection:
        for table in METADATA.sorted_tables:
            said += [str(tuple(row)) for row in connection.execute(sa.select(table))]
    store.close()
    return "\n".join(said)


@pytest.fixture(scope="module")
def world(trained_home, tmp_path_factory):
    """A home of our own, for what is done to it cannot be undone."""
    home = tmp_path_factory.mktemp("forget") / "home"
    settings = trained_home.settings.model_copy(update={"home": home})
    trained = train(settings, str(trained_home.source), Silent())
    registry = Registry(settings.registry_uri, settings.artifacts)
    registry.promote(trained.version.version, "the tests need a model of outcomes")
    return settings, str(trained_home.source)


def needles_of(source, creator_id):
    """What names a creator, or is a text of nobody else's."""
    tables = read_tables(source)
    row = tables.creators.set_index("creator_id").loc[creator_id]
    listed = Forgotten().plus([creator_id])
    texts = [text for text in own_texts(tables, listed) if len(text) > 30]
    posts = tables.posts
    ids = posts["post_id"][posts["creator_id"] == creator_id].tolist()
    assert texts and ids
    return [creator_id, str(row["handle"]), *texts, *ids]


def test_a_creator_is_forgotten_everywhere_and_at_once(world, caplog):
    caplog.set_level(logging.INFO, "creatorfit")
    settings, source = world
    with TestClient(create_app(ServiceSettings(home=settings.home))) as client:
        answer = client.post("/v1/recommendations", json=BRIEF).json()
        shown = [item["creator_id"] for item in answer["items"]]
        gone, lookalike = shown[0], shown[5]
        client.post("/v1/recommendations", json=BRIEF | {"lookalikes": [gone]})
        client.post("/v1/portfolios", json=BRIEF | {"budget": {"amount": 3000}}).raise_for_status()
        outcome = {
            "sponsorship_id": "s-gone", "creator_id": gone, "campaign_id": "spring",
            "recommendation_id": answer["recommendation_id"], "impressions": 900, "conversions": 3,
        }  # fmt: skip
        assert client.post("/v1/outcomes", json=outcome).status_code == 200
        assert client.get(f"/v1/creators/{gone}").status_code == 200

        needles = needles_of(source, gone)
        before = found_in(settings.home, needles)
        assert any("creators.arrow" in name for name in before)
        assert any(name.startswith("artifacts/") for name in before)
        assert "the database" in before
        (settings.home / "quarantine").mkdir(exist_ok=True)
        aside = settings.home / "quarantine" / "posts.jsonl"
        aside.write_text(
            json.dumps({"values": {"creator_id": gone, "likes": "-1"}})
            + "\n"
            + json.dumps({"values": {"creator_id": lookalike, "likes": "-1"}})
            + "\n"
        )

        killed = settings.home / "cluster" / "run-killed"
        killed.mkdir(parents=True)
        (killed / "000000.arrow").write_text(gone)

        found = forget(settings, [gone], Silent(), source)
        assert (found.listed, found.added, found.left) == (1, 1, ())
        assert found.database is not None and found.database.outcomes == 1
        assert found.database.answers == 3 and found.set_aside == 1
        assert found.vectors > 0 and found.bundles and found.versions
        assert found.in_tables["creators"] == 1 and found.in_tables["posts"] > 0
        assert found_in(settings.home, needles) == {}
        assert lookalike in aside.read_text()

        # Nor do the figures and the log, which never named them.
        assert [one for one in needles if one in client.get("/metrics").text] == []
        said = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
        assert "POST /v1/recommendations 200" in said
        assert [one for one in needles if one in said] == []

        # The service that runs hides them without being told.
        assert client.get(f"/v1/creators/{gone}").status_code == 404
        later = client.post("/v1/recommendations", json=BRIEF).json()
        assert gone not in [item["creator_id"] for item in later["items"]]
        assert later["pool"]["creators"] == answer["pool"]["creators"] - 1
        assert client.post("/v1/outcomes", json=outcome).status_code == 422
        assert client.get("/v1/outcomes/s-gone").status_code == 404
        # The others' estimates are what they were.
        was = {item["creator_id"]: item["conversion_rate"] for item in answer["items"]}
        now = {item["creator_id"]: item["conversion_rate"] for item in later["items"]}
        assert {name: now[name] for name in was.keys() & now.keys()} == {
            name: was[name] for name in was.keys() & now.keys()
        }

    # What was served still adds up: places are kept, and nothing else moved.
    audited = audit.run(settings, Silent())
    assert audited.answers >= 2 and audited.differing == 0
    store = open_store(settings.store_url)
    [(_, candidates)] = store.served([answer["recommendation_id"]])
    store.close()
    assert candidates.creator_id[0] == PLACEHOLDER and candidates.position[0] == 1
    assert np.isnan(candidates.matrix[0]).all() and np.isnan(candidates.estimates[0]).all()
    assert len(offpolicy.read_stored(settings.store_url)) >= 2

    # Again changes nothing; training again brings nothing back.
    again = forget(settings, [], Silent(), source)
    assert (again.added, again.bundles, again.versions, again.vectors) == (0, (), (), 0)
    report = Silent()
    train(settings, source, report)
    assert any("left out, for forgotten.txt says so: 1 creators" in line for line in report.said)
    assert found_in(settings.home, needles) == {}


def test_vectors_of_shared_texts_stay_and_the_file_holds_nothing_of_the_others(tmp_path):
    encoder = HashEncoder(64)
    cache = VectorCache(tmp_path, encoder)
    texts = [f"text {number}" for number in range(200)]
    cache.put(texts, encoder.encode(texts))
    assert VectorCache.drop(tmp_path, [*texts[:50], "never held"]) == 50
    held = cache.get(texts)
    assert all(vector is None for vector in held[:50])
    assert np.array_equal(np.array(held[50:]), encoder.encode(texts[50:]))
    with lmdb.open(str(cache.folder), readonly=True) as file:
        assert file.stat()["entries"] == 150
    assert VectorCache.clear(tmp_path) == 150 and cache.get(texts) == [None] * 200
    assert VectorCache.clear(tmp_path) == 0


def test_own_texts_are_those_of_nobody_else(small_tables):
    one = str(small_tables.posts["creator_id"].iloc[0])
    own = own_texts(small_tables, Forgotten().plus([one]))
    others = small_tables.posts[small_tables.posts["creator_id"] != one]
    assert own and not set(own) & set(others["text"])


@given(st.lists(st.text(max_size=8), unique=True, max_size=8), st.text(max_size=8))
def test_the_list_holds_whom_it_was_told_and_nobody_else(names, other):
    listed = Forgotten().plus(names)
    assert listed.mask([*names, other]).tolist() == [*(True for _ in names), other in names]
    assert listed.plus(names) == listed and None not in listed


def test_the_list_is_read_as_written_and_names_nobody(tmp_path):
    assert read_forgotten(tmp_path) == Forgotten()
    listed = Forgotten().plus(["c000017"])
    write_forgotten(tmp_path, listed)
    assert read_forgotten(tmp_path) == listed
    assert "c000017" not in (tmp_path / FILE).read_text()


@pytest.mark.parametrize("text", ["", "salt 12", "deadbeef", f"salt {'a' * 32}\nc000017\n"])
def test_a_damaged_list_stops_training_and_serving(trained_home, tmp_path, text):
    home = tmp_path / "home"
    home.mkdir()
    (home / FILE).write_text(text)
    settings = trained_home.settings.model_copy(update={"home": home})
    with pytest.raises(DataError, match=FILE):
        read(settings, str(trained_home.source), Silent())
    served = ServiceSettings(home=home, tracking_uri=trained_home.settings.registry_uri)
    holder = ModelHolder(served)
    assert not holder.refresh() and FILE in (holder.trouble or "")
    # A list that is damaged while the service runs stops it too.
    (home / FILE).unlink()
    assert holder.refresh() and holder.current()
    (home / FILE).write_text(text)
    with pytest.raises(DataError, match=FILE):
        holder.current()


def test_nobody_to_forget_is_an_error_that_says_what_to_do(tmp_path, trained_home):
    settings = trained_home.settings.model_copy(update={"home": tmp_path / "home"})
    with pytest.raises(DataError, match="--file"):
        forget(settings, [], Silent())
    assert not (tmp_path / "home").exists()
    # With nothing there yet, the list alone is made.
    found = forget(settings, ["c1"], Silent())
    # A server's database is there before anything is in it.
    assert found.database == (None if TEST_DATABASE == "sqlite" else Erased(0, 0, 0))
    assert not found.left
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE]


def test_an_index_of_some_answers_as_the_whole_does(trained_home):
    bundle = trained_home.trained.bundle
    everyone = bundle.index.ids.tolist()
    gone = everyone[3::7]
    fewer = without(bundle, Forgotten().plus(gone))
    assert fewer.index.ids.tolist() == [c for c in everyone if c not in gone]
    query = {"brand": {"name": "A"}, "query": "vegan skin care", "limit": 500}
    excluded = Brief.model_validate(query | {"filters": {"exclude_creators": gone}})
    whole = ranker.answer(bundle, excluded, seed=1).recommendation
    part = ranker.answer(fewer, Brief.model_validate(query), seed=1).recommendation
    assert [item.creator_id for item in part.items] == [item.creator_id for item in whole.items]
    assert [item.score for item in part.items] == [item.score for item in whole.items]
    assert [item.evidence for item in part.items] == [item.evidence for item in whole.items]
    all_of_it = only(bundle.index, np.ones(len(bundle.index), dtype=bool))
    assert all_of_it.evidence.text.equals(bundle.index.evidence.text)


def test_outcomes_go_with_every_version(store):
    rest = ("spring", "Luma", "a brief", 1, 2, None)
    for conversions in (1, 2):
        sent = [
            Outcome(f"s-{who}", who, *rest, 100, None, conversions, None, None, None)
            for who in ("a", "b")
        ]
        store.write_outcomes(sent, conversions)
    erased = store.forget(Forgotten().plus(["a"]))
    assert (erased.outcomes, erased.versions, erased.answers) == (1, 2, 0)
    assert [kept.outcome.creator_id for kept in store.outcomes()] == ["b"]
    assert store.history("s-a") == [] and len(store.history("s-b")) == 2
    if store.file is not None:
        store.close()
        assert b"s-a" not in store.file.read_bytes()


def test_a_creator_is_forgotten_on_a_server_too(postgres, tmp_path):
    """Not in any row, nor in the files of its tables: only its log has old pages for a while."""
    settings = TrainingSettings(home=tmp_path / "home", database_url=postgres.new_schema())
    gone, other = "the-one-who-is-to-be-forgotten", "somebody-else"
    store = open_store(settings.database_url)
    rows = dataclasses.replace(candidates(2), creator_id=np.array([gone, other], dtype=object))
    brief = Brief.model_validate(BRIEF | {"lookalikes": [gone]}).model_dump_json()
    store.record(answer("r1", brief=brief, plan='{"picked": []}'), rows)
    sent = [outcome("s-gone", creator_id=gone), outcome("s-other", creator_id=other)]
    store.write_outcomes(sent, 1)
    store.write_outcomes([dataclasses.replace(sent[0], conversions=4)], 2)
    postgres.execute("ANALYZE", "CHECKPOINT")
    assert gone in in_database(settings.database_url)
    assert in_files(postgres, gone)

    found = forget(settings, [gone], Silent())
    assert (found.database.outcomes, found.database.versions, found.database.answers) == (1, 2, 1)
    assert found.left == ()
    assert gone not in in_database(settings.database_url)
    # What the server counted of values lies in a table of its own, which only its owner sweeps.
    postgres.execute("VACUUM FULL pg_statistic", "CHECKPOINT")
    assert in_files(postgres, gone) == []
    assert [kept.outcome.creator_id for kept in store.outcomes()] == [other]
    [(_, left)] = store.served(["r1"])
    assert left.creator_id.tolist() == [PLACEHOLDER, other]
    store.close()


def in_files(server, text):
    """Files of a server's tables that hold a text."""
    files = [path for path in (server.folder / "base").rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def an_answer(trained_home):
    """What was answered to a brief that names its best creator, and who that is."""
    bundle = trained_home.trained.bundle
    best = ranker.recommend(bundle, Brief.model_validate(BRIEF)).items[0].creator_id
    brief = Brief.model_validate(
        BRIEF | {"lookalikes": [best], "budget": {"amount": 3000}, "limit": 5}
    )
    served = Served(trained_home.trained.version, bundle, datetime.now(UTC), Forgotten())
    return ("r1", served, brief, ranker.answer(bundle, brief)), best


def test_an_answer_that_waits_while_somebody_in_it_is_forgotten_names_nobody(
    trained_home, store, url, tmp_path, monkeypatch
):
    answered, gone = an_answer(trained_home)
    away, write = threading.Event(), store.record

    def record(answer, candidates):
        if not away.is_set():
            away.set()
            raise StoreAway("the database is away")
        write(answer, candidates)

    monkeypatch.setattr(store, "record", record)
    recorder = Recorder(store, 10, ForgottenList(tmp_path))
    recorder.record_answered(*answered)
    assert away.wait(30)
    write_forgotten(tmp_path, Forgotten().plus([gone]))
    assert recorder.flush(30) and recorder.counts.written == 1
    recorder.close()
    assert gone not in in_database(url)
    [(_, rows)] = store.served(["r1"])
    assert len(rows) >= 5


def test_somebody_forgotten_while_an_answer_is_written_is_taken_out_of_it(
    trained_home, store, url, tmp_path, monkeypatch
):
    """`forget` looked through the database just before the answer was there."""
    answered, gone = an_answer(trained_home)
    write = store.record

    def record(answer, candidates):
        write_forgotten(tmp_path, Forgotten().plus([gone]))
        write(answer, candidates)

    monkeypatch.setattr(store, "record", record)
    recorder = Recorder(store, 10, ForgottenList(tmp_path), background=False)
    recorder.record_answered(*answered)
    assert recorder.counts.written == 1
    assert gone not in in_database(url)


def test_nothing_is_kept_while_the_list_cannot_be_read(trained_home, store, tmp_path):
    answered, _ = an_answer(trained_home)
    (tmp_path / FILE).write_text("salt 12")
    recorder = Recorder(store, 10, ForgottenList(tmp_path))
    recorder.record_answered(*answered)
    assert not recorder.flush(0.3)
    (tmp_path / FILE).unlink()
    assert recorder.flush(30) and recorder.counts.written == 1
    recorder.close()
