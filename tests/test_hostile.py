"""10,000 hostile strings through import, training, the page and the exports.

Creators write their own names and posts, brands their briefs. None of it runs anywhere, and all of
it is shown as the text it is.
"""

import csv
import io
import json
import re
from urllib.parse import quote

import pytest

from features.tables import read_tables
from models.registry import Registry
from service import export
from service.export import Table, harmless
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF, EXAMPLE_PLAN
from tests.browsing import send, serving, settle, until
from tests.conftest import Silent, train
from tests.hostile import hostile, is_utf8
from tests.importing import SAMPLES
from training.settings import TrainingSettings
from training.simulate import simulate
from training.sources import Request, source_of
from training.sources.events import Reading

# What a spreadsheet strips, and then takes for the start of a formula.
FORMULA = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")
NAME_AT_MOST = 200  # characters of a campaign's or brand's name in a brief

# Anything that runs, or is about to and is stopped by the page's policy, is noted.
WATCH = """
window.stopped = [];
document.addEventListener("securitypolicyviolation",
  (event) => stopped.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
# Every text of an answer, as the page shows texts, that no text of the document is.
NOT_SHOWN = """
async (brief) => {
  const { plain } = await import(new URL("web/dom.js", document.baseURI));
  const answer = await (await fetch("v1/recommendations", { method: "POST", body: brief })).json();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const shown = new Set();
  while (walker.nextNode()) shown.add(walker.currentNode.data);
  const texts = answer.items.flatMap((item) => [item.handle, item.niche.label, ...item.warnings,
    ...item.reasons.map((one) => one.text), ...item.evidence.map((one) => one.text)]);
  return [texts.length, texts.map(plain).filter((text) => text && !shown.has(text)).slice(0, 5)];
}
"""


def tables_of(strings, folder):
    """A simulated world in which people wrote these strings, as spreadsheets of their own."""
    world = simulate(260, 17, posts_per_creator=20, months=12)
    texts = iter(strings)
    creators = world.creators.copy()
    for name in ("handle", "display_name", "bio", "url"):
        creators[name] = [next(texts) for _ in range(len(creators))]
    sponsorships = world.sponsorships.copy()
    for name in ("brand", "brief", "campaign_id"):
        distinct = {value: next(texts) for value in sponsorships[name].unique()}
        sponsorships[name] = [distinct[value] for value in sponsorships[name]]
    posts = world.posts.copy()
    posts["text"] = [next(texts) for _ in range(len(posts))]
    left = list(texts)
    posts["url"] = (left * (len(posts) // len(left) + 1))[: len(posts)] if left else None
    frames = {"creators": creators, "posts": posts, "sponsorships": sponsorships}
    folder.mkdir()
    for name, frame in frames.items():
        frame = frame.drop(columns="sponsor", errors="ignore")
        frame.to_csv(folder / f"{name}.csv", index=False, quoting=csv.QUOTE_ALL)
    return frames


def youtube_of(strings, folder):
    """Videos with these titles, as YouTube's own answer: JSON can hold what no CSV can."""
    folder.mkdir()
    channels = json.loads((SAMPLES / "youtube" / "channels.json").read_text("utf-8"))
    (folder / "channels.json").write_text(json.dumps(channels))
    videos = json.loads((SAMPLES / "youtube" / "videos.json").read_text("utf-8"))
    pattern = videos["items"][0]
    videos["items"] = [
        pattern | {"id": f"v{n:010}", "snippet": pattern["snippet"] | {"title": s, "tags": [s]}}
        for n, s in enumerate(strings)
    ]
    (folder / "videos.json").write_text(json.dumps(videos))  # halves of surrogates as \\udXXX
    return folder


def imported(source, files, out, table=None):
    """Import files; what was set aside."""
    request = Request(
        files, out, None, Reading(), on_invalid="quarantine", table=table, platform="instagram"
    )
    source_of(source).run(request, Silent())
    with (out / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def strings():
    return hostile()


def runs(text):
    """Whether a spreadsheet would take a cell for a formula."""
    return FORMULA.match(text) is not None


def check_csv(data):
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if runs(cell) and not _is_number(cell)][:5]
    return rows


def check_xlsx(data):
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(data))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not [cell for cell in cells if isinstance(cell.value, str) and runs(cell.value)][:5]
    assert not [cell for cell in cells if cell.hyperlink]
    return book


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_no_export_holds_a_formula(strings):
    """Every string as a cell of both formats; and none of them is lost."""
    columns = 10
    cut = [s for s in strings if is_utf8(s) and len(s) < 32_000]  # of a cell of Excel
    rows = [tuple(cut[at : at + columns]) for at in range(0, len(cut) - columns + 1, columns)]
    table = Table("Creators", tuple("abcdefghij"), tuple(rows))
    read = check_csv(export.to_csv(table))
    assert read[1:] == [[harmless(cell) for cell in row] for row in rows]
    book = check_xlsx(export.to_xlsx([table]))
    assert book["Creators"].max_row == len(rows) + 1


