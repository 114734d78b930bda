"""Profiles in parts: what is read at once, by whom, and together with whom changes nothing."""

import dataclasses
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.features_world import make_facts
from features import usual
from features.creator import build_history, peer_sums
from features.facts import Asks, Outcomes
from features.pair import BriefTotals, _category_rates, kernel
from features.usual import usual_rates
from features.vectors import GRID, snap
from features.windows import Timeline
from models import profiles, snapshots, subjects
from models.profiles import profile_creators
from models.projection import Spread, fit_projection
from models.snapshots import Known, know
from models.subjects import MAX_TOPICS, cluster
from tests.conftest import centroid_niches, facts_of, frames_of, tables_of
from training.dataset import rows_of


def same(one, other):
    """All arrays of two records, equal to the last bit."""
    for field in dataclasses.fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(mine):
            same(mine, theirs)
        elif isinstance(mine, np.ndarray):
            assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), field.name
        else:
            assert mine == theirs, field.name


@pytest.fixture(scope="module")
def everyone(small_known):
    """All creators a third of a year ago."""
    facts = small_known.facts
    n = len(facts.creator_id)
    return Asks(np.arange(n), np.full(n, facts.as_of_us - 120 * 86_400_000_000))


@pytest.mark.parametrize(("posts", "asks", "floats"), [(1, 1, 1), (37, 3, 5_000)])
def test_the_size_of_parts_changes_nothing(small_known, everyone, monkeypatch, posts, asks, floats):
    whole = profile_creators(small_known, everyone)
    monkeypatch.setattr(profiles, "PART_POSTS", posts)
    monkeypatch.setattr(snapshots, "PART_POSTS", posts)
    monkeypatch.setattr(profiles, "PART_ASKS", asks)
    monkeypatch.setattr(subjects, "PART_FLOATS", floats)
    done = []
    same(profile_creators(small_known, everyone, done.append), whole)
    assert sum(done) == len(everyone)


def test_a_part_of_the_creators_is_profiled_without_the_others_posts(small_known, everyone):
    """What a machine that holds a part of the posts needs of the others: sums for its asks."""
    facts = small_known.facts
    half = len(facts.creator_id) // 2
    first = facts.posts.timeline.group < half
    histories = [build_history(posts_of(facts, kept)) for kept in (first, ~first)]
    peer = facts.peer_at(everyone.creator, everyone.as_of_us)
    sums = [peer_sums(history, peer, everyone.as_of_us) for history in histories]
    peers = sums[0] + sums[1]
    whole = profile_creators(small_known, everyone)
    for history, rows in zip(histories, np.split(np.arange(len(everyone)), [half]), strict=True):
        known = Known(history, small_known.snapshots)
        part = profile_creators(known, everyone.take(rows), peers=peers.take(rows))
        assert np.array_equal(part.numbers.values, whole.numbers.values[rows], equal_nan=True)
        assert np.array_equal(part.mix, whole.mix[rows], equal_nan=True)
        assert np.array_equal(part.topics, whole.topics[rows])
        assert np.array_equal(part.niche_values, whole.niche_values[rows], equal_nan=True)
        assert np.array_equal(part.ads.niche, whole.ads.niche[np.isin(whole.ads.rows.row, rows)])


def posts_of(facts, kept):
    """Facts of some of the posts."""
    posts = facts.posts
    timeline = Timeline.build(
        posts.timeline.group[kept], posts.timeline.time_us[kept], posts.post_id[kept]
    )
    arrays = {
        field.name: getattr(posts, field.name)[kept]
        for field in dataclasses.fields(posts)
        if field.name != "timeline"
    }
    place = np.cumsum(kept) - 1
    ads = facts.ads
    mine = (ads.post < 0) | kept[np.maximum(ads.post, 0)]
    part = Timeline.build(ads.timeline.group[mine], ads.timeline.time_us[mine])
    assert np.array_equal(part.order, np.arange(mine.sum()))
    return dataclasses.replace(
        facts,
        posts=dataclasses.replace(posts, timeline=timeline, **arrays),
        ads=dataclasses.replace(
            ads,
            timeline=part,
            brand=ads.brand[mine],
            post=np.where(ads.post[mine] >= 0, place[np.maximum(ads.post[mine], 0)], -1),
            brief=ads.brief[mine],
            collaboration=ads.collaboration[mine],
        ),
    )


vectors_of = st.integers(0, 10_000).map(np.random.default_rng)


@given(vectors_of)
def test_sets_are_clustered_as_if_each_were_alone(rng):
    sets = [snap(rng.normal(size=(int(rng.integers(1, 12)), 8))) for _ in range(5)]
    sets[1][0] = 0.0
    weights = [rng.integers(1, 1025, len(one)) for one in sets]
    width = max(map(len, sets))
    padded = np.zeros((len(sets), width, 8), dtype=np.float32)
    weight = np.zeros((len(sets), width), dtype=np.int64)
    for number, one in enumerate(sets):
        padded[number, : len(one)], weight[number, : len(one)] = one, weights[number]
    centres, share = cluster(padded, weight)
    for number, one in enumerate(sets):
        alone, alone_share = cluster(one[np.newaxis], weights[number][np.newaxis])
        assert np.array_equal(alone[0], centres[number])
        assert np.array_equal(alone_share[0], share[number])
    assert np.allclose(share.sum(axis=1), padded.any(axis=(1, 2)))
    assert (np.diff(share, axis=1) <= 0).all()


