"""Candidates on the same rows: what figures say, what is hidden, who is compared with whom."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from features.catalogue import FEATURE_NAMES
from features.text import HashEncoder
from models import index as indexes
from models.conversion import ConversionModel, Labels
from models.conversion_fit import FitParams
from models.heuristic import fit_heuristic
from tests.conftest import ENCODER
from training import gate, promotion
from training.bootstrap import draw, figure
from training.card import LENGTH, limits, model_card
from training.dataset import Rows, draw_candidates, labelled_rows, split_by_time
from training.evaluate import Candidate, Judged, evaluate, figures_of, headline
from training.figures import campaign_captured, campaign_recall, weighted_auc
from training.gate import compare
from training.judging import FAMILIES, MODEL, Learning, assess, candidate_of, predict, steps
from training.learning import fit_before_test
from training.report import Page, as_html, write_report

PARAMS = FitParams(threads=1, max_rounds=150)


@pytest.fixture(scope="module")
def learning(gate_known):
    rows = labelled_rows(gate_known)
    mix = indexes.build(gate_known).profiles.mix
    candidates = draw_candidates(gate_known, rows, 0)
    split = split_by_time(rows)
    return Learning(gate_known, ENCODER.digest, mix, rows, candidates, split, PARAMS)


@pytest.fixture(scope="module")
def fitted(learning):
    return fit_before_test(learning.rows, learning.candidates, learning.split, PARAMS).judged


@pytest.fixture(scope="module")
def evaluation(learning, fitted):
    told = []
    found = assess(learning, fitted.model, [], full=True, done=told.append)
    assert sum(told) == steps(full=True)
    return found


# ---------------------------------------------------------------- figures on plain arrays


def plain_rows(rate, campaigns, seed):
    rng = np.random.default_rng(seed)
    n = len(rate)
    impressions = rng.integers(5_000, 50_000, n)
    labels = Labels(impressions, np.full(n, np.nan), rng.poisson(rate * impressions))
    zero = np.zeros(n, dtype=np.int64)
    return Rows(zero, np.arange(n) % campaigns, np.zeros((n, 1)), labels, zero, zero)


@pytest.fixture
def truth():
    return np.exp(np.random.default_rng(1).normal(-7, 1, 400))


def test_auc_is_that_of_impressions_one_by_one(truth):
    small = np.clip(truth * 300, 0, 0.5)
    rng = np.random.default_rng(2)
    impressions = rng.integers(5, 30, 400)
    labels = Labels(impressions, np.full(400, np.nan), rng.binomial(impressions, small))
    score = np.round(np.log(small), 1)  # with ties
    shown = np.repeat(np.arange(400), impressions)
    place = np.arange(len(shown)) - np.repeat(np.cumsum(impressions) - impressions, impressions)
    won = place < labels.conversions[shown]
    one_group = np.zeros(400, dtype=np.int64)
    found = weighted_auc(labels, score, one_group, np.ones((1, 400)))
    assert found[0] == pytest.approx(roc_auc_score(won, score[shown]), abs=1e-12)
    silent = np.where(score < np.median(score), -np.inf, score)
    found = weighted_auc(labels, silent, one_group, np.ones((1, 400)))
    standing = np.where(np.isinf(silent), -99.0, silent)
    assert found[0] == pytest.approx(roc_auc_score(won, standing[shown]), abs=1e-12)
    of_its_own = weighted_auc(labels, np.zeros(400), one_group, np.ones((1, 400)))
    assert of_its_own[0] == pytest.approx(0.5)
    # A score that tells groups apart, and nothing within them, earns nothing within.
    group = (score > np.median(score)).astype(np.int64)
    assert weighted_auc(labels, group.astype(float), one_group, np.ones((1, 400)))[0] > 0.6
    assert weighted_auc(labels, group.astype(float), group, np.ones((1, 400)))[0] == 0.5


def test_the_best_order_captures_all_and_recalls_all(truth):
    rows = plain_rows(truth, 20, 3)
    won = rows.labels.conversions.astype(float)
    rate = won / rows.labels.impressions
    assert np.nanmin(campaign_captured(rows, won, 10)) == 1.0
    assert np.nanmin(campaign_recall(rows, rate)) == 1.0
    assert np.nanmean(campaign_captured(rows, -won, 10)) < 0.2


def test_intervals_of_true_rates_hold_what_they_say():
    """Outcomes drawn around known rates: the stated share lies within, however small the counts."""
    rng = np.random.default_rng(5)
    rate = np.exp(rng.normal(-9, 1, 4_000))
    shape = np.full(4_000, 2.0)
    rows = plain_rows(rate * rng.gamma(shape, 1 / shape), 200, 6)
    niche = np.zeros(4_000, dtype=np.int64)
    judged = Judged(rows, {}, niche)
    right = evaluate(judged, [Candidate("right", np.log(rate), rate, shape)])
    assert right.coverage["all"].value == pytest.approx(0.8, abs=0.02)
    narrow = evaluate(judged, [Candidate("narrow", np.log(rate), rate, shape * 10)])
    assert narrow.coverage["all"].value < 0.75


def test_a_group_that_is_wrong_is_named_as_the_worst(truth):
    rows = plain_rows(truth, 20, 7)
    platform = np.where(np.arange(400) % 3 == 0, "tiktok", "youtube").astype(object)
    rate = np.where(platform == "tiktok", truth * 3, truth)
    judged = Judged(rows, {"platform": platform}, np.zeros(400, dtype=np.int64))
    found = evaluate(judged, [Candidate("spoiled", np.log(rate), rate)])
    assert found.worst[0].name == "platform tiktok"
    assert found.worst[0].expected_to_observed.low > 2
    assert found.slices_looked_at == 2


def test_the_figures_of_campaigns_drawn_again_lie_around_them(truth):
    rows = plain_rows(truth, 40, 8)
    draws = draw(rows.campaign)
    judged = Judged(rows, {}, np.zeros(400, dtype=np.int64))
    noisy = truth * np.exp(np.random.default_rng(9).normal(0, 0.5, 400))
    for name, found in figures_of(judged, Candidate("a", np.log(noisy), noisy), draws).items():
        assert found.low <= found.value * 1.1 and found.high >= found.value * 0.9, name
    assert np.isnan(figure(np.full(10, np.nan)).value)


# ---------------------------------------------------------------- on a simulated world


def test_everyone_is_judged_on_the_same_rows(evaluation, learning):
    first = evaluation.segments[0]
    assert (first.rows, first.name) == (len(learning.test), "all")
    assert list(first.figures) == [
        MODEL,
        "model as served",
        "logistic regression",
        "random",
        "followers",
        "engagement rate",
        "cosine",
        "0.8 cosine + 0.2 engagement rate",
        "past rate",
        "stated rules",
    ]
    assert first.figures["random"]["auc"].value == pytest.approx(0.5, abs=0.1)
    assert first.figures[MODEL]["deviance_explained"].value > 0


def test_each_family_is_left_out_once(evaluation):
    names = list(evaluation.ablations.figures)
    assert names == [MODEL, *(f"without {family}" for family in FAMILIES)]
    deviance = {
        name: found["deviance"].value for name, found in evaluation.ablations.figures.items()
    }
    assert len(set(deviance.values())) > 5  # a family is worth something


def test_cold_parts_hold_every_row_with_its_past_hidden(evaluation, learning):
    parts = {segment.name: segment for segment in evaluation.segments}
    assert list(parts) == ["all", "warm", "cold brand", "cold creator"]
    whole = parts["all"].figures
    for name in ("cold brand", "cold creator"):
        assert parts[name].rows == len(learning.test)
        # A rule that reads the past has none; one that does not is as good as ever.
        assert parts[name].figures["followers"]["ndcg10"] == whole["followers"]["ndcg10"]
    past = parts["cold creator"].figures["past rate"]["ndcg10"].value
    assert past != whole["past rate"]["ndcg10"].value


def test_headline_is_few_and_named_by_what_it_is(evaluation):
    told = headline(evaluation)
    assert 20 <= len(told) <= 35
    assert {"rank_ndcg10", "rank_ndcg10_best_rule", "cold_brand_ndcg10"} <= set(told)
    assert list(told) == sorted(told)


def test_the_report_stands_alone_escapes_and_is_plain_json(evaluation, tmp_path):
    page = Page("<b>& co", True, {"tables": "<script>"}, evaluation, None, ["a < b"])
    html = as_html(page)
    assert "<script>" not in html and "<b>&" not in html and "&lt;script&gt;" in html
    assert "SIMULATED DATA" in html
    assert html.count("<svg") == 5
    for outside in ("http://", "https://", "url(", "@import", " src="):
        # Names of XML vocabularies are not fetched.
        text = html.replace("http://www.w3.org/", "").replace("http://purl.org/", "")
        text = text.replace("http://creativecommons.org/", "").replace(
            "https://matplotlib.org/", ""
        )
        assert outside not in text.replace("url(#", "")
    paths = write_report(page, tmp_path)
    assert [path.name for path in paths] == ["report.html", "report.json"]
    told = json.loads(paths[1].read_text())
    assert told["evaluation"]["segments"][0]["figures"][MODEL]["ndcg10"]["value"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_the_card_says_data_figures_gate_and_limits(evaluation, learning, fitted):
    test = learning.test
    own = predict(fitted.model, test.matrix)
    decision = compare(test, own, own, {}, "version 1")
    page = Page("A model", True, {"tables": "a|b"}, evaluation, decision, limits(evaluation, "x"))
    card = model_card(page)
    for words in (
        "SIMULATED DATA",
        "## How good it is",
        "NDCG@10",
        "## The gate",
        "Promoted: not worse than version 1",
        "## Limits",
        "whom nobody chose",
        "a\\|b",
    ):
        assert words in card
    assert len(card) <= LENGTH
    long = dataclasses.replace(page, facts={"tables": "x" * 2 * LENGTH})
    assert len(model_card(long)) <= LENGTH
    assert model_card(long).endswith("of the run.)\n")


# ---------------------------------------------------------------- who is compared with whom


def champion_of(model, judged, as_of_us, version="7"):
    """As `standing` gives one, around a model; nothing else of a bundle is looked at."""
    bundle = SimpleNamespace(
        model=model,
        judged=judged,
        encoder=ENCODER,
        manifest=SimpleNamespace(as_of_us=as_of_us, currency="USD", params={}),
    )
    return promotion.Champion(SimpleNamespace(version=version), bundle)


def never(bundle):
    raise AssertionError("the champion reads texts as the challenger does")


def test_the_champion_is_judged_as_it_was_before_the_rows(learning, fitted):
    as_of = learning.known.facts.as_of_us
    spoiled = dataclasses.replace(fitted.model, choice=None)
    # The one it serves has seen the test rows, so the one that has not is asked.
    rival = promotion.rival(learning, champion_of(spoiled, fitted, as_of), never)
    assert np.array_equal(rival.predictions.rate, predict(fitted.model, learning.test.matrix).rate)
    assert rival.candidate.name == "champion, version 7"
    # One whose data ended before the test part is asked as it is served.
    older = promotion.rival(
        learning, champion_of(spoiled, fitted, learning.split.test_from_us), never
    )
    assert np.array_equal(older.predictions.rate, predict(spoiled, learning.test.matrix).rate)


def test_rows_that_the_champion_has_seen_are_left_out(learning, fitted):
    test = learning.test
    later = int(np.quantile(test.started_us, 0.5))
    judged = dataclasses.replace(fitted, test_from_us=later)
    as_of = learning.known.facts.as_of_us
    champion = champion_of(fitted.model, judged, as_of)
    rival = promotion.rival(learning, champion, never)
    assert rival.candidate is None
    assert set(test.started_us[rival.kept] >= later) == {True}
    decision = promotion.decide(learning, fitted.model, champion, rival)
    assert decision.promote and decision.rows == len(rival.kept)
    nothing_new = dataclasses.replace(fitted, test_from_us=as_of)
    champion = champion_of(fitted.model, nothing_new, as_of)
    rival = promotion.rival(learning, champion, never)
    decision = promotion.decide(learning, fitted.model, champion, rival)
    assert not decision.promote
    assert "cannot be compared with version 7: 0 collaborations" in decision.reason


def test_another_encoders_champion_reads_the_texts_itself(learning, fitted):
    champion = champion_of(fitted.model, fitted, learning.known.facts.as_of_us)
    champion.bundle.encoder = HashEncoder(8)
    asked = []

    def read_as(bundle):
        asked.append(bundle.encoder.dim)
        return learning.known

    promotion.rival(learning, champion, read_as)
    assert asked == [8]


def test_a_first_model_and_stated_rules_are_compared_with_the_baselines(learning, fitted):
    first = promotion.decide(learning, fitted.model, None, None)
    assert first.against == "the baselines"
    assert {check.name.split(", ")[0] for check in first.checks} == {"ndcg10", "deviance"}
    assert len(first.checks) == 16
    rules = fit_heuristic(learning.early.matrix)
    champion = champion_of(rules, None, learning.known.facts.as_of_us)
    rival = promotion.rival(learning, champion, never)
    decision = promotion.decide(learning, fitted.model, champion, rival)
    assert len(decision.checks) == 18
    assert any("champion, version 7" in check.name for check in decision.checks)
    unusable = promotion.Champion(champion.version, None, "made from other features")
    assert promotion.rival(learning, unusable, never) is None


def test_a_constant_model_loses_to_the_baselines(learning, fitted):
    """What a model that learned nothing looks like: its first split taken away."""
    flat = np.zeros(len(FEATURE_NAMES))
    assert isinstance(fitted.model, ConversionModel)
    rate = np.full(len(learning.test), fitted.model.predict(flat[np.newaxis]).rate[0])
    one = candidate_of("flat", fitted.model, learning.test.matrix, learning.early)
    told = dataclasses.replace(
        predict(fitted.model, learning.test.matrix), score=np.zeros(len(rate)), rate=rate
    )
    decision = gate.compare_with_baselines(learning.test, told, {"model": (one.score, one.rate)})
    assert not decision.promote and "worse than the baselines" in decision.reason