@pytest.mark.long
def test_hostile_strings_go_through_import_training_page_and_exports(strings, tmp_path, chromium):
    in_text = [s for s in strings if is_utf8(s)]
    in_json = [s for s in strings if not is_utf8(s)]
    frames = tables_of(in_text, tmp_path / "sheets")
    out = tmp_path / "tables"
    aside = [
        row
        for name in frames
        for row in imported("spreadsheet", [tmp_path / "sheets" / f"{name}.csv"], out, name)
    ]
    aside += imported("youtube", [youtube_of(in_json, tmp_path / "youtube")], out)
    # What no table holds is named with its reason; nothing is lost without a word.
    assert {row["reason"] for row in aside} <= {"bad_character", "too_long"}
    tables = read_tables(out)
    for name, more in (("posts", len(in_json)), ("sponsorships", 0)):
        lost = {row["row"] for row in aside if row["file"].endswith(f"{name}.csv")}
        assert len(getattr(tables, name)) == len(frames[name]) + more - len(lost)

    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1, simulated=True)
    trained = train(settings, str(out), Silent())
    registry = Registry(settings.registry_uri, settings.artifacts)
    registry.promote(trained.version.version, "a test")
    with serving(ServiceSettings(home=settings.home)) as address:
        # Null bytes are refused there (`tests/test_access.py`); all else goes through.
        sent = [s for s in strings if is_utf8(s) and "\0" not in s]
        briefs = [s for s in sent if 3 <= len(s.strip()) <= 4_000][::400]
        names = [s for s in sent if 1 <= len(s.strip()) <= NAME_AT_MOST]
        exported(address, briefs)
        campaigns = made_campaigns(address, names[::250])
        watched = Watched(chromium, address)
        for creator_id in list(tables.creators["creator_id"])[::12]:
            watched.visit(f"#/creator?id={quote(creator_id, safe='')}")
        for campaign in campaigns:
            watched.visit(f"#/campaign?id={quote(campaign, safe='')}")
        for brief in briefs:
            body = EXAMPLE_BRIEF | {
                "query": brief,
                "brand": {"name": names[len(brief)]},
                "filters": {},
            }
            for page in ("#/", "#/results", "#/plan"):
                watched.visit(f"{page}?brief={quote(json.dumps(body), safe='')}")
        for page in ("#/map", "#/campaign", "#/shortlist", "#/model"):
            watched.visit(page)
        watched.show_all(strings)
        watched.close()


def exported(address, briefs):
    import urllib.request

    for brief in briefs:
        body = EXAMPLE_PLAN | {"query": brief, "filters": {}, "constraints": {}}
        listed = {name: value for name, value in body.items() if name != "constraints"}
        for path, asked in (("recommendations", listed | {"limit": 500}), ("portfolios", body)):
            for kind, check in (("csv", check_csv), ("xlsx", check_xlsx)):
                request = urllib.request.Request(
                    f"{address}v1/{path}.{kind}",
                    json.dumps(asked).encode(),
                    {"content-type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=60) as answer:
                    check(answer.read())


def made_campaigns(address, names):
    """Campaigns of these names, with a plan each."""
    for name in names:
        send(address, "v1/portfolios", EXAMPLE_PLAN | {"campaign_id": name, "filters": {}})
    return [name.strip() for name in names]


class Watched:
    """A page of the service that may not run, ask or say anything but what it is made for."""

    def __init__(self, chromium, address):
        self.address = address
        self.context = chromium.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(60_000)
        self.context.add_init_script(WATCH)
        self.page = self.context.new_page()
        self.told = []
        self.page.on("dialog", lambda dialog: (self.told.append(dialog.message), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("popup", lambda popup: self.told.append(f"a window of {popup.url}"))
        self.page.on("request", self._asked)

    def _asked(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.told.append(f"asked for {request.url}")

    def visit(self, where):
        self.page.goto("about:blank")
        self.page.goto(self.address + where)
        settle(self.page)
        self.check(where)

    def check(self, where):
        ran = self.page.evaluate("[window.pwned ?? null, window.stopped, ({}).pwned ?? null]")
        assert (ran, self.told) == ([None, [], None], []), where

    def show_all(self, strings):
        """Every string in a list of creators: the page's own answer, with other texts in it."""
        answer = send(
            self.address, "v1/recommendations", EXAMPLE_BRIEF | {"limit": 1, "filters": {}}
        )
        [pattern] = answer["items"]
        brief = json.dumps(EXAMPLE_BRIEF | {"limit": 500, "filters": {}})
        texts = iter(strings)
        shown = 0
        while items := [filled(pattern, rank, ten) for rank, ten in enumerate(tens(texts), 1)]:
            body = json.dumps(answer | {"items": items})
            self.page.route(
                "**/v1/recommendations",
                lambda route, _, body=body: route.fulfill(
                    body=body, content_type="application/json"
                ),
            )
            self.visit(f"#/results?brief={quote(brief, safe='')}")
            until(self.page, f"document.querySelectorAll('li.creator').length === {len(items)}")
            self.page.evaluate(
                "document.querySelectorAll('details.why').forEach((w) => w.unfold())"
            )
            count, missing = self.page.evaluate(NOT_SHOWN, brief)
            assert missing == []
            shown += count
            self.page.hover("li.creator")
            self.check("all strings")
            self.page.unroute("**/v1/recommendations")
        assert shown >= len(strings)

    def close(self):
        self.context.close()


def tens(texts, items=500):
    """The next strings, ten for each creator of a list."""
    for _ in range(items):
        ten = [text for _, text in zip(range(10), texts, strict=False)]
        if not ten:
            return
        yield ten + [""] * (10 - len(ten))


def filled(pattern, rank, ten):
    """A creator of an answer whose every text is one of ten."""
    handle, niche, *others = ten
    reasons, warnings, evidence = others[:3], others[3:5], others[5:8]
    return pattern | {
        "rank": rank,
        "creator_id": f"c{rank}",
        "handle": handle,
        "niche": {"label": niche, "share": 0.5},
        "warnings": [text for text in warnings if text],
        "reasons": [
            {"feature": "x", "value": 1.0, "contribution": 0.1, "text": text} for text in reasons
        ],
        "evidence": [
            {"post_id": text, "text": text, "similarity": 0.5, "url": text} for text in evidence
        ],
        "safety": None,
    }