def test_topics_that_lie_apart_are_found():
    rng = np.random.default_rng(4)
    truth = snap(np.eye(16)[:MAX_TOPICS])
    posts = snap(np.repeat(truth, 10, axis=0) + rng.normal(0, 0.05, (30, 16)))
    weight = np.repeat([100, 300, 200], 10)
    centres, share = cluster(posts[np.newaxis], weight[np.newaxis])
    assert share[0] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert (np.diag(centres[0] @ truth[[1, 2, 0]].T) > 0.99).all()


@settings(max_examples=25)
@given(vectors_of, st.integers(1, 60))
def test_usual_rates_equal_those_of_all_totals(rng, rows):
    """The walk through time against the definition: totals of every brief by every moment."""
    outcomes, past = small_outcomes(rng)
    briefs = snap(rng.normal(size=(4, 8)))
    which = rng.integers(0, 4, rows)
    moment = rng.integers(0, 60, rows) * 10
    with patch.object(usual, "PAIRS_AT_ONCE", 3), patch.object(usual, "SINCE_AT_ONCE", 2):
        got = usual_rates(outcomes, past, briefs, which, moment)
    for row in range(rows):
        before = outcomes.resolved_us < moment[row]
        clicked = before & ~np.isnan(outcomes.clicks)

        def total(values, where):
            return np.bincount(outcomes.brief[where], values[where], len(past)).astype(int)[None]

        totals = BriefTotals(
            total(outcomes.conversions, before),
            total(outcomes.impressions, before),
            total(outcomes.clicks, clicked),
            total(outcomes.impressions, clicked),
        )
        wanted = _category_rates(totals, kernel(past, briefs[which[row]]))
        assert np.array_equal([got[0][row], got[1][row]], np.ravel(wanted), equal_nan=True)


def small_outcomes(rng):
    """Forty outcomes of six briefs, some without clicks, some seen by nobody."""
    n = 40
    seen = rng.integers(0, 3_000, n) * (rng.random(n) < 0.9)
    clicks = rng.binomial(seen, 0.1).astype(float)
    conversions = rng.binomial(clicks.astype(int), 0.3)
    clicks[rng.random(n) < 0.3] = np.nan
    none = np.zeros(n, dtype=np.int64)
    text = np.full(n, "", dtype=object)
    return (
        Outcomes(
            text,
            text,
            none,
            none,
            text,
            rng.integers(0, 6, n),
            none,
            rng.integers(0, 600, n),
            seen,
            clicks,
            conversions,
            clicks,
            none,
        ),
        snap(rng.normal(size=(6, 8))),
    )


def test_the_kernel_is_the_fourth_power_of_every_cosine_of_the_grid():
    step = GRID * GRID
    cosine = np.arange(-10, step * 1.01, 97) / step
    weight = kernel(cosine.astype(np.float32)[:, np.newaxis], np.ones(1, dtype=np.float32))
    assert np.array_equal(weight, np.rint(np.maximum(cosine, 0) ** 4 * 4096))


def test_a_projection_is_the_same_however_posts_come_in():
    rng = np.random.default_rng(2)
    creator = np.sort(rng.integers(0, 30, 600))
    vectors = snap(rng.normal(size=(30, 16))[creator] + rng.normal(size=(600, 16)))
    spread = Spread.empty(40, 16)
    for part in np.array_split(rng.permutation(600), 7):
        spread.add(vectors[np.sort(part)], creator[np.sort(part)])
    same(spread.projection(), fit_projection(vectors, creator))
    assert not np.array_equal(spread.projection().matrix, np.eye(16))


def test_so_many_labelled_creators_teach_and_the_future_does_not_choose_them(
    small_tables, tmp_path, monkeypatch
):
    monkeypatch.setattr(snapshots, "MOST_LABELLED", 7)
    frames = frames_of(small_tables)
    times = frames["posts"]["published_at"]
    cut = (times.min() + 0.5 * (times.max() - times.min())).floor("s")
    early = frames | {
        "posts": frames["posts"][times < cut],
        "followers": frames["followers"][frames["followers"]["observed_at"] < cut],
        "sponsorships": frames["sponsorships"][frames["sponsorships"]["started_at"] < cut],
    }
    seen = [taught(facts_of(tables)) for tables in (tables_of(early, tmp_path), small_tables)]
    assert max(map(len, seen[1].values())) == 7
    for moment, creators in seen[0].items():
        assert seen[1][moment] == creators


def taught(facts):
    """Whose posts each month's niche model is given."""
    found = {}
    fit = centroid_niches(facts)

    def noting(vectors, creator, until_us):
        assert len(vectors) == len(creator)
        found[until_us] = set(facts.creator_id[np.unique(creator)])
        return fit(vectors, creator, until_us)

    know(facts, noting)
    return found


def test_facts_of_the_benchmark_make_rows(tmp_path):
    asked = make_facts(2_000, 3, tmp_path)
    known = know(asked.facts, centroid_niches(asked.facts))
    rows = rows_of(known, asked.asks, asked.brief, asked.brand)
    assert rows.shape[0] == len(asked.asks) > 0
    assert (~np.isnan(rows)).mean() > 0.6
    one = np.array([0])
    alone = rows_of(known, asked.asks.take(one), asked.brief[one], asked.brand[one])
    assert np.array_equal(alone, rows[one], equal_nan=True)
