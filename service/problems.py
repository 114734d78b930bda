"""Problem documents (RFC 9457): how the service tells what went wrong.

Knows nothing of what may go wrong: `app` has the table of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse

from service.headers import API_HEADERS
from service.logs import request_id
from service.wire import FieldError, Problem

PROBLEM_JSON = "application/problem+json"
# When to ask again after a 503: a database that is locked or restarted is back within seconds.
RETRY_AFTER_SECONDS = 5


def problem(
    status: HTTPStatus,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document.

    It has the headers of every answer by itself: the outermost handler of failures lies outside the
    middleware that sets them.
    """
    body = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        errors=errors or [],
        request_id=request_id(),
    )
    said = {**API_HEADERS, **(headers or {})}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        said.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return JSONResponse(
        body.model_dump(), status_code=status, headers=said, media_type=PROBLEM_JSON
    )
