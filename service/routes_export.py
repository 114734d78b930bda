"""Lists and plans to take away. What the routes raise becomes HTTP in `app`."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request, Response

from features.schemas import Brief, PlanRequest
from models import ranker
from service import export, wire
from service.reload import Served
from service.routes import ASKED, holder_of

router = APIRouter()

Kind = Literal["csv", "xlsx"]
MEDIA_TYPES: dict[Kind, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {kind.split(";")[0]: {} for kind in MEDIA_TYPES.values()},
    },
    **ASKED,
}


@router.post(
    "/v1/recommendations.{kind}",
    summary="A ranked list as CSV or XLSX",
    response_class=Response,
    responses=FILE,
)
def export_list(
    request: Request,
    kind: Kind,
    brief: Annotated[Brief, Body(examples=[wire.EXAMPLE_BRIEF])],
    recommendation_id: Annotated[
        uuid.UUID | None,
        Query(description="The answer to repeat: places given by chance fall the same way again"),
    ] = None,
) -> Response:
    """Rank creators for a brief, as a file. The workbook holds the plan too; nothing is recorded.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    served = holder_of(request).current()
    seed = 0 if recommendation_id is None else recommendation_id.int
    answer = ranker.recommend(served.bundle, brief, seed)
    tables = [export.list_table(answer.items, served.bundle.index.currency)]
    if answer.portfolio is not None:
        tables.append(export.plan_table(answer.portfolio))
    about = export.about_table(brief, answer.pool, answer.portfolio, _model(served))
    return _file("creators", kind, [*tables, about])


@router.post(
    "/v1/portfolios.{kind}",
    summary="A plan as CSV or XLSX",
    response_class=Response,
    responses=FILE,
)
def export_plan(
    request: Request, kind: Kind, brief: Annotated[PlanRequest, Body(examples=[wire.EXAMPLE_PLAN])]
) -> Response:
    """Spread a budget over creators, as a file. Nothing is recorded.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    served = holder_of(request).current()
    found = ranker.portfolio(served.bundle, brief)
    about = export.about_table(brief, found.pool, found.plan, _model(served))
    return _file("plan", kind, [export.plan_table(found.plan), about])


def _model(served: Served) -> str:
    ref = wire.model_ref(served)
    return f"{ref.name} version {ref.version} ({ref.kind})"


def _file(name: str, kind: Kind, tables: list[export.Table]) -> Response:
    """A file to be kept; CSV has one table, the first."""
    body = export.to_csv(tables[0]) if kind == "csv" else export.to_xlsx(tables)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(body, media_type=MEDIA_TYPES[kind], headers=headers)
