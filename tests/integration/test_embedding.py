"""The embedding service over the API, with the shipped model."""

import asyncio

import grpc
import numpy as np
import pytest

from quipu.v1.embedding_service_pb2 import (
    EMBEDDING_PURPOSE_QUERY,
    CountTokensRequest,
    EmbeddingModel,
    EmbedRequest,
    EmbedResponse,
    ListModelsRequest,
)
from tests.integration.api import Api, refusal, same

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def embed(api: Api, *texts: str, **fields: object) -> EmbedResponse:
    return await api.embeddings.Embed(EmbedRequest(texts=texts, **fields))  # type: ignore[arg-type]


async def default_model(api: Api) -> EmbeddingModel:
    models = (await api.embeddings.ListModels(ListModelsRequest())).models
    assert [m.is_default for m in models] == [True] + [False] * (len(models) - 1)
    return models[0]


def cosine(answer: EmbedResponse, i: int, j: int) -> float:
    left, right = (np.array(answer.embeddings[n].chunks[0].vector.values) for n in (i, j))
    return float(left @ right)


async def test_the_default_model_is_listed(api: Api) -> None:
    model = await default_model(api)
    assert model.name.startswith("models/")
    assert model.dimension == 384
    assert model.pooling == "mean"
    assert model.fingerprint


async def test_vectors_have_unit_length_and_meaning(api: Api) -> None:
    answer = await embed(api, "A cat sleeps.", "A kitten is napping.", "Interest rates rose.")
    assert answer.model == (await default_model(api)).name
    for embedding in answer.embeddings:
        assert np.linalg.norm(embedding.chunks[0].vector.values) == pytest.approx(1.0, abs=1e-5)
        assert len(embedding.chunks[0].vector.values) == 384
    assert cosine(answer, 0, 1) > 0.5 > cosine(answer, 0, 2)


async def test_a_text_has_one_vector_alone_or_among_others(api: Api) -> None:
    texts = [f"sentence {i} " + "with some more words " * i for i in range(12)]
    together = await embed(api, *texts)
    alone = await asyncio.gather(*[embed(api, text) for text in texts])
    for embedding, answer in zip(together.embeddings, alone, strict=True):
        assert same(embedding, answer.embeddings[0])


async def test_a_long_text_is_covered_by_overlapping_chunks(api: Api) -> None:
    text = " ".join(f"Sentence {i} tells of something else." for i in range(150))
    model = await default_model(api)
    embedding = (await embed(api, text)).embeddings[0]
    assert embedding.token_count > model.max_tokens
    assert len(embedding.chunks) > 1
    assert (embedding.chunks[0].start, embedding.chunks[-1].end) == (0, len(text))
    for chunk, following in zip(embedding.chunks, embedding.chunks[1:], strict=False):
        assert chunk.start < following.start <= chunk.end < following.end


async def test_spans_count_code_points(api: Api) -> None:
    text = "🧶é文"
    chunk = (await embed(api, text)).embeddings[0].chunks[0]
    assert (chunk.start, chunk.end) == (0, 3)


async def test_tokens_are_counted_as_they_are_embedded(api: Api) -> None:
    texts = ["one", "one two three", "word " * 600]
    counted = await api.embeddings.CountTokens(CountTokensRequest(texts=texts))
    embedded = await embed(api, *texts)
    assert list(counted.token_counts) == [e.token_count for e in embedded.embeddings]
    assert list(counted.token_counts) == [1, 3, 600]


async def test_a_query_may_be_embedded_too(api: Api) -> None:
    answer = await embed(api, "Where is the cat?", purpose=EMBEDDING_PURPOSE_QUERY)
    assert len(answer.embeddings) == 1


async def test_an_unknown_model_is_named(api: Api) -> None:
    refused = await refusal(embed(api, "x", model="models/none"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    assert refused.metadata["name"] == "models/none"


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ((), "texts"),
        (("a", ""), "texts[1]"),
        (("a\0b",), "texts[0]"),
        (("x" * 32_769,), "texts[0]"),
        (("a",) * 257, "texts"),
    ],
    ids=["none", "empty", "nul", "long", "many"],
)
async def test_texts_out_of_bounds_are_refused(api: Api, texts: tuple[str, ...], field: str) -> None:
    assert (await refusal(embed(api, *texts))).fields == (field,)
