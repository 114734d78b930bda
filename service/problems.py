"""Problem documents (RFC 9457): how each refusal of the service looks. Knows no reasons."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse

from service.wire import FieldError, Problem

PROBLEM_JSON = "application/problem+json"
# When to ask again after a 503: a database that is locked or restarted is back within seconds.
RETRY_AFTER_SECONDS = 5


def problem(
    status: HTTPStatus,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document.

    Args:
        status: Its status; a 503 says when to ask again, after `RETRY_AFTER_SECONDS` unless
            `headers` know better.
        detail: What is wrong, in words.
        errors: The fields at fault.
        headers: To go with it.
    """
    body = Problem(title=status.phrase, status=status, detail=detail, errors=errors or [])
    own = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        own["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(
        body.model_dump(),
        status_code=status,
        headers=own | (headers or {}),
        media_type=PROBLEM_JSON,
    )
