"""Publishes champions cheaply: versions of one trained bundle that differ in a known way.

Each one's rates are a little higher than those of the one before, so an answer tells which version
gave it. They are saved by the product's own means, and damaged afterwards where that is wanted.
Knows nothing of who serves them.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.damage import DAMAGES
from models import bundle as bundles
from models.bundle import Bundle, Origin
from models.conversion import ConversionModel
from models.probing import ask
from models.registry import Registry, RunRecord, Version

STEP = 0.05  # of the logarithm of the rate, from one version to the next


class Champions:
    """Makes, publishes and promotes versions.

    Args:
        base: A bundle that was learned from outcomes.
        registry: Where they are published.
        folder: Where the bundles are kept as they were saved, whole, by run.
    """

    def __init__(self, base: Bundle, registry: Registry, folder: Path) -> None:
        if not isinstance(base.model, ConversionModel):
            raise ValueError(f"a bundle of outcomes is needed, not of kind {base.model.kind}")
        self.base, self.registry, self.folder = base, registry, folder
        self._model = base.model
        self._made = 0

    def publish(self, damage: str | None = None) -> Version:
        """Publish a new version.

        Args:
            damage: How what is published is damaged, by its name in `DAMAGES`.
        """
        self._made += 1
        fitted = self._model.calibration
        higher = dataclasses.replace(fitted, intercept=fitted.intercept + STEP * self._made)
        model = dataclasses.replace(self._model, calibration=higher)
        bundle = dataclasses.replace(self.base, model=model)
        bundle = dataclasses.replace(bundle, probes=ask(bundle))
        told = self.base.manifest
        origin = Origin(told.kind_reason, told.data, told.params, told.metrics)
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".made.", dir=self.folder) as scratch:
            whole = Path(scratch) / "whole"
            bundle = dataclasses.replace(bundle, manifest=bundles.save(whole, bundle, origin))
            published = Path(scratch) / "published"
            shutil.copytree(whole, published)
            if damage is not None:
                DAMAGES[damage].do(published)
            version = self.registry.publish(published, bundle, _record(damage))
            whole.replace(self.folder / version.run_id)
        return version

    def promote(self, version: Version) -> None:
        """Make a version the champion."""
        self.registry.promote(version.version, "it is its turn")


def _record(damage: str | None) -> RunRecord:
    return RunRecord(
        name=damage or "whole",
        card="A version of a benchmark.",
        params={"damage": damage or "none"},
        metrics={},
        tags={},
        data=pd.DataFrame({"sponsorship_id": ["s1"]}),
        data_digest="0" * 36,
        data_source="a benchmark",
    )
