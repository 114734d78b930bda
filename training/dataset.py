"""Labelled rows as of each sponsorship's start, and splits by time.

Knows nothing of what is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.facts import Asks
from features.pair import pair_features
from features.windows import Floats, Ints
from models.conversion import Labels
from models.profiles import Known, profile_brief, profile_creators

Strings = NDArray[np.object_]

# Others drawn for each campaign, and in all: beside ten or so chosen ones, a few times as many.
DRAWN_PER_CAMPAIGN = 30
MAX_DRAWN = 20_000


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
    outcomes = known.facts.outcomes
    kept = np.flatnonzero(
        (outcomes.resolved_us < known.facts.as_of_us) & (outcomes.impressions > 0)
    )
    kept = kept[np.lexsort((outcomes.sponsorship_id[kept].astype(str), outcomes.started_us[kept]))]
    matrix = rows_of(
        known,
        Asks(outcomes.creator[kept], outcomes.started_us[kept]),
        outcomes.brief[kept],
        outcomes.brand[kept],
        progress,
    )
    campaign = np.unique(outcomes.campaign_id[kept], return_inverse=True)[1]
    return Rows(
        outcome=kept.astype(np.int64),
        campaign=campaign.astype(np.int64),
        matrix=matrix,
        labels=Labels(
            outcomes.impressions[kept],
            outcomes.clicks[kept],
            outcomes.conversions[kept],
        ),
        started_us=outcomes.started_us[kept],
        resolved_us=outcomes.resolved_us[kept],
    )


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

    Returns:
        ``(n, n_features)`` float64.
    """
    period = known.period_of(asks.as_of_us)
    parts: list[tuple[Ints, Floats]] = []
    for number in np.unique(period):
        here = np.flatnonzero(period == number)
        profiles = profile_creators(known, asks.take(here), progress)
        snapshot = known.snapshots[int(number)]
        pairs, which = np.unique(
            np.column_stack([brief[here], brand[here]]), axis=0, return_inverse=True
        )
        briefs = [
            profile_brief(
                snapshot.model,
                snapshot.projection,
                known.facts.brief_vector[place],
                str(known.facts.brief_language[place]),
                int(code),
            )
            for place, code in pairs
        ]
        rows = np.arange(len(here), dtype=np.int64)
        parts.append(
            (
                here,
                pair_features(profiles, rows, briefs, which.ravel().astype(np.int64)),
            )
        )
    width = parts[0][1].shape[1] if parts else 0
    out = np.empty((len(asks), width))
    for here, values in parts:
        out[here] = values
    return out


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
    outcomes, posts = known.facts.outcomes, known.facts.posts.timeline
    n = len(known.facts.creator_id)
    first_post = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(first_post, posts.group, posts.time_us)
    campaigns, first, inverse = np.unique(rows.campaign, return_index=True, return_inverse=True)
    each = int(np.clip(MAX_DRAWN // max(len(campaigns), 1), 1, DRAWN_PER_CAMPAIGN))
    last_resolved = np.zeros(len(campaigns), dtype=np.int64)
    np.maximum.at(last_resolved, inverse, rows.resolved_us)
    creators, of = [], []
    for number, row in enumerate(first):
        could = first_post < rows.started_us[row]
        could[outcomes.creator[rows.outcome[inverse == number]]] = False
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
    start = np.full(rows.campaign.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(start, rows.campaign, rows.started_us)
    began = start[rows.campaign]
    ordered = np.sort(began)
    first_cut = ordered[int(len(ordered) * later_from)]
    second_cut = ordered[int(len(ordered) * test_from)]
    return Split(
        fit=np.flatnonzero((began < first_cut) & (rows.resolved_us < first_cut)),
        later=np.flatnonzero(
            (began >= first_cut) & (began < second_cut) & (rows.resolved_us < second_cut)
        ),
        test=np.flatnonzero(began >= second_cut),
        test_from_us=int(second_cut),
    )
