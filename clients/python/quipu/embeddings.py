"""Calls to the embedding models of the server."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from quipu.dual import call
from quipu.names import model_name
from quipu.operations import Operations
from quipu.v1.embedding_service_pb2 import (
    CountTokensRequest,
    EmbeddingModel,
    EmbeddingPurpose,
    EmbedRequest,
    ListModelsRequest,
    TextEmbedding,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TEXTS = 256
"""In one call."""

_PURPOSES = {
    "passage": EmbeddingPurpose.EMBEDDING_PURPOSE_PASSAGE,
    "query": EmbeddingPurpose.EMBEDDING_PURPOSE_QUERY,
}


class EmbeddingOperations(Operations):
    """Everything about embedding."""

    @call
    async def embed(
        self,
        *texts: str,
        purpose: Literal["passage", "query"] = "passage",
        model: str = "",
        timeout: float | None = None,
    ) -> "list[NDArray[np.float32]]":
        """Embed texts as the server does for its own use. Needs numpy.

        Returns an array for each text: float32, shape (chunks, dimension), rows of unit length. A text within the
        window of the model has one chunk. `timeout` counts for each 256 texts.
        """
        arrays: list[NDArray[np.float32]] = []
        for part in _parts(texts):
            request = EmbedRequest(model=model_name(model), texts=part, purpose=_PURPOSES[purpose])
            response = await self._wire.unary(self._wire.embeddings.Embed, request, timeout)
            arrays.extend(_array(embedding) for embedding in response.embeddings)
        return arrays

    @call
    async def models(self, *, timeout: float | None = None) -> Sequence[EmbeddingModel]:
        """List the models of the server, the default one first."""
        response = await self._wire.unary(self._wire.embeddings.ListModels, ListModelsRequest(), timeout)
        return response.models

    @call
    async def count_tokens(self, *texts: str, model: str = "", timeout: float | None = None) -> list[int]:
        """Count the tokens of each text, without special tokens. `timeout` counts for each 256 texts."""
        counts: list[int] = []
        for part in _parts(texts):
            request = CountTokensRequest(model=model_name(model), texts=part)
            response = await self._wire.unary(self._wire.embeddings.CountTokens, request, timeout)
            counts.extend(response.token_counts)
        return counts


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + MOST_TEXTS] for start in range(0, len(texts), MOST_TEXTS))


def _array(embedding: TextEmbedding) -> "NDArray[np.float32]":
    import numpy as np

    return np.array([chunk.vector.values for chunk in embedding.chunks], np.float32)
