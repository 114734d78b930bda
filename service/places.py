"""Places for work: lets a few through at once, a few more wait, and turns all others away.

For one event loop: nothing here is shared between threads. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Full(Exception):
    """As many run and wait as may."""


class Places:
    """Places for work, and a short line before them, first come first served.

    Args:
        at_once: How many may run at once.
        may_wait: How many more may wait for a place.

    Attributes:
        running: How many have a place.
    """

    def __init__(self, at_once: int, may_wait: int) -> None:
        self.at_once = at_once
        self.may_wait = may_wait
        self.running = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    @property
    def full(self) -> bool:
        """Whether whoever comes now is turned away."""
        return self.running >= self.at_once and self.waiting >= self.may_wait

    def enter(self) -> asyncio.Future[None] | None:
        """Take a place, or stand in line for one.

        Returns:
            None with a place; else what is done once there is one. Whoever has one calls `leave`;
            whoever would wait no longer `give_up`.

        Raises:
            Full: There is neither.
        """
        if self.running < self.at_once:
            self.running += 1
            return None
        if self.full:
            raise Full
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        return turn

    def leave(self) -> None:
        """Give a place back: to the first in line, where there is one."""
        if self._line:
            self._line.popleft().set_result(None)
        else:
            self.running -= 1

    def give_up(self, turn: asyncio.Future[None]) -> None:
        """Wait no longer; a place that was given meanwhile is given back."""
        if turn.done():
            self.leave()
        else:
            self._line.remove(turn)
            turn.cancel()
