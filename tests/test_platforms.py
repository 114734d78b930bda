"""Import of creators and posts: what platforms answer and people list, merged whatever the order.

The samples have made-up values in the shape that each platform documents.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from features.schemas import DataError, InvalidTables, Tables
from features.tables import read_tables, write_tables
from service.app import create_app
from service.settings import ServiceSettings
from tests.conftest import Silent, train
from tests.importing import SAMPLES
from training.settings import TrainingSettings
from training.sources import Request, source_of
from training.sources.events import Reading
from training.sources.folder_write import OBSERVED, SET_ASIDE

JSON_SOURCES = ("youtube", "instagram", "tiktok")
AT = datetime(2026, 3, 1, tzinfo=UTC)
MIA = "youtube:UCmiaMiaMiaMiaMiaMiaMia1"


def run(source: str, files: Path | list[Path], out: Path, **options: Any) -> list[str]:
    """What was said."""
    files = [files] if isinstance(files, Path) else files
    report = Silent()
    reading = options.pop("reading", Reading())
    request = Request(files, out, None, reading, **{"observed_at": AT} | options)
    source_of(source).run(request, report)
    return report.said


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def refused(source: str, files: Path, out: Path, **options: Any) -> InvalidTables:
    with pytest.raises(InvalidTables) as caught:
        run(source, files, out, **options)
    assert not out.exists()
    return caught.value


def post(tables: Tables, own: str) -> pd.Series:
    return tables.posts.set_index("post_id").loc[own]


def creator(tables: Tables, own: str) -> pd.Series:
    return tables.creators.set_index("creator_id").loc[own]


def answers(folder: Path, **named: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in named.items():
        text = value if isinstance(value, str) else json.dumps(value)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def all_samples(tmp_path: Path) -> Tables:
    for source in JSON_SOURCES:
        run(source, SAMPLES / source, tmp_path / "all")
    return read_tables(tmp_path / "all")


# ---------------------------------------------------------------- the samples, by hand


def test_youtubes_sample(all_samples: Tables) -> None:
    mia = creator(all_samples, MIA)
    assert mia[["handle", "follower_count", "country", "language"]].tolist() == [
        "miaskitchen",
        48200,
        "GB",
        "en",
    ]
    assert mia["display_name"] == "Mia's Kitchen & Garden 🌱"
    dinners = post(all_samples, "youtube:mia00000001")
    assert dinners["text"] == (
        "Five vegan dinners under 20 minutes\nQuick, honest weeknight cooking.\n"
        "Code MIA10 at Luma.\nvegan, quick dinner"
    )
    assert dinners[["likes", "comments", "views"]].tolist() == [1203, 87, 20511]
    assert bool(dinners["is_sponsored"])
    herbs = post(all_samples, "youtube:mia00000002")
    # Its comments are off; an unticked box is no proof that nobody paid.
    assert herbs["comments"] == 0
    assert pd.isna(herbs["is_sponsored"])
    leo = creator(all_samples, "youtube:UCleoLeoLeoLeoLeoLeoLeo2")
    assert pd.isna(leo["follower_count"])
    assert creator(all_samples, "youtube:UCzoeZoeZoeZoeZoeZoeZoe4")["display_name"] == (
        "Zoe & the sea"
    )
    of_youtube = all_samples.posts["post_id"].str.startswith("youtube:")
    assert set(all_samples.posts["post_id"][of_youtube]) == {
        "youtube:mia00000001",
        "youtube:mia00000002",
        "youtube:ada00000001",
    }


def test_instagrams_sample(all_samples: Tables) -> None:
    nora = creator(all_samples, "instagram:nora.runs")
    assert (nora["follower_count"], nora["bio"]) == (26778, "Trails & coffee")
    run_post = post(all_samples, "instagram:17858843269216389")
    assert run_post["text"] == "Sunday long run & rain ☔ #trailrunning"
    assert run_post["published_at"] == pd.Timestamp("2026-01-19T23:27:28Z")
    assert post(all_samples, "instagram:17894449363137701")["views"] == 9100
    # 0 likes below 12 comments: they are hidden.
    assert "instagram:17894036119131554" not in set(all_samples.posts["post_id"])
    otto = all_samples.posts["creator_id"] == "instagram:otto.cooks"
    assert otto.sum() == 2


def test_tiktoks_sample(all_samples: Tables) -> None:
    joe = creator(all_samples, "tiktok:joe.bakes")
    assert (joe["follower_count"], joe["country"]) == (23230, "US")
    loaf = post(all_samples, "tiktok:7305900000000000001")
    assert loaf["text"] == "Rye loaf in 4 steps #bread #rye"
    assert loaf[["likes", "comments", "views", "shares", "saves"]].tolist() == [
        770,
        12,
        15210,
        30,
        91,
    ]
    assert loaf["published_at"] == pd.Timestamp(1769600000, unit="s", tz="UTC")
    assert creator(all_samples, "tiktok:kim_draws")["follower_count"] == 8120
    assert post(all_samples, "tiktok:7310000000000000009")["creator_id"] == "tiktok:kim_draws"


def test_tiktoks_business_api_has_other_names(tmp_path: Path) -> None:
    video = {
        "item_id": "731",
        "create_time": "1769600000",
        "caption": "Blue glaze",
        "share_url": "https://www.tiktok.com/@pots/video/731",
        "likes": 9,
        "comments": 2,
        "shares": 1,
        "video_views": 300,
    }
    ok = {"code": 0, "message": "OK"}
    files = answers(
        tmp_path / "in",
        videos=ok | {"data": {"videos": [video], "has_more": False}},
        account=ok | {"data": {"username": "pots", "display_name": "P", "followers_count": 77}},
    )
    run("tiktok", files, tmp_path / "out")
    tables = read_tables(tmp_path / "out")
    assert creator(tables, "tiktok:pots")["follower_count"] == 77
    assert post(tables, "tiktok:731")[["text", "views"]].tolist() == ["Blue glaze", 300]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    [line] = [x for x in run("youtube", SAMPLES / "youtube", tmp_path / "o") if "left out" in x]
    for what in (
        "1 subscribers hidden",
        "1 private or deleted",
        "1 likes are hidden",
        "1 a premiere or live stream",
        "1 posts named without counts",
    ):
        assert what in line


# ---------------------------------------------------------------- merging


def test_again_changes_nothing_and_order_does_not_matter(tmp_path: Path) -> None:
    files = sorted(p for s in ("youtube",) for p in (SAMPLES / s).iterdir())
    run("youtube", files, tmp_path / "a")
    before = contents(tmp_path / "a")
    run("youtube", files[::-1], tmp_path / "a")
    assert contents(tmp_path / "a") == before
    one_by_one = files.copy()
    for seed in range(3):
        random.Random(seed).shuffle(one_by_one)
        for file in one_by_one:
            run("youtube", file, tmp_path / f"b{seed}") if file.stem != "playlist_items" else None
        assert contents(tmp_path / f"b{seed}") == before


def video(likes: int | None, **more: Any) -> dict[str, Any]:
    sample = json.loads((SAMPLES / "youtube" / "videos.json").read_text("utf-8"))
    one = copy.deepcopy(sample["items"][0])
    one["statistics"]["likeCount"] = None if likes is None else str(likes)
    one["statistics"] |= more
    return {"kind": "youtube#videoListResponse", "items": [one]}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_the_latest_observation_wins_in_whatever_order_it_comes(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    sample = json.loads((SAMPLES / "youtube" / "channels.json").read_text("utf-8"))
    for day in order:
        sample["items"][0]["statistics"]["subscriberCount"] = str(1000 + day)
        files = answers(tmp_path / f"d{day}", v=video(10 + day), c=sample)
        at = datetime(2026, 4, 1 + day, tzinfo=UTC)
        run("youtube", files, tmp_path / "out", observed_at=at)
    tables = read_tables(tmp_path / "out")
    assert post(tables, "youtube:mia00000001")["likes"] == 12
    assert creator(tables, MIA)["follower_count"] == 1002
    history = tables.followers[tables.followers["creator_id"] == MIA]
    assert history["follower_count"].tolist() == [1000, 1001, 1002]


def test_texts_are_taken_as_they_are_but_for_what_no_table_holds(tmp_path: Path) -> None:
    one = video(1)
    snippet = one["items"][0]["snippet"]
    snippet |= {"title": "Tea &lt;3 👩🏽‍🍳\u0000", "description": "half \ud83d", "tags": []}
    run("youtube", answers(tmp_path / "in", v=one), tmp_path / "out")
    found = post(read_tables(tmp_path / "out"), "youtube:mia00000001")
    assert found["text"] == "Tea <3 👩🏽‍🍳\nhalf ?"


def test_what_is_hidden_later_stays_as_it_was(tmp_path: Path) -> None:
    run("youtube", answers(tmp_path / "a", v=video(10)), tmp_path / "out")
    off = video(11)
    del off["items"][0]["statistics"]["commentCount"]
    later = datetime(2026, 4, 1, tzinfo=UTC)
    run("youtube", answers(tmp_path / "b", v=off), tmp_path / "out", observed_at=later)
    found = post(read_tables(tmp_path / "out"), "youtube:mia00000001")
    assert found[["likes", "comments"]].tolist() == [11, 87]


def test_duplicates_in_one_import_are_merged_and_counted(tmp_path: Path) -> None:
    files = answers(tmp_path / "in", a=video(10), b=video(10), c=video(10))
    said = run("youtube", files, tmp_path / "out")
    assert "posts: 1 added, 0 changed, 2 duplicates merged; 1 in all" in said


def demographics(**shares: int) -> dict[str, Any]:
    results = [{"dimension_values": [code], "value": n} for code, n in shares.items()]
    return {
        "data": [
            {
                "name": "follower_demographics",
                "period": "lifetime",
                "total_value": {
                    "breakdowns": [{"dimension_keys": ["country"], "results": results}]
                },
                "id": "17841401441775531/insights/follower_demographics/lifetime",
            }
        ]
    }


def test_an_audience_is_replaced_as_a_whole_by_a_later_one(tmp_path: Path) -> None:
    user = json.loads((SAMPLES / "instagram" / "business_discovery.json").read_text("utf-8"))
    out = tmp_path / "out"
    for day, shares in ((3, {"US": 60, "GB": 40}), (5, {"US": 3, "DE": 1}), (4, {"FR": 9})):
        files = answers(tmp_path / f"d{day}", a=demographics(**shares), u=user)
        run("instagram", files, out, observed_at=datetime(2026, 4, day, tzinfo=UTC))
    table = read_tables(out).audience
    assert set(zip(table["code"], table["share"], strict=True)) == {("US", 0.75), ("DE", 0.25)}
    files = answers(tmp_path / "alone", a=demographics(US=1))
    assert "whose followers" in str(refused("instagram", files, tmp_path / "other"))


def test_files_have_a_time_of_their_own(tmp_path: Path) -> None:
    files = answers(tmp_path / "in", a=video(10), b=video(30))
    os.utime(files / "a.json", (1_780_000_000, 1_780_000_000))
    os.utime(files / "b.json", (1_770_000_000, 1_770_000_000))
    run("youtube", files, tmp_path / "out", observed_at=None)
    assert post(read_tables(tmp_path / "out"), "youtube:mia00000001")["likes"] == 10


@pytest.mark.parametrize("format", ["csv.gz", "parquet", "jsonl"])
def test_a_table_that_stands_keeps_its_format_and_its_rows(format: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("instagram", SAMPLES / "instagram", tmp_path / "first")
    first = read_tables(tmp_path / "first")
    write_tables({n: getattr(first, n) for n in ("creators", "posts")}, out, format)
    run("tiktok", SAMPLES / "tiktok", out)
    assert (out / f"posts.{format}").exists()
    tables = read_tables(out)
    assert len(tables.posts) == len(first.posts) + 3
    # No note says when those rows were observed: they count as older than anything.
    run("instagram", SAMPLES / "instagram", out)
    assert len(read_tables(out).posts) == len(first.posts) + 3


# ---------------------------------------------------------------- faults


def test_what_cannot_be_read_is_named_and_nothing_written(tmp_path: Path) -> None:
    bad = video(10)
    bad["items"][0]["snippet"]["publishedAt"] = "yesterday"
    bad["items"][0]["statistics"]["viewCount"] = "a lot"
    files = answers(tmp_path / "in", v=bad, w=video(11))
    faults = refused("youtube", files, tmp_path / "out").faults
    assert {(Path(f.file).name, f.row, f.column) for f in faults} == {
        ("v.json", 1, "snippet.publishedAt"),
    }
    said = run("youtube", files, tmp_path / "out", on_invalid="quarantine")
    assert any("1 faults" in line for line in said)
    assert "yesterday" in (tmp_path / "out" / SET_ASIDE).read_text()
    assert post(read_tables(tmp_path / "out"), "youtube:mia00000001")["likes"] == 11


def test_what_no_file_can_hold_is_set_aside_with_a_sign_for_it(tmp_path: Path) -> None:
    """JSON can name half of a pair of surrogates and NUL; a CSV of UTF-8 holds neither."""
    files = answers(tmp_path / "in", v=video(11), w=r'"half \ud83d, none \u0000"')
    run("youtube", files, tmp_path / "out", on_invalid="quarantine")
    assert "half �, none �" in (tmp_path / "out" / SET_ASIDE).read_text(encoding="utf-8")
    assert post(read_tables(tmp_path / "out"), "youtube:mia00000001")["likes"] == 11


@pytest.mark.parametrize(
    ("source", "text", "kind"),
    [
        ("youtube", '{"items": [', "damaged_file"),
        ("youtube", '{"error": {"code": 403, "message": "quota"}}', "platform_error"),
        ("youtube", "[1]", "bad_row"),
        ("youtube", '{"hello": 1}', "wrong_type"),
        ("instagram", '{"error": {"message": "(#10)", "code": 10}}', "platform_error"),
        ("instagram", '{"data": {"a": 1}}', "wrong_type"),
        ("instagram", '{"business_discovery": {"followers_count": 3, "id": "1"}}', "missing_value"),
        ("tiktok", '{"data": {}, "error": {"code": "access_token_invalid"}}', "platform_error"),
        (
            "tiktok",
            '{"data": {"follower_count": 1}}\n{"data": {"follower_count": 2}}',
            "missing_value",
        ),
        ("tiktok", '{"code": 40001, "message": "no", "data": {}}', "platform_error"),
    ],
)
def test_what_is_no_answer_is_refused(source: str, text: str, kind: str, tmp_path: Path) -> None:
    files = answers(tmp_path / "in", name=text)
    assert {f.kind for f in refused(source, files, tmp_path / "out").faults} == {kind}


def test_answers_may_stand_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text(
        "\n".join(json.dumps(v) for v in (video(1), video(2))), encoding="utf-8-sig"
    )
    said = run("youtube", tmp_path / "pages.jsonl", tmp_path / "out")
    assert "posts: 1 added, 0 changed, 1 duplicates merged; 1 in all" in said
    with pytest.raises(DataError, match=r"no file that ends in \.json"):
        (tmp_path / "empty").mkdir()
        run("youtube", tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        run("youtube", tmp_path / "nowhere.json", tmp_path / "out")
    with pytest.raises(DataError, match="nothing that the tables could take"):
        run("youtube", answers(tmp_path / "none", a={"items": []}), tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run("youtube", SAMPLES / "youtube", out)
    before = contents(out)
    replace = Path.replace

    def failing(self: Path, target: Any) -> Path:
        if Path(target) == out / OBSERVED and self.parent.name != "before":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(DataError, match="cannot be written: No space left"):
        run("tiktok", SAMPLES / "tiktok", out)
    assert contents(out) == before
    with pytest.raises(DataError, match="cannot be written"):
        run("tiktok", SAMPLES / "tiktok", tmp_path / "out" / OBSERVED / "x")


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    said = run("youtube", SAMPLES / "youtube", tmp_path / "out", dry_run=True)
    assert "a dry run: nothing was written" in said
    assert not (tmp_path / "out").exists()


def test_a_damaged_note_of_times_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("youtube", SAMPLES / "youtube", out)
    (out / OBSERVED).write_text("table,id,observed_at\nposts,youtube:x,soon\n")
    with pytest.raises(DataError, match=r"observed.csv row 2: not a table, an id and a time"):
        run("youtube", SAMPLES / "youtube", out)


# ---------------------------------------------------------------- all the way to an answer

TOPICS = {
    "cooking": ["vegan dinner recipe", "sourdough bread at home", "quick lunch, one pan"],
    "fitness": ["morning run and stretching", "leg day without machines", "trail running shoes"],
    "skincare": ["gentle serum for sensitive skin", "my skincare routine", "sunscreen, compared"],
}


def grown(folder: Path, seed: int) -> Iterator[tuple[str, Path]]:
    """Each source's sample, repeated with other names, texts and counts."""
    rng = random.Random(seed)
    makers: dict[str, Callable[[Path, str, list[dict[str, Any]]], None]] = {
        "youtube": _grow_youtube,
        "instagram": _grow_instagram,
        "tiktok": _grow_tiktok,
        "spreadsheet": _grow_spreadsheet,
    }
    for source, make in makers.items():
        place = folder / source
        place.mkdir(parents=True)
        for number in range(6):
            topic = list(TOPICS)[number % len(TOPICS)]
            posts = [
                {
                    "id": f"{source[:2]}{number}x{n:07d}",
                    "text": f"{rng.choice(TOPICS[topic])} no. {n}",
                    "likes": rng.randint(50, 2_000),
                    "comments": rng.randint(1, 100),
                    "at": 1_767_000_000 + 86_400 * (3 * n + number),
                }
                for n in range(8)
            ]
            make(place, f"{topic}.{number}", posts)
        yield source, place


