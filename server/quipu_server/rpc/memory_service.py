"""MemoryService."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from quipu.v1 import memory_service_pb2 as messages
from quipu.v1.memory_service_pb2_grpc import MemoryServiceServicer
from quipu_server.errors import InvalidArgument
from quipu_server.ingesting import Ingesting
from quipu_server.inputs import Draft, Listing, Target
from quipu_server.memories import Memories
from quipu_server.ports import NEWEST
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.filters import read_filtering
from quipu_server.rpc.convert.ingests import Offering
from quipu_server.rpc.convert.memories import (
    read_draft,
    read_patch,
    read_verdict,
    write_memory,
    write_revision,
    write_use,
)
from quipu_server.rpc.convert.times import from_microseconds, to_microseconds
from quipu_server.rpc.convert.watches import read_watch, write_changes
from quipu_server.rpc.digest import request_key
from quipu_server.rpc.ingest import ingest
from quipu_server.rpc.pages import Place, invalid_token, read_token, write_token
from quipu_server.rpc.validate import check_count, check_page_size, check_revision
from quipu_server.turns import in_turns
from quipu_server.uses import Uses
from quipu_server.watching import Watching

MOST_DRAFTS = 500
ORDERS = ("create_time", "update_time", "event_time")
DESCENDING = " desc"


@dataclass(frozen=True, slots=True)
class Streams:
    """What serves the methods that go on for as long as their callers like."""

    ingesting: Ingesting
    watching: Watching


class MemoryService(MemoryServiceServicer):
    """Keeps memories."""

    def __init__(
        self, memories: Memories, uses: Uses, streams: Streams, most_content_bytes: int, goes_on: Callable[[], bool]
    ) -> None:
        """goes_on: tells whether streams that have no end of their own may stay."""
        self._memories = memories
        self._uses = uses
        self._streams = streams
        self._most_content_bytes = most_content_bytes
        self._goes_on = goes_on

    async def CreateMemory(
        self, request: messages.CreateMemoryRequest, context: Context
    ) -> messages.CreateMemoryResponse:
        space = names.read_space(request.parent, "parent")
        draft = read_draft(request, "", self._most_content_bytes)
        key = request_key(request, request.request_id)
        created = await self._memories.create(
            caller_tenant(context), space, [draft], key, later=request.defer_embedding
        )
        return messages.CreateMemoryResponse(memory=write_memory(created[0], space))

    async def BatchCreateMemories(
        self, request: messages.BatchCreateMemoriesRequest, context: Context
    ) -> messages.BatchCreateMemoriesResponse:
        space = names.read_space(request.parent, "parent")
        drafts = await self._read_drafts(request)
        key = request_key(request, request.request_id)
        created = await self._memories.create(caller_tenant(context), space, drafts, key, later=request.defer_embedding)
        memories = await in_turns(partial(write_memory, space=space), created)
        return messages.BatchCreateMemoriesResponse(memories=memories, revision=created[-1].revision)

    async def GetMemory(self, request: messages.GetMemoryRequest, context: Context) -> messages.GetMemoryResponse:
        target = _target(request.name, "name", context)
        memory = await self._memories.get(target, check_revision(request.revision) or NEWEST)
        return messages.GetMemoryResponse(memory=write_memory(memory, target.space))

    async def BatchGetMemories(
        self, request: messages.BatchGetMemoriesRequest, context: Context
    ) -> messages.BatchGetMemoriesResponse:
        space = names.read_space(request.parent, "parent")
        ids = names.read_memories(request.names, space)
        found = await self._memories.batch_get(caller_tenant(context), space, ids)
        return messages.BatchGetMemoriesResponse(
            memories=[write_memory(found[memory_id], space) for memory_id in ids if memory_id in found],
            missing=[names.write_memory(space, memory_id) for memory_id in ids if memory_id not in found],
        )

    async def ListMemories(
        self, request: messages.ListMemoriesRequest, context: Context
    ) -> messages.ListMemoriesResponse:
        space = names.read_space(request.parent, "parent")
        page = await self._memories.list(caller_tenant(context), space, _read_listing(request))
        token = "" if page.after is None else write_token(request, _place(page.revision, *page.after))
        memories = [write_memory(memory, space) for memory in page.memories]
        return messages.ListMemoriesResponse(memories=memories, next_page_token=token, revision=page.revision)

    async def UpdateMemory(
        self, request: messages.UpdateMemoryRequest, context: Context
    ) -> messages.UpdateMemoryResponse:
        target = _target(request.memory.name, "memory.name", context)
        memory = await self._memories.update(
            target,
            read_patch(request, self._most_content_bytes),
            etag=request.memory.etag,
            allow_missing=request.allow_missing,
            request=request_key(request, request.request_id),
        )
        return messages.UpdateMemoryResponse(memory=write_memory(memory, target.space))

    async def DeleteMemory(
        self, request: messages.DeleteMemoryRequest, context: Context
    ) -> messages.DeleteMemoryResponse:
        revision = await self._memories.delete(
            _target(request.name, "name", context),
            etag=request.etag,
            allow_missing=request.allow_missing,
            request=request_key(request, request.request_id),
        )
        return messages.DeleteMemoryResponse(revision=revision)

    async def UndeleteMemory(
        self, request: messages.UndeleteMemoryRequest, context: Context
    ) -> messages.UndeleteMemoryResponse:
        target = _target(request.name, "name", context)
        memory = await self._memories.undelete(target, request=request_key(request, request.request_id))
        return messages.UndeleteMemoryResponse(memory=write_memory(memory, target.space))

    async def RecordFeedback(
        self, request: messages.RecordFeedbackRequest, context: Context
    ) -> messages.RecordFeedbackResponse:
        target = _target(request.name, "name", context)
        key = request_key(request, request.request_id)
        memory = await self._memories.judge(target, read_verdict(request), request=key)
        return messages.RecordFeedbackResponse(memory=write_memory(memory, target.space))

    async def GetMemoryUses(
        self, request: messages.GetMemoryUsesRequest, context: Context
    ) -> messages.GetMemoryUsesResponse:
        space = names.read_space(request.parent, "parent")
        ids = names.read_memories(request.names, space)
        found = await self._uses.get(caller_tenant(context), space, ids)
        return messages.GetMemoryUsesResponse(uses=[write_use(space, key, found.get(key)) for key in ids])

    async def ListMemoryRevisions(
        self, request: messages.ListMemoryRevisionsRequest, context: Context
    ) -> messages.ListMemoryRevisionsResponse:
        target = _target(request.name, "name", context)
        size = check_page_size(request.page_size)
        found = await self._memories.history(target, _read_before(request), size + 1)
        page = found[:size]
        token = write_token(request, (page[-1].revision,)) if len(found) > size else ""
        revisions = [write_revision(memory, target.space) for memory in page]
        return messages.ListMemoryRevisionsResponse(revisions=revisions, next_page_token=token)

    async def IngestMemories(
        self, request_iterator: AsyncIterator[messages.IngestMemoriesRequest], context: Context
    ) -> AsyncGenerator[messages.IngestMemoriesResponse, None]:
        offering = Offering(caller_tenant(context), self._most_content_bytes)
        async with aclosing(ingest(self._streams.ingesting, request_iterator, offering, self._goes_on)) as answers:
            async for answer in answers:
                yield answer

    async def WatchMemories(
        self, request: messages.WatchMemoriesRequest, context: Context
    ) -> AsyncGenerator[messages.WatchMemoriesResponse, None]:
        query = read_watch(request, caller_tenant(context))
        async for changes in self._streams.watching.watch(query, self._goes_on):
            yield write_changes(changes)

    async def _read_drafts(self, request: messages.BatchCreateMemoriesRequest) -> Sequence[Draft]:
        check_count(request.requests, "requests", MOST_DRAFTS, least=1)
        ids: set[str] = set()

        def read(numbered: tuple[int, messages.CreateMemoryRequest]) -> Draft:
            path, each = f"requests[{numbered[0]}].", numbered[1]
            _check_member(each, request.parent, path)
            if each.memory_id in ids:
                raise InvalidArgument(f"{path}memory_id", "is given twice")
            ids.update(filter(None, [each.memory_id]))
            return read_draft(each, path, self._most_content_bytes)

        return await in_turns(read, enumerate(request.requests))


def _target(name: str, path: str, context: Context) -> Target:
    return Target(caller_tenant(context), *names.read_memory(name, path))


def _check_member(request: messages.CreateMemoryRequest, parent: str, path: str) -> None:
    """Raise InvalidArgument when a request of a batch says what only the batch may say."""
    if request.parent not in ("", parent):
        raise InvalidArgument(f"{path}parent", f"must be empty or {parent}")
    if request.request_id:
        raise InvalidArgument(f"{path}request_id", "must be empty; a batch has one id for all")
    if request.defer_embedding:
        raise InvalidArgument(f"{path}defer_embedding", "must not be set; say it for the batch as a whole")


def _read_listing(request: messages.ListMemoriesRequest) -> Listing:
    order_by = request.order_by.removesuffix(DESCENDING) or ORDERS[0]
    if order_by not in ORDERS:
        raise InvalidArgument("order_by", f"must be one of {', '.join(ORDERS)}, alone or followed by ' desc'")
    revision, after = _read_place(read_token(request, request.page_token))
    as_of = check_revision(request.revision) or None
    return Listing(
        condition=read_filtering(request),
        order_by=order_by,
        descending=request.order_by.endswith(DESCENDING),
        show_deleted=request.show_deleted,
        show_archived=request.show_archived,
        revision=as_of if revision is None else revision,
        after=after,
        limit=check_page_size(request.page_size),
    )


def _place(revision: int, time: datetime | None, memory_id: str) -> Place:
    return revision, None if time is None else to_microseconds(time), memory_id


def _read_place(place: Place) -> tuple[int | None, tuple[datetime | None, str] | None]:
    """The revision that is listed, and the last row of the page before."""
    match place:
        case ():
            return None, None
        case (int(revision), None, str(memory_id)):
            return revision, (None, memory_id)
        case (int(revision), int(microseconds), str(memory_id)):
            return revision, (from_microseconds(microseconds), memory_id)
    raise invalid_token()


def _read_before(request: messages.ListMemoryRevisionsRequest) -> int | None:
    """The last revision of the page before."""
    match read_token(request, request.page_token):
        case ():
            return None
        case (int(revision),):
            return revision
    raise invalid_token()
