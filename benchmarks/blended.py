"""Many SIMULATED creators made of a few: the profiles of a large catalogue, part by part.

Each is a copy of a creator, its vectors drawn towards those of another of the same leading niche
and shaken, its other numbers shaken. Near enough to be likely, far enough that nobody's nearest is
a copy. Knows nothing of what is measured on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from features.facts import Asks
from features.pair import Profiles
from features.vectors import GRID, Vectors, snap
from features.windows import Floats, Ints, Ragged
from models.index import Index

PART = 20_000
BLEND = 0.6  # at most so much of the other creator
SHAKE = 0.3  # length of the noise on a vector of length 1
NUMBERS_SHAKE = 0.05  # standard deviation of the logarithm of a number


@dataclass(frozen=True)
class Part:
    """Some of the creators.

    Attributes:
        profiles: Theirs.
        source: The creator that each was made of, by place.
    """

    profiles: Profiles
    source: Ints


def parts(index: Index, creators: int, seed: int = 0) -> Iterator[Part]:
    """Make creators of those of an index, at most `PART` at a time; the same for the same seed."""
    rng = np.random.default_rng(seed)
    some = np.flatnonzero(index.profiles.topics[:, 0].any(axis=1))
    for start in range(0, creators, PART):
        source = rng.choice(some, min(PART, creators - start))
        yield Part(_blended(index, source, some, rng), source)


def _blended(index: Index, source: Ints, some: Ints, rng: np.random.Generator) -> Profiles:
    old = index.profiles
    n = len(source)
    other = source.copy()
    for niche in np.unique(index.leading[source]):
        here = np.flatnonzero(index.leading[source] == niche)
        other[here] = rng.choice(some[index.leading[some] == niche], len(here))
    share = rng.uniform(0, BLEND, n)[:, np.newaxis]

    def blend(one: Vectors, two: Vectors) -> Floats:
        noise = rng.standard_normal(one.shape) * SHAKE / np.sqrt(one.shape[1])
        mixed: Floats = (1 - share) * one + share * two + noise
        mixed[~one.any(axis=1)] = 0.0
        return mixed

    topics = np.stack(
        [snap(blend(old.topics[source, k], old.topics[other, 0])) for k in range(3)], axis=1
    )
    subject = blend(old.subject[source], old.subject[other])
    values = old.numbers.values[source]
    shaken = values * np.exp(rng.standard_normal(values.shape) * NUMBERS_SHAKE)
    whole = values == np.rint(values)  # codes, flags and counts stay
    return Profiles(
        asks=Asks(np.arange(n, dtype=np.int64), old.asks.as_of_us[source]),
        numbers=replace(
            old.numbers,
            values=np.where(whole, values, shaken),
            followers=old.numbers.followers[source],
            clicks=_rows(old.numbers.clicks, source),
            conversions=_rows(old.numbers.conversions, source),
        ),
        mix=(1 - share) * old.mix[source] + share * old.mix[other],
        topics=topics,
        topic_share=old.topic_share[source],
        best=snap(blend(old.best[source], old.best[other])),
        subject=(np.trunc(subject * GRID) / GRID).astype(np.float32),
        languages=old.languages,
        posts_language=old.posts_language[source],
        audience_language=old.audience_language[source],
        speaks=old.speaks[source],
        niche_values=old.niche_values[source],
        ads=_entries(old.ads, source),
        outcomes=_entries(old.outcomes, source),
        moment=old.moment[source],
        totals=old.totals,
        brief_subject=old.brief_subject,
    )


def _rows(record: Any, source: Ints) -> Any:
    return replace(record, **{f.name: getattr(record, f.name)[source] for f in fields(record)})


def _entries(record: Any, source: Ints) -> Any:
    """The entries of some rows of a ragged record, laid end to end."""
    rows: Ragged = record.rows
    taken = Ragged.from_slices(rows.indptr[source], rows.indptr[source + 1])
    arrays = {
        f.name: getattr(record, f.name)[taken.index] for f in fields(record) if f.name != "rows"
    }
    every = np.arange(len(taken.index), dtype=np.int64)
    return replace(record, rows=Ragged(taken.indptr, every), **arrays)
