"""Taking files apart: ways to break one, and the same content from every format."""

from __future__ import annotations

import gzip
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schemas import TABLES, DataError, Fault, InvalidTables, Tables
from features.tables import FORMATS, read_tables, write_tables

SOUND = Path(__file__).resolve().parent / "sound_tables"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOUND, tmp_path / "data"))


def refused(source: Path) -> InvalidTables:
    with pytest.raises(InvalidTables) as caught:
        read_tables(source)
    return caught.value


def assert_same(left: Tables, right: Tables) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name))
    assert left.digest == right.digest


# ---------------------------------------------------------------- ways to break a file

POSTS = (SOUND / "posts.csv").read_bytes()
FIRST = b"post_id,creator_id,published_at,text,likes,comments\n"

# Each: what posts is called and holds; the fault's row, column, value and kind; words of the
# reason.
FILES: dict[str, tuple[str, bytes, int | None, str | None, str | None, str, str]] = {
    "no bytes": ("posts.csv", b"", None, None, None, "empty_file", "no bytes"),
    "a mark and no more": (
        "posts.csv",
        b"\xef\xbb\xbf",
        None,
        None,
        None,
        "empty_file",
        "no bytes",
    ),
    "a header and no more": ("posts.csv", FIRST, None, None, None, "empty_table", "no rows"),
    "a header cut short": (
        "posts.csv",
        FIRST.strip().removesuffix(b",comments"),
        None,
        "comments",
        None,
        "missing_column",
        "required",
    ),
    "a column missing": (
        "posts.csv",
        POSTS.replace(b"likes", b"Likes", 1),
        None,
        "likes",
        None,
        "missing_column",
        "'Likes'",
    ),
    "UTF-16": (
        "posts.csv",
        POSTS.decode().encode("utf-16"),
        1,
        None,
        "0xFF 0xFE",
        "wrong_encoding",
        "UTF-8",
    ),
    "UTF-16 with no mark": (
        "posts.csv",
        FIRST.decode().encode("utf-16-le"),
        1,
        None,
        "0x00",
        "wrong_encoding",
        "UTF-16",
    ),
    "Latin-1": (
        "posts.csv",
        FIRST + b"p0,c0,2025-01-01,ok,1,2\np1,c0,2025-01-01,na\xefve,1,2\n",
        3,
        None,
        "0xEF",
        "wrong_encoding",
        "line 3, byte 20",
    ),
    "Latin-1 in JSON": (
        "posts.jsonl",
        b'{"text": "na\xefve"}\n',
        1,
        None,
        "0xEF",
        "wrong_encoding",
        "save the file as UTF-8",
    ),
    "semicolons": (
        "posts.csv",
        FIRST.replace(b",", b";") + b"p0;c0;2025-01-01;ok;1;2\n",
        1,
        None,
        FIRST.decode().strip().replace(",", ";"),
        "wrong_delimiter",
        "commas",
    ),
    "a column twice": (
        "posts.csv",
        FIRST.replace(b"comments", b"likes") + b"p0,c0,2025-01-01,ok,1,2\n",
        1,
        None,
        "likes",
        "duplicate_column",
        "more than once",
    ),
    "a column with no name": (
        "posts.csv",
        FIRST.replace(b"text", b"") + b"p0,c0,2025-01-01,ok,1,2\n",
        1,
        None,
        None,
        "unnamed_column",
        "column 4",
    ),
    "half a row": (
        "posts.csv",
        FIRST + b'p0,c0,2025-01-01,"a\nb",1,2\np1,c0,2025-01-01\np2,c0,2025-01-01,x,1,2\n',
        3,
        None,
        "p1,c0,2025-01-01",
        "bad_row",
        "half a row: 3 fields where the header has 6",
    ),
    "too long a row": (
        "posts.csv",
        FIRST + b"p0,c0,2025-01-01,one, two,1,2\n",
        2,
        None,
        "p0,c0,2025-01-01,one, two,1,2",
        "bad_row",
        "7 fields",
    ),
    "a quote never closed": (
        "posts.csv",
        FIRST + b'p0,c0,2025-01-01,"ok",1,2\np1,c0,2025-01-01,"cut he',
        3,
        None,
        'p1,c0,2025-01-01,"cut he',
        "bad_quotes",
        "never closes",
    ),
    # Lenient readers take this for two rows of six fields, and lose one in silence.
    "a quote that swallows a row": (
        "posts.csv",
        FIRST + b'p0,c0,2025-01-01,"ok,1,2\np1,c0,2025-01-01,"z",1,2\np2,c0,2025-01-01,x,1,2\n',
        2,
        None,
        'p1,c0,2025-01-01,"z",1,2',
        "bad_quotes",
        "inside a field",
    ),
    "not gzip": ("posts.csv.gz", POSTS, None, None, None, "damaged_file", "gzip"),
    "gzip cut short": (
        "posts.csv.gz",
        gzip.compress(POSTS)[:-9],
        None,
        None,
        None,
        "damaged_file",
        "cut short",
    ),
    "gzip of nothing": (
        "posts.csv.gz",
        gzip.compress(b""),
        None,
        None,
        None,
        "empty_file",
        "no bytes",
    ),
    "not Parquet": ("posts.parquet", POSTS, None, None, None, "damaged_file", "Parquet"),
    "not JSON": (
        "posts.jsonl",
        b'\n{"post_id": "p0"\n',
        2,
        None,
        '{"post_id": "p0"',
        "bad_row",
        "not JSON",
    ),
    "not an object": ("posts.jsonl", b"[1, 2]\n", 1, None, "[1, 2]", "bad_row", "object"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_at_fault_is_refused_by_name(case: str, sound: Path) -> None:
    file, data, row, column, value, kind, words = FILES[case]
    (sound / "posts.csv").unlink()
    (sound / file).write_bytes(data)
    error = refused(sound)
    (fault,) = error.faults
    assert fault == Fault("posts", file, row, column, value, kind, fault.reason)
    assert words in fault.reason
    assert error.counts == {("posts", kind): 1}


RECORD: dict[str, Any] = {
    "post_id": "p0",
    "creator_id": "c0",
    "published_at": "2025-01-01T00:00:00Z",
    "text": "",
    "likes": 1,
    "comments": 2.0,
    "views": None,
    "is_sponsored": True,
}


@pytest.mark.parametrize(
    ("column", "value", "shown", "kind", "words"),
    [
        ("post_id", 17, "17", "wrong_type", "a number, not text"),
        ("text", {"en": "hi"}, '{"en": "hi"}', "wrong_type", "not text"),
        ("text", None, None, "missing_value", 'write ""'),
        ("likes", "1", "1", "wrong_type", "digits"),
        ("likes", True, "true", "wrong_type", "a boolean, not an integer"),
        ("likes", 1.5, "1.5", "wrong_type", "without a fraction"),
        ("likes", 2**53, "9007199254740992", "out_of_range", "2**53"),
        ("likes", -3, "-3", "out_of_range", "0 or more"),
        ("published_at", 1507248000, "1507248000", "wrong_type", "a number, not a time"),
        ("is_sponsored", "true", "true", "wrong_type", "boolean"),
        ("is_sponsored", 2, "2", "wrong_type", "boolean"),
    ],
)
def test_json_types_are_checked(
    column: str, value: Any, shown: str | None, kind: str, words: str, sound: Path
) -> None:
    (sound / "posts.csv").unlink()
    records = [{**RECORD, "post_id": "p1"}, {**RECORD, column: value}]
    (sound / "posts.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)))
    (fault,) = refused(sound).faults
    assert fault == Fault("posts", "posts.jsonl", 2, column, shown, kind, fault.reason)
    assert words in fault.reason


# In microseconds this overflows, and then looks like a time in 2023.
WRAPS = (2**64 + 1_700_000_000_000_000) // 1000


@pytest.mark.parametrize(
    ("column", "array", "rows", "kind"),
    [
        ("likes", pa.array(["1", "2"]), [1, 2], "wrong_type"),
        ("likes", pa.array([1.0, float("nan")]), [2], "wrong_type"),
        ("likes", pa.array([True, False]), [1, 2], "wrong_type"),
        ("post_id", pa.array([1, 2]), [1, 2], "wrong_type"),
        ("published_at", pa.array([1, 2]), [1, 2], "wrong_type"),
        ("published_at", pa.array([WRAPS, 0], pa.timestamp("ms")), [1], "out_of_range"),
        ("likes", pa.array([None, 1]), [1], "missing_value"),
    ],
)
def test_parquet_types_are_checked(
    column: str, array: Any, rows: list[int], kind: str, sound: Path
) -> None:
    (sound / "posts.csv").unlink()
    records = [{**RECORD, "post_id": "p0"}, {**RECORD, "post_id": "p1"}]
    table = pa.Table.from_pylist(records)
    table = table.set_column(table.schema.get_field_index(column), column, array)
    pq.write_table(table, sound / "posts.parquet")
    faults = refused(sound).faults
    assert [(f.row, f.column, f.kind) for f in faults] == [(row, column, kind) for row in rows]


@pytest.mark.parametrize("number", [pa.int8(), pa.float32(), pa.decimal128(25, 2)], ids=str)
@pytest.mark.parametrize(
    "time",
    [pa.date32(), pa.timestamp("ns"), pa.timestamp("s", "Europe/Paris"), pa.string()],
    ids=str,
)
def test_parquet_types_that_say_the_same_are_the_same(time: Any, number: Any, sound: Path) -> None:
    (sound / "posts.csv").unlink()
    (sound / "posts.jsonl").write_bytes(orjson.dumps({**RECORD, "published_at": "2025-01-01"}))
    before = read_tables(sound)
    (sound / "posts.jsonl").unlink()
    table = pa.Table.from_pylist([RECORD])
    utc = pa.array([1735689600], pa.timestamp("s", "UTC"))
    columns = {
        "post_id": table.column("post_id").dictionary_encode(),
        "creator_id": table.column("creator_id").cast(pa.string_view()),
        "published_at": utc.cast(pa.timestamp("s") if time == pa.date32() else utc.type).cast(time),
        "likes": table.column("likes").cast(number),
    }
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, sound / "posts.parquet")
    assert_same(read_tables(sound), before)


# ---------------------------------------------------------------- the same from every format


def test_a_byte_order_mark_and_other_line_ends_are_no_fault(sound: Path) -> None:
    before = read_tables(sound)
    for path in sound.iterdir():
        # Line ends within quotes are the text's own: only the post of two lines has one.
        lines = path.read_bytes().replace(b"two\nlines", b"two\0lines").replace(b"\n", b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\0", b"\n"))
    assert_same(read_tables(sound), before)


def test_partitions_are_one_table(sound: Path) -> None:
    before = read_tables(sound)
    header, *rows = POSTS.decode().replace("two\nlines", "two\0lines").splitlines()
    (sound / "posts.csv").unlink()
    folder = sound / "posts" / "year=2025"
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    (folder / ".b.csv").write_text("a tool's own")
    for index, row in enumerate(reversed(rows)):
        part = f"{header}\n{row}\n".replace("\0", "\n").encode()
        if index == 2:
            (sound / "posts" / "z.csv.gz").write_bytes(gzip.compress(part))
        else:
            (folder / f"{index}.csv").write_bytes(part)
    record = orjson.dumps({**RECORD, "post_id": "p9", "likes": "x"})
    assert_same(read_tables(sound), before)

    (sound / "posts" / "y.jsonl").write_bytes(b"\n" + record)
    (fault,) = refused(sound).faults
    assert (fault.file, fault.row, fault.column) == ("posts/y.jsonl", 2, "likes")
    (sound / "posts" / "y.jsonl.gz").write_bytes(gzip.compress(record))
    assert refused(sound).counts == {("posts", "ambiguous"): 1}


def test_a_folder_of_no_files_is_an_empty_table(sound: Path) -> None:
    for name in ("posts", "audience"):
        (sound / f"{name}.csv").unlink()
        (sound / name).mkdir()
    assert refused(sound).counts == {("posts", "empty_table"): 1}


# ---------------------------------------------------------------- no input ends in a traceback

ENDINGS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")


def read_or_refuse(data: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(SOUND / "creators.csv", name)
        packed = gzip.compress(data) if ending.endswith("gz") else data
        (Path(name) / f"posts.{ending}").write_bytes(packed)
        aside = Path(name) / "aside"
        for on_invalid in ("refuse", "quarantine"):
            try:
                read_tables(name, on_invalid=on_invalid, quarantine_dir=aside)  # type: ignore[arg-type]
            except DataError as error:
                assert str(error)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300), ending=st.sampled_from(ENDINGS))
def test_random_bytes_are_read_or_refused(data: bytes, ending: str) -> None:
    read_or_refuse(data, ending)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("written")
    tables = read_tables(SOUND)
    for format in FORMATS:
        write_tables(tables, folder, format)
    return {
        ending: (folder / f"posts.{ending.removesuffix('.gz')}").read_bytes() for ending in ENDINGS
    }


@settings(max_examples=100, deadline=None)
@given(ending=st.sampled_from(ENDINGS), seed=st.integers(0, 2**32 - 1), flips=st.integers(1, 4))
def test_damaged_files_are_read_or_refused(
    written: dict[str, bytes], ending: str, seed: int, flips: int
) -> None:
    damage = random.Random(seed)
    data = bytearray(written[ending])
    for _ in range(flips):
        at = damage.randrange(len(data))
        piece = damage.choice([b"", b"\0", b'"', b",", b"\n", b"\xff", b"-", data[at // 2 : at]])
        data[at : at + damage.randrange(3)] = piece
    read_or_refuse(bytes(data), ending)


@pytest.mark.parametrize("name", ["sponsorship.csv", "Sponsorships.CSV"])
def test_a_file_named_nearly_as_a_table_is_told(tmp_path: Path, name: str) -> None:
    for table in ("creators", "posts"):
        shutil.copy(Path(__file__).parent / "sound_tables" / f"{table}.csv", tmp_path)
    (tmp_path / name).write_text("sponsorship_id\ns1\n")
    assert any(
        name in warning and "not read" in warning for warning in read_tables(tmp_path).warnings
    )
