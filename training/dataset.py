"""Labelled rows as of each sponsorship's start, and splits by time.

Knows nothing of what is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES
from features.creator import PeerSums
from features.facts import Asks, Facts
from features.pair import BriefProfile, Profiles, pair_features
from features.usual import usual_rates
from features.windows import Floats, Ints
from models.conversion import Labels
from models.profiles import profile_creators
from models.snapshots import BriefReading, Known, read_briefs

Strings = NDArray[np.object_]

# Others drawn for each campaign, and in all: beside ten or so chosen ones, a few times as many.
DRAWN_PER_CAMPAIGN = 30
MAX_DRAWN = 20_000
ROWS_AT_ONCE = 4096  # profiles held at once: 35 MB of 512 dimensions
LATER_OF_EARLY = 0.75  # where the calibration part begins, as a share of what precedes the test


@dataclass(frozen=True)
class Rows:
    """One row a resolved sponsorship, as known when it started.

    Attributes:
        outcome: Place in `Facts.outcomes`, ``(n,)``.
        campaign: Code of the campaign; rows of one are never split, ``(n,)``.
        matrix: Features, ``(n, n_features)``.
        labels: What came of it.
        started_us, resolved_us: ``(n,)``.
    """

    outcome: Ints
    campaign: Ints
    matrix: Floats
    labels: Labels
    started_us: Ints
    resolved_us: Ints

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, rows: Ints) -> Rows:
        return Rows(
            self.outcome[rows],
            self.campaign[rows],
            self.matrix[rows],
            self.labels.take(rows),
            self.started_us[rows],
            self.resolved_us[rows],
        )


def labelled_rows(known: Known, progress: Callable[[int], None] | None = None) -> Rows:
    """Build a row for every sponsorship that is resolved and was seen by anyone."""
    rows, outcomes = resolved(known.facts), known.facts.outcomes
    matrix = rows_of(
        known,
        Asks(outcomes.creator[rows.outcome], rows.started_us),
        outcomes.brief[rows.outcome],
        outcomes.brand[rows.outcome],
        progress,
    )
    return replace(rows, matrix=matrix)


def resolved(facts: Facts) -> Rows:
    """Those rows without features: the matrix is ``(n, 0)``."""
    outcomes = facts.outcomes
    kept = np.flatnonzero((outcomes.resolved_us < facts.as_of_us) & (outcomes.impressions > 0))
    kept = kept[np.lexsort((outcomes.sponsorship_id[kept].astype(str), outcomes.started_us[kept]))]
    campaign = np.unique(outcomes.campaign_id[kept], return_inverse=True)[1]
    return Rows(
        outcome=kept.astype(np.int64),
        campaign=campaign.astype(np.int64),
        matrix=np.empty((len(kept), 0)),
        labels=Labels(
            outcomes.impressions[kept],
            outcomes.clicks[kept],
            outcomes.conversions[kept],
        ),
        started_us=outcomes.started_us[kept],
        resolved_us=outcomes.resolved_us[kept],
    )


@dataclass(frozen=True)
class Period:
    """Rows that one snapshot reads.

    Attributes:
        number: Place in `Known.snapshots`.
        rows: Which of the rows that were asked for, those of one brief together, ``(n,)``.
        briefs: The past briefs as it reads them.
        usual: What similar briefs brought by each row's moment: conversions, clicks, ``(n,)`` each.
    """

    number: int
    rows: Ints
    briefs: BriefReading
    usual: tuple[Floats, Floats]


class There(Protocol):
    """Where the posts are, if they are not here: other machines, which make rows of them.

    Attributes:
        first_post_us: As `Facts.first_post_us`, ``(n_creators,)``.
    """

    @property
    def first_post_us(self) -> Ints: ...

    def rows_of(
        self,
        known: Known,
        asks: Asks,
        brief: Ints,
        brand: Ints,
        progress: Callable[[int], None] | None,
    ) -> Floats:
        """Make rows, as `rows_of` does; of `known` count snapshots and collaborations."""
        ...


@dataclass(frozen=True)
class Elsewhere(Known):
    """What is known where the posts are not: facts without posts, and who has them."""

    there: There


def rows_of(
    known: Known,
    asks: Asks,
    brief: Ints,
    brand: Ints,
    progress: Callable[[int], None] | None = None,
) -> Floats:
    """Build the rows of asks about past briefs, each with the snapshot of its period.

    Args:
        known: Facts and snapshots.
        asks: Whom, as of when, ``(n,)``.
        brief: Place of each row's brief in `Facts.brief_vector`, ``(n,)``.
        brand: Code of each row's brand, ``(n,)``.
        progress: Called with the number of rows done, now and then.

    Returns:
        ``(n, n_features)`` float64.
    """
    if isinstance(known, Elsewhere):
        return known.there.rows_of(known, asks, brief, brand, progress)
    out = np.empty((len(asks), len(FEATURE_NAMES)))
    for period in periods(known, asks, brief, brand):
        fill(out, known, asks, brief, brand, period, progress)
    return out


def periods(known: Known, asks: Asks, brief: Ints, brand: Ints) -> Iterator[Period]:
    """The periods that asks fall in, one at a time; arguments as for `rows_of`."""
    number_of = known.period_of(asks.as_of_us)
    for number in np.unique(number_of).tolist():
        rows = np.flatnonzero(number_of == number)
        rows = rows[np.lexsort((brand[rows], brief[rows]))]
        briefs = read_briefs(known.facts, known.snapshots[number])
        asked, which = np.unique(brief[rows], return_inverse=True)
        usual = usual_rates(
            known.facts.outcomes,
            briefs.subject,
            briefs.subject[asked],
            which.astype(np.int64),
            asks.as_of_us[rows],
        )
        yield Period(number, rows, briefs, usual)


def fill(
    out: Floats,
    known: Known,
    asks: Asks,
    brief: Ints,
    brand: Ints,
    period: Period,
    progress: Callable[[int], None] | None = None,
    peers: PeerSums | None = None,
) -> None:
    """Write the rows of a period into ``(n, n_features)``.

    Args:
        known: Of all creators, or with `peers` of those asked about at least.
        asks, brief, brand, progress: As for `rows_of`.
        peers: What `features.creator.peer_sums` gives of all creators for all asks.
    """
    for start in range(0, len(period.rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = period.rows[part]
        profiles = profile_creators(
            known,
            asks.take(rows),
            progress,
            briefs=period.briefs,
            peers=None if peers is None else peers.take(rows),
            totals=False,
        )
        usual = (period.usual[0][part], period.usual[1][part])
        out[rows] = _paired(known.facts, profiles, brief[rows], brand[rows], period.briefs, usual)


def _paired(
    facts: Facts,
    profiles: Profiles,
    brief: Ints,
    brand: Ints,
    briefs: BriefReading,
    usual: tuple[Floats, Floats],
) -> Floats:
    pairs, which = np.unique(np.column_stack([brief, brand]), axis=0, return_inverse=True)
    asked = [
        BriefProfile(
            facts.brief_vector[place],
            briefs.subject[place],
            briefs.mix[place].astype(np.float64),
            str(facts.brief_language[place]),
            int(code),
        )
        for place, code in pairs
    ]
    rows = np.arange(len(brief), dtype=np.int64)
    return pair_features(profiles, rows, asked, which.ravel().astype(np.int64), usual)


def rows_again(other: Known, known: Known, rows: Rows) -> Floats:
    """The features of the same rows, as `other` has them: ``(n, n_features)``.

    Args:
        other: Another past of the same briefs, or the same read by another encoder.
        known: What the rows were built from.
        rows: Rows of `known`.
    """
    outcomes = known.facts.outcomes
    asks = Asks(outcomes.creator[rows.outcome], rows.started_us)
    return rows_of(other, asks, outcomes.brief[rows.outcome], outcomes.brand[rows.outcome])


@dataclass(frozen=True)
class Candidates:
    """Creators as they stood when a campaign chose: those it chose, and others drawn at random.

    Attributes:
        matrix: Features, ``(n, n_features)``.
        chosen: ``(n,)``.
        resolved_us: When the campaign was known; of a drawn one that of its campaign, ``(n,)``.
    """

    matrix: Floats
    chosen: NDArray[np.bool_]
    resolved_us: Ints

    def before(self, moment_us: int) -> Candidates:
        """Those that were known at a moment."""
        kept = self.resolved_us < moment_us
        return Candidates(self.matrix[kept], self.chosen[kept], self.resolved_us[kept])


def draw_candidates(known: Known, rows: Rows, seed: int) -> Candidates:
    """Draw creators whom each campaign could have chosen: they posted before it, and it did not.

    Args:
        known: Facts and snapshots.
        rows: The labelled rows.
        seed: Of the drawing.
    """
    rng = np.random.default_rng(seed)
    outcomes = known.facts.outcomes
    posted = known.there if isinstance(known, Elsewhere) else known.facts
    first_post = posted.first_post_us
    campaigns, first, inverse = np.unique(rows.campaign, return_index=True, return_inverse=True)
    each = int(np.clip(MAX_DRAWN // max(len(campaigns), 1), 1, DRAWN_PER_CAMPAIGN))
    last_resolved = np.zeros(len(campaigns), dtype=np.int64)
    np.maximum.at(last_resolved, inverse, rows.resolved_us)
    numbers = np.arange(len(campaigns))
    if len(campaigns) > MAX_DRAWN:
        numbers = np.sort(rng.choice(numbers, MAX_DRAWN, replace=False))
    by_campaign = np.argsort(inverse, kind="stable")
    edges = np.searchsorted(inverse[by_campaign], np.arange(len(campaigns) + 1))
    creators, of = [], []
    for number in numbers.tolist():
        could = first_post < rows.started_us[first[number]]
        chose = by_campaign[edges[number] : edges[number + 1]]
        could[outcomes.creator[rows.outcome[chose]]] = False
        others = np.flatnonzero(could)
        drawn = rng.choice(others, min(each, len(others)), replace=False)
        creators.append(drawn)
        of.append(np.full(len(drawn), number))
    creator, campaign = np.concatenate(creators), np.concatenate(of)
    like = rows.outcome[first[campaign]]
    asks = Asks(creator.astype(np.int64), rows.started_us[first[campaign]])
    matrix = rows_of(known, asks, outcomes.brief[like], outcomes.brand[like])
    return Candidates(
        np.concatenate([rows.matrix, matrix]),
        np.arange(len(rows) + len(creator)) < len(rows),
        np.concatenate([rows.resolved_us, last_resolved[campaign]]),
    )


@dataclass(frozen=True)
class Split:
    """Rows to fit on, later rows to stop and calibrate on, and later ones still to judge on.

    Campaigns of `test` began at `test_from_us` or later; nothing of the others was open then.
    """

    fit: Ints
    later: Ints
    test: Ints
    test_from_us: int


def split_by_time(rows: Rows, later_from: float = 0.6, test_from: float = 0.8) -> Split:
    """Cut by time, whole campaigns at once, and leave out what was not resolved at a cut.

    A campaign belongs where its first row starts. A row of an earlier part that was resolved only
    after the next part began would not have been known then: it is in no part.

    Args:
        rows: Labelled rows.
        later_from, test_from: Shares of the rows before each cut.
    """
    ordered = np.sort(_began(rows))
    return _cut(
        rows, ordered[int(len(ordered) * later_from)], ordered[int(len(ordered) * test_from)]
    )


def split_at(rows: Rows, test_from_us: int) -> Split:
    """Cut as `split_by_time` does, with a test part from a given moment on."""
    ordered = np.sort(_began(rows))
    before = ordered[ordered < test_from_us]
    first_cut = before[int(len(before) * LATER_OF_EARLY)] if len(before) else test_from_us
    return _cut(rows, first_cut, test_from_us)


def _began(rows: Rows) -> Ints:
    """When each row's campaign began, ``(n,)``."""
    start = np.full(rows.campaign.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(start, rows.campaign, rows.started_us)
    out: Ints = start[rows.campaign]
    return out


def _cut(rows: Rows, first_cut: int, second_cut: int) -> Split:
    began = _began(rows)
    return Split(
        fit=np.flatnonzero((began < first_cut) & (rows.resolved_us < first_cut)),
        later=np.flatnonzero(
            (began >= first_cut) & (began < second_cut) & (rows.resolved_us < second_cut)
        ),
        test=np.flatnonzero(began >= second_cut),
        test_from_us=int(second_cut),
    )
