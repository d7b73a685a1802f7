"""Calls about spaces and models."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import quipu
from quipu.v1.embedding_service_pb2 import (
    ChunkEmbedding,
    CountTokensResponse,
    EmbeddingModel,
    EmbeddingPurpose,
    EmbedResponse,
    ListModelsResponse,
    TextEmbedding,
)
from quipu.v1.index_service_pb2 import DescribeIndexResponse, IndexDescription
from quipu.v1.space_service_pb2 import (
    CreateSpaceResponse,
    DeleteSpaceResponse,
    GetSpaceResponse,
    ListSpacesResponse,
    UpdateSpaceResponse,
)
from tests.unit.fake_server import FakeServer


async def test_a_space_is_created_with_its_settings(server: FakeServer) -> None:
    server.answers["CreateSpace"] = lambda request: CreateSpaceResponse(space=request.space)
    async with quipu.connect(server.address) as client:
        await client.create_space("a", model="m", language="de", ranking={"recency": 0.2})
    (request,) = server.requests
    assert (request.space_id, request.space.model, request.space.language) == ("a", "models/m", "de")
    assert request.space.ranking.recency == 0.2


def test_an_update_of_a_space_names_what_it_was_given(server: FakeServer) -> None:
    server.answers["UpdateSpace"] = lambda request: UpdateSpaceResponse(space=request.space)
    with quipu.connect_sync(server.address) as client:
        client.update_space("a", display_name="A", ranking=None)
    (request,) = server.requests
    assert set(request.update_mask.paths) == {"display_name", "ranking"}
    assert request.space == quipu.Space(name="spaces/a", display_name="A")


def test_spaces_are_listed_over_pages(server: FakeServer) -> None:
    server.answers["ListSpaces"] = lambda request: ListSpacesResponse(
        spaces=[quipu.Space(name=f"spaces/{request.page_token or 'a'}")],
        next_page_token="" if request.page_token else "b",
    )
    with quipu.connect_sync(server.address) as client:
        assert [space.name for space in client.spaces()] == ["spaces/a", "spaces/b"]


def test_a_space_is_read_and_destroyed(server: FakeServer) -> None:
    server.answers["GetSpace"] = lambda request: GetSpaceResponse(space=quipu.Space(name=request.name))
    server.answers["DeleteSpace"] = lambda _: DeleteSpaceResponse(deleted_memory_count=3)
    with quipu.connect_sync(server.address) as client:
        assert client.get_space("a").name == "spaces/a"
        assert client.delete_space("a", force=True) == 3


def embedded(request: Any) -> EmbedResponse:
    chunk = ChunkEmbedding(vector=quipu.to_vector([float(request.purpose), 0.0]))
    return EmbedResponse(embeddings=[TextEmbedding(chunks=[chunk] * len(text)) for text in request.texts])


async def test_texts_become_arrays_of_chunks(server: FakeServer) -> None:
    server.answers["Embed"] = embedded
    async with quipu.connect(server.address) as client:
        one, two = await client.embed("a", "bb", purpose="query")
    assert one.dtype == np.float32
    assert (one.shape, two.shape) == ((1, 2), (2, 2))
    assert server.requests[0].purpose == EmbeddingPurpose.EMBEDDING_PURPOSE_QUERY


def test_many_texts_take_several_calls(server: FakeServer) -> None:
    server.answers["CountTokens"] = lambda request: CountTokensResponse(
        token_counts=[len(text) for text in request.texts]
    )
    with quipu.connect_sync(server.address) as client:
        assert client.count_tokens(*["abc"] * 300) == [3] * 300
    assert [len(request.texts) for request in server.requests] == [256, 44]


def test_models_are_listed(server: FakeServer) -> None:
    server.answers["ListModels"] = lambda _: ListModelsResponse(models=[EmbeddingModel(name="models/m", dimension=384)])
    with quipu.connect_sync(server.address) as client:
        assert [model.name for model in client.models()] == ["models/m"]


EMPTY: list[tuple[str, Callable[[quipu.SyncClient], object]]] = [
    ("space", lambda client: client.add("x", space="")),
    ("space", lambda client: client.add_many(["x"], space="")),
    ("space", lambda client: client.get("m", space="")),
    ("space", lambda client: client.list(space="")),
    ("space", lambda client: client.search("x", space="")),
    ("space", lambda client: client.search("x", space=["a", ""])),
    ("space", lambda client: client.create_space("")),
    ("space", lambda client: client.get_space("")),
    ("space", lambda client: client.update_space("", display_name="x")),
    ("space", lambda client: client.delete_space("", force=True)),
    ("consistency", lambda client: client.search("x", consistency={"": 1})),
]


@pytest.mark.parametrize(("argument", "call"), EMPTY)
def test_an_empty_name_is_not_the_default_space(
    server: FakeServer, argument: str, call: Callable[[quipu.SyncClient], object]
) -> None:
    with (
        quipu.connect_sync(server.address) as client,
        pytest.raises(ValueError, match=f"{argument}: must not be empty"),
    ):
        call(client)
    assert server.requests == []


def test_a_client_needs_a_space() -> None:
    with pytest.raises(ValueError, match="space: must not be empty"):
        quipu.connect_sync(space="")


async def test_an_index_is_described(server: FakeServer) -> None:
    server.answers["DescribeIndex"] = lambda request: DescribeIndexResponse(index=IndexDescription(space=request.space))
    async with quipu.connect(server.address, space="mine") as client:
        assert (await client.describe_index()).space == "spaces/mine"
        assert (await client.describe_index("a", recall_sample=5)).space == "spaces/a"
    assert [request.recall_sample for request in server.requests] == [0, 5]
