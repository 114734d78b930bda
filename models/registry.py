"""Where bundles are published, compared and fetched: the only MLflow import.

A registered version is one folder: the bundle, and beside it the conversion model in MLflow's
native LightGBM flavour with a signature, so that MLflow's own tools can open it. Nothing in it is
pickled. Knows nothing of training, and is never in the path of a request.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.catalogue import FEATURE_NAMES
from features.schemas import NoModel, RegistryError
from models.bundle import MODEL_NAME, Bundle, load
from models.conversion import ConversionModel

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
BUNDLE_FOLDER = "bundle"
FLAVOUR = "creatorfit"
KIND_TAG = "kind"
FEATURES_TAG = "features_digest"
DIGEST_LENGTH = 36  # MLflow keeps no longer digest of a data set
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


@dataclass(frozen=True)
class RunRecord:
    """What a training run leaves behind.

    Attributes:
        params: Parameters, by name.
        metrics: Figures, by name.
        tags: Such as the git commit.
        data: The outcomes it learned from, for MLflow's data set entry.
        data_digest: Digest of the whole data set.
        data_source: Where the tables came from, without secrets.
        files: Files to keep with the run, by folder (plots, reports).
    """

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
            with _named_failures(self.tracking_uri):
                _make_parent(self.tracking_uri)
                # Artefacts are fetched through the global URI, whatever client asks.
                mlflow.set_tracking_uri(self.tracking_uri)
                self._client = mlflow.MlflowClient(self.tracking_uri)
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
            experiment = client.get_experiment_by_name(MODEL_NAME)
            if experiment is None:
                local = not self.tracking_uri.startswith(("http://", "https://"))
                place = self.artifacts.as_uri() if local else None
                experiment_id = client.create_experiment(MODEL_NAME, artifact_location=place)
            else:
                experiment_id = experiment.experiment_id
            with mlflow.start_run(experiment_id=experiment_id, tags=dict(record.tags)) as run:
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
            return Version(MODEL_NAME, version, None, run.info.run_id, *said.values())

    def promote(self, version: str) -> None:
        """Make a version the champion, from its next look-up on.

        Raises:
            NoModel: There is no such version.
        """
        if self._find(version) is None:
            raise NoModel(f"version {version} of {MODEL_NAME} is not in {self.tracking_uri}")
        with _named_failures(self.tracking_uri):
            self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)

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

    def fetch(self, version: Version, bundles: Path) -> Path:
        """Download a version's bundle, whole or not at all, unless it is there already.

        Args:
            version: Which.
            bundles: Folder of bundles, one folder each, named by run.

        Returns:
            The bundle's folder.

        Raises:
            BundleError: What was published cannot be used; nothing is kept of it.
            RegistryError: The registry is away, or the disk is full.
        """
        target = bundles / version.run_id
        if target.exists():
            return target
        import mlflow

        self.client  # noqa: B018 - sets the global tracking URI that the download uses
        with _named_failures(str(bundles)):
            bundles.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch.", dir=bundles) as staging:
            with _named_failures(self.tracking_uri):
                uri = f"models:/{MODEL_NAME}/{version.version}/{BUNDLE_FOLDER}"
                got = mlflow.artifacts.download_artifacts(uri, dst_path=staging)
            load(Path(got))
            try:
                Path(got).replace(target)
            except OSError as error:
                if not target.exists():  # else another process was the first to put it there
                    raise RegistryError(f"{target}: {error}") from error
        return target

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


def _make_parent(uri: str) -> None:
    """Make the folder that a SQLite store lies in."""
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).resolve().parent.mkdir(parents=True, exist_ok=True)


def _code_name(code: int) -> str:
    from mlflow.protos.databricks_pb2 import ErrorCode

    return str(ErrorCode.Name(code))
