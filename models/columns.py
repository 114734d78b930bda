"""Creators, their audiences and their collaborations as typed columns.

Numbers are numpy arrays, texts Arrow tables; both may lie in mapped files, which several processes
share. What has few values is kept as codes. Knows nothing of files, nor of what is asked of the
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.facts import Facts
from features.windows import Floats, Ints, Rows

CREATOR_TEXTS = ("creator_id", "handle", "display_name", "bio", "url")
COLLABORATION_TEXTS = ("sponsorship_id", "campaign_id", "brand")
UNKNOWN = -1

Mask = NDArray[np.bool_]


def texts(**columns: Any) -> pa.Table:
    """A table of texts; what is not a text is missing."""
    return pa.table(
        {
            name: pa.array(values, pa.large_string(), from_pandas=True)
            for name, values in columns.items()
        }
    )


def text_at(column: pa.ChunkedArray[Any], place: int) -> str | None:
    """One text of a column, None where it is missing."""
    found: str | None = column[place].as_py()
    return found


@dataclass(frozen=True)
class Codes:
    """A column of few distinct texts: value i is ``names[code[i]]``, unknown where that is -1."""

    code: NDArray[np.int16]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: pd.Series) -> Codes:
        code, names = pd.factorize(values, sort=True)
        return cls(code.astype(np.int16), tuple(str(name) for name in names))

    def at(self, place: int) -> str | None:
        """One value, None where it is unknown."""
        code = int(self.code[place])
        return None if code == UNKNOWN else self.names[code]

    def where(self, test: Callable[[str], bool]) -> Mask:
        """Whose value is known and passes a test, ``(n,)``; each value is tested once."""
        passes = np.array([*(test(name) for name in self.names), False])
        mask: Mask = passes[self.code]  # -1 is the last of them
        return mask

    def among(self, wanted: Collection[str]) -> Mask:
        """Whose value is one of those wanted, ``(n,)``."""
        return self.where(lambda name: name in wanted)

    def texts(self, places: Ints) -> NDArray[np.object_]:
        """Values at some places, None where unknown."""
        named: NDArray[np.object_] = np.array([*self.names, None], dtype=object)[self.code[places]]
        return named

    def only(self, kept: Mask) -> Codes:
        return replace(self, code=self.code[kept])


@dataclass(frozen=True)
class Creators:
    """The contract's table of creators, sorted by id.

    Attributes:
        text: Columns `CREATOR_TEXTS`.
        price_per_post: In `currency`; NaN unknown, ``(n,)``.
        gifting: Whether a product is taken as pay: 1, 0, or -1 where that is unknown, ``(n,)``.
    """

    text: pa.Table
    platform: Codes
    country: Codes
    language: Codes
    currency: Codes
    price_per_post: Floats
    gifting: NDArray[np.int8]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Creators:
        gifting = table["accepts_gifting"].astype("boolean").astype("Int8").fillna(UNKNOWN)
        return cls(
            text=texts(**{name: table[name] for name in CREATOR_TEXTS}),
            platform=Codes.of(table["platform"]),
            country=Codes.of(table["country"]),
            language=Codes.of(table["language"]),
            currency=Codes.of(table["currency"]),
            price_per_post=table["price_per_post"].to_numpy(np.float64),
            gifting=gifting.to_numpy().astype(np.int8),
        )

    def __len__(self) -> int:
        return len(self.gifting)

    def at(self, name: str, place: int) -> str | None:
        """A creator's text of a column, None where it is missing."""
        return text_at(self.text[name], place)

    def only(self, kept: Mask) -> Creators:
        return Creators(
            text=some_rows(self.text, kept),
            platform=self.platform.only(kept),
            country=self.country.only(kept),
            language=self.language.only(kept),
            currency=self.currency.only(kept),
            price_per_post=self.price_per_post[kept],
            gifting=self.gifting[kept],
        )


