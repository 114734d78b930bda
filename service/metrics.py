"""What the service tells Prometheus, in the names and units that Prometheus has by convention.

Several workers write into files of one folder, and whichever is asked adds up what all of them
wrote: the mode of prometheus-client for several processes, which is on where the variable
`PROMETHEUS_MULTIPROC_DIR` names the folder (`folder_for_workers`). Labels are few and bounded: no
ids of creators, campaigns or answers. Knows nothing of how what it counts is done.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from features.schemas import BundleFault, StoreError
from features.store import Store
from models.timing import STAGES, Stage
from service.limits import Limits
from service.recorder import WORTHS, Recorder
from service.reload import ModelHolder
from service.retention import Retention
from service.threads import to_its_end

# prometheus-client looks at it when it is imported.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# From what the fastest stage takes to what nobody waits for.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
CREATORS = (0, 1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
# How old what another worker counts may be. Prometheus asks every 15 seconds or so.
LOOK_SECONDS = 5.0
# Anything may be sent as a method; a label must not be whatever somebody sends.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Refusals that no part of the service counts, by their status.
REFUSED = {401: "unknown_key", 403: "wrong_scope", 429: "too_often"}


@contextmanager
def folder_for_workers(home: Path, host: str, port: int) -> Iterator[Path]:
    """A folder that several workers may count in, named in the environment they are started with.

    It is empty at the start: what another run left there is not of this one. Where nothing may be
    written in a home, it is a temporary one.
    """
    # A home may be shared by services and machines, but each listens where no other does.
    name = f"{socket.gethostname()}-{host}-{port}".replace(":", "_").replace("/", "_")
    folder = home / "metrics" / name
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="creatorfit-metrics-"))
    os.environ[FOLDER] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop(FOLDER, None)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Inside:
    """Seconds that went by in stages inside a stage."""

    seconds: float = 0.0


_STAGE: ContextVar[_Inside | None] = ContextVar("stage", default=None)


@dataclass(frozen=True)
class Watched:
    """The parts of the service that count something of themselves."""

    holder: ModelHolder
    recorder: Recorder
    store: Store
    retention: Retention
    limits: Limits


class Metrics:
    """All that is counted. Safe to use from several threads.

    What a request does is counted as it happens. What other parts count of themselves is read from
    them by `look`: they know nothing of Prometheus.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # a series more for each counter, which nothing here reads
        self.registry = registry = CollectorRegistry()
        self._folder = os.environ.get(FOLDER)
        self._seen: dict[tuple[str, ...], float] = {}
        self._looking = threading.Lock()
        self._model: tuple[str, ...] | None = None

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"creatorfit_{name}", told, labels, registry=registry)

        def histogram(name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"creatorfit_{name}", told, labels, buckets=buckets, registry=registry)

        # `live`: of the workers that run; those that ended take theirs with them.
        def gauge(name: str, told: str, *labels: str, of_workers: str = "max") -> Gauge:
            return Gauge(
                f"creatorfit_{name}",
                told,
                labels,
                registry=registry,
                multiprocess_mode=f"live{of_workers}",  # type: ignore[arg-type]
            )

        self.requests = histogram(
            "request_duration_seconds",
            "Time from a request's first byte read to its answer's last byte written.",
            SECONDS,
            "method",
            "route",
            "status",
        )
        self.stages = histogram(
            "stage_duration_seconds",
            "Time in a stage of an answer, without the stages inside it.",
            SECONDS,
            "stage",
        )
        self.eligible_creators = histogram(
            "eligible_creators", "Creators that passed the filters of a brief.", CREATORS
        )
        self.pool = gauge("pool_creators", "Creators that the model knows.", of_workers="min")
        self.model_info = gauge(
            "model_info",
            "1 for the model that is served, 0 for one that was served before.",
            "version",
            "run_id",
            "kind",
        )
        self.model_loaded = gauge(
            "model_loaded", "1 where there is a model to answer with.", of_workers="min"
        )
        self.model_degraded = gauge(
            "model_degraded", "1 where the registry or its champion cannot be used."
        )
        self.loaded_at = gauge(
            "model_loaded_timestamp_seconds", "When the model was loaded.", of_workers="min"
        )
        self.data_at = gauge(
            "model_data_timestamp_seconds",
            "The last moment in the tables that the model was made from.",
            of_workers="min",
        )
        self.swaps = counter("model_swaps_total", "Models taken up, the first one included.")
        self.bundles_refused = counter(
            "bundles_refused_total", "Champions that were refused, by what is wrong.", "reason"
        )
        self.refusals = counter(
            "refusals_total", "Requests refused before they were worked on.", "reason"
        )
        self.running = gauge(
            "requests_running", "Requests that are worked on.", "kind", of_workers="sum"
        )
        self.waiting = gauge(
            "requests_waiting", "Requests that wait for a place.", "kind", of_workers="sum"
        )
        self.answers_waiting = gauge(
            "answers_waiting", "Answers that wait to be written.", of_workers="sum"
        )
        self.answers_written = counter("answers_written_total", "Answers that the database has.")
        self.answers_failed = counter("answers_failed_total", "Answers that could not be stored.")
        self.answers_dropped = counter(
            "answers_dropped_total", "Answers dropped, for more waited than may.", "worth"
        )
        self.answers_deleted = counter(
            "answers_deleted_total", "Stored answers deleted, for they were kept long enough."
        )
        self.database_up = gauge("database_up", "1 where the database answers.", of_workers="min")
        for worth in WORTHS:
            self.answers_dropped.labels(worth)
        for stage in STAGES:
            self.stages.labels(stage)
        for reason in REFUSED.values():
            self.refusals.labels(reason)

    # ------------------------------------------------------------ what a request does

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = method if method in METHODS else "other"
        self.requests.labels(known, route, str(status)).observe(seconds)
        if status in REFUSED:
            self.refusals.labels(REFUSED[status]).inc()

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Times what is done inside, but for the stages inside that."""
        outer, inside = _STAGE.get(), _Inside()
        token = _STAGE.set(inside)
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            _STAGE.reset(token)
            if outer is not None:
                outer.seconds += seconds
            self.stages.labels(name).observe(max(0.0, seconds - inside.seconds))

    def eligible(self, creators: int) -> None:
        """So many creators passed the filters of a brief."""
        self.eligible_creators.observe(creators)

    # ------------------------------------------------------------ what others count of themselves

    async def watch(self, watched: Watched) -> None:
        """Look now and then for ever: another worker may be asked for what this one counts."""
        while True:
            await to_its_end(self._look_at_database, watched.store)
            self.look(watched)
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, watched: Watched) -> None:
        """Read what others count; waits for nothing but the processor."""
        with self._looking:
            self._look_at_model(watched.holder)
            recorder = watched.recorder
            self.answers_waiting.set(recorder.waiting)
            counts = recorder.counts
            self._up_to(self.answers_written, counts.written)
            self._up_to(self.answers_failed, counts.failed)
            for worth, dropped in counts.dropped_by.items():
                self._up_to(self.answers_dropped, dropped, worth)
            self._up_to(self.answers_deleted, watched.retention.deleted)
            self._up_to(self.swaps, watched.holder.swaps)
            for fault in get_args(BundleFault):
                self._up_to(self.bundles_refused, watched.holder.refusals[fault], fault)
            self._look_at_limits(watched.limits)

    def _look_at_limits(self, limits: Limits) -> None:
        for reason, refused in limits.refused.items():
            self._up_to(self.refusals, refused, reason)
        for kind, running in limits.running.items():
            self.running.labels(kind).set(running)
        for kind, waiting in limits.waiting.items():
            self.waiting.labels(kind).set(waiting)

    def _look_at_database(self, store: Store) -> None:
        try:
            store.ping()
        except StoreError:
            self.database_up.set(0)
        else:
            self.database_up.set(1)

    def _look_at_model(self, holder: ModelHolder) -> None:
        served = holder.served
        self.model_loaded.set(served is not None)
        self.model_degraded.set(holder.trouble is not None)
        if served is None:
            return
        version, bundle = served.version, served.bundle
        model = (version.version, version.run_id, bundle.manifest.kind)
        if self._model not in (None, model):
            # Several processes cannot take a label back, but 0 says the same.
            self.model_info.labels(*self._model).set(0)
        self.model_info.labels(*model).set(1)
        self._model = model
        self.pool.set(len(bundle.index))
        self.loaded_at.set(served.loaded_at.timestamp())
        self.data_at.set(bundle.index.as_of_us / 1_000_000)

    def _up_to(self, counter: Counter, total: float, *labels: str) -> None:
        """Let a counter say what a part of the service counted since it began."""
        key = (counter._name, *labels)
        child = counter.labels(*labels) if labels else counter
        child.inc(total - self._seen.get(key, 0))
        self._seen[key] = total

    # ------------------------------------------------------------ what Prometheus gets

    def text(self) -> bytes:
        """All of it in Prometheus' text format; with several workers, of all of them."""
        if self._folder is None:
            return generate_latest(self.registry)
        for file in Path(self._folder).glob("gauge_live*_*.db"):
            pid = int(file.stem.rpartition("_")[2])
            if not _runs(pid):
                mark_process_dead(pid, self._folder)
        all_of_them = CollectorRegistry()
        MultiProcessCollector(all_of_them, self._folder)
        return generate_latest(all_of_them)


def _runs(pid: int) -> bool:
    """Whether a process of that number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
