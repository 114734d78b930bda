"""What a detector found against what is true. Knows nothing of what it looks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Counts over examples; rates are None where there is nothing to divide by."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float | None:
        """Of what was flagged, the share that is so."""
        flagged = self.hits + self.false_alarms
        return self.hits / flagged if flagged else None

    @property
    def recall(self) -> float | None:
        """Of what is so, the share that was flagged."""
        there = self.hits + self.misses
        return self.hits / there if there else None
