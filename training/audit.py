"""Skew audit: the rows that were served, built again and compared bit for bit.

A row is built by the bundle that served it, from the brief as it was stored. Where one differs,
what was served is not what the code says: another encoder's numbers, a damaged log, or a bundle
that was changed. Knows nothing of how a command line looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from features.catalogue import FEATURE_NAMES
from features.pair import pair_features
from features.schemas import Brief, BundleError, CreatorfitError, NoModel, RegistryError
from features.served_rows import Candidates, is_placeholder, same_features
from features.store import Answer, open_store_if_there
from features.windows import Floats
from models.bundle import MODEL_NAME, Bundle
from models.registry import Registry, Version
from models.scoring import brief_profile

if TYPE_CHECKING:
    from training.pipeline import Reporter
    from training.settings import TrainingSettings

CREATOR = "creator_id"  # of a stored row whose creator the bundle does not know


@dataclass(frozen=True)
class Difference:
    """A feature in which stored rows differ from those built again.

    Attributes:
        feature: Its name; `CREATOR` where the bundle knows no such creator.
        rows: In how many.
        largest: Largest difference; None where a value is missing on one side, or is no number.
        recommendation_id, creator_id: The first row.
    """

    feature: str
    rows: int
    largest: float | None
    recommendation_id: str
    creator_id: str


@dataclass(frozen=True)
class Audit:
    """What was compared.

    Attributes:
        answers, rows: How many were built again.
        differing: Rows that differ in anything.
        differences: By feature, those of most rows first.
        skipped: Answers that could not be built again.
        reasons: Why, with how many answers each.
    """

    answers: int
    rows: int
    differing: int
    differences: tuple[Difference, ...]
    skipped: int
    reasons: dict[str, int] = field(default_factory=dict)


def run(settings: TrainingSettings, report: Reporter) -> Audit:
    """Compare everything that the service stored.

    Raises:
        StoreError: The database is away.
    """
    store = open_store_if_there(settings.store_url)
    if store is None:
        report.say("nothing was served yet")
        return Audit(0, 0, 0, (), 0)
    registry = Registry(settings.registry_uri, settings.artifacts)
    tally = _Tally()
    try:
        # One bundle at a time: they come ordered by it.
        for run_id, stored in groupby(store.log(), key=lambda one: one[0].run_id):
            _audit_bundle(registry, settings, run_id, stored, tally)
    finally:
        store.close()
    found = tally.result()
    for reason, count in found.reasons.items():
        report.say(f"{count:,} answers not checked: {reason}")
    return found


def _audit_bundle(
    registry: Registry,
    settings: TrainingSettings,
    run_id: str,
    stored: Iterable[tuple[Answer, Candidates]],
    tally: _Tally,
) -> None:
    bundle: Bundle | str | None = None
    for answer, candidates in stored:
        if bundle is None:
            bundle = _fetch(registry, settings, answer)
        if isinstance(bundle, str):
            tally.skip(bundle)
            continue
        try:
            tally.compare(answer, candidates, bundle)
        except (CreatorfitError, ValidationError) as error:
            told = str(error).splitlines()[0]
            tally.skip(f"answer {answer.recommendation_id} cannot be built again: {told}")


def _fetch(registry: Registry, settings: TrainingSettings, answer: Answer) -> Bundle | str:
    """The bundle that served an answer, or why it cannot be had."""
    version = Version(MODEL_NAME, answer.model_version, None, answer.run_id)
    try:
        return registry.load(version, settings.bundles)
    except (BundleError, NoModel, RegistryError) as error:
        return f"version {answer.model_version} (run {answer.run_id}) is gone: {error}"


def rebuilt(bundle: Bundle, brief: Brief, creator_ids: list[str]) -> Floats:
    """Rows of features for a brief and creators of a bundle, ``(n, n_features)``."""
    places = np.searchsorted(bundle.index.ids, np.array(creator_ids, dtype=object)).astype(np.int64)
    profile = brief_profile(bundle, brief)
    return pair_features(
        bundle.index.profiles, places, [profile], np.zeros(len(places), dtype=np.int64)
    )


class _Tally:
    """Counts as answers are compared."""

    def __init__(self) -> None:
        self._answers = self._rows = self._differing = 0
        self._found: dict[str, Difference] = {}
        self._reasons: dict[str, int] = {}

    def skip(self, reason: str) -> None:
        self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def compare(self, answer: Answer, candidates: Candidates, bundle: Bundle) -> None:
        if not same_features(candidates):
            self.skip("other features than this code's were stored")
            return
        brief = Brief.model_validate_json(answer.brief)
        candidates = candidates.take([not is_placeholder(one) for one in candidates.creator_id])
        there = set(bundle.index.ids)
        known = np.array([one in there for one in candidates.creator_id], dtype=bool)
        rows = np.flatnonzero(known)
        stored = candidates.matrix[rows]
        built = rebuilt(bundle, brief, candidates.creator_id[rows].tolist())
        differ = bits(stored) != bits(built)
        self._answers += 1
        self._rows += len(candidates)
        self._differing += int(differ.any(axis=1).sum() + (~known).sum())
        strange = np.flatnonzero(~known)
        if len(strange):
            first = str(candidates.creator_id[strange[0]])
            self._note(CREATOR, len(strange), None, answer, first)
        for place in np.flatnonzero(differ.any(axis=0)):
            where = np.flatnonzero(differ[:, place])
            apart = np.abs(stored[where, place] - built[where, place])
            largest = float(apart.max()) if np.isfinite(apart).all() else None
            first = str(candidates.creator_id[rows[where[0]]])
            self._note(FEATURE_NAMES[place], len(where), largest, answer, first)

    def _note(
        self, name: str, rows: int, largest: float | None, answer: Answer, creator_id: str
    ) -> None:
        before = self._found.get(name)
        if before is None:
            self._found[name] = Difference(
                name, rows, largest, answer.recommendation_id, creator_id
            )
            return
        numbers = (before.largest, largest)
        known = [number for number in numbers if number is not None]
        self._found[name] = Difference(
            name,
            before.rows + rows,
            max(known) if len(known) == len(numbers) else None,
            before.recommendation_id,
            before.creator_id,
        )

    def result(self) -> Audit:
        found = sorted(self._found.values(), key=lambda one: (-one.rows, one.feature))
        skipped = sum(self._reasons.values())
        return Audit(
            self._answers, self._rows, self._differing, tuple(found), skipped, self._reasons
        )


def bits(values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The bits of numbers; every way of writing "missing" is one."""
    plain = np.where(np.isnan(values), np.nan, values)
    return np.ascontiguousarray(plain, dtype=np.float64).view(np.int64)
