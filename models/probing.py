"""Asks a bundle a few standing briefs: when it is saved, and again before it is served.

A bundle whose every file is whole may still be wrong: its manifest, which no digest covers, was
changed; a score is no number; the machine that is to serve it reads texts otherwise than the one
that trained it. So it is asked what it was asked when it was saved, and must answer as then.

Everything after the reading of a text is exact or as good as (`features.vectors`), so each brief is
asked with its stored vector, and numbers may hardly differ; how the text is read now is compared
apart, for there the processor has a say. Knows nothing of where bundles lie (`registry`) nor of
who is served.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from features.facts import brand_code, brief_text
from features.language import detect
from features.schemas import Brief, BundleError
from features.vectors import Vectors
from models.bundle import Bundle, Content, load
from models.probes import Probe, Probes, Told
from models.scoring import Scored, score_as
from models.snapshots import profile_brief

# Each way in which creators are ordered, a filter, two languages. They belong to nobody.
ASKS: tuple[Brief, ...] = tuple(
    Brief.model_validate(brief)
    for brief in (
        {
            "brand": {"name": "Probe", "vertical": "beauty"},
            "query": "A fragrance-free vegan serum for sensitive skin; honest routines, no filters",
        },
        {
            "brand": {"name": "Probe", "vertical": "travel"},
            "query": "Wanderschuhe und Rucksäcke für lange Touren: wer zeigt sie auf dem Weg?",
            "objective": "conversions",
        },
        {
            "brand": {"name": "Probe", "vertical": "gaming"},
            "query": "A headset for long evenings of games with friends, tried in a stream",
            "objective": "value",
            "filters": {"follower_count": {"min": 1_000, "max": 500_000}},
        },
    )
)
FIRST = 20  # creators of an answer that are kept
# Of those, how many must be the same with the same numbers. Not all: at a split of a tree a number
# that differs in its last digit can fall to the other side, and move one creator.
SAME_MIN = 0.9
# Sums of trees are added in one order everywhere; logarithms and the gamma distribution of another
# version of numpy or scipy differ from the tenth digit on. People are shown three.
RELATIVE = 1e-6
NEAR_ZERO = 1e-9
# The cosine of a text's vector now with the stored one. One model in 8 bits and in 32, which differ
# more than two processors do, agree to 0.973 at the worst (`features.text_export`, which takes them
# for the same from 0.95 on); of 42 sentences no two reached 0.44 (all-MiniLM-L6-v2).
COSINE_MIN = 0.95

NUMBERS = tuple(name for name in Told.model_fields if name != "creator_id")


def ask(content: Content) -> Probes:
    """Ask the standing briefs, and keep the answers.

    Raises:
        BundleError: A score is no number.
    """
    probes = []
    for brief in ASKS:
        text = brief_text(brief.query, brief.brand.vertical)
        vector, language = content.encoder.encode([text])[0], str(detect([text])[0])
        first = _told(content, brief, vector, language)
        probes.append(Probe(brief=brief, vector=vector.tolist(), language=language, first=first))
    return Probes(asks=tuple(probes))


def check(bundle: Bundle) -> None:
    """See that a bundle answers as it did when it was saved.

    One that holds no asks, as before there were any, is asked the standing ones: its scores must
    be numbers, and no more is known of them.

    Raises:
        BundleError: It answers otherwise, or a score is no number. No creator is named.
    """
    if bundle.probes is None:
        ask(bundle)
        return
    for number, probe in enumerate(bundle.probes.asks, 1):
        where = f"brief {number} of its stored asks"
        text = brief_text(probe.brief.query, probe.brief.brand.vertical)
        now, then = bundle.encoder.encode([text])[0], np.array(probe.vector, dtype=np.float32)
        cosine = _cosine(now, then)
        if not cosine >= COSINE_MIN:
            raise BundleError(
                f"{where} is read otherwise than when it was saved: the cosine of the two readings "
                f"is {cosine:.3f}, and {COSINE_MIN} is the least",
                kind="answers",
            )
        differing = _differing(_told(bundle, probe.brief, then, probe.language), probe.first)
        if differing:
            raise BundleError(
                f"{where} is answered otherwise than when it was saved: {differing}",
                kind="answers",
            )


def load_sound(folder: Path) -> Bundle:
    """Read a bundle, and see that it answers as it did when it was saved.

    Raises:
        BundleError: It is damaged, made from other features, or answers otherwise.
    """
    bundle = load(folder)
    try:
        check(bundle)
    except BundleError as error:
        raise BundleError(f"{folder}: {error}", kind=error.kind) from error
    except Exception as error:  # whatever parts that do not fit each other lead to
        told = f"{folder}: cannot answer its stored asks: {error!r}"
        raise BundleError(told, kind="answers") from error
    return bundle


def _cosine(one: Vectors, other: Vectors) -> float:
    """Of two vectors; NaN where they are of other lengths or one is zero."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    if one.shape != other.shape or lengths == 0:
        return float("nan")
    return float(one @ other) / lengths


def _told(content: Content, brief: Brief, vector: Vectors, language: str) -> tuple[Told, ...]:
    """Who comes first for a brief that is read so, and what is told of them."""
    brand = brand_code(brief.brand.name)
    profile = profile_brief(content.niche, content.projection, vector, language, brand)
    scored, _ = score_as(content, brief, profile)
    bad = int((~np.isfinite(scored.predictions.score)).sum())
    if bad:
        raise BundleError(
            f"{bad:,} of {len(scored):,} scores for {brief.query[:40]!r} are no numbers",
            kind="scores",
        )
    rows = scored.order[:FIRST]
    ids = content.index.ids_of(scored.places[rows])
    return tuple(_one(scored, int(row), str(name)) for row, name in zip(rows, ids, strict=True))


def _one(scored: Scored, row: int, creator_id: str) -> Told:
    numbers = {name: getattr(scored.predictions, name)[row] for name in NUMBERS if name != "cost"}
    numbers["cost"] = scored.costs.cost[row]
    plain = {name: None if np.isnan(n) else float(n) for name, n in numbers.items()}
    return Told.model_validate({"creator_id": creator_id} | plain)


def _differing(now: tuple[Told, ...], then: tuple[Told, ...]) -> str:
    """What differs between two answers, in words; nothing where they are the same."""
    by_id = {told.creator_id: told for told in now}
    faults = []
    for rank, told in enumerate(then, 1):
        other = by_id.get(told.creator_id)
        if other is None:
            faults.append(f"who was at rank {rank} is not among the first {len(now)}")
            continue
        moved = [name for name in NUMBERS if not _same(getattr(other, name), getattr(told, name))]
        if moved:
            name = moved[0]
            was, is_now = getattr(told, name), getattr(other, name)
            faults.append(f"{name} at rank {rank} was {was}, and is {is_now}")
    same = len(then) - len(faults)
    if same >= SAME_MIN * max(len(now), len(then)):
        return ""
    first = faults[0] if faults else f"{len(now) - len(then)} creators more"
    return f"{same} of {max(len(now), len(then))} are the same; {first}"


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=NEAR_ZERO)
