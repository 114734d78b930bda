"""The route of the metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from service.metrics import Metrics

router = APIRouter()


# Not in the pool of threads, which may be busy just when one wants to know.
@router.get(
    "/metrics",
    summary="What the service counts, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(request: Request) -> Response:
    """Tell what is counted and measured, in Prometheus' text format; of all workers together."""
    metrics: Metrics = request.state.metrics
    metrics.look(request.state.watched)
    return Response(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
