"""The skew audit: stored rows are those built again, and any that is not is found."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from features.catalogue import FEATURE_NAMES
from features.schemas import DataError, InvalidTables
from features.served_rows import ESTIMATES, to_parquet, to_table
from features.store import open_store
from models.registry import Registry
from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF
from tests.conftest import Silent
from training.audit import CREATOR, bits, run
from training.served import STORE, read_served, read_stored
from training.settings import TrainingSettings

BRIEFS = (
    {},
    {"query": "Rezepte ohne Fleisch, ehrlich gekocht", "filters": {}, "limit": 3},
    {"lookalikes": ["c000004", "c000009"], "filters": {}, "budget": None},
)


@pytest.fixture
def home(trained_home, tmp_path):
    """Settings of a home in which three briefs were answered."""
    home = trained_home.settings
    Registry(home.registry_uri, home.artifacts).promote(
        trained_home.trained.version.version, "a test"
    )
    settings = ServiceSettings(home=tmp_path, tracking_uri=home.registry_uri)
    with TestClient(create_app(settings)) as client:
        for brief in BRIEFS:
            body = EXAMPLE_BRIEF | brief
            assert client.post("/v1/recommendations", json=body).status_code == 200
    return TrainingSettings(home=tmp_path, tracking_uri=home.registry_uri, encoder="hash")


def change(settings, which, how):
    """Tamper with the candidates of the first answer stored, or with the answer."""
    store = open_store(settings.store_url)
    answer, candidates = next(iter(store.log()))
    with store._engine.connect() as connection, connection.begin():
        connection.execute(
            sa.text(f"UPDATE {which} SET {how[0]} = :value WHERE recommendation_id = :id"),
            {"value": how[1](candidates), "id": answer.recommendation_id},
        )
    store.close()
    return answer, candidates


def test_what_was_served_is_built_again_bit_for_bit(home):
    found = run(home, Silent())
    assert (found.answers, found.differing, found.skipped) == (3, 0, 0)
    assert found.rows > 400 and found.differences == ()


@pytest.mark.parametrize("by", [np.spacing(1.0), 0.5])
def test_a_tampered_row_is_found_by_feature_answer_and_creator(home, by):
    place = FEATURE_NAMES.index("topic_similarity")

    def tampered(candidates):
        matrix = candidates.matrix.copy()
        matrix[2, place] += by
        return to_parquet(dataclasses.replace(candidates, matrix=matrix))

    answer, candidates = change(home, "served", ("candidates", tampered))
    found = run(home, Silent())
    assert found.differing == 1
    [difference] = found.differences
    assert difference.feature == "topic_similarity" and difference.rows == 1
    assert difference.largest == pytest.approx(by)
    assert difference.recommendation_id == answer.recommendation_id
    assert difference.creator_id == candidates.creator_id[2]


def test_a_value_that_went_missing_and_a_creator_nobody_knows_are_found(home):
    def tampered(candidates):
        matrix = candidates.matrix.copy()
        matrix[:4, 0] = np.where(np.isnan(matrix[:4, 0]), 1.0, np.nan)
        ids = candidates.creator_id.copy()
        ids[0] = "zzz"
        return to_parquet(dataclasses.replace(candidates, matrix=matrix, creator_id=ids))

    change(home, "served", ("candidates", tampered))
    found = run(home, Silent())
    assert {(one.feature, one.rows, one.largest) for one in found.differences} == {
        (FEATURE_NAMES[0], 3, None),
        (CREATOR, 1, None),
    }
    assert found.differing == 4


def test_another_brief_than_the_one_served_is_found(home):
    brief = '{"brand": {"name": "Luma"}, "query": "something else altogether"}'
    change(home, "recommendations", ("brief", lambda _: brief))
    assert run(home, Silent()).differing > 0


def test_a_bundle_that_is_gone_and_a_brief_that_cannot_be_read_are_counted_and_told(home):
    change(home, "recommendations", ("brief", lambda _: "{"))
    report = Silent()
    found = run(home, report)
    assert (found.answers, found.skipped) == (2, 1)
    assert "cannot be built again" in report.said[0]
    store = open_store(home.store_url)
    with store._engine.connect() as connection, connection.begin():
        connection.execute(
            sa.text("UPDATE recommendations SET run_id = 'gone', model_version = '777'")
        )
    store.close()
    report = Silent()
    found = run(home, report)
    assert (found.answers, found.skipped, found.differing) == (0, 3, 0)
    assert "version 777 (run gone) is gone" in report.said[0]


def test_answers_with_other_features_are_not_compared(home):
    def older(candidates):
        names = ("an_old_feature", *FEATURE_NAMES[1:])
        return to_parquet(dataclasses.replace(candidates, features=names))

    change(home, "served", ("candidates", older))
    found = run(home, Silent())
    assert (found.answers, found.skipped) == (2, 1)
    with pytest.raises(InvalidTables, match="an_old_feature"):
        read_stored(home.store_url)


def test_nothing_served_is_nothing_to_audit(tmp_path):
    settings = TrainingSettings(home=tmp_path)
    assert run(settings, Silent()).answers == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="nothing was served yet"):
        read_stored(settings.store_url)


def test_missing_is_missing_however_it_is_written():
    odd = np.array([np.nan, 1.0, -0.0])
    odd.view(np.int64)[0] |= 1
    assert bits(odd).tolist() == bits(np.array([np.nan, 1.0, -0.0])).tolist()
    assert bits(np.array([0.0])) != bits(np.array([-0.0]))


def test_the_store_is_a_log_like_any_other(home, tmp_path):
    """Written to a file as its columns say, it reads the same."""
    store = open_store(home.store_url)
    tables = []
    for answer, candidates in store.log():
        table = to_table(candidates).drop_columns(list(ESTIMATES))
        n = len(candidates)
        ids = pa.array([answer.recommendation_id] * n)
        at = pa.array([answer.served_at_us] * n).cast(pa.timestamp("us", tz="UTC"))
        tables.append(table.add_column(0, "recommendation_id", ids).add_column(0, "served_at", at))
    store.close()
    pq.write_table(pa.concat_tables(tables), tmp_path / "log.parquet")
    from_file, stored = read_served(tmp_path / "log.parquet"), read_stored(home.store_url)
    for field in dataclasses.fields(stored):
        np.testing.assert_array_equal(
            getattr(stored, field.name), getattr(from_file, field.name), strict=True
        )
    assert stored.length.tolist() and STORE == "store"
