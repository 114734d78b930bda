"""What people really have, read into the contract's tables: one module a format.

`SOURCES` lists the formats that `python -m training import` knows. A new one is a module and an
entry here: outcomes that join to bookings bring a reader (`outcomes.import_outcomes` does the
rest), anything else its own `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.schemas import DataError
from training.sources import codes, ga4, shopify
from training.sources.outcomes import Read, Reporter, Request, import_outcomes

__all__ = ["SOURCES", "Reporter", "Request", "Source", "source_of"]


@dataclass(frozen=True)
class Source:
    """A format that can be imported.

    Attributes:
        name: As the command line has it.
        title: What it is, in a few words.
        run: Imports it, says what it did, and returns what `--json` prints.
    """

    name: str
    title: str
    run: Callable[[Request, Reporter], Sequence[Mapping[str, Any]]]


def _outcomes(name: str, title: str, read: Read) -> Source:
    return Source(name, title, lambda request, say: import_outcomes(request, read, say).outcomes)


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _outcomes(codes.NAME, "discount-code redemptions (CSV)", codes.read_codes),
        _outcomes(shopify.NAME, "Shopify's export of orders (CSV)", shopify.read_shopify),
        _outcomes(
            ga4.NAME,
            "Google Analytics 4: a report (CSV), or events from BigQuery (JSON lines)",
            ga4.read_ga4,
        ),
    )
}


def source_of(name: str) -> Source:
    """The source of a name.

    Raises:
        DataError: There is none.
    """
    if name not in SOURCES:
        raise DataError(f"{name!r} is no source; there are {', '.join(SOURCES)}")
    return SOURCES[name]
