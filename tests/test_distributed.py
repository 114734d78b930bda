"""Training on a cluster: rows and index to the last bit, and jobs that outlive a worker."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.table_write import write_tables
from features.text import VectorCache
from models.stage import grow_here
from tests.conftest import ENCODER, Silent, frames_of
from training import distributed
from training.dataset import draw_candidates, labelled_rows
from training.distributed import Cluster
from training.holdout import hide_creators, knows_later
from training.pipeline import HERE, read
from training.safety_fit import fit_risks
from training.settings import TrainingSettings


class InTurn:
    """Workers that are this process, one item after the other, the last first."""

    grow = staticmethod(grow_here)

    def each(self, work, items):
        for place in reversed(range(len(items))):
            yield place, work(items[place])


def in_files(frames: dict[str, pd.DataFrame], folder: Path, count: int, seed: int = 0) -> Path:
    """Tables as Parquet, the posts in some files of mixed creators."""
    write_tables(frames, folder, "parquet")
    whole = folder / "posts.parquet"
    posts = pd.read_parquet(whole)
    whole.unlink()
    (folder / "posts").mkdir()
    rows = np.random.default_rng(seed).permutation(len(posts))
    for number, part in enumerate(np.array_split(rows, count)):
        posts.iloc[part].to_parquet(folder / "posts" / f"part-{number}.parquet", index=False)
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(distributed, "POSTS_OF_PART", 120)
    monkeypatch.setattr(distributed, "PARTS_ADDED", 2)
    monkeypatch.setattr("training.distributed_parts.SAMPLE_EVERY", 10)


@pytest.fixture
def both(small_world, tmp_path, small_parts):
    """What is known here and on a cluster of the same tables, and what reads them."""
    source = in_files(frames_of(small_world), tmp_path / "tables", 3)
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    (tmp_path / "run").mkdir()
    cluster = Cluster(InTurn(), tmp_path / "run")
    found = []
    for place in (HERE, cluster):
        tables = read(settings, str(source), Silent(), "refuse", place)
        known, _ = place.know(tables, ENCODER, settings, Silent())
        found.append((place, tables, known))
    return settings, found


def equal(one: Any, other: Any, name: str = "") -> None:
    """Two records of arrays, texts and records hold the same."""
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            equal(getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == np.asarray(other).dtype, name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    elif isinstance(one, pa.Table):
        assert one.combine_chunks().equals(other.combine_chunks()), name
    else:
        assert one == other, name


def test_snapshots_are_those_of_one_process(both):
    _, ((_, _, here), (_, _, there)) = both
    assert len(there.there.parts) > 4
    assert len(here.snapshots) == len(there.snapshots) > 6
    for one, other in zip(here.snapshots, there.snapshots, strict=True):
        assert one.from_us == other.from_us
        assert np.array_equal(one.projection.matrix, other.projection.matrix)
        assert np.array_equal(one.projection.offset, other.projection.offset)
        assert one.model.labels == other.model.labels
        assert np.array_equal(one.model.weights, other.model.weights)


def test_rows_are_those_of_one_process(both):
    _, ((_, _, here), (_, _, there)) = both
    mine, theirs = labelled_rows(here), labelled_rows(there)
    equal(mine, theirs)
    equal(draw_candidates(here, mine, 3), draw_candidates(there, theirs, 3))
    middle = int(np.median(mine.started_us))
    assert knows_later(there, theirs, middle) == {} == knows_later(here, mine, middle)
    for one, other in zip(
        hide_creators(here, mine, 0), hide_creators(there, theirs, 0), strict=True
    ):
        equal(one, other)


def decoded(index):
    """An index with its codes as texts: their numbers hang on the order of the parts."""
    creators = {
        name: index.creators.__getattribute__(name).texts(np.arange(len(index)))
        for name in ("platform", "country", "language", "currency")
    }
    audience = [index.audience.keys[key] for key in index.audience.key]
    return creators | {"audience": np.array(audience, dtype=object)}


def test_the_index_is_that_of_one_process(both):
    settings, ((_, _, here), (cluster, _, there)) = both
    risks = fit_risks(ENCODER, VectorCache(settings.home, ENCODER))
    mine = HERE.index(here, risks, settings, Silent())
    theirs = cluster.index(there, risks, settings, Silent())
    assert mine.ids.tolist() == theirs.ids.tolist()
    for name in (
        "last_post_us",
        "price",
        "leading",
        "months",
        "labels",
        "as_of_us",
        "collaborations",
    ):
        equal(getattr(mine, name), getattr(theirs, name), name)
    equal(mine.evidence, theirs.evidence)
    equal(mine.year.table, theirs.year.table)
    equal(mine.year.counts, theirs.year.counts)
    profiles = dataclasses.replace(
        mine.profiles,
        **{
            name: np.asarray(getattr(mine.profiles, name)) for name in ("topics", "best", "subject")
        },
    )
    kept = dataclasses.replace(
        theirs.profiles,
        **{
            name: np.asarray(getattr(theirs.profiles, name))
            for name in ("topics", "best", "subject")
        },
    )
    equal(profiles, kept)
    for one, other in zip(decoded(mine).items(), decoded(theirs).items(), strict=True):
        assert one[0] == other[0]
        assert one[1].tolist() == other[1].tolist()
