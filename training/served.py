"""What was served, and what came of it: reads a log, checks it, and joins outcomes to it.

A log has one row for each creator that could have been shown in an answer, with the features it was
scored by, the place it was shown at and the probability of that. Knows nothing of policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.schemas import DEFAULT_RESOLVE_DAYS, Column, DataError, Fault, InvalidTables
from features.served_rows import ESTIMATES, Candidates, to_table
from features.store import Answer, open_store_if_there
from features.table_faults import TableFaults
from features.table_raw import ArrowArray, RawPart, RawTable
from features.table_values import ARROW_TYPES, read_values, why_wrong
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints
from training.dataset import Strings

SERVED = "served"
STORE = "store"  # in place of a log's path: what the service stored
EXTENSIONS = (".parquet", ".csv", ".csv.gz", ".jsonl")
COLUMNS: dict[str, Column] = {
    "recommendation_id": Column("text", required=True),
    "creator_id": Column("text", required=True),
    "served_at": Column("time", required=True),
    "position": Column("integer"),
    "propensity": Column("number"),
    **{name: Column("number") for name in FEATURE_NAMES},
}
# A booking counts where it began so soon after the answer. An answer is settled when a booking of
# the last day of those would be resolved, by the contract's default: nothing more comes of it then,
# and what was not booked earned nothing.
BOOK_DAYS = 30
SETTLE_DAYS = BOOK_DAYS + DEFAULT_RESOLVE_DAYS


@dataclass(frozen=True)
class Served:
    """Answers and their candidates, by answer and creator; the order of a file changes nothing.

    Attributes:
        recommendation_id, served_us: Of each answer, ``(n_answers,)``.
        answer: Number of each candidate's answer, ascending, ``(n,)``.
        creator_id: ``(n,)``.
        position: Where it was shown, from 1; 0 where it was not, ``(n,)``.
        propensity: Probability that it was shown there; NaN where it was not, ``(n,)``.
        matrix: The features it was scored by, ``(n, n_features)``.
        conversions: What came of it, ``(n,)``.
    """

    recommendation_id: Strings
    served_us: Ints
    answer: Ints
    creator_id: Strings
    position: Ints
    propensity: Floats
    matrix: Floats
    conversions: Floats

    def __len__(self) -> int:
        return len(self.recommendation_id)

    @property
    def shown(self) -> Ints:
        """Candidates that were shown."""
        return np.flatnonzero(self.position > 0)

    @property
    def length(self) -> Ints:
        """How many were shown in each answer, ``(n_answers,)``."""
        return np.bincount(self.answer[self.shown], minlength=len(self)).astype(np.int64)

    def take(self, kept: NDArray[np.bool_]) -> Served:
        """Some of the answers, whole; `kept` is ``(n_answers,)``."""
        rows = np.flatnonzero(kept[self.answer])
        number = np.cumsum(kept) - 1
        return Served(
            self.recommendation_id[kept],
            self.served_us[kept],
            number[self.answer[rows]].astype(np.int64),
            self.creator_id[rows],
            self.position[rows],
            self.propensity[rows],
            self.matrix[rows],
            self.conversions[rows],
        )


@dataclass(frozen=True)
class Settled:
    """Answers of which all is known.

    Attributes:
        served: Those answers, with their conversions.
        unsettled: How many answers are left out: something may still come of them.
        bookings: Collaborations that came of the others.
        unmatched: Collaborations that name an answer of the log in which the creator was not shown.
    """

    served: Served
    unsettled: int
    bookings: int
    unmatched: int


def settle(served: Served, sponsorships: pd.DataFrame, as_of_us: int) -> Settled:
    """Join what came of what was shown, and leave out answers of which that is not known yet.

    Args:
        served: A log.
        sponsorships: The contract's table, by `recommendation_id` and `creator_id`.
        as_of_us: The last moment that the table tells of.
    """
    named = sponsorships[sponsorships["recommendation_id"].isin(set(served.recommendation_id))]
    keys = pd.MultiIndex.from_arrays(
        [served.recommendation_id[served.answer[served.shown]], served.creator_id[served.shown]]
    )
    found = keys.get_indexer(pd.MultiIndex.from_frame(named[["recommendation_id", "creator_id"]]))
    matched = named[found >= 0]
    row = served.shown[found[found >= 0]]
    answer = served.answer[row]
    soon = _microseconds(matched["started_at"]) < (
        served.served_us[answer] + BOOK_DAYS * MICROSECONDS_PER_DAY
    )
    is_open = soon & (_microseconds(matched["resolved_at"]) >= as_of_us)
    settled = served.served_us + SETTLE_DAYS * MICROSECONDS_PER_DAY <= as_of_us
    settled[answer[is_open]] = False
    conversions = np.zeros(len(served.answer))
    np.add.at(conversions, row[soon], matched["conversions"].to_numpy(np.float64)[soon])
    return Settled(
        replace(served, conversions=conversions).take(settled),
        unsettled=int((~settled).sum()),
        bookings=int((soon & settled[answer]).sum()),
        unmatched=int((found < 0).sum()),
    )


def _microseconds(times: pd.Series) -> Ints:
    return np.asarray(times.astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


# ---------------------------------------------------------------- reading


def read_served(path: str | Path) -> Served:
    """Read a log of what was served and check it.

    Args:
        path: A Parquet, CSV or JSON lines file, or a folder of such.

    Raises:
        InvalidTables: Rows or columns are not what `COLUMNS` says, or contradict one another.
        DataError: There is no such log, or it cannot be read, or it is empty.
    """
    raw = RawTable(SERVED, tuple(_read(file, name) for file, name in _files(Path(path))))
    return _served(raw, str(path))


def read_stored(store_url: str) -> Served:
    """Read the recommendations that the service stored, and check them as any log.

    Answers with other features than this code's are of no use to it: they are refused by name.

    Raises:
        InvalidTables: As for `read_served`.
        DataError: Nothing was stored.
        StoreError: The database is away.
    """
    store = open_store_if_there(store_url)
    if store is None:
        raise DataError(f"nothing was served yet: there is no {store_url}")
    try:
        parts = tuple(
            _part(answer, candidates)
            for answer, candidates in store.log()
            if answer.kind == "recommendation"
        )
    finally:
        store.close()
    if not parts:
        raise DataError(f"nothing was served yet: {store.name} has no recommendation")
    return _served(RawTable(SERVED, parts), store.name)


def _part(answer: Answer, candidates: Candidates) -> RawPart:
    """A stored answer as rows of a log, without what was expected of them."""
    table = to_table(candidates)
    columns: dict[str, Any] = {
        "recommendation_id": pa.array([answer.recommendation_id] * len(candidates)),
        "served_at": pa.array([answer.served_at_us] * len(candidates), ARROW_TYPES["time"]),
    }
    columns |= _columns(table.drop_columns(list(ESTIMATES)))
    return RawPart(
        file=f"answer {answer.recommendation_id}",
        columns={name: values for name, values in columns.items() if name in COLUMNS},
        rows=np.arange(1, len(candidates) + 1, dtype=np.int64),
        unknown=tuple(name for name in columns if name not in COLUMNS),
    )


def _served(raw: RawTable, name: str) -> Served:
    _check_columns(raw)
    faults = TableFaults(raw)
    frame = _read_frame(raw, faults)
    _check_rows(frame, faults)
    if faults.counts():
        raise InvalidTables(faults.faults(), dict(faults.counts()))
    if frame.empty:
        raise DataError(f"{name}: the log has no rows")
    return served_of(frame)


def served_of(frame: pd.DataFrame) -> Served:
    """A log from a frame that has been checked, with all `COLUMNS`."""
    frame = frame.sort_values(["recommendation_id", "creator_id"], kind="stable")
    ids, first, answer = np.unique(
        frame["recommendation_id"].to_numpy(object).astype(str),
        return_index=True,
        return_inverse=True,
    )
    return Served(
        recommendation_id=ids.astype(object),
        served_us=_microseconds(frame["served_at"])[first],
        answer=answer.astype(np.int64),
        creator_id=frame["creator_id"].to_numpy(object),
        position=frame["position"].fillna(0).to_numpy(np.int64),
        propensity=frame["propensity"].to_numpy(np.float64),
        matrix=frame[list(FEATURE_NAMES)].to_numpy(np.float64),
        conversions=np.zeros(len(frame)),
    )


def _files(path: Path) -> list[tuple[Path, str]]:
    if path.is_file():
        return [(path, path.name)]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.name.endswith(EXTENSIONS) and not file.name.startswith((".", "_"))
    )
    if not found:
        raise DataError(f"{path}: holds no file that ends in {', '.join(EXTENSIONS)}")
    return [(file, file.relative_to(path).as_posix()) for file in found]


def _read(path: Path, file: str) -> RawPart:
    first_row, as_text = 1, False
    columns: dict[str, Any]
    try:
        if path.name.endswith(".parquet"):
            columns = _columns(pq.read_table(path))
        elif path.name.endswith((".csv", ".csv.gz")):
            columns, first_row, as_text = _columns(_read_csv(path)), 2, True
        elif path.name.endswith(".jsonl"):
            columns = _read_json(path)
        else:
            raise DataError(f"{path}: not a file that ends in {', '.join(EXTENSIONS)}")
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    count = len(next(iter(columns.values()))) if columns else 0
    return RawPart(
        file=file,
        columns={name: values for name, values in columns.items() if name in COLUMNS},
        rows=np.arange(first_row, first_row + count, dtype=np.int64),
        as_text=as_text,
        unknown=tuple(name for name in columns if name not in COLUMNS),
    )


def _read_csv(path: Path) -> pa.Table:
    texts = {name: pa.large_string() for name in COLUMNS}
    return pacsv.read_csv(
        path,
        pacsv.ReadOptions(use_threads=False),
        pacsv.ParseOptions(newlines_in_values=True),
        pacsv.ConvertOptions(column_types=texts, strings_can_be_null=False),
    )


def _columns(table: pa.Table) -> dict[str, ArrowArray]:
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise ValueError(f"column {twice[0]!r} stands there more than once")
    return {name: table.column(name).combine_chunks() for name in table.column_names}


def _read_json(path: Path) -> dict[str, list[Any]]:
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"line {number} is not JSON ({error.msg})") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is not an object {{…}}")
        records.append(record)
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name) for record in records] for name in names}


def _check_columns(raw: RawTable) -> None:
    faults = []
    for part in raw.parts:
        for name in part.unknown:
            reason = "no column of a log, and no feature that this code knows"
            faults.append(Fault(SERVED, part.file, None, name, None, "unknown_column", reason))
        for name in COLUMNS:
            if name not in part.columns:
                reason = "the column is required and is not there"
                faults.append(Fault(SERVED, part.file, None, name, None, "missing_column", reason))
    if faults:
        raise InvalidTables(faults, dict(Counter((SERVED, fault.kind) for fault in faults)))


def _read_frame(raw: RawTable, faults: TableFaults) -> pd.DataFrame:
    """The log's values in their types; null where at fault."""
    arrays: dict[str, Any] = {}
    for name, column in COLUMNS.items():
        chunks = []
        for part, start in zip(raw.parts, raw.starts[:-1].tolist(), strict=True):
            read = read_values(_without_nan(part.columns[name]), name, column, part.as_text)
            chunks.append(read.values)
            for kind, positions in read.unreadable:
                faults.add(kind, name, positions + start, _unreadable(kind, column))
        arrays[name] = pa.chunked_array(chunks, ARROW_TYPES[column.type])
    frame: pd.DataFrame = pa.table(arrays).to_pandas()
    return frame


