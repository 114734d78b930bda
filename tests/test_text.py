"""Texts to vectors: cleaning, the encoders, exporting, saving and opening, the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from features import text as text_module
from features.encoders import MAX_CHARS, SETTINGS, Encoder, HashEncoder, OnnxEncoder, UseEncoder
from features.schemas import EncoderError
from features.text import (
    DEFAULT_ENCODER,
    MINILM,
    VectorCache,
    clean_text,
    embed_texts,
    load_encoder,
    open_encoder,
    save_encoder,
)
from features.vectors import GRID, Vectors
from tests.tiny_model import tiny_model

ROOT = Path(__file__).parent.parent
CAPTIONS = [
    "My honest skincare routine for sensitive skin, no filters",
    "iPhone X vs Galaxy S8 #tech #review #iphone x #iphone x review",
    "Mi rutina de maquillaje para el día a día",
    "OMG 😂😂 my cat REALLY hates mondays",
    "ok",
    "こんにちは、今日の動画は東京のカフェ巡りです",
    "word " * 300,
]
ANY_TEXT = st.text(st.characters(), max_size=80)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def minilm(home: Path) -> Encoder:
    return load_encoder(MINILM, home)


@pytest.fixture(scope="module")
def use() -> Encoder:
    return load_encoder("use-multilingual-v3", Path("nothing is written"))


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Encoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that make the model, not of ours
        source = tiny_model(tmp_path_factory.mktemp("tiny"), "mean")
    return load_encoder(f"static:{source}", home)


@pytest.fixture(params=["hash", "use", "minilm", "static"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "hash":
        return HashEncoder()
    found: Encoder = request.getfixturevalue(request.param)
    return found


# ---------------------------------------------------------------- cleaning


@pytest.mark.parametrize(
    ("written", "fed"),
    [
        ("Tom &amp; Jerry &#39;classic&#39;", "Tom & Jerry 'classic'"),
        ("&amp;amp;lt;3", "<3"),
        ("ｆｕｌｌ ﬁlm ①", "full film 1"),
        ("look: https://x.example/a?b=c#d and WWW.shop.example now", "look: and now"),
        ("one\x00two\nthree\u2028four\u200b", "one two three four"),
        ("\ud800broken", "broken"),
        ("New phone #phone #new phone 8 #phone 8 review", "New phone 8 review"),
        (
            "Love #this: I say #this again and again and once again",
            "Love this: I say this again and again and once again",
        ),
        ("#", ""),
        ("https://only.example", ""),
    ],
)
def test_cleaning_of(written: str, fed: str) -> None:
    assert clean_text(written) == fed


@given(ANY_TEXT)
@settings(max_examples=300)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert "#" not in once
    assert once == " ".join(once.split())


def test_long_texts_are_cut_at_a_word() -> None:
    cut = clean_text("seven77 " * 500)
    assert MAX_CHARS - 8 < len(cut) <= MAX_CHARS
    assert set(cut.split()) == {"seven77"}
    assert clean_text("x" * 5000) == "x" * MAX_CHARS


def test_a_change_of_cleaning_is_noticed() -> None:
    """These words are part of every digest: if this fails, raise `encoders.CLEANING`."""
    words = "\n".join(map(clean_text, [*CAPTIONS, "A&B ½ #a #a b https://c.example", "#1 x# y"]))
    assert zlib.crc32(words.encode()) == 3753553237


# ---------------------------------------------------------------- any encoder


def test_vectors_are_units_on_the_grid_and_empty_texts_nothing(encoder: Encoder) -> None:
    vectors = encoder.encode([*CAPTIONS, "", "  ", "https://only.example"])
    assert vectors.shape == (len(CAPTIONS) + 3, encoder.dim)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors * GRID, np.rint(vectors * GRID))
    # Rounding to the grid moves each number by half a step at the most.
    length = np.linalg.norm(vectors[: len(CAPTIONS)].astype(np.float64), axis=1)
    assert np.abs(length - 1).max() <= np.sqrt(encoder.dim) / (2 * GRID)
    assert not vectors[len(CAPTIONS) :].any()
    assert encoder.encode([]).shape == (0, encoder.dim)


@given(texts=st.lists(st.sampled_from(CAPTIONS) | ANY_TEXT, min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_a_vector_depends_on_its_text_alone(
    texts: list[str], use: Encoder, minilm: Encoder, static: Encoder
) -> None:
    for encoder in (HashEncoder(), use, minilm, static):
        together = encoder.encode(texts)
        np.testing.assert_array_equal(together[::-1], encoder.encode(texts[::-1]))
        for row, text in enumerate(texts):
            np.testing.assert_array_equal(together[row], encoder.encode([text])[0])


def test_a_vector_does_not_depend_on_the_number_of_blas_threads(use: Encoder) -> None:
    alone = use.encode(CAPTIONS)
    code = (
        "import sys; from features.encoders import UseEncoder; import json; "
        "print(UseEncoder().encode(json.loads(sys.argv[1])).tobytes().hex())"
    )
    out = _run(code, json.dumps(CAPTIONS), OPENBLAS_NUM_THREADS="1")
    assert out.strip() == alone.tobytes().hex()


def test_texts_of_many_threads_are_encoded_at_once_and_as_they_are_alone(
    use: UseEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [use.encode([text])[0] for text in CAPTIONS]
    before = [pool["num_threads"] for pool in threadpool_info()]
    encode, both_inside = use._use.encode, threading.Barrier(2, timeout=60)

    def wait_and_encode(text: str) -> Any:
        both_inside.wait()  # breaks if one call keeps the other out
        return encode(text)

    monkeypatch.setattr(use._use, "encode", wait_and_encode)
    for one, other in zip(CAPTIONS, reversed(CAPTIONS), strict=True):
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda text: use.encode([text])[0], (one, other)))
        np.testing.assert_array_equal(found[0], wanted[CAPTIONS.index(one)])
        np.testing.assert_array_equal(found[1], wanted[CAPTIONS.index(other)])
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_saved_and_opened_answers_bit_for_bit(encoder: Encoder, tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(save_encoder(encoder, tmp_path / "bundle")))
    opened = open_encoder(tmp_path / "bundle", manifest)
    assert (opened.name, opened.digest, opened.dim) == (encoder.name, encoder.digest, encoder.dim)
    np.testing.assert_array_equal(opened.encode(CAPTIONS), encoder.encode(CAPTIONS))


def test_another_digest_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    manifest = save_encoder(encoder, tmp_path)
    with pytest.raises(EncoderError, match="digest"):
        open_encoder(tmp_path, {**manifest, "digest": "0" * 64})


def test_encoders_have_digests_of_their_own(use: Encoder, minilm: Encoder, static: Encoder) -> None:
    hashes = (HashEncoder(), HashEncoder(dim=64))
    digests = {encoder.digest for encoder in (use, minilm, static, *hashes)}
    assert len(digests) == 5
    assert all(len(digest) == 64 for digest in digests)


# ---------------------------------------------------------------- each encoder


def test_hashes_are_the_same_in_every_process() -> None:
    code = (
        "from features.encoders import HashEncoder; import json, sys; "
        "print(HashEncoder().encode(json.loads(sys.argv[1])).tobytes().hex())"
    )
    here = HashEncoder().encode(CAPTIONS)
    assert _run(code, json.dumps(CAPTIONS), PYTHONHASHSEED="7").strip() == here.tobytes().hex()
    assert zlib.crc32(here.astype("<f4").tobytes()) == 2940507668  # and on every platform


def test_hashes_of_like_texts_are_alike() -> None:
    one, like, other = HashEncoder().encode(
        ["vegan serum for dry skin", "a vegan serum for my dry skin", "lap times at the track"]
    )
    assert one @ like > 0.5 > abs(one @ other) + 0.2


def test_the_default_is_built_in(use: Encoder) -> None:
    assert use.name == DEFAULT_ENCODER
    assert isinstance(use, UseEncoder)


def test_minilm_is_exported_once(home: Path, minilm: Encoder) -> None:
    assert isinstance(minilm, OnnxEncoder)
    assert minilm.folder == home / "encoders" / minilm.digest
    code = (
        "import sys; from pathlib import Path; from features.text import load_encoder; "
        "print(load_encoder('all-MiniLM-L6-v2', Path(sys.argv[1])).digest); "
        "print('torch' in sys.modules, 'sentence_transformers' in sys.modules)"
    )
    assert _run(code, str(home)).split() == [minilm.digest, "False", "False"]


def test_a_bundle_opens_without_torch(
    minilm: Encoder, use: Encoder, static: Encoder, tmp_path: Path
) -> None:
    manifests = [save_encoder(one, tmp_path / one.name) for one in (minilm, use, static)]
    code = (
        "import json, sys; from pathlib import Path; from features.text import open_encoder\n"
        "for manifest in json.loads(sys.argv[2]):\n"
        "    open_encoder(Path(sys.argv[1]) / manifest['name'], manifest).encode(['hello'])\n"
        "print({'torch', 'sentence_transformers', 'transformers', 'model2vec'} & set(sys.modules))"
    )
    assert _run(code, str(tmp_path), json.dumps(manifests)).strip() == "set()"


def test_other_weights_under_the_name_of_minilm_are_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "MINILM_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match="not the published all-MiniLM-L6-v2"):
        load_encoder(MINILM, home)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("how", ["missing", "changed"])
@pytest.mark.parametrize("kind", ["minilm", "static"])
def test_a_damaged_encoder_is_refused(
    kind: str, place: int, how: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    encoder = request.getfixturevalue(kind)
    manifest = save_encoder(encoder, tmp_path)
    name = (*encoder.FILES, SETTINGS)[place]
    path = tmp_path / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    said = name if name != SETTINGS else "not an encoder made here"
    with pytest.raises(EncoderError, match=said):
        open_encoder(tmp_path, manifest)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no sentence-transformers model"):
        load_encoder(str(tmp_path), tmp_path / "home")
    with pytest.raises(EncoderError, match="unknown kind"):
        open_encoder(tmp_path, {"kind": "oracle"})


# ---------------------------------------------------------------- any sentence-transformers model


@pytest.mark.filterwarnings("ignore")  # of the libraries that make the model, not of ours
def test_a_folder_with_other_pooling_and_a_dense_layer(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense

    source = tiny_model(tmp_path, "max", Dense(32, 8))
    encoder = load_encoder(source, tmp_path / "home")
    assert encoder.dim == 8
    wanted = SentenceTransformer(source, device="cpu").encode([clean_text(t) for t in CAPTIONS])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert ((encoder.encode(CAPTIONS) * wanted).sum(axis=1) > 0.95).all()
    again = load_encoder(source, tmp_path / "home")
    assert again.digest == encoder.digest


@pytest.mark.filterwarnings("ignore")
def test_a_module_that_is_not_supported_is_named(tmp_path: Path) -> None:
    from sentence_transformers.models import Dropout

    with pytest.raises(EncoderError, match="Dropout is not supported"):
        load_encoder(tiny_model(tmp_path, "cls", Dropout(0.1)), tmp_path / "home")


# ---------------------------------------------------------------- the cache


class Counting:
    """Counts what it encodes; stops after so many texts."""

    name, digest, dim = "counting", "c0", 256

    def __init__(self, stop_after: int = 1_000_000) -> None:
        self.encoded: list[str] = []
        self.stop_after = stop_after

    def encode(self, texts: Sequence[str]) -> Vectors:
        if len(self.encoded) + len(texts) > self.stop_after:
            raise KeyboardInterrupt
        self.encoded += texts
        return HashEncoder().encode(texts)


def test_each_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = Counting()
    texts = ["one", "two", "one", "", "two", "three"]
    first = embed_texts(texts, encoder, VectorCache(tmp_path, encoder))
    assert first.encoded == 4
    assert sorted(encoder.encoded) == ["", "one", "three", "two"]
    np.testing.assert_array_equal(first.vectors, HashEncoder().encode(texts))
    second = embed_texts(texts, encoder, VectorCache(tmp_path, encoder))
    assert second.encoded == 0
    np.testing.assert_array_equal(second.vectors, first.vectors)
    assert embed_texts([*texts, "four"], encoder, VectorCache(tmp_path, encoder)).encoded == 1
    assert encoder.encoded[4:] == ["four"]


def test_without_a_cache_too() -> None:
    assert embed_texts(["a", "b", "a"], HashEncoder()).encoded == 2
    assert embed_texts([], HashEncoder()).vectors.shape == (0, 256)


def test_an_interruption_loses_a_chunk_at_most(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(3 * text_module.CHUNK_TEXTS)]
    broken = Counting(stop_after=2 * text_module.CHUNK_TEXTS)
    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        embed_texts(texts, broken, VectorCache(tmp_path, broken), seen.append)
    size = text_module.CHUNK_TEXTS
    assert seen == [size, size]
    whole = embed_texts(texts, Counting(), VectorCache(tmp_path, broken))
    assert whole.encoded == size
    np.testing.assert_array_equal(whole.vectors, HashEncoder().encode(texts))


def test_encoders_do_not_share_vectors(tmp_path: Path) -> None:
    small, large = HashEncoder(dim=16), HashEncoder(dim=32)
    embed_texts(["a"], small, VectorCache(tmp_path, small))
    found = embed_texts(["a"], large, VectorCache(tmp_path, large))
    assert found.encoded == 1
    assert found.vectors.shape == (1, 32)


def test_a_cut_value_is_encoded_again(tmp_path: Path) -> None:
    class Longer(Counting):
        dim = 300

    VectorCache(tmp_path, Counting()).put(["a"], HashEncoder().encode(["a"]))
    assert VectorCache(tmp_path, Longer()).get(["a"]) == [None]


def test_a_damaged_cache_says_so(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, Counting())
    cache.put(["a"], HashEncoder().encode(["a"]))
    (cache.folder / "data.mdb").write_bytes(b"x" * 8192)
    with pytest.raises(EncoderError, match="may be deleted"):
        cache.get(["a"])


def test_several_processes_fill_one_cache(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from features.text import HashEncoder, VectorCache, embed_texts\n"
        "encoder = HashEncoder(dim=4096)\n"
        "start = int(sys.argv[2])\n"
        "texts = [f'text {number}' for number in range(start, start + 1500)]\n"
        "print(embed_texts(texts, encoder, VectorCache(Path(sys.argv[1]), encoder)).encoded)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(start)], cwd=ROOT, text=True
        )
        for start in (0, 1000, 2000)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    encoder = HashEncoder(dim=4096)
    texts = [f"text {number}" for number in range(3500)]
    found = embed_texts(texts, encoder, VectorCache(tmp_path, encoder))
    assert found.encoded == 0
    np.testing.assert_array_equal(found.vectors, encoder.encode(texts))


def _run(code: str, *arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
