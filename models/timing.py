"""Tells whoever listens how long each stage of an answer takes, and how many creators it had.

Where nobody listens, a stage costs one look at a context variable. Knows nothing of who listens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Literal, Protocol, get_args

Stage = Literal[
    "encode_brief",
    "filter",
    "candidates",
    "features",
    "predict",
    "relax",
    "portfolio",
    "explain",
    "write_json",
]
# In the order in which a recommendation goes through them.
STAGES: tuple[Stage, ...] = get_args(Stage)


class Listener(Protocol):
    """Whoever wants to know."""

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Entered where a stage begins, left where it ends; stages may lie inside others."""

    def eligible(self, creators: int) -> None:
        """So many creators passed the filters of a brief."""


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)
_NOBODY: AbstractContextManager[object] = nullcontext()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener hear of what is done inside, in this thread and in those it hands work to.

    Work is handed on with its context by `asyncio.to_thread` and by Starlette's thread pool.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def stage(name: Stage) -> AbstractContextManager[object]:
    """The time within is that of a stage: ``with stage("filter"): ...``."""
    listener = _LISTENER.get()
    return _NOBODY if listener is None else listener.stage(name)


def tell_eligible(creators: int) -> None:
    """Tell how many creators passed the filters."""
    listener = _LISTENER.get()
    if listener is not None:
        listener.eligible(creators)
