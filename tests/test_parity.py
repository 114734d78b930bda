"""The laws of an ask, exactly: one is as a batch, order is nothing, the future is nothing.

And parity: the row that the service scores is the row that training would build for that ask.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURE_NAMES
from features.facts import Asks, brand_code, distinct_briefs
from features.pair import pair_features
from features.schemas import Brief
from models import bundle as bundles
from models import index as indexes
from models import scoring
from models.profiles import profile_creators
from models.snapshots import profile_brief
from tests.conftest import ENCODER, facts_of, frames_of, known_of, tables_of
from training.dataset import labelled_rows, rows_of

SLOW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def assert_same_rows(got, wanted):
    """Equal value for value, missing where missing; names the features that differ."""
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    differ = [name for name, column in zip(FEATURE_NAMES, same.T, strict=True) if not column.all()]
    assert not differ


def some_asks(known, count, seed):
    """Random asks about random briefs, at any moment from the first post on."""
    facts = known.facts
    rng = np.random.default_rng(seed)
    first = int(facts.posts.timeline.time_us.min())
    asks = Asks(
        rng.integers(0, len(facts.creator_id), count),
        rng.integers(first, facts.as_of_us + 1, count),
    )
    brief = rng.integers(0, len(facts.brief_vector), count)
    brand = facts.outcomes.brand[rng.integers(0, len(facts.outcomes), count)]
    return asks, brief, brand


@SLOW
@given(st.integers(0, 10_000))
def test_one_ask_equals_a_batch_in_any_order(small_known, seed):
    asks, brief, brand = some_asks(small_known, 12, seed)
    batch = rows_of(small_known, asks, brief, brand)
    order = np.random.default_rng(seed).permutation(12)
    mixed = rows_of(small_known, asks.take(order), brief[order], brand[order])
    assert_same_rows(mixed, batch[order])
    for i in range(0, 12, 3):
        one = np.array([i])
        assert_same_rows(rows_of(small_known, asks.take(one), brief[one], brand[one]), batch[one])


def future_of(frames, cut, rng):
    """The frames with events after `cut` changed, added and removed, and creators added."""
    frames = {name: frame.copy() for name, frame in frames.items()}
    posts = frames["posts"]
    late = posts["published_at"] >= cut
    posts.loc[late, ["likes", "comments"]] = rng.integers(0, 10**6, (int(late.sum()), 2))
    posts.loc[late, "text"] = "crypto casino bonus #ad sponsored by Rival"
    posts = posts[~late | (rng.random(len(posts)) < 0.7)]
    new = frames["creators"].head(5).copy()
    new["creator_id"] = [f"a-new-{i}" for i in range(5)]
    new["niche"] = "A Label Of The Future"
    added = posts.sample(40, random_state=int(rng.integers(1000))).copy()
    added["post_id"] = [f"new-{i}" for i in range(40)]
    added["creator_id"] = rng.choice([*new["creator_id"], *frames["creators"]["creator_id"]], 40)
    added["published_at"] = cut + pd.to_timedelta(rng.integers(0, 40, 40), unit="D")
    deals = frames["sponsorships"]
    unknown = deals["resolved_at"] >= cut
    deals.loc[unknown, ["conversions", "clicks"]] = 0
    deals.loc[unknown, "impressions"] = 123_456
    deals = deals[(deals["started_at"] < cut) | (rng.random(len(deals)) < 0.7)]
    started = deals.head(10).copy()
    started["sponsorship_id"] = [f"new-{i}" for i in range(10)]
    started["brief"] = [f"A brief of the future, number {i}" for i in range(10)]
    started["brand"] = "Brand Of The Future"
    started["started_at"] = cut + pd.Timedelta(days=1)
    started["resolved_at"] = cut + pd.Timedelta(days=31)
    followers = frames["followers"]
    seen = followers["observed_at"] >= cut
    followers.loc[seen, "follower_count"] = 10**8
    return frames | {
        "creators": pd.concat([frames["creators"], new], ignore_index=True),
        "posts": pd.concat([posts, added], ignore_index=True),
        "sponsorships": pd.concat([deals, started], ignore_index=True),
        "followers": followers,
    }


@SLOW
@given(st.integers(0, 10_000), st.floats(0.2, 0.9))
def test_the_future_changes_no_past_row(small_tables, small_known, tmp_path_factory, seed, share):
    rng = np.random.default_rng(seed)
    times = small_tables.posts["published_at"]
    cut = (times.min() + share * (times.max() - times.min())).floor("s")
    changed = known_of(
        tables_of(future_of(frames_of(small_tables), cut, rng), tmp_path_factory.mktemp("future"))
    )
    asks, brief, brand = some_asks(small_known, 60, seed)
    cut_us = int(cut.timestamp()) * 1_000_000
    past = np.flatnonzero(asks.as_of_us <= cut_us)
    asks, brief, brand = asks.take(past), brief[past], brand[past]
    wanted = rows_of(small_known, asks, brief, brand)
    # The same creators and briefs have other codes in the changed world.
    texts = small_known.facts.brief_text[brief]
    there = np.isin(texts, changed.facts.brief_text)
    asks, wanted, brand = asks.take(np.flatnonzero(there)), wanted[there], brand[there]
    moved = Asks(changed.facts.codes(small_known.facts.creator_id[asks.creator]), asks.as_of_us)
    place = np.searchsorted(changed.facts.brief_text, texts[there])
    if len(moved):
        assert_same_rows(rows_of(changed, moved, place, brand), wanted)


def test_labelled_rows_know_nothing_of_their_own_outcome(small_tables, small_known, tmp_path):
    frames = frames_of(small_tables)
    deals = frames["sponsorships"].copy()
    last = deals["started_at"] >= deals["started_at"].quantile(0.9)
    deals.loc[last, "conversions"] = 0
    deals.loc[last, "clicks"] = 0
    other = known_of(tables_of(frames | {"sponsorships": deals}, tmp_path))
    mine, theirs = labelled_rows(small_known), labelled_rows(other)
    first_known_us = int(deals.loc[last, "resolved_at"].min().timestamp() * 1e6)
    early = mine.started_us <= first_known_us
    own = np.isin(
        small_known.facts.outcomes.sponsorship_id[mine.outcome], deals["sponsorship_id"][last]
    )
    assert (early & own).sum() > 5
    assert_same_rows(theirs.matrix[early], mine.matrix[early])


@pytest.fixture(scope="module")
def served(small_tables, tmp_path_factory):
    """A bundle of the world as it stood two thirds through, saved and loaded."""
    times = small_tables.posts["published_at"]
    cut = (times.min() + 0.66 * (times.max() - times.min())).floor("s")
    frames = frames_of(small_tables)
    then = frames | {
        "posts": frames["posts"][frames["posts"]["published_at"] < cut],
        "sponsorships": frames["sponsorships"][frames["sponsorships"]["started_at"] < cut],
        "followers": frames["followers"][frames["followers"]["observed_at"] < cut],
    }
    known = known_of(tables_of(then, tmp_path_factory.mktemp("then")))
    rows = labelled_rows(known)
    from models.heuristic import fit_heuristic
    from models.search_fit import search_for

    folder = tmp_path_factory.mktemp("served") / "bundle"
    index, model = indexes.build(known), fit_heuristic(rows.matrix)
    bundles.save(
        folder,
        bundles.Content(
            encoder=ENCODER,
            niche=known.snapshots[-1].model,
            projection=known.snapshots[-1].projection,
            model=model,
            judged=None,
            prices=None,
            index=index,
            search=search_for(known, index, model, None),
            probes=None,
        ),
        bundles.Origin("a test", {}, {}, {}),
    )
    return bundles.load(folder)


@settings(SLOW, max_examples=6)
@given(st.integers(0, 10_000))
def test_the_row_served_is_the_row_training_builds(served, small_tables, small_known, seed):
    """Served from a bundle of then; built by training with all that happened since."""
    rng = np.random.default_rng(seed)
    briefs = distinct_briefs(small_tables)
    query = briefs[rng.integers(len(briefs))]
    brand = str(rng.choice(small_tables.sponsorships["brand"]))
    brief = Brief.model_validate({"brand": {"name": brand}, "query": query, "limit": 500})
    scored, _ = scoring.score(served, brief)
    ids = served.index.ids[scored.places]
    n = len(ids)
    asks = Asks(small_known.facts.codes(ids), np.full(n, served.index.as_of_us))
    place = int(np.searchsorted(small_known.facts.brief_text, brief.query))
    rows = rows_of(small_known, asks, np.full(n, place), np.full(n, brand_code(brand)))
    assert n == len(served.index)
    assert_same_rows(scored.matrix, rows)


def test_a_brief_alone_equals_a_brief_among_others(small_known):
    facts = small_known.facts
    n = len(facts.creator_id)
    everyone = np.arange(n)
    profiles = profile_creators(small_known, Asks(everyone, np.full(n, facts.as_of_us)))
    latest = small_known.snapshots[-1]
    briefs = [
        profile_brief(latest.model, latest.projection, vector, language, 7)
        for vector, language in zip(facts.brief_vector, ("en", "de") * 99, strict=False)
    ]
    together = pair_features(
        profiles, np.tile(everyone, len(briefs)), briefs, np.repeat(np.arange(len(briefs)), n)
    )
    for number, brief in enumerate(briefs):
        alone = pair_features(profiles, everyone, [brief], np.zeros(n, dtype=np.int64))
        assert_same_rows(together[number * n : (number + 1) * n], alone)


def test_facts_do_not_depend_on_the_order_of_rows(small_tables, tmp_path):
    shuffled = {
        name: frame.sample(frac=1, random_state=3)
        for name, frame in frames_of(small_tables).items()
    }
    a, b = facts_of(small_tables), facts_of(tables_of(shuffled, tmp_path))
    assert np.array_equal(a.posts.vector, b.posts.vector)
    assert np.array_equal(a.posts.post_id, b.posts.post_id)
    assert a.as_of_us == b.as_of_us
