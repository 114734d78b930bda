"""A stored set of asks: briefs with what a bundle answered to them when it was saved.

One file of the bundle, `probes.json`. Whoever is to serve the bundle asks again and compares
(`probing`). Knows nothing of how a bundle is asked.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from features.schemas import Brief

PROBES = "probes.json"


class Told(BaseModel):
    """What was told of one creator, with the names of `models.conversion.Predictions`.

    `score` is what the model orders by; what it cannot tell is None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    creator_id: str
    score: float
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    click_rate: float | None
    impressions: float | None
    impressions_low: float | None
    impressions_high: float | None
    cost: float | None


class Probe(BaseModel):
    """A brief, how it was read, and the creators who came first, in their order.

    Attributes:
        vector: Of the brief's text, on the grid, ``(dim,)``.
        language: Of the brief's text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    brief: Brief
    vector: tuple[float, ...]
    language: str
    first: tuple[Told, ...]


class Probes(BaseModel):
    """All asks of a bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: tuple[Probe, ...]


def write_probes(folder: Path, probes: Probes) -> None:
    """Write the asks into a bundle's folder."""
    (folder / PROBES).write_text(probes.model_dump_json(), "utf-8")


def read_probes(folder: Path) -> Probes | None:
    """The asks of a bundle's folder; None where it was saved before bundles had any.

    Raises:
        ValueError: The file is no such thing.
        OSError: It cannot be read.
    """
    path = folder / PROBES
    return Probes.model_validate_json(path.read_bytes()) if path.exists() else None
