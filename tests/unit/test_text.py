"""The analyser: what is indexed is found by the words people type."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quipu_server.text import LONGEST_WORD, SnowballAnalyser

ANALYSER = SnowballAnalyser()


def terms(text: str, language: str = "en") -> list[str]:
    return list(ANALYSER.terms(text, language))


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Running dogs", "dog run", "en"),
        ("STRASSE", "Straße", "de"),
        ("ﬁne ｔｅａ", "fine tea", "en"),
        ("Ann’s", "Ann", "en"),
        ("l’amour", "amour", "fr"),
        ("İstanbul'a", "istanbul", "tr"),
        ("İstanbul", "istanbul", "en"),
        ("ΣΚΎΛΟΣ", "σκύλος", "el"),
        ("co\u00adoperate", "cooperate", "en"),
        ("लड़कियाँ", "लड़की", "hi"),
    ],
)
def test_spellings_meet(one: str, other: str, language: str) -> None:
    assert set(terms(one, language)) == set(terms(other, language))
    assert terms(one, language)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't panic!", ["don't", "panic"]),
        ("v1.2 snake_case a-b", ["v1", "2", "snake", "case", "a", "b"]),
        ("to be, or not to be", ["to", "be", "or", "not", "to", "be"]),
        ("' '' _ -- …", []),
        ("", []),
        ("naïve café", ["naïv", "café"]),
    ],
)
def test_words_come_in_order_with_repetitions(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("我喜欢猫和茶", "喜欢"),
        ("我喜欢猫和茶", "猫"),
        ("東京都に住んでいます", "東京"),
        ("ฉันรักแมว", "แมว"),
        ("고양이를", "고양이"),
    ],
)
def test_parts_of_text_without_spaces_are_found(text: str, question: str) -> None:
    assert set(terms(question)) <= set(terms(text))


def test_und_stems_nothing_and_divides_at_apostrophes() -> None:
    assert terms("Ann's Running", "und") == ["ann", "s", "running"]


def test_a_very_long_word_is_bounded() -> None:
    assert [len(term) for term in terms("x" * 10_000 + " y")] == [LONGEST_WORD, 1]


def test_all_languages_can_be_used() -> None:
    assert {"en", "de", "ru", "und"} <= set(ANALYSER.languages())
    assert all(terms("words", language) for language in ANALYSER.languages())


@given(st.text(), st.sampled_from(ANALYSER.languages()))
def test_equivalent_text_has_equal_terms(text: str, language: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert terms(composed, language) == terms(decomposed, language)
    assert all(0 < len(term) <= 2 * LONGEST_WORD for term in terms(text, language))


def test_threads_share_an_analyser() -> None:
    texts = [f"conversations about memory number {i}" for i in range(200)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(terms, texts)) == [terms(text) for text in texts]
