"""The service's database, SQLite and a real PostgreSQL: idempotence, history, two at once."""

import dataclasses
import itertools
import json
import re
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURE_NAMES
from features.outcomes import TABLE, Outcome, frame_of, outcomes_of, read_outcomes
from features.schemas import NUMBER_AT_MOST, TABLES, StoreError
from features.served_rows import ESTIMATES, Candidates, from_parquet, to_parquet, to_table
from features.store import Answer, open_store, open_store_if_there
from features.store_campaigns import CampaignLine
from features.table_rules import DTYPES, broken_rules
from tests.conftest import NAMES_EACH_DATABASE, ON_EITHER_DATABASE
from training.served import COLUMNS

ROOT = Path(__file__).parents[1]
DAY_US = 86_400_000_000
# Each example shares a database with the others; their ids tell them apart.
SHARED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def outcome(key="s1", **changed):
    plain = Outcome(
        sponsorship_id=key,
        creator_id="c1",
        campaign_id="k1",
        brand="Luma",
        brief="a serum",
        started_at_us=20_000 * DAY_US,
        resolved_at_us=20_030 * DAY_US,
        cost=10.1,
        impressions=1000,
        clicks=50,
        conversions=3,
        revenue=None,
        post_id=None,
        recommendation_id=None,
    )
    return dataclasses.replace(plain, **changed)


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
amounts = st.none() | st.floats(0, 1e12, allow_nan=False)


@st.composite
def outcomes(draw):
    impressions = draw(st.integers(0, int(NUMBER_AT_MOST)))
    clicks = draw(st.none() | st.integers(0, impressions))
    start = draw(st.integers(0, 20_000 * DAY_US))
    return outcome(
        brand=draw(text),
        brief=draw(text),
        started_at_us=start,
        resolved_at_us=start + draw(st.integers(0, 99 * DAY_US)),
        cost=draw(amounts),
        impressions=impressions,
        clicks=clicks,
        conversions=draw(st.integers(0, impressions if clicks is None else clicks)),
        revenue=draw(amounts),
        post_id=draw(st.none() | st.just("p1")),
    )


def answer(recommendation_id="r1", **changed):
    plain = Answer(
        recommendation_id=recommendation_id,
        kind="recommendation",
        served_at_us=1,
        brief='{"query": "ä"}',
        brand="Luma",
        run_id="run",
        model_version="3",
        as_of_us=7,
        campaign_id=None,
        plan=None,
    )
    return dataclasses.replace(plain, **changed)


def candidates(n=5, shown=2, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, len(FEATURE_NAMES)))
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    position = np.zeros(n, dtype=np.int64)
    position[:shown] = np.arange(1, shown + 1)
    return Candidates(
        creator_id=np.array([f"c{i}" for i in range(n)], dtype=object),
        position=position,
        propensity=np.where(position > 0, 0.5, np.nan),
        features=FEATURE_NAMES,
        matrix=matrix,
        estimates=rng.random((n, len(ESTIMATES))),
    )


def assert_same(got, wanted):
    for field in dataclasses.fields(Candidates):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(wanted, field.name))


# ---------------------------------------------------------------- outcomes


@SHARED
@given(sent=st.lists(outcomes(), min_size=1, max_size=6))
def test_one_row_stands_and_every_accepted_version_is_kept(store, sent):
    """Whatever is sent in whatever order: repeats change nothing, others are one revision more."""
    key = uuid.uuid4().hex
    expected, revision = [], 0
    for number, one in enumerate(sent):
        one = dataclasses.replace(one, sponsorship_id=key)
        [written] = store.write_outcomes([one], number)
        if expected and expected[-1] == one:
            assert written.status == "unchanged"
        else:
            assert written.status == ("corrected" if expected else "accepted")
            expected.append(one)
            revision += 1
        assert written.revision == revision
        assert store.write_outcomes([one], 99)[0].status == "unchanged"
    history = store.history(key)
    assert [kept.outcome for kept in history] == expected
    assert [kept.revision for kept in history] == list(range(1, len(expected) + 1))
    [stands] = [kept for kept in store.outcomes() if kept.outcome.sponsorship_id == key]
    assert stands == history[-1]


