"""What happens to the service in a torture run: champions, kills, what goes away and comes back.

One thing after the other, by a schedule, and noted with its times. Knows nothing of what is asked
of the service meanwhile.
"""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.champions import Champions
from benchmarks.damage import DAMAGES
from benchmarks.postgres import Postgres
from benchmarks.serving import Process, TrackingServer
from benchmarks.torture_load import Ended
from models.registry import Version


@dataclass(frozen=True)
class Schedule:
    """What happens when, in seconds; of what goes away, how often and for how long."""

    seconds: float = 600.0
    champion_every: float = 20.0
    kill_every: float = 30.0
    tracking_every: float = 90.0
    tracking_away: float = 15.0
    database_every: float = 75.0
    database_away: float = 5.0


@dataclass(frozen=True)
class Window:
    """A time in which something was away, of `time.monotonic`."""

    began: float
    ended: float

    def touches(self, ended: Ended, grace: float = 0.0) -> bool:
        """Whether a request was under way then, or within some seconds after."""
        return ended.began <= self.ended + grace and ended.ended >= self.began


@dataclass
class Happened:
    """What was done to the service.

    Attributes:
        promoted: Champions by version, with their damage or None, in order.
        down: When the service did not answer, for it was killed.
        database: When the database was away.
        tracking: When the tracking server was away.
    """

    promoted: dict[str, str | None] = field(default_factory=dict)
    down: list[Window] = field(default_factory=list)
    database: list[Window] = field(default_factory=list)
    tracking: list[Window] = field(default_factory=list)


@contextmanager
def _sqlite_locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _sqlite_gone(file: Path) -> Iterator[None]:
    """Its files are moved away while the service has them open, and back."""
    names = [path.name for path in file.parent.glob(f"{file.name}*")]
    away = Path(tempfile.mkdtemp(dir=file.parent))
    for name in names:
        (file.parent / name).rename(away / name)
    yield
    for name in names:
        (away / name).rename(file.parent / name)
    away.rmdir()


@contextmanager
def _postgres_stopped(server: Postgres, crash: bool) -> Iterator[None]:
    server.stop("immediate" if crash else "fast")
    yield
    server.start()


@dataclass(frozen=True)
class Outage:
    """A way in which the database goes away.

    Attributes:
        away: A context in which it is.
        may_kill: Whether the service may be killed meanwhile. One that is started while the file
            of its database is moved away begins another, as operations say.
    """

    away: Callable[[], AbstractContextManager[None]]
    may_kill: bool = True


def of_sqlite(file: Path) -> list[Outage]:
    """Ways in which a database file goes away."""
    return [
        Outage(lambda: _sqlite_locked(file)),
        Outage(lambda: _sqlite_gone(file), may_kill=False),
    ]


def of_postgres(server: Postgres) -> list[Outage]:
    """Ways in which a server goes away."""
    return [
        Outage(lambda: _postgres_stopped(server, crash=True)),
        Outage(lambda: _postgres_stopped(server, crash=False)),
    ]


Again = tuple[float, Callable[[], Any]] | None  # what is to be done next, and when


class Chaos:
    """Does to the service what may happen to it, one thing after the other.

    Args:
        service: What is killed and started again.
        tracking: What goes away and comes back.
        champions: What publishes and promotes.
        outages: Ways in which the database goes away, taking turns.
        schedule: When.
    """

    def __init__(
        self,
        service: Process,
        tracking: TrackingServer,
        champions: Champions,
        outages: list[Outage],
        schedule: Schedule,
    ) -> None:
        self.service, self.tracking, self.champions = service, tracking, champions
        self.schedule = schedule
        self.happened = Happened()
        # What only the stored asks find comes first: a run may end before all kinds did.
        self._damages = itertools.cycle(reversed(DAMAGES))
        self._outages = itertools.cycle(outages)
        self._outage: Outage | None = None  # that there is now
        self._back = ExitStack()  # what ends it
        self._gone: dict[str, float] = {}  # what is away, since when

    def champion(self, damage: str | None = None) -> Version:
        """Publish and promote one."""
        version = self.champions.publish(damage)
        self.happened.promoted[version.version] = damage
        self.champions.promote(version)
        return version

    def run(self) -> None:
        """Follow the schedule; at the end everything is back."""
        plan = self.schedule
        began = time.monotonic()
        every = {
            self._next_champion: plan.champion_every,
            self._kill: plan.kill_every,
            self._tracking_goes: plan.tracking_every,
            self._database_goes: plan.database_every,
        }
        due = [(began + seconds, do) for do, seconds in every.items()]
        while True:
            due.sort(key=lambda one: one[0])
            at, do = due.pop(0)
            if at >= began + plan.seconds:
                break
            time.sleep(max(0.0, at - time.monotonic()))
            again = do()
            if again is not None:
                due.append(again)
            elif do in every:
                due.append((at + every[do], do))
        for back in (self._database_comes, self._tracking_comes):
            back()
        time.sleep(max(0.0, began + plan.seconds - time.monotonic()))

    def _next_champion(self) -> Again:
        if "tracking" in self._gone or not self.tracking.answers():
            return self._later(self._next_champion)
        damaged = len(self.happened.promoted) % 3 == 2
        self.champion(next(self._damages) if damaged else None)
        return None

    def _kill(self) -> Again:
        if self._outage is not None and not self._outage.may_kill:
            return self._later(self._kill)
        began = time.monotonic()
        self.service.kill()
        self.service.start()
        self.service.wait("/readyz")
        self.happened.down.append(Window(began, time.monotonic()))
        return None

    def _tracking_goes(self) -> Again:
        self._gone["tracking"] = time.monotonic()
        self.tracking.stop()
        return time.monotonic() + self.schedule.tracking_away, self._tracking_comes

    def _tracking_comes(self) -> Again:
        if "tracking" in self._gone:
            self.tracking.start()
            self.happened.tracking.append(Window(self._gone.pop("tracking"), time.monotonic()))
            return time.monotonic() + self.schedule.tracking_every, self._tracking_goes
        return None

    def _database_goes(self) -> Again:
        self._gone["database"] = time.monotonic()
        self._outage = next(self._outages)
        self._back.enter_context(self._outage.away())
        return time.monotonic() + self.schedule.database_away, self._database_comes

    def _database_comes(self) -> Again:
        if "database" in self._gone:
            self._back.close()
            self._outage = None
            self.happened.database.append(Window(self._gone.pop("database"), time.monotonic()))
            return time.monotonic() + self.schedule.database_every, self._database_goes
        return None

    def _later(self, do: Callable[[], Any]) -> Again:
        return time.monotonic() + 0.5, do
