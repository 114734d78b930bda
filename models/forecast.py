"""What a plan may bring: simulated from what is not known of each creator.

Adding up the lows of several creators would say too little, for they are not all low at once; but
neither are they apart: what a model does not know of a brief it does not know of all its creators.
`ConversionModel.draw_rates` draws rates with both. Knows nothing of how creators were chosen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.windows import Floats
from models.conversion import SIGMAS

DRAWS = 4_000


@dataclass(frozen=True)
class Forecast:
    """Quantiles of the conversions that something brings."""

    p10: float
    p50: float
    p90: float


def seed_of(text: str) -> int:
    """A seed from a text: what is asked again is answered by the same chances."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def draw_conversions(
    rates: Floats,
    impressions: Floats,
    low: Floats,
    high: Floats,
    kept: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Draw what each creator of a plan brings, ``(draws, n)``.

    Draws of rates times draws of impressions, then counts.

    Args:
        rates: Draws of each creator's true rate, ``(draws, n)``.
        impressions, low, high: Estimate and 80% interval of each creator's impressions, ``(n,)``.
        kept: Share of what each brings that the others do not bring too, ``(n,)``.
        rng: Where chance comes from.
    """
    spread = np.log(high / low) / (2 * SIGMAS)
    centre = np.log(impressions) - spread**2 / 2
    seen = np.exp(centre + spread * rng.standard_normal(rates.shape))
    drawn: NDArray[np.int64] = rng.poisson(rates * seen * kept)
    return drawn.astype(np.float64)


def forecast(total: Floats) -> Forecast:
    """Quantiles of draws, ``(draws,)``."""
    p10, p50, p90 = np.quantile(total, [0.1, 0.5, 0.9])
    return Forecast(float(p10), float(p50), float(p90))
