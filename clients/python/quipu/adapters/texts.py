"""Texts that are longer than a value of metadata may be."""

from collections.abc import Iterator

MOST_PIECE_BYTES = 8_192


def clip(text: str, most_bytes: int) -> str:
    """As much of a text as fits, without half characters."""
    return text.encode()[:most_bytes].decode(errors="ignore")


def pieces(text: str) -> Iterator[str]:
    """A text in parts that fit."""
    while text:
        piece = clip(text, MOST_PIECE_BYTES)
        yield piece
        text = text[len(piece) :]


def whole(value: object) -> str:
    """The text that such a list, or a text by itself, stands for."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
