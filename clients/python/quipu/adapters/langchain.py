"""Quipu as a vector store of LangChain: `pip install quipu[langchain]`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from quipu.adapters.conditions import all_of, compare, one_of
from quipu.adapters.missing import unless_missing
from quipu.client import SyncClient
from quipu.fields import Draft, metadata
from quipu.filters import FilterLike
from quipu.searches import Mode
from quipu.v1.filter_pb2 import COMPARISON_OPERATOR_EQUAL, Filter
from quipu.v1.memory_pb2 import Memory
from quipu.v1.search_service_pb2 import Hit
from quipu.values import MetadataValue

DocumentFilter: TypeAlias = FilterLike | Mapping[str, MetadataValue]
"""A filter of Quipu, or metadata that must be equal; of a list, one of its items."""


class QuipuVectorStore(VectorStore):
    """Documents as memories of a space, found by meaning and by words.

    A document with an id that exists replaces its memory; the older version stays in the history. Metadata holds text,
    numbers, truth values, times, and lists of them. Async calls run the blocking client in threads.

    client: stays open; whoever made it closes it.
    space: default: that of the client.
    embedding: makes the vectors instead of the server, with as many dimensions as the model of the space; searches are
    by meaning only then.
    mode: how to search; default hybrid.
    """

    def __init__(
        self,
        client: SyncClient,
        *,
        space: str | None = None,
        embedding: Embeddings | None = None,
        mode: Mode | None = None,
    ) -> None:
        self._client = client
        self._space = space
        self._embedding = embedding
        self._mode = mode

    @property
    def embeddings(self) -> Embeddings | None:
        return self._embedding

    def add_documents(self, documents: list[Document], *, ids: Sequence[str | None] = (), **_: Any) -> list[str]:
        """Store documents and return their ids. New ones are stored in batches."""
        drafts = self._drafts(documents, ids or [document.id for document in documents])
        # Of several documents with one id the last one counts.
        named = {draft["id"]: draft for draft in drafts if draft.get("id")}
        existing = self._existing([key for key in named if key])
        for key in existing:
            self._replace(named[key])
        new = [d for d in drafts if not d.get("id") or (d["id"] not in existing and named[d["id"]] is d)]
        made = iter(self._client.add_many(new, space=self._space))
        added = {id(draft): _id_of(memory) for draft, memory in zip(new, made, strict=True)}
        return [draft.get("id") or added[id(draft)] for draft in drafts]

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool:
        """Delete documents, all of them without ids; those that do not exist are passed over."""
        for key in self._all_ids() if ids is None else ids:
            self._client.delete(key, space=self._space, allow_missing=True)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [to_document(memory) for memory in self._existing(ids).values()]

    def similarity_search(
        self, query: str, k: int = 4, filter: DocumentFilter | None = None, **kwargs: Any
    ) -> list[Document]:
        """Find documents, best first. `kwargs` are further arguments of `SyncClient.search`."""
        return [to_document(hit.memory) for hit in self._search(query, k, filter, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: DocumentFilter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Find documents with the scores they are ordered by: higher is better."""
        return [(to_document(hit.memory), hit.score) for hit in self._search(query, k, filter, **kwargs)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: DocumentFilter | None = None, **kwargs: Any
    ) -> list[Document]:
        """Find documents by a vector made with the model of the space."""
        return [to_document(hit.memory) for hit in self._hits(k, filter, vector=embedding, **kwargs)]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make a store and add texts. `kwargs`: `client`, and what else the constructor takes."""
        store = cls(embedding=embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, filter: DocumentFilter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Relevance is 0 to 1 and does not depend on the other documents, unlike the score."""
        return [(to_document(hit.memory), hit.relevance) for hit in self._search(query, k, filter, **kwargs)]

    def _search(self, query: str, k: int, filter: DocumentFilter | None, **kwargs: Any) -> list[Hit]:
        if self._embedding:
            return self._hits(k, filter, vector=self._embedding.embed_query(query), **kwargs)
        return self._hits(k, filter, **{"text": query, "mode": self._mode, **kwargs})

    def _hits(self, k: int, filter: DocumentFilter | None, **query: Any) -> list[Hit]:
        found = to_filter(filter)
        return unless_missing(lambda: self._client.search(k=k, filter=found, space=self._space, **query).all(), [])

    def _drafts(self, documents: Sequence[Document], ids: Sequence[str | None]) -> list[Draft]:
        texts = [document.page_content for document in documents]
        vectors: Iterable[Any] = [None] * len(texts)
        if self._embedding:
            vectors = self._embedding.embed_documents(texts)
        return [
            {"content": document.page_content, "id": key, "metadata": document.metadata, "vector": vector}
            for document, key, vector in zip(documents, ids, vectors, strict=True)
        ]

    def _replace(self, draft: Draft) -> None:
        fields: dict[str, Any] = {key: draft.get(key) for key in ("content", "metadata")}
        if self._embedding:
            fields["vector"] = draft.get("vector")
        self._client.update(draft["id"] or "", space=self._space, allow_missing=True, **fields)

    def _existing(self, ids: Sequence[str]) -> Mapping[str, Memory]:
        return unless_missing(lambda: self._client.get_many(ids, space=self._space), {})

    def _all_ids(self) -> list[str]:
        memories: list[Memory] = unless_missing(lambda: self._client.list(space=self._space, page_size=1_000).all(), [])
        return [_id_of(memory) for memory in memories]


def to_document(memory: Memory) -> Document:
    """A memory as a document. Whole numbers of its metadata are int, as places and page numbers must be."""
    plain = {key: _whole(value) for key, value in metadata(memory).items()}
    return Document(id=_id_of(memory), page_content=memory.content, metadata=plain)


def to_filter(filter: DocumentFilter | None) -> FilterLike | None:
    """The filter of Quipu for one of LangChain."""
    if not isinstance(filter, Mapping):
        return filter
    return all_of([_equal(*item) for item in filter.items()]) if filter else None


def _equal(key: str, value: MetadataValue) -> Filter:
    field = f"metadata.{key}"
    if isinstance(value, list | tuple):
        return one_of(field, value)
    return compare(field, COMPARISON_OPERATOR_EQUAL, value)


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _id_of(memory: Memory) -> str:
    return memory.name.rpartition("/")[2]
