"""The page, its files, and the small answers that it alone asks for.

The page is plain files in `web/`: no build, and no other host, which its content security policy
makes sure of. What the routes raise becomes HTTP in `app`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Scope

from features.schemas import Name, PlanRequest
from models import curve as curves
from service import wire, wire_page
from service.routes import ASKED, PROBLEMS, holder_of

router = APIRouter()

WEB = Path(__file__).with_name("web")

# What the page says otherwise than an answer of the API (`headers`).
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # Asked again each time, by its tag: a new version of the service has its own page at once.
    "Cache-Control": "no-cache",
}
CURVE_POINTS = 12

# What the server says itself, before the application is asked: uvicorn's parser takes 64 KB.
TOO_LONG: dict[str, Any] = {
    "description": "The address is longer than 64 KB",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


class PageFiles(StaticFiles):
    """The page's files, with its headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        response = await super().get_response(path, scope)
        response.headers.update(PAGE_HEADERS)
        return response


def mount_files(app: FastAPI) -> None:
    """Serve the page's files, compressed, under `/web`."""
    app.mount("/web", GZipMiddleware(PageFiles(directory=WEB), minimum_size=500), name="web")


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """Send the page."""
    return FileResponse(WEB / "index.html", headers=PAGE_HEADERS)


@router.get("/v1/choices", summary="What a brief may choose from", responses={503: PROBLEMS[503]})
def get_choices(request: Request) -> wire_page.ChoicesWire:
    """List the niches, platforms, countries and languages there are, and the currency."""
    return wire_page.choices(holder_of(request).current())


@router.get(
    "/v1/handles", summary="Who creators are", responses={400: TOO_LONG, 503: PROBLEMS[503]}
)
def get_handles(
    request: Request, ids: Annotated[list[Name], Query(alias="id", min_length=1, max_length=500)]
) -> list[wire_page.HandleWire]:
    """Name the creators of some ids; those that are not known are left out."""
    return wire_page.handles(holder_of(request).current(), ids)


@router.get("/v1/map", summary="A map of creators by niche", responses={503: PROBLEMS[503]})
def get_map(request: Request) -> wire_page.MapResponse:
    """Place the creators on a plane on which those of like topics are near each other."""
    return wire_page.creator_map(holder_of(request).current())


@router.post(
    "/v1/portfolios/curve",
    summary="What more or less money would bring",
    responses=ASKED,
)
def plan_curve(
    request: Request,
    brief: Annotated[PlanRequest, Body(examples=[wire.EXAMPLE_PLAN])],
) -> wire_page.CurveResponse:
    """Plan for about twelve budgets, from a tenth of the brief's to twice it. Keeps none of them.

    The budgets are rounded to two digits; the brief's own is among them.
    """
    served = holder_of(request).current()
    budgets = curves.budgets_around(brief.budget.amount, CURVE_POINTS)
    return wire_page.curve(served, curves.curve(served.bundle, brief, budgets))
