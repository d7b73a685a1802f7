"""What makes words of texts."""

from collections.abc import Sequence
from typing import Protocol


class Analyser(Protocol):
    """Turns text into terms; the same for what is indexed and what is asked."""

    def terms(self, text: str, language: str) -> Sequence[str]:
        """Analysed words in their order, with repetitions."""

    def languages(self) -> Sequence[str]:
        """Language codes that can be given."""
