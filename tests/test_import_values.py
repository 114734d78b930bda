"""Import of outcomes: values as people write them, texts meant to harm, broken files."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schemas import DataError
from tests.conftest import Silent
from tests.importing import (
    SAMPLES,
    counts,
    plan,
    redemptions,
    refused,
    run,
    unjoined,
)
from training.sources import Request
from training.sources.codes import read_codes
from training.sources.events import Reading
from training.sources.options import reading_of
from training.sources.outcomes import import_outcomes
from training.sources.values import read_time
from training.sources.write import UNJOINED

# ---------------------------------------------------------------- messy values

MESSY_AMOUNTS = {
    "1234.50": 1234.5,
    "$1,234.50": 1234.5,
    "1.234,50": 1234.5,
    "1 234,50": 1234.5,
    "1\u00a0234,50": 1234.5,
    "1\u202f234,5": 1234.5,
    "1'234.50": 1234.5,
    "1,234,567": 1234567.0,
    "1,23,456.00": 123456.0,
    "USD 12": 12.0,
    "12 US$": 12.0,
    "１２．５": 12.5,
    "0.125": 0.125,
    ".5": 0.5,
    "&#36;7.25": 7.25,
}


@pytest.mark.parametrize("text", MESSY_AMOUNTS)
def test_amounts_are_read_as_people_write_them(text: str, tmp_path: Path) -> None:
    path = redemptions(tmp_path, f'A,2026-03-02,"{text}"')
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    imported = run("codes", path, tmp_path / "out", bookings=bookings)
    assert imported.outcomes[0]["revenue"] == MESSY_AMOUNTS[text]


def test_what_may_be_thousands_is_asked_about(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    path = redemptions(tmp_path, 'A,2026-03-02,"1,234"')
    error = refused("codes", path, tmp_path / "out", bookings=bookings)
    [fault] = error.faults
    assert (fault.row, fault.column, fault.value) == (2, "Total", "1,234")
    assert fault.kind == "ambiguous_number" and "--decimal point" in fault.reason
    for decimal, revenue in (("point", 1234.0), ("comma", 1.234)):
        reading = Reading(decimal=decimal)  # type: ignore[arg-type]
        imported = run("codes", path, tmp_path / decimal, reading, bookings)
        assert imported.outcomes[0]["revenue"] == revenue
    # The rest of the column may tell, as long as it speaks with one voice.
    clear = redemptions(tmp_path, 'A,2026-03-02,"1,234"', 'A,2026-03-03,"5.50"')
    assert run("codes", clear, tmp_path / "c", bookings=bookings).outcomes[0]["revenue"] == 1239.5
    torn = redemptions(tmp_path, 'A,2026-03-02,"1,234"', "A,2026-03-03,5.50", 'A,2026-03-03,"5,50"')
    assert refused("codes", torn, tmp_path / "d", bookings=bookings).faults[0].row == 2


def test_money_in_another_currency_is_not_added(tmp_path: Path) -> None:
    bookings = plan(
        tmp_path, {"sponsorship_id": "s1", "code": "A"}, {"sponsorship_id": "s2", "code": "B"}
    )
    path = redemptions(
        tmp_path, "A,2026-03-02,€5.00", "A,2026-03-02,6", "B,2026-03-02,£7", "B,2026-03-02,"
    )
    imported = run("codes", path, tmp_path / "out", bookings=bookings)
    assert counts(imported) == {"s1": (None, 2, None), "s2": (None, 2, None)}


MESSY_DATES = {
    "2026-03-04": True,
    "2026/03/04": True,
    "20260304": True,
    "4 Mar 2026": True,
    "March 4th, 2026 2:05 PM": True,
    "4. März 2026": True,
    "mié., 4 de marzo de 2026": True,
    "12 jui 2026": "wrong_type",
    "2026-03-04T14:30:00.123+02:00": True,
    "2026-03-04 14:30:00 +0200": True,
    "25/03/2026": True,
    "03/25/2026": True,
    "03/03/2026": True,
    "03/04/2026": "ambiguous_date",
    "3.4.26 14:00": "ambiguous_date",
    "31/02/2026": "wrong_type",
    "2026-02-30": "wrong_type",
    "46115": "wrong_type",
    "yesterday": "wrong_type",
    "2026-03-04 25:00": "wrong_type",
    "2026-03-04 14:30 PST": "wrong_type",
    "1026-03-04": "out_of_range",
    "": "missing_value",
}


@pytest.mark.parametrize("text", MESSY_DATES)
def test_times_are_read_or_refused_by_row_and_value(text: str, tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    path = redemptions(tmp_path, "A,2026-03-02,1", f'A,"{text}",2')
    expected = MESSY_DATES[text]
    if expected is True:
        assert run("codes", path, tmp_path / "out", bookings=bookings).joined == 2
        return
    [fault] = refused("codes", path, tmp_path / "out", bookings=bookings).faults
    assert (fault.file, fault.row, fault.column) == (str(path), 3, "Date")
    assert (fault.value or "", fault.kind) == (text, expected)
    assert not (tmp_path / "out").exists()
    kept = run("codes", path, tmp_path / "out", bookings=bookings, on_invalid="quarantine")
    assert (kept.rows, kept.joined, kept.listed) == (2, 1, {"unreadable": 1})
    assert unjoined(tmp_path / "out")[0]["row"] == "3"


@pytest.mark.parametrize(
    ("text", "month"),
    [
        *(("1. Jänner 2026", 1), ("1 fév. 2026", 2), ("1 mrt 2026", 3), ("1 abril 2026", 4)),
        *(("1er mai 2026", 5), ("1º de junho de 2026", 6), ("1 lug 2026", 7), ("1 août 2026", 8)),
        *(("1-sept-2026", 9), ("1. Okt. 2026", 10), ("Nov 1, 2026", 11), ("1 dicembre 2026", 12)),
    ],
)
def test_months_have_names_in_seven_languages(text: str, month: int) -> None:
    start = read_time(text, Reading()).start_us
    assert datetime.fromtimestamp(start / 1e6, UTC) == datetime(2026, month, 1, tzinfo=UTC)


def test_day_and_month_are_as_told(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    path = redemptions(tmp_path, "A,03/04/2026,1")
    assert run("codes", path, tmp_path / "a", Reading(dates="mdy"), bookings).joined == 1
    assert run("codes", path, tmp_path / "b", Reading(dates="dmy"), bookings).listed == {"late": 1}
    fault = refused("codes", path, tmp_path / "c", Reading(dates="iso"), bookings).faults[0]
    assert "iso" in fault.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_encodings_line_ends_and_separators_change_nothing(
    encoding: str, ends: str, separator: str, tmp_path: Path
) -> None:
    rows = [["Coupon", "Used at", "Order value", "Note"], ["Té10", "2026-03-02", "1.234,50", "a"]]
    rows += [["", "", "", ""], [" té10\u200b", "2026-03-03", "2,00", "x\ny"]]
    text = io.StringIO(newline="")
    csv.writer(
        text, "excel", delimiter=separator, lineterminator=ends, quoting=csv.QUOTE_ALL
    ).writerows(rows)
    path = tmp_path / "codes.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "TÉ10"})
    imported = run("codes", path, tmp_path / "out", bookings=bookings)
    assert counts(imported) == {"s1": (None, 2, 1236.5)}
    assert imported.no_outcomes == {"empty": 1}


def test_other_encodings_are_asked_about(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "TÉ10"})
    path = tmp_path / "codes.csv"
    path.write_bytes("sep=;\nCode;Date;Total\nTé10;2026-03-02;5,50 €\n".encode("cp1252"))
    [fault] = refused("codes", path, tmp_path / "out", bookings=bookings).faults
    assert (fault.kind, fault.row, fault.value) == ("wrong_encoding", 3, "0xE9")
    reading = Reading(encoding="cp1252", currency="EUR")
    imported = run("codes", path, tmp_path / "out", reading, bookings)
    assert counts(imported) == {"s1": (None, 1, 5.5)}
    with pytest.raises(DataError, match="no such encoding"):
        run("codes", path, tmp_path / "out", Reading(encoding="cp0"), bookings)


BROKEN_FILES: dict[str, tuple[str, str, str]] = {
    "nothing": ("", "empty_file", "empty"),
    "no column for codes": ("Kind,Date\nA,2026-03-02\n", "missing_column", "--map code="),
    "half a row": ("Code,Date,Total\nA,2026-03-02\n", "bad_row", "half a row"),
    "too long a row": ("Code,Date\nA,2026-03-02,7\n", "bad_row", "too long a row"),
    "an open quote": ('Code,Date\n"A,2026-03-02\n', "bad_quotes", "double each quote"),
    "a column twice": ("Code,Code,Date\nA,B,2026-03-02\n", "duplicate_column", "more than once"),
    "no number": ("Code,Date,Total\nA,2026-03-02,many\n", "wrong_type", "not a number"),
    "half a redemption": ("Code,Date,Uses\nA,2026-03-02,1.5\n", "wrong_type", "whole number"),
}


@pytest.mark.parametrize("how", BROKEN_FILES)
def test_broken_files_are_refused_in_words(how: str, tmp_path: Path) -> None:
    text, kind, words = BROKEN_FILES[how]
    path = tmp_path / "codes.csv"
    path.write_text(text)
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    error = refused("codes", path, tmp_path / "out", bookings=bookings)
    assert error.faults[0].kind == kind and words in str(error) and str(path) in str(error)
    assert not (tmp_path / "out").exists()


def test_columns_are_shown_and_can_be_named(tmp_path: Path) -> None:
    path = redemptions(tmp_path, "Z,A,2026-01-01,2026-03-02,9", header="Code,Used,Date,When,Paid")
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    told = ["code=Used", "redeemed_at=When", "amount=Paid"]
    reading = reading_of("UTC", "USD", "auto", "auto", told, None)
    report = Silent()
    request = Request([path], tmp_path / "out", bookings, reading)
    assert counts(import_outcomes(request, read_codes, report)) == {"s1": (None, 1, 9.0)}
    assert "code = 'Used', redeemed_at = 'When', amount = 'Paid'" in report.said[0]
    wrong = reading_of("UTC", "USD", "auto", "auto", ["code=Nowhere"], None)
    assert "names no column" in str(refused("codes", path, tmp_path / "o", wrong, bookings))
    with pytest.raises(DataError, match="no such field"):
        run("codes", path, tmp_path / "o", Reading(columns={"shoe": "Code"}), bookings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"creator_id": ""}, "creator_id: a value is required"),
        ({"started_at": "03/04/2026"}, "started_at = '03/04/2026': may be day first"),
        ({"resolved_at": "2026-02-01"}, "must not be before started_at"),
        ({"impressions": "10.5"}, "not an integer"),
        ({"impressions": "-5"}, "must be 0 or more"),
        ({"impressions": "1"}, "conversions must not be above impressions"),
        ({"cost": "dear"}, "cost = 'dear': not a number"),
        ({"sponsorship_id": "s2"}, "first used in row 2"),
        ({"sponsorship_id": "a\0b"}, "sponsorship_id"),
    ],
)
def test_bookings_at_fault_are_refused(change: dict[str, str], words: str, tmp_path: Path) -> None:
    first = {"sponsorship_id": "s2", "code": "B", "cost": 1}
    bookings = plan(tmp_path, first, {"sponsorship_id": "s1", "code": "A"} | change)
    path = redemptions(tmp_path, "A,2026-03-02,1", "A,2026-03-02,1")
    error = str(refused("codes", path, tmp_path / "out", bookings=bookings))
    assert words in error and f"{bookings} row 3" in error
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- hostile texts

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "＝1",
    '"; DROP TABLE',
    '=HYPERLINK("x")',
    "a\x00b",
]


def test_the_list_is_safe_in_a_spreadsheet_and_data_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "=codes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [[text, "2026-03-02", "1"] for text in HOSTILE]
        csv.writer(file).writerows([["Code", "Date", "Total"], *rows, ["=A+1", "2026-03-03", "5"]])
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "=a+1", "brand": "=Luma"})
    imported = run("codes", path, tmp_path / "out", bookings=bookings)
    assert imported.outcomes[0]["brand"] == "=Luma" and imported.joined == 1
    assert "\0" not in (tmp_path / "out" / UNJOINED).read_text("utf-8")
    listed = unjoined(tmp_path / "out")
    assert len(listed) == len(HOSTILE)
    for row in listed:
        for cell in row.values():
            assert not cell.lstrip().startswith(tuple("=+-@＝＋－＠\t\r"))


@settings(max_examples=30, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=12))
def test_no_code_is_lost_or_becomes_a_formula(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "codes.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
                [["Code", "Date"], [text, "2026-03-02"]]
            )
        bookings = plan(folder, {"sponsorship_id": "s1", "code": "long-unlikely-code"})
        imported = run("codes", path, folder / "out", bookings=bookings)
        [row] = [row for row in unjoined(folder / "out") if row["file"] == str(path)]
        assert imported.rows == 1 and row["row"] == "2"
        assert not row["value"].lstrip().startswith(tuple("=+-@＝＋－＠\t\r"))


# ---------------------------------------------------------------- the formats' own ways


def shopify(folder: Path, *orders: dict[str, str]) -> Path:
    usual = {
        "Name": "#1",
        "Financial Status": "paid",
        "Created at": "2026-03-02 10:00:00 +0100",
        "Total": "10.00",
        "Currency": "USD",
        "Discount Code": "A",
        "Cancelled at": "",
        "Refunded Amount": "0.00",
    }
    path = folder / "orders.csv"
    pd.DataFrame([usual | order for order in orders]).to_csv(path, index=False)
    return path


def test_an_order_refunded_in_a_later_export_counts_nowhere(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    early = shopify(tmp_path, {}, {"Name": "#2"}).rename(tmp_path / "march.csv")
    late = shopify(tmp_path, {"Financial Status": "refunded", "Refunded Amount": "10.00"})
    for files in ([early, late], [late, early]):
        imported = run("shopify", files, tmp_path / "out", bookings=bookings)
        assert counts(imported) == {"s1": (None, 1, 10.0)}
        assert imported.listed == {"refunded": 1, "duplicate": 1}


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"Financial Status": "lost"}, "no known financial status"),
        ({"Name": ""}, "an order has a name"),
        ({"Created at": "", "Financial Status": "", "Total": ""}, "is in none of the files"),
        ({"Created at": "2026-03-02 10:00:00 PST"}, "not a time"),
    ],
)
def test_orders_at_fault_are_refused(order: dict[str, str], words: str, tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "code": "A"})
    path = shopify(tmp_path, {"Name": "#7"}, order)
    error = str(refused("shopify", path, tmp_path / "out", bookings=bookings))
    assert words in error and "row 3" in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sessions,Key events\n1,2\n", "no table in it has a column for source"),
        ("Session campaign,Sessions,Key events\nx,1,2\n", "neither a column Date nor"),
        ("Date,Session campaign,Event name,Sessions,Key events\n20260302,x,y,1,2\n", "splits"),
        ("Date,Session campaign,Sessions\n20260302,x,1\n", "no column is known as that"),
        ("Date,Session campaign,Key events\n20260302,x,-1\n", "0 or more"),
        ('{"event_name": "purchase", "event_timestamp": "soon"}\n', "microseconds"),
        (
            '{"event_name": "purchase", "event_timestamp": 1, '
            '"ecommerce": {"purchase_revenue": -1}}',
            "ecommerce.purchase_revenue",
        ),
        ('{"event_name": "purchase"\n', "no JSON object"),
    ],
)
def test_analytics_at_fault_are_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text(text)
    assert words in str(refused("ga4", path, tmp_path / "out"))


def test_reports_and_events_are_not_counted_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="both count the same visits"):
        run("ga4", [SAMPLES / "ga4.csv", SAMPLES / "ga4_events.jsonl"], tmp_path / "out")


def test_a_session_and_a_refund_may_lie_in_two_files(tmp_path: Path) -> None:
    lines = (SAMPLES / "ga4_events.jsonl").read_text().splitlines()
    whole = run("ga4", SAMPLES / "ga4_events.jsonl", tmp_path / "whole")
    for cut in range(1, len(lines)):
        halves = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
        halves[0].write_text("\n".join(lines[:cut]))
        halves[1].write_text("\n".join(lines[cut:]))
        imported = run("ga4", halves, tmp_path / "parts")
        assert imported.outcomes == whole.outcomes


def test_attributed_fractions_add_up_to_whole_conversions(tmp_path: Path) -> None:
    bookings = plan(tmp_path, {"sponsorship_id": "s1", "utm_campaign": "x"})
    path = tmp_path / "report.csv"
    rows = "20260302,x,5,0.4\n20260303,x,5,0.4\n20260304,x,5,2.4\n"
    path.write_text("Date,Session campaign,Sessions,Key events\n" + rows)
    imported = run("ga4", path, tmp_path / "out", bookings=bookings)
    assert counts(imported) == {"s1": (15, 3, None)}
