"""What was served is deleted in time, and what is still compared with is not."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.schemas import StoreAway
from features.store import open_store
from features.windows import MICROSECONDS_PER_DAY
from service.__main__ import app
from service.retention import BATCH, Retention
from tests.test_store import answer, candidates, outcome

DAY = MICROSECONDS_PER_DAY
OLD, YOUNG = 10 * DAY, 100 * DAY
BEFORE = 50 * DAY


def serve(store, name, served_at_us, campaign_id=None):
    store.record(answer(name, served_at_us=served_at_us, campaign_id=campaign_id), candidates(2))


def left(store):
    return sorted(one.recommendation_id for one, _ in store.log())


def test_old_answers_go_and_outcomes_stay(store):
    serve(store, "old", OLD)
    serve(store, "old too", OLD + 1)
    serve(store, "young", YOUNG)
    serve(store, "at the limit", BEFORE)
    store.write_outcomes([outcome("s", recommendation_id="old")], OLD)
    assert store.delete_old_answers(BEFORE, 10) == 2
    assert left(store) == ["at the limit", "young"]
    assert store.answers(["old"]) == {} and len(store.outcomes()) == len(store.history("s")) == 1
    assert store.delete_old_answers(BEFORE, 10) == 0


def test_a_campaign_that_runs_keeps_all_its_answers(store):
    """Those asked for it by name, and those that any of its outcomes names."""
    serve(store, "named by the young outcome", OLD)
    serve(store, "named by the old outcome", OLD)
    serve(store, "asked for it", OLD, "runs")
    serve(store, "asked for one that ended", OLD, "ended")
    serve(store, "named by one that ended", OLD)
    serve(store, "of none", OLD)
    told = "recommendation_id"
    old = [
        outcome("a", campaign_id="runs", **{told: "named by the old outcome"}),
        outcome("b", campaign_id="ended", **{told: "named by one that ended"}),
    ]
    store.write_outcomes(old, OLD)
    young = outcome("c", campaign_id="runs", **{told: "named by the young outcome"})
    store.write_outcomes([young], BEFORE)
    assert store.delete_old_answers(BEFORE, 10) == 3
    kept, answers = store.campaign("runs")
    assert len(kept) == 2 and len(answers) == 3
    assert left(store) == sorted(one.recommendation_id for one in answers)
    # Once its last outcome is old too, they go.
    assert store.delete_old_answers(BEFORE + 1, 10) == 3 and left(store) == []


def test_a_correction_makes_a_campaign_young_again(store):
    serve(store, "r", OLD, "k")
    store.write_outcomes([outcome("s", campaign_id="k")], OLD)
    store.write_outcomes([outcome("s", campaign_id="k", conversions=9)], YOUNG)
    assert store.delete_old_answers(BEFORE, 10) == 0


def test_the_oldest_go_first_and_never_more_than_said(store):
    for number in (3, 1, 2):
        serve(store, f"r{number}", number * DAY)
    assert store.delete_old_answers(BEFORE, 2) == 2
    assert left(store) == ["r3"]


def test_two_at_once_delete_each_answer_once(store):
    for number in range(60):
        serve(store, f"r{number}", number)
    counts, begin = [], threading.Barrier(2)

    def delete():
        begin.wait()
        for _ in range(200):
            counts.append(store.delete_old_answers(BEFORE, 5))
            if not left(store):
                return

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(count or 0 for count in counts) == 60 and left(store) == []


def test_on_a_server_whoever_finds_another_at_it_leaves(postgres):
    store = open_store(postgres.new_schema())
    serve(store, "r", OLD)
    with store._transaction(writes=True) as connection:
        from features.store_retention import delete_old_answers

        assert delete_old_answers(connection, BEFORE, 1) == 1
        assert store.delete_old_answers(BEFORE, 1) is None
        assert Retention(store, 1).delete_old() == 0
    assert left(store) == []
    store.close()


def test_all_that_are_old_go_in_batches(store, monkeypatch):
    monkeypatch.setattr("service.retention.BATCH", 2)
    monkeypatch.setattr("service.retention.PAUSE_SECONDS", 0.0)
    now = time.time_ns() // 1_000
    for number in range(5):
        serve(store, f"old{number}", now - 31 * DAY + number)
    serve(store, "young", now - 29 * DAY)
    retention = Retention(store, 30)
    assert retention.delete_old() == retention.deleted == 5 and left(store) == ["young"]
    # A service that ends waits for one batch, not for all of them.
    for number in range(5):
        serve(store, f"old{number}", now - 31 * DAY)
    retention.close()
    assert retention.delete_old() == 2 and len(left(store)) == 4


def test_a_service_deletes_by_itself_and_survives_a_database_that_is_away(monkeypatch, caplog):
    import asyncio

    class Away:
        def __init__(self):
            self.asked = 0

        def delete_old_answers(self, before_us, at_most):
            assert at_most == BATCH
            self.asked += 1
            if self.asked == 1:
                raise StoreAway("it is away")
            return 3 if self.asked == 2 else 0

    monkeypatch.setattr("service.retention.FIRST_SECONDS", 0.0)
    monkeypatch.setattr("service.retention.EVERY_SECONDS", 0.001)
    caplog.set_level("INFO")

    async def for_a_while():
        store = Away()
        task = asyncio.create_task(Retention(store, 5).run())
        while store.asked < 3:
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(for_a_while())
    told = [record.message for record in caplog.records]
    assert "old answers are not deleted: it is away" in told
    assert "3 answers deleted: kept for 5 days" in told


def test_what_was_deleted_is_not_in_the_file_any_more(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/service.db")
    brief = '{"query": "something that nobody shall find"}'
    for number in range(20):
        store.record(answer(f"r{number}", brief=brief, served_at_us=number), candidates(50))
    assert store.delete_old_answers(BEFORE, 100) == 20
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"nobody shall find" not in data and b"PAR1" not in data


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_stays_is_what_the_rule_says(tmp_path_factory, data):
    """Against the rule in plain Python."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('rule')}/service.db")
    times, campaigns = st.integers(0, 100), st.sampled_from(["k1", "k2", "k3"])
    answers = data.draw(st.lists(st.tuples(times, st.none() | campaigns), max_size=6))
    for number, (at, campaign) in enumerate(answers):
        serve(store, f"r{number}", at * DAY, campaign)
    named = st.none() | st.sampled_from([f"r{number}" for number in range(7)])
    outcomes = data.draw(st.lists(st.tuples(times, campaigns, named), max_size=5))
    for number, (at, campaign, name) in enumerate(outcomes):
        one = outcome(f"s{number}", campaign_id=campaign, recommendation_id=name)
        store.write_outcomes([one], at * DAY)
    runs = {campaign for at, campaign, _ in outcomes if at >= 50}
    wanted = {name for _, campaign, name in outcomes if campaign in runs}
    stays = [
        f"r{number}"
        for number, (at, campaign) in enumerate(answers)
        if at >= 50 or campaign in runs or f"r{number}" in wanted
    ]
    store.delete_old_answers(BEFORE, 100)
    assert left(store) == stays
    store.close()


@pytest.mark.parametrize(("days", "gone"), [(None, "1 answers deleted"), ("90", "2 answers")])
def test_the_command_deletes_what_the_service_would(url, monkeypatch, tmp_path, days, gone):
    monkeypatch.setenv("CREATORFIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CREATORFIT_DATABASE_URL", url)
    store = open_store(url)
    now = time.time_ns() // 1_000
    serve(store, "very old", now - 401 * DAY)
    serve(store, "old", now - 100 * DAY)
    serve(store, "young", now - 80 * DAY)
    done = CliRunner().invoke(app, ["prune", *(["--days", days] if days else [])])
    assert done.exit_code == 0 and done.output.startswith(gone)
    assert "young" in left(store)
    store.close()


def test_the_command_makes_no_database(monkeypatch, tmp_path):
    monkeypatch.setenv("CREATORFIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CREATORFIT_DATABASE_URL", raising=False)
    done = CliRunner().invoke(app, ["prune"])
    assert done.output.startswith("0 answers deleted")
    assert not list(tmp_path.iterdir())
