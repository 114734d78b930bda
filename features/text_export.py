"""A sentence-transformers model becomes an ONNX graph that takes one text's tokens.

The only module that imports torch and sentence-transformers. Knows nothing of what is encoded
afterwards, nor of caches and bundles.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.encoders import SETTINGS, OnnxEncoder, clean_text, sha256_of
from features.schemas import EncoderError
from features.vectors import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SUPPORTED = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm")
FLOAT_COSINE_MIN = 0.99
# 8-bit weights and activations against sentence-transformers' float32, smallest cosine over the
# probes: all-MiniLM-L6-v2 has 0.973 (0.974 with every product in 8 bits; 0.847 without a scale for
# each column). A model that falls below this is kept in float32.
INT8_COSINE_MIN = 0.95
# A transformer's layer widens and, after its activation, narrows again: what goes into the
# narrowing product has outliers, which one scale in 8 bits bears badly, and an early layer's error
# goes through all later ones. What 8 bits keep of float32's retrieval by all-MiniLM-L6-v2, of a
# channel's captions and of a category's (95% over channels), and milliseconds of a core a text:
#   all products in 8 bits      0.993 (0.984 to 1.001)  0.995 (0.990 to 1.000)   8.9
#   but two narrowing ones      0.999 (0.992 to 1.007)  0.998 (0.993 to 1.003)   9.2
#   but all six narrowing ones  1.001 (0.995 to 1.007)  0.995 (0.991 to 0.999)  11.5
#   all in float32                                                              14.7
# (1,625 captions, judged as in `benchmarks.encoder_quality`, on a busy machine.)
NARROWING_KEPT = 2

PROBES = (
    "My honest skincare routine for sensitive skin, no filters",
    "iPhone X vs Galaxy S8: which camera is better? #tech #review #iphone",
    "Mi rutina de maquillaje para el día a día, con productos de farmacia",
    "So baust du deinen eigenen Gaming-PC für unter 800 Euro",
    "Recette facile : gâteau au chocolat sans gluten en 20 minutes",
    "Treino de pernas em casa, sem equipamentos, para iniciantes",
    "Breaking: senate votes on the health care bill tonight",
    "We hiked 40 miles through Patagonia with a one year old and a very tired dog",
    "OMG 😂😂 my cat REALLY hates mondays 🐱",
    "LIVE: Lakers @ Warriors, 4th quarter highlights 112-109",
    "こんにちは、今日の動画は東京のカフェ巡りです",
    "ok",
    "2018 Honda Civic Type R: 0-60, exhaust sound, and why I sold mine after 3 months of driving",
    "How to invest your first $1,000: index funds, fees, and what nobody tells you",
    "Official music video for our new single, out now on all platforms",
    "the of and to in a is that for it as was with be by on not he i this are or his from " * 12,
)


def export_encoder(source: str, name: str, encoders: Path, quantised: bool = True) -> Path:
    """Export a model, check it against sentence-transformers, and return its new folder.

    The graph takes ``input_ids`` (1, n_tokens) of a text alone, so it needs no padding and no
    mask, and gives ``(1, dim)``: transformer, pooling and what follows are all in it. Matrix
    products are in 8 bits (dynamic, a scale for each column; see `_quantise`), unless the model
    bears that badly.

    Args:
        source: Name or folder of a sentence-transformers model.
        name: What to call it.
        encoders: The folder is made in here, under its digest.
        quantised: Whether to try 8 bits.

    Raises:
        EncoderError: The model cannot be loaded, has a part that is not supported, or does not
            give the same vectors once exported.
    """
    import torch

    model = load_sentence_transformer(source)
    prompt = _prompt(source, model)
    encoders.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=encoders, prefix="export-") as made, torch.no_grad():
        folder = Path(made) / "encoder"
        folder.mkdir()
        _write_tokenizer(source, model, folder / "tokenizer.json")
        whole = Path(made) / "float32.onnx"
        _write_graph(source, model, whole)
        texts = [clean_text(text) for text in PROBES]
        wanted = np.asarray(model.encode(texts, convert_to_numpy=True, show_progress_bar=False))
        settings = {
            "name": name,
            "dim": int(wanted.shape[1]),
            "prompt": prompt,
            "lower_case": bool(getattr(model[0], "do_lower_case", False)),
        }
        shutil.copyfile(whole, folder / "model.onnx")
        agreement = _agreement(folder, {**settings, "precision": "float32"}, wanted)
        if agreement < FLOAT_COSINE_MIN:
            raise EncoderError(
                f"{source}: the exported graph disagrees with sentence-transformers: smallest "
                f"cosine {agreement:.4f} on probe texts, not {FLOAT_COSINE_MIN}"
            )
        if quantised:
            _quantise(whole, folder / "model.onnx")
            if _agreement(folder, {**settings, "precision": "int8"}, wanted) < INT8_COSINE_MIN:
                shutil.copyfile(whole, folder / "model.onnx")
                _agreement(folder, {**settings, "precision": "float32"}, wanted)
        digest = OnnxEncoder(folder).digest
        kept = encoders / digest
        try:
            folder.rename(kept)
        except OSError as error:
            if not (kept / SETTINGS).is_file():
                raise EncoderError(f"{kept}: cannot be written: {error}") from error
    return kept


def load_sentence_transformer(source: str) -> SentenceTransformer:
    """Load a model by name or folder, in float32, and see that all of its modules are supported.

    Raises:
        EncoderError: It cannot be loaded, or one is not.
    """
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(source, device="cpu")
    except Exception as error:  # of hub, transformers or torch: any kind
        raise EncoderError(
            f"{source}: no sentence-transformers model could be loaded: {error}"
        ) from error
    for module in model:
        if type(module).__name__ not in SUPPORTED:
            raise EncoderError(
                f"{source}: a module {type(module).__name__} is not supported; "
                f"supported are {', '.join(SUPPORTED)}"
            )
    if type(model[0]).__name__ != "Transformer":
        raise EncoderError(f"{source}: the first module is not a Transformer")
    return model.float().eval()


def _prompt(source: str, model: SentenceTransformer) -> str:
    """What the model puts before every text, if it does so unasked."""
    if model.default_prompt_name is None:
        return ""
    prompt = model.prompts.get(model.default_prompt_name) or ""
    if prompt and any(getattr(module, "include_prompt", True) is False for module in model):
        raise EncoderError(f"{source}: a prompt that Pooling leaves out is not supported")
    return prompt


def _write_tokenizer(source: str, model: SentenceTransformer, path: Path) -> None:
    import tokenizers

    fast = getattr(model.tokenizer, "backend_tokenizer", None)
    if fast is None:
        kind = type(model.tokenizer).__name__
        raise EncoderError(f"{source}: the tokenizer {kind} has no fast version")
    tokenizer = tokenizers.Tokenizer.from_str(fast.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if model.max_seq_length:
        tokenizer.enable_truncation(int(model.max_seq_length))
    tokenizer.save(str(path), pretty=False)


def _write_graph(source: str, model: SentenceTransformer, path: Path) -> None:
    import onnx
    import torch

    class OneText(torch.nn.Module):
        """All modules of the model, for one text without padding."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer: torch.nn.Module = model[0].auto_model  # type: ignore[assignment]
            self.rest = torch.nn.ModuleList(list(model)[1:])

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            mask = torch.ones_like(input_ids)
            tokens = self.transformer(input_ids=input_ids, attention_mask=mask)[0]
            features: dict[str, Any] = {"token_embeddings": tokens, "attention_mask": mask}
            for module in self.rest:
                features = module(features)
            vector: torch.Tensor = features["sentence_embedding"]
            return vector

    example = torch.arange(16, dtype=torch.int64)[None] + 5
    longest = int(model.max_seq_length or 512)
    length = torch.export.Dim("n_tokens", min=1, max=longest)
    try:
        with quiet():
            program = torch.onnx.export(
                OneText().eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["input_ids"],
                output_names=["sentence_embedding"],
                dynamic_shapes=({1: length},),
            )
            assert program is not None
            graph = program.model_proto
    except Exception as error:  # of torch, onnx or onnxscript: any kind
        raise EncoderError(f"{source}: could not be exported to ONNX: {error}") from error
    # Where in the exporter's code a node came from says nothing about the model.
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    if graph.ByteSize() >= onnx.checker.MAXIMUM_PROTOBUF:
        raise EncoderError(f"{source}: above 2 GB, which one ONNX file cannot hold")
    onnx.save(graph, str(path))


