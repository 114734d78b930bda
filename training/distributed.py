"""Training on a cluster: the steps of `pipeline`, with the posts in parts on its workers.

Posts are sorted by creator (`distributed_files`) and cut into parts of whole creators, so that what
is asked about a creator is computed where its posts are (`distributed_there`). Parts lie as files
in a folder that this process and all workers share; every step reads files and writes files, so
what is lost with a worker is the part it was at.

Knows nothing of Dask (`distributed_cluster`), nor of what a worker does with a part
(`distributed_parts`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from features.creator import build_history
from features.facts import Facts, distinct_briefs, facts_without_posts, parts_of, posts_of_deals
from features.readings import TextRules
from features.schemas import ClusterError, DataError, PostsElsewhere, Tables
from features.tables import read_tables
from features.text import Encoder, VectorCache, embed_texts, save_encoder
from models.index import Index
from models.safety import RiskModel
from models.snapshots import Known, period_starts
from models.stage import Grow
from training import distributed_parts as parts
from training.dataset import Elsewhere
from training.distributed_files import POSTS, Sorted, read_posts, refused
from training.distributed_parts import Encoded, Part, Shared, encode_part, write_own
from training.distributed_there import There
from training.distributed_work import Workers, dump
from training.forget import CLUSTER
from training.pipeline import OnInvalid, Reporter, niche_fitter, tell_niches
from training.settings import TrainingSettings

# Of a part: 51 MB of vectors of 512 numbers in float16, and some 0.4 GB while they are made and
# read (`python -m benchmarks.distributed`).
POSTS_OF_PART = 50_000
# Of few posts, smaller parts, so that every thread has some of them: but none is worth fewer posts.
PARTS_OF_THREAD, POSTS_OF_PART_LEAST = 4, 1_000


@contextmanager
def cluster_of(settings: TrainingSettings, report: Reporter) -> Iterator[Cluster]:
    """The cluster whose scheduler the settings name, with a folder for one run.

    Raises:
        ClusterError: Dask is not installed, or the cluster is away or not fit.
    """
    try:
        from training.distributed_cluster import connected
    except ImportError as error:
        raise ClusterError(
            f"CREATORFIT_SCHEDULER is set, but {error.name} is not installed: "
            "python -m pip install --constraint constraints.txt --editable '.[train,distributed]'"
        ) from error
    shared = settings.home.resolve() / CLUSTER
    shared.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=shared, ignore_cleanup_errors=True) as run,
        connected(settings.scheduler, Path(run)) as workers,
    ):
        report.say(f"on {workers}")
        yield Cluster(workers, Path(run))


class Cluster:
    """A place to train (`pipeline.Place`): workers, and the folder they share with this process.

    Args:
        workers: Who does the work.
        folder: Empty, under the same path everywhere.
    """

    def __init__(self, workers: Workers, folder: Path) -> None:
        self._workers = workers
        self._folder = folder
        self._posts = Sorted(folder, (), ())
        self._readings = 0

    @property
    def grow(self) -> Grow:
        return self._workers.grow

    def read(self, source: str, settings: TrainingSettings, on_invalid: OnInvalid) -> Tables:
        """Read and check the tables here, and the posts on the workers.

        Raises:
            DataError: The source is no folder, or rows shall be set aside.
            InvalidTables: The tables break the contract.
        """
        if "://" in source:
            raise DataError(
                f"{source}: a cluster reads folders, not databases: export the tables to Parquet"
            )
        if on_invalid == "quarantine":
            raise DataError(
                f"{source}: a cluster sets no rows aside: mend the tables (python -m training "
                "validate lists the faults), or train without CREATORFIT_SCHEDULER"
            )
        tables = read_tables(source, but=(POSTS,))
        home, out = settings.home.resolve(), self._folder / "read"
        posts = self._posts = read_posts(self._workers, Path(source).resolve(), home, out)
        warnings = dict.fromkeys(warning for one in posts.read for warning in one.warnings)
        return replace(
            tables,
            warnings=(*tables.warnings, *warnings),
            elsewhere=PostsElsewhere(posts.count, posts.last_us, posts.digest),
        )

    def know(
        self, tables: Tables, encoder: Encoder, settings: TrainingSettings, report: Reporter
    ) -> tuple[Known, int]:
        """Encode the posts part by part, and learn niches; also how many texts were encoded.

        Raises:
            InvalidTables: There are posts of creators who are not in the table.
        """
        self._readings += 1
        folder = self._folder / f"reading-{self._readings}"
        folder.mkdir()
        briefs = embed_texts(distinct_briefs(tables), encoder, VectorCache(settings.home, encoder))
        rules = TextRules(settings.home)
        facts = facts_without_posts(tables, briefs.vectors, settings.currency, rules)
        shared = Shared.of(facts, posts_of_deals(tables))
        dump(shared, folder / parts.SHARED)
        dump(save_encoder(encoder, folder / parts.ENCODER), folder / parts.ENCODER_MANIFEST)
        cut = self._cut(facts, folder)
        encoded = self._encode(cut, encoder, report)
        first_post_us = np.concatenate([one.first_post_us for one in encoded])
        there = There(self._workers, folder, cut, first_post_us)
        starts = period_starts(self._posts.first_us, facts.as_of_us)
        with report.step("Learning niches", len(cut) + 1) as done:
            snapshots = there.learn(facts, starts, niche_fitter(facts, encoder, settings), done)
            done(1)
        dump(snapshots, folder / parts.SNAPSHOTS)
        known = Elsewhere(build_history(facts), snapshots, there)
        tell_niches(known, report)
        return known, sum(one.texts for one in encoded)

    def _cut(self, facts: Facts, folder: Path) -> list[Part]:
        """Ranges of creators of about as many posts each, with what is known beside."""
        every = len(facts.creator_id)
        fair = self._posts.count // (PARTS_OF_THREAD * self._workers.threads)
        size = min(POSTS_OF_PART, max(fair, POSTS_OF_PART_LEAST))
        bounds = np.array(self._posts.bounds(size), dtype=object)
        inner = np.searchsorted(facts.creator_id, bounds).tolist()
        edges = sorted({0, *inner, every})
        cut = []
        for number, (start, stop) in enumerate(pairwise(edges)):
            first = None if start == 0 else str(facts.creator_id[start])
            past = None if stop == every else str(facts.creator_id[stop])
            cut.append(Part(number, folder, start, stop, first, past))
        for part, own in zip(cut, parts_of(facts, edges), strict=True):
            write_own(part, own)
        return cut

    def _encode(self, cut: Sequence[Part], encoder: Encoder, report: Reporter) -> list[Encoded]:
        encoded: list[Encoded] = []
        work = partial(encode_part, posts=self._posts.files_alone())
        with report.step(f"Encoding posts ({encoder.name})", self._posts.count) as done:
            for _, one in self._workers.each(work, cut):
                encoded.append(one)
                done(one.posts)
        faults = [fault for one in encoded for fault in one.faults]
        if faults:
            kind = (faults[0].table, faults[0].kind)
            raise refused(faults, {kind: sum(one.faults_in_all for one in encoded)})
        texts = sum(one.texts for one in encoded)
        report.say(f"{texts:,} texts encoded, in {len(cut):,} parts")
        return sorted(encoded, key=lambda one: one.part.number)

    def index(
        self, known: Known, risks: RiskModel, settings: TrainingSettings, report: Reporter
    ) -> Index:
        """Write the shards of the index on the workers, and put them together here."""
        if not isinstance(known, Elsewhere) or not isinstance(known.there, There):
            raise TypeError("the index of a cluster is of what that cluster knows")
        with report.step("Profiling creators", 2 * len(known.facts.creator_id)) as done:
            return known.there.index(known, risks, done)
