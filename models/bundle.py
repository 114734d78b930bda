"""One folder that holds everything a prediction needs, in open formats.

`manifest.json` says what the numbers mean and what every file's digest is; LightGBM models are
text, the encoder ONNX, small arrays safetensors, and the index a folder of plain arrays and Arrow
tables that are mapped into memory (`index_files`). No pickle. A bundle that was made from
other features, or that is not what its manifest says, is refused with the reason.

Knows nothing of where bundles are published (`registry`) or how they are asked (`ranker`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from features import creator as creator_features
from features import pair as pair_features
from features.catalogue import FEATURE_NAMES, FEATURES
from features.encoders import sha256_of
from features.pair import creator_columns
from features.reading import Reader
from features.schemas import BundleError, EncoderError
from features.text import Encoder, open_encoder, save_encoder
from features.windows import Floats, Ints
from models import snapshots, subjects
from models.choice import Choice
from models.conversion import Calibration, ConversionModel
from models.heuristic import HeuristicModel
from models.index import Index
from models.index_files import INDEX, Setting, read_index, write_index
from models.landscape import Landscape, landscape
from models.niche import NicheModel
from models.overlap import Audiences, audiences
from models.prices import PriceModel
from models.probes import PROBES, Probes, read_probes, write_probes
from models.projection import Projection
from models.search import Search, open_search
from models.stage import Stage

FORMAT = 5
MANIFEST = "manifest.json"
JUDGED = "judged"
MODEL_NAME = "creatorfit"
HASHED_AT_ONCE = 2  # files; hashing holds no lock
TYPICAL_SAMPLE = 500  # creators that "typical" in a reason is measured on

# What a feature's value depends on beside its formula.
RULES: dict[str, float | str] = {
    "engagement_days": creator_features.ENGAGEMENT_DAYS,
    "settle_days": creator_features.SETTLE_DAYS,
    "trend_days": creator_features.TREND_DAYS,
    "trend_base_days": creator_features.TREND_BASE_DAYS,
    "year_days": creator_features.YEAR_DAYS,
    "peer_posts_min": creator_features.PEER_POSTS_MIN,
    "rival_days": pair_features.RIVAL_DAYS,
    "kernel_power": pair_features.KERNEL_POWER,
    "recent_posts": subjects.RECENT_POSTS,
    "half_life_days": subjects.HALF_LIFE_DAYS,
    "best_posts": subjects.BEST_POSTS,
    "max_topics": subjects.MAX_TOPICS,
    "niche_period": snapshots.NICHE_PERIOD,
}


class Manifest(BaseModel):
    """Everything that a prediction's meaning depends on, and the digests of the files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    kind: Literal["outcomes", "heuristic"]
    kind_reason: str
    as_of_us: int
    features: list[str]
    features_digest: str
    rules: dict[str, float | str]
    currency: str
    encoder: dict[str, Any]
    niche: dict[str, Any]
    languages: list[str]
    calibration: dict[str, float] | None
    choice: dict[str, float] | None
    judged: dict[str, Any] | None
    heuristic: dict[str, list[float]] | None
    prices: dict[str, Any] | None
    data: dict[str, Any]
    params: dict[str, Any]
    metrics: dict[str, float]
    files: dict[str, str] = {}


@dataclass(frozen=True)
class Judgeable:
    """A model that has seen nothing of campaigns from `test_from_us` on."""

    model: ConversionModel
    test_from_us: int


@dataclass(frozen=True)
class Content:
    """What a prediction is made of.

    `judged` is the model as it was before the part of time that it was judged on: a later
    challenger is compared with that one, for `model` has seen every row there is. `probes` is what
    it answers to some standing briefs (`models.probing`); None where it was saved before there were
    any.
    """

    encoder: Encoder
    niche: NicheModel
    projection: Projection
    model: ConversionModel | HeuristicModel
    judged: Judgeable | None
    prices: PriceModel | None
    index: Index
    search: Search
    probes: Probes | None


@dataclass(frozen=True)
class Bundle(Content):
    """A model ready to answer, with what it says of itself."""

    manifest: Manifest

    @cached_property
    def reader(self) -> Reader:
        """Reads briefs with the encoder, each once while it is remembered."""
        return Reader(self.encoder)

    @cached_property
    def audiences(self) -> Audiences:
        """Where every creator's audience lives and what it likes."""
        return audiences(self.index, self.niche.resolve)

    @cached_property
    def typical(self) -> tuple[Ints, Floats]:
        """Creators spread over the index, and medians over them of what no brief changes."""
        n = len(self.index)
        sample = np.unique(np.linspace(0, n - 1, min(n, TYPICAL_SAMPLE)).astype(np.int64))
        return sample, medians(creator_columns(self.index.profiles, sample))

    @cached_property
    def landscape(self) -> Landscape:
        """Where every creator stands on the map of niches."""
        return landscape(self.index)