def _without_nan(values: ArrowArray | list[Any]) -> ArrowArray | list[Any]:
    """NaN is how a feature is missing; the readers take it for a wrong number."""
    if isinstance(values, list) or not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _unreadable(kind: str, column: Column) -> Callable[[int, Any], str]:
    if kind == "wrong_type":
        return lambda _, value: why_wrong(value, column)
    return lambda _, __: f"the value cannot be used ({kind.replace('_', ' ')})"


def _check_rows(frame: pd.DataFrame, faults: TableFaults) -> None:
    """Find rows without what they need, out of range, or in contradiction with others."""

    def wrong(kind: str, column: str, where: pd.Series, reason: str) -> None:
        positions = np.setdiff1d(np.flatnonzero(where.to_numpy(bool)), faults.at_fault(column))
        faults.add(kind, column, positions.astype(np.int64), lambda _, __: reason)

    for name, column in COLUMNS.items():
        if column.required:
            wrong("missing_value", name, frame[name].isna(), "the value is missing")
    position, propensity = frame["position"], frame["propensity"]
    answer = frame["recommendation_id"]
    wrong("out_of_range", "position", position < 1, "positions begin at 1")
    wrong(
        "out_of_range",
        "propensity",
        (propensity <= 0) | (propensity > 1),
        "a probability above 0 and at most 1: what was shown could be shown",
    )
    wrong(
        "missing_value",
        "propensity",
        position.notna() & propensity.isna(),
        "what was shown needs the probability that it was shown there",
    )
    wrong(
        "missing_value",
        "position",
        propensity.notna() & position.isna(),
        "a probability needs the position it is of",
    )
    wrong(
        "duplicate_key",
        "creator_id",
        frame.duplicated(["recommendation_id", "creator_id"]),
        "the creator stands in this answer before",
    )
    shown = position.notna() & answer.notna()
    wrong(
        "duplicate_position",
        "position",
        shown & frame.assign(shown=shown).duplicated(["recommendation_id", "position", "shown"]),
        "another creator of this answer has the position",
    )
    last = position.groupby(answer).transform("max")
    count = position.groupby(answer).transform("nunique")
    wrong(
        "position_gap",
        "position",
        shown & (position == last) & (count < last) & (position >= 1),
        "places before this one are missing in the answer",
    )
    first = frame["served_at"].groupby(answer).transform("first")
    wrong(
        "two_times",
        "served_at",
        frame["served_at"].notna() & (frame["served_at"] != first) & answer.notna(),
        "another time than that of the answer's first row",
    )
