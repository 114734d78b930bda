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
from training.sources import codes, ga4, instagram, shopify, spreadsheet, tiktok, youtube
from training.sources.outcomes import Read, Reporter, Request, import_outcomes
from training.sources.platforms import ReadAnswers, import_answers

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


def _youtube(request: Request, say: Reporter) -> Sequence[Mapping[str, Any]]:
    """Answers that were saved, or, where something is to be fetched, the API's own."""
    if request.fetch is None:
        return import_answers(request, youtube.NAME, youtube.read_youtube, say)
    from training.sources.youtube_fetch import fetch_youtube

    return fetch_youtube(request, request.fetch, say)


def _answers(name: str, title: str, read: ReadAnswers) -> Source:
    return Source(name, title, lambda request, say: import_answers(request, name, read, say))


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
        Source(youtube.NAME, "YouTube Data API v3: its JSON, or fetched live", _youtube),
        _answers(instagram.NAME, "Instagram Graph API (JSON)", instagram.read_instagram),
        _answers(tiktok.NAME, "TikTok Research or Display API (JSON)", tiktok.read_tiktok),
        Source(spreadsheet.NAME, "a spreadsheet (CSV or XLSX)", spreadsheet.import_spreadsheet),
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