def medians(matrix: Floats) -> Floats:
    """Median of each column over the rows where it is known; NaN where it is in none."""
    known = ~np.isnan(matrix).all(axis=0)
    out = np.full(matrix.shape[1], np.nan)
    out[known] = np.nanmedian(matrix[:, known], axis=0)
    return out


@dataclass(frozen=True)
class Origin:
    """What a bundle was made from and how well it did, for its manifest."""

    kind_reason: str
    data: dict[str, Any]
    params: dict[str, Any]
    metrics: dict[str, float]


def features_digest() -> str:
    """SHA-256 of every feature's name, unit and formula, and of the rules they share."""
    text = json.dumps([[f.name, f.unit, f.formula] for f in FEATURES]) + json.dumps(RULES)
    return hashlib.sha256(text.encode()).hexdigest()


def save(folder: Path, content: Content, origin: Origin) -> Manifest:
    """Write a bundle, whole or not at all.

    Args:
        folder: Where it shall stand; replaced if it is there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        manifest = _write(staging, content, origin)
        staging.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        staging.replace(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return manifest


def _write(folder: Path, content: Content, origin: Origin) -> Manifest:
    index, model = content.index, content.model
    encoder_meta = save_encoder(content.encoder, folder / "encoder")
    niche_arrays, niche_meta = content.niche.to_arrays()
    save_file(niche_arrays, folder / "niche.safetensors")
    save_file(dataclasses.asdict(content.projection), folder / "projection.safetensors")
    write_index(folder / INDEX, index)
    content.search.save(folder)
    if content.probes is not None:
        write_probes(folder, content.probes)
    judged = content.judged
    meta = _write_model(folder, model) if isinstance(model, ConversionModel) else {}
    judged_meta = None
    if judged is not None:
        judged_meta = _write_model(folder / JUDGED, judged.model)
        judged_meta["test_from_us"] = judged.test_from_us
    manifest = Manifest(
        format=FORMAT,
        kind=model.kind,
        kind_reason=origin.kind_reason,
        as_of_us=index.as_of_us,
        features=list(FEATURE_NAMES),
        features_digest=features_digest(),
        rules=RULES,
        currency=index.currency,
        encoder=encoder_meta,
        niche=niche_meta,
        languages=list(index.profiles.languages),
        calibration=meta.get("calibration"),
        choice=meta.get("choice"),
        judged=judged_meta,
        heuristic=(
            {"centre": list(model.centre), "scale": list(model.scale)}
            if isinstance(model, HeuristicModel)
            else None
        ),
        prices=None if content.prices is None else dataclasses.asdict(content.prices),
        data=origin.data,
        params=origin.params,
        metrics=origin.metrics,
        files=_digests(folder),
    )
    written = manifest.model_dump_json(indent=2)
    (folder / MANIFEST).write_text(written)
    return Manifest.model_validate_json(written)


def replace_index(
    folder: Path,
    write: Callable[[Path], None],
    search: Callable[[Path], Search],
    probes: Callable[[Path], Probes | None],
    out: Path | None = None,
) -> None:
    """Put another index into a bundle, whole or not at all; what it learned stays, byte for byte.

    Args:
        folder: A bundle that `load` reads.
        write: Called with the folder that the index is to be written into.
        search: Called with that folder once it is written; returns the search among its creators.
        probes: Called with the bundle's folder once it holds both; returns what it answers now.
        out: Where the bundle with that index shall stand, replaced if it is there; the folder
            itself where there is none.
    """
    target = folder if out is None else out
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        leave = shutil.ignore_patterns(INDEX, PROBES)
        shutil.copytree(folder, staging, dirs_exist_ok=True, ignore=leave)
        write(staging / INDEX)
        search(staging / INDEX).save(staging)
        answers = probes(staging)
        if answers is not None:
            write_probes(staging, answers)
        manifest = read_manifest(staging).model_copy(update={"files": _digests(staging)})
        (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2))
        staging.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        staging.replace(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _write_model(folder: Path, model: ConversionModel) -> dict[str, Any]:
    """Write the stages, and return what of the model is no file."""
    folder.mkdir(exist_ok=True)
    stages = {
        "reach": model.reach,
        "clicks": model.clicks,
        "conversions": model.conversions,
        "choice": None if model.choice is None else model.choice.stage,
    }
    for name, stage in stages.items():
        if stage is not None:
            (folder / f"{name}.txt").write_text(stage.text)
    choice = model.choice
    return {
        "calibration": dataclasses.asdict(model.calibration),
        "choice": choice
        and {"reference": choice.reference, "power": choice.power, "doubt": choice.doubt},
    }


def load(folder: Path) -> Bundle:
    """Read a bundle.

    Raises:
        BundleError: It is damaged, incomplete, or made from other features than the code's.
    """
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    try:
        encoder = open_encoder(folder / "encoder", manifest.encoder)
        niche = NicheModel.from_arrays(load_file(folder / "niche.safetensors"), manifest.niche)
        setting = Setting(
            niche.labels, tuple(manifest.languages), manifest.currency, manifest.as_of_us
        )
        prices = None
        if manifest.prices is not None:
            prices = PriceModel(
                **manifest.prices | {"intercept": tuple(manifest.prices["intercept"])}
            )
        return Bundle(
            manifest=manifest,
            encoder=encoder,
            niche=niche,
            projection=Projection(**load_file(folder / "projection.safetensors")),
            model=_read_model(folder, manifest),
            judged=_read_judged(folder, manifest),
            prices=prices,
            index=read_index(folder / INDEX, setting),
            search=open_search(folder),
            probes=read_probes(folder),
        )
    except (KeyError, TypeError, ValueError, OSError, SafetensorError, EncoderError) as error:
        raise BundleError(f"{folder}: cannot be read: {error}") from error


def read_manifest(folder: Path) -> Manifest:
    """Read and check what a bundle says of itself.

    Raises:
        BundleError: There is no manifest, it is damaged, or it names other features.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{folder}: no {MANIFEST}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}") from error
    if manifest.format != FORMAT:
        told = f"format {manifest.format}, but this code reads {FORMAT}"
        raise BundleError(f"{path}: {told}", kind="format")
    if manifest.features_digest != features_digest():
        told = f"{_feature_difference(manifest)}: train again with this code"
        raise BundleError(f"{path}: {told}", kind="features")
    return manifest


