"""Brand safety: the written examples, what holds for any text, the filter and the warnings."""

from __future__ import annotations

import dataclasses
import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.safety import held_out_examples, identity_examples, score
from features import safety, safety_words
from features.facts import Asks
from features.safety import EXCERPT_CHARS, RISK_TOPICS, excerpt, find_risks, matches, risks_of
from features.schemas import Brief, BriefError
from features.windows import Rows
from models import describe, ranker
from models.describe_safety import EVIDENCE_POSTS, WARN_SHARE, safety_of
from models.safety import RiskModel, YearPosts, read_year
from tests.conftest import facts_of, frames_of, tables_of
from tests.growth import grows_with_the_length
from training import safety_fit
from training.safety_fit import dev_examples, fit, harmless_texts, labels_of
from training.simulate import simulate

DEV = dev_examples()
DEV_TEXTS = [example.text for example in DEV]
RISKY = [example.text for example in DEV if example.topics and find_risks(example.text)]
HARMLESS = [text for text in DEV_TEXTS if not find_risks(text)]
PIECES = st.sampled_from(
    [
        *("f*ck", "sh1t ", "f.u.c.k", "fuuuuck", "killer ", "recipe", "casino", " bonus", "weed"),
        *("#onlyfans", "@stake", "#", "@", "*", "$", "\n", ". ", "\u200b", "\u202e", "\u0301"),
        *("İ", "ß", "ﷺ", "\ud800", "\x00", "🔞", "сasino", "ｆｕｃｋ", "_", "-", "'"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


def topics(text: str) -> set[str]:
    return {risk.topic for risk in find_risks(text)}


# ---------------------------------------------------------------- what was written


def test_the_examples_are_many_and_half_of_them_are_harmless() -> None:
    every = DEV + held_out_examples()
    assert len(every) >= 500
    assert len({example.text for example in every}) == len(every)
    risky = [example for example in every if example.topics]
    assert 0.4 <= len(risky) / len(every) <= 0.6
    for topic in RISK_TOPICS:
        assert len({e.language for e in risky if topic in e.topics}) == 7
        assert sum(e.looks_like == topic for e in every) >= 50


def drawn_harmless() -> list[str]:
    """The first thousand simulated captions without a risk that the rules know."""
    drawn = [text for text in dict.fromkeys(simulate(60, 3).posts["text"]) if text]
    return [text for text in drawn if not find_risks(text)][:1_000]


def test_harmless_captions_are_those_of_the_simulator_and_the_rules() -> None:
    """Where either changed on purpose: `python -m tests.test_safety` writes them anew."""
    assert harmless_texts() == drawn_harmless()


def test_dev_examples_are_found_as_well_as_they_were() -> None:
    """A floor, not a measure: the rules were corrected on these (1.000 and 0.993)."""
    found = score(risks_of(DEV_TEXTS), labels_of(DEV))
    assert found.precision is not None and found.precision >= 0.99
    assert found.recall is not None and found.recall >= 0.99


def test_who_somebody_is_is_no_risk() -> None:
    """By the rules; what vectors make of it `benchmarks.safety` says."""
    harmless = [one for one in DEV + identity_examples() if not one.topics]
    assert [one.text for one in harmless if find_risks(one.text)] == []
    assert len({one.language for one in identity_examples()}) == 7
    assert not {one.text for one in identity_examples()} & set(DEV_TEXTS)


def test_doctests() -> None:
    for module in (safety_words, safety):
        assert doctest.testmod(module).failed == 0


# ---------------------------------------------------------------- what holds for any text


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.lower,
        str.title,
        lambda text: "\u200b".join(text),
        lambda text: text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
        lambda text: text.replace("a", "a\u0301").replace("e", "e\u0301"),
        lambda text: text.replace(" ", "\u00a0"),
    ],
    ids=["upper", "lower", "title", "zero-width", "full-width", "accents", "hard spaces"],
)
def test_how_it_is_written_makes_no_difference(change) -> None:
    for text in DEV_TEXTS:
        assert topics(change(text)) == topics(text), text


@pytest.mark.parametrize(
    "text",
    [
        "f*ck",
        "f**k",
        "sh1t",
        "$h1t",
        "a$$hole",
        "f.u.c.k",
        "f_u_c_k",
        "fuuuuck",
        "FUCKING",
        "f#cking",
    ],
)
def test_masked_words_are_read(text: str) -> None:
    assert topics(f"well, {text} that") == {"profanity"}


def test_letters_that_only_look_latin_are_read_inside_latin_words() -> None:
    assert topics("online саsino") == {"gambling"}  # Cyrillic с and а


@pytest.mark.parametrize(
    "text",
    [
        "Essex, Middlesex and Scunthorpe",
        "killer recipe",
        "we shot 35mm at golden hour",
        "pulling weeds, high heels on",
        "you bet",
        "Moby Dick and Dick Van Dyke",
        "the #drugstore haul and #seaweed snacks",
        "5* hotel, 4** pool, C++ and A+ for effort",
        "Galaxy A55 or S21?",
    ],
)
def test_harmless_look_alikes_pass(text: str) -> None:
    assert topics(text) == set()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RISKY), st.sampled_from(HARMLESS), st.booleans())
