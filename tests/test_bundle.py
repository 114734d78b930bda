"""A bundle comes back bit for bit, and a wrong one is refused with the reason."""

import json
import shutil

import numpy as np
import pytest

from features import catalogue
from features.schemas import Brief, BundleError
from models import bundle as bundles
from models import ranker

BRIEF = Brief.model_validate(
    {
        "brand": {"name": "Luma", "vertical": "beauty"},
        "query": "vegan serum for sensitive skin, honest routines",
        "budget": {"amount": 3000},
    }
)


@pytest.fixture
def folder(trained_home, tmp_path):
    """A copy of the bundle that was published."""
    home = trained_home.settings
    source = home.bundles / trained_home.trained.version.run_id
    if not source.exists():
        from models.registry import Registry

        registry = Registry(home.registry_uri, home.artifacts)
        registry.fetch(trained_home.trained.version, home.bundles)
    return shutil.copytree(source, tmp_path / "bundle")


def test_a_loaded_bundle_answers_bit_for_bit_the_same(folder, trained_home):
    assert ranker.recommend(bundles.load(folder), BRIEF) == ranker.recommend(
        trained_home.trained.bundle, BRIEF
    )


def test_saving_what_was_loaded_changes_nothing(folder, tmp_path):
    loaded = bundles.load(folder)
    manifest = loaded.manifest
    again = bundles.save(
        tmp_path / "again",
        loaded,
        bundles.Origin(manifest.kind_reason, manifest.data, manifest.params, manifest.metrics),
    )
    assert again.files == manifest.files
    assert again == manifest


def test_no_pickle_in_it(folder):
    """Every file is of an open format: none begins as a pickle or holds an object array."""
    kinds = {".json", ".txt", ".safetensors", ".npy", ".arrow", ".faiss", ".onnx"}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.suffix in kinds, path
        assert not path.read_bytes().startswith(
            (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        )


@pytest.mark.parametrize("how", ["flip", "cut", "remove", "add"])
def test_a_damaged_file_is_refused_by_name(folder, how):
    victim = folder / "index" / "topics.npy"
    data = bytearray(victim.read_bytes())
    if how == "flip":
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    elif how == "cut":
        victim.write_bytes(data[: len(data) // 2])
    elif how == "remove":
        victim.unlink()
    else:
        victim = folder / "extra.txt"
        victim.write_text("x")
    with pytest.raises(BundleError, match=victim.name):
        bundles.load(folder)


def test_other_features_are_refused_by_name(folder, monkeypatch):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["features"] = [*manifest["features"][1:], "charisma"]
    manifest["features_digest"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"charisma.*missing from it: followers_log"):
        bundles.load(folder)


def test_other_formulas_are_refused(folder, monkeypatch):
    changed = list(catalogue.FEATURES)
    changed[3] = catalogue.Feature(**{**changed[3].__dict__, "formula": "something else"})
    monkeypatch.setattr(bundles, "FEATURES", tuple(changed))
    with pytest.raises(BundleError, match="other formulas"):
        bundles.load(folder)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("format", 99, "format 99"),
        ("format", 4, "format 4, but this code reads 5"),  # its index in tables and safetensors
        ("kind", "magic", "kind"),
        ("surprise", 1, "surprise"),
        ("calibration", None, "calibration"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_reason(folder, field, value, reason):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(BundleError, match=reason):
        bundles.load(folder)


def test_an_encoder_of_another_digest_is_refused(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["encoder"]["digest"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="digest"):
        bundles.load(folder)


def test_no_manifest_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        bundles.load(tmp_path)


def test_a_save_that_fails_leaves_nothing(trained_home, tmp_path, monkeypatch):
    loaded = trained_home.trained.bundle
    monkeypatch.setattr(bundles, "_digests", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bundles.save(tmp_path / "bundle", loaded, bundles.Origin("", {}, {}, {}))
    assert list(tmp_path.iterdir()) == []


def test_vectors_survive_as_float16(trained_home, folder):
    before = trained_home.trained.bundle.index.profiles.topics
    assert np.array_equal(bundles.load(folder).index.profiles.topics, before)
