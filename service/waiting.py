"""A bounded queue of what differs in worth: what is worth most is taken first, and lost last.

Knows nothing of what waits in it, nor of what it is worth.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """A queue between threads.

    Args:
        worths: What things may be worth, the least first.
        size: Things that may wait, in all.
    """

    def __init__(self, worths: Sequence[str], size: int) -> None:
        if size < 1:
            raise ValueError(f"a queue of {size} holds nothing")
        self.size = size
        self._lines: dict[str, deque[T]] = {worth: deque() for worth in worths}
        self._n = 0
        self._in_hand = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._n

    def put(self, worth: str, thing: T) -> str | None:
        """Let a thing wait, at the end of those of its worth; waits for nobody.

        Returns:
            What was lost for it, by its worth: where the queue is full, the oldest of those that
            are worth least, which may be the thing itself; None where nothing was.
        """
        return self._put(worth, thing, first=False)

    def take(self) -> tuple[str, T] | None:
        """The oldest of those that are worth most, when there is one; None once closed and empty.

        Whoever takes one says what became of it: `done` or `put_back`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._n or self._closed)
            for worth, line in reversed(self._lines.items()):
                if line:
                    self._n -= 1
                    self._in_hand += 1
                    return worth, line.popleft()
            return None

    def done(self) -> None:
        """What was taken needs no more waiting for."""
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()

    def put_back(self, worth: str, thing: T) -> str | None:
        """Let what was taken wait again, before others of its worth; returns what `put` does."""
        with self._changed:
            self._in_hand -= 1
            return self._put(worth, thing, first=True)

    def wait_empty(self, seconds: float) -> bool:
        """Wait until nothing waits or is in hand; say whether that is so."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._n or self._in_hand:
                if not self._changed.wait(deadline - time.monotonic()):
                    return not (self._n or self._in_hand)
            return True

    def close(self) -> None:
        """Let `take` end when nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[str]:
        """Lose all that waits; returns what each was worth."""
        with self._changed:
            lost = [worth for worth, line in self._lines.items() for _ in line]
            for line in self._lines.values():
                line.clear()
            self._n = 0
            self._changed.notify_all()
            return lost

    def _put(self, worth: str, thing: T, *, first: bool) -> str | None:
        with self._changed:
            line = self._lines[worth]
            if first:
                line.appendleft(thing)
            else:
                line.append(thing)
            self._n += 1
            lost = None
            if self._n > self.size:
                lost, least = next((name, found) for name, found in self._lines.items() if found)
                least.popleft()
                self._n -= 1
            self._changed.notify_all()
            return lost