def _sample(source: str, name: str) -> Any:
    return json.loads((SAMPLES / source / name).read_text("utf-8"))


def _iso(seconds: int, zone: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + zone


def _grow_youtube(place: Path, name: str, posts: list[dict[str, Any]]) -> None:
    channels, videos = _sample("youtube", "channels.json"), _sample("youtube", "videos.json")
    channel, model = channels["items"][0], videos["items"][0]
    channel["id"] = "UC" + name.replace(".", "_").ljust(22, "0")
    channel["snippet"]["customUrl"] = f"@{name}"
    videos["items"] = []
    for one in posts:
        item = copy.deepcopy(model)
        item["id"] = one["id"]
        item["snippet"] |= {
            "channelId": channel["id"],
            "title": one["text"],
            "publishedAt": _iso(one["at"], "Z"),
        }
        item["statistics"] |= {"likeCount": str(one["likes"]), "commentCount": str(one["comments"])}
        videos["items"].append(item)
    channels["items"] = [channel]
    answers(place, **{f"c-{name}": channels, f"v-{name}": videos})


def _grow_instagram(place: Path, name: str, posts: list[dict[str, Any]]) -> None:
    found = _sample("instagram", "business_discovery.json")
    user = found["business_discovery"]
    user["username"] = name
    model = user["media"]["data"][0]
    user["media"]["data"] = [
        model
        | {
            "id": one["id"],
            "caption": one["text"],
            "like_count": one["likes"],
            "comments_count": one["comments"],
            "timestamp": _iso(one["at"], "+0000"),
        }
        for one in posts
    ]
    answers(place, **{name: found})


def _grow_tiktok(place: Path, name: str, posts: list[dict[str, Any]]) -> None:
    videos = _sample("tiktok", "research_videos.json")
    model = videos["data"]["videos"][0]
    videos["data"]["videos"] = [
        model
        | {
            "id": one["id"],
            "username": name,
            "video_description": one["text"],
            "like_count": one["likes"],
            "comment_count": one["comments"],
            "create_time": one["at"],
        }
        for one in posts
    ]
    answers(place, **{name: _sample("tiktok", "joe.bakes.json"), f"videos-{name}": videos})


def _grow_spreadsheet(place: Path, name: str, posts: list[dict[str, Any]]) -> None:
    head = (SAMPLES / "posts.csv").read_text("utf-8").splitlines()[0]
    lines = [
        f"{name},Instagram,{_iso(one['at'], 'Z')},{one['text'].replace(',', ';')},"
        f"{one['likes']},{one['comments']},,https://www.instagram.com/p/{one['id']}/,no"
        for one in posts
    ]
    (place / f"sheet-{name}.csv").write_text("\n".join([head, *lines]), encoding="utf-8")


def test_every_source_goes_through_to_an_answer(tmp_path: Path) -> None:
    """Import, validate, train (too few outcomes: stated rules), serve."""
    out = tmp_path / "tables"
    for source, place in grown(tmp_path / "in", seed=7):
        files = sorted(place.iterdir()) if source == "spreadsheet" else place
        run(source, files, out)
    for table in ("creators", "posts"):
        reading = Reading(dates="dmy", currency="EUR")
        run("spreadsheet", SAMPLES / f"{table}.csv", out, reading=reading)
    tables = read_tables(out)
    assert tables.creators["creator_id"].str.partition(":")[0].value_counts().to_dict() == {
        "youtube": 7,
        "tiktok": 7,
        "instagram": 7,
    }
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    trained = train(settings, str(out), Silent())
    assert trained.promoted
    assert trained.bundle.manifest.kind == "heuristic"
    query = "gentle serum for sensitive skin, an honest skincare routine"
    brief = {"brand": {"name": "Luma"}, "query": query, "limit": 6}
    with TestClient(create_app(ServiceSettings(home=settings.home))) as client:
        items = client.post("/v1/recommendations", json=brief).json()["items"]
        shown = client.get(f"/v1/creators/{items[0]['creator_id']}").json()
    assert shown["handle"] == items[0]["handle"] and shown["recent_posts"]
    best = items[:3]
    assert {item["platform"] for item in items} == {"youtube", "tiktok", "instagram"}
    assert all("skincare" in item["handle"] for item in best), [one["handle"] for one in items]
    assert all(item["reasons"] and item["evidence"] for item in best)
    shutil.rmtree(tmp_path / "home")
