"""Where bundles are published, compared and fetched: the only MLflow import.

A registered version is one folder: the bundle, and beside it the conversion model in MLflow's
native LightGBM flavour with a signature, so that MLflow's own tools can open it. Nothing in it is
pickled. Knows nothing of training, and is never in the path of a request.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from features.catalogue import FEATURE_NAMES
from features.forgotten import Forgotten
from features.schemas import BundleError, DataError, NoModel, RegistryError
from features.sql import reached
from models.bundle import MODEL_NAME, Bundle
from models.conversion import ConversionModel
from models.index_files import CREATORS, INDEX
from models.probing import load_sound
from models.redact import held_in, redact

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
BUNDLE_FOLDER = "bundle"
FETCHING = ".fetch."  # begins the name of a folder that is being downloaded
LOCK = ".lock"
FLAVOUR = "creatorfit"
KIND_TAG = "kind"
FEATURES_TAG = "features_digest"
EVENT_TAG = "event "  # and the time: what happened to a version then, and why
DIGEST_LENGTH = 36  # MLflow keeps no longer digest of a data set
SQLITE = "sqlite:///"
# Databases that MLflow keeps its store in, of those that are reached over a network.
SQL_SERVERS = ("postgresql", "mysql", "mssql")
CONNECT_SECONDS = 5  # that such a database may take to answer a service, which has another model
# Given explicitly: left to itself MLflow imports the model anew to find them, for seconds.
PIP_REQUIREMENTS = ["lightgbm", "numpy"]


@dataclass(frozen=True)
class Version:
    """One registered version of the model.

    Attributes:
        alias: ``champion``, or None.
        kind: Of its bundle: ``outcomes`` or ``heuristic``; None where it is not known.
        features_digest: Of its bundle, likewise.
    """

    name: str
    version: str
    alias: str | None
    run_id: str
    kind: str | None = None
    features_digest: str | None = None


Happening = Literal["promoted", "rolled back to", "refused"]


@dataclass(frozen=True)
class Event:
    """What happened to a version, when and why.

    `at` is ISO 8601 in UTC, to the microsecond.
    """

    at: str
    version: str
    what: Happening
    reason: str


@dataclass(frozen=True)
class RunRecord:
    """What a training run leaves behind.

    Attributes:
        name: What the run is called in lists.
        card: What is said of it and of its version, in Markdown.
        params: Parameters, by name.
        metrics: Figures, by name.
        tags: Such as the git commit.
        data: The outcomes it learned from, for MLflow's data set entry.
        data_digest: Digest of the whole data set.
        data_source: Where the tables came from, without secrets.
        files: Files to keep with the run, by folder (plots, reports).
    """

    name: str
    card: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    data: pd.DataFrame
    data_digest: str
    data_source: str
    files: Mapping[str, list[Path]] = field(default_factory=dict)


class Registry:
    """A connection to an MLflow store or server.

    Args:
        tracking_uri: Such as ``sqlite:///var/mlflow.db`` or ``http://127.0.0.1:5000``.
        artifacts: Folder for artefacts where the store is a local database; a server has its own.
        patient: Try again for minutes where a server is away, as a training run should; a service
            has a bundle to go on with.
    """

    def __init__(self, tracking_uri: str, artifacts: Path, *, patient: bool = True) -> None:
        self.tracking_uri = tracking_uri
        self.artifacts = artifacts.resolve()
        self._client: MlflowClient | None = None
        self._patient = patient
        _quiet(patient)

    @property
    def client(self) -> MlflowClient:
        """A client of the store; connecting makes a local store that is not there yet."""
        if self._client is None:
            import mlflow

            if "://" not in self.tracking_uri:
                raise RegistryError(
                    f"{self.tracking_uri!r} is no tracking URI: it needs a scheme, such as sqlite:///"
                )
            with _named_failures(self.tracking_uri), _made_once(self.tracking_uri):
                uri = _reached(self.tracking_uri, self._patient)
                # Artefacts are fetched through the global URI, whatever client asks.
                mlflow.set_tracking_uri(uri)
                self._client = mlflow.MlflowClient(uri)
        return self._client

    def publish(self, folder: Path, bundle: Bundle, record: RunRecord) -> Version:
        """Log a run with its bundle and register it as a new version, without an alias.

        Args:
            folder: The bundle as saved.
            bundle: The same bundle, loaded.
            record: What else to keep with the run.
        """
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.models import Model

        client = self.client
        with _named_failures(self.tracking_uri):
            with mlflow.start_run(
                experiment_id=self._experiment(),
                run_name=record.name,
                tags=dict(record.tags),
                description=record.card,
            ) as run:
                mlflow.log_params(dict(record.params))
                mlflow.log_metrics(dict(record.metrics))
                dataset = mlflow.data.from_pandas(  # type: ignore[attr-defined]
                    record.data,
                    source=CodeDatasetSource(tags={"tables": record.data_source}),
                    name="sponsorships",
                    digest=record.data_digest[:DIGEST_LENGTH],
                )
                mlflow.log_input(dataset, context="training")
                for kind, paths in record.files.items():
                    for path in paths:
                        mlflow.log_artifact(str(path), artifact_path=kind)
                info = Model.log(
                    None,
                    flavor=sys.modules[__name__],
                    name="model",
                    registered_model_name=MODEL_NAME,
                    folder=folder,
                    bundle=bundle,
                )
            version = str(info.registered_model_version)
            manifest = bundle.manifest
            said = {KIND_TAG: manifest.kind, FEATURES_TAG: manifest.features_digest}
            for tag, value in said.items():
                client.set_model_version_tag(MODEL_NAME, version, tag, value)
            client.update_model_version(MODEL_NAME, version, description=record.card)
            # Two runs of the same data are told apart in lists by their version.
            client.update_run(run.info.run_id, name=f"version {version}: {record.name}")
            return Version(MODEL_NAME, version, None, run.info.run_id, *said.values())

    def record(
        self,
        name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        *,
        parent: str | None = None,
        files: Mapping[str, list[Path]] | None = None,
    ) -> str:
        """Log a run that publishes no version, such as a trial of a search.

        Args:
            name: What it is called in lists.
            params, metrics, tags: By name.
            parent: Run that it is shown under.
            files: Files to keep with it, by folder.

        Returns:
            The run's id.
        """
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        client, now = self.client, int(time.time() * 1000)
        with _named_failures(self.tracking_uri):
            under = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
            run_id = str(client.create_run(self._experiment(), run_name=name).info.run_id)
            client.log_batch(
                run_id,
                metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
                params=[Param(key, str(value)) for key, value in params.items()],
                tags=[RunTag(key, value) for key, value in (dict(tags) | under).items()],
            )
            for folder, paths in (files or {}).items():
                for path in paths:
                    client.log_artifact(run_id, str(path), artifact_path=folder)
            client.set_terminated(run_id)
        return run_id

    def promote(self, version: str, reason: str) -> None:
        """Make a version the champion, from its next look-up on, and keep the reason.

        Raises:
            NoModel: There is no such version.
        """
        self._make_champion(self.version(version), "promoted", reason)

    def refuse(self, version: str, reason: str) -> None:
        """Keep why a version did not become the champion."""
        self._tell(version, "refused", reason)

    def rollback(self, reason: str) -> Version:
        """Make the champion before the present one champion again.

        Rolling back twice goes two champions back, not forth again.

        Returns:
            The version that is champion now.

        Raises:
            NoModel: There was no champion before this one.
        """
        before: list[str] = []
        for event in self.history():
            if event.what == "promoted" and event.version not in before[-1:]:
                before.append(event.version)
            elif event.what == "rolled back to":
                before = before[: _last(before, event.version) + 1]
        if len(before) < 2:
            raise NoModel(f"{MODEL_NAME} had no champion before this one in {self.tracking_uri}")
        found = self.version(before[-2])
        self._make_champion(found, "rolled back to", reason)
        return found

    def history(self) -> list[Event]:
        """What happened to all versions, the oldest first."""
        events = []
        for version in self._search():
            for tag, value in version.tags.items():
                if tag.startswith(EVENT_TAG):
                    what, reason = json.loads(value)
                    at = tag.removeprefix(EVENT_TAG)
                    events.append(Event(at, str(version.version), what, reason))
        return sorted(events, key=lambda event: event.at)

    def _search(self) -> list[Any]:
        """All versions as MLflow tells of them."""
        with _named_failures(self.tracking_uri):
            found: list[Any] = []
            token = None
            while True:
                page = self.client.search_model_versions(
                    f"name='{MODEL_NAME}'", page_token=token, max_results=200
                )
                found.extend(page)
                token = page.token
                if not token:
                    return found

    def _make_champion(self, version: Version, what: Happening, reason: str) -> None:
        # The reason first: there shall be no champion without one.
        self._tell(version.version, what, reason)
        with _named_failures(self.tracking_uri):
            self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)

    def _tell(self, version: str, what: Happening, reason: str) -> None:
        """Tag a version with what happened to it: MLflow keeps no history of aliases."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with _named_failures(self.tracking_uri):
            self.client.set_model_version_tag(
                MODEL_NAME, version, EVENT_TAG + at, json.dumps([what, reason])
            )

    def _experiment(self) -> str:
        """The experiment's id; it is made where it is not there yet."""
        client = self.client
        experiment = client.get_experiment_by_name(MODEL_NAME)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = not self.tracking_uri.startswith(("http://", "https://"))
        place = self.artifacts.as_uri() if local else None
        # The UI opens on its pages for trained models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(MODEL_NAME, artifact_location=place, tags=tags))

    def champion(self) -> Version | None:
        """The version that should be served, or None where nothing was promoted yet."""
        return self._find(CHAMPION)

    def version(self, which: str) -> Version:
        """A version by number or alias.

        Raises:
            NoModel: There is no such version.
        """
        found = self._find(which)
        if found is None:
            raise NoModel(f"{MODEL_NAME} has no version or alias {which!r} in {self.tracking_uri}")
        return found

    def fetch(self, version: Version, bundles: Path, *, damaged: bool = False) -> Path:
        """Download a version's bundle, whole or not at all, unless it is there already.

        Of several processes that share the folder one downloads, and the others wait for it.

        Args:
            version: Which.
            bundles: Folder of bundles, one folder each, named by run. It may be read-only for who
                fetches nothing that is not there.
            damaged: The one that is there could not be loaded: put a sound one in its place.

        Returns:
            The bundle's folder.

        Raises:
            BundleError: What was published cannot be used; nothing is kept of it.
            RegistryError: The registry is away, or the disk is full.
        """
        target = bundles / version.run_id
        if damaged or not target.exists():
            self._download(version, target)
        return target

    def load(self, version: Version, bundles: Path, *, damaged: bool = False) -> Bundle:
        """Fetch a version's bundle, and load it: once, whether it was there already or not.

        It is asked its stored asks, wherever it lay, and must answer as when it was saved.

        Args:
            version, bundles, damaged: As `fetch` takes them.

        Raises:
            BundleError: What was published, or lies there, cannot be used.
            RegistryError: The registry is away, or the disk is full.
        """
        target = bundles / version.run_id
        if target.exists() and not damaged:
            return load_sound(target)
        return self._download(version, target)

    def _download(self, version: Version, target: Path) -> Bundle:
        """Put a version's bundle at `target` once it is known to be sound."""
        import mlflow

        bundles = target.parent

        self.client  # noqa: B018 - sets the global tracking URI that the download uses
        with _one_at_a_time(bundles):
            if target.exists():
                try:
                    return load_sound(target)  # another process was the first
                except BundleError:
                    pass  # it is what is to be replaced
            for left in bundles.glob(f"{FETCHING}*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=FETCHING, dir=bundles) as staging:
                with _named_failures(self.tracking_uri):
                    uri = f"models:/{MODEL_NAME}/{version.version}/{BUNDLE_FOLDER}"
                    got = mlflow.artifacts.download_artifacts(uri, dst_path=staging)
                bundle = load_sound(Path(got))
                with _named_failures(str(target)):
                    if target.exists():
                        target.replace(Path(staging) / "damaged")
                    # Its files are mapped into memory by now, and stay so under the other name.
                    Path(got).replace(target)
        return bundle

    def versions(self) -> list[Version]:
        """Every registered version, the oldest first."""
        found = [self._version_of(one) for one in self._search()]
        return sorted(found, key=lambda version: int(version.version))

    def redact(self, version: Version, forgotten: Forgotten, scratch: Path) -> int:
        """Take the creators on a list out of a version's published bundle, in its place.

        Args:
            version: Which.
            forgotten: The list.
            scratch: Folder to work in.

        Returns:
            How many were taken out.

        Raises:
            BundleError: It holds some of them, but this code cannot read it.
            RegistryError: The registry is away, or what was published is not there.
        """
        import mlflow

        client = self.client
        root = f"models:/{MODEL_NAME}/{version.version}/{BUNDLE_FOLDER}"
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".redact.", dir=scratch) as staging:
            with _named_failures(self.tracking_uri):
                # Its creators alone first: most versions hold nobody who is to be forgotten.
                look = Path(staging) / "look"
                look.mkdir()
                uri = f"{root}/{INDEX}/{CREATORS}"
                creators = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(look)))
            if not held_in(creators, forgotten):
                return 0
            with _named_failures(self.tracking_uri):
                whole = Path(staging) / "whole"
                whole.mkdir()
                got = Path(mlflow.artifacts.download_artifacts(root, dst_path=str(whole)))
            count = redact(got, forgotten)
            with _named_failures(self.tracking_uri):
                source = client.get_model_version(MODEL_NAME, version.version).source
                client.log_model_artifacts(str(source).removeprefix("models:/"), str(got.parent))
            return count

    def _find(self, which: str) -> Version | None:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST

        client = self.client
        absent = (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)
        try:
            if re.fullmatch(r"\d+", which):
                found = client.get_model_version(MODEL_NAME, which)
            else:
                found = client.get_model_version_by_alias(MODEL_NAME, which)
        except MlflowException as error:
            if error.error_code in {_code_name(code) for code in absent}:
                return None
            raise RegistryError(f"{self.tracking_uri}: {error.message}") from error
        except Exception as error:  # whatever a database or a connection raises
            raise RegistryError(f"{self.tracking_uri}: {error}") from error
        return self._version_of(found)

    @staticmethod
    def _version_of(found: Any) -> Version:
        alias = CHAMPION if CHAMPION in found.aliases else None
        tags = found.tags
        return Version(
            MODEL_NAME,
            str(found.version),
            alias,
            str(found.run_id),
            tags.get(KIND_TAG),
            tags.get(FEATURES_TAG),
        )


