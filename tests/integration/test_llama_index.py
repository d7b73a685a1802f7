"""The vector store of LlamaIndex: filters as in its own simple store, and what it does beyond."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import Node, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

import quipu
from quipu.adapters.llama_index import QuipuVectorStore

DIMENSION = 384
"""Of the shipped model."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a process of its own, since the blocking client would stop one in this thread."""
    with quipu.Server.ensure_running(tmp_path_factory.mktemp("llama-index")) as server:
        yield server.address


@pytest.fixture
def client(address: str) -> Iterator[quipu.SyncClient]:
    with quipu.connect_sync(address, space=f"llama-{uuid4().hex}") as connected:
        yield connected


def node(node_id: str, text: str, document: str = "doc", **metadata: Any) -> TextNode:
    made = TextNode(id_=node_id, text=text, metadata=metadata, embedding=vector(node_id))
    made.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document)
    return made


def vector(seed: str) -> list[float]:
    numbers = np.random.default_rng([*seed.encode()]).normal(size=DIMENSION)
    return [float(number) for number in numbers / np.linalg.norm(numbers)]


def nodes() -> list[TextNode]:
    return [
        node("cat", "She adopted a cat called Miso.", "pets", who="Ann", year=2023, tags=["a", "b"], share=0.5),
        node("dog", "Bo has a dog.", "pets", who="Bo", year=2024, tags=["b"]),
        node("train", "The train to Lisbon leaves at nine.", "travel", who="Ann Other", year=2025, note=""),
        node("any id/ü", "Nothing to see here.", "else", year=2026),
    ]


@pytest.fixture
def store(client: quipu.SyncClient) -> QuipuVectorStore:
    made = QuipuVectorStore(client)
    assert made.add(nodes()) == ["cat", "dog", "train", "any id/ü"]
    return made


def ids(found: Any) -> list[str]:
    return [each.node_id for each in found]


def where(*filters: Any, condition: FilterCondition = FilterCondition.AND) -> MetadataFilters:
    return MetadataFilters(filters=[*filters], condition=condition)


def test_a_node_comes_back_as_it_was(store: QuipuVectorStore) -> None:
    (given, *_) = nodes()
    (read,) = store.get_nodes(["cat"])
    assert isinstance(read, TextNode)
    assert read.model_dump(exclude={"embedding"}) == given.model_dump(exclude={"embedding"})
    assert set(ids(store.get_nodes())) == {"cat", "dog", "train", "any id/ü"}
    assert ids(store.get_nodes(["any id/ü", "never"])) == ["any id/ü"]


def test_nodes_of_any_kind_and_size_come_back(client: quipu.SyncClient) -> None:
    store = QuipuVectorStore(client)
    given = Node(
        id_="n", text_resource={"text": "x" * 20_000}, metadata={"nested": {"a": [1, None]}, "long": "ü" * 1_500}
    )
    store.add([given])
    (read,) = store.get_nodes()
    assert type(read) is Node
    assert read.get_content() == "x" * 20_000
    assert read.metadata == given.metadata


def test_a_query_finds_by_meaning(store: QuipuVectorStore) -> None:
    found = store.query(VectorStoreQuery(query_str="Which pets are there?", similarity_top_k=2))
    assert set(found.ids or ()) == {"cat", "dog"}
    assert ids(found.nodes) == found.ids
    assert all(0 < similarity <= 1 for similarity in found.similarities or ())


@pytest.mark.parametrize(
    ("mode", "expected"), [(VectorStoreQueryMode.TEXT_SEARCH, ["train"]), (VectorStoreQueryMode.HYBRID, ["train"])]
)
def test_a_query_has_modes(store: QuipuVectorStore, mode: VectorStoreQueryMode, expected: list[str]) -> None:
    assert store.query(VectorStoreQuery(query_str="Lisbon train", similarity_top_k=1, mode=mode)).ids == expected


def test_a_mode_that_is_not_there_is_refused(store: QuipuVectorStore, client: quipu.SyncClient) -> None:
    with pytest.raises(ValueError, match="mmr"):
        store.query(VectorStoreQuery(query_str="x", mode=VectorStoreQueryMode.MMR))
    embedding = QuipuVectorStore(client, uses_embeddings=True)
    with pytest.raises(ValueError, match="hybrid"):
        embedding.query(VectorStoreQuery(query_str="x", mode=VectorStoreQueryMode.HYBRID))


def test_a_query_may_be_for_some_nodes_or_documents(store: QuipuVectorStore) -> None:
    def found(**limits: Any) -> set[str]:
        return set(store.query(VectorStoreQuery(query_str="x", similarity_top_k=9, **limits)).ids or ())

    assert found(node_ids=["cat", "any id/ü"]) == {"cat", "any id/ü"}
    assert found(doc_ids=["pets"]) == {"cat", "dog"}
    assert found(doc_ids=["pets"], node_ids=["cat", "train"]) == {"cat"}
    assert len(found(node_ids=[], doc_ids=[])) == 4


