"""Whose audiences overlap, and how much: people in segments, from what is known of each audience.

A segment is a market (a country and a language) and an interest. Shares of an audience come from
the `audience` table where it speaks of the creator, else from the creator's country, from the
languages and the topics of the posts. How many people live in a segment is not in any table. It is
worked out from all creators of the index: `FOLLOWS` of them are taken to be followed by each
person, and `ACROSS` of the people to follow creators on any platform, the others on one alone. Both
are assumptions, and said to be.

Knows nothing of briefs, prices or plans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.schemas import PLATFORMS
from features.windows import Floats, Ints
from models.index import Index
from models.portfolio import FULL, Audience, Mask

FOLLOWS = 5.0  # creators of the catalogue that a person of an audience follows: assumed
ACROSS = 0.5  # share of the people who follow creators on any platform: assumed
HOME = 0.6  # share of an audience in the creator's country, where no audience tells it: assumed
MARKETS = 24  # the largest; nobody is taken to be reached twice in the others
CELLS = 80  # pairs of market and interest that a plan looks at, the fullest, and of those, by
SEGMENTS = 200  # platform too, the segments of most worth; in the others nobody is reached twice

ASSUMED = (
    f"a person is taken to follow {FOLLOWS:g} creators of the catalogue, half of the people on any "
    "platform and half on one alone"
)


@dataclass(frozen=True)
class Audiences:
    """Where the audience of every creator lives and what it likes.

    Attributes:
        followers: ``(n,)``; 0 where unknown.
        platform: Place in `PLATFORMS`, ``(n,)``.
        market: Share of the audience in each of the largest markets, ``(n, n_markets)``.
        interest: Share of each interest, ``(n, n_niches)``; rows add up to 1.
        known: Whether the `audience` table speaks of the creator, ``(n,)``.
    """

    followers: Floats
    platform: Ints
    market: Floats
    interest: Floats
    known: Mask

    @cached_property
    def people(self) -> Floats:
        """People in each segment, who follow creators on each platform alone and, last, on any.

        ``(n_platforms + 1, n_markets, n_niches)``.
        """
        size = (len(PLATFORMS), self.market.shape[1], self.interest.shape[1])
        out = np.zeros((size[0] + 1, *size[1:]))
        for platform in np.unique(self.platform):
            here = self.platform == platform
            weighted = self.market[here] * self.followers[here, np.newaxis]
            out[platform] = weighted.T @ self.interest[here] / FOLLOWS
        out[-1] = ACROSS * out[:-1].sum(axis=0)
        out[:-1] *= 1 - ACROSS
        return out

    def reach(self, places: Ints, impressions: Floats, rate: Floats) -> Audience:
        """Whom a post of each of some creators reaches.

        Args:
            places: Of the creators, ``(k,)``.
            impressions: Expected of a post; each is taken to be another person, ``(k,)``.
            rate: Conversions for each impression, ``(k,)``.
        """
        seen = np.nan_to_num(impressions)
        joint = np.einsum("im,ij->imj", self.market[places], self.interest[places])
        joint = joint.reshape(len(places), self.market.shape[1] * self.interest.shape[1])
        mass = (seen * np.nan_to_num(rate)) @ joint
        cells = np.sort(np.argsort(-mass, kind="stable")[:CELLS])
        views = seen[:, np.newaxis] * joint[:, cells]
        people = self.people.reshape(len(PLATFORMS) + 1, -1)[:, cells]
        used = np.unique(self.platform[places])
        parts = [
            (views * (1 - ACROSS) * (self.platform[places] == one)[:, np.newaxis], people[one])
            for one in used
        ]
        parts.append((views * ACROSS, people[-1]))
        size = np.concatenate([living for _, living in parts])
        wanted = np.concatenate([part for part, _ in parts], axis=1)
        worth = np.nan_to_num(rate) @ np.minimum(wanted, FULL * size)
        kept = np.sort(np.argsort(-worth, kind="stable")[:SEGMENTS])
        kept = kept[worth[kept] > 0]
        inside = wanted[:, kept]
        elsewhere = seen - inside.sum(axis=1)
        return Audience.of_views(np.nan_to_num(rate), size[kept], inside, elsewhere)


def audiences(index: Index, resolve: Callable[[str], str | None]) -> Audiences:
    """The audience of every creator of an index.

    Args:
        index: The creators.
        resolve: The niche's label for a name that a person wrote, or None.
    """
    country, told_country = _countries(index)
    interest, told_interest = _interests(index, resolve)
    return Audiences(
        followers=np.nan_to_num(index.profiles.numbers.followers),
        platform=_platforms(index),
        market=_markets(index, country),
        interest=interest,
        known=told_country | told_interest,
    )


def _platforms(index: Index) -> Ints:
    """Place in `PLATFORMS` of each creator's."""
    platform = index.creators.platform
    return np.array([PLATFORMS.index(name) for name in platform.names], dtype=np.int64)[
        platform.code
    ]


