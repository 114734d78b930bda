"""What goes over the wire for the page: what to choose from, the map, the curve of a budget.

Knows nothing of how any of it is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
from pydantic import Field

from features.schemas import tier_of
from models.columns import UNKNOWN, Codes
from models.curve import Point
from service.reload import Served
from service.wire import ForecastWire, ModelRefWire, Wire, model_ref, moment

# Creators on the map: as many as an eye can tell apart on a screen, and 600 kB of JSON.
MAP_AT_MOST = 5_000


class ChoiceWire(Wire):
    """A value that a filter may name."""

    value: str
    creators: int


class ChoicesWire(Wire):
    """What creators there are to choose from, the most frequent first."""

    niches: list[ChoiceWire] = Field(description="By leading niche")
    platforms: list[ChoiceWire]
    countries: list[ChoiceWire]
    languages: list[ChoiceWire]
    currency: str = Field(description="What prices and budgets are in")


class HandleWire(Wire):
    """Who a creator is."""

    creator_id: str
    handle: str
    platform: str


class MapPointWire(Wire):
    """A creator on the map."""

    creator_id: str
    handle: str
    platform: str
    niche: str
    tier: str | None
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class MapNicheWire(Wire):
    """Where a niche lies."""

    label: str
    x: float
    y: float
    creators: int = Field(description="Led by it, shown or not")


class MapResponse(Wire):
    """Creators on a plane: near each other where their topics are alike."""

    creators: int = Field(description="With posts; where there are more than shown, every n-th is")
    points: list[MapPointWire]
    niches: list[MapNicheWire]
    model: ModelRefWire
    as_of: datetime


class CurvePointWire(Wire):
    """The best plan for a budget, in short."""

    budget: float
    spend: float
    creators: int
    expected_conversions: ForecastWire | None


class CurveResponse(Wire):
    """What more or less money would bring."""

    currency: str
    points: list[CurvePointWire] = Field(
        description="Budgets that cannot keep the constraints are left out"
    )
    model: ModelRefWire
    as_of: datetime


def choices(served: Served) -> ChoicesWire:
    """What there is to choose from."""
    index = served.bundle.index
    mix = index.profiles.mix
    known = mix[~np.isnan(mix[:, 0])]
    led = np.bincount(np.argmax(known, axis=1), minlength=len(index.labels))
    by_niche = sorted(zip(index.labels, led.tolist(), strict=True), key=lambda one: (-one[1], one))
    creators = index.creators
    return ChoicesWire(
        niches=[ChoiceWire(value=label, creators=count) for label, count in by_niche],
        platforms=_counted(creators.platform),
        countries=_counted(creators.country),
        languages=_counted(creators.language, lambda tag: tag.split("-")[0].lower()),
        currency=index.currency,
    )


def handles(served: Served, ids: Iterable[str]) -> list[HandleWire]:
    """Who the creators of some ids are; those that are not known are left out."""
    index = served.bundle.index
    return [
        HandleWire(
            creator_id=index.id_of(place),
            handle=str(index.creators.at("handle", place)),
            platform=str(index.creators.platform.at(place)),
        )
        for place in sorted({index.position(one) for one in ids if index.knows(one)})
    ]


def creator_map(served: Served) -> MapResponse:
    """The map."""
    index, land = served.bundle.index, served.bundle.landscape
    shown = np.unique(
        np.linspace(0, len(land.places) - 1, min(len(land.places), MAP_AT_MOST)).astype(np.int64)
    )
    creators = index.creators
    followers = index.profiles.numbers.followers
    points = [
        MapPointWire(
            creator_id=index.id_of(place),
            handle=str(creators.at("handle", place)),
            platform=str(creators.platform.at(place)),
            niche=index.labels[land.niche[row]],
            tier=tier_of(float(followers[place])),
            x=round(float(land.points[row, 0]), 4),
            y=round(float(land.points[row, 1]), 4),
        )
        for row, place in ((int(row), int(land.places[row])) for row in shown)
    ]
    led = np.bincount(land.niche, minlength=len(index.labels))
    niches = [
        MapNicheWire(label=label, x=float(x), y=float(y), creators=int(count))
        for label, (x, y), count in zip(index.labels, land.centres, led, strict=True)
        if count
    ]
    return MapResponse(
        creators=len(land.places),
        points=points,
        niches=niches,
        model=model_ref(served),
        as_of=moment(index.as_of_us),
    )


def curve(served: Served, points: Iterable[Point]) -> CurveResponse:
    """The curve of a budget."""
    return CurveResponse(
        currency=served.bundle.index.currency,
        points=[
            CurvePointWire(
                budget=point.budget,
                spend=point.spend,
                creators=point.creators,
                expected_conversions=(
                    None if point.forecast is None else ForecastWire.model_validate(point.forecast)
                ),
            )
            for point in points
        ],
        model=model_ref(served),
        as_of=moment(served.bundle.index.as_of_us),
    )


def _counted(values: Codes, shown: Callable[[str], str] = str) -> list[ChoiceWire]:
    found = np.bincount(values.code[values.code != UNKNOWN], minlength=len(values.names))
    known: Counter[str] = Counter()
    for name, count in zip(values.names, found.tolist(), strict=True):
        known[shown(name)] += count
    order = sorted((+known).items(), key=lambda one: (-one[1], one[0]))
    return [ChoiceWire(value=value, creators=count) for value, count in order]
