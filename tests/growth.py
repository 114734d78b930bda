"""How the processor's time of reading a text grows with its length: a ratio within one run."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMES = 8
# Eight times the text takes about 8 times as long where it is linear, and 64 where it is quadratic.
AT_MOST = 22
FLOOR_SECONDS = 0.002  # below which a clock says nothing


def grows_with_the_length(read: Callable[[str], object], seed: str, short: int = 4_000) -> bool:
    """Whether reading a text of some words again and again is no slower for each of them.

    Args:
        read: What is done to a text.
        seed: The words.
        short: Characters of the shorter of two texts.
    """

    def least_seconds(chars: int) -> float:
        text = (seed * (chars // len(seed) + 1))[:chars]
        runs = []
        for _ in range(3):
            started = time.process_time()
            read(text)
            runs.append(time.process_time() - started)
        return min(runs)

    return least_seconds(short * TIMES) < AT_MOST * max(least_seconds(short), FLOOR_SECONDS)
