"""A marketer's ways through the page, in a real browser: by mouse and by keys."""

import csv
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, quote

from tests.browsing import BRIEF, PLAN, RESULTS, until


def test_from_a_brief_to_the_file(open_page):
    page = open_page()
    page.get_by_role("link", name="A vegan serum").click()
    page.get_by_text("Narrow it down").wait_for()
    until(page, "document.querySelector('textarea').value.includes('vegan serum')")
    page.get_by_role("button", name="Find creators").click()
    rows = page.locator("li.creator")
    rows.first.wait_for()
    assert "brief=" in page.url
    assert page.locator("#status").text_content().startswith("50 creators found")
    first = rows.first
    assert "likely" in first.locator("svg.interval").get_attribute("aria-label")
    first.locator("summary").click()
    first.locator(".reasons li").first.wait_for()
    assert first.locator(".reasons li").count() > 3
    assert first.locator(".posts blockquote").count() > 0
    # Sorted here, without another question.
    page.get_by_label("Sort by").select_option("cost")
    shown = first.locator(".number strong").nth(1).text_content()
    assert shown != ""
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    text = Path(saved.value.path()).read_bytes().decode("utf-8-sig")
    rows_saved = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["rank"] for row in rows_saved] == [str(rank) for rank in range(1, 51)]
    page.get_by_role("link", name="Plan", exact=True).click()
    page.get_by_text("Who to book").wait_for()
    assert re.search(r"\d conversions, likely \d", page.locator(".big").text_content())
    page.wait_for_selector(".chart canvas")
    before = page.locator("table.stack tbody tr").count()
    page.locator("input[type=range]").focus()
    for _ in range(12):
        page.keyboard.press("PageDown")
    until(page, f"document.querySelectorAll('table.stack tbody tr').length < {before}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="XLSX").click()
    assert Path(saved.value.path()).read_bytes()[:2] == b"PK"
    assert saved.value.suggested_filename == "plan.xlsx"


def test_the_address_holds_the_brief(open_page):
    need = {"dimension": "age", "code": "18-24", "min_share": 0.125}
    brief = json.dumps(BRIEF | {"audience": [need]})
    page = open_page(f"#/results?brief={quote(brief)}")
    page.locator("li.creator").first.wait_for()
    page.get_by_role("link", name="Change the brief").click()
    assert page.get_by_label("What is it about?").input_value() == BRIEF["query"]
    assert page.get_by_label("instagram").is_checked()
    assert page.get_by_label("Followers, at least").input_value() == "5000"
    assert page.get_by_text("age 18-24 12.5%").is_visible()
    page.get_by_role("button", name="Find creators").click()
    page.locator("li.creator").first.wait_for()
    assert json.loads(parse_qs(page.url.split("?")[1])["brief"][0])["audience"] == [need]


def test_a_filter_is_widened_and_a_creator_left_out_by_one_click(open_page):
    page = open_page(RESULTS)
    page.locator("li.creator").first.wait_for()
    heading = page.locator(".pool h2").text_content()
    page.locator(".relax button").first.click()
    until(
        page,
        "was => document.querySelector('.pool h2') && "
        "document.querySelector('.pool h2').textContent !== was",
        heading,
    )
    left_out = page.locator("li.creator").first.get_attribute("data-id")
    page.get_by_role("button", name=re.compile("^Exclude ")).first.click()
    until(
        page,
        "id => document.querySelector('li.creator') && "
        "!document.querySelector(`li.creator[data-id='${id}']`)",
        left_out,
    )
    assert left_out in page.url


def test_four_are_compared_and_one_is_kept(open_page):
    page = open_page(RESULTS)
    boxes = page.get_by_role("checkbox", name=re.compile("^Compare "))
    boxes.first.wait_for()
    for number in range(4):
        boxes.nth(number).check()
    boxes.nth(4).click()
    assert not boxes.nth(4).is_checked()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("dialog").wait_for()
    assert page.locator("dialog thead th").count() == 4
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.get_by_role("button", name=re.compile("^Shortlist ")).first.click()
    handle = page.locator("li.creator h3 a").first.text_content()
    assert page.locator("#shortlist-count").text_content() == "1"
    page.reload()
    page.get_by_role("link", name=re.compile("^Shortlist")).click()
    page.get_by_role("link", name=handle).wait_for()
    page.get_by_role("button", name="Copy the handles").click()
    page.get_by_role("button", name=re.compile("^(Copied|The browser does not)")).wait_for()
    page.get_by_role("button", name=f"Remove {handle}").click()
    page.get_by_text("Nobody is on it yet").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_a_campaign_against_its_forecast(open_page, campaign):
    page = open_page(f"#/campaign?id={campaign}")
    page.get_by_text("Where the rest should go").wait_for()
    page.locator(".action").first.wait_for()
    assert page.get_by_text(re.compile(r"^12 came; .* were to be expected")).count() == 1
    assert page.get_by_role("region", name="By creator").locator("tbody tr").count() == 3
    page.get_by_label("Weeks left").fill("0")
    page.get_by_role("button", name="Ask again").click()
    wrong = page.locator("[data-pointer='/query/weeks_left'] .wrong")
    wrong.wait_for()
    open_page.complaints.clear()  # the browser tells of every answer that is an error


def test_campaigns_are_listed_and_any_is_opened_by_name(open_page, campaign):
    page = open_page("#/campaign")
    row = page.locator("tbody tr", has_text=campaign)
    row.wait_for()
    told = dict(
        zip(page.locator("thead th").all_text_contents(), row.locator("th, td").all(), strict=True)
    )
    assert told["Brand"].text_content() == BRIEF["brand"]["name"]
    assert (told["Outcomes"].text_content(), told["Conversions"].text_content()) == ("3", "12")
    row.get_by_role("link", name=campaign).click()
    page.get_by_text("Where the rest should go").wait_for()
    page.get_by_role("link", name="Campaigns").click()
    page.get_by_label("Campaign", exact=True).fill("nothing of the kind")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("alert").get_by_text("Nothing is known of it").wait_for()
    page.get_by_role("link", name="All campaigns").click()
    row.wait_for()
    open_page.complaints.clear()


def test_a_plan_is_kept_as_a_campaigns(open_page):
    page = open_page(PLAN)
    page.get_by_label("Keep it as the plan of campaign").fill("kept/by page")
    page.get_by_role("button", name="Keep the plan").click()
    page.get_by_role("link", name="Open the campaign").click()
    page.get_by_role("heading", name="kept/by page").wait_for()
    page.get_by_text("No outcome came in yet.").wait_for()
    page.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name="kept/by page").wait_for()


