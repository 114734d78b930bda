"""Deletes what was served once it was kept for long enough, beside the answers.

A few answers at a time, so that nobody who writes an outcome waits for it. Every worker looks now
and then; whoever finds another at it leaves it to that one. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time

from features.schemas import StoreError
from features.store import Store
from features.windows import MICROSECONDS_PER_DAY
from service.threads import to_its_end

log = logging.getLogger("creatorfit.retention")

BATCH = 100
PAUSE_SECONDS = 0.1
EVERY_SECONDS = 3_600.0
FIRST_SECONDS = 300.0  # workers that start at once do not look at once


class Retention:
    """Deletes old answers.

    Args:
        store: Where they are.
        keep_days: How long they are kept.

    Attributes:
        deleted: How many were deleted so far.
    """

    def __init__(self, store: Store, keep_days: int) -> None:
        self.store = store
        self.keep_days = keep_days
        self.deleted = 0
        self._closing = threading.Event()

    def delete_old(self) -> int:
        """Delete all that are old by now, unless another does or the service ends.

        Raises:
            StoreError: The database is away or refuses; those deleted so far are gone.
        """
        before_us = time.time_ns() // 1_000 - self.keep_days * MICROSECONDS_PER_DAY
        count = 0
        while found := self.store.delete_old_answers(before_us, BATCH):
            count += found
            self.deleted += found
            if found < BATCH or self._closing.wait(PAUSE_SECONDS):
                break
        return count

    async def run(self) -> None:
        """Look for old answers for ever."""
        wait = random.uniform(0, FIRST_SECONDS)
        while True:
            await asyncio.sleep(wait)
            wait = EVERY_SECONDS * random.uniform(0.5, 1.5)
            try:
                count = await to_its_end(self.delete_old)
            except StoreError as error:
                log.warning("old answers are not deleted: %s", error)
                continue
            if count:
                log.info("%d answers deleted: kept for %d days", count, self.keep_days)

    def close(self) -> None:
        """Let a deletion that runs end soon."""
        self._closing.set()
