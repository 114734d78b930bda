"""Disclosures: the written examples, what must not fool the reader, what holds for any text."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.sponsored import Example, read_examples, score
from features import sponsored_brands
from features.sponsored import (
    EVIDENCE_CHARS,
    MOST_FOUND,
    _matches,
    _present,
    brand_of,
    find_disclosures,
    label_posts,
    normalise_brand,
)
from features.sponsored_brands import fold, normalise_text
from features.sponsored_phrases import HASHTAGS, RULES
from tests.growth import grows_with_the_length

EXAMPLES = read_examples()
HELD_OUT = [example for example in EXAMPLES if example.part == "held_out"]
# Texts as they are, and texts put together from what the reader looks for.
PIECES = st.sampled_from(
    [
        *("#ad", "#publi", "sponsored by ", "thanks to ", "for sponsoring", "use code ", "LUMA20"),
        *("20% off ", "@luma ", "Luma ", "not ", "keine Werbung", "gifted by ", "(ad)", "Ad: "),
        *("\n", "https://amzn.to/x ", "paid partnership with ", "\u200b", "\u202e", "é", "İ", "ß"),
        *("＃ａｄ", "\U0001f389", "ﷺ", "\ud800", "#", "@", "[", "'"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


def kinds(text: str) -> set[str]:
    return {found.kind for found in find_disclosures(text)}


def test_precision_and_recall_on_held_out_examples() -> None:
    found = score(HELD_OUT)
    assert found.precision is not None and found.precision >= 0.95
    assert found.recall is not None and found.recall >= 0.85


def test_brands_on_held_out_examples() -> None:
    found = score(HELD_OUT)
    assert found.brands_right >= 0.85 * found.brands


@pytest.mark.parametrize("written", EXAMPLES, ids=lambda e: e.text[:40])
def test_no_stem_hides_a_match(written: Example) -> None:
    low = fold(normalise_text(written.text))
    present = _present(low)
    for rule in RULES:
        if present.isdisjoint(rule.stems):
            assert list(_matches(rule, normalise_text(written.text), low)) == []


def test_examples_cover_both_classes_and_languages() -> None:
    held_out = {(e.language, e.sponsored) for e in HELD_OUT}
    assert held_out >= {(code, flag) for code in ("en", "es", "de", "fr", "pt") for flag in (0, 1)}
    assert len({e.text for e in EXAMPLES}) == len(EXAMPLES) >= 160


@pytest.mark.parametrize(
    "written", [e for e in EXAMPLES if e.part != "held_out"], ids=lambda e: e.text[:40]
)
def test_examples_seen_while_writing_stay_right(written: Example) -> None:
    found = find_disclosures(written.text)
    assert bool(found) == written.sponsored
    if written.brand is not None:
        assert normalise_brand(brand_of(found) or "") == normalise_brand(written.brand)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a walk by the sea #ad", "ad"),
        ("Paid partnership with Luma", "paid_partnership"),
        ("Kindly gifted by Luma", "gifted"),
        ("Thanks to Luma for sponsoring this video", "sponsor_thanks"),
        ("Use code LUMA20 for 20% off", "discount_code"),
        ("the lamp: https://amzn.to/3abcd", "affiliate"),
        ("the lamp: https://shop.example/p/1?colour=red&aff_id=77", "affiliate"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert kinds(text) == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "＃ａｄ",
        "#️⃣ad",
        "#\u200bad",
        "\u202e#ad\u202c",
        "#PUBLICITE\u0301",
        "Today’s sponsor is Luma",
        "𝐒𝐩𝐨𝐧𝐬𝐨𝐫𝐞𝐝 by Luma",
        "thanks to Luma for\u00a0sponsoring\u2009this video",
    ],
)
def test_unicode_disguises_are_read(text: str) -> None:
    assert find_disclosures(text)


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("this is a sponsored post", "this is not a sponsored post"),
        ("#ad", "not an #ad"),
        ("enthält Werbung", "enthält keine Werbung"),
        ("Cette vidéo est sponsorisée par Luma", "Cette vidéo n'est pas sponsorisée par Luma"),
        ("Este vídeo está patrocinado por Luma", "Este vídeo no está patrocinado por Luma"),
        ("Este vídeo é patrocinado pela Luma", "Este vídeo não é patrocinado pela Luma"),
        ("Dieses Video wird von Luma gesponsert", "Dieses Video wird nicht von Luma gesponsert"),
    ],
)
def test_denial_undoes_a_disclosure(text: str, denied: str) -> None:
    assert find_disclosures(text)
    assert not find_disclosures(denied)


def test_denial_of_one_thing_leaves_another() -> None:
    assert kinds("Not sponsored, but with my code LUMA20 you get 20% off") == {"discount_code"}


@pytest.mark.parametrize(
    ("text", "brand"),
    [
        ("Thanks to our friends at Torque & Sons for sponsoring this video!", "Torque & Sons"),
        ("Paid partnership with @luma.skin ✨", "luma.skin"),
        ("Sponsored by the Body Shop!", "Body Shop"),
        ("Sponsored by The Ordinary and loved by me", "The Ordinary"),
        ("#ad with Orbit Kits", "Orbit Kits"),
        ("gifted by Whisker Box #gifted", "Whisker Box"),
        ("Sponsored by Luma™.", "Luma"),
        ("Use code MIA15 at checkout", None),
        ("Use code MIA15 on Bloomery.com today", "Bloomery.com"),
        ("So soft! #ad 📸 @jo", None),
        ("So soft! @luma #ad 📸 @jo", "luma"),
        ("So soft! @luma @other #ad", None),
        ("(ad) Sunday reset", None),
    ],
)
def test_brand_is_cut_as_written(text: str, brand: str | None) -> None:
    found = find_disclosures(text)
    assert found
    assert brand_of(found) == brand


def test_plainest_relation_names_the_brand() -> None:
    text = "Use code JO10 at Bloomery. This video is sponsored by Luma."
    assert {found.brand for found in find_disclosures(text)} == {"Bloomery", "Luma"}
    assert brand_of(find_disclosures(text)) == "Luma"


@pytest.mark.parametrize("tag", sorted(HASHTAGS))
def test_every_tag_is_read_and_only_as_a_whole_word(tag: str) -> None:
    assert HASHTAGS[tag] in kinds(f"a walk by the sea #{tag.upper()} 🌊")
    assert find_disclosures(f"a walk by the sea #not{tag} #xq{tag}zq") == ()


@given(TEXTS)
@example("\ud800#\udfff")
@example("İ sponsored by İstanbul")
def test_any_text_can_be_read(text: str) -> None:
    found = find_disclosures(text)
    assert len(found) <= MOST_FOUND
    for disclosure in found:
        assert 0 < len(disclosure.evidence) <= EVIDENCE_CHARS
        assert disclosure.brand is None or disclosure.brand.strip()


@given(TEXTS)
def test_folding_keeps_the_length(text: str) -> None:
    shown = normalise_text(text)
    assert len(fold(shown)) == len(shown)


@given(TEXTS)
@example("no filter, not sponsored, no")
@example("keine")
@example("NO#")
def test_adding_a_tag_flags_any_text(text: str) -> None:
    labels = label_posts([f"{text}\n#ad"] * 3, [None, True, False])
    assert labels.flags.tolist() == [True, True, False]


@given(st.lists(st.tuples(TEXTS, st.sampled_from([True, False, None, pd.NA, float("nan")]))))
def test_a_post_does_not_depend_on_others(rows: list[tuple[str, object]]) -> None:
    together = label_posts([text for text, _ in rows], [flag for _, flag in rows])
    assert len(together.flags) == len(together.brands) == len(together.sources) == len(rows)
    for index, (text, flag) in enumerate(rows):
        alone = label_posts([text], [flag])
        assert together.flags[index] == alone.flags[0]
        assert together.brands[index] == alone.brands[0]
        assert together.sources[index] == alone.sources[0]


def test_the_table_rules_and_missing_is_read() -> None:
    texts = ["a walk", "#ad by @luma", "#ad by @luma", "a walk", "#ad by @luma", "#ad by @luma"]
    labels = label_posts(
        texts,
        pd.Series([True, False, None, None, True, None], dtype="boolean"),
        pd.Series([None, "Rival", "Rival", "Rival", None, None], dtype="str"),
    )
    assert labels.flags.tolist() == [True, False, True, True, True, True]
    assert labels.brands.tolist() == [None, None, "Rival", "Rival", "luma", "luma"]
    assert labels.sources.tolist() == ["table"] * 5 + ["text"]
    assert labels.flags.dtype == np.bool_


def test_labels_without_columns_and_without_posts() -> None:
    assert label_posts(["#ad", "a walk"]).flags.tolist() == [True, False]
    assert len(label_posts([]).flags) == 0
    assert label_posts(pd.Series(["#ad", float("nan")], dtype=object)).flags.tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("flag", ["yes", 2, 0.5, "", object()])
def test_a_flag_that_is_neither_is_refused(flag: object) -> None:
    with pytest.raises(ValueError, match="is_sponsored must be"):
        label_posts(["a walk"], [flag])


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="sponsor has 1 values for 2 texts"):
        label_posts(["a", "b"], None, ["x"])


HOSTILE = [
    *(
        "#ad ",
        "no #ad ",
        "thanks to x for ",
        "sponsored by the ",
        "(ad ",
        "ad\n",
        "＃ａｄ ",
        "@",
        "[",
    ),
    *("amazon.com/", "use my code A1 ", "10% off with ", "received this ", "not not a ", "\r\n"),
    *("dieses video wird von ", "wurde mir von ", "\u0301\u0316", "ﷺ", "@aaa sent me ", "#_"),
]


@pytest.mark.parametrize("seed", HOSTILE)
def test_time_grows_with_the_length_and_no_faster(seed: str) -> None:
    assert grows_with_the_length(find_disclosures, seed)


def test_a_long_text_of_denied_tags_is_read_to_its_end() -> None:
    text = "no #ad " * 40_000
    assert find_disclosures(text) == ()
    assert find_disclosures(text + "\n#ad") != ()


@pytest.mark.parametrize(
    "names",
    [
        (
            "@LumaSkin",
            "Luma Skin",
            "luma-skin GmbH",
            "#lumaskin",
            "LUMA SKIN, Inc.",
            "lumaskin.com",
        ),
        ("L'Oréal", "L’Oreal", "@loreal_official", "L'ORÉAL S.A."),
        ("Ben & Jerry's", "Ben and Jerry’s", "benjerrys"),
        ("Ｌｕｍａ", "Luma™", "https://www.luma.example/shop?x=1", "Luma GmbH & Co. KG"),
        ("資生堂", "＃資生堂"),
    ],
)
def test_spellings_of_one_brand_compare_equal(names: tuple[str, ...]) -> None:
    assert len({normalise_brand(name) for name in names}) == 1


def test_other_brands_compare_unequal() -> None:
    names = [
        "Luma",
        "Luma Skin",
        "Lumos",
        "SA",
        "Co",
        "H&M",
        "資生堂",
        "花王",
        "!!!",
        "???",
        "がか",
        "かか",
    ]
    assert len({normalise_brand(name) for name in names}) == len(names)


@given(st.text())
@settings(max_examples=200)
def test_normalising_a_brand_twice_changes_nothing(name: str) -> None:
    once = normalise_brand(name)
    assert normalise_brand(once) == once


def test_the_doctest_holds() -> None:
    assert doctest.testmod(sponsored_brands).failed == 0
