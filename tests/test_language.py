"""Languages: of captions as people write them, of nothing, and of tags."""

import pytest

from features.language import UNKNOWN, detect, primary


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My honest skincare routine for sensitive skin, no filters", "en"),
        ("Mi rutina de maquillaje para el día a día, con productos de farmacia", "es"),
        ("So baust du deinen eigenen Gaming-PC für unter 800 Euro", "de"),
        ("Recette facile : gâteau au chocolat sans gluten en 20 minutes", "fr"),
        ("Treino de pernas em casa, sem equipamentos, para iniciantes", "pt"),
        ("こんにちは、今日の動画は東京のカフェ巡りです", "ja"),
    ],
)
def test_captions(text, language):
    assert list(detect([text])) == [language]


def test_a_text_is_judged_alone():
    texts = ["Good morning, today we bake bread", "Buenos días, hoy hacemos pan", "😂", ""]
    assert list(detect(texts)) == [detect([text])[0] for text in texts]


@pytest.mark.parametrize("text", ["", "   ", "😂😂", "123 !?", "\x00"])
def test_no_letters_no_language(text):
    assert detect([text])[0] == UNKNOWN


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("EN_us", "en"), ("de", "de"), ("", "")]
)
def test_the_language_of_a_tag(tag, language):
    assert primary(tag) == language
