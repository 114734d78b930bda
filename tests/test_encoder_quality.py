"""The judge of encoders: retrieval where the answer is known, and intervals that know no luck."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score, ndcg_score

from benchmarks.encoder_quality import METRICS, Quality, compare, retrieval
from features.vectors import snap


def test_retrieval_is_as_defined() -> None:
    random = np.random.default_rng(3)
    vectors = snap(random.normal(size=(60, 8)))
    channel = random.integers(0, 20, 60)
    label = random.integers(0, 4, 20)
    own, topic = retrieval(vectors, channel, label)
    for place in range(60):
        rest = np.delete(np.arange(60), place)
        cosines = vectors[rest] @ vectors[place]
        same = channel[rest] == channel[place]
        if same.any():
            wanted = ndcg_score([same.astype(float)], [cosines], k=10)
            assert own[place] == pytest.approx(wanted)
        else:
            assert np.isnan(own[place])
        strangers = rest[~same][np.argsort(-cosines[~same], kind="stable")[:10]]
        agrees = label[channel[strangers]] == label[channel[place]]
        assert topic[place] == pytest.approx(agrees.mean())


def _quality(told: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> Quality:
    n = told.shape[1]
    ones = np.ones(n)
    label = np.arange(n, dtype=np.int64) % 3
    return Quality(
        own=ones / 2, own_asked=ones, topic=ones, topic_asked=ones, label=label, told=told
    )


def test_niches_are_scored_as_scikit_learn_does() -> None:
    told = np.random.default_rng(1).integers(0, 3, (2, 90))
    found = _quality(told)
    even = np.ones(90)
    accuracy = np.mean([(one == found.label).mean() for one in told])
    macro = np.mean([f1_score(found.label, one, average="macro") for one in told])
    assert METRICS["niche accuracy"](found, even) == pytest.approx(accuracy)
    assert METRICS["niche macro-F1"](found, even) == pytest.approx(macro)
    twice = np.where(np.arange(90) < 45, 2.0, 1.0)  # a channel drawn twice counts twice
    repeated = np.concatenate([np.arange(90), np.arange(45)])
    again = np.mean(
        [f1_score(found.label[repeated], one[repeated], average="macro") for one in told]
    )
    assert METRICS["niche macro-F1"](found, twice) == pytest.approx(again)


def test_a_reference_keeps_all_of_itself_and_a_worse_one_less() -> None:
    right = np.tile(np.arange(90, dtype=np.int64) % 3, (2, 1))
    reference = _quality(right)
    for one in compare(reference, reference).values():
        assert one.kept == one.low == one.high == 1.0
    wrong = right.copy()
    wrong[:, :18] = (wrong[:, :18] + 1) % 3  # a fifth
    worse = compare(dataclasses.replace(reference, told=wrong), reference)
    accuracy = worse["niche accuracy"]
    assert accuracy.kept == pytest.approx(0.8)
    assert accuracy.low < 0.75 < accuracy.kept < 0.85 < accuracy.high < 0.95
    assert worse["own channel, NDCG@10"].kept == 1.0
