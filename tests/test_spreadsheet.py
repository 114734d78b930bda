"""Import of spreadsheets: the user's own names, numbers, dates and blanks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schemas import DataError, InvalidTables
from features.tables import read_tables
from tests.importing import SAMPLES
from tests.test_platforms import AT, MIA, creator, post, refused, run
from training.sources.counts import read_count
from training.sources.events import Reading
from training.sources.options import moment_of
from training.sources.values import Unreadable

GERMAN = Reading(dates="dmy", currency="EUR")


def sheet(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def creators(out: Path) -> pd.DataFrame:
    """The table of creators alone, for there need be no posts yet."""
    return pd.read_csv(out / "creators.csv", index_col="creator_id", keep_default_na=False)


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12.3K", 12_300),
        ("1,2 Mio", 1_200_000),
        ("1,2 Mio.", 1_200_000),
        ("4.5万", 45_000),
        ("2 mil", 2_000),
        ("3.4M followers", 3_400_000),
        ("12 Tsd. Abonnenten", 12_000),
        ("1.5 lakh", 150_000),
        ("1.234", 1_234),
        ("1,234,567", 1_234_567),
        ("12\u202f300", 12_300),
        ("30395.0", 30_395),
        ("１２３", 123),
        ("0", 0),
        ("-", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_counts_as_people_write_them(text: str, count: int | None) -> None:
    assert read_count(text) == count


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1.234K", "ambiguous_number"),
        ("12.5", "wrong_type"),
        ("-3", "out_of_range"),
        ("12 zillion", "wrong_type"),
        ("10K+", "wrong_type"),
        ("many", "wrong_type"),
        ("1.2.3K", "wrong_type"),
    ],
)
def test_what_is_no_count_is_refused(text: str, kind: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_count(text)
    assert caught.value.kind == kind


@given(st.integers(0, 10**9))
def test_a_count_is_read_back_however_it_is_grouped(count: int) -> None:
    for mark in (",", ".", " ", "'", "\u00a0"):
        assert read_count(f"{count:,}".replace(",", mark)) == count


@given(st.decimals(0, 999, places=1), st.sampled_from([("K", 10**3), ("M", 10**6), ("Mrd", 10**9)]))
def test_a_shortened_count_is_read_with_either_mark(
    number: Decimal, short: tuple[str, int]
) -> None:
    word, factor = short
    assert read_count(f"{number}{word}") == int(number * factor)
    assert read_count(f"{number} {word}".replace(".", ",")) == int(number * factor)


# ---------------------------------------------------------------- sheets


def test_the_samples(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("youtube", SAMPLES / "youtube", out)
    said = run("spreadsheet", SAMPLES / "creators.csv", out, reading=GERMAN)
    assert any("follower_count = 'Abonnenten'" in line for line in said)
    assert any("1 empty rows were passed over" in line for line in said)
    assert any("1 duplicates merged" in line for line in said)
    run("spreadsheet", SAMPLES / "posts.csv", out)
    tables = read_tables(out)
    lena = creator(tables, "instagram:lena.liest")
    assert lena["display_name"] == "Lena & die Bücher 📚"
    columns = ["follower_count", "country", "price_per_post", "currency", "niche"]
    assert lena[columns].tolist() == [12_300, "DE", 350, "EUR", "books"]
    tom = creator(tables, "tiktok:tom_tools")
    assert tom[columns[:3]].tolist() == [1_200_000, "AT", 1_250]
    # A channel by its address is the one that YouTube answered with; it keeps its name.
    mia = creator(tables, MIA)
    assert mia[["handle", "follower_count", "niche"]].tolist() == ["miaskitchen", 48_200, "cooking"]
    seen = tables.followers.set_index("creator_id").loc["tiktok:tom_tools"]
    assert seen["observed_at"] == pd.Timestamp("2026-02-03", tz="UTC")
    lamp = tables.posts[tables.posts["text"].str.startswith("Werbung")].iloc[0]
    assert (lamp["creator_id"], bool(lamp["is_sponsored"])) == ("instagram:lena.liest", True)
    joints = post(tables, "tiktok:7300000000000000123")
    assert joints[["likes", "comments", "views"]].tolist() == [15_400, 210, 400_000]
    again = run("spreadsheet", SAMPLES / "posts.csv", out)
    assert any("posts: 0 added, 0 changed" in line for line in again)


def test_a_creator_that_is_there_is_found_by_its_handle(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("youtube", SAMPLES / "youtube", out)
    path = sheet(tmp_path, "handle,price\n@MiasKitchen,$400\n")
    run("spreadsheet", path, out, platform="youtube")
    assert creator(read_tables(out), MIA)["price_per_post"] == 400


def test_the_guess_is_shown_and_a_dry_run_does_no_more(tmp_path: Path) -> None:
    path = sheet(tmp_path, "Who,Followers,Niche\nmia,1.2K,Food\n")
    with pytest.raises(InvalidTables, match="whose row is it"):
        run("spreadsheet", path, tmp_path / "out", platform="tiktok", dry_run=True)
    reading = Reading(columns={"handle": "Who"})
    options: dict[str, Any] = {"platform": "tiktok", "reading": reading}
    said = run("spreadsheet", path, tmp_path / "out", dry_run=True, **options)
    assert said[0] == "taken for a table of creators; --table says otherwise"
    assert "handle = 'Who', follower_count = 'Followers', niche = 'Niche'" in said[1]
    assert not (tmp_path / "out").exists()
    said = run("spreadsheet", path, tmp_path / "out", **options)
    assert "for `validate` there is still needed: a table of posts" in said
    assert creators(tmp_path / "out").loc["tiktok:mia", "follower_count"] == 1_200


def test_sponsorships_are_merged_by_their_key(tmp_path: Path) -> None:
    head = "Creator,Network,Campaign,Client,Briefing,Start,End,Fee,Views,Klicks,Orders,Umsatz\n"
    row = "mia,TikTok,spring,Luma,A vegan serum,01.03.2026,31.03.2026,350 €,21.000,400,{},1.283{}\n"
    out = tmp_path / "out"
    path = sheet(tmp_path, head + row.format(12, ",50").replace(",50", ""))
    run("spreadsheet", path, out, reading=Reading(dates="dmy", currency="EUR", decimal="comma"))
    table = pd.read_csv(out / "sponsorships.csv")
    assert table[["conversions", "impressions", "clicks", "cost", "revenue"]].iloc[0].tolist() == [
        12,
        21_000,
        400,
        350,
        1_283,
    ]
    assert table["resolved_at"].iloc[0].startswith("2026-04-01")
    later = datetime(2026, 5, 1, tzinfo=UTC)
    path = sheet(tmp_path, head + row.format(15, ""), "later.csv")
    reading = Reading(dates="dmy", currency="EUR", decimal="comma")
    said = run("spreadsheet", path, out, reading=reading, observed_at=later)
    assert any("sponsorships: 0 added, 1 changed" in line for line in said)
    assert pd.read_csv(out / "sponsorships.csv")["conversions"].tolist() == [15]


@pytest.mark.parametrize(
    ("text", "options", "kind"),
    [
        ("handle,followers\nmia,lots\n", {}, "wrong_type"),
        ("handle,followers\nmia,1.234K\n", {}, "ambiguous_number"),
        ("handle,asof,followers\nmia,03/04/2026,1\n", {}, "ambiguous_date"),
        ("handle,price,followers\nmia,¥ 300,1\n", {}, "ambiguous_currency"),
        ("handle,gifting,followers\nmia,perhaps,1\n", {}, "wrong_type"),
        ("handle,followers\n,12\n", {}, "missing_value"),
        ("handle,followers\nmia,12\n", {"platform": None}, "missing_value"),
        ("handle,followers\nmia,12,13\n", {}, "bad_row"),
        ("handle,followers,followers\nmia,12,13\n", {}, "duplicate_column"),
        ("handle,date,likes\nmia,2026-01-01,3\n", {"table": "posts"}, "missing_column"),
    ],
)
def test_faults_name_their_place(
    text: str, options: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    path = sheet(tmp_path, text)
    usual: dict[str, Any] = {"platform": "tiktok", "table": "creators"}
    [fault] = refused("spreadsheet", path, tmp_path / "out", **usual | options).faults
    assert (fault.file, fault.kind, fault.row) == (str(path), kind, 1 if "column" in kind else 2)


def test_rows_at_fault_can_be_set_aside(tmp_path: Path) -> None:
    path = sheet(tmp_path, "handle,followers\nmia,lots\nleo,12\n")
    run("spreadsheet", path, tmp_path / "out", platform="tiktok", on_invalid="quarantine")
    assert list(creators(tmp_path / "out").index) == ["tiktok:leo"]
    assert "lots" in (tmp_path / "out" / "set_aside.csv").read_text()


def test_countries_and_languages_by_name(tmp_path: Path) -> None:
    text = "handle,country,language\na,United Kingdom,English\nb,UK,pt_BR\nc,Narnia,Elvish\n"
    said = run("spreadsheet", sheet(tmp_path, text), tmp_path / "out", platform="instagram")
    table = creators(tmp_path / "out")
    assert table["country"].tolist() == ["GB", "GB", ""]
    assert table["language"].tolist() == ["en", "pt-BR", ""]
    assert any("1 countries that are not known, 1 languages" in line for line in said)


def test_which_table_it_is_must_be_clear(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="say --table creators"):
        run("spreadsheet", sheet(tmp_path, "a,b\n1,2\n"), tmp_path / "out")
    with pytest.raises(DataError, match="name the spreadsheet"):
        run("spreadsheet", [], tmp_path / "out")
    with pytest.raises(DataError, match="--platform myspace: there are instagram"):
        run("spreadsheet", [], tmp_path / "out", platform="myspace")
    assert moment_of("2026-03-01", Reading()) == AT
    with pytest.raises(DataError, match="--observed-at soon"):
        moment_of("soon", Reading())


# ---------------------------------------------------------------- workbooks


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("decimal", ["auto", "point", "comma"])
def test_a_workbooks_numbers_and_dates_are_what_they_are(decimal: Any, tmp_path: Path) -> None:
    rows = [
        [],
        ["Username", "Followers", "Price", "As of", "Gifting", None],
        ["mia", 12_300, 1.234, date(2026, 4, 3), True, None],
        [],
        ["leo", "1234", 99.5, datetime(2026, 4, 3, 12, 30), "no", None],
        [None, None, None, None, None, None],
    ]
    path = workbook(tmp_path / "list.xlsx", Notes=[["see next sheet"]], Creators=rows)
    reading = Reading(decimal=decimal)
    said = run("spreadsheet", path, tmp_path / "out", platform="tiktok", reading=reading)
    assert any("list.xlsx[Creators]: 1 empty rows" in line for line in said)
    table = creators(tmp_path / "out")
    assert table.loc["tiktok:mia", ["follower_count", "price_per_post"]].tolist() == [12_300, 1.234]
    assert table.loc["tiktok:leo", ["follower_count", "price_per_post"]].tolist() == [1_234, 99.5]
    seen = pd.read_csv(tmp_path / "out" / "followers.csv", index_col="creator_id")["observed_at"]
    assert seen["tiktok:mia"].startswith("2026-04-03T00:00:00")
    assert seen["tiktok:leo"].startswith("2026-04-03T12:30:00")


def test_faults_in_a_workbook_name_sheet_and_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "l.xlsx", Mine=[["handle", "followers"], [], ["mia", "lots"]])
    [fault] = refused("spreadsheet", path, tmp_path / "out", platform="tiktok").faults
    assert (fault.file, fault.row, fault.value) == (f"{path}[Mine]", 3, "lots")
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"no workbook")
    [fault] = refused("spreadsheet", broken, tmp_path / "out").faults
    assert fault.kind == "damaged_file"
    nothing = workbook(tmp_path / "empty.xlsx", Mine=[["handle"]])
    [fault] = refused("spreadsheet", nothing, tmp_path / "out").faults
    assert fault.kind == "empty_file"