def test_harmless_text_beside_it_takes_no_risk_away(risky: str, harmless: str, first: bool) -> None:
    joined = f"{harmless}\n{risky}" if first else f"{risky}\n{harmless}"
    assert topics(joined) >= topics(risky)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_string_is_read(text: str) -> None:
    for risk in find_risks(text):
        assert risk.words and risk.shown[risk.start : risk.end].strip() == risk.words
        assert risk.words[:40] in risk.excerpt
    matches(text, ["casino bonus", text[:20]])


def test_one_text_is_a_batch_of_texts() -> None:
    table = risks_of(DEV_TEXTS)
    assert table.shape == (len(DEV), len(RISK_TOPICS))
    for row, text in zip(table[:100], DEV_TEXTS, strict=False):
        assert {RISK_TOPICS[column] for column in np.flatnonzero(row)} == topics(text)
    assert not risks_of([None, ""]).any()  # type: ignore[list-item]


@pytest.mark.parametrize(
    "text",
    [
        "harmlessnessnotwithstanding, sourdoughfermentation " * 200_000,
        "f*" * 200_000,
        "f.u.c.k." * 50_000,
        "a" * 1_000_000 + "!",
        "kill " * 50_000,
        "killer recipe " * 50_000,
        "#" * 300_000 + "@" * 300_000,
        "e\u0301\u0302" * 100_000,
        "\x00" * 1_000_000,
        "-*" * 200_000,
        "$!" * 200_000 + "a*",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_texts_are_read_to_their_end(text: str) -> None:
    text += " casino bonus"
    last, (match,) = find_risks(text)[-1], matches(text, ["kill kill bill", "aaa", "casino"])
    assert last.shown[last.start :] == match.shown[match.start :] == "casino bonus"


@pytest.mark.parametrize(
    "seed",
    [
        "kill f*ck killer recipe a.b.c.d.e #tag @name 🔞 ",
        *("f*", "f.u.c.k.", "kill ", "killer recipe "),
        *("a", "#", "@", "e\u0301\u0302", "\x00", "-*", "$!"),
        "harmlessnessnotwithstanding, sourdoughfermentation ",
    ],
)
def test_time_grows_with_the_length_and_no_faster(seed: str) -> None:
    def read(text: str) -> None:
        find_risks(text)
        matches(text, ["kill kill bill", "aaa"])

    assert grows_with_the_length(read, seed, short=96_000)


def test_slurs_stand_in_the_lexicon_as_digests(monkeypatch) -> None:
    lexicon = safety._lexicon()
    assert lexicon.hashed and all(len(key) == 16 for key in lexicon.hashed)
    with_one = dataclasses.replace(lexicon, hashed={safety.digest("zzslur"): 2})
    monkeypatch.setattr(safety, "_lexicon", lambda: with_one)
    assert topics("what a ZZSLUR") == {"hate"}
    assert topics("what a zzslurry") == set()


def test_an_excerpt_holds_the_words_that_decide() -> None:
    text = "x" * 900 + " casino bonus " + "y" * 900
    [risk] = find_risks(text)
    assert risk.words == "casino bonus" and "casino bonus" in risk.excerpt
    assert len(risk.excerpt) <= EXCERPT_CHARS + 2
    assert excerpt("short", 0, 2) == "short"


# ---------------------------------------------------------------- a brand's own terms


@pytest.mark.parametrize(
    ("text", "term", "words"),
    [
        ("I love RIVAL Skin!", "rival skin", "RIVAL Skin"),
        ("so good #RivalSkin", "Rival Skin", "RivalSkin"),
        ("thanks @rival_skin", "rivalskin", "@rival_skin"),
        ("ｐａｌｍ oil\u200b free", "Palm Oil", "palm oil"),
        ("crème brûlée day", "creme brulee", "crème brûlée"),
        ("新しいカジノの話", "カジノ", "カジノ"),
    ],
)
def test_own_terms_are_found_as_they_are_written(text: str, term: str, words: str) -> None:
    [found] = matches(text, [term])
    assert (found.term, found.words) == (term, words)
    assert found.shown[found.start : found.end] == words


@pytest.mark.parametrize(
    ("text", "term"),
    [("palmistry", "palm"), ("palm. Oil", "palm oil"), ("", "x"), ("anything", "***")],
)
def test_own_terms_are_whole_words_of_one_sentence(text: str, term: str) -> None:
    assert matches(text, [term]) == ()


# ---------------------------------------------------------------- vectors


def test_risks_by_vector_flag_only_where_the_examples_make_it_sure() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((400, len(RISK_TOPICS)), dtype=bool)
    labels[:100, 0] = True
    labels[:, 1] = rng.random(400) < 0.3  # not to be seen in any vector
    vectors = rng.normal(size=(400, 8)).astype(np.float32)
    vectors[:100, 0] += 6
    model = fit(vectors, labels)
    flags = model.flags(vectors)
    assert (flags[:, 0] == labels[:, 0]).mean() > 0.97
    assert not flags[:, 1].any() and np.isinf(model.threshold[1])
    assert np.array_equal(model.flags(vectors[7:9]), flags[7:9])


# ---------------------------------------------------------------- the year of a creator


@pytest.fixture(scope="module")
def edited(small_world, tmp_path_factory):
    """Facts in which one creator speaks of gambling, and one has not written for over a year."""
    frames = frames_of(small_world)
    posts = frames["posts"].copy()
    ids = posts["creator_id"].value_counts().index
    gambler, silent = str(ids[0]), str(ids[1])
    own = posts.index[posts["creator_id"] == gambler]
    posts.loc[own[-3:], "text"] = "Online casino bonus with my code, thanks Rival Skin"
    posts.loc[posts["creator_id"] == silent, "text"] = " …"
    facts = facts_of(tables_of(frames | {"posts": posts}, tmp_path_factory.mktemp("edited")))
    return facts, gambler, silent


def test_a_year_counts_what_was_written_in_it(edited) -> None:
    facts, gambler, silent = edited
    n = len(facts.creator_id)
    asks = Asks(np.arange(n), np.full(n, facts.as_of_us))
    year = read_year(facts.posts, asks, None)
    first, past = facts.posts.timeline.window(asks.creator, asks.as_of_us, 365)
    place, quiet = facts.codes([gambler, silent])
    gambling = RISK_TOPICS.index("gambling")
    texts = facts.posts.text[first[place] : past[place]]
    assert year.posts[place] == len(texts)
    assert year.counts[place, gambling] == risks_of(texts.tolist())[:, gambling].sum() >= 1
    assert year.posts[quiet] == 0 and not year.counts[quiet].any()
    assert year.count_terms(["rival SKIN"])[place] == sum("Rival Skin" in text for text in texts)
    earlier = read_year(facts.posts, Asks(asks.creator, asks.as_of_us - 10**15), None)
    assert not earlier.posts.any()
    everything = RiskModel(np.zeros((64, 7)), np.zeros(7), np.full(7, -1.0))
    every = read_year(facts.posts, asks, everything)
    assert every.flags(0, every.table.num_rows).all()


# ---------------------------------------------------------------- in an answer


@pytest.fixture(scope="module")
def bundle(trained_home):
    """The trained bundle, with a gambler, a swearer once a year, and one who wrote nothing."""
    source = trained_home.trained.bundle
    facts_posts = source.index.year
    texts = facts_posts.table["text"].to_pylist()
    ids = source.index.ids.tolist()
    roles: dict[str, str] = {}
    for place in np.argsort(-facts_posts.posts, kind="stable")[:2]:
        start, stop = facts_posts.of(int(place))
        role = "gambler" if not roles else "rival"
        roles[role] = ids[int(place)]
        for row in range(stop - 7 if role == "gambler" else stop - 1, stop):
            texts[row] = (
                "New online casino, bonus inside"
                if role == "gambler"
                else "My week with Rival Skin serum"
            )
    table = facts_posts.table
    table = table.set_column(1, "text", [texts])
    table = table.set_column(3, "words", [[safety_words.searchable(text) for text in texts]])
    bits = (risks_of(texts) << np.arange(7, dtype=np.uint8)).sum(axis=1).astype(np.uint8)
    table = table.set_column(4, "risks", [bits])
    keep = np.ones(len(texts), dtype=bool)
    last = int(np.argsort(-facts_posts.posts, kind="stable")[2])
    roles["silent"] = ids[last]
    start, stop = facts_posts.of(last)
    keep[start:stop] = False
    indptr = facts_posts.rows.indptr.copy()
    indptr[last + 1 :] -= stop - start
    year = YearPosts.counted(
        Rows(indptr),
        table.filter(keep.tolist()).cast(facts_posts.table.schema).combine_chunks(),
    )
    index = dataclasses.replace(source.index, year=year)
    return dataclasses.replace(source, index=index), roles


def recommend(bundle, **wish):
    filters = {"brand_safety": wish} if wish else {}
    asked = {"brand": {"name": "Luma"}, "query": "gentle skincare for sensitive skin"}
    return ranker.recommend(
        bundle, Brief.model_validate(asked | {"filters": filters, "limit": 500})
    )


def test_a_risk_is_warned_of_without_any_filter(bundle) -> None:
    found, roles = bundle
    items = {item.creator_id: item for item in recommend(found).items}
    assert len(items) == len(found.index)
    gambler = items[roles["gambler"]]
    [risk] = [risk for risk in gambler.safety.risks if risk.topic == "gambling"]
    assert risk.posts == 7 and risk.share == 7 / gambler.safety.posts
    assert len(risk.evidence) == EVIDENCE_POSTS
    assert all("online casino" in post.words for post in risk.evidence)
    said = f"7 of {gambler.safety.posts} posts in a year speak of gambling"
    assert said in gambler.warnings
    silent = items[roles["silent"]]
    assert silent.safety is None
    assert "Nothing is known" in silent.warnings[0]
    for item in items.values():
        shares = [] if item.safety is None else [risk.share for risk in item.safety.risks]
        assert bool(item.warnings) == (item.safety is None or max(shares, default=0) >= WARN_SHARE)


def test_excluded_topics_take_creators_out_and_are_counted(bundle) -> None:
    found, roles = bundle
    answer = recommend(found, exclude=["gambling"])
    kept = {item.creator_id for item in answer.items}
    assert not kept & {roles["gambler"], roles["silent"]}
    assert answer.pool.removed_by == {"brand_safety": len(found.index) - len(kept)}
    assert all(risk.topic != "gambling" for item in answer.items for risk in item.safety.risks)
    posts = found.index.year.posts[found.index.position(roles["gambler"])]
    lenient = recommend(found, exclude=["gambling"], max_share=7 / int(posts))
    assert roles["gambler"] in {item.creator_id for item in lenient.items}
    assert roles["silent"] not in {item.creator_id for item in lenient.items}


def test_a_brands_own_terms_are_looked_for_in_every_post_of_the_year(bundle) -> None:
    found, roles = bundle
    strict = recommend(found, terms=["RIVAL skin"])
    assert roles["rival"] not in {item.creator_id for item in strict.items}
    lenient = recommend(found, terms=["RIVAL skin"], max_share=1.0)
    [item] = [item for item in lenient.items if item.creator_id == roles["rival"]]
    [term] = item.safety.terms
    assert (term.term, term.posts) == ("RIVAL skin", 1)
    assert term.evidence[0].words == "Rival Skin"
    assert any("“RIVAL skin”" in warning for warning in item.warnings)
    others = [item for item in lenient.items if item.creator_id != roles["rival"]]
    assert all(item.safety.terms == () for item in others)


def test_a_term_without_a_word_is_refused_by_its_place(bundle) -> None:
    with pytest.raises(BriefError) as caught:
        recommend(bundle[0], terms=["fine", "***"])
    assert caught.value.pointer == "/filters/brand_safety/terms/1"


def test_profiles_and_lookalikes_say_the_same(bundle) -> None:
    found, roles = bundle
    profile = describe.creator_profile(found, roles["gambler"])
    said = safety_of(found.index, found.index.position(roles["gambler"]))
    assert (profile.safety, profile.warnings) == (said["safety"], said["warnings"])
    alike = describe.similar(found, roles["gambler"], 3)
    assert all(item.safety is not None or item.warnings for item in alike)


if __name__ == "__main__":
    lines = [json.dumps(text, ensure_ascii=False) for text in drawn_harmless()]
    file = Path(safety_fit.__file__).with_name("safety_harmless.jsonl")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