FILTERS = [
    where(MetadataFilter(key="who", value="Ann")),
    where(MetadataFilter(key="who", value="Ann", operator=FilterOperator.NE)),
    where(MetadataFilter(key="year", value=2024, operator=FilterOperator.GT)),
    where(MetadataFilter(key="year", value=2024, operator=FilterOperator.GTE)),
    where(MetadataFilter(key="year", value=2024, operator=FilterOperator.LT)),
    where(MetadataFilter(key="year", value=2024, operator=FilterOperator.LTE)),
    where(MetadataFilter(key="share", value=0.5)),
    where(MetadataFilter(key="year", value=[2023, 2026], operator=FilterOperator.IN)),
    where(MetadataFilter(key="year", value=[2023, 2026], operator=FilterOperator.NIN)),
    where(MetadataFilter(key="who", value=["Bo"], operator=FilterOperator.NIN)),
    where(MetadataFilter(key="tags", value=["a", "c"], operator=FilterOperator.ANY)),
    where(MetadataFilter(key="tags", value=["a", "b"], operator=FilterOperator.ALL)),
    where(MetadataFilter(key="tags", value="b", operator=FilterOperator.CONTAINS)),
    where(MetadataFilter(key="who", value="nn", operator=FilterOperator.TEXT_MATCH)),
    where(MetadataFilter(key="who", value="ANN", operator=FilterOperator.TEXT_MATCH_INSENSITIVE)),
    where(MetadataFilter(key="who", value=None, operator=FilterOperator.IS_EMPTY)),
    where(MetadataFilter(key="note", value=None, operator=FilterOperator.IS_EMPTY)),
    where(MetadataFilter(key="who", value="Bo"), MetadataFilter(key="year", value=2025), condition=FilterCondition.OR),
    where(MetadataFilter(key="who", value="Bo"), MetadataFilter(key="year", value=2025), condition=FilterCondition.NOT),
    where(MetadataFilter(key="doc_id", value="pets"), MetadataFilter(key="year", value=2024)),
    where(),
]


@pytest.fixture(scope="module")
def twins(address: str) -> Iterator[list[BasePydanticVectorStore]]:
    """The store and the one of LlamaIndex that says what is right, with the same nodes and vectors."""
    with quipu.connect_sync(address, space=f"llama-{uuid4().hex}") as client:
        stores: list[BasePydanticVectorStore] = [QuipuVectorStore(client, uses_embeddings=True), SimpleVectorStore()]
        for each in stores:
            each.add(nodes())
        yield stores


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: filters.model_dump_json()[:60])
def test_filters_are_those_of_the_simple_store(twins: list[BasePydanticVectorStore], filters: MetadataFilters) -> None:
    query = VectorStoreQuery(query_embedding=vector("query"), similarity_top_k=9, filters=filters)
    found, expected = [each.query(query).ids for each in twins]
    assert found == expected


def test_filters_may_be_nested(store: QuipuVectorStore) -> None:
    pets = where(
        MetadataFilter(key="tags", value="b"),
        where(
            MetadataFilter(key="who", value="Bo"), MetadataFilter(key="who", value="Cy"), condition=FilterCondition.OR
        ),
    )
    assert ids(store.get_nodes(filters=pets)) == ["dog"]
    with pytest.raises(ValueError, match="needs one value"):
        store.get_nodes(filters=where(MetadataFilter(key="tags", value=["a"])))


def test_a_node_with_an_id_that_exists_replaces_it(store: QuipuVectorStore) -> None:
    store.add([node("cat", "The cat has moved out.", "pets", who="Ann"), node("new", "A parrot.", "pets")])
    (read,) = store.get_nodes(["cat"])
    assert read.get_content() == "The cat has moved out."
    assert "year" not in read.metadata
    assert len(store.get_nodes()) == 5


def test_nodes_are_deleted_by_document_id_or_filter(store: QuipuVectorStore, client: quipu.SyncClient) -> None:
    client.add("A memory of somebody else.")
    store.delete_nodes()
    assert len(store.get_nodes()) == 4
    store.delete("pets")
    store.delete("never")
    assert set(ids(store.get_nodes())) == {"train", "any id/ü"}
    store.delete_nodes(["any id/ü", "never"])
    assert ids(store.get_nodes()) == ["train"]
    store.delete_nodes(filters=where(MetadataFilter(key="year", value=2025)))
    assert store.get_nodes() == []
    store.add(nodes())
    store.clear()
    assert store.get_nodes() == []
    assert len(client.list().all()) == 1


def test_a_store_may_be_empty(client: quipu.SyncClient) -> None:
    store = QuipuVectorStore(client)
    assert store.get_nodes() == []
    assert store.query(VectorStoreQuery(query_str="x")).ids == []
    store.delete("doc")
    store.clear()


async def test_async_calls_do_the_same(client: quipu.SyncClient) -> None:
    store = QuipuVectorStore(client)
    await store.async_add(nodes())
    assert (await store.aquery(VectorStoreQuery(query_str="pets", similarity_top_k=1))).ids in (["cat"], ["dog"])
    await store.adelete("pets")
    await store.adelete_nodes(["train"])
    assert ids(await store.aget_nodes()) == ["any id/ü"]
    await store.aclear()
    assert await store.aget_nodes() == []


@pytest.mark.parametrize("uses_embeddings", [False, True])
def test_an_index_retrieves(client: quipu.SyncClient, uses_embeddings: bool) -> None:
    store = QuipuVectorStore(client, uses_embeddings=uses_embeddings)
    index = VectorStoreIndex(
        nodes(),
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(DIMENSION if uses_embeddings else 1),
    )
    index.insert_nodes([node("bird", "A parrot flew in.", "birds")])
    filters = where(MetadataFilter(key="year", value=2023, operator=FilterOperator.NE))
    found = index.as_retriever(similarity_top_k=9, filters=filters).retrieve("Which birds are there?")
    assert {each.node_id for each in found} == {"bird", "dog", "train", "any id/ü"}
    assert uses_embeddings or found[0].node_id == "bird"
    index.delete_ref_doc("pets")
    again = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(DIMENSION if uses_embeddings else 1))
    assert len(again.as_retriever(similarity_top_k=9).retrieve("x")) == 3