def test_many_are_kept_in_one_go_and_told_of_in_their_order(store):
    store.write_outcomes([outcome("b")], 1)
    sent = [outcome("c"), outcome("b", conversions=4), outcome("a")]
    told = store.write_outcomes(sent, 2)
    assert [(one.sponsorship_id, one.status, one.revision) for one in told] == [
        ("c", "accepted", 1),
        ("b", "corrected", 2),
        ("a", "accepted", 1),
    ]
    assert [kept.outcome.sponsorship_id for kept in store.outcomes()] == ["a", "b", "c"]


def test_all_or_nothing(store):
    bad = outcome("b", brand=None)
    with pytest.raises(StoreError):
        store.write_outcomes([outcome("a"), bad], 1)
    assert store.outcomes() == [] and store.history("a") == []


def test_two_threads_that_send_the_same_leave_one_row(store):
    versions = [[outcome(f"s{i}", conversions=c) for i in range(20)] for c in (1, 2)]
    statuses, gate = [], threading.Barrier(4)

    def send(rows):
        gate.wait()
        for _ in range(5):
            statuses.extend(one.status for one in store.write_outcomes(rows, 1))

    threads = [
        threading.Thread(target=send, args=(rows,))
        for rows in (versions[0], versions[0][::-1], versions[1], versions[1][::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 4 * 5 * 20
    assert statuses.count("accepted") == 20
    corrected = 0
    for i in range(20):
        history = store.history(f"s{i}")
        corrected += len(history) - 1
        told = [kept.outcome.conversions for kept in history]
        assert all(a != b for a, b in itertools.pairwise(told))
    assert statuses.count("corrected") == corrected


SEND = """
import sys
from features.store import open_store
from tests.test_store import outcome
store = open_store(sys.argv[1])
input()
rows = [outcome(f"s{i}") for i in range(30)]
told = [written.status for _ in range(10) for written in store.write_outcomes(rows, 1)]
print(told.count("accepted"), told.count("unchanged"), len(told))
store.close()
"""


def test_two_processes_that_send_the_same_at_once_leave_one_row(url):
    """Neither finds a table there: both make them, and both write every row."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SEND, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [[int(n) for n in process.communicate(timeout=60)[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(accepted for accepted, _, _ in told) == 30
    assert sum(unchanged for _, unchanged, _ in told) == 2 * 300 - 30
    store = open_store(url)
    assert len(store.outcomes()) == 30
    assert all(len(store.history(f"s{i}")) == 1 for i in range(30))
    store.close()


@given(st.lists(outcomes(), max_size=4))
@settings(max_examples=30, deadline=None)
def test_outcomes_are_rows_of_the_contract(sent):
    """To the contract's table and back; what a table's rules let pass, they let pass."""
    rows = [
        dataclasses.replace(one, sponsorship_id=f"s{number}") for number, one in enumerate(sent)
    ]
    frame = frame_of(rows)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        name: DTYPES[column.type] for name, column in TABLES[TABLE].items()
    }
    assert broken_rules(TABLE, frame) == []
    assert outcomes_of(frame) == rows
    json_rows = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    read, faults = read_outcomes(json_rows)
    assert faults == []
    assert [(one.sponsorship_id, one.impressions, one.brand) for one in read] == [
        (one.sponsorship_id, one.impressions, one.brand) for one in rows
    ]


# ---------------------------------------------------------------- what was served


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_candidates_come_back_bit_for_bit(n, shown, seed):
    kept = candidates(n, min(n, shown), seed)
    assert_same(from_parquet(to_parquet(kept)), kept)


def test_a_blob_has_the_columns_of_a_log_and_what_was_expected():
    assert to_table(candidates()).column_names == [
        *(name for name in COLUMNS if name not in ("recommendation_id", "served_at")),
        *ESTIMATES,
    ]


def test_answers_come_back_as_they_were_served(store):
    store.record(answer("r1"), candidates(5, seed=1))
    store.record(answer("r2", served_at_us=9, campaign_id="k9", plan="{}"), candidates(3, seed=2))
    assert store.answers(["r1", "nobody"]) == {"r1": answer("r1")}
    [(second, rows), (first, _)] = store.served(["r1", "r2"])
    assert (second.recommendation_id, first.recommendation_id) == ("r2", "r1")
    assert_same(rows, candidates(3, seed=2))
    assert [one.recommendation_id for one, _ in store.log()] == ["r1", "r2"]


def test_a_campaign_has_the_answers_asked_for_it_and_those_its_outcomes_name(store):
    for number, (key, campaign) in enumerate({"r1": None, "r2": "k1", "r3": "k2"}.items()):
        store.record(answer(key, served_at_us=number, campaign_id=campaign), candidates(2))
    store.write_outcomes([outcome("s1", recommendation_id="r1"), outcome("s2", campaign_id="k")], 1)
    kept, answers = store.campaign("k1")
    assert [one.outcome.sponsorship_id for one in kept] == ["s1"]
    assert [one.recommendation_id for one in answers] == ["r2", "r1"]
    assert store.campaign("nothing") == ([], [])


def test_campaigns_are_listed_by_what_was_last_heard_of_them(store):
    for number, (key, campaign) in enumerate({"r1": "k1", "r2": None, "r3": "k2"}.items()):
        asked = answer(key, served_at_us=number, campaign_id=campaign, brand=f"Luma {number}")
        store.record(asked, candidates(2))
    store.write_outcomes([outcome("s1"), outcome("s2"), outcome("s3", campaign_id="k3")], 50)
    store.write_outcomes([outcome("s2", conversions=9, brand="Luma late")], 60)
    assert store.campaigns(9) == [
        CampaignLine("k1", "Luma late", 0, 0, 60, 1, 2, 12),
        CampaignLine("k3", "Luma", None, None, 50, 0, 1, 3),
        CampaignLine("k2", "Luma 2", 2, 2, None, 1, 0, 0),
    ]
    assert [line.campaign_id for line in store.campaigns(2)] == ["k1", "k3"]


def test_an_answer_is_whole_or_not_there(store):
    store.record(answer("r1"), candidates(2))
    with pytest.raises(StoreError):
        store.record(answer("r1"), candidates(2, seed=3))
    assert_same(store.served(["r1"])[0][1], candidates(2))


# ---------------------------------------------------------------- the database itself


def test_every_file_that_uses_the_database_runs_on_either():
    uses = re.compile(r"\b(create_app|open_store|store_url|database_of)\b")
    listed = {*ON_EITHER_DATABASE, *NAMES_EACH_DATABASE}
    files = {path.name: path.read_text() for path in (ROOT / "tests").glob("test_*.py")}
    assert {name for name, text in files.items() if uses.search(text)} <= listed <= set(files)


def test_what_was_acknowledged_is_there_after_the_process_is_killed(tmp_path):
    url = f"sqlite:///{tmp_path}/service.db"
    code = (
        "import os, sys\n"
        "from features.store import open_store\n"
        "from tests.test_store import outcome\n"
        "open_store(sys.argv[1]).write_outcomes([outcome()], 1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, check=False)
    assert done.returncode == -9
    store = open_store(url)
    assert [kept.outcome for kept in store.outcomes()] == [outcome()]
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    store.close()


def test_a_database_that_is_not_there_is_made_only_by_whoever_writes(tmp_path):
    url = f"sqlite:///{tmp_path}/home/service.db"
    assert open_store_if_there(url) is None
    store = open_store(url)
    assert not (tmp_path / "home").exists()
    assert store.outcomes() == []
    store.close()
    again = open_store_if_there(url)
    assert again.outcomes() == []
    again.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:1/x", "127.0.0.1:1/x"),
        ("mysql://me:secret@host/x", "SQLite or PostgreSQL"),
        ("nowhere", "cannot be read"),
        ("sqlite://", "name a file"),
        ("sqlite:////proc/nothing/service.db", "nothing"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url, words):
    with pytest.raises(StoreError, match=words) as caught:
        open_store(url).outcomes()
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "service.db").write_text("not a database, but long enough to be looked at" * 30)
    with pytest.raises(StoreError, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/service.db").outcomes()


def test_a_blob_that_is_damaged_is_named_by_its_answer(store):
    store.record(answer("r1"), candidates(2))
    with store._engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE served SET candidates = :b"), {"b": b"PAR1 no"})
    with pytest.raises(StoreError, match="answer r1"):
        list(store.log())
