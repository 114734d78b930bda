"""Niches: the taxonomy, zero-shot, learning an owner's labels, names, and real channels."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.niche import ACCURACY_MIN, DATA, MACRO_F1_MIN, cross_validate, product, read
from features.encoders import Encoder, HashEncoder
from features.text import DEFAULT_ENCODER, embed_texts, load_encoder
from models.niche import (
    MIN_CREATORS_PER_LABEL,
    NicheModel,
    creator_mix,
    fit_niche,
    name_key,
    zero_shot,
)
from models.taxonomy import NICHES

WORDS = {
    "Slow Cooking": ("stew", "simmer", "broth", "oven", "ladle", "casserole"),
    "Fast Cars": ("turbo", "lap", "gearbox", "tyre", "pitstop", "torque"),
    "Old Books": ("novel", "chapter", "library", "poem", "paperback", "author"),
}
DATA_ABSENT = pytest.mark.skipif(
    not (DATA / "posts.csv").is_file(), reason=f"needs the real channels at {DATA}"
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(DEFAULT_ENCODER, Path("nothing is written"))


@pytest.fixture(scope="module")
def plain(encoder: Encoder) -> NicheModel:
    return zero_shot(encoder)


World = tuple[NDArray[np.float32], list[str], dict[str, str]]


def world(creators: dict[str, int], posts: int = 3, seed: int = 0) -> World:
    """Simulated creators who use the words of one label only; vectors, creators, labels."""
    rng = np.random.default_rng(seed)
    texts, owners, labels = [], [], {}
    for label, count in creators.items():
        for number in range(count):
            name = f"{label} {number}"
            labels[name] = label
            for _ in range(posts):
                texts.append(" ".join(rng.choice(WORDS[label], 4)))
                owners.append(name)
    return HashEncoder().encode(texts), owners, labels


# ---------------------------------------------------------------- the taxonomy


def test_the_taxonomy_is_of_the_size_and_shape_it_says() -> None:
    assert 25 <= len(NICHES) <= 35
    for niche in NICHES:
        assert niche.label == niche.label.lower()
        assert niche.description.endswith(".")
        assert len(niche.phrases) >= 4
        assert len(niche.synonyms) >= 5


def test_no_two_niches_share_a_name() -> None:
    names = Counter(name_key(name) for niche in NICHES for name in (niche.label, *niche.synonyms))
    assert [name for name, count in names.items() if count > 1] == []


# ---------------------------------------------------------------- without labels


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("My skincare routine with a new serum and sunscreen", "beauty"),
        ("Mi rutina de maquillaje: base, máscara y labial", "beauty"),
        ("Mein Make-up für jeden Tag: Lidschatten und Wimperntusche", "beauty"),
        ("Ma routine beauté : sérum, crème et rouge à lèvres", "beauty"),
        ("Minha maquiagem para festa: base, batom e sombra", "beauty"),
        ("We played the new Zelda on the Switch for ten hours", "gaming"),
        ("Jugamos al nuevo Zelda durante diez horas", "gaming"),
        ("Ich spiele das neue Videospiel auf der Konsole durch", "gaming"),
        ("On joue au nouveau jeu vidéo sur console", "gaming"),
        ("Jogando o novo videogame no console por dez horas", "gaming"),
        ("Easy lentil soup for a cold evening", "food"),
        ("Receta fácil de sopa de lentejas", "food"),
        ("Einfaches Rezept für Linsensuppe", "food"),
        ("Recette facile de soupe aux lentilles", "food"),
        ("Receita fácil de sopa de lentilha", "food"),
        ("How we travelled through Vietnam by train", "travel"),
        ("Viajamos por Vietnam en tren", "travel"),
        ("Mit dem Zug durch Vietnam reisen", "travel"),
        ("Voyager au Vietnam en train", "travel"),
        ("Viajamos de trem pelo Vietnã", "travel"),
        ("How to train a nervous puppy", "pets and animals"),
        ("Cómo educar a un cachorro nervioso", "pets and animals"),
        ("So erziehst du einen nervösen Welpen, Tipps für Hundehalter", "pets and animals"),
        ("Comment éduquer un chiot nerveux", "pets and animals"),
        ("Como treinar um cachorro nervoso", "pets and animals"),
    ],
)
def test_plain_sentences_in_five_languages(
    plain: NicheModel, encoder: Encoder, text: str, label: str
) -> None:
    shares = plain.predict_proba(encoder.encode([text]))[0]
    assert plain.labels[int(shares.argmax())] == label


def test_a_text_that_says_nothing_gets_the_prior(plain: NicheModel, encoder: Encoder) -> None:
    shares = plain.predict_proba(encoder.encode(["", "https://only.example"]))
    np.testing.assert_allclose(shares, 1 / len(NICHES), rtol=1e-6)


def test_names_of_the_taxonomy_resolve(plain: NicheModel) -> None:
    assert plain.resolve("Beauty") == "beauty"
    assert plain.resolve("  MAKE-UP ") == "beauty"
    assert plain.resolve("Videojuegos") == "gaming"
    assert plain.resolve("Fußball") == "sports"
    assert plain.resolve("underwater basket weaving") is None


# ---------------------------------------------------------------- a model, of any kind


@pytest.fixture(scope="module")
def fitted() -> NicheModel:
    vectors, owners, labels = world({"Slow Cooking": 6, "Fast Cars": 5, "Old Books": 1})
    return fit_niche(vectors, owners, labels, HashEncoder())


@given(
    rows=st.lists(
        st.lists(st.floats(-1, 1, width=32), min_size=256, max_size=256).map(np.array),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=25, deadline=None)
def test_shares_sum_to_one_and_depend_on_their_vector_alone(
    fitted: NicheModel, rows: list[NDArray[np.float64]]
) -> None:
    vectors = np.array(rows, dtype=np.float32)
    shares = fitted.predict_proba(vectors)
    assert shares.dtype == np.float32
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    for row, vector in enumerate(vectors):
        np.testing.assert_array_equal(shares[row], fitted.predict_proba(vector[np.newaxis])[0])
    np.testing.assert_array_equal(shares[::-1], fitted.predict_proba(vectors[::-1]))


def test_shares_of_many_equal_shares_of_one(plain: NicheModel, encoder: Encoder) -> None:
    vectors = encoder.encode([phrase for niche in NICHES for phrase in niche.phrases])
    one_by_one = [plain.predict_proba(vectors[row : row + 1]) for row in range(len(vectors))]
    np.testing.assert_array_equal(plain.predict_proba(vectors), np.concatenate(one_by_one))


def test_a_model_goes_through_arrays_and_json(fitted: NicheModel, plain: NicheModel) -> None:
    for model, dim in ((fitted, 256), (plain, 512)):
        arrays, rest = model.to_arrays()
        again = NicheModel.from_arrays(arrays, json.loads(json.dumps(rest)))
        vectors = np.random.default_rng(0).normal(size=(9, dim)).astype(np.float32)
        np.testing.assert_array_equal(again.predict_proba(vectors), model.predict_proba(vectors))
        assert (again.kind, again.labels, again.reason) == (model.kind, model.labels, model.reason)
        assert again.aliases == model.aliases
        assert again.measured == model.measured


def test_arrays_that_do_not_fit_are_refused(fitted: NicheModel) -> None:
    arrays, rest = fitted.to_arrays()
    with pytest.raises(ValueError, match="do not fit"):
        NicheModel.from_arrays({**arrays, "bias": arrays["bias"][:-1]}, rest)
    with pytest.raises(KeyError):
        NicheModel.from_arrays({"weights": arrays["weights"]}, rest)


@given(
    weights=st.lists(st.floats(0, 1e6), min_size=2, max_size=30).filter(lambda w: sum(w) > 0),
    seed=st.integers(0, 99),
)
@settings(max_examples=50)
def test_a_mix_is_a_weighted_mean_in_any_order(weights: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(7), size=len(weights)).astype(np.float32)
    mix = creator_mix(proba, np.array(weights))
    np.testing.assert_allclose(mix, np.average(proba.astype(float), axis=0, weights=weights))
    order = rng.permutation(len(weights))
    np.testing.assert_array_equal(mix, creator_mix(proba[order], np.array(weights)[order]))


def test_a_mix_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        creator_mix(np.zeros((0, 3)), np.zeros(0))


# ---------------------------------------------------------------- with labels


def test_labels_that_can_be_told_apart_are(fitted: NicheModel) -> None:
    assert fitted.kind == "classifier"
    assert fitted.labels == ("Fast Cars", "Old Books", "Slow Cooking")
    vectors, owners, labels = world({"Slow Cooking": 4, "Fast Cars": 4}, seed=1)
    shares = fitted.predict_proba(vectors)
    for creator in labels:
        rows = shares[[owner == creator for owner in owners]]
        mix = creator_mix(rows, np.ones(len(rows)))
        assert fitted.labels[int(mix.argmax())] == labels[creator]
    assert fitted.measured["inner_accuracy"] > 0.85  # the one of its label cannot be told
    np.testing.assert_allclose(fitted.prior, [5 / 12, 1 / 12, 6 / 12], rtol=1e-6)


def test_the_same_posts_give_the_same_model(fitted: NicheModel) -> None:
    vectors, owners, labels = world({"Slow Cooking": 6, "Fast Cars": 5, "Old Books": 1})
    again = fit_niche(vectors, np.array(owners), labels, HashEncoder())
    np.testing.assert_array_equal(again.weights, fitted.weights)
    np.testing.assert_array_equal(again.bias, fitted.bias)


def test_creators_without_a_label_or_a_word_change_nothing(fitted: NicheModel) -> None:
    vectors, owners, labels = world({"Slow Cooking": 6, "Fast Cars": 5, "Old Books": 1})
    more, others, _ = world({"Slow Cooking": 2}, seed=3)
    again = fit_niche(
        np.concatenate([vectors, more, np.zeros((1, 256), dtype=np.float32)]),
        [*owners, *(f"unknown {name}" for name in others), "silent"],
        {**labels, "silent": "Nothing At All", "without posts": "Empty"},
        HashEncoder(),
    )
    np.testing.assert_array_equal(again.weights, fitted.weights)
    assert again.labels == fitted.labels


def test_spellings_of_one_label_are_one() -> None:
    vectors, owners, labels = world({"Slow Cooking": 4, "Fast Cars": 4})
    labels["Fast Cars 0"] = " fast   CARS "
    model = fit_niche(vectors, owners, labels, HashEncoder())
    assert model.labels == ("Fast Cars", "Slow Cooking")
    assert model.resolve("FAST cars") == "Fast Cars"


@pytest.mark.parametrize(
    "creators",
    [
        {},
        {"Fast Cars": 50},
        {"Fast Cars": 1, "Old Books": 1},
        {"Fast Cars": MIN_CREATORS_PER_LABEL, "Old Books": MIN_CREATORS_PER_LABEL - 1},
    ],
)
def test_too_few_labels_fall_back_on_the_taxonomy(creators: dict[str, int]) -> None:
    vectors, owners, labels = world(creators)
    model = fit_niche(vectors.reshape(-1, 256), owners, labels, HashEncoder())
    assert model.kind == "zero-shot"
    assert f"{sum(creators.values())} labelled creators" in model.reason


def test_one_creator_more_and_it_learns() -> None:
    vectors, owners, labels = world({"Fast Cars": 7, "Old Books": 1})
    assert fit_niche(vectors, owners, labels, HashEncoder()).kind == "classifier"


def test_an_owner_s_names_resolve_without_a_classifier(encoder: Encoder) -> None:
    texts = ["lipstick and mascara", "a new console game"]
    model = fit_niche(
        encoder.encode(texts), ["a", "b"], {"a": "Gaming", "b": "Maquillaje y labiales"}, encoder
    )
    assert model.kind == "zero-shot"
    assert model.resolve("gaming") == "gaming"
    assert model.resolve("maquillaje y labiales") == "beauty"


# ---------------------------------------------------------------- real channels


@DATA_ABSENT
def test_real_channels_are_told_by_posts_of_other_channels(encoder: Encoder) -> None:
    """What the product must show: five folds by channel, nothing chosen on the held-out ones."""
    channels = read(DATA)
    vectors = embed_texts(channels.texts, encoder).vectors
    score, _ = cross_validate(channels, product(channels, vectors, encoder), seeds=(0,))
    assert score.accuracy >= ACCURACY_MIN
    assert score.macro_f1 >= MACRO_F1_MIN

    model = fit_niche(vectors, channels.creator, channels.label, encoder)
    assert set(model.labels) == set(channels.label.values())  # the owner's own names
    assert model.resolve("beauty") == "Howto & Style"
    assert model.resolve("Videojuegos") == "Gaming"
    assert model.resolve("howto & style") == "Howto & Style"
    assert model.resolve("anime") == "Film & Animation"
    assert model.resolve("no such thing") is None
