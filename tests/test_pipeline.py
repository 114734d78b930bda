"""Train and publish: what is encoded, what MLflow holds, what is promoted, what fails whole."""

import dataclasses

import mlflow
import pandas as pd
import pytest

from features.schemas import InvalidTables, NoModel
from features.tables import read_tables, write_tables
from models import bundle as bundles
from models.registry import Registry
from tests.conftest import Silent, frames_of, train
from training.dataset import split_by_time
from training.learning import MIN_OUTCOMES
from training.settings import TrainingSettings


@pytest.fixture
def registry(trained_home):
    settings = trained_home.settings
    return Registry(settings.registry_uri, settings.artifacts)


def test_a_second_run_encodes_nothing_and_a_new_post_one(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    assert trained_home.trained.encoded > 1000
    again = train(trained_home.settings, str(trained_home.source), Silent())
    assert again.encoded == 0
    post = frames["posts"].tail(1).copy()
    post["post_id"] = "one-more"
    post["text"] = "a text that was never seen before"
    write_tables(frames | {"posts": pd.concat([frames["posts"], post])}, tmp_path, "parquet")
    assert train(trained_home.settings, str(tmp_path), Silent()).encoded == 1


def test_the_run_holds_parameters_metrics_data_plots_and_commit(trained_home, registry):
    client = registry.client
    run = client.get_run(trained_home.trained.version.run_id)
    assert 25 <= len(run.data.metrics) <= 45
    assert {"kind", "encoder", "learning_rate", "rounds_clicks", "features"} <= set(run.data.params)
    assert {"git_commit", "data_digest", "gate_reason"} <= set(run.data.tags)
    assert run.data.tags["gate"] == "refused"
    [dataset] = run.inputs.dataset_inputs
    tables = read_tables(trained_home.source)
    assert dataset.dataset.digest == tables.digest[:36]
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    names = ("calibration", "coverage", "deviance_explained", "importance", "ndcg10", "niche_map")
    assert plots == {f"plots/{name}.png" for name in names}
    report = {file.path for file in client.list_artifacts(run.info.run_id, "report")}
    assert report == {"report/report.html", "report/report.json"}


def test_the_version_has_a_signature_the_alias_and_mlflows_own_flavour(trained_home, registry):
    registry.promote(trained_home.trained.version.version, "a test")
    champion = registry.champion()
    assert champion.run_id == trained_home.trained.version.run_id
    uri = "models:/creatorfit@champion"
    info = mlflow.models.get_model_info(uri)
    assert {"lightgbm", "creatorfit"} <= set(info.flavors)
    manifest = trained_home.trained.bundle.manifest
    assert [column.name for column in info.signature.inputs] == manifest.features
    booster = mlflow.lightgbm.load_model(uri)
    assert booster.num_feature() == len(manifest.features)


def test_a_fetched_bundle_is_the_one_published(trained_home, registry, tmp_path):
    folder = registry.fetch(trained_home.trained.version, tmp_path)
    assert bundles.read_manifest(folder) == trained_home.trained.bundle.manifest
    assert registry.fetch(trained_home.trained.version, tmp_path) == folder


def test_a_version_that_is_not_there_is_named(registry):
    with pytest.raises(NoModel, match="99999"):
        registry.promote("99999", "a test")
    with pytest.raises(NoModel, match="bestest"):
        registry.version("bestest")


def test_broken_tables_train_and_change_nothing(trained_home, registry, tmp_path):
    frames = frames_of(trained_home.world)
    posts = frames["posts"].copy()
    posts.loc[0, "creator_id"] = "nobody"
    write_tables(frames | {"posts": posts}, tmp_path, "csv")
    before = registry.champion()
    with pytest.raises(InvalidTables, match="nobody"):
        train(trained_home.settings, str(tmp_path), Silent())
    assert registry.champion() == before


def test_too_few_outcomes_are_a_cold_start_and_replace_no_learned_model(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    few = frames["sponsorships"].head(MIN_OUTCOMES - 1)
    write_tables(frames | {"sponsorships": few}, tmp_path / "few", "parquet")
    report = Silent()
    trained = train(trained_home.settings, str(tmp_path / "few"), report)
    assert trained.bundle.manifest.kind == "heuristic"
    assert f"{MIN_OUTCOMES - 1} resolved sponsorships" in trained.bundle.manifest.kind_reason
    assert not trained.promoted
    assert any("not promoted" in line for line in report.said)


def test_no_outcomes_at_all_serve_a_heuristic(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    write_tables(
        {"creators": frames["creators"], "posts": frames["posts"]}, tmp_path / "bare", "parquet"
    )
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash")
    trained = train(settings, str(tmp_path / "bare"), Silent())
    assert trained.promoted
    assert trained.bundle.manifest.kind == "heuristic"
    assert (
        bundles.load(
            Registry(settings.registry_uri, settings.artifacts).fetch(
                trained.version, settings.bundles
            )
        ).model
        == trained.bundle.model
    )


def test_splits_keep_time_and_campaigns_apart(small_known):
    from training.dataset import labelled_rows

    rows = labelled_rows(small_known)
    split = split_by_time(rows)
    parts = [split.fit, split.later, split.test]
    assert all(len(part) > 10 for part in parts)
    for early, late in ((0, 1), (1, 2), (0, 2)):
        a, b = rows.take(parts[early]), rows.take(parts[late])
        assert not set(a.campaign) & set(b.campaign)
        assert a.resolved_us.max() < b.started_us.min()


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CREATORFIT_HOME", "/somewhere")
    monkeypatch.setenv("CREATORFIT_SEED", "3")
    settings = TrainingSettings()
    assert settings.registry_uri == "sqlite:////somewhere/mlflow.db"
    assert dataclasses.asdict(settings.fit_params)["seed"] == 3


def test_outcomes_too_close_in_time_are_a_cold_start(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    deals = frames["sponsorships"].copy()
    start = deals["started_at"].median()
    deals["started_at"] = start + pd.to_timedelta(range(len(deals)), unit="min")
    deals["resolved_at"] = deals["started_at"] + pd.Timedelta(days=30)
    write_tables(frames | {"sponsorships": deals}, tmp_path, "parquet")
    trained = train(trained_home.settings, str(tmp_path), Silent())
    assert trained.bundle.manifest.kind == "heuristic"
    assert "too close in time" in trained.bundle.manifest.kind_reason


def test_a_post_of_the_future_is_refused(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    posts = frames["posts"].copy()
    posts.loc[3, "published_at"] = pd.Timestamp("2099-01-01", tz="UTC")
    write_tables(frames | {"posts": posts}, tmp_path, "parquet")
    with pytest.raises(InvalidTables, match=r"row 4, published_at = .*2099-01-01.*in the future"):
        train(trained_home.settings, str(tmp_path), Silent())


def test_a_heuristic_replaces_a_champion_that_this_code_cannot_serve(
    trained_home, tmp_path, monkeypatch
):
    settings = trained_home.settings.model_copy(update={"home": tmp_path / "home"})
    with monkeypatch.context() as older:
        older.setattr(bundles, "features_digest", lambda: "0" * 64)
        train(settings, str(trained_home.source), Silent())
    frames = frames_of(trained_home.world)
    few = frames["sponsorships"].head(5)
    write_tables(frames | {"sponsorships": few}, tmp_path / "few", "parquet")
    trained = train(settings, str(tmp_path / "few"), Silent())
    assert trained.bundle.manifest.kind == "heuristic"
    assert trained.promoted


def test_one_campaign_a_row_leaves_figures_out_and_still_trains(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    deals = frames["sponsorships"].copy()
    deals["campaign_id"] = deals["sponsorship_id"]
    write_tables(frames | {"sponsorships": deals}, tmp_path, "parquet")
    trained = train(trained_home.settings, str(tmp_path), Silent())
    assert trained.bundle.manifest.kind == "outcomes"
    assert "ndcg10" not in trained.bundle.manifest.metrics


def test_labels_that_cannot_be_learned_yet_are_told(trained_home, tmp_path):
    frames = frames_of(trained_home.world)
    posts = frames["posts"].copy()
    share = posts["published_at"].rank(pct=True)
    posts["published_at"] = pd.Timestamp("2025-03-02", tz="UTC") + share * pd.Timedelta(days=20)
    write_tables({"creators": frames["creators"], "posts": posts}, tmp_path / "month", "parquet")
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash")
    report = Silent()
    trained = train(settings, str(tmp_path / "month"), report)
    assert trained.bundle.niche.kind == "zero-shot"
    assert any("labelled, but nobody posted before" in line for line in report.said)


def test_a_refused_model_leaves_newer_rules_where_only_rules_were_served(trained_home, tmp_path):
    """The gate refuses what is learned here; whoever asks gets the newer tables all the same."""
    frames = frames_of(trained_home.world)
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    posts = {"creators": frames["creators"], "posts": frames["posts"].iloc[::2]}
    write_tables(posts, tmp_path / "older", "parquet")
    first = train(settings, str(tmp_path / "older"), Silent())
    assert first.promoted and first.stand_in is None
    second = train(settings, str(trained_home.source), Silent())
    assert not second.promoted and second.stand_in.promoted
    assert second.stand_in.bundle.manifest.kind == "heuristic"
    assert second.stand_in.bundle.manifest.data["posts"] == len(frames["posts"])
    told = Registry(settings.registry_uri, settings.artifacts).history()
    assert [(event.version, event.what) for event in told] == [
        ("1", "promoted"),
        ("2", "refused"),
        ("3", "promoted"),
    ]
