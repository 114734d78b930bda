"""The product on ../shared/data, with the real default encoder: what it must show there."""

import json

import numpy as np
import pytest

from features.schemas import Brief
from models import ranker
from tests.conftest import Silent, shared_data, train
from training.evaluate import SERVED
from training.settings import TrainingSettings

SHOWN = 10


def leading(bundle, name, query):
    """Niches of the creators on top for a brief without filters."""
    brief = Brief.model_validate({"brand": {"name": name}, "query": query, "limit": SHOWN})
    return [item.niche.label for item in ranker.recommend(bundle, brief).items]


@pytest.fixture(scope="module")
def world_us(tmp_path_factory):
    source = shared_data("world_us")
    settings = TrainingSettings(home=tmp_path_factory.mktemp("world_us"))
    return train(settings, str(source), Silent())


def test_world_us_trains_as_it_stands(world_us):
    manifest = world_us.bundle.manifest
    assert manifest.kind == "outcomes"
    assert world_us.promoted, world_us.decision.reason


def test_world_us_is_ahead_of_every_baseline_on_later_time(world_us):
    told = json.loads(world_us.report[1].read_text())
    figures = told["evaluation"]["segments"][0]["figures"]
    model = figures.pop("model")
    figures.pop(SERVED)  # the model itself with a correction: no baseline
    assert len(figures) == 8
    for name, other in figures.items():
        for figure in ("ndcg10", "deviance_explained"):
            assert model[figure]["value"] > other[figure]["value"], name


def test_a_mascara_tutorial_brand_gets_beauty_creators(world_us):
    niches = leading(
        world_us.bundle,
        "Lashline",  # a brand that is not in the history
        "New volume mascara launch: makeup tutorials, step by step eye looks for every day",
    )
    assert niches.count("Howto & Style") >= 8


def test_a_gaming_keyboard_brand_gets_gaming_creators(world_us):
    niches = leading(
        world_us.bundle,
        "Clackworks",
        "Mechanical gaming keyboard for streamers: gameplay, let's play and esports setups",
    )
    assert niches.count("Gaming") >= 6


@pytest.fixture(scope="module")
def youtube(tmp_path_factory):
    source = shared_data("youtube_us_2017")
    settings = TrainingSettings(home=tmp_path_factory.mktemp("youtube"))
    return train(settings, str(source), Silent())


def test_real_posts_without_outcomes_are_a_cold_start(youtube):
    bundle = youtube.bundle
    assert bundle.manifest.kind == "heuristic"
    brief = Brief.model_validate(
        {"brand": {"name": "Lashline"}, "query": "mascara launch, makeup tutorials", "limit": 10}
    )
    items = ranker.recommend(bundle, brief).items
    assert all(item.conversion_rate is None for item in items)
    assert all(item.confidence == "low" for item in items)
    assert all(item.follower_count is None and item.tier is None for item in items)
    assert [item.niche.label for item in items].count("Howto & Style") >= 8
    assert np.isclose(sum(r.contribution for r in items[0].reasons), items[0].score)
