"""Turns text into terms: NFKC, case folding, Unicode words, bigrams where no spaces divide words, Snowball stems."""

import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import pairwise

import Stemmer

UNSTEMMED = "und"
"""Language code of text whose words are kept as they are."""

LONGEST_WORD = 64
"""Characters of a word that count; what is longer is an encoded blob rather than a word."""

CACHED_STEMS = 32_768

_ALGORITHMS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
_STEMMED = {code: name for code, name in _ALGORITHMS.items() if name in Stemmer.algorithms()}
_APOSTROPHES = frozenset({"en", "fr", "ga", "it", "nl", "tr"})
"""Languages whose stemmers take off what an apostrophe joins: `Ann's`, `l'amour`. Elsewhere it divides words."""

_HAN = r"\u2E80-\u2FDF\u3005-\u3007\u3021-\u3029\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U000323AF"
_KANA = r"\u3041-\u309F\u30A1-\u30FA\u30FC-\u30FF\u31F0-\u31FF"
# Korean has spaces, but they divide phrases rather than words.
_HANGUL = r"\uAC00-\uD7A3"
_THAI_LAO = r"\u0E01-\u0E2E\u0E30-\u0E3A\u0E40-\u0E4E\u0E81-\u0EC6\u0EC8-\u0ECE\u0EDC-\u0EDF"
_BURMESE_KHMER = r"\u1000-\u103F\u1050-\u109D\u1780-\u17D3"
_UNSPACED = _HAN + _KANA + _HANGUL + _THAI_LAO + _BURMESE_KHMER

_RUN = re.compile(f"[{_UNSPACED}]+")
_HAN_CHARACTER = re.compile(f"[{_HAN}]")

_SPELLINGS = (("’", "'"), ("ʼ", "'"), ("\u00ad", ""), ("İ", "i"))
_TURKISH_SPELLINGS = (*_SPELLINGS, ("I", "ı"))


class SnowballAnalyser:
    """The Analyser; safe to share between threads."""

    def __init__(self) -> None:
        self._local = threading.local()

    def terms(self, text: str, language: str) -> Sequence[str]:
        """Stems of the words in their order, with repetitions; the words themselves when the language is `und`."""
        words = [word[:LONGEST_WORD] for word in _words(text, language)]
        return words if language == UNSTEMMED else list(map(self._stem(language), words))

    def languages(self) -> Sequence[str]:
        """ISO 639-1 codes with a stemmer, and `und`."""
        return (*_STEMMED, UNSTEMMED)

    def _stem(self, language: str) -> Callable[[str], str]:
        """The stemmer of the language for this thread: a stemmer is not re-entrant."""
        stems: dict[str, Callable[[str], str]] = self._local.__dict__
        if language not in stems:
            # The cache of Stemmer itself drops its words all at once.
            stems[language] = lru_cache(CACHED_STEMS)(Stemmer.Stemmer(_STEMMED[language], 0).stemWord)
        return stems[language]


def _words(text: str, language: str) -> Sequence[str]:
    joined = language in _APOSTROPHES
    if text.isascii() and language != "tr":
        return _ascii_pattern(joined).findall(text.lower())
    text = unicodedata.normalize("NFKC", text)
    for spelling, plain in _TURKISH_SPELLINGS if language == "tr" else _SPELLINGS:
        text = text.replace(spelling, plain)
    text = text.casefold()
    words = _unicode_pattern(joined).findall(text)
    if _RUN.search(text) is None:
        return words
    return [part for word in words for part in _divided(word)]


def _divided(word: str) -> Sequence[str]:
    """Of a run without spaces its bigrams, and Han characters alone too, as one may be a word; else the word."""
    if len(word) == 1 or not _RUN.match(word):
        return (word,)
    bigrams = [here + following for here, following in pairwise(word)]
    return [*bigrams, *_HAN_CHARACTER.findall(word)]


@cache
def _ascii_pattern(joined: bool) -> re.Pattern[str]:
    return re.compile("[a-z0-9]+(?:'[a-z0-9]+)*" if joined else "[a-z0-9]+")


@cache
def _unicode_pattern(joined: bool) -> re.Pattern[str]:
    r"""Runs without spaces; or words: letters and digits with their combining marks, which \w leaves out."""
    letters = rf"[^\W_{_UNSPACED}]+"
    word = rf"{letters}(?:[{_marks()}]+(?:{letters})?)*"
    return re.compile(rf"[{_UNSPACED}]+|{word}(?:'{word})*" if joined else rf"[{_UNSPACED}]+|{word}")


@cache
def _marks() -> str:
    """Combining marks, as the inside of a character class; all lie below U+20000 but for variation selectors."""
    return "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c) in ("Mn", "Mc"))
