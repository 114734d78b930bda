"""Merges what was observed into the tables that stand: the latest observation wins.

A value that is unknown never replaces one that is known. The result does not depend on the order
of files. Knows nothing of formats, nor of how tables are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from features.schemas import KEYS, TABLES, Fault, InvalidTables
from features.tables import RawPart, RawTable, check_table
from training.sources.observed import Record

# Whoever comes from a table that stands without a note of when it was observed.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[Any, ...]


@dataclass(frozen=True)
class MergedTable:
    """A table as it will be.

    Attributes:
        name: The table.
        frame: All its rows, sorted by key; the contract's columns.
        added: How many rows are new.
        updated: How many were there and have a value now that they had not.
        duplicates: How many records were merged into another of the same import.
        observed: When each row, by its key, was last observed; the rows of this import.
        faults: What breaks the contract; such rows are not in `frame`.
    """

    name: str
    frame: pd.DataFrame
    added: int = 0
    updated: int = 0
    duplicates: int = 0
    observed: Mapping[Key, datetime] = field(default_factory=dict)
    faults: Sequence[Fault] = ()


def merge_table(
    name: str,
    records: Sequence[Record],
    standing: pd.DataFrame | None,
    observed: Mapping[Key, datetime],
    may_lack: Sequence[str] = (),
) -> MergedTable:
    """Put records of one table into the rows that stand.

    Args:
        name: The table.
        records: What was observed, in any order.
        standing: The rows as they are, or None where there is no table.
        observed: When the rows that stand were observed, by key, where that is known.
        may_lack: Columns that may be empty all the same.
    """
    keys = KEYS[name]
    if name == "audience":
        records, standing = _whole_breakdowns(records, standing, observed)
    by_key: dict[Key, list[Record]] = {}
    for record in records:
        by_key.setdefault(tuple(record.values[key] for key in keys), []).append(record)
    old = _rows_of(standing, keys, by_key)
    rows: list[tuple[str, int, dict[str, Any]]] = []
    latest: dict[Key, datetime] = {}
    added = updated = 0
    for key, found in by_key.items():
        before = old.get(key)
        values, last = _merged(name, found, before, observed.get(key, LONG_AGO))
        telling = [record for record in found if _tells(record, keys)]
        if telling:
            noted = (_breakdown(key),) if name == "audience" else key
            latest[noted] = max(record.observed_at for record in telling)
        if before == values:
            continue
        added += before is None
        updated += before is not None
        rows.append((last.file, last.row, values))
    frame, faults, bad = _checked(name, rows, may_lack)
    telling_count = sum(_tells(r, keys) for r in records)
    distinct = sum(any(_tells(r, keys) for r in found) for found in by_key.values())
    bad_keys = {tuple(rows[position][2][key] for key in keys) for position in bad}
    added -= sum(key not in old for key in bad_keys)
    updated -= sum(key in old for key in bad_keys)
    return MergedTable(
        name,
        _together(name, standing, frame),
        added,
        updated,
        telling_count - distinct,
        {key: at for key, at in latest.items() if key not in bad_keys},
        faults,
    )


def _whole_breakdowns(
    records: Sequence[Record], standing: pd.DataFrame | None, observed: Mapping[Key, datetime]
) -> tuple[Sequence[Record], pd.DataFrame | None]:
    """Shares of an audience as one observation: the latest replaces all of an earlier one.

    Of two, one may lack a country that the other has; together they would add up to more than 1.
    """
    at = {name: moment for (name,), moment in observed.items()}
    for record in records:
        name = _breakdown((record.values["creator_id"], record.values["dimension"]))
        at[name] = max(record.observed_at, at.get(name, LONG_AGO))
    kept = []
    for record in records:
        name = _breakdown((record.values["creator_id"], record.values["dimension"]))
        if record.observed_at == at[name]:
            kept.append(record)
    if standing is not None:
        fresh = {_breakdown((r.values["creator_id"], r.values["dimension"])) for r in kept}
        pairs = zip(standing["creator_id"], standing["dimension"], strict=True)
        standing = standing[[_breakdown(pair) not in fresh for pair in pairs]]
    return kept, standing


def _breakdown(key: Key) -> str:
    """The name of a creator's shares along one dimension.

    >>> _breakdown(("tiktok:mia", "age", "18-24"))
    'tiktok:mia/age'
    """
    return f"{key[0]}/{key[1]}"


def _tells(record: Record, keys: Sequence[str]) -> bool:
    """Whether a record says more than that there is such a row."""
    return any(value is not None for name, value in record.values.items() if name not in keys)


def _merged(
    name: str, found: Sequence[Record], before: Mapping[str, Any] | None, before_at: datetime
) -> tuple[dict[str, Any], Record]:
    """One row's values, and the record that says most of it."""
    order = sorted(found, key=lambda r: (r.observed_at, r.file, r.row))
    earlier = [r for r in order if r.observed_at < before_at] if before is not None else []
    values: dict[str, Any] = dict.fromkeys(TABLES[name])
    steps: list[Mapping[str, Any]] = [r.values for r in earlier]
    if before is not None:
        steps.append(before)
    steps += [r.values for r in order[len(earlier) :]]
    for step in steps:
        values |= {column: value for column, value in step.items() if value is not None}
    for record in order:
        for column, value in record.otherwise.items():
            if values[column] is None:
                values[column] = value
    telling = [r for r in order if len(r.values) > len(KEYS[name])]
    return values, (telling or order)[-1]


