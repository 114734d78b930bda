"""A refresh is what a whole build of the same tables with the same models is, or nothing."""

import numpy as np
import pandas as pd
import pytest
from conftest import Silent, frames_of, tables_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.facts import build_facts, distinct_briefs
from features.readings import AFRESH, ReadingCache, TextRules
from features.schemas import BundleError, DataError, NoModel
from features.tables import read_tables, write_tables
from models import bundle as bundles
from models import index as indexes
from models.index_files import write_index
from models.registry import Registry
from training.refresh import FROM, known_by, prepare, refresh
from training.safety_fit import fit_risks
from training.settings import TrainingSettings

TEXTS = [
    "#ad a serum, code MIA10",
    "Ein Spaziergang im Wald",
    "casino night, bet now",
    "",
    "naïve 茶",
]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "edit", "delete", "remove creator", "new creator", "outcome"]),
        st.integers(0, 10**6),
        st.sampled_from(TEXTS),
    ),
    max_size=6,
)


def changed(frames, changes):
    """Tables after some changes; times of what is new lie after all that was."""
    frames = {name: frame.copy() for name, frame in frames.items()}
    for number, (what, draw, text) in enumerate(changes):
        posts, creators, deals = frames["posts"], frames["creators"], frames["sponsorships"]
        row = draw % len(posts)
        if what == "add":
            later = posts["published_at"].max() + pd.Timedelta(days=draw % 40)
            new = posts.iloc[[row]].assign(post_id=f"new-{number}", text=text, published_at=later)
            frames["posts"] = pd.concat([posts, new], ignore_index=True)
        elif what == "edit":
            posts.loc[posts.index[row], "text"] = text
        elif what == "delete":
            frames["posts"] = posts.drop(posts.index[row]).reset_index(drop=True)
        elif what == "remove creator":
            gone = creators["creator_id"].iloc[draw % len(creators)]
            for name, frame in frames.items():
                frames[name] = frame[frame["creator_id"] != gone].reset_index(drop=True)
        elif what == "new creator":
            new = creators.iloc[[draw % len(creators)]].assign(
                creator_id=f"new-{number}", handle=f"new{number}"
            )
            frames["creators"] = pd.concat([creators, new], ignore_index=True)
        else:
            new = deals.iloc[[draw % len(deals)]].assign(sponsorship_id=f"new-{number}")
            frames["sponsorships"] = pd.concat([deals, new], ignore_index=True)
    return frames


def written(folder, index):
    """Every file of an index, as bytes."""
    write_index(folder, index)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def champion(trained_home):
    registry = Registry(trained_home.settings.registry_uri, trained_home.settings.artifacts)
    version = registry.champion()
    return bundles.load(registry.fetch(version, trained_home.settings.bundles))


def test_a_refresh_is_a_whole_build_bit_for_bit(champion, small_world, tmp_path_factory):
    # Within, so that what Hypothesis tells of a failure is the changes, not the world. As found,
    # for to shrink is to build an index some hundred times.
    @settings(
        max_examples=6,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(changes=CHANGES)
    def check(changes):
        folder = tmp_path_factory.mktemp("same")
        own = TrainingSettings(
            home=folder / "home", encoder="hash", currency=champion.index.currency
        )
        frames = frames_of(small_world)
        prepare(own, "before", tables_of(frames, folder / "before"), champion, Silent())
        tables = tables_of(changed(frames, changes), folder / "after")
        material, encoded = prepare(own, "after", tables, champion, Silent())
        assert encoded <= len(changes)

        encode = champion.encoder.encode
        facts = build_facts(
            tables,
            encode(tables.posts["text"].tolist()),
            encode(distinct_briefs(tables)),
            champion.index.currency,
        )
        whole = indexes.build(known_by(champion, facts), None, fit_risks(champion.encoder))
        mine, theirs = written(folder / "a", material.index), written(folder / "b", whole)
        assert mine.keys() == theirs.keys()
        assert [name for name in mine if mine[name] != theirs[name]] == []

    check()


@given(st.lists(st.text(max_size=30) | st.sampled_from(TEXTS), max_size=12))
def test_what_is_read_again_is_what_was_read(tmp_path_factory, texts):
    rules = TextRules(tmp_path_factory.getbasetemp() / "readings-of-all")
    for _ in range(2):
        assert rules.languages(texts).tolist() == AFRESH.languages(texts).tolist()
        assert rules.disclosures(texts) == AFRESH.disclosures(texts)
        words, risks = rules.safety(texts)
        assert words == AFRESH.safety(texts)[0]
        assert np.array_equal(risks, AFRESH.safety(texts)[1])


def test_readings_are_dropped_by_text_and_cleared(tmp_path):
    rules = TextRules(tmp_path)
    rules.languages(TEXTS)
    rules.disclosures(TEXTS)
    assert ReadingCache.drop(tmp_path, [TEXTS[0], "never held"]) == 2
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("data.mdb"))
    assert b"mia10" not in held.lower()
    assert ReadingCache.clear(tmp_path) == 2 * (len(TEXTS) - 1)
    assert not list(tmp_path.rglob("data.mdb"))


