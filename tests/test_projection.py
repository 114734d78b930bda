"""The projection: it keeps what tells creators apart, exactly, whatever comes in a batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vectors import GRID, snap
from models.projection import PARTS, fit_projection, identity

DIM, CREATORS, POSTS = 32, 80, 12


def world(seed: int, subject_dims: int = 4):
    """Posts whose creators differ in the first directions only, with wording louder than that."""
    rng = np.random.default_rng(seed)
    subject = np.zeros((CREATORS, DIM))
    subject[:, :subject_dims] = rng.normal(0, 0.5, (CREATORS, subject_dims))
    creator = np.repeat(np.arange(CREATORS), POSTS)
    loud = np.where(np.arange(DIM) < subject_dims, 0.3, 1.0)
    return snap(subject[creator] + rng.normal(0, loud, (len(creator), DIM))), creator


def fisher(vectors, creator) -> float:
    """Spread between creators' means against spread within, on the sphere."""
    means = np.stack([vectors[creator == one].mean(axis=0) for one in np.unique(creator)])
    return float(means.var(axis=0).sum() / (vectors - means[creator]).var(axis=0).sum())


@given(st.integers(0, 50))
def test_a_row_depends_on_its_vector_alone(seed):
    vectors, creator = world(1)
    projection = fit_projection(vectors, creator)
    rng = np.random.default_rng(seed)
    pick = rng.integers(0, len(vectors), 5)
    together = projection.project(vectors[pick])
    for row, place in enumerate(pick):
        assert np.array_equal(projection.project(vectors[place : place + 1])[0], together[row])


def test_it_finds_the_directions_that_tell_creators_apart():
    vectors, creator = world(2)
    unseen, whose = world(3)
    projection = fit_projection(vectors, creator)
    assert fisher(projection.project(unseen), whose) > 5 * fisher(unseen, whose)


def test_what_does_not_differ_between_creators_is_dropped():
    vectors, creator = world(2)
    weight = (fit_projection(vectors, creator).matrix ** 2).sum(axis=1)
    assert weight[:4].min() > 5 * weight[4:].max()


def test_everything_is_on_its_grid():
    vectors, creator = world(4)
    projection = fit_projection(vectors, creator)
    assert np.array_equal(projection.matrix * PARTS, np.rint(projection.matrix * PARTS))
    assert np.array_equal(
        projection.offset * PARTS * GRID, np.rint(projection.offset * PARTS * GRID)
    )
    out = projection.project(vectors)
    assert out.dtype == np.float32
    assert np.array_equal(out * GRID, np.rint(out * GRID))
    assert np.allclose(np.linalg.norm(out, axis=1), 1, atol=1e-2)


def test_a_text_of_nothing_has_no_subject():
    vectors, creator = world(5)
    vectors[3] = 0
    projection = fit_projection(vectors, creator)
    assert not projection.project(vectors)[3].any()


@pytest.mark.parametrize(("creators", "posts"), [(0, 0), (1, 400), (400, 1), (3, 4)], ids=str)
def test_too_little_to_learn_from_leaves_vectors_as_they_are(creators, posts):
    rng = np.random.default_rng(6)
    creator = np.repeat(np.arange(creators), posts)
    vectors = snap(rng.normal(size=(len(creator), DIM)))
    projection = fit_projection(vectors, creator)
    assert np.array_equal(projection.matrix, identity(DIM).matrix)
    assert np.allclose(projection.project(vectors), vectors, atol=2 / GRID)


def test_the_same_text_always_is_no_subject():
    creator = np.repeat(np.arange(20), 10)
    vectors = np.tile(snap(np.ones((1, DIM))), (200, 1))
    assert np.array_equal(fit_projection(vectors, creator).matrix, identity(DIM).matrix)
