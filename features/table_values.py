"""Reads the raw values of one column into its type, and says which cannot be read.

Knows nothing of other columns, of files, or of ranges and codes (`table_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.schemas import Column
from features.table_raw import ArrowArray, Positions

TEXT_CHARACTERS_AT_MOST = 100_000
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)

ARROW_TYPES: dict[str, Any] = {
    "text": pa.large_string(),
    "integer": pa.float64(),
    "number": pa.float64(),
    "share": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}

# Columns that join tables or name a part of a key: a blank nobody sees would part what belongs
# together. Other texts keep their blanks.
_BLANKS = r"^[\s\pZ]|[\s\pZ]$|\pC"

# pandas writes integers as 30395.0 where the column has gaps.
_INTEGER = r"^[+-]?[0-9]+(\.0*)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_ISO_8601 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
_THOUSANDS = re.compile(r"^[+-]?[0-9]{1,3}([,.'’\s\u202f_][0-9]{3})+([.,][0-9]+)?$")
_SHORTENED = re.compile(r"^[0-9.,]+\s*(k|m|mn|b|bn|mio|tsd)\.?$", re.IGNORECASE)
_NO_VALUE = frozenset({"nan", "null", "none", "na", "n/a", "#n/a", "-", "--", "?", "inf", "-inf"})

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS = {"s": 10**6, "ms": 10**3, "us": 1}


class Unreadable(NamedTuple):
    """Values of one column that cannot be read, all for one kind of reason."""

    kind: str
    positions: Positions


class Values(NamedTuple):
    """One column read: its values ``(n_rows,)`` in `ARROW_TYPES`, null where unreadable."""

    values: ArrowArray
    unreadable: tuple[Unreadable, ...]


def to_arrow(values: pd.Series) -> ArrowArray:
    """A pandas column as an Arrow array; a time as UTC."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        # Arrow still takes such a column by `Series.values`, which pandas 3.1 deprecates.
        array: ArrowArray = pa.array(values.dt.tz_convert(None))
        return array.cast(pa.timestamp("us", tz="UTC"))
    return pa.array(values, from_pandas=True)


def is_identifier(name: str) -> bool:
    """Whether a column joins tables or is part of a key."""
    return name.endswith("_id") or name == "code"


def read_values(raw: ArrowArray | list[Any], name: str, column: Column, as_text: bool) -> Values:
    """Read a column's raw values into its type.

    Args:
        raw: ``(n_rows,)`` values as found.
        name: The column's name.
        column: What the contract says of it.
        as_text: The values are text as written (CSV): numbers are read from text, and an empty
            text is no value.
    """
    if isinstance(raw, list):
        return _read_mixed(raw, name, column)
    raw = _plain_array(raw)
    if pa.types.is_null(raw.type):
        return Values(pa.nulls(len(raw), ARROW_TYPES[column.type]), ())
    if column.type == "text":
        return _read_text(raw, name, column)
    if as_text:
        raw = _null_where(raw, _mask(pc.equal(raw, pa.scalar("", pa.large_string()))))
    if column.type == "time":
        return _read_times(raw)
    if column.type == "boolean":
        return _read_booleans(raw, as_text)
    return _read_numbers(raw, whole=column.type == "integer", as_text=as_text)


def why_wrong(value: Any, column: Column) -> str:
    """What is wrong with a value of the wrong type, and what would be right."""
    if column.type == "text":
        return f"{_kind_of(value)}, not text; write it as text"
    if column.type == "boolean":
        return "not a boolean; write true, false, 1 or 0"
    if column.type == "time":
        if isinstance(value, str):
            return "not an ISO 8601 time; write it as 2017-10-06 or 2017-10-06T14:30:00Z"
        return f"{_kind_of(value)}, not a time; write ISO 8601, such as 2017-10-06T14:30:00Z"
    what = "an integer" if column.type == "integer" else "a number"
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _NO_VALUE:
            return f"not {what}; leave the field empty where there is no value"
        if _THOUSANDS.match(text):
            return f"not {what}: it has thousands separators; write the digits alone, such as 1234"
        if _SHORTENED.match(text):
            return f"not {what}: it is shortened; write all digits, such as 12300 for 12.3K"
        return f"not {what}; write digits alone, such as 1234"
    if isinstance(value, float | Decimal) and column.type == "integer":
        return "not an integer; write it without a fraction"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"not {what} that can be held: too large"
    return f"{_kind_of(value)}, not {what}"


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    return "text" if isinstance(value, str) else f"of type {type(value).__name__}"


