"""The application: lifespan, state, and the table that turns failures into HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TypedDict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from threadpoolctl import threadpool_limits

from features.schemas import (
    FAULTS_SHOWN,
    BriefError,
    CreatorfitError,
    DataError,
    NoModel,
    OutcomesError,
    StoreError,
    UnknownCampaign,
    UnknownCreator,
    UnknownOutcome,
)
from features.store import Store, open_store
from service.guard import guard
from service.keyring import Keyring
from service.limits import REFUSALS, Limits, LimitsMiddleware
from service.metrics import Metrics, Watched
from service.observe import Observing, route_of
from service.openapi import describe, operation_id
from service.problems import problem
from service.recorder import Recorder
from service.reload import ModelHolder
from service.retention import Retention
from service.routes import router
from service.routes_changes import router as changes_router
from service.routes_docs import mount_docs
from service.routes_docs import router as docs_router
from service.routes_export import router as export_router
from service.routes_metrics import router as metrics_router
from service.routes_outcomes import router as outcomes_router
from service.routes_page import mount_files
from service.routes_page import router as page_router
from service.settings import ServiceSettings
from service.tracing import open_tracing
from service.wire import FieldError, fault_in_words, json_pointer

log = logging.getLogger("creatorfit.app")

# The domain's failures as HTTP; what is not named here is the service's own fault.
STATUS: dict[type[CreatorfitError], HTTPStatus] = {
    BriefError: HTTPStatus.UNPROCESSABLE_ENTITY,
    OutcomesError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownCreator: HTTPStatus.NOT_FOUND,
    UnknownOutcome: HTTPStatus.NOT_FOUND,
    UnknownCampaign: HTTPStatus.NOT_FOUND,
    NoModel: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    DataError: HTTPStatus.SERVICE_UNAVAILABLE,  # the list of creators to be forgotten is damaged
}


class State(TypedDict):
    """What a request finds in `request.state`."""

    holder: ModelHolder
    store: Store
    recorder: Recorder
    limits: Limits
    keyring: Keyring
    metrics: Metrics
    watched: Watched


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: How to run; from the environment where not given.
    """
    settings = settings or ServiceSettings()
    limits = Limits(settings)
    metrics = Metrics()
    traces = open_tracing(settings.traces)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        limits.provide_threads()
        holder = ModelHolder(settings)
        store = open_store(settings.store_url, settings.database_wait_seconds)
        recorder = Recorder(store, settings.log_candidates, holder.forgotten)
        keyring = Keyring(store, background=settings.access != "open")
        await asyncio.gather(
            asyncio.to_thread(holder.start), asyncio.to_thread(_prepare, store, keyring)
        )
        retention = Retention(store, settings.keep_served_days)
        watched = Watched(holder, recorder, store, retention, limits)
        beside = (holder.poll(), retention.run(), metrics.watch(watched))
        tasks = [asyncio.create_task(one) for one in beside]
        # A request is one thread's work, and several are answered at once: products of matrices
        # that each took every core would wait for one another.
        with threadpool_limits(1, user_api="blas"):
            yield {
                "holder": holder,
                "store": store,
                "recorder": recorder,
                "limits": limits,
                "keyring": keyring,
                "metrics": metrics,
                "watched": watched,
            }
        retention.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(recorder.close)
        await asyncio.to_thread(keyring.close)
        store.close()
        if traces is not None:
            traces.close()

    app = FastAPI(
        title="creatorfit",
        version="1",
        summary="Which creators should this brand work with, and what will come of it?",
        docs_url=None,  # `routes_docs` has our own
        redoc_url=None,
        lifespan=lifespan,
        responses=REFUSALS,
        generate_unique_id_function=operation_id,
        # FastAPI's own would tell whole paths and queries, and so the ids of creators.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    app.add_middleware(LimitsMiddleware, limits=limits)
    app.include_router(page_router)
    app.include_router(export_router)
    app.include_router(router)
    app.include_router(outcomes_router)
    app.include_router(changes_router)
    app.include_router(docs_router)
    app.include_router(metrics_router)
    mount_files(app)
    mount_docs(app)
    guard(app, settings)
    app.add_exception_handler(CreatorfitError, _domain_failure)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_failure)
    # Last, so outermost; it answers with the handler of what nobody else handles.
    app.add_middleware(Observing, metrics=metrics, traces=traces, failed=_own_failure)
    return app


def _prepare(store: Store, keyring: Keyring) -> None:
    """Bring the tables up before requests come; where the database is away, one of them will."""
    try:
        store.prepare()
        keyring.refresh()
    except StoreError as error:
        log.warning("the database cannot be used yet: %s", error)


async def _domain_failure(request: Request, error: Exception) -> JSONResponse:
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            if isinstance(error, BriefError):
                field = FieldError(pointer=error.pointer, detail=error.reason)
                return problem(status, str(error), [field])
            if isinstance(error, OutcomesError):
                fields = [FieldError(pointer=f.pointer, detail=f.reason) for f in error.faults]
                return problem(status, str(error), fields)
            return problem(status, str(error))
    return await _own_failure(request, error)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
        detail = "send the body with the header content-type: application/json"
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    errors = []
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    faults = error.errors()
    for fault in faults[:FAULTS_SHOWN]:
        where, *place = fault["loc"]
        if fault["type"] == "json_invalid":
            detail = f"no JSON at character {place[0]}: {fault['ctx']['error']}"
            return problem(HTTPStatus.BAD_REQUEST, detail)
        pointer = json_pointer(place)
        if where != "body":
            pointer = f"/{where}{pointer}"
        detail = fault_in_words(fault["type"], fault["msg"])
        errors.append(FieldError(pointer=pointer, detail=_reason(detail, fault["input"])))
    first = errors[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return problem(status, f"{first.pointer or 'body'}: {first.detail}{more}", errors)


def _reason(message: str, value: object) -> str:
    """What is wrong, with the value where it is short enough to show."""
    if isinstance(value, dict) or (isinstance(value, list | str) and len(value) > 80):
        return message
    shown = repr(value)
    return f"{message}, not {shown}" if len(shown) <= 80 else message


async def _http_failure(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = problem(HTTPStatus(error.status_code), str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _own_failure(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, route_of(request.scope), exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says how")
