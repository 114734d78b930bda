"""What the contract's first section says of tables: what is read, refused and set aside.

`sound_tables/` holds a sound data set as a person would write it; `broken_cells.jsonl` the ways
to break one cell of it, one a line.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandera.config import ValidationDepth, config_context

from features.schemas import (
    FAULTS_SHOWN,
    KEYS,
    TABLES,
    DataError,
    Fault,
    InvalidTables,
    Tables,
)
from features.tables import FORMATS, check_tables, read_tables, write_tables

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
SCHEMA_ONLY = ValidationDepth.SCHEMA_ONLY
BROKEN = {
    case["case"]: case
    for case in map(json.loads, (HERE / "broken_cells.jsonl").read_text("utf-8").splitlines())
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HERE / "sound_tables", tmp_path / "data"))


def edit(folder: Path, table: str, row: int, column: str, value: str) -> None:
    """Write one cell of a CSV; rows are numbered as a spreadsheet does."""
    path = folder / f"{table}.csv"
    records = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
    records[row - 1][records[0].index(column)] = value
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(records)
    path.write_text(out.getvalue(), "utf-8", newline="")


def append(folder: Path, table: str, text: str) -> None:
    path = folder / f"{table}.csv"
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def refused(source: Path) -> InvalidTables:
    with pytest.raises(InvalidTables) as caught:
        read_tables(source)
    return caught.value


def frames(tables: Tables) -> dict[str, pd.DataFrame]:
    return {name: getattr(tables, name) for name in TABLES}


# ---------------------------------------------------------------- what is right


def test_sound_tables_are_read_as_they_stand(folder: Path) -> None:
    tables = read_tables(folder)
    assert tables.warnings == () and tables.quarantined == {}
    posts = tables.posts
    assert posts["text"].tolist() == ['Said "hi", twice', "two\nlines 😀", "", "naïve"]
    assert posts["published_at"].tolist() == [
        pd.Timestamp("2025-01-01T15:41:30Z"),
        pd.Timestamp("2025-01-01T15:41:30Z"),
        pd.Timestamp("2025-01-02T00:00:00Z"),
        pd.Timestamp("2025-01-03T10:00:00.123456Z"),
    ]
    assert posts["views"].tolist()[0] == 30395 and np.isnan(posts["views"][1])
    assert posts["is_sponsored"].tolist() == [False, pd.NA, True, True]
    assert tables.creators["price_per_post"].tolist()[::2] == [281.0, 100.0]
    assert tables.creators["accepts_gifting"].tolist() == [True, pd.NA, False]
    # resolved_at: as given, and 30 days after the start where it is not.
    assert tables.sponsorships["resolved_at"].tolist() == [
        pd.Timestamp("2025-03-01T00:00:00Z"),
        pd.Timestamp("2025-03-03T00:00:00Z"),
    ]


@pytest.mark.parametrize("optional", [True, False])
def test_frames_have_the_contracts_columns_and_dtypes(folder: Path, optional: bool) -> None:
    for name in () if optional else ("sponsorships", "audience", "followers"):
        (folder / f"{name}.csv").unlink()
    kinds = {"text": "str", "boolean": "boolean", "time": "datetime64[us, UTC]"}
    for name, frame in frames(read_tables(folder)).items():
        expected = {n: kinds.get(c.type, "float64") for n, c in TABLES[name].items()}
        assert {n: str(t) for n, t in frame.dtypes.items()} == expected
        assert (len(frame) > 0) == (optional or name in ("creators", "posts"))
        assert frame.equals(frame.sort_values(list(KEYS[name]), ignore_index=True))


def test_platform_country_and_currency_are_written_one_way(folder: Path) -> None:
    for column, value in {"platform": " YouTube ", "country": "us", "currency": "eur "}.items():
        edit(folder, "creators", 2, column, value)
    row = read_tables(folder).creators.loc[0]
    assert (row["platform"], row["country"], row["currency"]) == ("youtube", "US", "EUR")


def test_currency_is_usd_where_none_is_given(folder: Path) -> None:
    edit(folder, "creators", 2, "currency", "")
    assert read_tables(folder).creators["currency"].tolist() == ["USD"] * 3


def test_what_is_unusual_is_told(folder: Path) -> None:
    path = folder / "creators.csv"
    path.write_text(path.read_text().replace("follower_count", "shoe_size"))
    edit(folder, "sponsorships", 1, "clicks", "post_id")
    (folder / "README.md").write_text("not a table")
    (folder / "audience.csv").rename(folder / "Audience.CSV")
    told = read_tables(folder).warnings
    named = ["Audience.CSV", "creators", "creators", "sponsorships"]
    assert [warning.split(":")[0] for warning in told] == named
    assert "shoe_size" in told[1] and "follower_count" in told[2] and "1 of 1" in told[3]


def test_empty_rows_are_passed_over_and_do_not_shift_row_numbers(folder: Path) -> None:
    append(folder, "followers", "\n,,\nc0,2025-03-01,x\n\n")
    assert [(f.row, f.value, f.kind) for f in refused(folder).faults] == [(6, "x", "wrong_type")]
    edit(folder, "followers", 6, "follower_count", "7")
    assert read_tables(folder).warnings == ("followers.csv: 3 empty rows were passed over",)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("case", BROKEN)
def test_a_cell_at_fault_is_refused_by_name(case: str, folder: Path) -> None:
    broken = BROKEN[case]
    table, row, column = broken["table"], broken["row"], broken["column"]
    edit(folder, table, row, column, broken["value"])
    error = refused(folder)
    (fault,) = error.faults
    value, kind = broken["value"] or None, broken["kind"]
    assert fault == Fault(table, f"{table}.csv", row, column, value, kind, fault.reason)
    assert broken["words"] in fault.reason
    assert error.counts == {(table, kind): 1}
    assert f"{table}.csv row {row}, {column}" in str(error)


def test_a_text_too_long_is_refused_and_shown_cut(folder: Path) -> None:
    edit(folder, "posts", 3, "text", "é" * 100_000)
    assert len(read_tables(folder).posts["text"][1]) == 100_000
    edit(folder, "posts", 3, "text", "é" * 100_001)
    (fault,) = refused(folder).faults
    assert (fault.row, fault.column, fault.kind) == (3, "text", "too_long")
    assert fault.value is not None and len(fault.value) < 300 and "100,001" in fault.value


@pytest.mark.parametrize("format", FORMATS)
def test_a_text_of_ten_megabytes_is_refused(format: Any, folder: Path, tmp_path: Path) -> None:
    """By its row, and the other rows are none the worse."""
    data = frames(read_tables(folder))
    data["posts"].loc[1, "text"] = "x" * 10_000_000
    write_tables(data, tmp_path / "large", format)
    (fault,) = refused(tmp_path / "large").faults
    assert (fault.row is not None, fault.column, fault.kind) == (True, "text", "too_long")
    assert len(fault.value or "") < 300


def test_faults_of_every_table_are_told_at_once(folder: Path) -> None:
    edit(folder, "creators", 3, "platform", "myspace")
    edit(folder, "posts", 2, "likes", "x")
    edit(folder, "posts", 3, "creator_id", "c9")
    (folder / "audience.csv").write_bytes(b"")
    # The creator at fault is known all the same: its posts are not at fault for it.
    assert refused(folder).counts == {
        ("creators", "bad_choice"): 1,
        ("posts", "wrong_type"): 1,
        ("posts", "unknown_creator"): 1,
        ("audience", "empty_file"): 1,
    }


def test_the_first_faults_of_each_kind_are_shown_and_all_are_counted(folder: Path) -> None:
    header = "post_id,creator_id,published_at,text,likes,comments\n"
    rows = [
        f"q{i},c0,2025-01-01,,{'x' if i % 2 else '-1'},{'y' if i == 3 else 1}" for i in range(300)
    ]
    (folder / "posts.csv").write_text(header + "\n".join(rows) + "\n")
    error = refused(folder)
    assert error.counts == {("posts", "wrong_type"): 151, ("posts", "out_of_range"): 150}
    wrong = [fault for fault in error.faults if fault.kind == "wrong_type"]
    below = [fault for fault in error.faults if fault.kind == "out_of_range"]
    assert len(wrong) == len(below) == FAULTS_SHOWN
    # In the order of rows, whatever the column.
    assert [(f.row, f.column) for f in wrong[:4]] == [
        (3, "likes"),
        (5, "likes"),
        (5, "comments"),
        (7, "likes"),
    ]
    assert [f.row for f in below] == list(range(2, 102, 2))
    assert "and 101 more of kind wrong_type" in str(error)


def test_missing_ambiguous_and_misnamed_tables_are_refused(folder: Path) -> None:
    shutil.copy(folder / "followers.csv", folder / "followers.jsonl")
    (folder / "posts.csv").rename(folder / "posts.xlsx")
    (folder / "creators.csv").unlink()
    found = {(f.table, f.file, f.kind): f.reason for f in refused(folder).faults}
    assert set(found) == {
        ("followers", "followers.csv", "ambiguous"),
        ("posts", "posts.xlsx", "missing_table"),
        ("creators", "creators", "missing_table"),
    }
    assert "followers.jsonl" in found["followers", "followers.csv", "ambiguous"]
    assert "posts.csv" in found["posts", "posts.xlsx", "missing_table"]


def test_a_source_that_is_no_folder_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for source, words in ((tmp_path / "none", "no such folder"), (tmp_path / "file", "is a file")):
        with pytest.raises(DataError, match=words):
            read_tables(source)


def test_no_table_at_all_is_refused() -> None:
    with pytest.raises(InvalidTables) as caught:
        check_tables({})
    assert caught.value.counts == {("creators", "missing_table"): 1, ("posts", "missing_table"): 1}


@pytest.mark.parametrize("off", [{"validation_enabled": False}, {"validation_depth": SCHEMA_ONLY}])
def test_the_checks_cannot_be_switched_off(folder: Path, off: dict[str, Any]) -> None:
    edit(folder, "posts", 2, "likes", "-1")
    with config_context(**off):
        assert refused(folder).counts == {("posts", "out_of_range"): 1}


def test_the_digest_tells_where_one_text_ends(folder: Path) -> None:
    digests = set()
    for first, second in (("ab", "c"), ("a", "bc"), ("ab", "d"), ("", "abc"), ("abc", "")):
        edit(folder, "posts", 2, "text", first)
        edit(folder, "posts", 3, "text", second)
        digests.add(read_tables(folder).digest)
    assert len(digests) == 5


# ---------------------------------------------------------------- what is set aside


def quarantine(folder: Path) -> tuple[Tables, dict[str, list[dict[str, object]]]]:
    aside = folder.parent / "aside" / "rows"
    tables = read_tables(folder, on_invalid="quarantine", quarantine_dir=aside)
    assert not list(aside.glob(".*"))
    files = {path.stem: path.read_text("utf-8").splitlines() for path in aside.glob("*.jsonl")}
    return tables, {name: [json.loads(line) for line in lines] for name, lines in files.items()}


def test_rows_at_fault_are_set_aside_and_the_rest_goes_on(folder: Path) -> None:
    whole = read_tables(folder)
    edit(folder, "creators", 3, "country", "UK")
    edit(folder, "creators", 3, "follower_count", "1,000")
    append(folder, "posts", "p9,c0,2025\np0,c0,2025-01-01,again,1,1,,\n")
    tables, files = quarantine(folder)
    # c1 is set aside, and with it its post and its sponsorship.
    assert tables.creators["creator_id"].tolist() == ["c0", "c2"]
    assert tables.posts["post_id"].tolist() == ["p0", "p2", "p3"]
    assert tables.posts["text"][0] == 'Said "hi", twice'
    assert tables.sponsorships["sponsorship_id"].tolist() == ["s0"]
    assert tables.quarantined == {"creators": 1, "posts": 3, "sponsorships": 1}
    assert {name: len(rows) for name, rows in files.items()} == tables.quarantined
    assert tables.digest != whole.digest

    (creator,) = files["creators"]
    assert (creator["file"], creator["row"]) == ("creators.csv", 3)
    assert isinstance(creator["values"], dict)
    assert creator["values"]["country"] == "UK" and creator["values"]["follower_count"] == "1,000"
    kinds = [reason["kind"] for reason in creator["reasons"]]  # type: ignore[attr-defined]
    assert kinds == ["wrong_type", "bad_code"]
    half, orphan, again = files["posts"]
    assert (half["row"], half["raw"]) == (6, "p9,c0,2025")
    assert (orphan["row"], again["row"]) == (3, 7)
    assert orphan["reasons"][0]["kind"] == "unknown_creator"  # type: ignore[index]
    assert "posts.csv row 2" in again["reasons"][0]["reason"]  # type: ignore[index]


def test_a_clean_run_takes_away_what_an_earlier_one_set_aside(folder: Path) -> None:
    edit(folder, "posts", 2, "likes", "x")
    assert list(quarantine(folder)[1]) == ["posts"]
    edit(folder, "posts", 2, "likes", "12")
    tables, files = quarantine(folder)
    assert files == {} and tables.quarantined == {}
    assert tables.digest == read_tables(folder).digest


def test_faults_of_a_whole_file_refuse_even_where_rows_are_set_aside(folder: Path) -> None:
    edit(folder, "posts", 2, "likes", "x")
    append(folder, "followers", 'c0,2025-04-01,"7\n')
    with pytest.raises(InvalidTables) as caught:
        quarantine(folder)
    assert caught.value.counts == {("followers", "bad_quotes"): 1}
    assert not (folder.parent / "aside").exists()


def test_nothing_left_is_refused(folder: Path) -> None:
    for row in (2, 3, 4):
        edit(folder, "creators", row, "platform", "myspace")
    with pytest.raises(InvalidTables) as caught:
        quarantine(folder)
    assert caught.value.counts == {("creators", "empty_table"): 1, ("posts", "empty_table"): 1}


def test_rows_are_never_set_aside_among_the_tables(folder: Path) -> None:
    for place in (folder, folder / "." / "posts"):
        with pytest.raises(DataError, match="among the tables"):
            read_tables(folder, on_invalid="quarantine", quarantine_dir=place)
    with pytest.raises(ValueError, match="quarantine_dir"):
        read_tables(folder, on_invalid="quarantine")


# ---------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("world_us", {"creators": 500, "posts": 17_776, "sponsorships": 2_109}),
        ("youtube_us_2017", {"creators": 869, "posts": 1_625, "sponsorships": 0}),
    ],
)
def test_shared_data_are_read_clean(name: str, rows: dict[str, int]) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"../shared/data/{name} is not there")
    tables = read_tables(SHARED / name)
    assert {table: len(getattr(tables, table)) for table in rows} == rows
    assert tables.warnings == () and tables.quarantined == {}
