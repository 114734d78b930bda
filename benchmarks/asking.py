"""Asks a service over HTTP, from one event loop and with little work of its own.

What the benchmarks of a running service share: a home with a small simulated world to serve, a
client, and the memory of a process. Knows nothing of what is measured.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from benchmarks.serving import Process
from models.registry import Registry
from training.console import ConsoleReporter
from training.pipeline import train
from training.settings import TrainingSettings
from training.simulate import simulate, write_world

CREATORS, POSTS, MONTHS = 300, 14, 18


@contextmanager
def service_of(home: Path | None, **settings: Any) -> Iterator[Process]:
    """A service in a process of its own.

    Args:
        home: With a champion; where there is none, a small simulated world is trained first, with
            the hash encoder, which knows no meaning and costs nothing.
        settings: As `benchmarks.serving.Process` takes them.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        if home is None:
            home = scratch / "home"
            _train(scratch / "world", home)
        service = Process(scratch, home=home.resolve(), **settings)
        stack.callback(service.close)
        service.start()
        service.wait("/readyz")
        yield service


def _train(source: Path, home: Path) -> None:
    write_world(simulate(CREATORS, 11, posts_per_creator=POSTS, months=MONTHS), source)
    settings = TrainingSettings(home=home, encoder="hash", threads=1)
    trained = train(settings, str(source), ConsoleReporter(Console(stderr=True)), full=False)
    registry = Registry(settings.registry_uri, settings.artifacts)
    registry.promote(trained.version.version, "a benchmark of the service, not of the model")


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: 0 where there was no answer.
        seconds: From the moment the request was due to the last byte of the answer.
    """

    status: int
    seconds: float


class Client:
    """Sends requests over as many connections as are needed at once, and keeps them open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self, method: str, path: str, body: bytes = b"", due: float | None = None
    ) -> Answer:
        """Send a request; `due` is when it should have been sent, by `time.perf_counter`."""
        began = time.perf_counter() if due is None else due
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            reader, writer = await self._connection()
            writer.write(head.encode() + b"\r\n" + body)
            status, stays = await _read(reader)
        except (OSError, EOFError, ValueError):
            return Answer(0, time.perf_counter() - began)
        if stays:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return Answer(status, time.perf_counter() - began)

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._idle:
            writer.close()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read an answer that says its length; its status, and whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    await reader.readexactly(int(fields[b"content-length"]))
    return int(head.split(None, 2)[1]), fields.get(b"connection") != b"close"


def as_json(body: dict[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(body).encode()


def memory_mb(pid: int) -> float:
    """Memory that a process has for itself: without that of files, which it shares with others."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/{pid}/status does not say RssAnon")
