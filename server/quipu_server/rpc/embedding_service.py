"""EmbeddingService."""

from quipu.v1 import embedding_service_pb2 as messages
from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from quipu_server.domain import Purpose, TextToEmbed
from quipu_server.ports import Embedder, Lane
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context
from quipu_server.rpc.convert.embeddings import read_purpose, read_texts, write_embedding, write_model

_LANES = {Purpose.QUERY: Lane.QUERY, Purpose.PASSAGE: Lane.INGEST}


class EmbeddingService(EmbeddingServiceServicer):
    """Gives access to the embedding models of the server."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def Embed(self, request: messages.EmbedRequest, context: Context) -> messages.EmbedResponse:
        texts = [TextToEmbed(text) for text in read_texts(request.texts, required=True)]
        purpose = read_purpose(request)
        model = self._embedder.model(names.read_model(request.model, "model"))
        embedded = await self._embedder.embed(model.name, texts, purpose, _LANES[purpose])
        embeddings = [write_embedding(text) for text in embedded]
        return messages.EmbedResponse(model=model.resource_name, embeddings=embeddings)

    async def ListModels(self, request: messages.ListModelsRequest, context: Context) -> messages.ListModelsResponse:
        return messages.ListModelsResponse(models=[write_model(model) for model in self._embedder.models()])

    async def CountTokens(self, request: messages.CountTokensRequest, context: Context) -> messages.CountTokensResponse:
        texts = read_texts(request.texts, required=False)
        model = self._embedder.model(names.read_model(request.model, "model"))
        counts = await self._embedder.count_tokens(model.name, texts)
        return messages.CountTokensResponse(model=model.resource_name, token_counts=counts)
