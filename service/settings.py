"""Settings of the service, from environment variables with the prefix ``CREATORFIT_``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from features.settings import HomeSettings
from service.logs import Form


def _origins(value: str) -> str:
    for origin in value.split():
        if not re.fullmatch(r"https?://[^/*?#\s]+", origin):
            raise ValueError(f"{origin!r} is no origin such as https://app.example")
    return value


class ServiceSettings(HomeSettings):
    """What the service may be told."""

    host: str = Field("127.0.0.1", description="Address that `serve` listens on")
    port: int = Field(8000, ge=0, le=65535, description="Port that `serve` listens on")
    workers: int = Field(1, ge=1, description="Processes that `serve` runs")
    poll_seconds: float = Field(
        30.0, gt=0, description="How often the registry is asked for a new champion"
    )
    database_wait_seconds: float = Field(
        5.0,
        gt=0,
        le=600,
        description="How long a request waits for a database that is locked, before it answers 503",
    )
    keep_served_days: int = Field(
        400,  # a campaign may be compared with that of the same season a year before
        ge=1,
        le=36_500,
        description="How long what was served is kept; what came of it stays",
    )
    logs: Form = Field(
        "auto",
        description="`json` lines or `text`; `auto`: text where stderr is a terminal, else json",
    )
    traces: str = Field(
        "",
        description="Address of an OpenTelemetry collector (OTLP over HTTP), such as "
        "http://127.0.0.1:4318; empty: no traces. Needs the extra `otel`",
    )
    log_candidates: int = Field(
        200,
        ge=0,
        description="Candidates stored with each answer; those shown are, however many",
    )
    concurrency: int = Field(
        0,
        ge=0,
        le=1_000,
        description="Recommendations and plans that a process works on at once; 0: as many as "
        "there are processor cores for each of `workers`",
    )
    waiting: int = Field(
        3,
        ge=0,
        le=1_000,
        description="How many more may wait, for each of `concurrency`; others get a 503 at once",
    )
    body_bytes: int = Field(
        4 * 1024 * 1024, ge=1_024, description="The largest body that is taken in"
    )
    body_seconds: float = Field(10.0, gt=0, description="How long a body may take to come")
    request_seconds: float = Field(
        20.0, gt=0, description="How long an answer may take, before there is a 503 instead"
    )
    access: Literal["auto", "keys", "open"] = Field(
        "auto",
        description="Who is asked for an API key: `auto`, whoever does not come from this machine "
        "itself; `keys`, everybody; `open`, nobody",
    )
    key_requests_per_minute: float = Field(
        300.0, gt=0, description="How often a key may ask, of each process"
    )
    key_burst: int = Field(60, ge=1, description="How often a key may ask at once")
    cors_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "", description="Origins whose pages may ask, parted by blanks; empty: none"
    )