def _feature_difference(manifest: Manifest) -> str:
    theirs, ours = set(manifest.features), set(FEATURE_NAMES)
    parts = []
    if theirs - ours:
        parts.append("features unknown to this code: " + ", ".join(sorted(theirs - ours)))
    if ours - theirs:
        parts.append("features missing from it: " + ", ".join(sorted(ours - theirs)))
    return "; ".join(parts) or "its features have other formulas than this code's"


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    largest_first = sorted(files, key=lambda path: -path.stat().st_size)
    with ThreadPoolExecutor(HASHED_AT_ONCE) as pool:
        found = dict(zip(largest_first, pool.map(sha256_of, largest_first), strict=True))
    return {path.relative_to(folder).as_posix(): found[path] for path in files}


def _check_files(folder: Path, manifest: Manifest) -> None:
    found = _digests(folder)
    for name, digest in manifest.files.items():
        if name not in found:
            raise BundleError(f"{folder}: {name} is missing", kind="damaged")
        if found[name] != digest:
            raise BundleError(
                f"{folder}: {name} is damaged: its SHA-256 is {found[name]}, "
                f"but the manifest says {digest}",
                kind="damaged",
            )
    extra = sorted(set(found) - set(manifest.files))
    if extra:
        told = f"files that the manifest does not name: {', '.join(extra)}"
        raise BundleError(f"{folder}: {told}", kind="damaged")


def _read_model(folder: Path, manifest: Manifest) -> ConversionModel | HeuristicModel:
    if manifest.heuristic is not None:
        return HeuristicModel(
            tuple(manifest.heuristic["centre"]), tuple(manifest.heuristic["scale"])
        )
    if manifest.calibration is None:
        raise BundleError(f"{folder}: a model of kind {manifest.kind} needs a calibration")
    return _read_stages(folder, manifest.calibration, manifest.choice)


def _read_judged(folder: Path, manifest: Manifest) -> Judgeable | None:
    if manifest.judged is None:
        return None
    meta = manifest.judged
    model = _read_stages(folder / JUDGED, meta["calibration"], meta["choice"])
    return Judgeable(model, int(meta["test_from_us"]))


def _read_stages(
    folder: Path, calibration: dict[str, float], choice: dict[str, float] | None
) -> ConversionModel:
    def stage(name: str) -> Stage:
        return Stage.from_text((folder / f"{name}.txt").read_text())

    return ConversionModel(
        reach=stage("reach"),
        clicks=stage("clicks") if (folder / "clicks.txt").exists() else None,
        conversions=stage("conversions"),
        calibration=Calibration(**calibration),
        choice=None if choice is None else Choice(stage("choice"), **choice),
    )
