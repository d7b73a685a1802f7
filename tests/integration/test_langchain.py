"""The vector store of LangChain: its standard suite, with embeddings of the server and with others."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_tests.integration_tests import VectorStoreIntegrationTests

import quipu
from quipu.adapters.langchain import DocumentFilter, QuipuVectorStore

DIMENSION = 384
"""Of the shipped model."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a process of its own, since the blocking client would stop one in this thread."""
    with quipu.Server.ensure_running(tmp_path_factory.mktemp("langchain")) as server:
        yield server.address


@pytest.fixture
def client(address: str) -> Iterator[quipu.SyncClient]:
    with quipu.connect_sync(address, space=f"langchain-{uuid4().hex}") as connected:
        yield connected


class TestEmbeddingsOfTheServer(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, client: quipu.SyncClient) -> QuipuVectorStore:
        return QuipuVectorStore(client)


class TestOtherEmbeddings(VectorStoreIntegrationTests):
    @staticmethod
    def get_embeddings() -> Embeddings:
        return DeterministicFakeEmbedding(size=DIMENSION)

    @pytest.fixture
    def vectorstore(self, client: quipu.SyncClient) -> QuipuVectorStore:
        return QuipuVectorStore(client, embedding=self.get_embeddings())


@pytest.fixture
def store(client: quipu.SyncClient) -> QuipuVectorStore:
    texts = ["Ann has a cat called Miso.", "The train to Lisbon leaves at nine.", "Bo has a dog."]
    metadatas: list[dict[str, Any]] = [{"page": 1, "who": "Ann"}, {"page": 2}, {"page": 3, "who": "Bo"}]
    return QuipuVectorStore.from_texts(texts, metadatas=metadatas, ids=["a", "b", "c"], client=client)


def test_filters_are_metadata_or_those_of_quipu(store: QuipuVectorStore) -> None:
    def found(filter: DocumentFilter) -> set[str | None]:
        return {document.id for document in store.similarity_search("pets", filter=filter)}

    assert found({"who": "Ann"}) == {"a"}
    assert found({"who": ["Ann", "Bo"], "page": 3}) == {"c"}
    assert found("metadata.page < 3") == {"a", "b"}
    assert found({}) == {"a", "b", "c"}


def test_scores_order_and_relevances_are_shares(store: QuipuVectorStore) -> None:
    scored = store.similarity_search_with_score("Ann's cat", k=3)
    assert [score for _, score in scored] == sorted((score for _, score in scored), reverse=True)
    relevant = store.similarity_search_with_relevance_scores("Ann's cat", k=3, score_threshold=0.3)
    assert [document.id for document, _ in relevant] == ["a"]
    assert 0.3 <= relevant[0][1] <= 1


async def test_a_retriever_finds(store: QuipuVectorStore) -> None:
    retriever = store.as_retriever(search_kwargs={"k": 1})
    document = Document(id="b", page_content="The train to Lisbon leaves at nine.", metadata={"page": 2})
    assert retriever.invoke("travelling by rail") == [document]
    assert await retriever.ainvoke("travelling by rail") == [document]


def test_metadata_keeps_whole_numbers(store: QuipuVectorStore) -> None:
    (document,) = store.get_by_ids(["a"])
    assert type(document.metadata["page"]) is int


def test_without_ids_everything_is_deleted(store: QuipuVectorStore) -> None:
    assert store.delete()
    assert store.get_by_ids(["a", "b", "c"]) == []