def save_model(path: str, mlflow_model: Any, folder: Path, bundle: Bundle, **_: Any) -> None:
    """Write a version's folder. MLflow calls this as it calls its own flavours."""
    from mlflow.models import infer_signature

    # What comes out of the LightGBM flavour is conversions for each unit of the last stage's
    # exposure; the whole prediction is the bundle's.
    matrix = bundle.index.profiles.numbers.values[:1]
    example = pd.DataFrame([[0.0] * len(FEATURE_NAMES)], columns=list(FEATURE_NAMES))
    mlflow_model.signature = infer_signature(example, matrix[:, 0])
    mlflow_model.add_flavor(FLAVOUR, bundle=BUNDLE_FOLDER, kind=bundle.model.kind)
    if isinstance(bundle.model, ConversionModel):
        import mlflow.lightgbm

        mlflow.lightgbm.save_model(
            bundle.model.conversions.booster,
            path,
            mlflow_model=mlflow_model,
            signature=mlflow_model.signature,
            pip_requirements=PIP_REQUIREMENTS,
        )
    else:
        Path(path).mkdir(parents=True, exist_ok=True)
        mlflow_model.save(str(Path(path) / "MLmodel"))
    shutil.copytree(folder, Path(path) / BUNDLE_FOLDER)


@contextmanager
def _one_at_a_time(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Hold a folder against other processes, which wait; it is let go when a process dies.

    Args:
        folder: Made if it must be.
        name: Of the file in it that is locked; what is held by another name is held apart.
    """
    with _named_failures(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / name).open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _named_failures(uri: str) -> Iterator[None]:
    """Whatever MLflow, a database or a connection raises becomes the product's own error."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (NoModel, RegistryError):
        raise
    except MlflowException as error:
        raise RegistryError(f"{uri}: {error.message}") from error
    except OSError as error:
        raise RegistryError(f"{uri}: {error}") from error


def _quiet(patient: bool) -> None:
    """Keep MLflow from reporting usage, from drawing over our bars, and from too much patience.

    It reads these when it is first imported, so nothing here imports it before.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    if not patient:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@contextmanager
def _made_once(uri: str) -> Iterator[None]:
    """Make a SQLite store's folder, and let no other process make the store meanwhile.

    MLflow locks nothing while it makes the tables of a tracking store: of two workers that start on
    an empty folder one would end.
    """
    if not uri.startswith(SQLITE):
        yield
        return
    file = Path(uri.removeprefix(SQLITE)).resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(file.parent, os.W_OK):  # whoever may only read makes none
        yield
        return
    with _one_at_a_time(file.parent, f".{file.name}{LOCK}"):
        yield


def _reached(uri: str, patient: bool) -> str:
    """A URI that MLflow can use; a database that is reached over a network has answered.

    Left to itself MLflow asks a database that is away ten times, for a minute and a half.

    Raises:
        RegistryError: The database cannot be used.
    """
    if not uri.startswith(SQL_SERVERS):
        return uri
    try:
        return reached(uri, 0 if patient else CONNECT_SECONDS)
    except DataError as error:
        raise RegistryError(str(error)) from error


def _code_name(code: int) -> str:
    from mlflow.protos.databricks_pb2 import ErrorCode

    return str(ErrorCode.Name(code))


def _last(values: list[str], wanted: str) -> int:
    """Place of the last of `values` that is `wanted`; that of the very last where none is."""
    return max((i for i, value in enumerate(values) if value == wanted), default=len(values) - 1)
