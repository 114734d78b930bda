"""The search for candidates: whom the full model puts first is among them."""

import numpy as np
import pytest

from features.schemas import Brief
from models.scoring import CANDIDATES, brief_profile, candidates, score_places
from models.search import LANES, Search, open_search, query_of

BEST = 20


@pytest.fixture(scope="module")
def bundle(trained_home):
    return trained_home.trained.bundle


def brief(objective="conversions", **more):
    return Brief.model_validate(
        {
            "brand": {"name": "Luma", "vertical": "beauty"},
            "query": "A vegan serum for sensitive skin",
            "objective": objective,
            **more,
        }
    )


@pytest.mark.parametrize("objective", ["conversion_rate", "conversions", "value"])
def test_the_best_by_the_full_model_are_found(bundle, objective):
    asked = brief(objective)
    profile = brief_profile(bundle, asked)
    everyone = np.arange(len(bundle.index))
    full = score_places(bundle, asked, profile, everyone)
    limit = len(everyone) // 3
    found = candidates(bundle, asked, profile, everyone, limit)
    assert len(found) == limit
    assert np.array_equal(found, np.unique(found))
    best = full.places[full.order[:BEST]]
    assert np.isin(best, found).mean() >= 0.9


def test_the_nearest_are_those_of_the_largest_products(bundle):
    """The vectors in 8 bits, read back, give the same order as the index itself."""
    search = bundle.search
    vectors = search.index.reconstruct_n(0, len(search))
    assert vectors.shape[1] % LANES == 0
    profile = brief_profile(bundle, brief())
    query = query_of(search.weights, bundle.index.profiles, profile, "conversions")
    eligible = np.arange(0, len(search), 2)
    product = vectors[eligible] @ query
    found = search.nearest(query, eligible, 30)
    assert set(found) <= set(eligible)
    assert product[np.searchsorted(eligible, found)].min() >= np.sort(product)[-30] - 1e-3


def test_who_is_few_is_not_searched(bundle):
    query = np.zeros(bundle.search.index.d, dtype=np.float32)
    few = np.array([3, 5, 8])
    assert np.array_equal(bundle.search.nearest(query, few, 3), few)
    assert CANDIDATES >= 500  # what a brief may ask for


def test_gifts_cost_what_the_product_does(bundle):
    """With a cheap product, those who take it come before all others when money counts."""
    gifting = bundle.index.creators.gifting == 1
    assert gifting.any()
    asked = brief("value", product_cost=1.0)
    profile = brief_profile(bundle, asked)
    everyone = np.arange(len(bundle.index))
    plain = candidates(bundle, brief("value"), profile, everyone, 50)
    gifts = candidates(bundle, asked, profile, everyone, 50)
    assert gifting[gifts].mean() > gifting[plain].mean()


def test_a_search_survives_its_folder(bundle, tmp_path):
    bundle.search.save(tmp_path)
    again = open_search(tmp_path)
    assert again.weights == bundle.search.weights
    assert np.array_equal(
        again.index.reconstruct_n(0, 20), bundle.search.index.reconstruct_n(0, 20)
    )
    (tmp_path / "search.faiss").write_bytes(b"not an index")
    with pytest.raises(ValueError, match=r"search\.faiss"):
        open_search(tmp_path)


def test_some_of_the_creators_alone(bundle):
    kept = np.arange(len(bundle.search)) % 3 > 0
    fewer = bundle.search.only(kept)
    assert isinstance(fewer, Search)
    assert len(fewer) == kept.sum()
    wanted = bundle.search.index.reconstruct_n(0, len(bundle.search))[kept]
    assert np.array_equal(fewer.index.reconstruct_n(0, len(fewer)), wanted)
