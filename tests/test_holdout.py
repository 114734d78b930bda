"""Rows with less known: a hidden past is hidden, and what knows the future is found."""

import numpy as np
import pytest

from features.catalogue import BY_NAME, FEATURE_NAMES
from features.rates import RateHistory
from training.dataset import labelled_rows, rows_again
from training.holdout import hide_brands, hide_creators, knows_later


@pytest.fixture(scope="module")
def rows(small_known):
    return labelled_rows(small_known)


def column(rows, name):
    return rows.matrix[:, FEATURE_NAMES.index(name)]


@pytest.mark.parametrize("hide", [hide_brands, hide_creators])
def test_each_is_hidden_once_and_with_all_it_did(small_known, rows, hide):
    outcomes = small_known.facts.outcomes
    owner = (outcomes.brand if hide is hide_brands else outcomes.creator)[rows.outcome]
    times = np.zeros(len(rows))
    for hidden in hide(small_known, rows, 0):
        assert not set(owner[hidden.past]) & set(owner[~hidden.past])
        times += hidden.past
    assert (times == 1).all()


def test_hidden_creators_have_no_past(small_known, rows):
    for hidden in hide_creators(small_known, rows, 0):
        assert (column(rows, "past_impressions_log")[hidden.past] > 0).any()
        assert (column(hidden.rows, "past_impressions_log")[hidden.past] == 0).all()


def test_creators_keep_what_they_did_for_others_than_the_hidden_brands(small_known, rows):
    for hidden in hide_brands(small_known, rows, 0):
        before = column(rows, "past_impressions_log")[hidden.past]
        after = column(hidden.rows, "past_impressions_log")[hidden.past]
        assert (after <= before).all()
        assert (after > 0).any()
        assert (after < before).any()


@pytest.mark.parametrize("hide", [hide_brands, hide_creators])
def test_what_is_not_of_collaborations_stays(small_known, rows, hide):
    hidden = next(hide(small_known, rows, 0)).rows
    for place, name in enumerate(FEATURE_NAMES):
        if BY_NAME[name].family in ("text", "engagement", "size", "price"):
            assert np.array_equal(hidden.matrix[:, place], rows.matrix[:, place], equal_nan=True)
    assert hidden.labels is rows.labels


def test_no_rows_have_all_the_columns(small_known, rows):
    """A champion that has seen every row of another world is asked about none."""
    none = rows.take(np.empty(0, dtype=np.int64))
    assert rows_again(small_known, small_known, none).shape == (0, len(FEATURE_NAMES))


def test_rows_know_nothing_later(small_known, rows):
    for share in (0.3, 0.5, 0.8):
        moment = int(np.quantile(rows.started_us, share))
        assert knows_later(small_known, rows, moment) == {}


def test_a_leak_is_found_and_named(small_known, monkeypatch):
    """A definition that counts every outcome, whenever it came, as a hurried change would."""
    real = RateHistory.posterior

    def hurried(self, unit, kind, as_of_us):
        return real(self, unit, kind, np.full(len(as_of_us), small_known.facts.as_of_us))

    monkeypatch.setattr(RateHistory, "posterior", hurried)
    rows = labelled_rows(small_known)
    changed = knows_later(small_known, rows, int(np.median(rows.started_us)))
    assert "past_conversion_rate" in changed
    assert not {"followers_log", "projected_similarity"} & set(changed)
