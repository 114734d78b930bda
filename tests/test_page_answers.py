"""What the page alone asks for: the map, the curve, months, and files to take away."""

import csv
import io
import re
import unicodedata
import zipfile

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from features.safety import RISK_TOPICS
from features.schemas import PLATFORMS, TIERS, BriefError, Filters, PlanRequest
from features.windows import MICROSECONDS_PER_DAY
from models import ranker
from models.curve import budgets_around, curve
from models.index import build
from models.landscape import landscape, lay_out
from models.months import MONTHS_KEPT, months_of
from models.registry import Registry
from service import export
from service.app import create_app
from service.plain import _STEERS, plain
from service.routes_page import WEB
from service.settings import ServiceSettings
from service.show import show, wide_console
from service.wire import EXAMPLE_BRIEF, RecommendationResponse


@pytest.fixture(scope="module")
def client(trained_home):
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    with TestClient(create_app(ServiceSettings(home=home.home))) as client:
        yield client


# ---------------------------------------------------------------- the map


def test_distances_on_a_plane_are_laid_out_as_they_are():
    true = np.random.default_rng(4).normal(size=(12, 2))
    apart = np.linalg.norm(true[:, None] - true[None], axis=2)
    laid = lay_out(apart)
    assert np.allclose(np.linalg.norm(laid[:, None] - laid[None], axis=2), apart, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_niches_are_laid_out_too(n):
    assert np.isfinite(lay_out(1.0 - np.eye(n))).all()


def test_creators_of_one_niche_stand_together(small_known):
    index = build(small_known)
    land = landscape(index)
    again = landscape(index)
    assert np.array_equal(land.points, again.points)
    assert land.points.min() >= 0 and land.points.max() <= 1
    assert len(land.places) == int((~np.isnan(index.profiles.mix[:, 0])).sum())
    away = np.linalg.norm(land.points[:, None] - land.points[None], axis=2)
    same = land.niche[:, None] == land.niche[None]
    others = ~np.eye(len(away), dtype=bool)
    assert away[same & others].mean() < 0.75 * away[~same].mean()


def test_the_map_over_http(client, trained_home):
    found = client.get("/v1/map").json()
    assert found["creators"] == len(found["points"]) <= len(trained_home.world.creators)
    assert sum(one["creators"] for one in found["niches"]) == found["creators"]


def test_choices_and_handles(client, trained_home):
    choices = client.get("/v1/choices").json()
    creators = trained_home.world.creators
    assert {one["value"]: one["creators"] for one in choices["platforms"]} == (
        creators["platform"].value_counts().to_dict()
    )
    assert [one["creators"] for one in choices["niches"]] == sorted(
        (one["creators"] for one in choices["niches"]), reverse=True
    )
    first = str(creators["creator_id"].iloc[0])
    [found] = client.get("/v1/handles", params={"id": [first, "nobody"]}).json()
    assert found["creator_id"] == first


# ---------------------------------------------------------------- the curve


@given(st.floats(0.01, 1e9), st.integers(2, 20))
def test_budgets_hold_the_one_asked_for(amount, points):
    budgets = budgets_around(amount, points)
    assert amount in budgets and budgets == sorted(set(budgets)) and budgets[0] > 0


def test_the_curve_goes_through_the_plan(trained_home):
    bundle = trained_home.trained.bundle
    request = PlanRequest.model_validate(EXAMPLE_BRIEF)
    budgets = budgets_around(5000.0, 5)
    points = curve(bundle, request, budgets)
    assert [point.budget for point in points] == budgets
    plan = ranker.portfolio(bundle, request).plan
    own = next(point for point in points if point.budget == 5000.0)
    assert own.forecast == plan.expected_conversions and own.spend == plan.spend
    assert points[-1].forecast.p50 >= points[0].forecast.p50


def test_budgets_too_small_for_the_constraints_are_left_out(trained_home):
    bundle = trained_home.trained.bundle
    request = PlanRequest.model_validate(EXAMPLE_BRIEF | {"constraints": {"min_creators": 10}})
    points = curve(bundle, request, [1.0, 5000.0])
    assert [point.budget for point in points] == [5000.0]
    with pytest.raises(BriefError, match="/constraints"):
        curve(bundle, request, [1.0])


# ---------------------------------------------------------------- months


def test_months_add_up_to_the_posts(small_known):
    facts = small_known.facts
    months = months_of(facts)
    posts = facts.posts
    since = facts.as_of_us - MONTHS_KEPT * 28 * MICROSECONDS_PER_DAY
    for creator in (0, 7, 31):
        own = posts.timeline.group == creator
        own &= posts.timeline.time_us < facts.as_of_us
        # The world is younger than what is kept, so every post is in a month.
        assert posts.timeline.time_us[own].min() > since
        start, stop = months.rows.indptr[creator], months.rows.indptr[creator + 1]
        assert months.posts[start:stop].sum() == own.sum()
        assert months.sponsored[start:stop].sum() == posts.sponsored[own].sum()
        assert (np.diff(months.month[start:stop]) > 0).all()


def test_a_creators_months_and_audience_over_http(client, trained_home):
    creator_id = str(trained_home.world.creators["creator_id"].iloc[0])
    creator = client.get(f"/v1/creators/{creator_id}").json()
    own = trained_home.world.posts
    own = own[own["creator_id"] == creator_id]
    assert sum(month["posts"] for month in creator["history"]) == len(own)
    by_dimension = {}
    for part in creator["audience"]:
        by_dimension.setdefault(part["dimension"], []).append(part["share"])
    assert all(shares == sorted(shares, reverse=True) for shares in by_dimension.values())


# ---------------------------------------------------------------- files

TABLE = export.Table(
    "Creators",
    ("handle", "cost"),
    (("=cmd|' /C calc'!A0", 1.5), ("+1", None), ("  @sum(1)", 2), ("plain - text", -3.0)),
)


@given(st.text(max_size=30))
def test_no_cell_begins_like_a_formula(text):
    cell = export.harmless(text)
    seen = cell.strip(" \u00a0\u200b\ufeff")
    assert not seen.startswith(export.FORMULA_STARTS)
    assert cell in (plain(text), f"'{plain(text)}")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", " =1", "\u00a0=1", "\ufeff=1", "\u200b\u200e=1", "\u2060 =1", "＝1", "＠SUM(1)",
        "\x00=1", "\u202e=1", "\x1b\x07=1", "\t=1", "\r\n=1", "\u3000+1", "-1",
    ],
)  # fmt: skip
def test_what_hides_a_formula_does_not_hide_it_here(text):
    assert export.harmless(text).startswith("'")