@dataclass(frozen=True)
class AudienceShares:
    """What is told of the creators' audiences: row i of `rows` belongs to creator i.

    The same entries stand twice: by creator, and by what they are about, so that a need of an
    audience is looked for among the creators of whom it is told.

    Attributes:
        keys: Each dimension and code that occurs.
        key: Place in `keys` of each entry.
        share: Of each entry.
        about: Rows by key: entries of key k are ``about.of(k)`` of the next two.
        about_creator: Whose each is.
        about_share: Its share.
    """

    rows: Rows
    keys: tuple[tuple[str, str], ...]
    key: NDArray[np.int32]
    share: Floats
    about: Rows
    about_creator: NDArray[np.int32]
    about_share: Floats

    @classmethod
    def of(cls, facts: Facts) -> AudienceShares:
        table = facts.audience
        creator = facts.codes(table["creator_id"].to_numpy(object))
        order = np.argsort(creator, kind="stable")
        pairs = list(zip(table["dimension"].astype(str), table["code"].astype(str), strict=True))
        keys = tuple(sorted(set(pairs)))
        number = {pair: place for place, pair in enumerate(keys)}
        key = np.array([number[pair] for pair in pairs], dtype=np.int32)[order]
        share = table["share"].to_numpy(np.float64)[order]
        return cls.build(_rows(creator, len(facts.creator_id)), keys, key, share)

    @classmethod
    def build(
        cls,
        rows: Rows,
        keys: tuple[tuple[str, str], ...],
        key: NDArray[np.int32],
        share: Floats,
    ) -> AudienceShares:
        """With the entries by key, of those by creator."""
        order = np.argsort(key, kind="stable")
        creator = rows.row.astype(np.int32)[order]
        return cls(rows, keys, key, share, _rows(key, len(keys)), creator, share[order])

    def told(self, dimension: str, code: str) -> tuple[Ints, Floats]:
        """Creators of whom a share is told, whatever the case of the code's letters; and it."""
        wanted = code.casefold()
        found = [
            slice(*self.about.of(place))
            for place, (what, name) in enumerate(self.keys)
            if what == dimension and name.casefold() == wanted
        ]
        creators = [self.about_creator[part] for part in found]
        shares = [self.about_share[part] for part in found]
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(creators).astype(np.int64), np.concatenate(shares)

    def dimension(self, name: str) -> tuple[Ints, NDArray[np.object_], Floats]:
        """Creator, code and share of each entry of a dimension, by creator."""
        about = np.array([what == name for what, _ in self.keys], dtype=bool)
        entries = np.flatnonzero(about[self.key]) if len(self.keys) else np.zeros(0, np.int64)
        codes = np.array([code for _, code in self.keys], dtype=object)
        code = codes[self.key[entries]] if len(codes) else codes
        return self.rows.row_of(entries), code, self.share[entries]

    def only(self, kept: Mask) -> AudienceShares:
        rows, entries = only_rows(self.rows, kept)
        return AudienceShares.build(rows, self.keys, self.key[entries], self.share[entries])


@dataclass(frozen=True)
class Collaborations:
    """Past collaborations, resolved or not, by creator and start.

    Attributes:
        text: Columns `COLLABORATION_TEXTS`.
        clicks: NaN where they are not known.
    """

    rows: Rows
    text: pa.Table
    started_us: Ints
    resolved: Mask
    impressions: Ints
    clicks: Floats
    conversions: Ints

    @classmethod
    def of(cls, facts: Facts) -> Collaborations:
        told = facts.outcomes.take(facts.own_outcomes)
        order = np.lexsort((told.sponsorship_id.astype(str), told.started_us, told.creator))
        return cls(
            rows=_rows(told.creator, len(facts.creator_id)),
            text=texts(
                sponsorship_id=told.sponsorship_id[order],
                campaign_id=told.campaign_id[order],
                brand=told.brand_name[order],
            ),
            started_us=told.started_us[order],
            resolved=(told.resolved_us < facts.as_of_us)[order],
            impressions=told.impressions[order],
            clicks=told.clicks[order],
            conversions=told.conversions[order],
        )

    def __len__(self) -> int:
        return len(self.started_us)

    def only(self, kept: Mask) -> Collaborations:
        rows, entries = only_rows(self.rows, kept)
        return Collaborations(
            rows=rows,
            text=some_rows(self.text, entries),
            started_us=self.started_us[entries],
            resolved=self.resolved[entries],
            impressions=self.impressions[entries],
            clicks=self.clicks[entries],
            conversions=self.conversions[entries],
        )


def _rows(owner: NDArray[Any], size: int) -> Rows:
    """Rows of entries that are sorted by their owner."""
    return Rows(
        np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=size))]).astype(np.int64)
    )


def only_rows(rows: Rows, kept: Mask) -> tuple[Rows, Mask]:
    """Rows of those kept alone, and which entries are theirs."""
    lengths = np.diff(rows.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64)
    return Rows(indptr), np.repeat(kept, lengths)


def some_rows(table: pa.Table, kept: Mask) -> pa.Table:
    """Rows of a table that are kept."""
    return table.filter(pa.array(kept)).combine_chunks()
