"""Which model is served: load the champion, notice a new one, swap it in whole.

A request takes the model once and keeps it to its end, so no answer mixes two. Where the registry
is away, the last bundle that was served goes on. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from features.forgotten import list_state, read_forgotten
from features.schemas import BundleError, DataError, EncoderError, NoModel, RegistryError
from models.bundle import MODEL_NAME, Bundle, load
from models.redact import without
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
        self.registry = Registry(settings.registry_uri, settings.artifacts, patient=False)
        self.served: Served | None = None
        self.trouble: str | None = None
        # The run and the reason, until another version is the champion.
        self._refused: tuple[str, str] | None = None
        self._list = list_state(settings.home)

    def current(self) -> Served:
        """The model to answer with, without creators who are to be forgotten by now.

        Raises:
            NoModel: Nothing was published yet, or it cannot be read.
            DataError: The list of creators to be forgotten cannot be read.
        """
        if self.served is not None and list_state(self.settings.home) != self._list:
            self.served = self._shown(self.served)
        if self.served is None:
            raise NoModel(
                self.trouble or "no model was published yet: run `python -m training train DIR`"
            )
        return self.served

    def refresh(self) -> bool:
        """Load the champion if it is another than the one served; say whether it was swapped."""
        try:
            champion = self.registry.champion()
            if self._refused is not None and (
                champion is None or champion.run_id != self._refused[0]
            ):
                self._refused = None
            if champion is None:
                self.trouble = None
                return False
            if self.served is not None and self.served.version == champion:
                self.trouble = None
                return False
            self._take(champion)
            self.trouble = None
            self._remember(champion)
            return True
        except (RegistryError, BundleError, EncoderError, DataError) as error:
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
            try:
                if await asyncio.to_thread(self.refresh):
                    log.info("now serving version %s", self.current().version.version)
            except Exception:
                # Whatever it was, the model that is loaded goes on, and so does the asking.
                log.exception("asking for a new champion failed")

    def _take(self, version: Version) -> None:
        """Fetch and load a version; what lies damaged on this disk is fetched once more."""
        was_there = (self.settings.bundles / version.run_id).exists()
        try:
            bundle = self._sound(version)
        except BundleError as error:
            if not was_there:
                raise
            log.warning("fetched again: %s", error)
            bundle = self._sound(version, damaged=True)
        self.served = self._shown(Served(version, bundle, datetime.now(UTC)))

    def _sound(self, version: Version, *, damaged: bool = False) -> Bundle:
        """A version's bundle. What was published and is refused is not downloaded at each poll."""
        if self._refused is not None and self._refused[0] == version.run_id:
            raise BundleError(self._refused[1])
        was_there = not damaged and (self.settings.bundles / version.run_id).exists()
        try:
            return self.registry.load(version, self.settings.bundles, damaged=damaged)
        except BundleError as error:
            self._refused = None if was_there else (version.run_id, str(error))
            raise

    def _shown(self, served: Served) -> Served:
        """A model without creators who are to be forgotten, who may still be in its bundle."""
        # Its state before it is read: a change in between is seen at the next request.
        state = list_state(self.settings.home)
        bundle = without(served.bundle, read_forgotten(self.settings.home))
        self._list = state
        return dataclasses.replace(served, bundle=bundle)

    def _remember(self, version: Version) -> None:
        """Note what is served, for a start without the registry."""
        path = self.settings.bundles / LAST_GOOD
        # Not by process id: in containers that share the folder it is the same.
        written = path.with_name(f".{LAST_GOOD}.{uuid.uuid4().hex}")
        try:
            written.write_text(json.dumps({"version": version.version, "run_id": version.run_id}))
            written.replace(path)
        except OSError as error:
            log.warning("the model served is not noted: %s", error)

    def _last_good(self) -> bool:
        """Serve what was served before, where it is still on disk."""
        path = self.settings.bundles / LAST_GOOD
        try:
            said = json.loads(path.read_text())
            version = Version(MODEL_NAME, said["version"], None, said["run_id"])
            bundle = load(self.settings.bundles / version.run_id)
            self.served = self._shown(Served(version, bundle, datetime.now(UTC)))
        except (OSError, ValueError, KeyError, BundleError, EncoderError, DataError) as error:
            log.warning("there is no last good bundle to serve: %s", error)
            return False
        return True
