"""The service's log: a JSON object a line on stderr, or plain text for a terminal.

Every line says for which request it was written, wherever that was: requests hand their context on
to the threads that work for them. Passwords in URLs are struck out. So are the messages of errors
that are not the product's own, for they may quote what was asked or what a creator wrote. Knows
nothing of HTTP.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from features.schemas import CreatorfitError

Form = Literal["auto", "json", "text"]

# What each line written for a request carries beside its message.
_CONTEXT: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039
PASSWORD = re.compile(r"(://[^\s/:@]*):[^\s/@]+@")
# Their messages name files, addresses and what the product itself chose to say.
TELLING = (CreatorfitError, OSError, ImportError, MemoryError)
# Of an error that came of an error that came of another: a chain as long as this is a loop.
CHAIN_AT_MOST = 20

_ErrorInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


@contextmanager
def context(**fields: str) -> Iterator[None]:
    """Let every line that is written inside carry some fields too."""
    token = _CONTEXT.set({**_CONTEXT.get(), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def request_id() -> str | None:
    """The id of the request that is being answered; None outside of one."""
    return _CONTEXT.get().get("request_id")


def log_config(form: Form) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes.

    Args:
        form: `auto` is text where stderr is a terminal, else JSON.
    """
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines if form == "json" else TextLines}},
        "filters": {"context": {"()": InContext}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
                "filters": ["context"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "creatorfit": {"level": "INFO"},
            "uvicorn": {"level": "INFO"},
            # Its lines hold paths, and so the ids of creators: `service.observe` writes its own.
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }


class InContext(logging.Filter):
    """Gives a record the fields of the request it was written for."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = {**_CONTEXT.get(), **getattr(record, "fields", {})}
        return True


class JsonLines(JsonFormatter):
    """A record as one line of JSON; `extra={"fields": {...}}` become fields of it."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        inside = {**log_data.pop("context", {}), **log_data.pop("fields", {})}
        log_data.pop("color_message", None)  # uvicorn's, for terminals
        ordered = {"time": log_data.pop("time"), **log_data, **inside}
        return {
            name: without_passwords(value) if isinstance(value, str) else value
            for name, value in ordered.items()
        }

    def formatException(self, ei: _ErrorInfo) -> str:  # noqa: N802
        return in_short(ei[1])


class TextLines(logging.Formatter):
    """A record as a line for people: when, how grave, who, what, and for which request."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        inside = {**getattr(record, "context", {})}
        told = " ".join(f"{name}={value}" for name, value in inside.items())
        line = super().formatMessage(record)
        return without_passwords(f"{line}  {told}" if told else line)

    def formatException(self, ei: _ErrorInfo) -> str:  # noqa: N802
        return in_short(ei[1])


def without_passwords(text: str) -> str:
    """A text with `***` for the password of each URL in it."""
    return PASSWORD.sub(r"\1:***@", text)


def in_short(error: BaseException | None) -> str:
    """Where an error came from, and what it was, down to its first cause.

    Its message too, but only of errors that quote nothing of what was asked (`TELLING`).
    """
    told: list[str] = []
    while error is not None and len(told) < CHAIN_AT_MOST:
        kind = type(error)
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        said = f": {error}" if isinstance(error, TELLING) else " (message left out)"
        told.append("".join(traceback.format_tb(error.__traceback__)) + name + said)
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
    return without_passwords("\ncame of\n".join(told))
