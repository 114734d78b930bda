"""Reasons: they add up to the score, and no sentence contradicts its sign."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import BY_NAME, FEATURE_NAMES, FEATURES
from models.reasons import BASELINE, OTHER, explain, format_value

N = len(FEATURES)


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_reasons_add_up_and_agree_with_their_sign(seed):
    rng = np.random.default_rng(seed)
    row = np.abs(rng.normal(1, 2, N))
    row[FEATURE_NAMES.index("platform")] = rng.integers(0, 9)
    row[FEATURE_NAMES.index("tier")] = rng.integers(0, 5)
    row[rng.random(N) < 0.2] = np.nan
    contributions = rng.normal(0, 1, N + 1) * (rng.random(N + 1) < 0.7)
    typical = np.abs(rng.normal(1, 2, N))
    told = explain(row, contributions, typical, "USD", [])
    assert np.isclose(sum(reason.contribution for reason in told), contributions.sum())
    for reason in told:
        if reason.feature == BASELINE:
            continue
        raises = "raises the score" in reason.text
        lowers = "lowers the score" in reason.text
        assert raises != lowers
        assert raises == (reason.contribution > 0)
    named = [reason.feature for reason in told if reason.feature not in (BASELINE, OTHER)]
    assert len({BY_NAME[name].group for name in named}) == len(named)


def test_a_missing_value_is_said_to_be_unknown():
    row = np.full(N, np.nan)
    contributions = np.zeros(N + 1)
    contributions[FEATURE_NAMES.index("comments_per_like")] = -0.2
    told = explain(row, contributions, row, "USD", [])
    assert told[0].value is None
    assert told[0].text == "Comments per like: not known; lowers the score"


def test_a_value_reads_with_number_and_comparison():
    row = np.full(N, 0.0)
    place = FEATURE_NAMES.index("sponsored_share_90d")
    row[place] = 0.04
    contributions = np.zeros(N + 1)
    contributions[place] = 0.31
    typical = np.full(N, 0.12)
    told = explain(row, contributions, typical, "USD", [])
    assert told[0].text == "Few recent sponsorships: 4.0% (typical: 12.0%); raises the score"
    typical[place] = 0.04
    told = explain(row, contributions, typical, "USD", [])
    assert told[0].text == "Sponsored posts in 90 days: 4.0%, as is typical; raises the score"


def test_a_comparison_with_similar_creators_is_said_once():
    row = np.full(N, 0.0)
    place = FEATURE_NAMES.index("comments_per_like_relative")
    row[place] = 2.1
    contributions = np.zeros(N + 1)
    contributions[place] = 0.2
    told = explain(row, contributions, np.full(N, 1.0), "USD", [])
    assert told[0].text == (
        "Comments per like 2.10 times that of similar creators; raises the score"
    )


def test_every_unit_can_be_read():
    for feature in FEATURES:
        assert format_value(feature, 1.0, "USD")
