"""Outcomes that were sent to the service, as rows of the table `sponsorships`.

They are learned from as if they had stood in the tables. Those that began after all that the tables
tell of wait for newer tables: what their creators posted before them is not known yet, and "now"
would move to where nobody has posted anything. Knows nothing of what is learned.
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
from training.publishing import day

if TYPE_CHECKING:
    from training.pipeline import Reporter


@dataclass(frozen=True)
class Merged:
    """Tables with outcomes in them.

    Attributes:
        taken: Outcomes in the tables now.
        replaced: Those of them that took the place of a row.
        unknown: Outcomes left out, for their creators are not in the tables.
        early: Outcomes left out, for they began after all that the tables tell of.
    """

    tables: Tables
    taken: int
    replaced: int
    unknown: int
    early: int


def with_outcomes(
    tables: Tables, store_url: str, report: Reporter, *, until_us: int | None
) -> Tables:
    """Tables with the outcomes of the service's database in them, where there is one.

    Args:
        tables: As they were read and checked.
        store_url: The database; it is not made where it is not there.
        report: Where it is told what was taken.
        until_us: As for `merge`.

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
    merged = merge(tables, outcomes, until_us)
    source = "from the service's database"
    if merged.unknown:
        reason = "their creators are not in the tables"
        report.say(f"{merged.unknown:,} outcomes {source} left out: {reason}")
    if merged.early and until_us is not None:
        reason = (
            f"they began after {day(until_us)}, the last moment in the tables; export them anew"
        )
        report.say(f"{merged.early:,} outcomes {source} left out: {reason}")
    if merged.taken:
        told = f", {merged.replaced:,} of them in place of rows of {TABLE}" * bool(merged.replaced)
        report.say(f"{merged.taken:,} outcomes {source}{told}")
    return merged.tables


def merge(tables: Tables, outcomes: Sequence[Outcome], until_us: int | None = None) -> Merged:
    """Put outcomes into the table `sponsorships`; one of the same id takes the place of a row.

    Args:
        tables: As they were read and checked.
        outcomes: To put in. One of a creator who is not in the tables is left out: the contract
            refuses such a row.
        until_us: Leave out what began later; None: nothing is.
    """
    frame = frame_of(outcomes)
    started_us = np.array([outcome.started_at_us for outcome in outcomes], dtype=np.int64)
    known = frame["creator_id"].isin(tables.creators["creator_id"]).to_numpy(bool)
    early = known & (started_us > until_us) if until_us is not None else np.zeros_like(known)
    frame = frame[known & ~early]
    there = tables.sponsorships["sponsorship_id"].isin(frame["sponsorship_id"]).to_numpy(bool)
    kept = [part for part in (tables.sponsorships[~there], frame) if len(part)]
    rows = finished(TABLE, pd.concat(kept, ignore_index=True)) if kept else tables.sponsorships
    frames = {name: getattr(tables, name) for name in TABLES} | {TABLE: rows}
    return Merged(
        tables=replace(tables, sponsorships=rows, digest=digest_of(frames)),
        taken=len(frame),
        replaced=int(there.sum()),
        unknown=int((~known).sum()),
        early=int(early.sum()),
    )
