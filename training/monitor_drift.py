"""What a monitor compares then and now: creators, asks, and predictions for both.

Creators are those that are served, each as known when the version was made and as known now. Asks
are past collaborations as known at their starts, those of campaigns before that moment and those
since. Both are built by the one definition of every feature. Knows nothing of outcomes, nor of what
follows from a drift.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.catalogue import BY_NAME, CREATOR_FEATURES, FEATURE_NAMES, FEATURES, PROFILE_FEATURES
from features.pair import pair_features
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints
from models.bundle import Bundle
from models.index import Index
from models.niche import NicheModel
from models.projection import Projection
from models.snapshots import Known, profile_brief
from training.dataset import Rows
from training.drift import Sample, Shift, shifts
from training.judging import Model, predict

# Fewer units on a side, or rows, and nothing is said of a distribution.
MIN_UNITS, MIN_ROWS = 10, 50
CREATORS_LOOKED_AT = 3000
BRIEFS_LOOKED_AT = 10
YEAR_DAYS = 365
# All creators are looked at on one day, so what a feature of a shorter memory tells is the weeks
# before that day: how many campaigns ran then, for everybody alike. In SIMULATED worlds that went
# on unchanged `collaborations_90d` moved by more than 0.25 in 2 of 5, `days_since_post` in 2 of 4.
# Asks are of many days, so there such a feature may alarm.
SEASON_DAYS = 90
SEASON = "all creators are looked at on one day, and it tells of the weeks before that"
PREDICTED = "prediction"

_CLOCK = "it counts the days that pass"
_GROWTH = "accounts grow with time"
_HISTORY = "outcomes add up with time, and what is shrunk is shrunk less"
# What moves by its definition while the world stands still. It is told, and raises no alarm.
MOVES_WITH_TIME: Mapping[str, str] = {
    "days_active": _CLOCK,
    "niche_tenure_days": _CLOCK,
    "days_since_sponsored": "it reaches back to the first post in the tables",
    "followers_log": _GROWTH,
    "tier": _GROWTH,
    "past_impressions_log": _HISTORY,
    "past_click_rate": _HISTORY,
    "past_conversion_rate": _HISTORY,
    "past_lift_similar": _HISTORY,
    "past_click_lift_similar": _HISTORY,
    "category_rate": _HISTORY,
    "category_click_rate": _HISTORY,
}
CODED = tuple(feature.name for feature in FEATURES if feature.unit in ("code", "flag"))
OF_CREATOR_NAMES = tuple(feature.name for feature in CREATOR_FEATURES + PROFILE_FEATURES)


@dataclass(frozen=True)
class Watched:
    """The version that is watched, as it was when it was made.

    Attributes:
        name: Such as ``version 3``.
        index: Every creator then.
        niche, projection: How texts were read then.
        ndcg10: On the rows it was judged on then; NaN where it was not.
    """

    name: str
    model: Model
    index: Index
    niche: NicheModel
    projection: Projection
    ndcg10: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """One thing then and now.

    Attributes:
        name: What is compared.
        unit: What changes sides as a whole: creators or campaigns.
        units_then, units_now, rows_then, rows_now: How many.
        shifts: Of every column, the largest first; none where `silent` says why.
        expected: Why a column moves by its nature, by its name.
    """

    name: str
    unit: str
    units_then: int
    units_now: int
    rows_then: int
    rows_now: int
    shifts: tuple[Shift, ...]
    expected: Mapping[str, str]
    silent: str = ""

    @property
    def alarming(self) -> tuple[Shift, ...]:
        """What moved far, beyond chance, and not by its nature."""
        return tuple(one for one in self.shifts if one.moved and one.name not in self.expected)


def watched_of(bundle: Bundle, name: str) -> Watched:
    """A version's bundle, to be watched."""
    ndcg10 = bundle.manifest.metrics.get("rank_ndcg10", float("nan"))
    return Watched(name, bundle.model, bundle.index, bundle.niche, bundle.projection, ndcg10)


def compare(
    watched: Watched, known: Known, index: Index, rows: Rows, seed: int = 0
) -> tuple[Comparison, ...]:
    """Compare creators, asks and predictions then and now.

    Args:
        watched: The version.
        known: What the rows were built from.
        index: Every creator now.
        rows: All labelled rows, old and new.
        seed: Of the permutations.
    """
    then_us = watched.index.as_of_us
    first_us = int(known.facts.posts.timeline.time_us.min(initial=then_us))
    before, after = _creators(watched.index, index)
    scores = _served(watched, known, index, (before, after))
    old, new = asks(rows, then_us, first_us)
    first_asked_us = int(rows.started_us[old].min(initial=then_us))
    score = np.zeros((0, 1))
    if len(rows):
        score = predict(watched.model, rows.matrix).score[:, np.newaxis]
    return (
        compared(
            "creators",
            "creators",
            Sample(_of_creator(watched.index)[before.place], before.code),
            Sample(_of_creator(index)[after.place], after.code),
            OF_CREATOR_NAMES,
            then_us - first_us,
            seed,
            one_day=True,
        ),
        compared(
            "asks",
            "campaigns",
            Sample(rows.matrix[old], rows.campaign[old]),
            Sample(rows.matrix[new], rows.campaign[new]),
            FEATURE_NAMES,
            first_asked_us - first_us,
            seed,
        ),
        compared("predictions for creators", "creators", *scores, (PREDICTED,), 0, seed),
        compared(
            "predictions for asks",
            "campaigns",
            Sample(score[old], rows.campaign[old]),
            Sample(score[new], rows.campaign[new]),
            (PREDICTED,),
            0,
            seed,
        ),
    )


