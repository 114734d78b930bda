"""What Schemathesis is told of this API: which requests may be refused though its document allows
them, and which creators there are.

A document of OpenAPI says of every field what it may hold. It cannot say that one field must not be
above another, nor what the model and the database of the moment know. Requests are refused for the
reasons below and for no other; a refusal that none of them explains says that the document is not
true. Schemathesis loads this module (`schemathesis.toml`). Knows nothing of how cases are counted.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from typing import Any

import schemathesis

# In `detail` of a field at fault.
REFUSED_FOR = re.compile(
    "|".join(
        (
            # What the model that is served knows, or does not.
            r"no creator .* in the index$",
            r"the model that is served knows no creator of this id$",
            r"is not a niche of this model; it knows ",
            r"^prices are known in \w+, not in ",
            r"has neither a letter nor a digit$",
            # Codes: their form is in the document, which of them there are is not.
            r"is not (an ISO 3166-1|an ISO 4217|a BCP 47) ",
            # Fields that contradict each other.
            r"Value error, min \S+ is above max ",
            r"Value error, min_creators \d+ is above max_creators ",
            r"Value error, .* is in must_have and in never",
            r"^(clicks|conversions) must not be above ",
            r"^resolved_at must not be before started_at$",
            r": (clicks|conversions) must not be above ",
            r": resolved_at must not be before started_at$",
            r"sponsorship_id must be unique; first used ",
            # Plans that no set of creators keeps.
            r"^no set of creators keeps all of them within the budget$",
            r"^nobody can be booked: whoever it is would get too large a share$",
            r"^they cost more than the budget, or have no price$",
            r"^they cost \S+ together, the budget is ",
            r"^the \d+ cheapest cost \S+ together, the budget is ",
            r"^\d+ creators can be afforded at all, fewer than \d+$",
            r"^this model only orders creators; ",
            r"^a creator of them has no price, and none can be estimated$",
            r"^they are \d+, max_creators is \d+$",
            # Outcomes: times, and texts that no table or database holds.
            r"the time lies outside the years 1970 to 2100$",
            r"lies in the future \(now ",
            r"not an ISO 8601 time; ",
            r"a value is required here, or the recommendation_id of an answer that is stored here$",
            r"an id has a blank at its start or end, or a character that cannot be seen$",
            # A campaign whose money is not known.
            r"^say what is left: this campaign has no budget",
        )
    ),
    re.DOTALL,
)


class RefusedWithoutReason(AssertionError):
    """A request that the document allows was refused for no reason that it cannot tell."""


@schemathesis.check
def refused_for_its_meaning(ctx: Any, response: Any, case: Any) -> None:
    """A refusal of what the document allows says which of the reasons above it has."""
    if (
        case.meta is None
        or not case.meta.generation.mode.is_positive
        or response.status_code != 422
    ):
        return
    unexplained = [
        f"{fault['pointer']}: {fault['detail']}"
        for fault in response.json()["errors"]
        if not REFUSED_FOR.search(fault["detail"])
    ]
    if unexplained:
        raise RefusedWithoutReason("; ".join(unexplained)[:1_000])


@cache
def _creators(base_url: str) -> list[str]:
    """Ids of some creators that the service knows."""
    import httpx

    key = {"authorization": f"Bearer {os.environ['CREATORFIT_FUZZ_KEY']}"}
    answer = httpx.get(f"{base_url.rstrip('/')}/v1/map", headers=key, timeout=60)
    return [point["creator_id"] for point in answer.json()["points"][:20]]


@schemathesis.hook
def map_body(ctx: Any, body: Any) -> Any:
    """Outcomes are of creators that there are: of others, none would ever be kept."""
    if ctx.operation.definition.raw.get("operationId") != "post_outcomes" or not isinstance(
        body, dict
    ):
        return body
    known = _creators(ctx.operation.base_url)
    for outcome in (
        body.get("outcomes", [body]) if isinstance(body.get("outcomes", [body]), list) else ()
    ):
        if (
            isinstance(outcome, dict)
            and isinstance(said := outcome.get("creator_id"), str)
            and said
        ):
            outcome["creator_id"] = known[len(json.dumps(outcome, default=str)) % len(known)]
    return body
