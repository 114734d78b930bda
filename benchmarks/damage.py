"""Ways in which a published bundle can be wrong, done to its folder.

Knows nothing of how they are found out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb

from features.encoders import sha256_of
from features.schemas import BundleFault
from models.bundle import MANIFEST


@dataclass(frozen=True)
class Damage:
    """One way.

    Attributes:
        do: Does it to a bundle's folder.
        refused_as: The word under which it is to be refused.
        words: What the reason says.
    """

    do: Callable[[Path], None]
    refused_as: BundleFault
    words: str


def as_whole(folder: Path) -> None:
    """Name the digests that the files have now, as whoever damages on purpose would."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    _say(folder, lambda manifest: manifest | {"files": digests})


def _say(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def _cut(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return cut


def _flip(folder: Path) -> None:
    path = folder / "niche.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _other_features(folder: Path) -> None:
    def change(manifest: dict[str, Any]) -> dict[str, Any]:
        features = [*manifest["features"][1:], "charisma"]
        return manifest | {"features": features, "features_digest": "0" * 64}

    _say(folder, change)


def _no_numbers(folder: Path) -> None:
    path = folder / "conversions.txt"
    booster = lgb.Booster(model_str=path.read_text())
    for tree in range(booster.num_trees()):
        booster.set_leaf_output(tree, 0, math.nan)
    path.write_text(booster.model_to_string())
    as_whole(folder)


def _half_a_model(folder: Path) -> None:
    _cut("conversions.txt")(folder)
    as_whole(folder)


def _other_calibration(folder: Path) -> None:
    def change(manifest: dict[str, Any]) -> dict[str, Any]:
        calibration = manifest["calibration"]
        return manifest | {
            "calibration": calibration | {"intercept": calibration["intercept"] + 0.1}
        }

    _say(folder, change)


# Those that touch the model itself need one that was learned from outcomes.
DAMAGES = {
    "cut short": Damage(_cut("index/topics.npy"), "damaged", "index/topics.npy is damaged"),
    "a file missing": Damage(
        lambda folder: (folder / "search.faiss").unlink(), "damaged", "search.faiss is missing"
    ),
    "wrong digest": Damage(_flip, "damaged", "niche.safetensors is damaged"),
    "manifest cut short": Damage(_cut(MANIFEST), "unreadable", MANIFEST),
    "other format": Damage(
        lambda folder: _say(folder, lambda manifest: manifest | {"format": 4}),
        "format",
        "format 4",
    ),
    "other features": Damage(_other_features, "features", "charisma"),
    "half a model, digests right": Damage(_half_a_model, "unreadable", "no LightGBM model"),
    "NaN scores": Damage(_no_numbers, "scores", "are no numbers"),
    "other answers": Damage(_other_calibration, "answers", "answered otherwise"),
}