def _rows_of(
    standing: pd.DataFrame | None, keys: Sequence[str], wanted: Iterable[Key]
) -> dict[Key, dict[str, Any]]:
    """The standing rows of some keys as plain values, None where there is no value."""
    if standing is None or not len(standing):
        return {}
    wanted = set(wanted)
    index = list(zip(*(_plain(standing[key]) for key in keys), strict=True))
    place = [position for position, key in enumerate(index) if key in wanted]
    part = standing.iloc[place]
    columns = {str(name): _plain(part[name]) for name in part.columns}
    return {
        index[position]: {name: values[number] for name, values in columns.items()}
        for number, position in enumerate(place)
    }


def _plain(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if pd.isna(v) else v.to_pydatetime() for v in column]
    known = column.notna()
    values = column.astype(object).tolist()
    return [v if there else None for v, there in zip(values, known, strict=True)]


def _checked(
    name: str, rows: Sequence[tuple[str, int, dict[str, Any]]], may_lack: Sequence[str]
) -> tuple[pd.DataFrame, list[Fault], list[int]]:
    """Rows in the contract's types without those at fault, the faults, and where those stood."""
    by_file: dict[str, list[int]] = {}
    for position, (file, _, _) in enumerate(rows):
        by_file.setdefault(file, []).append(position)
    parts = tuple(
        RawPart(
            file,
            {column: [rows[p][2][column] for p in places] for column in TABLES[name]},
            np.array([rows[p][1] for p in places], dtype=np.int64),
        )
        for file, places in by_file.items()
    )
    order = [place for places in by_file.values() for place in places]
    checked = check_table(RawTable(name, parts), None, may_lack)
    if checked.faults.whole_file:
        raise InvalidTables(checked.faults.faults(), dict(checked.faults.counts()))
    bad = [order[int(position)] for position in checked.faults.at_fault()]
    return checked.kept(), checked.faults.faults(at_most=max(1, len(rows))), bad


def _together(name: str, standing: pd.DataFrame | None, fresh: pd.DataFrame) -> pd.DataFrame:
    """The rows that stand, those with the key of a fresh one replaced, sorted by key."""
    keys = list(KEYS[name])
    frame = fresh
    if standing is not None and len(standing):
        new = pd.MultiIndex.from_frame(fresh[keys])
        kept = standing[~pd.MultiIndex.from_frame(standing[keys]).isin(new)]
        frame = (
            pd.concat([kept, fresh]) if len(fresh) and len(kept) else (kept if len(kept) else fresh)
        )
    return frame.sort_values(keys).reset_index(drop=True)