def _quantise(whole: Path, path: Path) -> None:
    """Bring matrix products to 8 bits, but the first `NARROWING_KEPT` that narrow."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(whole)).graph
    narrowing = {
        tensor.name
        for tensor in graph.initializer
        if len(tensor.dims) == 2 and tensor.dims[0] > tensor.dims[1]
    }
    narrow = [
        node.name for node in graph.node if node.op_type == "MatMul" and narrowing & set(node.input)
    ]
    with quiet():
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=narrow[:NARROWING_KEPT],
        )


def _agreement(folder: Path, settings: dict[str, Any], wanted: Vectors) -> float:
    """Note the settings beside the graph and tokenizer; the smallest cosine with `wanted`."""
    files = {name: sha256_of(folder / name) for name in OnnxEncoder.FILES}
    noted = {**settings, "files": files}
    text = json.dumps(noted, indent=2, sort_keys=True)
    (folder / SETTINGS).write_text(text, "utf-8")
    vectors = OnnxEncoder(folder).encode(PROBES)
    lengths = np.linalg.norm(wanted, axis=1)
    return float(((vectors * wanted).sum(axis=1) / lengths).min())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' notes to developers out of the user's sight."""
    loggers = [logging.getLogger(name) for name in ("", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    silent = logging.NullHandler()  # without any, logging.warning() would set up one for good
    loggers[0].addHandler(silent)
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        loggers[0].removeHandler(silent)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
