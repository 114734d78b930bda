"""Whom a version is compared with before it may become the champion, and on which rows.

Both stand as they were before the rows they are compared on: the challenger as fitted before its
test part, the champion as it is served where those rows came after it, else as it was when it was
judged itself. Knows nothing of what passes (`gate`), nor of how a registry keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.schemas import BundleError
from features.windows import Floats, Ints
from models.bundle import Bundle
from models.conversion import ConversionModel, Predictions
from models.registry import Registry, Version
from models.snapshots import Known
from training.dataset import Rows, rows_again
from training.evaluate import Candidate
from training.finetune_taught import noted_in
from training.gate import Decision, compare, compare_with_baselines, refuse_later
from training.holdout import knows_later
from training.judging import Learning, Model, baselines, candidate_of, groups, predict
from training.learning import MIN_PART

# What the gate looks at apart; `confidence` is each model's own, a brief's niche is its brand's.
SLICES = ("tier", "platform", "creator's niche", "brand", "creator", "price")


@dataclass(frozen=True)
class Champion:
    """The version that is served; `bundle` is None where this code cannot use it, for `reason`."""

    version: Version
    bundle: Bundle | None
    reason: str = ""

    @property
    def name(self) -> str:
        return f"version {self.version.version}"

    @property
    def learned(self) -> bool:
        """Whether it can be used, and was learned from outcomes."""
        return self.bundle is not None and self.bundle.model.kind == "outcomes"


def standing(registry: Registry, folder: Path) -> Champion | None:
    """The champion with its bundle, fetched into a folder of bundles; None where there is none."""
    version = registry.champion()
    if version is None:
        return None
    try:
        return Champion(version, registry.load(version, folder))
    except BundleError as error:
        return Champion(version, None, str(error))


@dataclass(frozen=True)
class Rival:
    """A champion's predictions for test rows that it has not seen.

    Attributes:
        kept: Which of the test rows those are, ``(n,)``.
        predictions: For them.
        candidate: The same as a candidate, where it has seen none of the test rows.
    """

    name: str
    kept: Ints
    predictions: Predictions
    candidate: Candidate | None


def rival(
    learning: Learning, champion: Champion | None, read_as: Callable[[Bundle], Known]
) -> Rival | None:
    """What the champion says of a challenger's test rows; None where there is none to ask.

    Args:
        learning: What the challenger was fitted from.
        champion: Whom it would replace.
        read_as: The same past as a bundle's encoder reads it.
    """
    if champion is None or champion.bundle is None:
        return None
    model, from_us = before(champion.bundle, learning.split.test_from_us)
    test = learning.test
    kept: Ints = np.flatnonzero(test.started_us >= from_us)
    matrix = _as_read_by(champion.bundle, learning, test.take(kept), read_as)
    whole = len(kept) == len(test)
    name = f"champion, {champion.name}"
    return Rival(
        champion.name,
        kept,
        predict(model, matrix),
        candidate_of(name, model, matrix, learning.early) if whole else None,
    )


def decide(
    learning: Learning, model: ConversionModel, champion: Champion | None, other: Rival | None
) -> Decision:
    """Whether a model may become the champion, on its test rows.

    It is compared with the champion, or with what anyone would try first where there is none, or
    none that was learned from outcomes and that this code can use.

    Args:
        learning: What the model was fitted from.
        model: As it was before the test part.
        champion: What it would replace.
        other: What that one says of the same rows.
    """
    rows, test = learning.rows, learning.test
    middle = int(np.median(test.started_us))
    changed = knows_later(learning.known, rows, middle)
    if changed:
        return refuse_later(changed, int((rows.started_us <= middle).sum()))
    own = predict(model, test.matrix)
    seed = learning.params.seed
    if other is None or champion is None or not champion.learned:
        others = baselines(learning, test.matrix)
        if other is not None and other.candidate is not None:
            others.append(other.candidate)
        stands = {one.name: (one.score, one.rate) for one in others}
        return compare_with_baselines(test, own, stands, seed)
    shared = test.take(other.kept)
    conversions = int(shared.labels.conversions.sum())
    if len(shared) < MIN_PART or conversions < MIN_PART:
        return Decision(
            False,
            f"cannot be compared with {other.name}: {len(shared):,} collaborations with "
            f"{conversions:,} conversions are unknown to both, and {MIN_PART} of each are needed",
            other.name,
            len(shared),
        )
    slices = groups(learning, shared, model)
    return compare(
        shared,
        own.take(other.kept),
        other.predictions,
        {name: slices[name] for name in SLICES},
        other.name,
        seed,
    )


def before(bundle: Bundle, moment_us: int) -> tuple[Model, int]:
    """A bundle's model that has not seen what began at a moment, and since when it has not.

    That is the model as served where it is no younger than the moment; a heuristic has seen no
    outcome at all.
    """
    taught_us = noted_in(bundle.manifest.params)
    if taught_us is not None:
        moment_us = max(moment_us, taught_us)
    if bundle.judged is None or bundle.manifest.as_of_us <= moment_us:
        return bundle.model, moment_us
    return bundle.judged.model, max(bundle.judged.test_from_us, moment_us)


def _as_read_by(
    bundle: Bundle, learning: Learning, rows: Rows, read_as: Callable[[Bundle], Known]
) -> Floats:
    """Features of rows as a bundle's own encoder makes them."""
    facts = learning.known.facts
    same_text = bundle.encoder.digest == learning.encoder_digest
    if same_text and bundle.manifest.currency == facts.currency:
        return rows.matrix
    return rows_again(read_as(bundle), learning.known, rows)
