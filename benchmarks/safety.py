"""How well brand-safety risks are found in written captions, by topic, and how fast.

Run from the project's root: ``python -m benchmarks.safety [--errors] [--vectors]``.

What the figures are: 606 short captions in seven languages, written by hand, about half of them
harmless look-alikes, each labelled for all topics. The part ``held_out`` was written before there
was any rule and no rule was changed after a look at it; ``dev`` is what the rules were corrected on,
so its figures only say that nothing was lost since. Both parts were written by the author of the
rules, so they share one idea of what a risk looks like: the figures say how well that idea is
carried out. They are no sample of any platform, half of them carry a risk, which is far more than
captions do, and so they say nothing of how many flagged posts of real creators are false alarms.

``--errors`` lists every false alarm and miss of ``dev``, and of ``held_out`` with ``--held-out``.
``--vectors`` measures what cosines with descriptions of the topics would add to the rules.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.safety import RISK_TOPICS, find_risks, risks_of

EXAMPLES = Path(__file__).parent.parent / "tests" / "safety_examples.jsonl"
SPEED_TEXTS = 20_000

Split = Literal["dev", "held_out"]
SPLITS: tuple[Split, ...] = ("dev", "held_out")
Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Example:
    """One written caption and the risks a careful reader sees in it.

    Attributes:
        looks_like: The topic that a harmless caption was written to be mistaken for.
    """

    split: Split
    language: str
    topics: tuple[str, ...]
    looks_like: str | None
    text: str


@dataclass(frozen=True)
class Score:
    """Counts over examples and one topic; rates are None where there is nothing to divide by."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float | None:
        """Of what was flagged, the share that carries the risk."""
        flagged = self.hits + self.false_alarms
        return self.hits / flagged if flagged else None

    @property
    def recall(self) -> float | None:
        """Of what carries the risk, the share that was flagged."""
        risky = self.hits + self.misses
        return self.hits / risky if risky else None


def read_examples(split: Split | None = None) -> list[Example]:
    """The written examples of a part, or all, in file order."""
    with EXAMPLES.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Example(**row | {"topics": tuple(row["topics"])})
        for row in rows
        if split in (None, row["split"])
    ]


def labels_of(examples: Sequence[Example]) -> Labels:
    """What the examples carry, ``(n_examples, n_topics)``."""
    return np.array([[topic in e.topics for topic in RISK_TOPICS] for e in examples], dtype=bool)


def score(found: Labels, true: Labels) -> Score:
    """Count what was found against what is true; all topics of `found` together."""
    return Score(
        hits=int((found & true).sum()),
        false_alarms=int((found & ~true).sum()),
        misses=int((~found & true).sum()),
    )


def _row(name: str, examples: int, counted: Score) -> str:
    rates = ["-" if rate is None else f"{rate:.3f}" for rate in (counted.precision, counted.recall)]
    return (
        f"{name:16}{examples:>9}{rates[0]:>11}{rates[1]:>8}"
        f"{counted.false_alarms:>14}{counted.misses:>8}"
    )


def _print_part(split: Split) -> None:
    examples = read_examples(split)
    true, found = labels_of(examples), risks_of([e.text for e in examples])
    harmless = ~true.any(axis=1)
    print(_row(split, len(examples), score(found, true)))
    for column, topic in enumerate(RISK_TOPICS):
        counted = score(found[:, column], true[:, column])
        print(_row(f"  {topic}", int(true[:, column].sum()), counted))
    for language in sorted({e.language for e in examples}):
        rows = np.array([e.language == language for e in examples])
        print(_row(f"  {language}", int(rows.sum()), score(found[rows], true[rows])))
    alarms = int(found[harmless].any(axis=1).sum())
    print(f"  harmless look-alikes flagged: {alarms} of {int(harmless.sum())}")


def _print_errors(split: Split) -> None:
    examples = read_examples(split)
    for example in examples:
        found = {risk.topic: risk.words for risk in find_risks(example.text)}
        for topic in RISK_TOPICS:
            if topic in found and topic not in example.topics:
                print(f"{split} {topic:10} false alarm on {found[topic]!r}: {example.text}")
            if topic not in found and topic in example.topics:
                print(f"{split} {topic:10} miss: {example.text}")


def main() -> None:
    """Print the tables."""
    options = sys.argv[1:]
    if "--errors" in options:
        _print_errors("dev")
        if "--held-out" in options:
            _print_errors("held_out")
    print(f"{'':16}{'examples':>9}{'precision':>11}{'recall':>8}{'false alarms':>14}{'misses':>8}")
    for split in SPLITS:
        if split == "dev" or "--dev" not in options:
            _print_part(split)
    texts = [example.text for example in read_examples()]
    texts = (texts * (SPEED_TEXTS // len(texts) + 1))[:SPEED_TEXTS]
    started = time.process_time()
    risks_of(texts)
    seconds = time.process_time() - started
    print(f"speed: {SPEED_TEXTS / seconds:,.0f} of these texts a second")


if __name__ == "__main__":
    main()