def compared(
    name: str,
    unit: str,
    then: Sample,
    now: Sample,
    columns: Sequence[str],
    known_for_us: int,
    seed: int = 0,
    *,
    one_day: bool = False,
) -> Comparison:
    """Compare one thing then and now, or say why it cannot be.

    Args:
        name: What is compared.
        unit: What its units are.
        then, now: The columns at both times.
        columns: Their names.
        known_for_us: For how long things had been known when the first row of `then` was asked.
        seed: Of the permutations.
        one_day: Whether all rows of a side are of one moment.
    """
    sizes = (then.units, now.units, len(then), len(now))
    silent = ""
    if min(sizes[:2]) < MIN_UNITS or min(sizes[2:]) < MIN_ROWS:
        silent = (
            f"too few to compare: {sizes[0]:,} {unit} with {sizes[2]:,} rows then and {sizes[1]:,} "
            f"with {sizes[3]:,} now, and {MIN_UNITS} with {MIN_ROWS} are needed on each side"
        )
        return Comparison(name, unit, *sizes, (), {}, silent)
    found = shifts(then, now, columns, CODED, seed)
    return Comparison(
        name,
        unit,
        *sizes,
        tuple(sorted(found, key=lambda one: (-one.size, one.name))),
        moves_by_nature(columns, known_for_us, one_day=one_day),
    )


def moves_by_nature(
    columns: Sequence[str], known_for_us: int, *, one_day: bool = False
) -> dict[str, str]:
    """Why columns move while the world stands still.

    Those of `MOVES_WITH_TIME`, those whose windows were not yet full, and, where all rows of a side
    are of one day, those of a short memory.

    Args:
        columns: Names of features.
        known_for_us: For how long things had been known when the first row was asked.
        one_day: Whether all rows of a side are of one moment.
    """
    out = {}
    for name in columns:
        if name in MOVES_WITH_TIME:
            out[name] = MOVES_WITH_TIME[name]
        elif name in BY_NAME:
            days = max(_days(name), default=0)
            if days * MICROSECONDS_PER_DAY > known_for_us:
                out[name] = f"its {days} days reached back before the first post in the tables"
            elif one_day and (0 < days <= SEASON_DAYS or name == "days_since_post"):
                out[name] = SEASON
    return out


def _days(name: str) -> list[int]:
    """All numbers of days in a feature's formula."""
    return [int(found) for found in re.findall(r"(\d+) days", BY_NAME[name].formula)]


def asks(rows: Rows, then_us: int, first_us: int) -> tuple[Ints, Ints]:
    """Rows of campaigns that began before a moment, and since.

    Of the old ones only those that a whole year was known of, where there are enough.

    Args:
        rows: Labelled rows.
        then_us: The moment.
        first_us: When the first post was.
    """
    began = np.full(rows.campaign.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(began, rows.campaign, rows.started_us)
    old = began[rows.campaign] < then_us
    full = old & (rows.started_us >= first_us + YEAR_DAYS * MICROSECONDS_PER_DAY)
    if len(np.unique(rows.campaign[full])) >= MIN_UNITS and full.sum() >= MIN_ROWS:
        return np.flatnonzero(full), np.flatnonzero(~old)
    return np.flatnonzero(old), np.flatnonzero(~old)


@dataclass(frozen=True)
class _Looked:
    """Creators that are looked at: their places in an index, and codes that are the same in all."""

    place: Ints
    code: Ints


def _creators(then: Index, now: Index) -> tuple[_Looked, _Looked]:
    """Creators of either time, every so many of them where they are very many."""
    ids = [index.ids for index in (then, now)]
    everyone, code = np.unique(np.concatenate(ids), return_inverse=True)
    size = min(len(everyone), CREATORS_LOOKED_AT)
    chosen = np.linspace(0, len(everyone) - 1, size).astype(np.int64)
    parts = []
    for own in (code[: len(ids[0])], code[len(ids[0]) :]):
        place = np.flatnonzero(np.isin(own, chosen))
        parts.append(_Looked(place.astype(np.int64), own[place].astype(np.int64)))
    return parts[0], parts[1]


def _of_creator(index: Index) -> Floats:
    """What is known of each creator without a brief, ``(n_creators, n_columns)``."""
    return np.column_stack([index.profiles.numbers.values, index.profiles.niche_values])


def _served(
    watched: Watched, known: Known, index: Index, looked: tuple[_Looked, _Looked]
) -> tuple[Sample, Sample]:
    """Scores of creators for the latest campaigns' briefs, as they stood then and stand now."""
    outcomes, latest = known.facts.outcomes, known.snapshots[-1]
    order = np.lexsort((outcomes.campaign_id.astype(str), -outcomes.started_us))
    _, first = np.unique(outcomes.campaign_id[order].astype(str), return_index=True)
    chosen = order[np.sort(first)[:BRIEFS_LOOKED_AT]]
    times = (
        (watched.index, watched.niche, watched.projection),
        (index, latest.model, latest.projection),
    )
    samples = []
    if len(chosen) == 0:
        return Sample(np.zeros((0, 1)), chosen), Sample(np.zeros((0, 1)), chosen)
    for (there, niche, projection), who in zip(times, looked, strict=True):
        briefs = [
            profile_brief(
                niche,
                projection,
                known.facts.brief_vector[outcomes.brief[row]],
                str(known.facts.brief_language[outcomes.brief[row]]),
                int(outcomes.brand[row]),
            )
            for row in chosen
        ]
        number = np.repeat(np.arange(len(briefs), dtype=np.int64), len(who.place))
        matrix = pair_features(there.profiles, np.tile(who.place, len(briefs)), briefs, number)
        score = watched.model.predict(matrix).score[:, np.newaxis]
        samples.append(Sample(score, np.tile(who.code, len(briefs))))
    return samples[0], samples[1]
