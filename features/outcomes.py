"""What came of a collaboration: the contract's rules for rows that come one by one.

The rules are those of the table `sponsorships`, applied by the same code. Knows nothing of HTTP or
databases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.schemas import NUMBER_AT_MOST, TABLES, FieldFault
from features.table_raw import RawPart, RawTable, shown
from features.tables import check_table, finished

TABLE = "sponsorships"
# Filled in from the answer that an outcome names.
FROM_ANSWER = ("brand", "brief", "started_at")
# Characters, as those of a brief: of the text `brief`, and of any id or name.
BRIEF_AT_MOST, NAME_AT_MOST = 4_000, 200
UNKNOWN_SHOWN = 50  # fields of one outcome


@dataclass(frozen=True)
class Outcome:
    """One collaboration and what came of it; fields as in the contract, times in microseconds."""

    sponsorship_id: str
    creator_id: str
    campaign_id: str
    brand: str
    brief: str
    started_at_us: int
    resolved_at_us: int
    cost: float | None
    impressions: int
    clicks: int | None
    conversions: int
    revenue: float | None
    post_id: str | None
    recommendation_id: str | None


def read_outcomes(
    records: Sequence[object],
    is_creator: Callable[[str], bool] | None = None,
    pointer: Callable[[int], str] = lambda position: f"/outcomes/{position}",
) -> tuple[list[Outcome], list[FieldFault]]:
    """Read outcomes as they were sent and check them.

    Args:
        records: What JSON held, one for each outcome.
        is_creator: Whether there is a creator of an id; None: any will do.
        pointer: JSON pointer to a record, by its place.

    Returns:
        The outcomes, in the order sent, and everything that is wrong; with anything wrong there are
        no outcomes.
    """
    rows = [record if isinstance(record, Mapping) else {} for record in records]
    found = _unusable(records)
    apart = {(position, name) for position, name, _ in found}
    columns = {
        name: [
            None if (position, name) in apart else row.get(name)
            for position, row in enumerate(rows)
        ]
        for name in TABLES[TABLE]
    }
    part = RawPart(file="outcomes", columns=columns, rows=np.arange(len(rows), dtype=np.int64))
    checked = check_table(RawTable(TABLE, (part,)), None)
    for fault in checked.faults.faults(at_most=len(rows) * len(columns)):
        position = fault.row or 0
        if (position, fault.column) in apart or (position, None) in apart:
            continue
        reason = fault.reason
        if fault.kind == "missing_value" and fault.column in FROM_ANSWER:
            reason += ", or the recommendation_id of an answer that is stored here"
        value = shown(rows[position].get(fault.column or ""))
        found.append((position, fault.column, reason if value is None else f"{value!r}: {reason}"))
    if is_creator is not None:
        for position, creator_id in enumerate(columns["creator_id"]):
            if isinstance(creator_id, str) and creator_id and not is_creator(creator_id):
                reason = f"{creator_id!r}: the model that is served knows no creator of this id"
                found.append((position, "creator_id", reason))
    if found:
        found.sort(key=lambda fault: fault[0])
        return [], [
            FieldFault(pointer(position) + ("" if name is None else f"/{name}"), reason)
            for position, name, reason in found
        ]
    by_id = {
        outcome.sponsorship_id: outcome for outcome in outcomes_of(finished(TABLE, checked.frame))
    }
    return [by_id[row["sponsorship_id"]] for row in rows], []


def _unusable(records: Sequence[object]) -> list[tuple[int, str | None, str]]:
    """What no table could hold: by place in `records`, the field and what is wrong with it."""
    found: list[tuple[int, str | None, str]] = []
    for position, record in enumerate(records):
        if not isinstance(record, Mapping):
            found.append((position, None, "an outcome is an object {…}"))
            continue
        unknown = [name for name in record if name not in TABLES[TABLE]]
        found.extend((position, name, "there is no such field") for name in unknown[:UNKNOWN_SHOWN])
        for name, value in record.items():
            if name in TABLES[TABLE] and (reason := _out_of_bounds(name, value)) is not None:
                found.append((position, name, reason))
    return found


def _out_of_bounds(name: str, value: object) -> str | None:
    """What no field takes of any outcome, however it is read."""
    if isinstance(value, str):
        most = BRIEF_AT_MOST if name == "brief" else NAME_AT_MOST
        if len(value) > most:
            return f"the text has {len(value):,} characters, at most {most:,} are taken"
        if not _is_unicode(value):
            return "the text holds half of a surrogate pair, which is no character"
    elif isinstance(value, int | float) and value > NUMBER_AT_MOST:
        return f"numbers are at most {NUMBER_AT_MOST:,.0f}"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def outcomes_of(frame: pd.DataFrame) -> list[Outcome]:
    """The outcomes of a table `sponsorships` that keeps the contract."""
    plain: dict[str, list[Any]] = {}
    for name, column in TABLES[TABLE].items():
        values = frame[name]
        if column.type == "time":
            plain[f"{name}_us"] = values.astype("int64").tolist()
        else:
            listed = values.astype(object).where(values.notna(), None).tolist()
            whole = column.type == "integer"
            plain[name] = [None if v is None else int(v) if whole else v for v in listed]
    return [Outcome(*row) for row in zip(*plain.values(), strict=True)]


def frame_of(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Outcomes as the contract's table, in its dtypes; rows in the order given."""
    columns: dict[str, pd.Series] = {}
    for name, column in TABLES[TABLE].items():
        if column.type == "time":
            values = np.array([getattr(o, f"{name}_us") for o in outcomes], dtype=np.int64)
            columns[name] = pd.Series(pd.to_datetime(values, unit="us", utc=True)).astype(
                "datetime64[us, UTC]"
            )
        else:
            found = [getattr(outcome, name) for outcome in outcomes]
            columns[name] = pd.Series(found, dtype="str" if column.type == "text" else "float64")
    return pd.DataFrame(columns)
