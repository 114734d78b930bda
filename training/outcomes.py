"""Outcomes that were sent to the service, as rows of the table `sponsorships`.

They are learned from as if they had stood in the tables. Knows nothing of what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.outcomes import TABLE, Outcome, frame_of
from features.schemas import TABLES, Tables
from features.store import open_store_if_there
from features.table_digest import digest_of
from features.tables import finished

if TYPE_CHECKING:
    from training.pipeline import Reporter


@dataclass(frozen=True)
class Merged:
    """Tables with outcomes in them.

    Attributes:
        taken: Outcomes in the tables now.
        replaced: Those of them that took the place of a row.
        unknown: Outcomes left out, for their creators are not in the tables.
    """

    tables: Tables
    taken: int
    replaced: int
    unknown: int


def with_outcomes(tables: Tables, store_url: str, report: Reporter) -> Tables:
    """Tables with the outcomes of the service's database in them, where there is one.

    Args:
        tables: As they were read and checked.
        store_url: The database; it is not made where it is not there.
        report: Where it is told what was taken.

    Raises:
        StoreError: The database is away.
    """
    store = open_store_if_there(store_url)
    if store is None:
        return tables
    try:
        outcomes = [kept.outcome for kept in store.outcomes()]
    finally:
        store.close()
    if not outcomes:
        return tables
    merged = merge(tables, outcomes)
    if merged.unknown:
        report.say(
            f"{merged.unknown:,} outcomes from the service's database left out: their creators "
            "are not in the tables"
        )
    if merged.taken:
        report.say(
            f"{merged.taken:,} outcomes from the service's database, {merged.replaced:,} of them in "
            f"place of rows of {TABLE}"
        )
    before, after = tables.posts["published_at"].max(), merged.tables.sponsorships["started_at"]
    later = int((after > before).sum())
    if later > int((tables.sponsorships["started_at"] > before).sum()):
        report.say(
            f"{later:,} collaborations begin after the last post ({before:%Y-%m-%d}): what their "
            "creators posted before them is not in the tables; export the posts anew"
        )
    return merged.tables


def merge(tables: Tables, outcomes: Sequence[Outcome]) -> Merged:
    """Put outcomes into the table `sponsorships`; one of the same id takes the place of a row.

    An outcome of a creator who is not in the tables is left out: the contract refuses such a row.
    """
    frame = frame_of(outcomes)
    known = frame["creator_id"].isin(tables.creators["creator_id"]).to_numpy(bool)
    frame = frame[known]
    there = tables.sponsorships["sponsorship_id"].isin(frame["sponsorship_id"]).to_numpy(bool)
    kept = [part for part in (tables.sponsorships[~there], frame) if len(part)]
    rows = finished(TABLE, pd.concat(kept, ignore_index=True)) if kept else tables.sponsorships
    frames = {name: getattr(tables, name) for name in TABLES} | {TABLE: rows}
    merged = replace(tables, sponsorships=rows, digest=digest_of(frames))
    return Merged(merged, len(frame), int(there.sum()), int(np.count_nonzero(~known)))
