"""Static encoders: what is distilled of a model, and that a vector is the sum of its pieces."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from features.encoders import SETTINGS, sha256_of
from features.schemas import EncoderError
from features.static_encoder import PART_MAX, PIECES_MAX, TEXTS_AT_ONCE, StaticEncoder
from features.text import load_encoder
from features.text_distil import distil_encoder
from features.vectors import snap
from tests.tiny_model import tiny_model

TEXTS = ["a serum for dry skin", "LAP times", "日本", "z", "", "a" * 999, "ab " * 600]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that make the model, not of ours
        return tiny_model(tmp_path_factory.mktemp("model"), "mean")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def static(model: str, home: Path) -> StaticEncoder:
    encoder = load_encoder(f"static:{model}", home)
    assert isinstance(encoder, StaticEncoder)
    return encoder


def test_a_model_is_distilled_once_and_opened_without_it(
    static: StaticEncoder, model: str, home: Path
) -> None:
    assert static.folder == home / "encoders" / static.digest
    assert static.name == "static:model"
    assert [path.name for path in (home / "encoders").iterdir() if "distil" in path.name] == []
    code = (
        "import sys; from pathlib import Path; from features.text import load_encoder; "
        "print(load_encoder(sys.argv[1], Path(sys.argv[2])).digest); "
        "print({'torch', 'sentence_transformers', 'model2vec'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, f"static:{model}", str(home)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.split() == [static.digest, "set()"]


def test_what_was_distilled_is_not_taken_for_an_export(
    static: StaticEncoder, model: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_encoder(*_: Any) -> Path:
        raise EncoderError("exported anew")

    monkeypatch.setattr("features.text_export.export_encoder", export_encoder)
    with pytest.raises(EncoderError, match="exported anew"):
        load_encoder(model, home)
    assert load_encoder(f"static:{model}", home).digest == static.digest


def test_a_vector_is_the_direction_of_the_sum_of_its_pieces(static: StaticEncoder) -> None:
    pieces = load_file(static.folder / "pieces.safetensors")["pieces"].astype(np.int64)
    vocabulary = json.loads((static.folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    letters = [vocabulary["a"], vocabulary["b"], vocabulary["b"]]
    vector = static.encode(["a b b"])[0]
    np.testing.assert_array_equal(vector, snap(pieces[letters].sum(axis=0)))
    assert static.encode(["a 日 b 本 b"])[0] @ vector == vector @ vector  # unknown: left out
    assert not static.encode(["日本"]).any()


def test_pieces_are_what_the_model_says_of_them(static: StaticEncoder, model: str) -> None:
    """The cosines between pieces follow those that sentence-transformers gives."""
    from sentence_transformers import SentenceTransformer

    letters = list("abcdefghijklmnopqrstuvwxyz")
    wanted = np.asarray(SentenceTransformer(model, device="cpu").encode(letters), np.float64)
    wanted -= wanted.mean(axis=0)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = static.encode(letters).astype(np.float64)
    found -= found.mean(axis=0)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    upper = np.triu_indices(len(letters), 1)
    assert np.corrcoef((wanted @ wanted.T)[upper], (found @ found.T)[upper])[0, 1] > 0.8


def test_any_number_of_texts_is_as_each_alone(static: StaticEncoder) -> None:
    """Also where texts are spread over threads, and where a text is cut."""
    many = (TEXTS * TEXTS_AT_ONCE)[: 2 * TEXTS_AT_ONCE + 3]
    alone = {text: static.encode([text])[0] for text in TEXTS}
    np.testing.assert_array_equal(static.encode(many), [alone[text] for text in many])
    one, other = "x " * PIECES_MAX, "y " * PIECES_MAX
    assert not np.array_equal(static.encode([one[:900] + other[:900]]), static.encode([one[:900]]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pieces: pieces[:-1], "of shape"),
        (lambda pieces: np.ascontiguousarray(pieces[:, :-1]), "of shape"),
        (lambda pieces: pieces + np.int16(PART_MAX), "a part above"),
        (lambda pieces: pieces.astype(np.float32), "whole numbers"),
    ],
)
def test_a_table_whose_sums_may_not_be_exact_is_refused(
    static: StaticEncoder, tmp_path: Path, change: Any, said: str
) -> None:
    settings = json.loads((static.folder / SETTINGS).read_text("utf-8"))
    pieces = load_file(static.folder / "pieces.safetensors")["pieces"]
    (tmp_path / "tokenizer.json").write_bytes((static.folder / "tokenizer.json").read_bytes())
    save_file({"pieces": change(np.abs(pieces))}, tmp_path / "pieces.safetensors")
    settings["files"]["pieces.safetensors"] = sha256_of(tmp_path / "pieces.safetensors")
    (tmp_path / SETTINGS).write_text(json.dumps(settings), "utf-8")
    with pytest.raises(EncoderError, match=said):
        StaticEncoder(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_does_more_than_pool_is_refused(tmp_path: Path) -> None:
    from sentence_transformers.models import Dense

    with pytest.raises(EncoderError, match="a module Dense after pooling"):
        distil_encoder(tiny_model(tmp_path / "dense", "mean", Dense(32, 8)), "dense", tmp_path)
    with pytest.raises(EncoderError, match="pooling 'max', not mean, cls, lasttoken"):
        distil_encoder(tiny_model(tmp_path / "max", "max"), "max", tmp_path)
