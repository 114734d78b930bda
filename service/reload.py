"""Which model is served: load the champion, notice a new one, swap it in whole.

A new champion is loaded beside the one that serves and asked what it was asked when it was saved
(`models.probing`); only then does it take over, at once. A request takes the model once and keeps
it to its end, so no answer mixes two. A champion that is damaged or answers otherwise is refused,
and the model before it goes on; so does the last one that was served where the registry is away.
Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from features.forgotten import Forgotten, ForgottenList
from features.schemas import (
    BundleError,
    BundleFault,
    DataError,
    EncoderError,
    NoModel,
    RegistryError,
)
from models.bundle import MODEL_NAME, Bundle
from models.probing import load_sound
from models.redact import without
from models.registry import Registry, Version
from service.settings import ServiceSettings

log = logging.getLogger("creatorfit.reload")

LAST_GOOD = "last_good.json"
JITTER = 0.2  # of the polling time, so that workers do not ask all at once


@dataclass(frozen=True)
class Served:
    """A model in use.

    Attributes:
        without: Those to be forgotten, of whom `bundle` holds nobody.
    """

    version: Version
    bundle: Bundle
    loaded_at: datetime
    without: Forgotten


@dataclass(frozen=True)
class Refused:
    """A champion that is not served, and why.

    Attributes:
        kind: The reason in one word.
        at: When it was refused first.
    """

    version: Version
    kind: BundleFault
    reason: str
    at: datetime

    def error(self) -> BundleError:
        """The same as an error that names the version."""
        return BundleError(f"version {self.version.version} is refused: {self.reason}", self.kind)


class ModelHolder:
    """Holds the model that is served.

    Attributes:
        served: The model, or None where there is none yet.
        trouble: Why the registry or its champion could not be used, or None.
        refused: The champion, where it was refused; None once another one is the champion.
        refusals: How many champions were refused, by the reason in one word.
        swaps: How often a model was taken up, the first one included.
        forgotten: Creators who are shown to nobody.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.registry = Registry(settings.registry_uri, settings.artifacts, patient=False)
        self.served: Served | None = None
        self.trouble: str | None = None
        self.refused: Refused | None = None
        self.refusals: Counter[BundleFault] = Counter()
        self.swaps = 0
        self.forgotten = ForgottenList(settings.home)
        self._swapping = threading.Lock()

    def current(self) -> Served:
        """The model to answer with, without creators who are to be forgotten by now.

        Raises:
            NoModel: Nothing was published yet, or it cannot be read.
            DataError: The list of creators to be forgotten cannot be read.
        """
        served = self.served
        if served is None:
            raise NoModel(
                self.trouble or "no model was published yet: run `python -m training train DIR`"
            )
        listed = self.forgotten.now()
        if served.without is listed:
            return served
        with self._swapping:  # nobody else swaps meanwhile, and one request does it for all
            if self.served is not None:
                served = self.served
            if served.without is not listed:
                served = self.served = _shown(served, listed)
            return served

    def start(self) -> None:
        """Load the champion as `refresh` does, when nothing is served yet.

        Loading MLflow to ask for it takes 1.5 s. Meanwhile what was served last is loaded, which
        is the champion unless that changed while the service was down.
        """
        with ThreadPoolExecutor(1) as beside:
            asked = beside.submit(self.registry.champion)
            # Whatever is wrong with the one or the other, `refresh` meets it again and tells it.
            with suppress(NoModel, BundleError, EncoderError, DataError):
                self._swap(*self._last_good())
            with suppress(RegistryError):
                asked.result()
        self.refresh()

    def refresh(self) -> bool:
        """Load the champion if it is another than the one served; say whether it was swapped."""
        try:
            champion = self.registry.champion()
            if self.refused is not None and (
                champion is None or champion.run_id != self.refused.version.run_id
            ):
                self.refused = None
            new = champion is not None and not self._serves(champion)
            if champion is not None and new:
                self.forgotten.now()  # where it is damaged, no bundle need be fetched
                self._swap(champion, self._sound(champion))
                self._remember(champion)
            self.trouble = None
            return new
        except (RegistryError, BundleError, EncoderError, DataError) as error:
            told, swapped = str(error), False
            if self.served is None:
                try:
                    self._swap(*self._last_good())
                    swapped = True
                except (NoModel, BundleError, EncoderError, DataError) as worse:
                    told = f"{told}; nor can the model before it be served: {worse}"
            if told != self.trouble:
                log.warning("the model is not refreshed: %s", told)
            self.trouble = told
            return swapped

    async def poll(self) -> None:
        """Ask for a new champion for ever."""
        while True:
            wait = self.settings.poll_seconds * random.uniform(1 - JITTER, 1 + JITTER)
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                # Whatever it was, the model that is loaded goes on, and so does the asking.
                log.exception("asking for a new champion failed")

    def _serves(self, champion: Version) -> bool:
        """Whether the champion is what is served already, perhaps since the registry was away."""
        with self._swapping:
            if self.served is None or self.served.version.run_id != champion.run_id:
                return False
            self.served = dataclasses.replace(self.served, version=champion)
            return True

    def _sound(self, version: Version) -> Bundle:
        """A version's bundle, which answers as when it was saved.

        What lies damaged on this disk is fetched once more. What was published so is refused: it is
        told, counted, and not downloaded at each poll.

        Raises:
            BundleError: It is refused.
        """
        if self.refused is not None:
            raise self.refused.error()
        folder = self.settings.bundles
        try:
            if (folder / version.run_id).exists():
                try:
                    return self.registry.load(version, folder)
                except BundleError as error:
                    log.warning("fetched again: %s", error)
                    return self.registry.load(version, folder, damaged=True)
            return self.registry.load(version, folder)
        except BundleError as error:
            self.refused = Refused(version, error.kind, str(error), datetime.now(UTC))
            self.refusals[error.kind] += 1
            raise self.refused.error() from error

    def _swap(self, version: Version, bundle: Bundle) -> None:
        """Serve a bundle from the next request on."""
        if bundle.probes is None:
            log.warning(
                "version %s holds no stored asks: that it answers as when it was saved is not "
                "known, only that its scores are numbers",
                version.version,
            )
        served = Served(version, bundle, datetime.now(UTC), Forgotten())
        served = _shown(served, self.forgotten.now())
        with self._swapping:
            self.served = served
        self.swaps += 1
        log.info("now serving version %s", version.version)

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

    def _last_good(self) -> tuple[Version, Bundle]:
        """What was served before.

        Raises:
            NoModel: Nothing was, or it is not noted.
            BundleError: It is no longer on this disk, or no longer sound.
        """
        path = self.settings.bundles / LAST_GOOD
        try:
            said = json.loads(path.read_text())
            version = Version(MODEL_NAME, str(said["version"]), None, str(said["run_id"]))
        except FileNotFoundError as error:
            raise NoModel("none was served from here yet") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoModel(f"{path} cannot be read: {error}") from error
        return version, load_sound(self.settings.bundles / version.run_id)


def _shown(served: Served, forgotten: Forgotten) -> Served:
    """A model without creators who are to be forgotten, who may still be in its bundle."""
    bundle = without(served.bundle, forgotten)
    return dataclasses.replace(served, bundle=bundle, without=forgotten)
