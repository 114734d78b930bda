"""Changes files as slips, broken tools and malice do: by their structure, and byte by byte.

Every choice is drawn from the generator that is given, so the same one makes the same change; in
tests Hypothesis draws them. Knows nothing of what the files mean, nor of who reads them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

Kind = Literal["csv", "json", "jsonl", "parquet", "xlsx"]

# Texts that readers stumble over, each for a reason of its own: what is read as a number, a time,
# a code, a formula, or cannot be written in UTF-8 at all.
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "\u00a0",
        "\ufeff",
        "\0",
        "a\0b",
        "\r",
        "\n",
        "\r\n",
        '"',
        '""',
        "'",
        ",",
        ";",
    ),
    *("nan", "NaN", "inf", "-inf", "Infinity", "None", "null", "true", "0", "-0", "-1", "+1", "1."),
    *(
        ".5",
        "1e5",
        "1e400",
        "1E-400",
        "1_000",
        "0x10",
        "١٢٣",
        "１２３",
        "²",
        "½",
        "9" * 19,
        "9" * 400,
    ),
    *("9" * 5_000, "9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *("1,234", "1.234", "1.234,5", "1,234.5", "1'234", "12.3K", "1,2 Mio", "4.5万", "-", "n/a"),
    *("2025-01-01", "2025-13-45", "2025-02-29", "03/04/2026", "31.12.2025", "0001-01-01"),
    *("9999-12-31T23:59:59.999999Z", "2025-01-01T00:00:00+99:99", "2025-01-01T24:00:00Z"),
    *("1735689600", "99999999999999999999", "20250101", "2025010199", "2025-W01-1", "12:00"),
    *("2025-01-01 16:41:30+0100", "2025-01-01T00:00:00.1234567890Z", "-2025-01-01"),
    *("US", "us", "USA", "ZZ", "en", "en_US", "x-private", "i-klingon", "und", "EUR", "€", "XXX"),
    *("$1", "€ -5", "(12.00)", "12 kr", "USD 5 EUR", "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0"),
    *("&amp;", "&#0;", "&#xD800;", "&#1114112;", "&#99999999;", "<script>", "../../etc/passwd"),
    *(
        "\u202eabc",
        "\u200b",
        "e\u0301" * 50,
        "👩‍👩‍👧‍👦",
        "\U0010ffff",
        "ß",
        "İ",
        "ﬁ",
        "x" * 100_001,
    ),
    *("https://[", "?utm_source=%ff&utm_content=", "http://x/?utm_source=a;b", "sep=;", "# note"),
    *(
        "instagram",
        "youtube:",
        ":",
        "instagram:@",
        "UC",
        "c0",
        "p0",
        "s0",
        "k",
        "\ud800",
        "a\udfffb",
    ),
)
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -(10**30)),
    *(0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf")),
)
# Deeper than Python's own stack, on which `json` goes down; orjson stops at 1,024.
DEPTHS = (10, 1_100, 100_000)


def text(random: Random) -> str:
    """A text that readers stumble over, alone or within another."""
    found = random.choice(TEXTS)
    return found if random.random() < 0.8 else random.choice(TEXTS) + found


def value(random: Random) -> Any:
    """A value of JSON, of any type."""
    return random.choice(
        (
            lambda: text(random),
            lambda: random.choice(NUMBERS),
            lambda: random.choice((None, True, False)),
            lambda: [text(random)],
            lambda: {text(random): random.choice(NUMBERS)},
            list,
            dict,
        )
    )()


def mutated(kind: Kind, data: bytes, random: Random) -> bytes:
    """A file of a kind, changed once for the most part, at most three times."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = _STRUCTURAL[kind](data, random) if random.random() < 0.75 else bent(data, random)
    return data


def bent(data: bytes, random: Random) -> bytes:
    """Bytes, some of them changed, lost, doubled or put in, whatever they mean."""
    if not data:
        return random.randbytes(random.randint(0, 8))
    at = random.randrange(len(data))
    end = min(len(data), at + random.choice((1, 1, 1, 2, 4, 16, 200)))
    way = random.randrange(7)
    if way == 0:
        return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
    if way == 1:
        return data[:at] + random.randbytes(end - at) + data[end:]
    if way == 2:
        return data[:at] + data[end:]
    if way == 3:
        return data[:end] + data[at:end] * random.choice((1, 2, 50)) + data[end:]
    if way == 4:
        return data[:at]
    if way == 5:
        put = _encoded(text(random), random)
        return data[:at] + put + data[at:]
    other = random.randrange(len(data))
    return data[:at] + data[other : other + end - at] + data[end:]


def compressed(data: bytes, random: Random) -> bytes:
    """A gzip file of some bytes; now and then one that is damaged, doubled or no gzip at all."""
    whole = gzip.compress(data, compresslevel=1, mtime=0)
    if random.random() < 0.6:
        return whole
    return random.choice((bent(whole, random), whole * 2, whole + b"tail", data, whole[:-4]))


