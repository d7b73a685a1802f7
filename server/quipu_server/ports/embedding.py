"""What makes vectors of texts."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, TextToEmbed, Vector


class Lane(IntEnum):
    """Who goes first when texts wait to be embedded."""

    QUERY = 0
    INGEST = 1


class Embedder(Protocol):
    """Turns texts into vectors. The same text always gives the same vector, alone or among others."""

    def models(self) -> Sequence[ModelInfo]:
        """All models, the default one first."""

    def model(self, name: str) -> ModelInfo:
        """The model with this name; the default one for "". Raises NotFound."""

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        """Embed every text, chunk by chunk, in order.

        Raises NotFound for an unknown model, Overloaded when too many tokens wait. Cancellation takes the texts that
        wait out of the queue.
        """

    async def embed_query(self, model: str, text: str) -> Vector:
        """One unit vector for a query; the scaled mean of its chunks when it is longer than the window.

        Recent queries are answered from a cache.
        """

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text without special tokens."""