# ---------------------------------------------------------------- one Arrow array


def _plain_array(raw: ArrowArray) -> ArrowArray:
    """The array without dictionaries, extensions, half floats and 32-bit text offsets."""
    if isinstance(raw, pa.ExtensionArray):
        raw = raw.storage
    if isinstance(raw, pa.DictionaryArray):
        raw = raw.dictionary_decode()
    if pa.types.is_float16(raw.type):  # which Arrow compares with nothing
        raw = raw.cast(pa.float32())
    if pa.types.is_string(raw.type) or pa.types.is_string_view(raw.type):
        raw = raw.cast(pa.large_string())
    return raw


def _mask(condition: ArrowArray) -> npt.NDArray[np.bool_]:
    """A condition as a mask; null is false."""
    return np.asarray(pc.fill_null(condition, False), dtype=np.bool_)


def _valid(values: ArrowArray) -> npt.NDArray[np.bool_]:
    return np.asarray(values.is_valid(), dtype=np.bool_)


def _null_where(values: ArrowArray, mask: npt.NDArray[np.bool_]) -> ArrowArray:
    if not mask.any():
        return values
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)


def _found(kind: str, mask: npt.NDArray[np.bool_]) -> tuple[Unreadable, ...]:
    return (Unreadable(kind, np.flatnonzero(mask).astype(np.int64)),) if mask.any() else ()


def _all_wrong(raw: ArrowArray, to: Any) -> Values:
    return Values(pa.nulls(len(raw), to), _found("wrong_type", _valid(raw)))


def _read_text(raw: ArrowArray, name: str, column: Column) -> Values:
    if not pa.types.is_large_string(raw.type):
        return _all_wrong(raw, pa.large_string())
    if not column.may_be_empty:
        raw = _null_where(raw, _mask(pc.equal(raw, pa.scalar("", pa.large_string()))))
    too_long = _mask(pc.greater(pc.utf8_length(raw), pa.scalar(TEXT_CHARACTERS_AT_MOST)))
    if is_identifier(name):
        bad_character = _mask(pc.match_substring_regex(raw, _BLANKS))
    else:
        bad_character = _mask(pc.match_substring(raw, "\0"))
    values = _null_where(raw, too_long | bad_character)
    if column.choices is not None and name == "platform":
        values = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    elif column.code in ("country", "currency"):
        values = pc.utf8_upper(pc.utf8_trim_whitespace(values))
    return Values(values, _found("too_long", too_long) + _found("bad_character", bad_character))


def _read_numbers(raw: ArrowArray, whole: bool, as_text: bool) -> Values:
    wrong = np.zeros(len(raw), dtype=bool)
    if as_text:
        wrong = ~_mask(pc.match_substring_regex(raw, _INTEGER if whole else _NUMBER)) & _valid(raw)
        raw = _null_where(raw, wrong)
    elif not (pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type)) and not (
        pa.types.is_decimal(raw.type)
    ):
        return _all_wrong(raw, pa.float64())
    values = raw.cast(pa.float64(), safe=False)
    numbers = values.to_numpy(zero_copy_only=False)
    odd = ~np.isfinite(numbers)
    if whole:
        odd |= np.floor(numbers) != numbers
    odd &= _valid(values)
    return Values(_null_where(values, odd), _found("wrong_type", wrong | odd))


def _read_booleans(raw: ArrowArray, as_text: bool) -> Values:
    if pa.types.is_boolean(raw.type):
        return Values(raw, ())
    if as_text:
        lower = pc.utf8_lower(raw)
        yes = _mask(pc.is_in(lower, pa.array(["true", "1"], pa.large_string())))
        no = _mask(pc.is_in(lower, pa.array(["false", "0"], pa.large_string())))
    elif pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type):
        yes, no = (_mask(pc.equal(raw, pa.scalar(value, raw.type))) for value in (1, 0))
    else:
        return _all_wrong(raw, pa.bool_())
    return Values(pa.array(yes, mask=~(yes | no)), _found("wrong_type", _valid(raw) & ~(yes | no)))


