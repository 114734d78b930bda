"""The routes: one short function each. What they raise becomes HTTP in `app`."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from features.schemas import Brief, PlanRequest
from models import describe, ranker
from service import wire
from service.recorder import Recorder
from service.reload import ModelHolder, Served

router = APIRouter()

PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": wire.Problem, "description": "No creator of that id"},
    415: {"model": wire.Problem, "description": "The body is not said to be JSON"},
    422: {"model": wire.Problem, "description": "A field is wrong; `errors` names it"},
    503: {"model": wire.Problem, "description": "There is no model to answer with yet"},
}

# What may go wrong with a brief that is sent.
ASKED: dict[int | str, dict[str, Any]] = {
    400: {"model": wire.Problem, "description": "The body is no JSON"},
    415: PROBLEMS[415],
    422: PROBLEMS[422],
    503: PROBLEMS[503],
}

# And with a creator that is asked for.
SHOWN: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (404, 422, 503)}

# Ids may hold slashes (some are URLs), so their routes take the rest of the path, the longer first.
CreatorId = Annotated[str, Path(min_length=1, max_length=200, examples=["c000017"])]


def holder_of(request: Request) -> ModelHolder:
    """What holds the model."""
    holder: ModelHolder = request.state.holder
    return holder


def _recorder(request: Request) -> Recorder:
    recorder: Recorder = request.state.recorder
    return recorder


def _served(request: Request) -> Served:
    return holder_of(request).current()


@router.post(
    "/v1/recommendations",
    summary="Rank creators for a brief",
    response_model=wire.RecommendationResponse,
    responses=ASKED,
)
def recommend(
    request: Request,
    brief: Annotated[Brief, Body(examples=[wire.EXAMPLE_BRIEF])],
) -> Response:
    """Rank creators for a brief, with reasons and, where it has a budget, a plan."""
    served = _served(request)
    recommendation_id = uuid.uuid4()
    answered = ranker.answer(served.bundle, brief, seed=recommendation_id.int)
    _recorder(request).record_answered(str(recommendation_id), served, brief, answered)
    body = wire.recommendation(str(recommendation_id), served, answered.recommendation)
    return Response(body, media_type="application/json")


@router.post(
    "/v1/portfolios",
    summary="Spread a budget over creators",
    responses=ASKED,
)
def plan(
    request: Request,
    brief: Annotated[PlanRequest, Body(examples=[wire.EXAMPLE_PLAN])],
) -> wire.PortfolioResponse:
    """Plan whom to book for a budget, with overlap, a forecast, and one large account beside it."""
    served = _served(request)
    recommendation_id = str(uuid.uuid4())
    found = ranker.portfolio(served.bundle, brief)
    _recorder(request).record_portfolio(recommendation_id, served, brief, found)
    return wire.portfolio(recommendation_id, served, found)


@router.get("/v1/creators/{creator_id:path}/similar", summary="Lookalikes", responses=SHOWN)
def get_similar(
    request: Request, creator_id: CreatorId, limit: Annotated[int, Query(ge=1, le=500)] = 20
) -> wire.SimilarResponse:
    """Find the creators whose topics are most like one's."""
    served = _served(request)
    return wire.similar(creator_id, served, describe.similar(served.bundle, creator_id, limit))


@router.get("/v1/creators/{creator_id:path}", summary="A creator's profile", responses=SHOWN)
def get_creator(request: Request, creator_id: CreatorId) -> wire.CreatorResponse:
    """Show a creator: niche mix, signals, past sponsorships, recent posts."""
    served = _served(request)
    return wire.creator(served, describe.creator_profile(served.bundle, creator_id))


@router.get("/v1/model", summary="What is being served", responses={503: PROBLEMS[503]})
def get_model(request: Request) -> wire.ModelResponse:
    """Show which model is served, its figures, when it was loaded, and a champion that is not."""
    return wire.model(_served(request), holder_of(request).refused)


@router.get("/healthz", summary="Alive")
def healthz() -> wire.HealthResponse:
    """Say that the process is alive."""
    return wire.HealthResponse(status="alive")


@router.get(
    "/readyz",
    summary="A model is loaded; degraded where the registry is away",
    responses={503: PROBLEMS[503]},
)
def readyz(request: Request) -> wire.HealthResponse:
    """Say that a model is loaded."""
    holder = holder_of(request)
    holder.current()
    if holder.trouble is None:
        return wire.HealthResponse(status="ready")
    return wire.HealthResponse(status="degraded", detail=holder.trouble)
