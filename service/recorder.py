"""Keeps what was served, beside the answers and never in their way.

A thread writes to the database what requests leave in a queue: the answers that are worth most
first. While the database is away they wait for it; where more come than may wait, those worth least
are dropped and counted: an answer never waits for any of it. Knows nothing of HTTP.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from dataclasses import dataclass, field

from features.forgotten import Forgotten, ForgottenList
from features.schemas import Brief, DataError, PlanRequest, StoreAway, StoreError
from features.served_rows import Candidates, without, without_names
from features.store import Answer, Kind, Store
from features.windows import Floats, Ints
from models.answer import Plan
from models.ranker import Answered, Portfolio
from models.scoring import Scored
from models.served import candidates_of
from service.reload import Served
from service.waiting import Waiting

log = logging.getLogger("creatorfit.recorder")

# Of 200 candidates one answer is about 0.1 MB: a full queue is about 25 MB.
QUEUE = 256
CLOSE_SECONDS = 10.0
# Between two tries while the database is away: the first, and the longest after doubling.
AGAIN_SECONDS = (0.2, 5.0)
# What an answer is worth, the least first. Any answer may be learned from later, one as well as
# another. A plan was made to be booked by: outcomes will name it. And without the plan that was
# asked for a campaign by name, that campaign has nothing to be compared with, nor to be steered by.
WORTHS = ("recommendation", "planned", "portfolio", "campaign")


def worth_of(answer: Answer) -> str:
    """Which of `WORTHS` an answer is of; `planned` is a recommendation with a plan for a budget."""
    if answer.campaign_id is not None:
        return "campaign"
    if answer.kind == "portfolio":
        return "portfolio"
    return "recommendation" if answer.plan is None else "planned"


@dataclass
class Counts:
    """What became of the answers served since the start.

    Attributes:
        written: The database has them.
        failed: The database refused them, or they could not be put into its form.
        dropped_by: More waited than may, or the service ended before the database was back; by
            what they were worth.
    """

    written: int = 0
    failed: int = 0
    dropped_by: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WORTHS, 0))

    @property
    def dropped(self) -> int:
        """How many were dropped in all."""
        return sum(self.dropped_by.values())


def _unnamed(
    answer: Answer, candidates: Candidates, forgotten: Forgotten
) -> tuple[Answer, Candidates]:
    """An answer as it may be kept: nobody on a list is named in it."""
    if len(forgotten) == 0:
        return answer, candidates
    brief, plan = (without_names(text, forgotten) for text in (answer.brief, answer.plan))
    left = without(candidates, forgotten)
    return (
        dataclasses.replace(
            answer,
            brief=answer.brief if brief is None else brief,
            plan=answer.plan if plan is None else plan,
        ),
        candidates if left is None else left,
    )


class Recorder:
    """Writes what was served.

    Args:
        store: Where to.
        at_most: Candidates kept of each answer, unless more were shown.
        forgotten: Creators of whom nothing is kept, also where they were put on the list after they
            were shown; nobody where not given.
        background: Whether to write in a thread; else `record` returns when it is written.
        size: Answers that may wait.
    """

    def __init__(
        self,
        store: Store,
        at_most: int,
        forgotten: ForgottenList | None = None,
        *,
        background: bool = True,
        size: int = QUEUE,
    ) -> None:
        self.store = store
        self.at_most = at_most
        self.forgotten = forgotten
        self.counts = Counts()
        self._counting = threading.Lock()
        self._trouble: str | None = None
        self._waiting: Waiting[tuple[Answer, Candidates]] = Waiting(WORTHS, size)
        self._again = threading.Event()  # no need to wait longer before the next try
        self._closing = False
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> int:
        """How many answers wait to be written."""
        return len(self._waiting)

    @property
    def size(self) -> int:
        """How many may wait."""
        return self._waiting.size

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
                return
            lost = self._waiting.put(worth_of(answer), (answer, candidates))
            if lost is not None:
                self._drop(lost)
                self._tell(f"more than {self.size} answers wait to be written")
        except Exception as error:
            # Whatever it was, whoever asked gets the answer.
            self._fail(error)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was served so far is written; say whether it is."""
        self._again.set()
        return self._waiting.wait_empty(seconds)

    def close(self) -> None:
        """Write what waits, unless the database is away, for as long as `CLOSE_SECONDS`; stop."""
        if self._thread is None:
            return
        self._closing = True
        self._again.set()
        self._waiting.close()
        self._thread.join(CLOSE_SECONDS)
        lost = self._waiting.clear()
        for worth in lost:
            self._drop(worth)
        if lost:
            log.warning("%d answers are not kept: the service ends before they are", len(lost))

    def _run(self) -> None:
        pause, longest = AGAIN_SECONDS
        while (taken := self._waiting.take()) is not None:
            worth, thing = taken
            try:
                self._write(*thing)
            except (StoreAway, DataError) as error:  # the second: whom to leave out is not known
                self._tell(str(error), "waits to be kept")
                self._again.clear()
                lost = self._waiting.put_back(worth, thing)
                if lost is not None:
                    self._drop(lost)
                if self._closing:
                    return
                self._again.wait(pause)
                pause = min(2 * pause, longest)
                continue
            except Exception as error:
                # Whatever it was, the next answer is written all the same.
                self._fail(error)
            self._waiting.done()
            pause = AGAIN_SECONDS[0]

    def _write(self, answer: Answer, candidates: Candidates) -> None:
        listed = Forgotten() if self.forgotten is None else self.forgotten.now()
        self.store.record(*_unnamed(answer, candidates, listed))
        self.counts.written += 1
        self._trouble = None
        if self.forgotten is not None:
            self._forget_since(self.forgotten, listed)

    def _forget_since(self, forgotten: ForgottenList, listed: Forgotten) -> None:
        """Leave nobody in what was written while they were put on the list.

        `forget` first writes the list and then looks through the database: it either finds what was
        written, or is seen here.
        """
        try:
            later = forgotten.now()
            if later is not listed:
                self.store.forget(later)
        except (StoreError, DataError) as error:
            told = "somebody forgotten just now may stand in an answer kept just now: %s; run "
            log.error(told + "`python -m training forget` again, without ids", error)

    def _drop(self, worth: str) -> None:
        with self._counting:
            self.counts.dropped_by[worth] += 1

    def _fail(self, error: Exception) -> None:
        with self._counting:
            self.counts.failed += 1
        if isinstance(error, StoreError):
            self._tell(str(error))
        else:
            log.error("an answer is not kept", exc_info=error)

    def _tell(self, trouble: str, becomes: str = "is not kept") -> None:
        """Warn once of each trouble, not once for each answer."""
        if trouble != self._trouble:
            log.warning("what was served %s: %s", becomes, trouble)
        self._trouble = trouble
