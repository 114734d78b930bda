"""Import of outcomes: every row joined once or listed once, whatever shape it comes in."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schemas import DataError, InvalidTables
from features.tables import read_tables, write_tables
from tests.conftest import Silent
from tests.importing import (
    EUR,
    PLAN,
    READERS,
    SAMPLES,
    counts,
    plan,
    redemptions,
    run,
    unjoined,
)
from training.simulate import World, write_world
from training.sources import SOURCES, Request, source_of
from training.sources.events import Reading
from training.sources.options import reading_of, span_of
from training.sources.write import UNJOINED

# ---------------------------------------------------------------- the samples, all the way

# Clicks, conversions and revenue, counted by hand from the samples.
SAMPLE_OUTCOMES: dict[str, tuple[str, Reading, dict[str, tuple[Any, ...]], dict[str, int]]] = {
    "codes.csv": (
        "codes",
        EUR,
        {
            "b-mia": (None, 2, 1283.5),
            "b-leo": (None, 0, 0.0),
            "b-mia-2": (None, 1, 39.0),
            "b-ada": (None, 1, 20.0),
        },
        {
            "refunded": 1,
            "duplicate": 1,
            "late": 1,
            "unknown_key": 1,
            "early": 1,
            "refund": 1,
            "no_key": 1,
        },
    ),
    "shopify.csv": (
        "shopify",
        Reading(),
        {
            "b-mia": (None, 2, 97.0),
            "b-leo": (None, 1, 50.0),
            "b-mia-2": (None, 1, 31.0),
            "b-ada": (None, 1, 27.5),
        },
        {"refunded": 1, "cancelled": 1, "test_order": 1, "not_paid": 1, "no_key": 1, "late": 1},
    ),
    "ga4.csv": (
        "ga4",
        Reading(),
        {
            "b-mia": (330, 12, 520.5),
            "b-leo": (355, 15, 650.0),
            "b-mia-2": (71, 4, 160.0),
            "b-ada": (44, 1, 25.0),
        },
        {"late": 1, "unknown_key": 1, "no_key": 1},
    ),
    "ga4_events.jsonl": (
        "ga4",
        Reading(),
        {
            "b-mia": (2, 1, 64.0),
            "b-leo": (2, 1, 30.0),
            "b-mia-2": (0, 0, 0.0),
            "b-ada": (1, 1, 20.0),
        },
        {"duplicate": 1, "refunded": 1, "refund": 1, "no_key": 2},
    ),
}


@pytest.mark.parametrize("sample", SAMPLE_OUTCOMES)
def test_a_sample_becomes_tables_that_are_accepted(
    sample: str, small_world: World, tmp_path: Path
) -> None:
    source, reading, expected, listed = SAMPLE_OUTCOMES[sample]
    folder = tmp_path / "world"
    write_world(small_world, folder)
    before = len(read_tables(folder).sponsorships)
    bookings = tmp_path / "plan.csv"
    text = PLAN.read_text()
    for number, creator in enumerate(small_world.creators["creator_id"].iloc[:3], start=1):
        text = text.replace(f"c0000{number}", creator)
    bookings.write_text(text)

    imported = run(source, SAMPLES / sample, folder, reading, bookings)

    assert counts(imported) == expected
    assert imported.listed == listed
    assert imported.rows == imported.joined + sum(imported.listed.values())
    assert Counter(row["reason"] for row in unjoined(folder)) == listed
    assert (imported.added, imported.replaced) == (4, 0)
    # What is still missing was said, and is all that the contract finds.
    assert imported.still_needed == ["impressions of 1 sponsorships, such as b-ada"]
    with pytest.raises(InvalidTables) as caught:
        read_tables(folder)
    assert [(f.table, f.column, f.kind) for f in caught.value.faults] == [
        ("sponsorships", "impressions", "missing_value")
    ]
    bookings.write_text(text.replace("2026-03-31,,,ADA20", "2026-03-31,90,9000,ADA20"))
    again = run(source, SAMPLES / sample, folder, reading, bookings)
    assert (again.added, again.replaced, again.still_needed) == (0, 4, [])
    tables = read_tables(folder)
    assert len(tables.sponsorships) == before + 4
    mia = tables.sponsorships.set_index("sponsorship_id").loc["b-mia"]
    assert (mia["conversions"], mia["impressions"]) == (expected["b-mia"][1], 21000)
    assert mia["resolved_at"] == pd.Timestamp("2026-04-01", tz="UTC")


@pytest.mark.parametrize("sample", SAMPLE_OUTCOMES)
def test_the_order_of_rows_changes_nothing(sample: str, tmp_path: Path) -> None:
    source, reading, expected, listed = SAMPLE_OUTCOMES[sample]
    text = (SAMPLES / sample).read_text(encoding="utf-8")
    for seed in range(5):
        shuffled = tmp_path / sample
        if sample.endswith(".jsonl"):
            lines = text.splitlines()
            random.Random(seed).shuffle(lines)
            shuffled.write_text("\n".join(lines))
        else:
            # The header is the first row that the sample's last table has under its comments.
            mark = ";" if sample == "codes.csv" else ","
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
            head = max((i for i, row in enumerate(rows) if row[:1] == ["Date"]), default=0) + 1
            body = rows[head:]
            random.Random(seed).shuffle(body)
            with shuffled.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, delimiter=mark).writerows(rows[:head] + body)
        imported = run(source, shuffled, tmp_path / f"out{seed}", reading)
        assert counts(imported) == expected
        assert imported.listed == listed
    tables = {(tmp_path / f"out{seed}" / "sponsorships.csv").read_bytes() for seed in range(5)}
    assert len(tables) == 1


def test_importing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for sample, (source, reading, _, _) in SAMPLE_OUTCOMES.items():
        out = tmp_path / sample
        first = run(source, SAMPLES / sample, out, reading)
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        second = run(source, SAMPLES / sample, out, reading)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == files
        assert first.outcomes == second.outcomes
        assert (first.added, second.replaced) == (4, 4)


def test_a_file_given_twice_counts_once(tmp_path: Path) -> None:
    copy = tmp_path / "again.csv"
    copy.write_bytes((SAMPLES / "ga4.csv").read_bytes())
    once = run("ga4", SAMPLES / "ga4.csv", tmp_path / "once")
    twice = run("ga4", [SAMPLES / "ga4.csv", copy], tmp_path / "twice")
    assert once.outcomes == twice.outcomes


def test_bookings_are_the_same_from_every_format(tmp_path: Path) -> None:
    frame = pd.read_csv(PLAN)
    frame.to_parquet(tmp_path / "plan.parquet", index=False)
    frame.to_json(tmp_path / "plan.jsonl", orient="records", lines=True)
    frame.to_csv(tmp_path / "plan.csv", sep=";", index=False, encoding="utf-16")
    expected = SAMPLE_OUTCOMES["shopify.csv"][2]
    for name in ("plan.parquet", "plan.jsonl", "plan.csv"):
        imported = run(
            "shopify", SAMPLES / "shopify.csv", tmp_path / "out", bookings=tmp_path / name
        )
        assert counts(imported) == expected


# ---------------------------------------------------------------- properties

# Two with one code one after the other, two with one code at the same time, tags from broad to
# narrow, and one that nothing tells of.
BOOKINGS: list[dict[str, Any]] = [
    {"sponsorship_id": "s1", "code": "A", "resolved_at": "2026-03-14"},
    {"sponsorship_id": "s2", "code": "a ", "started_at": "2026-03-15"},
    {"sponsorship_id": "s3", "code": "B"},
    {"sponsorship_id": "s4", "code": "b", "started_at": "2026-03-20"},
    {"sponsorship_id": "s5", "utm_source": "ig"},
    {"sponsorship_id": "s6", "utm_source": "ig", "utm_campaign": "x"},
    {"sponsorship_id": "s7", "code": "C", "utm_content": "y"},
    {"sponsorship_id": "s8"},
]
COLUMNS = ("Order", "Code", "Date", "Total", "utm_source", "utm_campaign", "utm_content")
rows_of_redemptions = st.lists(
    st.tuples(
        st.sampled_from(["", "1", "2", "3", "4"]),
        st.sampled_from(["", "A", " a", "B", "C", "Z", "=cmd|' /C calc'!A0"]),
        st.sampled_from(
            ["2026-02-20", "2026-03-14", "2026-03-15 08:00", "2026-03-25", "2026-04-02"]
        ),
        st.sampled_from(["10.10", "0.10", "-10.10", "20", "€5.00", ""]),
        st.sampled_from(["", "ig", "IG"]),
        st.sampled_from(["", "x"]),
        st.sampled_from(["", "y", "(not set)"]),
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(rows=rows_of_redemptions, seed=st.integers(0, 2**32 - 1))
def test_every_row_is_joined_once_or_listed_once(rows: list[tuple[str, ...]], seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bookings = plan(folder, *BOOKINGS)
        results = []
        for turn in ("one", "other"):
            path = folder / f"{turn}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
            imported = run("codes", path, folder / turn, bookings=bookings)
            listed = [row for row in unjoined(folder / turn) if row["file"] == str(path)]
            assert imported.rows == len(rows) == imported.joined + len(listed)
            assert len({row["row"] for row in listed}) == len(listed)
            assert sum(one["conversions"] for one in imported.outcomes) == imported.joined
            # Money too: what is counted is the joined rows' less the refunds of their orders.
            results.append((imported.outcomes, imported.listed, imported.untold))
            random.Random(seed).shuffle(rows)
        assert results[0] == results[1]
        table = folder / "other" / "sponsorships.csv"
        before = table.read_bytes() if table.exists() else b""
        run("codes", folder / "other.csv", folder / "other", bookings=bookings)
        assert (table.read_bytes() if table.exists() else b"") == before


@settings(max_examples=25, deadline=None)
@given(
    amounts=st.lists(
        st.decimals(0, 10**6, places=2, allow_nan=False, allow_infinity=False),
        min_size=1,
        max_size=20,
    )
)
def test_money_adds_up_exactly(amounts: list[Decimal]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = redemptions(folder, *(f"A,2026-03-02,{amount}" for amount in amounts))
        bookings = plan(folder, {"sponsorship_id": "s1", "code": "A"})
        imported = run("codes", path, folder / "out", bookings=bookings)
        assert imported.outcomes[0]["revenue"] == float(sum(amounts))


# ---------------------------------------------------------------- whose is it


@pytest.mark.parametrize(
    ("cells", "reason", "sponsorship"),
    [
        ("1,A,2026-03-14,1,,,", None, "s1"),
        ("1,A,2026-03-15,1,,,", None, "s2"),
        ("1,A,2026-04-01,1,,,", "late", None),
        ("1,A,2026-02-28,1,,,", "early", None),
        ("1,B,2026-03-10,1,,,", None, "s3"),
        ("1,B,2026-03-20,1,,,", "ambiguous", None),
        ("1,,2026-03-10,1,ig,,", None, "s5"),
        ("1,,2026-03-10,1,IG,X,", None, "s6"),
        ("1,,2026-03-10,1,ig,other,", None, "s5"),
        ("1,,2026-03-10,1,ig,x,y", None, "s7"),
        ("1,A,2026-03-10,1,ig,x,y", None, "s1"),
        ("1,Z,2026-03-10,1,ig,x,y", None, "s7"),
        # The code says whose it was, so its end is not another's gain.
        ("1,A,2026-04-01,1,ig,x,y", "late", None),
        ("1,,2026-03-10,1,,x,", "unknown_key", None),
        ("1,,2026-03-10,1,,,", "no_key", None),
    ],
)
def test_the_most_telling_key_decides(
    cells: str, reason: str | None, sponsorship: str | None, tmp_path: Path
) -> None:
    path = redemptions(tmp_path, cells, header=",".join(COLUMNS))
    imported = run("codes", path, tmp_path / "out", bookings=plan(tmp_path, *BOOKINGS))
    got = [one["sponsorship_id"] for one in imported.outcomes if one["conversions"]]
    assert got == ([] if sponsorship is None else [sponsorship])
    assert imported.listed == ({} if reason is None else {reason: 1})


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    # 23:30 on the last day in Los Angeles is 06:30 of the next day in UTC.
    path = redemptions(
        tmp_path, "A,2026-04-01T06:30:00Z,5", "A,2026-03-31 23:30,5", "A,2026-03-31,5"
    )
    pacific = reading_of("America/Los_Angeles", "USD", "auto", "auto", [], None)
    assert run("codes", path, tmp_path / "a", pacific, bookings).joined == 3
    assert run("codes", path, tmp_path / "b", Reading(), bookings).joined == 2


def test_no_outcome_is_not_an_outcome_of_nothing(tmp_path: Path) -> None:
    bookings = plan(
        tmp_path,
        {"sponsorship_id": "sold", "code": "A"},
        {"sponsorship_id": "unsold", "code": "B"},
        {
            "sponsorship_id": "long-ago",
            "code": "C",
            "started_at": "2025-01-01",
            "resolved_at": "2025-02-01",
        },
        {
            "sponsorship_id": "to-come",
            "code": "D",
            "started_at": "2026-07-01",
            "resolved_at": "2026-07-31",
        },
        {"sponsorship_id": "by-tag", "utm_content": "x"},
        {"sponsorship_id": "by-nothing"},
    )
    path = redemptions(tmp_path, "A,2026-03-02,5", "A,2026-03-20,5")
    imported = run("codes", path, tmp_path / "out", bookings=bookings)
    assert counts(imported) == {"sold": (None, 2, 10.0), "unsold": (None, 0, 0.0)}
    assert imported.untold == {"not_covered": 2, "no_key": 2}
    assert {row["value"]: row["reason"] for row in unjoined(tmp_path / "out")} == {
        "long-ago": "not_covered",
        "to-come": "not_covered",
        "by-tag": "no_key",
        "by-nothing": "no_key",
    }
    # Who says what the export covers gets zeros there, and nothing for what reaches beyond it.
    said = span_of("2025-01-01/2026-03-15", Reading())
    imported = run("codes", path, tmp_path / "said", bookings=bookings, covers=said)
    assert counts(imported) == {"sold": (None, 2, 10.0), "long-ago": (None, 0, 0.0)}


def test_a_report_without_days_joins_only_within_the_window(tmp_path: Path) -> None:
    bookings = plan(
        tmp_path,
        {"sponsorship_id": "s1", "utm_campaign": "spring"},
        {"sponsorship_id": "s2", "utm_campaign": "later", "started_at": "2026-03-10"},
    )
    report = tmp_path / "report.csv"
    report.write_text(
        "# Start date: 20260301\n# End date: 20260331\nSession campaign,Sessions,Key events\n"
        "Spring,100,7\nlater,50,2\n"
    )
    imported = run("ga4", report, tmp_path / "out", bookings=bookings)
    assert counts(imported) == {"s1": (100, 7, None), "s2": (0, 0, None)}
    assert imported.listed == {"straddles": 1}


# ---------------------------------------------------------------- what stands already


def test_a_value_that_is_empty_now_stays_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    bookings = plan(
        tmp_path, {"sponsorship_id": "s1", "code": "A", "utm_campaign": "x", "cost": 90}
    )
    report = tmp_path / "report.csv"
    report.write_text("Date,Session campaign,Sessions,Key events\n20260302,x,50,4\n")
    run("ga4", report, out, bookings=bookings)
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A", "cost": "", "impressions": ""})
    path = redemptions(tmp_path, *["A,2026-03-02,1"] * 7)
    [one] = run("codes", path, out, bookings=bookings).outcomes
    # Clicks were measured by the first, conversions and revenue by the second.
    assert (one["clicks"], one["conversions"], one["revenue"]) == (50, 7, 7.0)
    assert (one["cost"], one["impressions"]) == (90.0, 1_000_000)
    # Codes are redeemed without a click too: clicks then say nothing of these conversions.
    path = redemptions(tmp_path, *["A,2026-03-02,1"] * 70)
    [one] = run("codes", path, out, bookings=bookings).outcomes
    assert (one.get("clicks"), one["conversions"]) == (None, 70)


@pytest.mark.parametrize("format", ["csv", "csv.gz", "parquet", "jsonl"])
def test_a_table_keeps_its_format_and_its_other_rows(
    format: Any, small_world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    tables = {"creators": small_world.creators, "sponsorships": small_world.sponsorships}
    write_tables(tables | {"posts": small_world.posts}, out, format)
    before = read_tables(out).sponsorships.set_index("sponsorship_id")
    files = {path.name for path in out.iterdir()}
    creator = small_world.creators["creator_id"].iloc[0]
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A", "creator_id": creator})
    path = redemptions(tmp_path, "A,2026-03-02,1")
    imported = run("codes", path, out, bookings=bookings)
    assert imported.still_needed == []
    assert {path.name for path in out.iterdir()} == files | {UNJOINED}
    after = read_tables(out).sponsorships.set_index("sponsorship_id")
    pd.testing.assert_frame_equal(after.drop("s1"), before)
    assert after.loc["s1", "conversions"] == 1


def test_a_table_that_cannot_be_written_back_is_left_alone(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    path = redemptions(tmp_path, "A,2026-03-02,1")
    out = tmp_path / "out"
    run("codes", path, out, bookings=bookings)
    table = out / "sponsorships.csv"
    sound = table.read_text()
    for text, words in (
        (sound.replace('"clicks"', '"shoes"'), "would be lost"),
        (sound.replace('"Luma"', ""), "brand"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=words):
            run("codes", path, out, bookings=bookings)
        assert table.read_text() == text
    table.rename(out / "part.csv")
    (out / "sponsorships").mkdir()
    (out / "part.csv").rename(out / "sponsorships" / "a.csv")
    with pytest.raises(DataError, match="in parts"):
        run("codes", path, out, bookings=bookings)
    with pytest.raises(DataError, match="not into a database"):
        run("codes", path, Path("postgresql://host/db"), bookings=bookings)


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    out = tmp_path / "out"
    run("codes", redemptions(tmp_path, "A,2026-03-02,1", "Z,2026-03-02,1"), out, bookings=bookings)
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    more = redemptions(tmp_path, "A,2026-03-02,1", "A,2026-03-03,1")
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target == out / "sponsorships.csv":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        run("codes", more, out, bookings=bookings)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


# ---------------------------------------------------------------- the command


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "training", "import", *map(str, arguments)]
    root = Path(__file__).parents[1]
    return subprocess.run(line, capture_output=True, text=True, cwd=root, check=False)


def test_the_command_prints_outcomes_and_ends_with_2_where_it_refuses(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("codes", SAMPLES / "codes.csv", "--bookings", PLAN, "--out", out)
    done = command(*arguments, "--currency", "EUR", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["sponsorship_id"]: one for one in json.loads(done.stdout)}
    assert found["b-mia"]["conversions"] == 2 and found["b-mia"]["impressions"] == 21000
    assert found["b-mia"]["started_at"] == "2026-03-01T00:00:00Z"
    assert "impressions" not in found["b-ada"]
    assert "4 joined" in done.stderr and "still needed" in done.stderr
    path = redemptions(tmp_path, "MIA10,03/04/2026,1")
    done = command("codes", path, "--bookings", PLAN, "--out", out)
    assert done.returncode == 2 and not done.stdout
    assert "row 2, Date = '03/04/2026'" in done.stderr and "--dates dmy" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    imported = run("ga4", SAMPLES / "ga4.csv", tmp_path / "out", dry_run=True)
    assert imported.joined == 6 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("Mars/Base", "USD", []), "no such time zone"),
        (("UTC", "DOGE", []), "ISO 4217"),
        (("UTC", "USD", ["code"]), "field=column"),
        (("UTC", "USD", ["code=A", "code=B"]), "already"),
    ],
)
def test_wrong_options_are_told_in_words(told: tuple[str, str, list[str]], words: str) -> None:
    zone, currency, columns = told
    with pytest.raises(DataError, match=words):
        reading_of(zone, currency, "auto", "auto", columns, None)


def test_sources_are_listed_by_name(tmp_path: Path) -> None:
    assert list(SOURCES) == [*READERS, "youtube", "instagram", "tiktok", "spreadsheet"]
    with pytest.raises(DataError, match="codes, shopify, ga4, youtube"):
        source_of("carrier-pigeon")
    with pytest.raises(DataError, match="--bookings FILE is needed"):
        source_of("codes").run(Request([], tmp_path, None, Reading()), Silent())
    with pytest.raises(DataError, match="name the files"):
        source_of("codes").run(Request([], tmp_path, PLAN, Reading()), Silent())
    with pytest.raises(DataError, match="second day comes before"):
        span_of("2026-03-02/2026-03-01", Reading())


def test_every_sample_is_of_the_shape_it_says(tmp_path: Path) -> None:
    for line in (SAMPLES / "ga4_events.jsonl").read_bytes().splitlines():
        assert {"event_name", "event_timestamp", "user_pseudo_id"} <= orjson.loads(line).keys()
