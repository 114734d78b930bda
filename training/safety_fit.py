"""Brand-safety risks by vector, learned from written examples in the encoder's own space.

Ridge regression of each topic's label, with the score from which a text is flagged set so that of
the examples flagged, each judged by a model that has not seen it, nine in ten carry the risk.
Examples are `safety_examples.jsonl`, half of them harmless look-alikes (who somebody is and whom
they love, health and what schools teach of it among them), and `safety_harmless.jsonl`, simulated
captions that the rules find harmless: without those, a plain caption is too rare a sight (of 1,625
real ones, 131 were flagged that the rules let pass; with them 25). Knows nothing of creators.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from features.safety import RISK_TOPICS
from features.text import Encoder, VectorCache, embed_texts
from features.vectors import Vectors
from features.windows import Floats
from models.safety import RiskModel

# 0.3, 1, 3 and 10 had F1 0.74, 0.76, 0.77 and 0.78 on examples written after the rules: it matters
# little.
RIDGE = 3.0
PRECISION = 0.9  # aimed at on examples left out; 0.95 found a ninth fewer there
FLAGGED_MIN = 10  # a precision of fewer flags says nothing


@dataclass(frozen=True)
class Example:
    """One written caption and the risks a careful reader sees in it.

    Attributes:
        looks_like: The topic that a harmless caption was written to be mistaken for.
    """

    split: str
    language: str
    topics: tuple[str, ...]
    looks_like: str | None
    text: str


def read_examples(lines: str) -> list[Example]:
    """Examples from JSON, one a line."""
    rows = [json.loads(line) for line in lines.splitlines() if line]
    return [Example(**row | {"topics": tuple(row["topics"])}) for row in rows]


def dev_examples() -> list[Example]:
    """The written examples that the product learns from."""
    return read_examples(
        files("training").joinpath("safety_examples.jsonl").read_text(encoding="utf-8")
    )


def labels_of(examples: list[Example]) -> NDArray[np.bool_]:
    """What examples carry, ``(n_examples, n_topics)``."""
    return np.array([[topic in e.topics for topic in RISK_TOPICS] for e in examples], dtype=bool)


def fit_risks(encoder: Encoder, cache: VectorCache | None = None) -> RiskModel:
    """Learn risks by vector for an encoder.

    Args:
        cache: Where vectors are kept between runs; must be of the same encoder.
    """
    examples = dev_examples()
    harmless = harmless_texts()
    texts = [example.text for example in examples] + harmless
    labels = np.vstack(
        [labels_of(examples), np.zeros((len(harmless), len(RISK_TOPICS)), dtype=bool)]
    )
    return fit(embed_texts(texts, encoder, cache).vectors, labels)


def harmless_texts() -> list[str]:
    """Simulated captions without a risk that the rules know; `tests.test_safety` draws them."""
    lines = files("training").joinpath("safety_harmless.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in lines.splitlines()]


def fit(vectors: Vectors, labels: NDArray[np.bool_]) -> RiskModel:
    """Fit on vectors ``(n, dim)`` and labels ``(n, n_topics)``.

    Each example's score without it is exact: (fit - leverage * label) / (1 - leverage), Allen's
    PRESS (1974).
    """
    rows = np.hstack([vectors.astype(np.float64), np.ones((len(vectors), 1))])
    target = labels.astype(np.float64)
    penalty = RIDGE * np.eye(rows.shape[1])
    penalty[-1, -1] = 1e-6  # the bias is free; enough to keep the system solvable
    solved = np.linalg.solve(rows.T @ rows + penalty, rows.T)
    weights = solved @ target
    leverage = np.einsum("ij,ji->i", rows, solved)[:, np.newaxis]
    left_out = (rows @ weights - leverage * target) / (1 - leverage)
    threshold = np.array(
        [_threshold(left_out[:, column], labels[:, column]) for column in range(labels.shape[1])]
    )
    return RiskModel(weights[:-1], weights[-1], threshold)


def _threshold(score: Floats, risky: NDArray[np.bool_]) -> float:
    """The lowest score from which `PRECISION` of what is flagged is risky; else infinite."""
    order = np.argsort(-score, kind="stable")
    flagged = np.arange(1, len(order) + 1)
    precision = np.cumsum(risky[order]) / flagged
    enough = np.flatnonzero((precision >= PRECISION) & (flagged >= FLAGGED_MIN))
    return float(score[order[enough[-1]]]) if len(enough) else float("inf")
