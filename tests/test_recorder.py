"""What was served waits for the database and never for its own good: bounds, worth, going away."""

import threading
import types

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from features.schemas import Brief, StoreAway, StoreError
from service.recorder import WORTHS, Recorder
from service.waiting import Waiting
from service.wire import EXAMPLE_BRIEF

worths = st.sampled_from(WORTHS)


class AgainstAList(RuleBasedStateMachine):
    """The queue beside its plain definition: a list sorted by worth, then by age."""

    def __init__(self):
        super().__init__()
        self.size = 3
        self.queue = Waiting(WORTHS, self.size)
        self.plain = []  # (worth, thing), the oldest first
        self.hand = []
        self.number = 0

    def lost(self):
        if len(self.plain) <= self.size:
            return None
        least = min(self.plain, key=lambda one: WORTHS.index(one[0]))
        self.plain.remove(least)
        return least[0]

    @rule(worth=worths)
    def put(self, worth):
        self.number += 1
        self.plain.append((worth, self.number))
        assert self.queue.put(worth, self.number) == self.lost()

    @precondition(lambda self: self.plain)
    @rule()
    def take(self):
        most = max(WORTHS.index(worth) for worth, _ in self.plain)
        wanted = next(one for one in self.plain if one[0] == WORTHS[most])
        self.plain.remove(wanted)
        assert self.queue.take() == wanted
        self.hand.append(wanted)

    @precondition(lambda self: self.hand)
    @rule(back=st.booleans())
    def done_or_not(self, back):
        worth, thing = self.hand.pop()
        if back:
            self.plain.insert(0, (worth, thing))
            assert self.queue.put_back(worth, thing) == self.lost()
        else:
            self.queue.done()

    @rule()
    def clear(self):
        assert sorted(self.queue.clear()) == sorted(worth for worth, _ in self.plain)
        self.plain = []

    @invariant()
    def bounded(self):
        assert len(self.queue) == len(self.plain) <= self.size
        assert self.queue.wait_empty(0) == (not self.plain and not self.hand)


TestQueue = AgainstAList.TestCase


def test_a_queue_that_is_closed_ends_when_it_is_empty():
    queue = Waiting(WORTHS, 2)
    queue.put("planned", 1)
    queue.close()
    assert queue.take() == ("planned", 1)
    assert queue.take() is None
    with pytest.raises(ValueError, match="queue of 0"):
        Waiting(WORTHS, 0)


class Database:
    """A store that does as it is told, and tells what it was asked."""

    def __init__(self):
        self.away = threading.Event()
        self.kept = []
        self.tries = 0

    def record(self, answer, candidates):
        self.tries += 1
        if self.away.is_set():
            raise StoreAway("away")
        if answer.brand == "refused":
            raise StoreError("refused")
        if answer.brand == "broken":
            raise RuntimeError("broken")
        self.kept.append(answer.recommendation_id)


@pytest.fixture
def record(monkeypatch):
    """Records answers without a model."""
    monkeypatch.setattr("service.recorder.candidates_of", lambda *_, **__: None)
    served = types.SimpleNamespace(
        version=types.SimpleNamespace(run_id="run", version="1"),
        bundle=types.SimpleNamespace(index=types.SimpleNamespace(as_of_us=1)),
    )

    def record(recorder, key, brand="Luma", campaign_id=None):
        brief = Brief.model_validate(EXAMPLE_BRIEF | {"brand": {"name": brand}})
        recorder.record(key, served, brief, None, None, 0, campaign_id=campaign_id)

    return record


def test_what_is_refused_is_counted_and_the_next_is_written(record):
    store = Database()
    recorder = Recorder(store, 10)
    for number, brand in enumerate(("a", "refused", "broken", "b")):
        record(recorder, str(number), brand)
    assert recorder.flush(30)
    assert store.kept == ["0", "3"]
    assert (recorder.counts.written, recorder.counts.failed, recorder.counts.dropped) == (2, 2, 0)
    recorder.close()


@pytest.mark.parametrize("campaigns", [(0,), (0, 1, 0, 1), (1, 1, 0), (0,) * 12])
def test_an_absence_shorter_than_the_queue_loses_nothing(record, campaigns):
    """When the database is back each is written, once, in its turn."""
    store = Database()
    store.away.set()
    recorder = Recorder(store, 10, size=12)
    for number, campaign in enumerate(campaigns):
        record(recorder, str(number), campaign_id="k" if campaign else None)
    while store.tries == 0:
        pass
    assert store.kept == []
    store.away.clear()
    assert recorder.flush(30)
    recorder.close()
    assert sorted(store.kept, key=int) == [str(number) for number in range(len(campaigns))]
    named = [str(number) for number, campaign in enumerate(campaigns) if campaign]
    assert [key for key in store.kept if key in named] == named
    assert recorder.counts.dropped == recorder.counts.failed == 0


def test_whoever_ends_while_the_database_is_away_counts_what_is_lost(record):
    store = Database()
    store.away.set()
    recorder = Recorder(store, 10, size=5)
    for number in range(8):
        record(recorder, str(number), campaign_id="k" if number % 2 else None)
    recorder.close()
    lost = {"recommendation": 4, "planned": 0, "portfolio": 0, "campaign": 4}
    assert recorder.counts.dropped_by == lost
    assert (recorder.counts.written, recorder.waiting) == (0, 0)


def test_who_records_never_waits_for_the_database(record):
    """The database hangs: many more answers than may wait are taken all the same."""
    gate = threading.Event()

    class Hangs(Database):
        def record(self, answer, candidates):
            gate.wait(60)
            super().record(answer, candidates)

    store = Hangs()
    recorder = Recorder(store, 10, size=3)
    for number in range(50):
        record(recorder, str(number))
    assert recorder.waiting <= 3 and recorder.counts.dropped >= 50 - 4
    gate.set()
    recorder.close()
    assert store.kept[-3:] == ["47", "48", "49"]  # the newest stay
    assert recorder.counts.written + recorder.counts.dropped == 50
