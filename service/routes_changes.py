"""The route of the log of changes. What it raises becomes HTTP in `app`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from features.store import Store
from service import wire_changes
from service.routes_outcomes import NOT_KEPT

router = APIRouter()


@router.get("/v1/changes", summary="Who changed what, the latest first", responses={503: NOT_KEPT})
def get_changes(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 100,
) -> list[wire_changes.ChangeWire]:
    """List outcomes accepted and corrected, and keys made and ended.

    The log is appended to and never altered. Promotions of models are in the registry's history
    (`python -m training history`).
    """
    store: Store = request.state.store
    return wire_changes.changes(store.changes(limit))
