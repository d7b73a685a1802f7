"""Embeddings and models."""

from collections.abc import Sequence

from quipu.v1.embedding_service_pb2 import (
    ChunkEmbedding,
    EmbeddingModel,
    EmbeddingPurpose,
    EmbedRequest,
    TextEmbedding,
)
from quipu_server.domain import EmbeddedText, ModelInfo, Purpose
from quipu_server.rpc.convert.values import write_vector
from quipu_server.rpc.validate import check_count, check_known, check_text

MOST_TEXTS = 256
MOST_TEXT_BYTES = 32_768

_PURPOSES: dict[int, Purpose] = {
    EmbeddingPurpose.EMBEDDING_PURPOSE_UNSPECIFIED: Purpose.PASSAGE,
    EmbeddingPurpose.EMBEDDING_PURPOSE_PASSAGE: Purpose.PASSAGE,
    EmbeddingPurpose.EMBEDDING_PURPOSE_QUERY: Purpose.QUERY,
}


def read_texts(texts: Sequence[str], *, required: bool) -> Sequence[str]:
    """The texts of a request; `required` says that none may be empty. Raises InvalidArgument."""
    check_count(texts, "texts", MOST_TEXTS, least=1)
    return [check_text(text, f"texts[{i}]", MOST_TEXT_BYTES, required=required) for i, text in enumerate(texts)]


def read_purpose(request: EmbedRequest) -> Purpose:
    """What the vectors are for. Raises InvalidArgument."""
    return check_known(request.purpose, "purpose", _PURPOSES)


def write_embedding(embedded: EmbeddedText) -> TextEmbedding:
    chunks = [
        ChunkEmbedding(vector=write_vector(vector), start=start, end=end)
        for vector, (start, end) in zip(embedded.vectors, embedded.spans.tolist(), strict=True)
    ]
    return TextEmbedding(chunks=chunks, token_count=embedded.token_count)


def write_model(model: ModelInfo) -> EmbeddingModel:
    return EmbeddingModel(
        name=model.resource_name,
        dimension=model.dimension,
        max_tokens=model.max_tokens,
        pooling=model.pooling,
        query_prefix=model.query_prefix,
        passage_prefix=model.passage_prefix,
        fingerprint=model.fingerprint,
        is_default=model.is_default,
    )
