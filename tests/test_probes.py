"""A bundle says what it answered when it was saved, and one that answers otherwise is found out."""

import dataclasses
import json

import numpy as np
import pytest

from benchmarks.damage import DAMAGES, as_whole
from features.forgotten import Forgotten
from features.schemas import BundleError
from models import bundle as bundles
from models.bundle import MANIFEST, Origin
from models.probes import PROBES, Probes, read_probes
from models.probing import ASKS, COSINE_MIN, FIRST, ask, check, load_sound
from models.redact import redact, without


@pytest.fixture(params=["outcomes", "heuristic"])
def bundle(request, trained_home):
    trained = trained_home.trained
    return trained.bundle if request.param == "outcomes" else trained.stand_in.bundle


def saved(bundle, folder):
    manifest = bundle.manifest
    told = (manifest.kind_reason, manifest.data, manifest.params, manifest.metrics)
    bundles.save(folder, bundle, Origin(*told))
    return folder


def test_what_training_saved_answers_as_it_did(bundle, tmp_path):
    assert [probe.brief for probe in bundle.probes.asks] == list(ASKS)
    assert all(len(probe.first) == FIRST for probe in bundle.probes.asks)
    check(bundle)
    assert load_sound(saved(bundle, tmp_path / "bundle")).probes == bundle.probes
    assert ask(bundle) == bundle.probes
    assert Probes.model_validate_json(bundle.probes.model_dump_json()) == bundle.probes


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_bundle_is_refused_by_its_kind(trained_home, tmp_path, kind):
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    damage = DAMAGES[kind]
    damage.do(folder)
    with pytest.raises(BundleError) as refused:
        load_sound(folder)
    assert refused.value.kind == damage.refused_as
    assert damage.words in str(refused.value)
    # None of it is found out by whoever does not ask but the first few kinds.
    if damage.refused_as in ("scores", "answers"):
        bundles.load(folder)


def test_no_creator_is_named_by_a_refusal(trained_home, tmp_path):
    """Who is to be forgotten may stand in a bundle that was not written anew yet; logs are kept."""
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    DAMAGES["other answers"].do(folder)
    with pytest.raises(BundleError) as refused:
        load_sound(folder)
    assert not any(name in str(refused.value) for name in trained_home.trained.bundle.index.ids)


def test_what_a_processor_or_a_library_may_change_is_let_pass(bundle):
    """A reading of the text a little aside, last digits of numbers, one creator in twenty."""
    first = bundle.probes.asks[0]
    rng = np.random.default_rng(0)
    vector = np.array(first.vector)
    aside = rng.standard_normal(len(vector))
    aside -= vector * (aside @ vector) / (vector @ vector)
    for cosine, passes in ((0.97, True), (COSINE_MIN - 0.02, False)):
        tangent = np.sqrt(1 / cosine**2 - 1) * np.linalg.norm(vector) / np.linalg.norm(aside)

        class Moved:
            def encode(self, texts):
                [read] = bundle.encoder.encode(texts)
                return (read + aside * tangent)[np.newaxis].astype(np.float32)  # noqa: B023

        moved = dataclasses.replace(bundle, encoder=Moved())
        if passes:
            check(moved)
        else:
            with pytest.raises(BundleError, match="read otherwise"):
                check(moved)

    def told(change):
        changed = tuple(
            one.model_copy(update={"score": change(rank, one.score)})
            for rank, one in enumerate(first.first)
        )
        asks = (first.model_copy(update={"first": changed}), *bundle.probes.asks[1:])
        return dataclasses.replace(bundle, probes=Probes(asks=asks))

    check(told(lambda rank, score: score * (1 + 1e-9)))
    check(told(lambda rank, score: score + (rank == 3)))
    with pytest.raises(BundleError, match=r"brief 1 .* score at rank 1 was"):
        check(told(lambda rank, score: score + 0.01))


def test_other_creators_are_other_answers(bundle):
    """A bundle with the probes of another catalogue."""
    some = np.zeros(len(bundle.index), dtype=bool)
    some[::2] = True
    half = without(bundle, Forgotten().plus(bundle.index.ids[some].tolist()))
    with pytest.raises(BundleError, match=r"rank .* is not among the first"):
        check(half)


def test_forgetting_asks_again_and_names_nobody(bundle, tmp_path):
    """Half of those who came first, and all of them: the others' answers are kept and checked."""
    folder = saved(bundle, tmp_path / "bundle")
    first = [told.creator_id for told in bundle.probes.asks[0].first]
    for gone in (first[:FIRST:2], first):
        redact(folder, Forgotten().plus(gone))
        probes = load_sound(folder).probes
        assert not set(gone) & {told.creator_id for probe in probes.asks for told in probe.first}
        assert all(len(probe.first) == FIRST for probe in probes.asks)
        assert not any(name in (folder / PROBES).read_text() for name in gone)
    # Those who are left are told what they were told.
    was = {told.creator_id: told for told in bundle.probes.asks[0].first}
    now = {told.creator_id: told for told in probes.asks[0].first}
    assert not was.keys() & now.keys()


def test_forgetting_makes_no_wrong_bundle_right(trained_home, tmp_path):
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    DAMAGES["other answers"].do(folder)
    before = (folder / PROBES).read_bytes()
    gone = trained_home.trained.bundle.index.ids[:1].tolist()
    with pytest.raises(BundleError, match="answered otherwise"):
        redact(folder, Forgotten().plus(gone))
    assert (folder / PROBES).read_bytes() == before


def test_a_bundle_from_before_there_were_asks_is_read_and_its_scores_are_looked_at(
    trained_home, tmp_path
):
    bundle = dataclasses.replace(trained_home.trained.bundle, probes=None)
    folder = saved(bundle, tmp_path / "bundle")
    assert not (folder / PROBES).exists() and read_probes(folder) is None
    assert load_sound(folder).probes is None
    redact(folder, Forgotten().plus(bundle.index.ids[:1].tolist()))
    assert load_sound(folder).probes is None
    DAMAGES["NaN scores"].do(folder)
    with pytest.raises(BundleError, match="no numbers"):
        load_sound(folder)


def test_a_model_whose_scores_are_no_numbers_is_not_saved(trained_home, tmp_path):
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    DAMAGES["NaN scores"].do(folder)
    with pytest.raises(BundleError, match="no numbers"):
        ask(bundles.load(folder))


def test_whatever_a_wrong_bundle_raises_is_a_refusal(trained_home, tmp_path):
    """A manifest that does not fit the arrays beside it."""
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["languages"] = manifest["languages"][:1]
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError):
        load_sound(folder)


def test_asks_that_cannot_be_read_are_a_refusal(trained_home, tmp_path):
    folder = saved(trained_home.trained.bundle, tmp_path / "bundle")
    (folder / PROBES).write_text("[]")
    as_whole(folder)
    with pytest.raises(BundleError, match="asks"):
        load_sound(folder)
