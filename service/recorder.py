"""Keeps what was served, beside the answers and never in their way.

A thread writes to the database what requests leave in a queue. Where the database is away, or
slower than requests come, what was served is dropped and counted: an answer never waits for it.
Knows nothing of HTTP.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import queue
import threading
import time
from dataclasses import dataclass

from features.schemas import Brief, PlanRequest, StoreError
from features.served_rows import Candidates
from features.store import Answer, Kind, Store
from features.windows import Floats, Ints
from models.answer import Plan
from models.ranker import Answered, Portfolio
from models.scoring import Scored
from models.served import candidates_of
from service.reload import Served

log = logging.getLogger("creatorfit.recorder")

# Of 200 candidates one answer is about 0.1 MB: a full queue is about 25 MB.
QUEUE = 256
CLOSE_SECONDS = 10.0


@dataclass
class Counts:
    """What became of the answers served since the start."""

    written: int = 0
    dropped: int = 0  # the queue was full
    failed: int = 0  # the database did not take it


class Recorder:
    """Writes what was served.

    Args:
        store: Where to.
        at_most: Candidates kept of each answer, unless more were shown.
        background: Whether to write in a thread; else `record` returns when it is written.
        size: Answers that may wait.
    """

    def __init__(
        self, store: Store, at_most: int, *, background: bool = True, size: int = QUEUE
    ) -> None:
        self.store = store
        self.at_most = at_most
        self.counts = Counts()
        self._trouble: str | None = None
        self._queue: queue.Queue[tuple[Answer, Candidates] | None] = queue.Queue(size)
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    def record_answered(
        self, recommendation_id: str, served: Served, brief: Brief, answered: Answered
    ) -> None:
        """Keep a recommendation."""
        answer = answered.recommendation
        self.record(
            recommendation_id,
            served,
            brief,
            answered.scored,
            answered.order,
            len(answer.items),
            plan=answer.portfolio,
            propensity=answered.propensity,
        )

    def record_portfolio(
        self, recommendation_id: str, served: Served, request: PlanRequest, found: Portfolio
    ) -> None:
        """Keep a plan; those booked count as shown, in no order of worth."""
        self.record(
            recommendation_id,
            served,
            request,
            found.scored,
            found.order,
            len(found.plan.picked),
            kind="portfolio",
            plan=found.plan,
            campaign_id=request.campaign_id,
        )

    def record(
        self,
        recommendation_id: str,
        served: Served,
        brief: Brief,
        scored: Scored,
        order: Ints,
        shown: int,
        *,
        kind: Kind = "recommendation",
        plan: Plan | None = None,
        propensity: Floats | None = None,
        campaign_id: str | None = None,
    ) -> None:
        """Keep an answer. Whatever happens, it raises nothing.

        Args:
            recommendation_id: What the answer is known by.
            served: The model that answered.
            brief: What was asked.
            scored: All candidates.
            order: Rows of `scored`, best first; the first `shown` were shown in this order.
            shown: How many were shown.
            kind: What was answered.
            plan: How the budget is spent, where there is one.
            propensity: As `models.served.candidates_of` takes it.
            campaign_id: The campaign it was asked for.
        """
        try:
            answer = Answer(
                recommendation_id=recommendation_id,
                kind=kind,
                served_at_us=time.time_ns() // 1_000,
                brief=brief.model_dump_json(include=set(Brief.model_fields)),
                brand=brief.brand.name,
                run_id=served.version.run_id,
                model_version=served.version.version,
                as_of_us=served.bundle.index.as_of_us,
                campaign_id=campaign_id,
                plan=None if plan is None else json.dumps(dataclasses.asdict(plan)),
            )
            candidates = candidates_of(
                served.bundle,
                scored,
                order,
                shown,
                at_most=self.at_most,
                planned=() if plan is None else tuple(pick.creator_id for pick in plan.picked),
                propensity=propensity,
            )
            if self._thread is None:
                self._write(answer, candidates)
            else:
                self._queue.put_nowait((answer, candidates))
        except queue.Full:
            self.counts.dropped += 1
            self._tell(f"more than {self._queue.maxsize} answers wait to be written")
        except Exception:
            # Whatever it was, whoever asked gets the answer.
            self.counts.failed += 1
            log.exception("an answer is not kept")

    def flush(self, seconds: float) -> bool:
        """Wait until all that was served so far is written; say whether it is."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self._queue.unfinished_tasks

    def close(self) -> None:
        """Write what waits, for as long as `CLOSE_SECONDS`, and stop."""
        if self._thread is None:
            return
        self.flush(CLOSE_SECONDS)
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self.counts.dropped += self._queue.qsize()
            return
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            waiting = self._queue.get()
            try:
                if waiting is None:
                    return
                self._write(*waiting)
            except Exception:
                # Whatever it was, the next answer is written all the same.
                self.counts.failed += 1
                log.exception("an answer is not kept")
            finally:
                self._queue.task_done()

    def _write(self, answer: Answer, candidates: Candidates) -> None:
        try:
            self.store.record(answer, candidates)
        except StoreError as error:
            self.counts.failed += 1
            self._tell(str(error))
        else:
            self.counts.written += 1
            self._trouble = None

    def _tell(self, trouble: str) -> None:
        """Warn once of each trouble, not once for each answer."""
        if trouble != self._trouble:
            log.warning("what was served is not kept: %s", trouble)
        self._trouble = trouble