def test_a_budget_beyond_the_curve_has_a_curve_of_its_own(open_page):
    page = open_page(PLAN)
    page.wait_for_selector(".chart canvas")
    least = float(page.get_by_label("Budget", exact=True).get_attribute("min"))
    page.get_by_label("Exactly, USD").fill(str(int(least / 2)))
    page.keyboard.press("Tab")
    until(page, f"document.querySelector('input[type=range]')?.max == {least}")
    page.locator(".chart canvas, .chart .soft").first.wait_for()
    brief = json.loads(parse_qs(page.url.split("?")[1])["brief"][0])
    assert brief["budget"]["amount"] == least / 2


def test_what_is_printed_says_why_and_by_which_model(open_page):
    page = open_page()
    page.evaluate("window.print = () => {}")
    page.evaluate("where => { location.hash = where; }", RESULTS)
    page.locator("li.creator").nth(30).wait_for()
    page.get_by_role("button", name="Print").click()
    page.emulate_media(media="print")
    assert page.locator("li.creator .reasons").first.is_visible()
    assert page.locator("li.creator details[open]").count() == 50
    assert "Model" in page.locator("#foot-model").text_content()
    assert page.locator("#foot-model").is_visible()
    assert not page.get_by_role("button").first.is_visible()


def test_an_error_stands_at_its_field(open_page):
    page = open_page()
    page.get_by_label("What is it about?").fill("Shoes for trails")
    page.get_by_label("Brand", exact=True).fill("Fernfell")
    page.get_by_text("Narrow it down").click()
    page.get_by_label("Countries").last.fill("Atlantis")
    page.get_by_role("button", name="Find creators").click()
    wrong = page.locator("[data-pointer='/filters/countries'] .wrong")
    wrong.wait_for()
    assert "ISO 3166" in wrong.text_content()
    field = page.locator("[data-pointer='/filters/countries'] input")
    assert field.get_attribute("aria-invalid") == "true"
    assert wrong.get_attribute("id") in field.get_attribute("aria-describedby")
    assert field.evaluate("one => one === document.activeElement")
    page.get_by_role("button", name="Remove Atlantis").click()
    page.get_by_role("button", name="Find creators").click()
    page.locator("li.creator").first.wait_for()
    # By a link, a wrong brief comes to the same place.
    wrong_brief = {"brand": {"name": "A"}, "query": "ab"}
    page.goto(page.url.split("#")[0] + f"#/results?brief={quote(json.dumps(wrong_brief))}")
    page.locator("[data-pointer='/query'] .wrong").wait_for()
    open_page.complaints.clear()


def test_by_keys_alone(open_page):
    page = open_page()
    page.locator("textarea").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.type("Light trail running shoes for beginners")
    page.keyboard.press("Tab")
    page.keyboard.type("Fernfell")
    page.keyboard.press("Enter")
    page.locator("li.creator").first.wait_for()
    until(page, "document.activeElement.tagName === 'H1'")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
        if seen[-1] == "SUMMARY":
            break
    page.keyboard.press("Enter")
    page.locator("li.creator details[open] .reasons li").first.wait_for()
