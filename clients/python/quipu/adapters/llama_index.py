"""Quipu as a vector store of LlamaIndex: `pip install quipu[llama-index]`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from quipu.adapters.conditions import all_of, compare, one_of
from quipu.adapters.llama_index_filters import to_filters
from quipu.adapters.llama_index_nodes import DOCUMENT, TYPE, draft, memory_id, to_node
from quipu.adapters.missing import unless_missing
from quipu.adapters.upserts import put_all
from quipu.client import SyncClient
from quipu.searches import Mode
from quipu.v1.filter_pb2 import COMPARISON_OPERATOR_EQUAL, Filter
from quipu.v1.memory_pb2 import Memory
from quipu.v1.search_service_pb2 import Hit

MOST_HITS = 1_000
MOST_IDS = 1_000
"""In one filter."""

_MODES: Mapping[VectorStoreQueryMode, Mode] = {
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
    VectorStoreQueryMode.SPARSE: "lexical",
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
}


class QuipuVectorStore(BasePydanticVectorStore):
    """Nodes as memories of a space, found by meaning and by words.

    A node whose id exists replaces its memory; the older version stays in the history. A node without its text may have
    some 12 KiB as JSON. Similarities are relevances, 0 to 1. Async calls run the blocking client in threads.

    client: stays open; whoever made it closes it.
    space: default: that of the client.
    uses_embeddings: takes the vectors of LlamaIndex, with as many dimensions as the model of the space; otherwise the
    server embeds, and an index needs no more than `MockEmbedding(1)`.
    mode: how to search in the default mode of a query; default hybrid.
    """

    stores_text: bool = True
    is_embedding_query: bool = False
    flat_metadata: bool = False

    _client: SyncClient = PrivateAttr()
    _space: str | None = PrivateAttr()
    _mode: Mode | None = PrivateAttr()

    def __init__(
        self,
        client: SyncClient,
        *,
        space: str | None = None,
        uses_embeddings: bool = False,
        mode: Mode | None = None,
    ) -> None:
        super().__init__(stores_text=True, is_embedding_query=uses_embeddings)
        self._client = client
        self._space = space
        self._mode = mode

    @classmethod
    def class_name(cls) -> str:
        return "QuipuVectorStore"

    @property
    def client(self) -> SyncClient:
        return self._client

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Store nodes and return their ids. New ones are stored in batches."""
        drafts = {memory_id(node.node_id): draft(node, with_vector=self.is_embedding_query) for node in nodes}
        put_all(self._client, self._space, drafts)
        return [node.node_id for node in nodes]

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """The nodes that are meant, all of them without arguments; without their vectors."""
        return [to_node(memory) for memory in self._memories(node_ids, filters)]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Delete the nodes of a document."""
        self._delete(self._listed([compare(f"metadata.{DOCUMENT}", COMPARISON_OPERATOR_EQUAL, ref_doc_id)]))

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """Delete the nodes that are meant; without arguments none are."""
        if node_ids is not None or filters is not None:
            self._delete(self._memories(node_ids, filters))

    def clear(self) -> None:
        """Delete all nodes."""
        self._delete(self._listed([]))

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        """Find nodes, best first. Raises ValueError for a mode that Quipu does not have."""
        hits: list[Hit] = unless_missing(lambda: self._hits(query), [])
        nodes = [to_node(hit.memory) for hit in hits]
        relevances = [hit.relevance for hit in hits]
        return VectorStoreQueryResult(nodes=nodes, similarities=relevances, ids=[node.node_id for node in nodes])

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def adelete(self, ref_doc_id: str, **kwargs: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id, **kwargs)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **kwargs: Any
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **kwargs)

    async def aclear(self) -> None:
        await asyncio.to_thread(self.clear)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        return await asyncio.to_thread(self.query, query, **kwargs)

    def _hits(self, query: VectorStoreQuery) -> list[Hit]:
        conditions = [_has_id(query.node_ids)] if query.node_ids else []  # an index says [] where it means all
        if query.doc_ids:
            conditions.append(one_of(f"metadata.{DOCUMENT}", query.doc_ids))
        filter = _nodes(conditions, query.filters)
        k = min(query.similarity_top_k, MOST_HITS)
        return self._client.search(space=self._space, k=k, filter=filter, **self._asked(query)).all()

    def _asked(self, query: VectorStoreQuery) -> dict[str, Any]:
        """What is looked for, and how."""
        is_default = query.mode is VectorStoreQueryMode.DEFAULT
        if is_default and self.is_embedding_query:
            return {"vector": query.query_embedding}
        mode = self._mode if is_default else _MODES.get(query.mode)
        if (mode is None and not is_default) or (self.is_embedding_query and mode != "lexical"):
            raise ValueError(f"the store has no mode {query.mode.value}")
        return {"text": query.query_str, "mode": mode}

    def _memories(self, node_ids: Sequence[str] | None, filters: MetadataFilters | None) -> list[Memory]:
        if node_ids is None:
            return self._listed([], filters)
        parts = [node_ids[start : start + MOST_IDS] for start in range(0, len(node_ids), MOST_IDS)]
        return [memory for part in parts for memory in self._listed([_has_id(part)], filters)]

    def _listed(self, conditions: Sequence[Filter], filters: MetadataFilters | None = None) -> list[Memory]:
        filter = _nodes(conditions, filters)
        return unless_missing(lambda: self._client.list(space=self._space, filter=filter, page_size=1_000).all(), [])

    def _delete(self, memories: Sequence[Memory]) -> None:
        for memory in memories:
            self._client.delete(memory, allow_missing=True)


def _nodes(conditions: Sequence[Filter], filters: MetadataFilters | None) -> Filter:
    """Nodes that meet conditions; other memories may be in the space too."""
    given = [to_filters(filters)] if filters and filters.filters else []
    return all_of([Filter(is_set=f"metadata.{TYPE}"), *conditions, *given])


def _has_id(node_ids: Sequence[str]) -> Filter:
    return one_of("id", [memory_id(node_id) for node_id in node_ids])
