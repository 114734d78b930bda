"""The simulated world: keeps the contract, says the truth about itself, and is hard enough."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.schemas import (
    AUDIENCE_DIMENSIONS,
    KEYS,
    PLATFORMS,
    TABLES,
    is_country,
    is_language,
)
from training import grammar
from training.simulate import World, digest, load_truth, simulate, true_rates, write_world
from training.world_mechanism import ASSUMPTIONS, Mechanism, topic_similarity

CREATORS = 300


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(CREATORS, 11)


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write_world(world, path)
    return path


def assert_keeps_contract(world: World) -> None:
    for name, columns in TABLES.items():
        frame: pd.DataFrame = getattr(world, name)
        assert list(frame) == list(columns)
        assert not frame.duplicated(list(KEYS[name])).any(), name
        for column, spec in columns.items():
            values = frame[column].dropna()
            if spec.required:
                assert len(values) == len(frame), (name, column)
            if spec.type in ("integer", "number", "share"):
                assert (values >= 0).all(), (name, column)
            if spec.type == "integer":
                assert (values == values.round()).all(), (name, column)
            if spec.type == "share":
                assert (values <= 1).all(), (name, column)
            if spec.type == "time":
                assert str(frame[column].dtype) == "datetime64[us, UTC]"
    creators = set(world.creators["creator_id"])
    for name in ("posts", "sponsorships", "audience", "followers"):
        assert set(getattr(world, name)["creator_id"]) <= creators, name
    assert set(world.creators["platform"]) <= set(PLATFORMS)
    assert set(world.audience["dimension"]) <= set(AUDIENCE_DIMENSIONS)
    assert world.creators["handle"].is_unique
    assert all(is_country(code) for code in world.creators["country"].dropna().unique())
    assert all(is_language(tag) for tag in world.creators["language"].dropna().unique())
    booked = world.sponsorships
    clicks = booked["clicks"].fillna(booked["impressions"])
    assert (clicks <= booked["impressions"]).all()
    assert (booked["conversions"] <= clicks).all()
    assert (booked["resolved_at"] >= booked["started_at"]).all()
    facts = world.truth["world"].iloc[0]
    start = pd.Timestamp(facts["start"], tz="UTC")
    end = start + pd.Timedelta(days=int(facts["days"]))
    for moments in (world.posts["published_at"], booked["started_at"], booked["resolved_at"]):
        assert (moments >= start).all()
        assert (moments < end).all()
    assert (world.followers["observed_at"] <= end).all()
    linked = booked.dropna(subset=["post_id"]).merge(
        world.posts, on="post_id", suffixes=("", "_of_post"), validate="one_to_one"
    )
    assert len(linked) == booked["post_id"].notna().sum()
    assert (linked["creator_id"] == linked["creator_id_of_post"]).all()
    assert (linked["published_at"] >= linked["started_at"]).all()
    assert (linked["published_at"] <= linked["resolved_at"]).all()


def test_keeps_the_contract(world: World) -> None:
    assert_keeps_contract(world)


@settings(max_examples=6, deadline=None)
@given(
    creators=st.integers(20, 40),
    seed=st.integers(0, 2**40),
    months=st.integers(6, 9),
    posts=st.floats(0.5, 20),
)
def test_any_small_world_keeps_the_contract(
    creators: int, seed: int, months: int, posts: float
) -> None:
    world = simulate(creators, seed, months=months, posts_per_creator=posts)
    assert_keeps_contract(world)
    truth = world.truth["sponsorships"]
    assert truth["true_conversion_rate"].between(0, 1, inclusive="neither").all()


def test_same_arguments_same_world_to_the_byte(world: World, folder: Path, tmp_path: Path) -> None:
    again = simulate(CREATORS, 11)
    assert digest(again) == digest(world)
    write_world(again, tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) == len(TABLES) + len(world.truth) + 1
    for path in files:
        assert (tmp_path / path).read_bytes() == (folder / path).read_bytes(), path


def test_another_seed_is_another_world() -> None:
    one, other = simulate(20, 1), simulate(20, 2)
    assert digest(one) != digest(other)
    assert not one.posts["text"].equals(other.posts["text"])


@pytest.mark.parametrize(
    "bad",
    [{"creators": 19}, {"months": 5}, {"seed": -1}, {"posts_per_creator": 0.0}],
)
def test_arguments_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 20 creators"):
        simulate(**({"creators": 20, "seed": 1} | bad))  # type: ignore[arg-type]


def test_tables_lie_on_top_and_the_truth_beside_them(world: World, folder: Path) -> None:
    top = {path.name for path in folder.iterdir()}
    assert top == {f"{name}.csv.gz" for name in TABLES} | {"truth"}
    read = pd.read_csv(folder / "sponsorships.csv.gz")
    assert len(read) == len(world.sponsorships)
    assert read["impressions"].dtype == np.int64  # counts are written as whole numbers
    assert read["started_at"].str.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$").all()
    assert list(read) == list(TABLES["sponsorships"])  # nothing of the truth among them
    told = json.loads((folder / "truth" / "mechanism.json").read_text(encoding="utf-8"))
    assert "imulated" in told["notice"]
    assert told["coefficients"] == dataclasses.asdict(Mechanism())
    assert len(told["assumptions"]) == len(ASSUMPTIONS)
    assert all(entry["rests_on"] for entry in told["assumptions"])
    assert "no model may read this folder" in (folder / "truth" / "README.md").read_text()


# ---------------------------------------------------------------- the truth


def test_truth_survives_the_disk(world: World, folder: Path) -> None:
    campaign = str(world.truth["campaigns"]["campaign_id"].iloc[3])
    for truth in (load_truth(folder), load_truth(folder / "truth")):
        assert set(truth) == set(world.truth)
        pd.testing.assert_frame_equal(
            true_rates(truth, campaign_id=campaign),
            true_rates(world, campaign_id=campaign),
            check_exact=True,
            check_dtype=False,
        )


def test_no_truth_no_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_truth(tmp_path)


def test_counterfactual_truth_is_the_one_outcomes_were_drawn_from(world: World) -> None:
    recorded = world.truth["sponsorships"].set_index("creator_id")
    for campaign in world.truth["campaigns"]["campaign_id"].iloc[::25]:
        asked = true_rates(world, campaign_id=campaign).set_index("creator_id")
        drawn = recorded[recorded["campaign_id"] == campaign]
        for name in ("click_rate", "conversion_rate", "expected_impressions", "ad_share_90d"):
            np.testing.assert_allclose(
                asked.loc[drawn.index, name], drawn[f"true_{name}"], rtol=1e-9, atol=0
            )


def test_what_happens_later_changes_no_truth(world: World) -> None:
    as_of = pd.Timestamp("2024-10-01", tz="UTC")
    posts = world.truth["posts"]
    cut = world.truth | {
        "posts": posts[posts["day"] < (as_of - pd.Timestamp("2024-01-01T00Z")).days]
    }
    brief = {"topics": {"beauty": 1.0}, "brand": "Someone New", "language": "en", "as_of": as_of}
    pd.testing.assert_frame_equal(true_rates(cut, **brief), true_rates(world, **brief))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked",
    [
        {"campaign_id": "none such"},
        {"topics": {"knitting for cats": 1.0}},
        {"topics": {"beauty": 0.0}},
        {"brand": "none such"},
        {},
        {"topics": {"beauty": 1.0}, "as_of": "2031-01-01"},
        {"topics": {"beauty": 1.0}, "as_of": "2023-12-31T23:59:59Z"},
    ],
)
def test_questions_without_an_answer(world: World, asked: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no campaign|no topic|add up|give topics|outside"):
        true_rates(world, **asked)  # type: ignore[arg-type]


def test_a_brand_of_the_world_brings_its_own_brief(world: World) -> None:
    row = world.truth["brands"].iloc[0]
    short = true_rates(world, brand=row["brand"], as_of="2025-03-01")
    long = true_rates(
        world,
        topics=json.loads(row["topics"]),
        brand=row["brand"],
        language=row["language"],
        country=row["country"],
        as_of="2025-03-01T18:00:00+02:00",
    )
    pd.testing.assert_frame_equal(short, long)


def test_outcomes_follow_the_truth(world: World) -> None:
    both = world.sponsorships.merge(
        world.truth["sponsorships"].drop(columns=["campaign_id", "creator_id"]), on="sponsorship_id"
    )
    both["expected"] = both["impressions"] * both["true_conversion_rate"]
    tenth = pd.qcut(both["true_conversion_rate"], 10, labels=False)
    sums = both.groupby(tenth)[["impressions", "conversions", "expected"]].sum()
    observed = sums["conversions"] / sums["impressions"]
    # Overdispersion makes a pooled tenth vary by about a tenth more than counting would.
    error = 4 * np.sqrt(sums["expected"] + (0.1 * sums["expected"]) ** 2) + 3
    assert (abs(sums["conversions"] - sums["expected"]) < error).all()
    assert np.corrcoef(observed.rank(), np.arange(10))[0, 1] > 0.97
    assert 1e-4 < both["conversions"].sum() / both["impressions"].sum() < 1e-3
    ratio = both["impressions"].sum() / both["true_expected_impressions"].sum()
    assert 0.85 < ratio < 1.15
    clicked = both.dropna(subset=["clicks"])
    expected = (clicked["impressions"] * clicked["true_click_rate"]).sum()
    assert clicked["clicks"].sum() == pytest.approx(expected, rel=0.1)


def _with(world: World, **coefficients: float) -> dict[str, pd.DataFrame]:
    table = world.truth["mechanism"].set_index("name")["value"].copy()
    for name, value in coefficients.items():
        table[name] = value
    return world.truth | {"mechanism": table.reset_index()}


def test_the_next_post_for_a_brand_brings_less(world: World) -> None:
    campaign = str(world.truth["campaigns"]["campaign_id"].iloc[-1])
    rates = [
        true_rates(world, campaign_id=campaign, repeats=repeats)["conversion_rate"].to_numpy()
        for repeats in (0, 1, 5)
    ]
    np.testing.assert_array_equal(
        rates[0], true_rates(world, campaign_id=campaign)["conversion_rate"]
    )
    assert (rates[0] > rates[1]).all()
    assert (rates[1] > rates[2]).all()
    assert (rates[2] > 0).all()


def test_advertising_too_much_lowers_the_true_rate(world: World) -> None:
    brief = {"topics": {"beauty": 1.0}, "brand": "Someone New", "as_of": "2025-05-01"}
    tired = true_rates(world, **brief)  # type: ignore[arg-type]
    fresh = true_rates(_with(world, fatigue=0.0), **brief)  # type: ignore[arg-type]
    kept = (tired["conversion_rate"] / fresh["conversion_rate"]).to_numpy()
    share = tired["ad_share_90d"].to_numpy()
    assert (share == 0).any()
    assert (share > 0.3).any()
    np.testing.assert_allclose(kept[share == 0], 1.0)
    assert (kept[share > 0] < 1).all()
    assert kept[share > 0.3].max() < 0.75


def test_a_rival_and_a_repeat_lower_the_true_rate(world: World) -> None:
    rows = world.truth["posts"]
    ad = rows[rows["is_ad"]].iloc[-1]
    day = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=int(ad["day"]) + 1)
    brief = {"topics": {str(ad["vertical"]): 1.0}, "as_of": day}
    rates = {
        name: true_rates(_with(world, **coefficients), brand=brand, **brief).set_index(  # type: ignore[arg-type]
            "creator_id"
        )["conversion_rate"][ad["creator_id"]]
        for name, brand, coefficients in (
            ("rival", "Someone New", {}),
            ("no rival", "Someone New", {"conversion_rival": 0.0}),
            ("repeat", str(ad["brand"]), {"conversion_rival": 0.0}),
            ("no repeat", str(ad["brand"]), {"conversion_rival": 0.0, "conversion_repeat": 0.0}),
        )
    }
    assert rates["rival"] < rates["no rival"]
    assert rates["repeat"] < rates["no repeat"]


def test_language_and_country_matter(world: World) -> None:
    people = world.truth["creators"]
    brief = {"topics": {"travel": 1.0}, "as_of": "2025-03-01"}
    german = true_rates(world, language="de", country="DE", **brief)  # type: ignore[arg-type]
    anyone = true_rates(world, **brief)  # type: ignore[arg-type]
    kept = german["conversion_rate"] / anyone["conversion_rate"]
    at_home = (people["country"] == "DE").to_numpy()
    assert kept[at_home].min() > 2 * kept[(people["language"] != "de").to_numpy()].max()


def test_the_world_drifts() -> None:
    still = simulate(
        60,
        3,
        mechanism=Mechanism(visibility_drift_sd=0, platform_drift_sd=0, niche_drift_sd=0),
    )
    moving = simulate(60, 3)
    for world, drifts in ((still, False), (moving, True)):
        no_fatigue = _with(world, fatigue=0.0, conversion_rival=0.0, click_size=0.0)
        early, late = (
            true_rates(no_fatigue, topics={"fitness": 1.0}, as_of=day)["conversion_rate"]
            for day in ("2024-02-01", "2025-06-01")
        )
        assert np.allclose(early, late, rtol=1e-9) != drifts


# ---------------------------------------------------------------- people, posts, brands


def _engagement(world: World) -> pd.DataFrame:
    posts = world.posts.merge(
        world.truth["posts"][["post_id", "is_ad"]], on="post_id", validate="one_to_one"
    )
    organic = posts[~posts["is_ad"]].groupby("creator_id")[["likes", "comments"]].sum()
    count = posts[~posts["is_ad"]].groupby("creator_id").size().rename("posts")
    frame = world.truth["creators"].set_index("creator_id").join([organic, count])
    frame = frame[frame["posts"] >= 10].copy()
    total = frame["real_followers_end"] + frame["bought_followers"]
    frame["total"] = total
    frame["rate"] = (frame["likes"] + frame["comments"]) / frame["posts"] / total
    frame["comments_to_likes"] = frame["comments"] / frame["likes"].clip(lower=1)
    return frame


def test_bought_followers_show(world: World) -> None:
    frame = _engagement(world)
    bought = frame["bought_followers"] > 0
    assert 0.1 < bought.mean() < 0.28
    assert frame.loc[bought, "rate"].median() < 0.75 * frame.loc[~bought, "rate"].median()
    assert (
        frame.loc[bought, "comments_to_likes"].median()
        < frame.loc[~bought, "comments_to_likes"].median()
    )
    steps = world.followers.sort_values(["creator_id", "observed_at"])
    jump = steps.groupby("creator_id")["follower_count"].apply(
        lambda count: float(np.log(count / count.shift()).max())
    )
    in_time = frame.index[bought & (frame["bought_day"] > frame["join_day"] + 60)]
    clean = frame.index[~bought]
    assert jump.reindex(in_time).median() > 3 * jump.reindex(clean).median()


def test_engagement_falls_with_size(world: World) -> None:
    frame = _engagement(world)
    frame = frame[frame["bought_followers"] == 0]
    within = frame["rate"] / frame.groupby("platform")["rate"].transform("median")
    small, large = frame["total"] < 10_000, frame["total"] > 100_000
    assert within[large].median() < 0.8 * within[small].median()


def test_advertisements_are_liked_less(world: World) -> None:
    posts = world.posts.merge(world.truth["posts"][["post_id", "is_ad"]], on="post_id")
    mean = posts.groupby(["creator_id", "is_ad"])["likes"].mean().unstack().dropna()
    mean = mean[mean[False] > 20]
    assert (mean[True] / mean[False]).median() < 0.75


def test_flags_and_texts_of_advertisements(world: World) -> None:
    posts = world.posts.merge(
        world.truth["posts"][["post_id", "is_ad", "is_disclosed", "brand"]], on="post_id"
    )
    owned_up = posts[posts["is_disclosed"]]
    assert 0.5 < posts.loc[posts["is_ad"], "is_disclosed"].mean() < 0.85
    assert 0.3 < owned_up["is_sponsored"].isna().mean() < 0.7
    assert not (owned_up["is_sponsored"] == False).any()  # noqa: E712 (a column with gaps)
    assert not (posts.loc[~posts["is_ad"], "is_sponsored"] == True).any()  # noqa: E712
    named = posts["sponsor"].notna()
    assert (posts.loc[named, "sponsor"] == posts.loc[named, "brand"]).all()
    for sign in ("#ad", "Paid partnership", "#publi", "Werbung", "Anzeige", "gifted"):
        assert posts["text"].str.contains(sign, regex=False).any(), sign
    in_text = [
        brand in text
        for brand, text in zip(posts["brand"], posts["text"], strict=True)
        if isinstance(brand, str)
    ]
    assert all(in_text)


def test_some_brands_come_late_and_only_late(world: World) -> None:
    late_from = pd.Timestamp(world.truth["world"]["late_from"].iloc[0], tz="UTC")
    first = world.sponsorships.groupby("brand")["started_at"].min()
    brands = world.truth["brands"].set_index("brand")
    assert set(first.index) == set(brands.index)
    assert ((first >= late_from) == brands["late"].reindex(first.index)).all()
    assert 0.15 < brands["late"].mean() < 0.35


def test_campaigns(world: World) -> None:
    size = world.sponsorships.groupby("campaign_id").size()
    assert size.between(5, 15).all()
    counts = world.sponsorships.groupby("creator_id").size()
    counts = counts.reindex(world.creators["creator_id"], fill_value=0)
    assert 3.5 < counts.mean() < 5
    assert counts.std() > counts.mean()  # very uneven
    briefs = world.sponsorships.groupby("brand")["brief"].nunique()
    campaigns = world.sponsorships.groupby("brand")["campaign_id"].nunique()
    assert (briefs[campaigns >= 4] >= 3).all()
    assert not set(world.sponsorships["brief"]) & set(world.posts["text"])
    languages = world.truth["campaigns"]["language"].value_counts(normalize=True)
    assert languages.idxmax() == "en"


def test_brands_choose_with_a_bias(world: World) -> None:
    sponsored = world.creators["creator_id"].isin(world.sponsorships["creator_id"])
    times = world.sponsorships.groupby("creator_id").size().reindex(world.creators["creator_id"])
    followers = world.creators["follower_count"]
    assert followers[sponsored].median() > 1.3 * followers[~sponsored].median()
    assert followers.corr(times.fillna(0).reset_index(drop=True), method="spearman") > 0.15
    taken, best = [], []
    for campaign in world.truth["campaigns"]["campaign_id"].iloc[::10]:
        rate = true_rates(world, campaign_id=campaign).set_index("creator_id")["conversion_rate"]
        chosen = world.sponsorships.loc[world.sponsorships["campaign_id"] == campaign, "creator_id"]
        taken.append(rate[chosen].mean())
        best.append(rate.nlargest(len(chosen)).mean())
    assert np.mean(taken) < 0.6 * np.mean(best)  # far from choosing by the true rate


def test_values_are_missing_where_they_would_be(world: World) -> None:
    creators, posts, booked = world.creators, world.posts, world.sponsorships
    assert 0.6 < creators["niche"].isna().mean() < 0.72
    assert 0.12 < creators["price_per_post"].isna().mean() < 0.28
    for column in ("follower_count", "country", "language", "accepts_gifting", "bio"):
        assert 0 < creators[column].isna().mean() < 0.4, column
    for column in ("views", "shares", "saves", "is_sponsored", "sponsor"):
        assert 0 < posts[column].isna().mean() < 1, column
    instagram = posts["creator_id"].isin(
        creators.loc[creators["platform"] == "instagram", "creator_id"]
    )
    assert posts.loc[instagram, "views"].isna().mean() > 0.5
    assert posts.loc[~instagram, "views"].isna().mean() < 0.2
    assert 0.08 < booked["clicks"].isna().mean() < 0.16
    for column in ("cost", "revenue", "post_id"):
        assert 0 < booked[column].isna().mean() < 0.4, column
    assert (booked["cost"] == 0).any()  # gifts
    assert 0.5 < world.audience["creator_id"].nunique() / len(creators) < 0.7
    assert world.followers["creator_id"].nunique() < len(creators)


def test_prices_rise_less_than_followers(world: World) -> None:
    known = world.creators.dropna(subset=["price_per_post", "follower_count"])
    slope = np.polyfit(np.log(known["follower_count"]), np.log(known["price_per_post"] + 1), 1)[0]
    assert 0.6 < slope < 0.95


# ---------------------------------------------------------------- texts


def test_every_niche_has_words_in_every_language() -> None:
    assert 25 <= len(grammar.niches()) <= 35
    for niche in grammar.niches().values():
        for language in grammar.POST_LANGUAGES:
            subjects = [t for strand in niche.strands for t in strand.topics[language]]
            assert len(set(subjects)) >= (14 if language == "en" else 8), (niche.name, language)
            assert len(set(niche.activities[language])) >= 5, (niche.name, language)
            assert len(niche.hashtags[language]) >= 3, (niche.name, language)
        for language in grammar.BRIEF_LANGUAGES:
            assert all(len(strand.products[language]) >= 2 for strand in niche.strands)


def test_nearness_of_topics_is_symmetric_and_highest_at_home() -> None:
    near = topic_similarity()
    np.testing.assert_array_equal(near, near.T)
    np.testing.assert_array_equal(np.diag(near), 1.0)
    assert (near - np.eye(len(near)) < 0.7).all()
    assert (near >= 0).all()


@pytest.mark.parametrize("niche", list(grammar.niches()))
def test_hundreds_of_phrasings_a_niche(niche: str) -> None:
    chance = np.random.default_rng(0).random((500, grammar.DRAWS_PER_TEXT)).tolist()
    bodies = {grammar.body(niche, i % 2, "en", grammar.Draws(row)) for i, row in enumerate(chance)}
    assert len(bodies) >= 300, len(bodies)


@settings(max_examples=60, deadline=None)
@given(
    niche=st.sampled_from(sorted(grammar.niches())),
    strand=st.integers(0, 1),
    language=st.sampled_from(grammar.POST_LANGUAGES),
    disclosed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_text_is_whole(
    niche: str, strand: int, language: str, disclosed: bool, seed: int
) -> None:
    row = np.random.default_rng(seed).random(grammar.DRAWS_PER_TEXT).tolist()
    body = grammar.body(niche, strand, language, grammar.Draws(row))
    draws = grammar.Draws(row)
    advertised = grammar.advertise(
        body, "Velmo", disclosed=disclosed, language=language, draws=draws
    )
    text = grammar.dress(advertised, niche, language, draws)
    assert body in text
    assert "Velmo" in text
    assert "{" not in text
    assert "#" not in body
    name, handle, _ = grammar.profile(niche, strand, language, grammar.Draws(row))
    assert name
    assert handle.isascii()
    if language in grammar.BRIEF_LANGUAGES:
        brief = grammar.brief("Velmo", niche, strand, language, "US", grammar.Draws(row))
        assert "{" not in brief
        assert 3 <= len(brief) <= 4000


def test_languages_niches_and_small_talk_are_mixed(world: World) -> None:
    truth = world.truth["posts"]
    share = truth["language"].value_counts(normalize=True)
    assert set(share.index) == set(grammar.POST_LANGUAGES)
    assert share["en"] > 0.4
    assert share.min() > 0.01
    assert 0.05 < truth["topic"].isna().mean() < 0.2
    main = world.truth["creators"].set_index("creator_id")["niche"]
    told = truth.dropna(subset=["topic"])
    own = told["topic"].str.split("/").str[0].to_numpy() == main[told["creator_id"]].to_numpy()
    assert 0.5 < own.mean() < 0.9  # creators have more than one subject
    tags = world.posts["text"].str.contains("#", regex=False).mean()
    assert 0.3 < tags < 0.9
    assert world.posts["text"].str.contains("[\U0001f300-\U0001faff]").mean() > 0.3


# ---------------------------------------------------------------- hard enough to tell


def _ndcg(gain: NDArray[np.float64], score: NDArray[np.float64], k: int = 10) -> float:
    """NDCG@k with the true rate itself as gain."""
    weight = 1 / np.log2(np.arange(2, k + 2))
    order = np.argsort(-score, kind="stable")[:k]
    return float((gain[order] @ weight) / (np.sort(gain)[::-1][:k] @ weight))


def truth_check(world: World, briefs: int = 30) -> pd.Series:
    """Mean NDCG@10 of simple rules by the true rate, over late campaigns and all creators."""
    campaigns = world.truth["campaigns"]
    late = campaigns[campaigns["day"] >= world.truth["world"]["days"].iloc[0] - 92].head(briefs)
    followers = world.creators["follower_count"].fillna(0)
    reacted = (world.posts["likes"] + world.posts["comments"]).groupby(world.posts["creator_id"])
    rate = reacted.mean().reindex(world.creators["creator_id"]).fillna(0).to_numpy()
    rate = np.where(followers > 0, rate / followers.clip(lower=1), 0)
    chance = np.random.default_rng(0)
    rows = []
    for campaign in late["campaign_id"]:
        truth = true_rates(world, campaign_id=campaign)
        gain = truth["conversion_rate"].to_numpy()
        rules = {
            "oracle": gain,
            "true match": truth["match"].to_numpy(),
            "engagement rate": rate,
            "followers": followers.to_numpy(),
            "random": chance.random(len(gain)),
        }
        rows.append({name: _ndcg(gain, score) for name, score in rules.items()})
    return pd.DataFrame(rows).mean()


def test_knowing_the_match_alone_is_not_enough(world: World) -> None:
    found = truth_check(world)
    print("\nNDCG@10 by the true conversion rate, all creators as candidates:")
    print(found.round(3).to_string())
    assert found["oracle"] == pytest.approx(1.0)
    assert 0.45 < found["true match"] < 0.75
    assert found[["engagement rate", "followers", "random"]].max() < 0.3