def _countries(index: Index) -> tuple[Floats, Mask]:
    """Share of each country in every audience, and of whom it is known, ``(n, n_countries)``."""
    place, code, share = index.audience.dimension("country")
    own = index.creators.country
    upper = {name: name.upper() for name in set(code)}
    names = sorted({*upper.values(), *own.names})
    column = {name: number for number, name in enumerate(names)}
    out = np.zeros((len(index), len(names)))
    np.add.at(out, (place, _numbers(code, {name: column[upper[name]] for name in upper})), share)
    total = out.sum(axis=1)
    out /= np.maximum(total, 1.0)[:, np.newaxis]  # measured with error: a little over 1 at times
    known = total > 0
    at = np.array([*(column[name] for name in own.names), -1], dtype=np.int64)[own.code]
    placed = known & (at >= 0)
    home = float(out[placed, at[placed]].mean()) if placed.any() else HOME
    abroad = (
        out[known].mean(axis=0) if known.any() else np.bincount(at[at >= 0], minlength=len(names))
    )
    abroad = abroad / max(abroad.sum(), 1e-12)
    guessed = np.flatnonzero(~known)
    out[guessed] = abroad
    at_home = guessed[at[guessed] >= 0]
    out[at_home] *= 1 - home
    out[at_home, at[at_home]] += home
    return out, known


def _numbers(texts: NDArray[np.object_], number: dict[str, int]) -> Ints:
    return np.fromiter((number[text] for text in texts), dtype=np.int64, count=len(texts))


def _markets(index: Index, country: Floats) -> Floats:
    """Share of each of the largest pairs of country and language, ``(n, at most MARKETS)``."""
    spoken = _languages(index)
    followers = np.nan_to_num(index.profiles.numbers.followers)
    mass = (country * followers[:, np.newaxis]).T @ spoken
    largest = np.argsort(-mass.ravel(), kind="stable")[:MARKETS]
    at, language = np.unravel_index(np.sort(largest), mass.shape)
    out: Floats = country[:, at] * spoken[:, language]
    return out


def _languages(index: Index) -> Floats:
    """Share of each language in every audience, ``(n, n_languages)``; rows add up to 1 at most."""
    profiles = index.profiles
    out = profiles.audience_language.copy()
    for guess in (profiles.posts_language, np.eye(len(profiles.languages))[profiles.speaks]):
        missing = np.isnan(out[:, 0])
        out[missing] = guess[missing]
    out = np.nan_to_num(out)
    shares: Floats = out / np.maximum(out.sum(axis=1), 1.0)[:, np.newaxis]
    return shares


def _interests(index: Index, resolve: Callable[[str], str | None]) -> tuple[Floats, Mask]:
    """Share of each niche in every audience's interests, and of whom it is known."""
    mix = index.profiles.mix.copy()
    silent = np.isnan(mix[:, 0])
    usual = (
        mix[~silent].mean(axis=0) if (~silent).any() else np.full(mix.shape[1], 1 / mix.shape[1])
    )
    mix[silent] = usual
    place, code, share = index.audience.dimension("interest")
    label = {name: resolve(name) for name in sorted(set(code))}
    column = _numbers(
        code, {name: -1 if to is None else index.labels.index(to) for name, to in label.items()}
    )
    named = column >= 0
    told = np.zeros(mix.shape)
    np.add.at(told, (place[named], column[named]), share[named])
    total = told.sum(axis=1)
    told /= np.maximum(total, 1.0)[:, np.newaxis]
    # What the table names stands; the rest is spread as the posts are.
    others = np.where(told > 0, 0.0, mix)
    others /= np.maximum(others.sum(axis=1), 1e-12)[:, np.newaxis]
    left = np.clip(1 - told.sum(axis=1), 0.0, 1.0)
    out = np.where((total > 0)[:, np.newaxis], told + left[:, np.newaxis] * others, mix)
    return out, total > 0
