"""Training on a cluster: rows and index to the last bit, and jobs that outlive a worker."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from distributed import LocalCluster

from benchmarks.distributed import usage
from benchmarks.distributed_world import write_many
from features.catalogue import FEATURE_NAMES
from features.forgotten import Forgotten, write_forgotten
from features.schemas import ClusterError, DataError, InvalidTables
from features.table_write import write_tables
from features.tables import read_tables
from features.text import HashEncoder, VectorCache
from models.conversion_fit import FitParams
from models.index import Index
from models.index_files import CODED, read_index, setting_of, write_index
from models.snapshots import Known
from models.stage import Grow, Sample, grow_here
from tests.conftest import ENCODER, Silent, frames_of, known_of, tables_of, train
from training import distributed
from training.dataset import draw_candidates, labelled_rows, rows_again, split_by_time
from training.distributed import Cluster
from training.distributed_cluster import ROWS_OF_WORKER, connected
from training.figures import deviances
from training.holdout import hide_creators, knows_later
from training.learning import fit_before_test
from training.pipeline import HERE, read
from training.safety_fit import fit_risks
from training.settings import TrainingSettings
from training.simulate import simulate


class InTurn:
    """Workers that are this process, one item after the other, the last first."""

    grow = staticmethod(grow_here)
    threads = 1

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


def grow_on_half(options, sample, *arguments):
    half = np.arange(0, len(sample), 2)
    weight = None if sample.weight is None else sample.weight[half]
    return grow_here(options, Sample(sample.matrix[half], sample.target[half], weight), *arguments)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(distributed, "POSTS_OF_PART", 120)
    monkeypatch.setattr("training.distributed_there.PARTS_ADDED", 2)
    monkeypatch.setattr("training.distributed_files.SAMPLE_EVERY", 10)


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
    assert len(here.snapshots) > 6
    same_snapshots(here, there)


def same_snapshots(here: Known, there: Known) -> None:
    assert len(here.snapshots) == len(there.snapshots)
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
    none = theirs.take(np.zeros(0, dtype=np.int64))
    assert rows_again(there, there, none).shape == (0, mine.matrix.shape[1])
    middle = int(np.median(mine.started_us))
    assert knows_later(there, theirs, middle) == {} == knows_later(here, mine, middle)
    for one, other in zip(
        hide_creators(here, mine, 0), hide_creators(there, theirs, 0), strict=True
    ):
        equal(one, other)


def test_the_index_is_that_of_one_process(both, tmp_path):
    settings, ((_, _, here), (cluster, _, there)) = both
    risks = fit_risks(ENCODER, VectorCache(settings.home, ENCODER))
    mine = HERE.index(here, risks, settings, Silent())
    theirs = cluster.index(there, risks, settings, Silent())
    same_index(mine, theirs, tmp_path)


def same_index(mine: Index, theirs: Index, folder: Path) -> None:
    """All files of two indexes, to the byte, but for the numbers that texts have as codes."""
    found = []
    for name, index in (("mine", mine), ("theirs", theirs)):
        write_index(folder / name, index)
        again = read_index(folder / name, setting_of(index))
        decoded = {
            name: getattr(again.creators, name).texts(np.arange(len(again))).tolist()
            for name in CODED
        }
        decoded["audience"] = [again.audience.keys[key] for key in again.audience.key]
        files = {path.name: path.read_bytes() for path in (folder / name).glob("*.npy")}
        coded = {f"creators.{name}.npy" for name in CODED} | {"audience.key.npy"}
        plain = {n: data for n, data in files.items() if n not in coded and "about." not in n}
        texts = (again.creators.text, again.evidence.text, again.year.table)
        found.append((decoded, plain, [table.combine_chunks() for table in texts]))
    assert found[0][0] == found[1][0]
    assert [n for n in found[0][1] if found[0][1][n] != found[1][1].get(n)] == []
    for one, other in zip(found[0][2], found[1][2], strict=True):
        assert one.equals(other)
    assert setting_of(mine) == setting_of(theirs)
    assert mine.year.words.words.equals(theirs.year.words.words)


def test_parts_hold_whole_creators_and_few_posts_each(both):
    _, ((_, tables, here), (_, _, there)) = both
    parts = there.there.parts
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, len(here.facts.creator_id))
    held = [pa.ipc.open_file(pa.memory_map(str(part.posts))).read_all() for part in parts]
    assert sum(len(table) for table in held) == len(tables.posts)
    # About 120 as asked for, one creator more or less, and what a sample of every tenth misses.
    most = int(tables.posts["creator_id"].value_counts().max())
    assert max(len(table) for table in held) <= 120 + most + 3 * 10


def test_a_champion_of_another_encoder_reads_the_same_posts(both):
    settings, ((_, tables, here), (cluster, elsewhere, there)) = both
    other = HashEncoder(32)
    mine, _ = HERE.know(tables, other, settings, Silent())
    theirs, encoded = cluster.know(elsewhere, other, settings, Silent())
    assert encoded > 0
    rows = labelled_rows(here)
    assert np.array_equal(
        rows_again(mine, here, rows), rows_again(theirs, there, rows), equal_nan=True
    )


def test_a_forgotten_creator_is_left_out_there_too(small_world, tmp_path, small_parts):
    source = in_files(frames_of(small_world), tmp_path / "tables", 3)
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    gone = small_world.creators["creator_id"].iloc[[4, 31]]
    write_forgotten(settings.home, Forgotten().plus(gone))
    (tmp_path / "run").mkdir()
    cluster = Cluster(InTurn(), tmp_path / "run")
    here, there = (read(settings, str(source), Silent(), "refuse", p) for p in (HERE, cluster))
    assert 0 < there.n_posts == len(here.posts) < len(small_world.posts)
    assert there.creators.equals(here.creators)
    known = cluster.know(there, ENCODER, settings, Silent())[0]
    same_snapshots(known, HERE.know(here, ENCODER, settings, Silent())[0])


# ---------------------------------------------------------------- tables at fault


def read_of(frames, tmp_path):
    return know_of(in_files(frames, tmp_path / "tables", 2), tmp_path)


def know_of(source, tmp_path):
    (tmp_path / "run").mkdir()
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    cluster = Cluster(InTurn(), tmp_path / "run")
    tables = read(settings, str(source), Silent(), "refuse", cluster)
    return cluster.know(tables, ENCODER, settings, Silent())


def test_a_post_of_nobody_is_refused_by_file_and_row(small_world, tmp_path, small_parts):
    frames = frames_of(small_world)
    posts = frames["posts"].copy()
    posts.loc[[3, 77], "creator_id"] = ["aaa", "zzz"]
    with pytest.raises(InvalidTables) as refused:
        read_of(frames | {"posts": posts}, tmp_path)
    faults = refused.value.faults
    assert {fault.value for fault in faults} == {"aaa", "zzz"}
    for fault in faults:
        row = pd.read_parquet(tmp_path / "tables" / fault.file).iloc[fault.row - 1]
        assert row["creator_id"] == fault.value
        assert (fault.table, fault.column, fault.kind) == ("posts", "creator_id", "unknown_creator")


def test_an_id_in_two_files_is_refused_by_both(small_world, tmp_path, small_parts):
    source = in_files(frames_of(small_world), tmp_path / "tables", 3)
    first, last = (pd.read_parquet(source / "posts" / f"part-{n}.parquet") for n in (0, 2))
    last.loc[[4, 9], "post_id"] = first.loc[[7, 8], "post_id"].to_numpy()
    last.to_parquet(source / "posts" / "part-2.parquet", index=False)
    with pytest.raises(InvalidTables) as refused:
        know_of(source, tmp_path)
    assert refused.value.counts == {("posts", "duplicate_key"): 2}
    told = [(fault.file, fault.row, fault.value, fault.reason) for fault in refused.value.faults]
    assert told == [
        (
            "posts/part-2.parquet",
            at + 1,
            first.loc[before, "post_id"],
            f"post_id must be unique; first used in posts/part-0.parquet row {before + 1}",
        )
        for at, before in ((4, 7), (9, 8))
    ]


def test_values_at_fault_are_refused_as_one_process_does(small_world, tmp_path, small_parts):
    frames = frames_of(small_world)
    posts = frames["posts"].copy()
    posts.loc[posts.index[::50], "likes"] = -1
    with pytest.raises(InvalidTables) as there:
        read_of(frames | {"posts": posts}, tmp_path)
    with pytest.raises(InvalidTables) as here:
        read_tables(tmp_path / "tables")
    assert there.value.counts == here.value.counts
    assert there.value.faults == here.value.faults


def test_what_a_cluster_does_not_do_is_said(tmp_path):
    cluster = Cluster(InTurn(), tmp_path)
    settings = TrainingSettings(home=tmp_path)
    with pytest.raises(DataError, match="reads folders, not databases"):
        cluster.read("postgresql://host/db", settings, "refuse")
    with pytest.raises(DataError, match="sets no rows aside"):
        cluster.read(str(tmp_path), settings, "quarantine")


def test_without_dask_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "training.distributed_cluster", raising=False)
    settings = TrainingSettings(home=tmp_path, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(
        ClusterError, match=r"distributed is not installed: .*\[train,distributed\]"
    ):
        train(settings, str(tmp_path), Silent())


def test_a_scheduler_that_is_away_is_said(tmp_path, monkeypatch):
    from training import distributed_cluster

    monkeypatch.setattr(distributed_cluster, "CONNECT_SECONDS", 0.5)
    settings = TrainingSettings(home=tmp_path, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(
        ClusterError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler can be reached"
    ):
        train(settings, str(tmp_path), Silent())
    assert list((tmp_path / "cluster").iterdir()) == []


def test_a_greeting_that_a_worker_spoils_is_made_again(monkeypatch):
    """Dask asserts that nothing comes with its greeting, though word of a worker may."""
    from training import distributed_cluster

    spoiled = iter([True, True, False])

    def client(address, **_):
        if next(spoiled, True):
            raise AssertionError
        return nullcontext(address)

    monkeypatch.setattr(distributed_cluster, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(distributed_cluster, "Client", client)
    assert distributed_cluster._greeted("tcp://a:1").enter_result == "tcp://a:1"
    with pytest.raises(ClusterError, match=r"tcp://a:1: workers came and went"):
        distributed_cluster._greeted("tcp://a:1")


# ---------------------------------------------------------------- a real cluster


def two_workers() -> LocalCluster:
    """Two workers, each a process that its nanny starts again."""
    return LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit="3GiB",
        silence_logs=logging.CRITICAL,
    )


@pytest.fixture(scope="module")
def local_cluster() -> Iterator[LocalCluster]:
    with two_workers() as cluster:
        yield cluster


def settings_on(cluster: LocalCluster, home: Path) -> TrainingSettings:
    address = cluster.scheduler_address
    return TrainingSettings(home=home, encoder="hash", threads=1, scheduler=address)


class Killer(Silent):
    """Kills a worker (SIGKILL) once in each of some steps, as soon as a part of it is done."""

    def __init__(self, cluster: LocalCluster, *steps: str) -> None:
        super().__init__()
        self.cluster, self.steps = cluster, list(steps)
        self.killed: list[int] = []

    def step(self, title: str, total: int) -> Any:
        def done(units: int) -> None:
            for step in [step for step in self.steps if title.startswith(step)]:
                self.steps.remove(step)
                worker = next(iter(self.cluster.workers.values()))
                self.killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)

        return nullcontext(done)


@pytest.mark.long
def test_a_training_that_loses_workers_is_that_of_one_process(
    local_cluster, trained_home, tmp_path, monkeypatch
):
    monkeypatch.setattr(distributed, "POSTS_OF_PART", 250)
    source = in_files(frames_of(trained_home.world), tmp_path / "tables", 3)
    killer = Killer(local_cluster, "Encoding posts", "Building rows", "Profiling creators")
    settings = settings_on(local_cluster, tmp_path / "home")
    trained = train(settings, str(source), killer)
    assert len(set(killer.killed)) == 3
    assert killer.steps == []
    mine, theirs = trained_home.trained.bundle, trained.bundle
    same_index(mine.index, theirs.index, tmp_path)
    assert theirs.manifest.data["posts"] == mine.manifest.data["posts"]
    assert np.array_equal(mine.projection.matrix, theirs.projection.matrix)
    assert theirs.manifest.kind == "outcomes"
    assert b"127.0.0.1" not in theirs.model.conversions.text.encode()
    assert list((tmp_path / "home" / "cluster").iterdir()) == []


@pytest.mark.long
def test_trees_grown_together_foretell_as_well_as_other_seeds(local_cluster, tmp_path):
    """Noise is how far held-out deviances of one process lie apart with other seeds.

    Trees that saw half of the rows are told from it.
    """
    world = simulate(1_500, 21, posts_per_creator=14, months=18)
    known = known_of(tables_of(frames_of(world), tmp_path))
    rows = labelled_rows(known)
    split, candidates = split_by_time(rows), draw_candidates(known, rows, 0)
    assert len(split.fit) >= 2 * ROWS_OF_WORKER
    test = rows.take(split.test)

    def judged(grow: Grow, seed: int) -> float:
        params = FitParams(seed=seed, threads=1)
        model = fit_before_test(rows, candidates, split, params, grow).model
        return float(deviances(test.labels, model.predict(test.matrix, chosen=True).rate).mean())

    alone = [judged(grow_here, seed) for seed in range(8)]
    noise = max(alone) - min(alone)
    with connected(local_cluster.scheduler_address, tmp_path) as workers:
        together = [judged(workers.grow, seed) for seed in range(4)]
    assert abs(np.mean(together) - np.mean(alone)) <= noise
    assert min(judged(grow_on_half, seed) for seed in range(2)) > np.mean(alone) + noise


@pytest.mark.long
def test_trees_are_grown_again_where_a_worker_is_lost(local_cluster, tmp_path):
    rng = np.random.default_rng(0)
    sample = Sample(rng.normal(size=(2_000, len(FEATURE_NAMES))), rng.poisson(1.0, 2_000) * 1.0)
    options = FitParams(threads=1).lightgbm("poisson")

    def kill() -> None:
        os.kill(next(iter(local_cluster.workers.values())).pid, signal.SIGKILL)

    with connected(local_cluster.scheduler_address, tmp_path) as workers:
        timer = threading.Timer(1.0, kill)
        timer.start()
        booster = workers.grow(options, sample, 3_000)
        timer.join()
    assert booster.num_trees() == 3_000


@pytest.mark.long
def test_workers_of_other_code_or_another_disk_are_refused(local_cluster, tmp_path, monkeypatch):
    from training import distributed_cluster

    address = local_cluster.scheduler_address
    monkeypatch.setattr(distributed_cluster, "versions", lambda: {"code": "other", "numpy": "1.0"})
    with (
        pytest.raises(ClusterError, match=r"numpy .* there, 1\.0 here"),
        connected(address, tmp_path),
    ):
        pass


@pytest.mark.long
def test_memory_of_workers_does_not_grow_with_the_posts(tmp_path, monkeypatch):
    """Six times the posts in parts of one size, against all of them in one part."""

    few, many = tmp_path / "few", tmp_path / "many"
    write_many(few, 40_000, 0)
    write_many(many, 240_000, 0)

    def peak_after(world: Path, of_part: int) -> float:
        monkeypatch.setattr(distributed, "POSTS_OF_PART", of_part)
        settings = settings_on(local, tmp_path / f"home-{world.name}-{of_part}")
        with distributed.cluster_of(settings, Silent()) as cluster:
            tables = read(settings, str(world), Silent(), "refuse", cluster)
            known, _ = cluster.know(tables, HashEncoder(), settings, Silent())
            labelled_rows(known)
            risks = fit_risks(HashEncoder(), VectorCache(settings.home, HashEncoder()))
            assert len(cluster.index(known, risks, settings, Silent())) == len(tables.creators)
            peaks: list[float] = [
                one["mib"] for one in cluster._workers._client.run(usage).values()
            ]
        return max(peaks)

    # Peaks of processes that live on can only rise, so of new ones and upwards.
    with two_workers() as local:
        small = peak_after(few, 10_000)
        bounded = peak_after(many, 10_000)
        whole = peak_after(many, 240_000)
    assert bounded - small < (whole - small) / 2
