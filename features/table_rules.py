"""What must hold of a table once its values are read: presence, ranges, codes, keys, order.

Knows nothing of files, rows or how a value was written; it answers with positions in a frame.
The rules are pandera schemas, built from the contract in `schemas`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.config import ValidationDepth, config_context

from features.schemas import CODE_NAMES, CODE_TESTS, KEYS, TABLES, Column
from features.table_raw import Positions

# A float64 holds every integer below this exactly.
INTEGER_BELOW = 2**53
# A time without a zone may be another's local time: up to so much later than now is no fault.
CLOCKS_APART = pd.Timedelta(days=1)

_EVERYTHING = ValidationDepth.SCHEMA_AND_DATA

DTYPES = {
    "text": "str",
    "integer": "float64",
    "number": "float64",
    "share": "float64",
    "boolean": "boolean",
    "time": "datetime64[us, UTC]",
}


class Broken(NamedTuple):
    """Rows of a frame that break one rule.

    Attributes:
        kind: The fault's kind.
        column: The column to show.
        positions: ``(n,)`` their positions in the frame, ascending.
        reason: What is wrong, and what would be right.
    """

    kind: str
    column: str
    positions: Positions
    reason: str


_Test = Callable[[pd.Series], pd.Series]
_Rows = Callable[[pd.DataFrame], pd.Series]


def broken_rules(table: str, frame: pd.DataFrame) -> list[Broken]:
    """Every rule of a table that rows of a frame break.

    Args:
        table: The table's name.
        frame: ``(n_rows, all the table's columns)`` in `DTYPES`, indexed 0 to n_rows - 1.
    """
    try:
        # pandera can be switched off by an environment variable; these checks cannot.
        with config_context(validation_enabled=True, validation_depth=_EVERYTHING):
            _schema(table).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return [_broken(error) for error in errors.schema_errors]
    return []


def first_uses(table: str, frame: pd.DataFrame) -> Positions:
    """``(n_rows,)`` position of the first row that has each row's key."""
    key = list(KEYS[table])
    positions = pd.Series(np.arange(len(frame)), index=frame.index)
    groups = positions.groupby([frame[name] for name in key], sort=False, dropna=False)
    return groups.transform("min").to_numpy(dtype=np.int64)


def _broken(error: pa.errors.SchemaError) -> Broken:
    if error.check_output is None:  # the frame is not in DTYPES, or a test failed: our mistake
        raise error
    column, kind = str(error.check.title), str(error.check.name)
    positions = np.flatnonzero(~error.check_output.to_numpy(dtype=bool)).astype(np.int64)
    return Broken(kind, column, positions, str(error.check.error))


def _check(column: str, kind: str, test: _Test | _Rows, reason: str) -> pa.Check:
    # n_failure_cases: pandera's own list of failures is slow when there are many, and not used;
    # `check_output` has them all. ignore_na: each test deals with missing values itself.
    return pa.Check(test, name=kind, title=column, error=reason, ignore_na=False, n_failure_cases=1)


def _schema(table: str) -> pa.DataFrameSchema:
    columns = {
        name: pa.Column(DTYPES[column.type], _column_checks(name, column), nullable=True)
        for name, column in TABLES[table].items()
    }
    return pa.DataFrameSchema(columns, checks=_row_checks(table), strict=True, name=table)


def _column_checks(name: str, column: Column) -> list[pa.Check]:
    checks = []
    if column.required:
        reason = "a value is required here"
        if column.may_be_empty:
            reason += '; where the text is empty, write ""'
        checks.append(_check(name, "missing_value", lambda s: s.notna(), reason))
    if column.type in ("integer", "number", "share"):
        reason = "must be 0 or more; leave it empty where it is unknown"
        checks.append(_check(name, "out_of_range", lambda s: ~(s < 0), reason))
    if column.type == "integer":
        reason = "must be below 2**53, above which integers lose their last digits"
        checks.append(_check(name, "out_of_range", lambda s: ~(s >= INTEGER_BELOW), reason))
    if column.type == "share":
        reason = "must be a share between 0 and 1; write 0.25 for 25%"
        checks.append(_check(name, "out_of_range", lambda s: ~(s > 1), reason))
    if column.past:
        now = pd.Timestamp.now("UTC")
        latest = now + CLOCKS_APART
        reason = f"lies in the future (now {now:%Y-%m-%d}): it says when something was observed"
        checks.append(_check(name, "in_the_future", lambda s: ~(s > latest), reason))
    if column.choices is not None:
        allowed = column.choices
        reason = f"must be one of {', '.join(allowed)}"
        checks.append(_check(name, "bad_choice", lambda s: s.isin(allowed) | s.isna(), reason))
    if column.code is not None:
        code = column.code
        reason = f"must be {CODE_NAMES[code]}"
        checks.append(_check(name, "bad_code", lambda s: _is_code(s, code), reason))
    return checks


def _is_code(values: pd.Series, code: str) -> pd.Series:
    test = CODE_TESTS[code]
    wrong = [value for value in values.dropna().unique() if not test(value)]
    return ~values.isin(wrong)


def _row_checks(table: str) -> list[pa.Check]:
    key = list(KEYS[table])

    def unique(frame: pd.DataFrame) -> pd.Series:
        return ~(frame.duplicated(key) & frame[key].notna().all(axis=1))

    checks = [_check(key[-1], "duplicate_key", unique, f"{' + '.join(key)} must be unique")]
    if table == "sponsorships":
        checks += [
            _check(
                "clicks",
                "clicks_above_impressions",
                lambda f: ~(f["clicks"] > f["impressions"]),
                "clicks must not be above impressions",
            ),
            _check(
                "conversions",
                "conversions_above_clicks",
                lambda f: ~(f["conversions"] > f["clicks"]),
                "conversions must not be above clicks",
            ),
            _check(
                "conversions",
                "conversions_above_impressions",
                lambda f: ~(f["clicks"].isna() & (f["conversions"] > f["impressions"])),
                "conversions must not be above impressions",
            ),
            _check(
                "resolved_at",
                "resolved_before_start",
                lambda f: ~(f["resolved_at"] < f["started_at"]),
                "resolved_at must not be before started_at",
            ),
        ]
    return checks
