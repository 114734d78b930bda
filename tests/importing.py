"""What the tests of imports share: a way to run one, plans and exports."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.schemas import InvalidTables
from tests.conftest import Silent
from training.sources import Request
from training.sources import outcomes as importer
from training.sources.codes import read_codes
from training.sources.events import Reading
from training.sources.ga4 import read_ga4
from training.sources.outcomes import Imported, import_outcomes
from training.sources.shopify import read_shopify
from training.sources.write import UNJOINED

SAMPLES = Path(__file__).parent / "import_samples"
PLAN = SAMPLES / "bookings.csv"
READERS: dict[str, importer.Read] = {
    "codes": read_codes,
    "shopify": read_shopify,
    "ga4": read_ga4,
}
EUR = Reading(currency="EUR")


def run(
    name: str,
    files: Path | list[Path],
    out: Path,
    reading: Reading | None = None,
    bookings: Path = PLAN,
    **options: Any,
) -> Imported:
    files = [files] if isinstance(files, Path) else files
    request = Request(files, out, bookings, reading or Reading(), **options)
    return import_outcomes(request, READERS[name], Silent())


def counts(imported: Imported) -> dict[str, tuple[Any, ...]]:
    """Clicks, conversions and revenue by sponsorship."""
    return {
        one["sponsorship_id"]: (one.get("clicks"), one["conversions"], one.get("revenue"))
        for one in imported.outcomes
    }


def unjoined(out: Path) -> list[dict[str, str]]:
    with (out / UNJOINED).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refused(*arguments: Any, **options: Any) -> InvalidTables:
    with pytest.raises(InvalidTables) as caught:
        run(*arguments, **options)
    return caught.value


def plan(folder: Path, *rows: dict[str, Any]) -> Path:
    """A plan of bookings; each row says only what it has of its own."""
    usual = {
        "creator_id": "c1",
        "campaign_id": "k",
        "brand": "Luma",
        "brief": "A serum",
        "started_at": "2026-03-01",
        "resolved_at": "2026-03-31",
        "impressions": 10**6,
    }
    path = folder / "plan.csv"
    pd.DataFrame([usual | row for row in rows]).to_csv(path, index=False)
    return path


def redemptions(folder: Path, *rows: str, header: str = "Code,Date,Total") -> Path:
    path = folder / "codes.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path
