"""A sentence-transformers model becomes a table of word pieces (`static_encoder`).

The only module that imports model2vec. Knows nothing of what is encoded afterwards, nor of caches
and bundles.
"""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.encoders import SETTINGS, sha256_of
from features.schemas import EncoderError
from features.static_encoder import PART_MAX, PIECES_MAX, StaticEncoder
from features.text_export import load_sentence_transformer, quiet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Of the directions of the pieces' vectors, the 256 that differ most (model2vec's own default).
DIM = 256
POOLING = {"mean": "mean", "cls": "first", "lasttoken": "last"}  # ours, and model2vec's word


def distil_encoder(source: str, name: str, encoders: Path) -> Path:
    """Distil a model and return the table's new folder: half a minute for 30,000 pieces.

    A prompt that the model puts before every text is left out: it would add the same to all.

    Args:
        source: Name or folder of a sentence-transformers model.
        name: What to call it.
        encoders: The folder is made in here, under its digest.

    Raises:
        EncoderError: The model cannot be loaded, or does more than pool what it says of the pieces.
    """
    from safetensors.numpy import save_file

    model = load_sentence_transformer(source)
    pooling = _pooling(source, model)
    vectors, tokenizer, unknown = _distil(source, model, pooling)
    pieces = np.rint(vectors * (PART_MAX / np.abs(vectors).max())).astype(np.int16)
    encoders.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=encoders, prefix="distil-") as made:
        folder = Path(made) / "encoder"
        folder.mkdir()
        tokenizer.no_padding()
        tokenizer.enable_truncation(PIECES_MAX)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        save_file({"pieces": pieces}, folder / "pieces.safetensors")
        settings = {
            "name": name,
            "dim": int(pieces.shape[1]),
            "lower_case": bool(getattr(model[0], "do_lower_case", False)),
            "unknown_piece": unknown,
            "files": {file: sha256_of(folder / file) for file in StaticEncoder.FILES},
        }
        text = json.dumps(settings, indent=2, sort_keys=True)
        (folder / SETTINGS).write_text(text, "utf-8")
        kept = encoders / StaticEncoder(folder).digest
        try:
            folder.rename(kept)
        except OSError as error:
            if not (kept / SETTINGS).is_file():
                raise EncoderError(f"{kept}: cannot be written: {error}") from error
    return kept


def _pooling(source: str, model: SentenceTransformer) -> str:
    """How the model pools, as model2vec calls it."""
    for module in list(model)[2:]:
        if type(module).__name__ != "Normalize":
            raise EncoderError(
                f"{source}: cannot be distilled: a module {type(module).__name__} after pooling"
            )
    mode = str(getattr(model[1], "pooling_mode", None))
    if mode not in POOLING:
        raise EncoderError(
            f"{source}: cannot be distilled: pooling {mode!r}, not {', '.join(POOLING)}"
        )
    return POOLING[mode]


def _distil(
    source: str, model: SentenceTransformer, pooling: str
) -> tuple[np.ndarray[Any, Any], Any, int | None]:
    """Vectors of the pieces ``(n_pieces, dim)``, the tokenizer, and the unknown piece's place."""
    from model2vec.distill import distill_from_model

    try:
        with quiet(), redirect_stderr(io.StringIO()):  # its bar stands there
            static = distill_from_model(
                model=model[0].auto_model,  # type: ignore[arg-type]  # torch's attributes
                tokenizer=model.tokenizer,
                device="cpu",
                pca_dims=DIM,
                quantize_to="float32",
                pooling=pooling,
            )
    except Exception as error:  # of model2vec, skeletoken, transformers or torch: any kind
        raise EncoderError(f"{source}: could not be distilled: {error}") from error
    return static.embedding, static.tokenizer, static.unk_token_id
