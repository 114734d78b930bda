"""Writing tables: what is written in any format and order reads as the same."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.schemas import PLATFORMS, TABLES, Tables
from features.tables import FORMATS, read_tables, write_tables

SOUND = Path(__file__).resolve().parent / "sound_tables"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOUND, tmp_path / "data"))


def assert_same(left: Tables, right: Tables) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name))
    assert left.digest == right.digest


def test_written_files_are_the_same_bytes_each_time(sound: Path, tmp_path: Path) -> None:
    tables = read_tables(sound)
    for format in FORMATS:
        for folder in ("one", "two"):
            write_tables(tables, tmp_path / folder, format)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "two")
    )
    assert one == two and len(one) == len(FORMATS) * len(TABLES)


def test_columns_and_values_a_table_does_not_take_are_not_written(tmp_path: Path) -> None:
    for frame in (pd.DataFrame({"shoe_size": [9]}), pd.DataFrame({"likes": [1.5]})):
        with pytest.raises(ValueError, match=r"shoe_size|1\.5"):
            write_tables({"posts": frame}, tmp_path)
    assert list(tmp_path.iterdir()) == []


# Letters, numbers, punctuation and symbols: what an id may hold, quotes and commas with them.
ids = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
counts = st.integers(0, 2**53 - 1)
times = st.datetimes(pd.Timestamp(1970, 1, 1), pd.Timestamp(2025, 12, 31, 23, 59, 59, 999999))


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def data_sets(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    known = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    creator = st.sampled_from(known)
    columns: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "creators": {
            "platform": st.sampled_from(PLATFORMS),
            "handle": texts.filter(bool),
            "follower_count": maybe(counts),
            "bio": maybe(texts),
            "language": maybe(st.sampled_from(["en", "pt-BR", "zh-Hans"])),
            "price_per_post": maybe(st.floats(0, allow_infinity=False)),
            "accepts_gifting": maybe(st.booleans()),
        },
        "posts": {
            "creator_id": creator,
            "published_at": times,
            "text": texts,
            "likes": counts,
            "comments": counts,
            "views": maybe(counts),
            "is_sponsored": maybe(st.booleans()),
        },
        "followers": {"creator_id": creator, "follower_count": counts},
    }
    keys: dict[str, tuple[str, list[Any]]] = {
        "creators": ("creator_id", known),
        "posts": ("post_id", draw(st.lists(ids, min_size=1, max_size=6, unique=True))),
        "followers": ("observed_at", draw(st.lists(times, max_size=3, unique=True))),
    }
    data = {}
    for name, (key, values) in keys.items():
        rows = [
            {key: value, **{n: draw(strategy) for n, strategy in columns[name].items()}}
            for value in values
        ]
        frame = pd.DataFrame(rows, columns=[key, *columns[name]], dtype=object)
        data[name] = frame
    return data


@settings(max_examples=25, deadline=None)
@given(data=data_sets(), seed=st.integers(0, 2**32 - 1))
def test_every_format_and_order_holds_the_same(data: dict[str, pd.DataFrame], seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(data, folder / "first", "jsonl")
        tables = read_tables(folder / "first")
        assert (
            tables.posts["text"].tolist()
            == data["posts"]
            .sort_values("post_id", key=lambda ids: ids.map(str.encode))["text"]
            .tolist()
        )
        for format in FORMATS:
            shuffled = {
                table: getattr(tables, table).sample(frac=1, random_state=seed) for table in TABLES
            }
            write_tables(shuffled, folder / format, format)
            assert_same(read_tables(folder / format), tables)
        # Another writer's CSV: only what must be is in quotes.
        posts = io.StringIO(newline="")
        writer = csv.writer(posts)
        writer.writerow(tables.posts.columns)
        for row in tables.posts.astype(object).where(tables.posts.notna(), "").itertuples():
            writer.writerow(row[1:])
        (folder / "csv" / "posts.csv").write_bytes(posts.getvalue().encode())
        assert_same(read_tables(folder / "csv"), tables)


@settings(max_examples=25, deadline=None)
@given(data=data_sets(), column=st.sampled_from(["text", "likes", "views", "is_sponsored"]))
def test_another_content_has_another_digest(data: dict[str, pd.DataFrame], column: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_tables(data, Path(name), "parquet")
        before = read_tables(Path(name)).digest
        old = data["posts"].loc[0, column]
        new = {"text": f"{old}.", "is_sponsored": not old}.get(column, 0 if old else 1)
        data["posts"].loc[0, column] = new
        write_tables(data, Path(name), "parquet")
        assert read_tables(Path(name)).digest != before


def test_times_are_written_in_utc_whatever_their_zone(tmp_path: Path) -> None:
    shutil.copy(SOUND / "creators.csv", tmp_path)
    tokyo = timezone(timedelta(hours=9))
    time = datetime(2025, 1, 2, 9, tzinfo=tokyo)
    row = {"post_id": "p", "creator_id": "c0", "text": "", "likes": 1, "comments": 1}
    for times in (pd.Series([time], dtype=object), pd.Series([time]), pd.Series([str(time)])):
        frame = pd.DataFrame([row]).assign(published_at=times)
        for format in FORMATS:
            write_tables({"posts": frame}, tmp_path, format)
            assert read_tables(tmp_path).posts["published_at"][0] == time
            (tmp_path / f"posts.{format}").unlink()