def test_what_is_too_long_for_a_cell_is_cut():
    """Excel would put the rest of it, a formula perhaps, into the cells below."""
    for text in ("x" * 32_767 + "=1", "\U0001f600" * 16_384 + "=1", "x" + "\U0001f600" * 16_384):
        cell = export.harmless(text)
        assert 32_766 <= len(cell.encode("utf-16-le")) // 2 <= 32_767 and text.startswith(cell)
    assert export.harmless("y" * 32_767) == "y" * 32_767


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_nothing_that_is_shown_steers_what_stands_around_it(text):
    shown = plain(text)
    assert not [
        one
        for one in shown
        if unicodedata.bidirectional(one) in {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI"}
        or unicodedata.bidirectional(one) in {"FSI", "PDI"}
        or (unicodedata.category(one) == "Cc" and one not in "\t\n\r")
    ]
    assert plain(shown) == shown
    assert plain(f"a{text}b") == f"a{shown}b"


def test_what_creators_write_steers_no_terminal(client):
    answer = client.post("/v1/recommendations", json=EXAMPLE_BRIEF | {"limit": 1}).json()
    answer["items"][0]["handle"] = "\x1b[2J\x9b31m\u202e[red]me\x07"
    console = wide_console(record=True, file=io.StringIO())
    show(RecommendationResponse.model_validate(answer), console)
    shown = console.export_text()
    assert "[2J31m[red]me" in shown and not re.search("[\x00-\x08\x1b\x9b\u202e]", shown)


def test_the_page_leaves_out_what_python_does():
    """`dom.js` says again which characters those are."""
    said = re.search(r"const STEERS = /(.*)/g;", (WEB / "dom.js").read_text())[1]
    assert said == _STEERS.pattern.replace("\\x", "\\u00")


def test_csv_is_read_back_and_harmless():
    rows = list(csv.reader(io.StringIO(export.to_csv(TABLE).decode("utf-8-sig"), newline="")))
    assert rows[0] == ["handle", "cost"]
    assert [row[0] for row in rows[1:]] == [
        *("'=cmd|' /C calc'!A0", "'+1", "'  @sum(1)", "plain - text")
    ]
    assert rows[4][1] == "-3.0"


def test_a_workbook_has_no_formulas():
    book = zipfile.ZipFile(io.BytesIO(export.to_xlsx([TABLE, export.Table("Plan", ("a",), ())])))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and sheet.count("<row ") == 5
    texts = re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
    assert "'=cmd|' /C calc'!A0" in texts
    assert not [text for text in texts if text.startswith(("=", "+", "@"))]


def test_a_file_holds_the_list_that_was_shown(client):
    body = EXAMPLE_BRIEF | {"explore_share": 0.5, "limit": 10}
    answer = client.post("/v1/recommendations", json=body).json()
    saved = client.post(
        "/v1/recommendations.csv",
        params={"recommendation_id": answer["recommendation_id"]},
        json=body,
    )
    assert saved.headers["content-disposition"] == 'attachment; filename="creators.csv"'
    rows = csv.DictReader(io.StringIO(saved.content.decode("utf-8-sig"), newline=""))
    assert [row["creator_id"] for row in rows] == [one["creator_id"] for one in answer["items"]]


def test_a_plan_as_a_file(client):
    plan = client.post("/v1/portfolios", json=EXAMPLE_BRIEF).json()["portfolio"]
    saved = client.post("/v1/portfolios.csv", json=EXAMPLE_BRIEF).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(saved, newline="")))
    assert [row["creator_id"] for row in rows] == [one["creator_id"] for one in plan["picked"]]
    book = client.post("/v1/portfolios.xlsx", json=EXAMPLE_BRIEF).content
    assert "xl/worksheets/sheet2.xml" in zipfile.ZipFile(io.BytesIO(book)).namelist()
    assert client.post("/v1/portfolios.pdf", json=EXAMPLE_BRIEF).status_code == 422


