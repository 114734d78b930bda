"""Settings of training, from environment variables with the prefix ``CREATORFIT_``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from features.schemas import DEFAULT_CURRENCY
from features.settings import HomeSettings
from features.text import DEFAULT_ENCODER
from training.world_truth import is_simulated

if TYPE_CHECKING:
    from models.conversion_fit import FitParams


class TrainingSettings(HomeSettings):
    """What a training run may be told."""

    encoder: str = Field(
        DEFAULT_ENCODER,
        description="Text encoder: a built-in's name, or any sentence-transformers name or folder, "
        "with `static:` before it for a table of its word pieces",
    )
    currency: str = Field(
        DEFAULT_CURRENCY,
        description="The currency in which prices count; others are unknown",
    )
    threads: int = Field(2, ge=1, description="Processor threads that LightGBM uses")
    scheduler: str = Field(
        "",
        description="Address of a Dask scheduler, such as tcp://host:8786: `train` runs on its "
        "workers; empty: in one process",
    )
    simulated: bool = Field(
        False,
        description="The tables hold simulated data: every report says so (worlds of `simulate` "
        "are known without it)",
    )
    seed: int = Field(0, description="Seed of all chance in training")

    def calls_simulated(self, source: str) -> bool:
        """Whether what comes of some tables is to be called simulated."""
        return self.simulated or is_simulated(source)

    @property
    def fit_params(self) -> FitParams:
        from models.conversion_fit import FitParams  # brings LightGBM, which most commands need not

        return FitParams(seed=self.seed, threads=self.threads)
