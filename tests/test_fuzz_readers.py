"""Readers of files, given damaged and hostile ones: a short form of `benchmarks.fuzz_readers`.

Below it, what the fuzzer found, one by one.
"""

import io
import json
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_readers import READERS, fuzz, judge
from features.schemas import InvalidTables
from features.table_files import read_folder
from features.tables import check_table
from tests.importing import SAMPLES, run
from tests.test_platforms import refused as refused_answers
from training.sources.bookings import read_bookings
from training.sources.counts import read_count
from training.sources.events import Reading
from training.sources.values import Unreadable
from training.sources.xlsx import read_workbook


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@settings(max_examples=8, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_a_file_is_accepted_or_refused_as_the_contract_has_it(reader, random):
    with tempfile.TemporaryDirectory() as folder:
        outcome, error = judge(reader, random, Path(folder))
    assert outcome != "escaped", error


def test_an_input_is_made_of_its_seed_and_number():
    assert fuzz(3, range(5)).outcomes == fuzz(3, range(5)).outcomes


# ---------------------------------------------------------------- what it found


def faults_of(folder, name, **columns):
    """Faults of a Parquet table with these columns in place of its own."""
    table = pa.table({"creator_id": ["c0"], "platform": ["x"], "handle": ["a"]} | columns)
    pq.write_table(table, folder / f"{name}.parquet")
    raw = read_folder(folder, (name,)).tables[name]
    return check_table(raw, None).faults.faults()


def test_texts_of_parquet_that_are_no_utf8(tmp_path):
    broken = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    [fault] = faults_of(tmp_path, "creators", bio=broken)
    assert fault.kind == "damaged_file" and "UTF8" in fault.reason


def test_half_floats_and_days_beyond_the_calendar(tmp_path):
    half = pa.array([1.0], pa.float64()).cast(pa.float16())
    assert faults_of(tmp_path, "creators", accepts_gifting=half) == []
    beyond = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    [fault] = faults_of(tmp_path, "creators", follower_count=beyond)
    assert fault.value == f"date32[day] {2**31 - 1}"


@pytest.mark.parametrize(
    "said", ["[" * 100_000 + "]" * 100_000, '{"items": [' + "9" * 5_000 + "]}"]
)
def test_answers_too_deep_or_too_long_for_a_number(tmp_path, said):
    faults = refused_answers("youtube", answers_as_they_are(tmp_path, said), tmp_path / "o").faults
    assert [fault.kind for fault in faults] == ["damaged_file"]


def answers_as_they_are(folder, said):
    path = folder / "answer.json"
    path.write_text(said)
    return path


def test_a_count_that_no_table_holds():
    for said in ("9" * 5_000, "9,999,999,999,999,999,999", "9" * 30 + "M"):
        with pytest.raises(Unreadable, match="2\\*\\*53"):
            read_count(said)
    assert read_count("9,007,199,254,740,991") == 2**53 - 1


def test_an_event_whose_name_is_no_text(tmp_path):
    events = (SAMPLES / "ga4_events.jsonl").read_text("utf-8").split("\n")
    events[0] = json.dumps(json.loads(events[0]) | {"event_name": {"a": 1}})
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(events))
    assert run("ga4", path, tmp_path / "out").no_outcomes["other event"] >= 1


def plan_of(folder, **columns):
    frame = pd.read_csv(SAMPLES / "bookings.csv").iloc[:1]
    path = folder / "plan.parquet"
    pq.write_table(pa.table({n: [v] for n, v in frame.iloc[0].items()} | columns), path)
    return path


def test_bookings_without_end(tmp_path):
    with pytest.raises(InvalidTables) as caught:
        read_bookings(plan_of(tmp_path, impressions=[float("inf")]), Reading())
    assert [fault.column for fault in caught.value.faults] == ["impressions"]
    beyond = pa.array([2**62], pa.timestamp("us"))
    with pytest.raises(InvalidTables, match="damaged"):
        read_bookings(plan_of(tmp_path, started_at=beyond), Reading())


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/workbook.xml", b"<sheets>", b"<sheets"),
        ("xl/styles.xml", b"<fonts", b"<fonts <"),
        ("xl/worksheets/sheet1.xml", b"<v>", b"<v>&#0;"),
    ],
)
def test_workbooks_whose_parts_are_damaged(tmp_path, part, old, new):
    import zipfile

    from openpyxl import Workbook

    book = Workbook()
    for row in (["Username", "Followers"], ["a", 1]):
        book.active.append(row)
    whole, path = io.BytesIO(), tmp_path / "a.xlsx"
    book.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(old, new) if name == part else data)
    with pytest.raises(InvalidTables, match="damaged"):
        read_workbook(path, "spreadsheet", "auto")