def _encoded(said: str, random: Random) -> bytes:
    """A text's bytes; a half of a pair of surrogates as no decoder takes it."""
    codec = random.choice(("utf-8", "utf-8", "utf-8", "utf-16-le", "utf-8-sig"))
    return said.encode(codec, "surrogatepass")


# ---------------------------------------------------------------- CSV


def _csv(data: bytes, random: Random) -> bytes:
    said = data.decode("utf-8", "replace")
    mark = ";" if said[:200].count(";") > said[:200].count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(said, newline=""), delimiter=mark))
    except csv.Error:
        return bent(data, random)
    if not rows:
        return bent(data, random)
    _change_rows(rows, random)
    out = io.StringIO(newline="")
    mark = mark if random.random() < 0.95 else random.choice(",;\t|")
    ends = random.choice(("\r\n", "\n", "\n", "\r"))
    if random.random() < 0.33:
        writer = csv.writer(out, delimiter=mark, lineterminator=ends, quoting=csv.QUOTE_ALL)
    else:
        writer = csv.writer(out, delimiter=mark, lineterminator=ends)
    writer.writerows(rows)
    codec = "utf-8" if random.random() < 0.95 else random.choice(("utf-8-sig", "utf-16"))
    return out.getvalue().encode(codec, "surrogatepass")


def _change_rows(rows: list[list[Any]], random: Random) -> None:
    """Change a table of cells where it stands: one cell for the most part, else rows or columns."""
    place = random.randrange(len(rows))
    row = rows[place]
    way = random.random()
    if way < 0.6 and row:
        row[random.randrange(len(row))] = text(random)
    elif way < 0.7:
        rows.insert(random.randrange(len(rows) + 1), list(row))
    elif way < 0.75:
        del rows[place]
    elif way < 0.8 and rows[0]:  # a column, under the same or another name
        column = random.randrange(len(rows[0]))
        name = random.choice((rows[0][column], text(random)))
        for number, cells in enumerate(rows):
            cells.append(name if number == 0 else text(random))
    elif way < 0.85 and rows[0]:
        column = random.randrange(len(rows[0]))
        for cells in rows:
            del cells[column : column + 1]
    elif way < 0.9:
        row.append(text(random))
    elif way < 0.95 and row:
        row.pop()
    else:
        rows.insert(place, [""] * random.choice((0, 1, len(row))))


# ---------------------------------------------------------------- JSON


def _json(data: bytes, random: Random) -> bytes:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return bent(data, random)
    if random.random() < 0.05:
        tree = [tree, tree] if random.random() < 0.5 else value(random)
    changed = _change_tree(tree, random)
    return _dumped(changed, random)


def _jsonl(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    place = random.randrange(len(lines))
    way = random.random()
    if way < 0.8:
        lines[place] = _json(lines[place], random).replace(b"\n", b" ")
    elif way < 0.9:
        lines.insert(random.randrange(len(lines) + 1), lines[place])
    else:
        del lines[place]
    return b"\n".join(lines)


def _dumped(tree: Any, random: Random) -> bytes:
    if random.random() < 0.02:
        depth = random.choice(DEPTHS)
        return b"[" * depth + b"]" * depth
    # Half of a pair of surrogates is written as \udXXX, which JSON allows.
    told = json.dumps(tree, ensure_ascii=random.random() < 0.5 or not _is_utf8(tree))
    if random.random() < 0.02:
        told = told.replace('""', "[" * 1_100 + "]" * 1_100, 1)
    return told.encode()


def _is_utf8(tree: Any) -> bool:
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _change_tree(tree: Any, random: Random) -> Any:
    """A tree of JSON with one thing in it changed, at any depth."""
    if isinstance(tree, dict) and tree and random.random() < 0.9:
        name = random.choice(list(tree))
        way = random.random()
        if way < 0.8:
            return {**tree, name: _change_tree(tree[name], random)}
        if way < 0.9:
            return {own: inner for own, inner in tree.items() if own != name}
        return {**tree, text(random): tree[name]}
    if isinstance(tree, list) and tree and random.random() < 0.9:
        place = random.randrange(len(tree))
        way = random.random()
        if way < 0.8:
            return [*tree[:place], _change_tree(tree[place], random), *tree[place + 1 :]]
        if way < 0.9:
            return [*tree, tree[place]]
        return tree[:place] + tree[place + 1 :]
    return value(random)


# ---------------------------------------------------------------- Parquet

# Columns of every type that a tool may have written: made from nothing but a number of rows.
_COLUMNS: tuple[Callable[[int], Any], ...] = (
    lambda n: pa.nulls(n),
    lambda n: pa.array([2**64 - 1] * n, pa.uint64()),
    lambda n: pa.array([-1] * n, pa.int8()),
    lambda n: pa.array([float("inf"), float("nan")] * n, pa.float32())[:n],
    lambda n: pa.array([1.5] * n, pa.float64()).cast(pa.float16()),
    lambda n: pa.array([Decimal("1E+30")] * n, pa.decimal128(38, 0)),
    lambda n: pa.array([Decimal("0.5")] * n, pa.decimal256(50, 10)),
    lambda n: pa.array([True] * n),
    lambda n: pa.array([b"\xff\xfe"] * n, pa.binary()),
    lambda n: pa.array([b"ab"] * n, pa.binary(2)),
    lambda n: pa.array(["a"] * n).dictionary_encode(),
    lambda n: pa.array(["\0"] * n, pa.large_string()),
    lambda n: pa.array(["x"] * n, pa.string_view()),
    lambda n: pa.array([["a", None]] * n),
    lambda n: pa.array([{"a": 1}] * n),
    lambda n: pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int64())),
    lambda n: pa.array([2**62] * n, pa.timestamp("s")),
    lambda n: pa.array([-(2**62)] * n, pa.timestamp("us", "UTC")),
    lambda n: pa.array([2**62] * n, pa.timestamp("ns", "America/New_York")),
    lambda n: pa.array([1] * n, pa.timestamp("ms", "No/Where")),
    lambda n: pa.array([date(9999, 12, 31)] * n, pa.date32()),
    lambda n: pa.array([10**15] * n, pa.date64()),
    lambda n: pa.array([1] * n, pa.time64("ns")),
    lambda n: pa.array([2**62] * n, pa.duration("us")),
    lambda n: pa.array([datetime(2025, 1, 1, tzinfo=UTC)] * n),
)


