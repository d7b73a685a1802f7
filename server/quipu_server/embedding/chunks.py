"""Cuts long texts into overlapping chunks that fit the window of a model."""

from collections.abc import Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Start and end in code points."""

OVERLAP = 0.15
"""Share of a chunk that the next one repeats."""

SENTENCE_ENDS = frozenset(".!?…。！？\n")
SEARCHED = 0.3
"""Share of a chunk, from its end, in which a sentence end is looked for."""


def chunk(text: str, offsets: Sequence[Span], window: int) -> list[Span]:
    """Spans that cover the whole text, each of at most `window` tokens.

    offsets: span of each token in the text, in order.
    """
    if len(offsets) <= window:
        return [(0, len(text))]
    spans: list[Span] = []
    first = 0
    while True:
        last = min(first + window, len(offsets))
        if last < len(offsets):
            last = sentence_end(text, offsets, first, last)
        start = 0 if not spans else offsets[first][0]
        spans.append((min(start, spans[-1][1]) if spans else 0, end_of(text, offsets, last)))
        if last == len(offsets):
            return spans
        first = max(first + 1, last - int(window * OVERLAP))


def sentence_end(text: str, offsets: Sequence[Span], first: int, last: int) -> int:
    """The place after the last token of [first, last) that ends a sentence, if it is late enough; else `last`."""
    for place in range(last, last - int((last - first) * SEARCHED), -1):
        end = offsets[place - 1][1]
        if end and text[end - 1] in SENTENCE_ENDS:
            return place
    return last


def end_of(text: str, offsets: Sequence[Span], last: int) -> int:
    """Where a chunk before token `last` ends: where that token begins, so that nothing lies between chunks."""
    return len(text) if last == len(offsets) else max(offsets[last][0], offsets[last - 1][1])
