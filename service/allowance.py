"""How often each key may ask: a bucket of tokens for each, which fills as time goes by.

Each process counts for itself: of N processes a key may ask up to N times as much. One count for
all would need a store that every request waits for; the package `limits`, which knows such stores,
has windows and no bucket. Knows nothing of HTTP, nor of what a key is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Bucket:
    tokens: float
    at_seconds: float


class Allowance:
    """What each of some names may still ask.

    Args:
        per_minute: Requests that come back in a minute.
        at_once: Requests that may come at once, after a while without any.
    """

    def __init__(self, per_minute: float, at_once: int) -> None:
        self.per_second = per_minute / 60
        self.at_once = at_once
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, now_seconds: float) -> float:
        """Take one request, if there is one.

        Args:
            name: Whose.
            now_seconds: By a clock that never goes back.

        Returns:
            0 where it may be answered; else the seconds until the next one may.
        """
        bucket = self._buckets.setdefault(name, _Bucket(self.at_once, now_seconds))
        gained = (now_seconds - bucket.at_seconds) * self.per_second
        bucket.tokens = min(self.at_once, bucket.tokens + gained)
        bucket.at_seconds = now_seconds
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.per_second
        bucket.tokens -= 1
        return 0.0
