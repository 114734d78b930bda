"""An index written in parts is the index written at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.index import only
from models.index_files import (
    IndexWriter,
    creator_ids,
    part_of,
    read_index,
    setting_of,
    write_index,
    write_some,
)


@pytest.fixture(scope="module")
def index(trained_home):
    return trained_home.trained.bundle.index


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}


def test_parts_make_the_same_files(index, tmp_path):
    write_index(tmp_path / "whole", index)
    with IndexWriter(tmp_path / "parts") as writer:
        for start in range(0, len(index), 17):
            writer.add(part_of(index, start, min(start + 17, len(index))))
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    whole, parts = (read_index(tmp_path / name, setting_of(index)) for name in ("whole", "parts"))
    assert parts.creators.text.equals(whole.creators.text)
    assert parts.evidence.text.equals(whole.evidence.text)
    assert parts.year.table.equals(whole.year.table)
    assert parts.year.words.words.equals(whole.year.words.words)
    assert parts.audience.keys == whole.audience.keys
    assert creator_ids(tmp_path / "parts" / "creators.arrow").tolist() == index.ids.tolist()


def test_some_creators_are_written_as_they_are_taken_out_in_memory(index, tmp_path, monkeypatch):
    monkeypatch.setattr("models.index_files.PART", 23)
    kept = np.random.default_rng(0).random(len(index)) < 0.6
    write_some(tmp_path / "some", index, kept)
    write_index(tmp_path / "fewer", only(index, kept))
    some, fewer = (read_index(tmp_path / name, setting_of(index)) for name in ("some", "fewer"))
    assert some.ids.tolist() == fewer.ids.tolist() == index.ids[kept].tolist()
    assert np.array_equal(some.profiles.topics.steps, fewer.profiles.topics.steps)
    assert np.array_equal(some.year.counts, fewer.year.counts)
    for term in ("skin", "link in bio", "vegan"):
        counts = index.year.count_terms([term])[kept]
        assert some.year.count_terms([term]).tolist() == counts.tolist()
        assert fewer.year.count_terms([term]).tolist() == counts.tolist()


def test_nothing_of_it_is_in_memory_of_its_own(index, tmp_path):
    """Arrays are views of mapped files that nobody can write into."""
    write_index(tmp_path / "index", index)
    found = read_index(tmp_path / "index", setting_of(index))
    for array in (found.profiles.topics.steps, found.profiles.mix, found.evidence.vector.steps):
        assert isinstance(array.base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_parts_out_of_order_or_of_another_moment_are_refused(index, tmp_path):
    first, second = part_of(index, 0, 10), part_of(index, 10, 20)
    with IndexWriter(tmp_path / "writer") as writer:
        writer.add(second)
        with pytest.raises(ValueError, match=f"{first.id_of(0)!r} comes after {second.id_of(9)!r}"):
            writer.add(first)
        with pytest.raises(ValueError, match="another moment"):
            writer.add(dataclasses.replace(part_of(index, 20, 30), as_of_us=1))
    assert len(read_index(tmp_path / "writer", setting_of(index))) == 10
    with pytest.raises(ValueError, match="without a part"):
        IndexWriter(tmp_path / "none").close()
