"""Threads beside the answers end before what they use is closed."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from fastapi.testclient import TestClient

from features.schemas import StoreAway
from features.store import Store
from service.app import create_app
from service.threads import to_its_end
from tests.test_access import settings_of


def test_what_was_done_comes_back_and_what_went_wrong_too():
    async def asked():
        assert await to_its_end(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await to_its_end(divmod, 7, 0)

    asyncio.run(asked())


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancelled_task_waits_for_its_thread(fails):
    began, ended = threading.Event(), threading.Event()

    def work():
        began.set()
        time.sleep(0.2)  # longer than it takes to cancel the task
        ended.set()
        if fails:
            raise StoreAway("gone meanwhile")

    async def asked():
        task = asyncio.create_task(to_its_end(work))
        await asyncio.to_thread(began.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(asked())


def test_the_database_is_left_when_nobody_asks_it_any_more(tmp_path, monkeypatch):
    """A service that ends while it looks whether the database is there."""
    looking, order = threading.Event(), []

    def slow(self):
        looking.set()
        time.sleep(0.3)  # longer than it takes to end the service otherwise
        order.append("looked")

    def close(self, closed=Store.close):
        order.append("closed")
        closed(self)

    monkeypatch.setattr(Store, "ping", slow)
    monkeypatch.setattr(Store, "close", close)
    with TestClient(create_app(settings_of(tmp_path))):
        assert looking.wait(10)
    assert order == ["looked", "closed"]