def test_a_champion_is_refreshed_or_stays(trained_home, champion, small_world, tmp_path):
    own = trained_home.settings
    registry = Registry(own.registry_uri, own.artifacts)
    before = registry.champion().version
    frames = frames_of(read_tables(trained_home.source))

    def refused(frames, told):
        folder = tmp_path / told.replace(" ", "-")
        write_tables(frames, folder, "parquet")
        count = len(registry.versions())
        with pytest.raises(DataError, match=told):
            refresh(own, str(folder), Silent())
        assert registry.champion().version == before and len(registry.versions()) == count

    few = set(frames["creators"]["creator_id"][:80])
    refused(
        {name: frame[frame["creator_id"].isin(few)] for name, frame in frames.items()}
        | {"followers": frames["followers"].iloc[:0]}
        | {"posts": frames["posts"][frames["posts"]["creator_id"].isin(few)].assign(
            published_at=frames["posts"]["published_at"].max() + pd.Timedelta(days=1))},
        "read in part",
    )  # fmt: skip
    early = frames["posts"]["published_at"].quantile(0.2)
    refused(
        frames
        | {
            "posts": frames["posts"][frames["posts"]["published_at"] < early],
            "sponsorships": frames["sponsorships"].iloc[:0],
            "followers": frames["followers"].iloc[:0],
        },
        "before the champion",
    )

    newer = changed(frames, [("add", 30, TEXTS[1]), ("edit", 3, TEXTS[2])])
    write_tables(newer, tmp_path / "newer", "parquet")
    done = refresh(own, str(tmp_path / "newer"), Silent())
    try:
        assert registry.champion().version == done.version.version != before
        manifest = done.bundle.manifest
        assert manifest.as_of_us > champion.manifest.as_of_us
        assert manifest.params[FROM] == before and done.encoded <= 2
        assert manifest.metrics == champion.manifest.metrics
        rows = np.zeros((3, len(manifest.features)))
        assert np.array_equal(
            done.bundle.model.predict(rows).rate, champion.model.predict(rows).rate
        )
    finally:
        registry.promote(before, "the other tests' model")


def test_stated_rules_are_refreshed_too(trained_home):
    own, rules = trained_home.settings, trained_home.trained.stand_in.version.version
    registry = Registry(own.registry_uri, own.artifacts)
    before = registry.champion().version
    registry.promote(rules, "a test of rules")
    try:
        done = refresh(own, str(trained_home.source), Silent())
        assert registry.champion().version == done.version.version
        assert done.bundle.manifest.kind == "heuristic"
        assert done.bundle.manifest.params[FROM] == rules
    finally:
        registry.promote(before, "the other tests' model")


def test_without_a_champion_there_is_nothing_to_refresh(small_world, tmp_path):
    own = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    with pytest.raises(NoModel, match="training train"):
        refresh(own, str(tmp_path), Silent())


def test_an_interrupted_refresh_leaves_the_champion(trained_home, monkeypatch):
    own = trained_home.settings
    registry = Registry(own.registry_uri, own.artifacts)
    before, count = registry.champion(), len(registry.versions())

    def broken(*_):
        raise BundleError("the disk is full")

    monkeypatch.setattr(bundles, "write_index", broken)
    with pytest.raises(BundleError, match="disk is full"):
        refresh(own, str(trained_home.source), Silent())
    assert registry.champion() == before and len(registry.versions()) == count
