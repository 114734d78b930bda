"""A thread's work that its task waits for, even when the task is cancelled.

`asyncio.to_thread` leaves the thread behind then, with whatever it holds: a connection that it has
from the database would outlive the service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Callable[..., T], *arguments: object) -> T:
    """Do something in a thread.

    Raises:
        asyncio.CancelledError: The task was cancelled; the thread is done with its work.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # nobody else will ask for it
        raise
