"""What holds for every page in a real browser: on a phone, for axe, with hostile text; pictures."""

import gzip
import io
import json
import os
import re
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from service.routes_page import WEB
from service.settings import ServiceSettings
from tests.browsing import BRIEF, PLAN, RESULTS, make_campaign, places, send, serving, settle

WEIGHT_AT_MOST = 100_000  # bytes, compressed; what the page may weigh is 300,000
PHONE = {"width": 360, "height": 740}
SHOTS = Path(__file__).parents[1] / "docs"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def pages(trained_home, campaign):
    """Every page, by name; the creator's is of one who worked with brands."""
    return places(str(trained_home.world.sponsorships["creator_id"].iloc[0]))


def test_what_is_not_there_is_said(open_page):
    page = open_page("#/creator?id=nobody")
    page.get_by_text("Nothing is known of it").wait_for()
    page.goto(page.url.split("#")[0] + "#/nowhere")
    page.get_by_text("There is no such page").wait_for()
    nobody = BRIEF | {"filters": {"follower_count": {"min": 10**9}}}
    page.goto(page.url.split("#")[0] + f"#/results?brief={quote(json.dumps(nobody))}")
    page.get_by_text("Nobody fits").wait_for()
    open_page.complaints.clear()


def test_without_a_model_the_page_says_so(open_page):
    page = open_page()
    said = {"title": "", "status": 503, "detail": "no model was published yet", "errors": []}
    page.route("**/v1/model", lambda route: route.fulfill(status=503, json=said))
    page.goto(page.url.split("#")[0] + "#/model")
    page.get_by_role("alert").get_by_text("no model was published yet").wait_for()
    page.route("**/v1/model", lambda route: route.abort())
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("alert").get_by_text("cannot be reached").wait_for()
    open_page.complaints.clear()


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, pages):
    page = open_page(viewport=PHONE)
    for name, where in pages.items():
        page.goto(page.url.split("#")[0] + where)
        settle(page)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        page.wait_for_timeout(50)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(open_page, pages, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme)
    # Colours alone are other ones in the dark.
    only = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    for name, where in pages.items():
        page.goto(page.url.split("#")[0] + where)
        settle(page)
        page.evaluate(
            "[...document.querySelectorAll('details')].slice(0, 4)"
            ".forEach(one => { one.open = true; })"
        )
        page.wait_for_timeout(50)
        found = axe.run(page, options={"resultTypes": ["violations"], **only}).response[
            "violations"
        ]
        serious = [
            (fault["id"], [node["html"][:200] for node in fault["nodes"][:3]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert serious == [], name


def test_numbers_money_and_dates_are_the_readers(open_page, campaign):
    page = open_page(f"#/campaign?id={campaign}", locale="de-DE")
    page.get_by_text("By creator").wait_for()
    told = dict(
        zip(
            *(page.locator(f".facts {one}").all_text_contents() for one in ("dt", "dd")),
            strict=True,
        )
    )
    assert told["Impressions"] == "60.000" and told["Conversion rate"] == "0,02\u00a0%"
    assert told["Left"].endswith("\u00a0$")
    assert re.fullmatch(
        r".*data to \d\d\.\d\d\.\d{4}.*", page.locator("#foot-model").text_content()
    )


def test_a_champion_that_cannot_be_served_is_told_beside_the_one_that_is(open_page):
    page = open_page()
    refused = {
        "version": "9", "run_id": "r", "kind": "damaged", "reason": "a file is missing",
        "at": "2026-11-01T09:30:00Z",
    }  # fmt: skip

    def told(route):
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"refused": refused})

    page.route("**/v1/model", told)
    page.goto(page.url.split("#")[0] + "#/model")
    note = page.locator("p.note")
    note.wait_for()
    assert "Version 9" in note.text_content() and "a file is missing" in note.text_content()


def test_what_creators_write_stays_text(open_page):
    page = open_page()

    def poisoned(route):
        response = route.fetch()
        answer = response.json()
        for item in answer["items"]:
            item["handle"] = f"\u202e{HOSTILE}\u009b"  # turns what follows round; steers
            item["evidence"] = [
                {"post_id": "p", "text": HOSTILE, "similarity": 0.5, "url": "javascript:alert(1)"}
            ]
            item["warnings"] = [f"\u2067{HOSTILE}"]
            item["safety"] = {
                "posts": 9,
                "risks": [
                    {
                        "topic": "gambling",
                        "share": 0.5,
                        "posts": 4,
                        "evidence": [
                            {"post_id": "q", "text": HOSTILE, "url": "data:x", "words": ["bet"]}
                        ],
                    }
                ],
                "terms": [],
            }
        route.fulfill(response=response, json=answer)

    page.route("**/v1/recommendations", poisoned)
    page.goto(page.url.split("#")[0] + RESULTS)
    page.locator("li.creator").first.wait_for()
    page.locator("li.creator summary").first.click()
    page.locator("li.creator blockquote").first.wait_for()
    assert page.locator("li.creator h3 a").first.text_content() == HOSTILE
    assert page.locator("main img").count() == 0
    assert page.locator("a[href^='javascript:'], a[href^='data:']").count() == 0
    assert page.locator("li.creator .warnings li").first.text_content() == HOSTILE
    assert "gambling" in page.locator("li.creator .because").first.text_content()
    assert page.title() != "owned"


def test_the_page_is_light_and_asks_no_other_host(open_page, page_service):
    asked = []
    page = open_page()
    page.on("request", lambda request: asked.append(request.url))
    for where in (RESULTS, PLAN, "#/map", "#/model", "#/campaign", "#/shortlist"):
        page.goto(page_service + where)
        settle(page)
    assert asked and all(url.startswith((page_service, "blob:")) for url in asked)
    files = [file for file in WEB.rglob("*") if file.is_file() and "LICENSE" not in file.name]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < WEIGHT_AT_MOST
    request = urllib.request.Request(
        page_service + "web/app.js", headers={"accept-encoding": "gzip"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.headers["content-encoding"] == "gzip"
        assert "default-src 'none'" in response.headers["content-security-policy"]


def test_pictures_of_every_page(chromium, page_service, pages):
    """Written where CREATORFIT_SCREENSHOTS is set: to 1, or to the home of a model to show."""
    shown = os.environ.get("CREATORFIT_SCREENSHOTS")
    if not shown:
        pytest.skip("CREATORFIT_SCREENSHOTS is not set")
    if shown == "1":
        take_pictures(chromium, page_service, pages)
        return
    with serving(ServiceSettings(home=Path(shown))) as address:
        make_campaign(address)  # stays in that home
        first = send(address, "v1/recommendations", BRIEF)["items"][0]["creator_id"]
        where = pages | {"creator": f"#/creator?id={first}"}
        take_pictures(chromium, address, where)


def take_pictures(chromium, address, where):
    page = chromium.new_page(viewport={"width": 1180, "height": 1000}, locale="en-US")
    for name, place in where.items():
        page.goto(address + place)
        settle(page)
        if name == "creators":
            page.locator("li.creator summary").first.click()
            page.get_by_role("button", name=re.compile("^Shortlist ")).first.click()
        page.wait_for_timeout(400)
        taken = Image.open(io.BytesIO(page.screenshot(full_page=name == "map")))
        # The page has few colours: 128 look the same, in a third of the bytes.
        few = taken.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        few.save(SHOTS / f"page_{name}.png", optimize=True)
    page.close()
