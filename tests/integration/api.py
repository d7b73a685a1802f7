"""What the tests speak to a server with: the generated stubs, and their answers in a form that is easy to assert on."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from quipu.v1.admin_service_pb2_grpc import AdminServiceStub
from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from quipu.v1.index_service_pb2_grpc import IndexServiceStub
from quipu.v1.job_service_pb2_grpc import JobServiceStub
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import BatchCreateMemoriesRequest, CreateMemoryRequest
from quipu.v1.memory_service_pb2_grpc import MemoryServiceStub
from quipu.v1.retention_service_pb2_grpc import RetentionServiceStub
from quipu.v1.search_service_pb2 import Hit, SearchContext, SearchRequest, SearchSummary
from quipu.v1.search_service_pb2_grpc import SearchServiceStub
from quipu.v1.session_service_pb2_grpc import SessionServiceStub
from quipu.v1.space_service_pb2_grpc import SpaceServiceStub

if TYPE_CHECKING:
    from quipu.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from quipu.v1.index_service_pb2_grpc import IndexServiceAsyncStub
    from quipu.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from quipu.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub
    from quipu.v1.retention_service_pb2_grpc import RetentionServiceAsyncStub
    from quipu.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from quipu.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from quipu.v1.space_service_pb2_grpc import SpaceServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Found:
    """The whole answer of a search."""

    hits: Sequence[Hit]
    summary: SearchSummary
    slices: Sequence[int]
    """Hits in each message of the stream."""
    contexts: Sequence[SearchContext] = ()

    @property
    def ids(self) -> list[str]:
        return [hit.memory.name.rpartition("/")[2] for hit in self.hits]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error of a call: its status and its details."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    """Field paths of BadRequest."""


@dataclass(frozen=True, slots=True)
class Api:
    """The stubs of all services over one channel."""

    channel: aio.Channel
    memories: MemoryServiceAsyncStub
    spaces: SpaceServiceAsyncStub
    searches: SearchServiceAsyncStub
    embeddings: EmbeddingServiceAsyncStub
    indexes: IndexServiceAsyncStub
    jobs: JobServiceAsyncStub
    admin: AdminServiceAsyncStub
    sessions: SessionServiceAsyncStub
    retention: RetentionServiceAsyncStub

    @classmethod
    def over(cls, channel: aio.Channel) -> Api:
        return cls(
            channel,
            MemoryServiceStub(channel),
            SpaceServiceStub(channel),
            SearchServiceStub(channel),
            EmbeddingServiceStub(channel),
            IndexServiceStub(channel),
            JobServiceStub(channel),
            AdminServiceStub(channel),
            SessionServiceStub(channel),
            RetentionServiceStub(channel),
        )

    async def create(self, space: str, content: str, memory_id: str = "", **fields: Any) -> Memory:
        """Create one memory; `fields` are those of Memory."""
        memory = Memory(content=content, **fields)
        request = CreateMemoryRequest(parent=space, memory_id=memory_id, memory=memory)
        return (await self.memories.CreateMemory(request)).memory

    async def fill(self, space: str, memories: dict[str, Memory]) -> Sequence[Memory]:
        """Create memories by id, in one batch."""
        requests = [CreateMemoryRequest(memory_id=key, memory=memory) for key, memory in memories.items()]
        batch = BatchCreateMemoriesRequest(parent=space, requests=requests)
        return (await self.memories.BatchCreateMemories(batch)).memories

    async def search(self, *spaces: str, timeout: Any = None, **fields: Any) -> Found:
        """Search; `fields` are those of SearchRequest."""
        messages = [m async for m in self.searches.Search(SearchRequest(spaces=spaces, **fields), timeout=timeout)]
        assert [m.HasField("summary") for m in messages] == [False] * (len(messages) - 1) + [True]
        hits = [hit for message in messages for hit in message.hits]
        contexts = [run for message in messages for run in message.contexts]
        return Found(hits, messages[-1].summary, [len(m.hits) for m in messages], contexts)


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Await a call that must fail, and return its error."""
    try:
        answer = await call
    except aio.AioRpcError as error:
        return read_refusal(error)
    raise AssertionError(f"not refused, but answered with {answer!r}")


def read_refusal(error: aio.AioRpcError) -> Refusal:
    """The details of an error, as a client in any language reads them."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status is not None else ():
        for known in (info, bad):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    fields = tuple(violation.field for violation in bad.field_violations)
    return Refusal(error.code(), error.details() or "", info.reason, dict(info.metadata), fields)


def same(left: Message, right: Message) -> bool:
    """Tell whether two messages have the same bytes."""
    return left.SerializeToString(deterministic=True) == right.SerializeToString(deterministic=True)
