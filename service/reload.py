"""Which model is served: load the champion, notice a new one, swap it in whole.

A request takes the model once and keeps it to its end, so no answer mixes two. Where the registry
is away, the last bundle that was served goes on. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.schemas import BundleError, EncoderError, NoModel, RegistryError
from models.bundle import Bundle, load
from models.registry import Registry, Version
from service.settings import ServiceSettings

log = logging.getLogger("creatorfit.reload")

LAST_GOOD = "last_good.json"
JITTER = 0.2  # of the polling time, so that workers do not ask all at once


@dataclass(frozen=True)
class Served:
    """A model in use."""

    version: Version
    bundle: Bundle
    loaded_at: datetime


class ModelHolder:
    """Holds the model that is served.

    Attributes:
        served: The model, or None where there is none yet.
        trouble: Why the registry or its champion could not be used, or None.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.registry = Registry(settings.registry_uri, settings.artifacts)
        self.served: Served | None = None
        self.trouble: str | None = None

    def current(self) -> Served:
        """The model to answer with.

        Raises:
            NoModel: Nothing was published yet, or it cannot be read.
        """
        if self.served is None:
            raise NoModel(
                self.trouble or "no model was published yet: run `python -m training train`"
            )
        return self.served

    def refresh(self) -> bool:
        """Load the champion if it is another than the one served; say whether it was swapped."""
        try:
            champion = self.registry.champion()
            if champion is None:
                self.trouble = None
                return False
            if self.served is not None and self.served.version == champion:
                self.trouble = None
                return False
            folder = self.registry.fetch(champion, self.settings.bundles)
            self._take(champion, folder)
            self.trouble = None
            self._remember(champion)
            return True
        except (RegistryError, BundleError, EncoderError) as error:
            if str(error) != self.trouble:
                log.warning("the model is not refreshed: %s", error)
            self.trouble = str(error)
            if self.served is None:
                return self._last_good()
            return False

    async def poll(self) -> None:
        """Ask for a new champion for ever."""
        while True:
            wait = self.settings.poll_seconds * random.uniform(1 - JITTER, 1 + JITTER)
            await asyncio.sleep(wait)
            if await asyncio.to_thread(self.refresh):
                log.info("now serving version %s", self.current().version.version)

    def _take(self, version: Version, folder: Path) -> None:
        self.served = Served(version, load(folder), datetime.now(UTC))

    def _remember(self, version: Version) -> None:
        path = self.settings.bundles / LAST_GOOD
        written = path.with_name(f".{LAST_GOOD}.{os.getpid()}")
        written.write_text(json.dumps({"version": version.version, "run_id": version.run_id}))
        written.replace(path)

    def _last_good(self) -> bool:
        """Serve what was served before, where it is still on disk."""
        path = self.settings.bundles / LAST_GOOD
        try:
            said = json.loads(path.read_text())
            version = Version("creatorfit", said["version"], None, said["run_id"])
            self._take(version, self.settings.bundles / version.run_id)
        except (OSError, ValueError, KeyError, BundleError, EncoderError) as error:
            log.warning("there is no last good bundle to serve: %s", error)
            return False
        return True
