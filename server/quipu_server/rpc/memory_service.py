"""MemoryService over gRPC."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from quipu.v1 import memory_pb2, memory_service_pb2_grpc
from quipu.v1 import memory_service_pb2 as messages
from quipu_server.errors import InvalidArgument
from quipu_server.memories import Draft, Listing, Memories, Page, Patch, Target
from quipu_server.rpc.fields import check_id, check_page_size, parse_memory, parse_space, parse_vector
from quipu_server.rpc.memory_messages import build_memory, build_revision, parse_fields, parse_mask
from quipu_server.rpc.requests import caller_tenant, make_page_token, read_page_token, request_key
from quipu_server.rpc.values import parse_filtering

MOST_IN_BATCH, MOST_NAMES = 500, 1_000
ORDERS = frozenset({"create_time", "update_time", "event_time"})


class MemoryService(memory_service_pb2_grpc.MemoryServiceServicer):
    """Converts and validates; the work is done by Memories."""

    def __init__(self, memories: Memories, content_bytes: int) -> None:
        self._memories = memories
        self._content_bytes = content_bytes

    async def CreateMemory(self, request: Any, context: Any) -> messages.CreateMemoryResponse:
        space = parse_space(request.parent, "parent")
        draft = self._draft(request, "")
        created = await self._memories.create(caller_tenant(), space, [draft], request_key(request))
        return messages.CreateMemoryResponse(memory=build_memory(created[0], space))

    async def BatchCreateMemories(self, request: Any, context: Any) -> messages.BatchCreateMemoriesResponse:
        space = parse_space(request.parent, "parent")
        if not 1 <= len(request.requests) <= MOST_IN_BATCH:
            raise InvalidArgument("requests", f"has 1 to {MOST_IN_BATCH} entries, not {len(request.requests)}")
        check_distinct([part.memory_id for part in request.requests])
        drafts = [self._batch_draft(request, i) for i in range(len(request.requests))]
        created = await self._memories.create(caller_tenant(), space, drafts, request_key(request))
        return messages.BatchCreateMemoriesResponse(
            memories=[build_memory(memory, space) for memory in created], revision=created[-1].revision
        )

    async def GetMemory(self, request: Any, context: Any) -> messages.GetMemoryResponse:
        target = parse_target(request.name, "name")
        return messages.GetMemoryResponse(memory=build_memory(await self._memories.get(target), target.space))

    async def BatchGetMemories(self, request: Any, context: Any) -> messages.BatchGetMemoriesResponse:
        space = parse_space(request.parent, "parent")
        if not 1 <= len(request.names) <= MOST_NAMES:
            raise InvalidArgument("names", f"has 1 to {MOST_NAMES} entries, not {len(request.names)}")
        targets = [parse_target(name, f"names[{i}]") for i, name in enumerate(request.names)]
        for place, target in enumerate(targets):
            if target.space != space:
                raise InvalidArgument(f"names[{place}]", f"is not below the parent {request.parent}")
        found = await self._memories.batch_get(caller_tenant(), space, [target.memory_id for target in targets])
        return messages.BatchGetMemoriesResponse(
            memories=[build_memory(found[t.memory_id], space) for t in targets if t.memory_id in found],
            missing=[t.name for t in targets if t.memory_id not in found],
        )

    async def ListMemories(self, request: Any, context: Any) -> messages.ListMemoriesResponse:
        space = parse_space(request.parent, "parent")
        page = await self._memories.list(caller_tenant(), space, parse_listing(request))
        return messages.ListMemoriesResponse(
            memories=[build_memory(memory, space) for memory in page.memories],
            next_page_token=list_token(request, page),
            revision=page.revision,
        )

    async def UpdateMemory(self, request: Any, context: Any) -> messages.UpdateMemoryResponse:
        target = parse_target(request.memory.name, "memory.name")
        memory = await self._memories.update(
            target,
            self._patch(request),
            etag=request.memory.etag,
            allow_missing=request.allow_missing,
            request=request_key(request),
        )
        return messages.UpdateMemoryResponse(memory=build_memory(memory, target.space))

    async def DeleteMemory(self, request: Any, context: Any) -> messages.DeleteMemoryResponse:
        revision = await self._memories.delete(
            parse_target(request.name, "name"),
            etag=request.etag,
            allow_missing=request.allow_missing,
            request=request_key(request),
        )
        return messages.DeleteMemoryResponse(revision=revision)

    async def UndeleteMemory(self, request: Any, context: Any) -> messages.UndeleteMemoryResponse:
        target = parse_target(request.name, "name")
        memory = await self._memories.undelete(target, request=request_key(request))
        return messages.UndeleteMemoryResponse(memory=build_memory(memory, target.space))

    async def ListMemoryRevisions(self, request: Any, context: Any) -> messages.ListMemoryRevisionsResponse:
        target = parse_target(request.name, "name")
        size = check_page_size(request.page_size)
        versions = await self._memories.history(target, read_page_token(request), size + 1)
        token = make_page_token(request, versions[size - 1].revision) if len(versions) > size else ""
        return messages.ListMemoryRevisionsResponse(
            revisions=[build_revision(version, target.space) for version in versions[:size]], next_page_token=token
        )

    def _draft(self, request: Any, path: str) -> Draft:
        memory: memory_pb2.Memory = request.memory
        vector = parse_vector(memory.vector, f"{path}memory.vector") if memory.HasField("vector") else None
        memory_id = check_id(request.memory_id, f"{path}memory_id") if request.memory_id else None
        return Draft(parse_fields(memory, f"{path}memory", self._content_bytes), memory_id, vector)

    def _batch_draft(self, batch: Any, place: int) -> Draft:
        request, path = batch.requests[place], f"requests[{place}]."
        if request.parent not in ("", batch.parent):
            raise InvalidArgument(f"{path}parent", f"must be empty or {batch.parent}")
        if request.request_id:
            raise InvalidArgument(f"{path}request_id", "must be empty: the batch has one as a whole")
        return self._draft(request, path)

    def _patch(self, request: Any) -> Patch:
        memory: memory_pb2.Memory = request.memory
        paths = parse_mask(list(request.update_mask.paths), memory)
        vector = parse_vector(memory.vector, "memory.vector") if memory.HasField("vector") else None
        values = parse_fields(memory, "memory", self._content_bytes, required="content" in paths)
        return Patch(values, paths, vector if "vector" in paths else None)


def check_distinct(memory_ids: Sequence[str]) -> None:
    """Raise InvalidArgument for an id that is given twice."""
    seen: set[str] = set()
    for place, memory_id in enumerate(memory_ids):
        if memory_id and memory_id in seen:
            raise InvalidArgument(f"requests[{place}].memory_id", f"{memory_id!r} is given twice")
        seen.add(memory_id)


def parse_target(name: str, path: str) -> Target:
    return Target(caller_tenant(), *parse_memory(name, path))


def parse_listing(request: Any) -> Listing:
    """What a request asks to list, from where its page begins."""
    order_by, _, direction = (request.order_by or "create_time").partition(" ")
    if order_by not in ORDERS or direction not in ("", "asc", "desc"):
        raise InvalidArgument("order_by", f"is one of {', '.join(sorted(ORDERS))}, optionally followed by desc")
    tree = request.filter_tree if request.HasField("filter_tree") else None
    condition = parse_filtering(request.filter, tree)
    size = check_page_size(request.page_size)
    state = read_page_token(request)
    after, revision = None, None
    if state is not None:
        revision, time, memory_id = state
        after = (None if time is None else datetime.fromisoformat(time), memory_id)
    return Listing(condition, order_by, direction == "desc", request.show_deleted, revision, after, size)


def list_token(request: Any, page: Page) -> str:
    """The token of the next page; empty after the last."""
    if page.after is None:
        return ""
    time, memory_id = page.after
    return make_page_token(request, [page.revision, None if time is None else time.isoformat(), memory_id])
