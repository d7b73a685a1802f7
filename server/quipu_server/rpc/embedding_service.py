"""EmbeddingService over gRPC."""

from collections.abc import Sequence
from typing import Any

from quipu.v1 import embedding_service_pb2 as messages
from quipu.v1 import embedding_service_pb2_grpc, value_pb2
from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, TextToEmbed
from quipu_server.errors import InvalidArgument
from quipu_server.ports import Embedder, Lane
from quipu_server.rpc.fields import check_text, parse_model

MOST_TEXTS, LONGEST_TEXT = 256, 32_768
PURPOSES = {0: Purpose.PASSAGE, 1: Purpose.PASSAGE, 2: Purpose.QUERY}


class EmbeddingService(embedding_service_pb2_grpc.EmbeddingServiceServicer):
    """Converts and validates; the work is done by the embedder."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def Embed(self, request: Any, context: Any) -> messages.EmbedResponse:
        model = self._embedder.model(parse_model(request.model, "model"))
        if request.purpose not in PURPOSES:
            raise InvalidArgument("purpose", f"{request.purpose} is not a value of this enum")
        texts = [TextToEmbed(text) for text in parse_texts(request.texts, required=True)]
        purpose = PURPOSES[request.purpose]
        lane = Lane.QUERY if purpose is Purpose.QUERY else Lane.INGEST
        embedded = await self._embedder.embed(model.name, texts, purpose, lane)
        return messages.EmbedResponse(model=model.resource_name, embeddings=[build_embedding(e) for e in embedded])

    async def ListModels(self, request: Any, context: Any) -> messages.ListModelsResponse:
        return messages.ListModelsResponse(models=[build_model(model) for model in self._embedder.models()])

    async def CountTokens(self, request: Any, context: Any) -> messages.CountTokensResponse:
        model = self._embedder.model(parse_model(request.model, "model"))
        counts = await self._embedder.count_tokens(model.name, parse_texts(request.texts, required=False))
        return messages.CountTokensResponse(model=model.resource_name, token_counts=counts)


def parse_texts(texts: Sequence[str], *, required: bool) -> Sequence[str]:
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise InvalidArgument("texts", f"has 1 to {MOST_TEXTS} entries, not {len(texts)}")
    return [check_text(text, f"texts[{i}]", LONGEST_TEXT, required=required) for i, text in enumerate(texts)]


def build_embedding(embedded: EmbeddedText) -> messages.TextEmbedding:
    chunks = [
        messages.ChunkEmbedding(vector=value_pb2.Vector(values=vector.tolist()), start=start, end=end)
        for vector, (start, end) in zip(embedded.vectors, embedded.spans.tolist(), strict=True)
    ]
    return messages.TextEmbedding(chunks=chunks, token_count=embedded.token_count)


def build_model(model: ModelInfo) -> messages.EmbeddingModel:
    return messages.EmbeddingModel(
        name=model.resource_name,
        dimension=model.dimension,
        max_tokens=model.max_tokens,
        pooling=model.pooling,
        query_prefix=model.query_prefix,
        passage_prefix=model.passage_prefix,
        fingerprint=model.fingerprint,
        is_default=model.is_default,
    )