def test_the_page_comes_with_a_strict_policy(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=|style=", page.text)
    for path in set(re.findall(r'(?:src|href)="(web/[^"]+)"', page.text)):
        assert client.get(path).status_code == 200


def test_the_page_names_what_the_contract_names():
    """Its lists of platforms, tiers, risks and filters are its own: they must not fall behind."""

    def words(file, name):
        text = (WEB / file).read_text()
        [body] = re.findall(rf"const {name} = [\[{{](.*?)[\]}}];", text, re.S)
        keys = re.findall(r"^  (\w+):", body, re.M)
        return set(keys or re.findall(r'"(\w+)"', body))

    filters = set(Filters.model_fields) | {"audience", "lookalikes"}
    assert words("format.js", "PLATFORMS") == set(PLATFORMS)
    assert words("form.js", "RISKS") == set(RISK_TOPICS)
    assert words("map.js", "TIERS") == {name for name, _ in TIERS}
    assert words("pool.js", "NAMES") == filters


def test_no_file_of_the_page_makes_elements_of_text():
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\("
    )
    assert not [file.name for file in WEB.glob("*.js") if unsafe.search(file.read_text())]


def test_the_documentation_asks_no_other_host(client):
    page = client.get("/docs")
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "http" not in policy
    script = policy.split("script-src")[1].split(";")[0]
    assert "sha256-" in script and "unsafe" not in script
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"docs/files/{name}" in page.text
        assert client.get(f"/docs/files/{name}").status_code == 200
