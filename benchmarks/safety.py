"""How well brand-safety risks are found in written captions, by topic, and how fast.

Run from the project's root: ``python -m benchmarks.safety [--errors] [--no-vectors] [ENCODER]``.
``--errors`` lists every false alarm and miss; an encoder's name measures another than the default.

What the figures are. Short captions in seven languages, half of them harmless look-alikes, written
by the author of the rules: they share one idea of what a risk looks like. They are no sample of any
platform; half of them carry a risk, which is far more than captions do, so precision here says
nothing of how many flags on real creators are right.

``dev`` (``training/safety_examples.jsonl``) is what the rules were corrected on and the vectors
learn from: its figures only say that nothing was lost since. ``held_out`` (``tests/``) was written
with the rules and the training examples frozen: the first run had precision 0.916 and recall 0.724.
Nothing was changed for it since; exceptions for horror films, "bombing on stage", the dead lift and
"hot take", seen in simulated captions, were added after. So were 66 harmless captions on identity,
pride and health in ``dev``, for "Bisexual and proud" had been taken for ``adult``.

``identity`` (``tests/``) asks after that alone: 42 harmless captions by or about people whom such
flags would hurt, and 7 risky ones against or about them. Written together with those added to
``dev``, nothing was fitted to it.

Two earlier parts were held out once and are in ``dev`` now. The first was written just before the
rules, and in view while they were written: recall 0.986, which meant nothing. The second, written
after them, showed it: precision 0.951 and recall 0.283 by the rules alone. That is why vectors
were added (0.928 and 0.652 on that part), the lexicon widened, and a third part written.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.counts import Counts
from features.safety import RISK_TOPICS, find_risks, risks_of
from features.text import DEFAULT_ENCODER, load_encoder
from training.safety_fit import Example, dev_examples, fit_risks, labels_of, read_examples

TESTS = Path(__file__).parent.parent / "tests"
HELD_OUT = TESTS / "safety_examples.jsonl"
IDENTITY = TESTS / "safety_identity.jsonl"
SPEED_TEXTS = 20_000

Labels = NDArray[np.bool_]


def held_out_examples() -> list[Example]:
    """The written examples that nothing was fitted to."""
    return read_examples(HELD_OUT.read_text(encoding="utf-8"))


def identity_examples() -> list[Example]:
    """Captions on identity and health that nothing was fitted to."""
    return read_examples(IDENTITY.read_text(encoding="utf-8"))


def score(found: Labels, true: Labels) -> Counts:
    """Count what was found against what is true; all topics given together."""
    return Counts(
        hits=int((found & true).sum()),
        false_alarms=int((found & ~true).sum()),
        misses=int((~found & true).sum()),
    )


def _row(name: str, examples: int, counted: Counts) -> str:
    rates = ["-" if rate is None else f"{rate:.3f}" for rate in (counted.precision, counted.recall)]
    return (
        f"{name:28}{examples:>9}{rates[0]:>11}{rates[1]:>8}"
        f"{counted.false_alarms:>14}{counted.misses:>8}"
    )


def _print_part(name: str, examples: Sequence[Example], found: Labels) -> None:
    true = labels_of(list(examples))
    print(_row(name, len(examples), score(found, true)))
    for column, topic in enumerate(RISK_TOPICS):
        counted = score(found[:, column], true[:, column])
        print(_row(f"  {topic}", int(true[:, column].sum()), counted))
    for language in sorted({example.language for example in examples}):
        rows = np.array([example.language == language for example in examples])
        print(_row(f"  {language}", int(rows.sum()), score(found[rows], true[rows])))
    harmless = ~true.any(axis=1)
    alarms = int(found[harmless].any(axis=1).sum())
    print(f"  harmless captions flagged: {alarms} of {int(harmless.sum())}")


def _print_errors(name: str, examples: Sequence[Example], found: Labels) -> None:
    for example, row in zip(examples, found, strict=True):
        words = {risk.topic: risk.words for risk in find_risks(example.text)}
        for topic, flagged in zip(RISK_TOPICS, row, strict=True):
            if flagged and topic not in example.topics:
                why = repr(words[topic]) if topic in words else "its vector"
                print(f"{name} {topic:10} false alarm by {why}: {example.text}")
            if not flagged and topic in example.topics:
                print(f"{name} {topic:10} miss: {example.text}")


def main() -> None:
    """Print the tables."""
    options = [option for option in sys.argv[1:] if option.startswith("--")]
    names = [option for option in sys.argv[1:] if not option.startswith("--")]
    parts = {
        "dev": dev_examples(),
        "held_out": held_out_examples(),
        "identity": identity_examples(),
    }
    texts_of = {name: [example.text for example in part] for name, part in parts.items()}
    found = {(name, "rules"): risks_of(texts) for name, texts in texts_of.items()}
    if "--no-vectors" not in options:
        with tempfile.TemporaryDirectory() as home:
            encoder = load_encoder(names[0] if names else DEFAULT_ENCODER, Path(home))
            model = fit_risks(encoder)
            for name in ("held_out", "identity"):
                flags = model.flags(encoder.encode(texts_of[name]))
                found[name, "rules and vectors"] = found[name, "rules"] | flags
    head = f"{'':28}{'examples':>9}{'precision':>11}{'recall':>8}{'false alarms':>14}{'misses':>8}"
    print(head)
    for (name, how), flagged in found.items():
        _print_part(f"{name}, {how}", parts[name], flagged)
    if "--errors" in options:
        for (name, how), flagged in found.items():
            _print_errors(f"{name}, {how}:", parts[name], flagged)
    texts = texts_of["dev"]
    texts = (texts * (SPEED_TEXTS // len(texts) + 1))[:SPEED_TEXTS]
    started = time.process_time()
    risks_of(texts)
    seconds = time.process_time() - started
    print(f"speed of the rules: {SPEED_TEXTS / seconds:,.0f} of these texts a second")


if __name__ == "__main__":
    main()
