"""Languages as numbers: what posts are written in, and what creators and audiences speak.

Knows nothing of how a text's language is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.facts import Facts
from features.language import UNKNOWN, primary
from features.pair import Profiles
from features.windows import Floats, Ints, Ragged


@dataclass(frozen=True)
class Languages:
    """Languages of all facts as numbers.

    Attributes:
        names: Codes in alphabetical order, `UNKNOWN` among them.
        posts: Place in `names` of each post's, ``(n_posts,)``.
        spoken: Of each creator's own, ``(n_creators,)``.
        audience: Each creator's rows of the audience's languages.
        read: Place in `names` of each such row.
        share: Share of each such row.
    """

    names: tuple[str, ...]
    posts: NDArray[np.int16]
    spoken: Ints
    audience: Ragged
    read: Ints
    share: Floats

    @classmethod
    def of(cls, facts: Facts) -> Languages:
        audience = facts.audience[facts.audience["dimension"] == "language"]
        own = facts.creators["language"]
        spoken = own.astype(object).fillna(UNKNOWN).map(primary)
        columns = [
            pd.factorize(column.to_numpy(object))
            for column in (pd.Series(facts.posts.language), audience["code"].map(primary), spoken)
        ]
        names = tuple(sorted({UNKNOWN}.union(*(found.tolist() for _, found in columns))))
        place = {name: number for number, name in enumerate(names)}
        posts, read, spoke = (
            np.array([place[name] for name in found.tolist()], dtype=np.int64)[codes]
            for codes, found in columns
        )
        whose = facts.codes(audience["creator_id"].to_numpy(object))
        order = np.argsort(whose, kind="stable")
        indptr = np.searchsorted(whose[order], np.arange(len(facts.creator_id) + 1))
        rows = Ragged(indptr.astype(np.int64), np.arange(len(order), dtype=np.int64))
        share = audience["share"].to_numpy(np.float64)[order]
        return cls(names, posts.astype(np.int16), spoke, rows, read[order], share)


def spoken_in(profiles: Profiles, names: tuple[str, ...]) -> Profiles:
    """Profiles with columns of some languages, their own among them, in the order of those."""
    column = np.array([names.index(name) for name in profiles.languages], dtype=np.int64)

    def widened(share: Floats) -> Floats:
        # A row is unknown in every language, or in none.
        wide = np.zeros((len(share), len(names)))
        wide[np.isnan(share).any(axis=1)] = np.nan
        wide[:, column] = share
        return wide

    return replace(
        profiles,
        languages=names,
        posts_language=widened(profiles.posts_language),
        audience_language=widened(profiles.audience_language),
        speaks=column[profiles.speaks],
    )
