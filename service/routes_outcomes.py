"""The routes of outcomes and campaigns. What they raise becomes HTTP in `app`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request

from features.outcomes import Outcome, read_outcomes
from features.schemas import (
    BUDGET_AT_LEAST,
    NUMBER_AT_MOST,
    Brief,
    BriefError,
    FieldFault,
    OutcomesError,
    UnknownCampaign,
    UnknownOutcome,
)
from features.served_rows import Candidates
from features.store import Answer, Store
from models import campaign as campaigns
from models.campaign import promise_of
from models.describe import followers_of
from models.reallocation import planned_promises, reallocate
from service import wire, wire_allocation, wire_outcomes
from service.access import caller_of
from service.recorder import Recorder
from service.reload import ModelHolder
from service.routes import ASKED, holder_of

router = APIRouter()

NOT_KEPT: dict[str, Any] = {
    "model": wire.Problem,
    "description": "The database is away, locked or full; nothing was kept: send it again later",
    "headers": {
        "Retry-After": {"description": "In seconds", "schema": {"type": "integer", "minimum": 1}}
    },
}
NO_MONEY = {"model": wire.Problem, "description": "What is left of the budget is not known"}
ABSENT = {"model": wire.Problem, "description": "Nothing is known of it"}
# An answer that was served a moment ago may still wait to be written.
FLUSH_SECONDS = 2.0
# Answers of a campaign that are read at a time, until every creator of it is found in one.
ANSWERS_A_READ = 20

SponsorshipId = Annotated[str, Path(min_length=1, max_length=200, examples=["s-2041"])]
CampaignId = Annotated[str, Path(min_length=1, max_length=200, examples=["serum-spring"])]


def _store(request: Request) -> Store:
    store: Store = request.state.store
    return store


@router.post(
    "/v1/outcomes",
    summary="Tell what came of collaborations",
    responses={
        400: ASKED[400],
        415: ASKED[415],
        422: {"model": wire.Problem, "description": "Rows at fault: all are named, none is kept"},
        503: NOT_KEPT,
    },
)
def post_outcomes(
    request: Request,
    body: Annotated[
        wire_outcomes.OutcomesBody, Body(examples=[{"outcomes": [wire_outcomes.EXAMPLE_OUTCOME]}])
    ],
) -> wire_outcomes.OutcomesResponse:
    """Keep one outcome, or many: all or none.

    Sent twice, an outcome counts once; sent again with other values it is corrected, and what stood
    there before is kept in its history.
    """
    records, pointer = _records(body)
    store = _store(request)
    answers = _answers_named(store, request.state.recorder, records)
    outcomes, faults = read_outcomes(
        [_completed(record, answers) for record in records],
        _is_creator(holder_of(request)),
        pointer,
    )
    if faults:
        raise OutcomesError(faults)
    return wire_outcomes.written(store.write_outcomes(outcomes, _now_us(), caller_of(request)))


@router.get(
    "/v1/outcomes/{sponsorship_id:path}",
    summary="An outcome and its history",
    responses={404: ABSENT, 503: NOT_KEPT},
)
def get_outcome(request: Request, sponsorship_id: SponsorshipId) -> wire_outcomes.OutcomeResponse:
    """Show an outcome as it stands, and every version of it that was sent."""
    history = _store(request).history(sponsorship_id)
    if not history:
        raise UnknownOutcome(sponsorship_id)
    return wire_outcomes.outcome(history)


@router.get("/v1/campaigns", summary="Campaigns, the latest first", responses={503: NOT_KEPT})
def get_campaigns(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many")] = 50,
) -> wire_outcomes.CampaignsResponse:
    """List the campaigns that plans were asked for by name or outcomes came of."""
    return wire_outcomes.campaigns(_store(request).campaigns(limit + 1), limit)


# Before the next, whose path takes in whatever follows.
@router.get(
    "/v1/campaigns/{campaign_id:path}/allocation",
    summary="Where the remaining budget should go now",
    responses={404: ABSENT, 422: NO_MONEY, 503: NOT_KEPT},
)
def get_allocation(
    request: Request,
    campaign_id: CampaignId,
    remaining: Annotated[
        float | None,
        Query(
            ge=0,
            le=NUMBER_AT_MOST,
            allow_inf_nan=False,
            description="Where no budget and costs tell it",
        ),
    ] = None,
    weeks_left: Annotated[int | None, Query(ge=1, le=520)] = None,
    most_per_conversion: Annotated[
        float | None,
        Query(
            ge=BUDGET_AT_LEAST,
            le=NUMBER_AT_MOST,
            allow_inf_nan=False,
            description="No post is booked for more",
        ),
    ] = None,
) -> wire_allocation.AllocationResponse:
    """Say whom to scale up, hold, scale down or stop, and why, by what came in so far."""
    found = running(_store(request), campaign_id)
    left = found.campaign.remaining if remaining is None else remaining
    if left is None:
        raise BriefError(
            "/query/remaining",
            "say what is left: this campaign has no budget, or a cost of it is not known",
        )
    holder = holder_of(request)
    served = None if holder.served is None else holder.current()
    index = None if served is None else served.bundle.index
    budget = found.campaign.budget
    advice = reallocate(
        found.campaign,
        found.planned,
        {} if index is None else followers_of(index, found.creator_ids),
        max(left, 0.0),
        budget.currency if budget is not None else index.currency if index is not None else "",
        weeks_left=weeks_left,
        most_per_conversion=most_per_conversion,
    )
    return wire_allocation.allocation(advice)


@router.get(
    "/v1/campaigns/{campaign_id:path}",
    summary="A campaign so far against its forecast",
    responses={404: ABSENT, 503: NOT_KEPT},
)
def get_campaign(request: Request, campaign_id: CampaignId) -> wire_outcomes.CampaignResponse:
    """Show what came of a campaign, by creator and in all, beside what was promised of it."""
    return wire_outcomes.campaign(running(_store(request), campaign_id).campaign)


@dataclass(frozen=True)
class Running:
    """A campaign from the database, and what was promised of the creators its plan books."""

    campaign: campaigns.Campaign
    planned: dict[str, campaigns.Promise]

    @property
    def creator_ids(self) -> set[str]:
        return {*self.planned, *(creator.creator_id for creator in self.campaign.creators)}


def running(store: Store, campaign_id: str) -> Running:
    """Read a campaign.

    Raises:
        UnknownCampaign: No outcome or answer names it.
        StoreError: The database is away.
    """
    kept, answers = store.campaign(campaign_id)
    if not kept and not answers:
        raise UnknownCampaign(campaign_id)
    outcomes = [one.outcome for one in kept]
    # The latest plan that was asked for this campaign by name.
    plan = next((a.plan for a in answers if a.plan and a.campaign_id == campaign_id), None)
    picked = [] if plan is None else [pick["creator_id"] for pick in json.loads(plan)["picked"]]
    served = _latest_served(store, answers, outcomes, picked)
    promised = campaigns.promises(outcomes, served)
    briefs = [Brief.model_validate_json(answer.brief) for answer in answers]
    budget = next((brief.budget for brief in briefs if brief.budget is not None), None)
    found = campaigns.so_far(campaign_id, outcomes, promised, budget, _now_us())
    return Running(found, planned_promises(picked, served))


def _latest_served(
    store: Store, answers: list[Answer], outcomes: list[Outcome], picked: list[str]
) -> list[tuple[str, Candidates]]:
    """Candidates of a campaign's answers, the latest first, as far as a promise may be in them.

    Those that outcomes name, and of the others as many as hold every creator of the campaign. A
    plan may be asked for hundreds of times; reading 600 answers took 15 s on a busy machine.
    """
    named = {outcome.recommendation_id for outcome in outcomes}
    order = [answer.recommendation_id for answer in answers]
    served = dict(_served(store, [one for one in order if one in named]))
    wanted = set(picked)
    for outcome in outcomes:
        answer = outcome.recommendation_id or ""
        if answer not in served or promise_of(answer, served[answer], outcome.creator_id) is None:
            wanted.add(outcome.creator_id)
    latest = 0
    while wanted and latest < len(order):
        fresh = _served(store, order[latest : latest + ANSWERS_A_READ])
        wanted -= {one for one in wanted if any(promise_of(*each, one) for each in fresh)}
        served |= dict(fresh)
        latest += ANSWERS_A_READ
    return [(one, served[one]) for one in order if one in served]


def _served(store: Store, recommendation_ids: list[str]) -> list[tuple[str, Candidates]]:
    if not recommendation_ids:
        return []
    return [
        (answer.recommendation_id, candidates)
        for answer, candidates in store.served(recommendation_ids)
    ]


def _records(body: dict[str, Any]) -> tuple[list[object], Callable[[int], str]]:
    """The outcomes of a body, and the JSON pointer to each."""
    if "outcomes" not in body:
        return [body], lambda _: ""
    extra = [
        FieldFault(f"/{name}", "there is no such field") for name in body if name != "outcomes"
    ]
    if extra:
        raise OutcomesError(extra)
    sent = body["outcomes"]
    most = wire_outcomes.OUTCOMES_AT_MOST
    if not isinstance(sent, list) or not 1 <= len(sent) <= most:
        found = f"{len(sent):,} of them" if isinstance(sent, list) else "no array"
        reason = f"an array of 1 to {most:,} outcomes, not {found}"
        raise OutcomesError([FieldFault("/outcomes", reason)])
    return sent, lambda position: f"/outcomes/{position}"


def _answers_named(store: Store, recorder: Recorder, records: list[object]) -> dict[str, Answer]:
    """The stored answers that outcomes name, by id."""
    said = [record.get("recommendation_id") for record in records if isinstance(record, dict)]
    named = {value for value in said if isinstance(value, str) and _is_plain(value)}
    if not named:
        return {}
    found = store.answers(sorted(named))
    if len(found) < len(named) and recorder.flush(FLUSH_SECONDS):
        found = store.answers(sorted(named))
    return found


def _is_plain(text: str) -> bool:
    """Whether a database can look for a text: one with other characters is told of as at fault."""
    return text.isascii() and text.isprintable()


def _completed(record: object, answers: dict[str, Answer]) -> object:
    """An outcome with what the answer it names tells, where it does not say so itself."""
    if not isinstance(record, dict):
        return record
    named = record.get("recommendation_id")
    answer = answers.get(named) if isinstance(named, str) else None
    if answer is None:
        return record
    told = {
        "brand": answer.brand,
        "brief": Brief.model_validate_json(answer.brief).query,
        "started_at": wire.moment(answer.served_at_us),
    }
    return record | {name: value for name, value in told.items() if record.get(name) is None}


def _is_creator(holder: ModelHolder) -> Callable[[str], bool] | None:
    """Whether the model that is served knows a creator: training would refuse any other.

    None where there is no model to ask.
    """
    if holder.served is None:
        return None
    return holder.current().bundle.index.knows


def _now_us() -> int:
    return time.time_ns() // 1_000