def _read_times(raw: ArrowArray) -> Values:
    to = ARROW_TYPES["time"]
    valid = _valid(raw)
    if pa.types.is_large_string(raw.type):
        micros, wrong = _parse_times(raw)
    elif pa.types.is_date(raw.type):
        days = raw.cast(pa.date32(), safe=False).cast(pa.int32())
        micros, wrong = _scaled(days, 86_400 * 10**6), np.zeros(len(raw), dtype=bool)
    elif pa.types.is_timestamp(raw.type):
        # A time without a zone is UTC; one with a zone is stored in UTC.
        since_1970 = raw.cast(pa.int64())
        if raw.type.unit == "ns":
            micros = np.asarray(pc.fill_null(since_1970, 0)) // 1000
        else:
            micros = _scaled(since_1970, _MICROSECONDS[raw.type.unit])
        wrong = np.zeros(len(raw), dtype=bool)
    else:
        return _all_wrong(raw, to)
    first, end = (int(t.timestamp()) * 10**6 for t in (EARLIEST, LATEST))
    outside = valid & ~wrong & ((micros < first) | (micros >= end))
    values = pa.array(micros, mask=~valid | wrong | outside).cast(to)
    return Values(values, _found("wrong_type", wrong) + _found("out_of_range", outside))


def _scaled(values: ArrowArray, factor: int) -> Positions:
    """Times `factor`, where that overflows a number far out of range instead."""
    numbers = np.asarray(pc.fill_null(values, 0)).astype(np.int64)
    limit = 2**62 // factor
    return np.clip(numbers, -limit, limit) * factor


def _parse_times(raw: ArrowArray) -> tuple[Positions, npt.NDArray[np.bool_]]:
    iso = _mask(pc.match_substring_regex(raw, _ISO_8601))
    texts = _null_where(raw, ~iso)
    if _mask(pc.match_substring_regex(texts, r"\.[0-9]{7}")).any():
        # One value in nanoseconds would have pandas hold all in them, and overflow in 2262.
        texts = pc.replace_substring_regex(texts, r"(\.[0-9]{6})[0-9]+", r"\1")
    parsed = pd.to_datetime(texts.to_pandas(), format="ISO8601", utc=True, errors="coerce")
    times = parsed.astype("datetime64[us, UTC]")
    wrong = _valid(raw) & times.isna().to_numpy()
    return times.astype("int64").to_numpy(dtype=np.int64), wrong


# ---------------------------------------------------------------- mixed Python values


def _read_mixed(raw: list[Any], name: str, column: Column) -> Values:
    """Values of several Python types: each type is read by itself, then put back in order."""
    to = ARROW_TYPES[column.type]
    pieces: list[ArrowArray] = []
    places: list[Positions] = []
    unreadable: dict[str, list[Positions]] = {}
    for kind, positions in _by_type(raw):
        array = _arrow_array([raw[i] for i in positions.tolist()], kind)
        read = Values(
            pa.nulls(len(positions), to),
            _found("wrong_type", np.ones(len(positions), bool)),
        )
        if array is not None:
            read = read_values(array, name, column, as_text=False)
        pieces.append(read.values)
        places.append(positions)
        for found in read.unreadable:
            unreadable.setdefault(found.kind, []).append(positions[found.positions])
    if not pieces:
        return Values(pa.nulls(len(raw), to), ())
    values = pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(places))))
    return Values(
        values,
        tuple(Unreadable(k, np.sort(np.concatenate(found))) for k, found in unreadable.items()),
    )


def _by_type(raw: list[Any]) -> Iterable[tuple[type, Positions]]:
    kinds: dict[type, int] = {}
    codes = np.fromiter(
        (kinds.setdefault(type(value), len(kinds)) for value in raw), np.int64, len(raw)
    )
    return [(kind, np.flatnonzero(codes == code)) for kind, code in kinds.items()]


def _arrow_array(values: list[Any], kind: type) -> ArrowArray | None:
    """The values as an Arrow array, or None for a type that no column of the contract has."""
    if kind is type(None):
        return pa.nulls(len(values), pa.null())
    if kind is str:
        return pa.array(values, pa.large_string())
    if issubclass(kind, datetime):
        return pa.array([_microseconds(value) for value in values]).cast(ARROW_TYPES["time"])
    if kind in (int, Decimal):
        # As floats: an integer of any length keeps its size, if not its last digits.
        return pa.array([_as_float(value) for value in values], pa.float64())
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None


def _microseconds(time: datetime) -> int:
    """Microseconds since 1970 in UTC; a time without a zone is UTC.

    Not left to Arrow: `import pandera` sets PYARROW_IGNORE_TIMEZONE for the whole process, and
    Arrow then drops the zone of every Python time it is given.
    """
    offset = time.utcoffset() or timedelta(0)
    return (time.replace(tzinfo=None) - datetime(1970, 1, 1)) // _MICROSECOND - (
        offset // _MICROSECOND
    )


def _as_float(value: int | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
