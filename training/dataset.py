"""Labelled rows as of each sponsorship's start, and splits by time.

Knows nothing of what is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.facts import Asks
from features.pair import pair_features
from features.windows import Floats, Ints
from models.conversion import Labels
from models.profiles import Known, profile_brief, profile_creators


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
class Split:
    """Rows to fit on, later rows to stop and calibrate on, and later ones still to judge on."""

    fit: Ints
    later: Ints
    test: Ints


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
    )
