"""The API's own description, made true: problem documents, and where each answer leads.

FastAPI writes it from the routes; this says what it cannot know. Knows nothing of what is answered.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from service.access import FREE_ON_LOOPBACK, NEEDS
from service.problems import PROBLEM_JSON

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_METHODS = ("get", "post", "put", "patch", "delete")
# What FastAPI writes of a request at fault; here that is a problem document like any other.
_NOT_OURS = ("HTTPValidationError", "ValidationError")

_CREATOR, _CAMPAIGN = "creator_id", "campaign_id"

# By operation: what its answer leads to, by name, as the operation and its parameters
# (https://spec.openapis.org/oas/v3.1.0#link-object).
LINKS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "recommend": {
        "creator": ("get_creator", {_CREATOR: "$response.body#/items/0/creator_id"}),
        "similar": ("get_similar", {_CREATOR: "$response.body#/items/0/creator_id"}),
    },
    "plan": {
        "creator": ("get_creator", {_CREATOR: "$response.body#/portfolio/picked/0/creator_id"}),
        "campaign": ("get_campaign", {_CAMPAIGN: "$request.body#/campaign_id"}),
        "allocation": ("get_allocation", {_CAMPAIGN: "$request.body#/campaign_id"}),
    },
    "post_outcomes": {
        "outcome": ("get_outcome", {"sponsorship_id": "$response.body#/results/0/sponsorship_id"}),
        "campaign": ("get_campaign", {_CAMPAIGN: "$request.body#/outcomes/0/campaign_id"}),
    },
    "get_outcome": {
        "campaign": ("get_campaign", {_CAMPAIGN: "$response.body#/outcome/campaign_id"}),
    },
    "get_campaigns": {
        "campaign": ("get_campaign", {_CAMPAIGN: "$response.body#/campaigns/0/campaign_id"}),
        "allocation": ("get_allocation", {_CAMPAIGN: "$response.body#/campaigns/0/campaign_id"}),
    },
    "get_campaign": {
        "allocation": ("get_allocation", {_CAMPAIGN: "$response.body#/campaign_id"}),
        "creator": ("get_creator", {_CREATOR: "$response.body#/creators/0/creator_id"}),
    },
    "get_creator": {
        "similar": ("get_similar", {_CREATOR: "$response.body#/creator_id"}),
    },
    "get_similar": {
        "creator": ("get_creator", {_CREATOR: "$response.body#/items/0/creator_id"}),
    },
    "get_map": {
        "creator": ("get_creator", {_CREATOR: "$response.body#/points/0/creator_id"}),
    },
}


def operation_id(route: APIRoute) -> str:
    """An operation's id: the name of the function that answers."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _made_true(
            get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
        )
    return app.openapi_schema


def _made_true(document: dict[str, Any]) -> dict[str, Any]:
    _ask_for_keys(document)
    for path in document["paths"].values():
        for operation in (path[method] for method in _METHODS if method in path):
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "text/plain" not in response.get("content", {}):
                    response["content"] = {PROBLEM_JSON: {"schema": _PROBLEM}}
            leads = LINKS.get(operation["operationId"])
            if leads is not None:
                operation["responses"]["200"]["links"] = {
                    name: {"operationId": target, "parameters": parameters}
                    for name, (target, parameters) in leads.items()
                }
    for name in _NOT_OURS:
        document["components"]["schemas"].pop(name, None)
    return document


def _ask_for_keys(document: dict[str, Any]) -> None:
    """Say which routes need a key, and how they refuse."""
    document["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, made by `python -m service keys create`. Asked for on "
            "every address but loopback, unless the service is set otherwise.",
        }
    }
    for (method, template), need in NEEDS.items():
        path = re.sub(r":\w+}", "}", template)  # OpenAPI knows no converters
        operation = document["paths"].get(path, {}).get(method.lower())
        if need is None or operation is None:
            continue
        operation["security"] = [{"key": []}]
        if (method, template) in FREE_ON_LOOPBACK:
            operation["security"].append({})  # none, which is said by an empty object
        operation["responses"] |= {
            "401": {"description": "No API key, or none that is taken"},
            "403": {"description": f"The key is not of scope `{need}`"},
            "429": {"description": "The key asks too often; `Retry-After` says when to ask again"},
        }
