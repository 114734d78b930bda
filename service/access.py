"""Who may come in: what each route needs, who asks, and how often they may.

Every request passes `Access` before anything of it is read. What a route needs stands in `NEEDS`
and nowhere else; what does not stand there is closed. Knows nothing of what routes answer.

Where the setting is `auto`, this machine's own programs need no key. Each request is asked for that
(`loopback`), and no setting of an address: so it holds however the application is started.
"""

from __future__ import annotations

import math
import time
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from features.schemas import StoreAway
from features.store_changes import ANYBODY
from features.store_keys import Scope as KeyScope
from service.allowance import Allowance
from service.keyring import Keyring
from service.loopback import is_of_this_machine
from service.problems import problem
from service.settings import ServiceSettings

# What a key must be good for at each route; None: no key is needed. The page, its files and the
# description of the API hold nothing of yours.
NEEDS: dict[tuple[str, str], KeyScope | None] = {
    ("GET", "/"): None,
    ("GET", "/web/{path:path}"): None,
    ("GET", "/docs"): None,
    ("GET", "/docs/files/{path:path}"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): KeyScope.METRICS,
    ("GET", "/v1/changes"): KeyScope.ADMIN,
    ("POST", "/v1/recommendations"): KeyScope.RECOMMEND,
    ("POST", "/v1/recommendations.{kind}"): KeyScope.RECOMMEND,
    ("POST", "/v1/portfolios"): KeyScope.RECOMMEND,
    ("POST", "/v1/portfolios.{kind}"): KeyScope.RECOMMEND,
    ("POST", "/v1/portfolios/curve"): KeyScope.RECOMMEND,
    ("GET", "/v1/creators/{creator_id:path}/similar"): KeyScope.RECOMMEND,
    ("GET", "/v1/creators/{creator_id:path}"): KeyScope.RECOMMEND,
    ("GET", "/v1/choices"): KeyScope.RECOMMEND,
    ("GET", "/v1/handles"): KeyScope.RECOMMEND,
    ("GET", "/v1/map"): KeyScope.RECOMMEND,
    ("GET", "/v1/model"): KeyScope.RECOMMEND,
    ("GET", "/v1/campaigns"): KeyScope.RECOMMEND,
    ("GET", "/v1/campaigns/{campaign_id:path}/allocation"): KeyScope.RECOMMEND,
    ("GET", "/v1/campaigns/{campaign_id:path}"): KeyScope.RECOMMEND,
    ("POST", "/v1/outcomes"): KeyScope.OUTCOMES,
    ("GET", "/v1/outcomes/{sponsorship_id:path}"): KeyScope.OUTCOMES,
}
# What asks for no key on loopback even where others do: who collects figures runs beside it.
FREE_ON_LOOPBACK = (("GET", "/metrics"),)

_PATTERNS = [(method, compile_path(path)[0], path) for method, path in NEEDS]


class Access:
    """ASGI middleware: refuses whoever may not come in; says of others who they are.

    A route finds that by `caller_of`.

    Args:
        app: What requests are for.
        settings: Where keys are asked for, and how often one may ask.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self.app = app
        self.access = settings.access
        self.allowance = Allowance(settings.key_requests_per_minute, settings.key_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        method, path = "GET" if scope["method"] == "HEAD" else scope["method"], scope["path"]
        route = route_of(method, path)
        if self.access == "open" or (route is not None and NEEDS[route] is None):
            return None
        if is_of_this_machine(scope) and (self.access == "auto" or route in FREE_ON_LOOPBACK):
            return None
        sent = bearer(Headers(scope=scope))
        if sent is None:
            return _unknown("send an API key, as `Authorization: Bearer KEY`", "")
        keyring: Keyring = scope["state"]["keyring"]
        try:
            key = keyring.find(sent)
        except StoreAway as error:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if key is None:
            told = "this API key is not known here: it is mistyped, revoked or has expired"
            return _unknown(told, ', error="invalid_token"')
        wait = self.allowance.take(key.key_id, time.monotonic())
        if wait > 0:
            seconds = math.ceil(wait)
            told = f"key {key.key_id} asks too often: ask again in {seconds} s"
            headers = {"Retry-After": str(seconds)}
            return problem(HTTPStatus.TOO_MANY_REQUESTS, told, headers=headers)
        if route is None:
            return _no_route(path)
        need = NEEDS[route]
        if need is not None and need not in key.scopes:
            told = f"this needs a key of scope `{need}`; {key.key_id} has {', '.join(key.scopes)}"
            challenge = f'Bearer error="insufficient_scope", scope="{need}"'
            return problem(HTTPStatus.FORBIDDEN, told, headers={"WWW-Authenticate": challenge})
        scope["state"]["caller"] = key.key_id
        return None


def _unknown(told: str, error: str) -> JSONResponse:
    challenge = {"WWW-Authenticate": f'Bearer realm="creatorfit"{error}'}
    return problem(HTTPStatus.UNAUTHORIZED, told, headers=challenge)


def _no_route(path: str) -> JSONResponse:
    """What the router would say, but of the routes that stand in `NEEDS` alone."""
    methods = sorted(method for method, pattern, _ in _PATTERNS if pattern.fullmatch(path))
    if not methods:
        return problem(HTTPStatus.NOT_FOUND, "Not Found")
    allow = {"Allow": ", ".join(methods)}
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed", headers=allow)


def route_of(method: str, path: str) -> tuple[str, str] | None:
    """The key in `NEEDS` of a request; None where there is none."""
    for of_method, pattern, template in _PATTERNS:
        if of_method == method and pattern.fullmatch(path):
            return method, template
    return None


def bearer(headers: Headers) -> str | None:
    """The key that was sent; None where there is none, or more than one."""
    sent = headers.getlist("authorization")
    scheme, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else None


def caller_of(request: Request) -> str:
    """Who asks: the id of a key, or `ANYBODY` where none was asked for."""
    caller: str = getattr(request.state, "caller", ANYBODY)
    return caller
