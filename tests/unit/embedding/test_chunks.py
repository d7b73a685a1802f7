"""Chunks cover the text, fit the window, overlap, and prefer to end where sentences end."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quipu_server.embedding.chunks import chunk

WORDS = st.text(st.sampled_from("abc é.!?\n\t😀"), min_size=0, max_size=300)


def tokens(text: str) -> list[tuple[int, int]]:
    """Words and single marks, as a tokeniser would cut."""
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


@given(text=WORDS, window=st.integers(2, 40))
def test_chunks_cover_every_character_in_order(text: str, window: int) -> None:
    spans = chunk(text, tokens(text), window)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert all(earlier[0] < later[0] <= earlier[1] < later[1] for earlier, later in pairwise(spans))


@given(text=WORDS, window=st.integers(2, 40))
def test_no_chunk_has_more_tokens_than_the_window(text: str, window: int) -> None:
    offsets = tokens(text)
    for start, end in chunk(text, offsets, window):
        assert sum(start <= a and b <= end for a, b in offsets) <= window


def test_a_text_within_the_window_stays_whole() -> None:
    text = "  two words  "
    assert chunk(text, tokens(text), 2) == [(0, len(text))]


def test_a_late_sentence_end_is_preferred() -> None:
    text = "one two three four five six seven. eight nine ten eleven twelve"
    (first, *_) = chunk(text, tokens(text), 10)
    assert text[slice(*first)].rstrip().endswith("seven.")


def test_an_early_sentence_end_is_not() -> None:
    text = "one. two three four five six seven eight nine ten eleven twelve"
    (first, *_) = chunk(text, tokens(text), 10)
    assert text[slice(*first)].rstrip().endswith("nine")


def test_chunks_share_some_words() -> None:
    text = " ".join(f"w{i}" for i in range(100))
    spans = chunk(text, tokens(text), 20)
    assert all(later[0] < earlier[1] for earlier, later in pairwise(spans))