def _parquet(data: bytes, random: Random) -> bytes:
    try:
        table = pq.read_table(pa.BufferReader(data))
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError):  # the last where a name is no UTF-8
        return bent(data, random)
    if not names:
        return bent(data, random)
    column = random.randrange(table.num_columns)
    way = random.random()
    if way < 0.5:
        fresh = random.choice(_COLUMNS)(table.num_rows)
        table = table.set_column(column, names[column], fresh)
    elif way < 0.75:
        try:
            said = table.column(column).to_pylist()
        except (ValueError, OverflowError):  # a time that no calendar holds
            return bent(data, random)
        if said:
            said[random.randrange(len(said))] = text(random)
        texts = [None if one is None else str(one).encode("utf-8", "replace") for one in said]
        fresh = pa.array(texts, pa.binary()).cast(pa.string())
        table = table.set_column(column, names[column], fresh)
    elif way < 0.85:
        table = table.remove_column(column)
    elif way < 0.95:
        name = random.choice((*table.column_names, "more"))
        table = table.append_column(name, random.choice(_COLUMNS)(table.num_rows))
    else:
        table = random.choice((table.slice(0, 0), pa.concat_tables([table, table])))
    return _written(table, data)


def _written(table: pa.Table, otherwise: bytes) -> bytes:
    out = io.BytesIO()
    try:
        pq.write_table(table, out)
    except (pa.ArrowException, ValueError):  # of a type that Parquet has not
        return otherwise
    return out.getvalue()


# ---------------------------------------------------------------- XLSX


def _xlsx(data: bytes, random: Random) -> bytes:
    """A workbook whose cells, or one of whose parts, are changed; the archive stays whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
        return bent(data, random)
    if not parts:
        return bent(data, random)
    sheets = [name for name in parts if "sheet" in name] or list(parts)
    name = random.choice(sheets) if random.random() < 0.7 else random.choice(list(parts))
    if random.random() < 0.5:
        # A cell's value or the way it is told, as XML has it.
        old, new = random.choice(_XML)
        parts[name] = parts[name].replace(old, new, random.choice((1, -1)))
    elif random.random() < 0.9:
        parts[name] = bent(parts[name], random)
    else:
        del parts[name]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for own, inner in parts.items():
            archive.writestr(own, inner)
    return out.getvalue()


_XML: Sequence[tuple[bytes, bytes]] = (
    (b't="s"', b't="n"'),
    (b't="s"', b't="b"'),
    (b't="s"', b't="e"'),
    (b't="s"', b't="d"'),
    (b't="s"', b't="inlineStr"'),
    (b"<v>", b"<v>-"),
    (b"<v>", b"<v>9999999999"),
    (b"<v>", b"<f>1+1</f><v>"),
    (b'r="A1"', b'r="ZZZ9999999"'),
    (b'r="B2"', b'r="2B"'),
    (b'r="1"', b'r="-1"'),
    (b"<row", b"<row hidden='1'"),
    (b"<c ", b"<c s='999' "),
    (b"</row>", b"<c/></row>"),
    (b"<?xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><?xml"),
    (b"standalone", b"standalone='no' x"),
    (b"<si><t>", b"<si><t>&#0;"),
    (b"UTF-8", b"UTF-16"),
)


_STRUCTURAL: dict[Kind, Callable[[bytes, Random], bytes]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
