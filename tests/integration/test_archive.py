"""Archived memories: out of use, readable, and restorable."""

from uuid import uuid4

import pytest
from grpc import StatusCode

from quipu.v1.memory_pb2 import Memory, MemoryChange, Verdict
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    ListMemoryRevisionsRequest,
    RecordFeedbackRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
)
from quipu.v1.retention_service_pb2 import ArchiveMemoryRequest, UnarchiveMemoryRequest
from quipu.v1.session_service_pb2 import DeleteSessionRequest, ListMessagesRequest
from quipu.v1.space_service_pb2 import GetSpaceRequest
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def archive(api: Api, name: str, **more: str) -> Memory:
    return (await api.retention.ArchiveMemory(ArchiveMemoryRequest(name=name, **more))).memory


async def unarchive(api: Api, name: str) -> Memory:
    return (await api.retention.UnarchiveMemory(UnarchiveMemoryRequest(name=name))).memory


async def listed(api: Api, space: str, **show: bool) -> list[str]:
    request = ListMemoriesRequest(parent=space)
    for field, value in show.items():
        setattr(request, field, value)
    found = await api.memories.ListMemories(request)
    return [memory.content for memory in found.memories]


async def test_an_archived_memory_leaves_search_and_stays_readable(either: Api, space: str) -> None:
    cat = await either.create(space, "The cat sleeps on the windowsill", "cat")
    await either.create(space, "The dog sleeps in the yard", "dog")
    assert "cat" in (await either.search(space, text="sleeps", min_relevance=0)).ids
    archived = await archive(either, cat.name)
    assert archived.HasField("archive_time")
    assert archived.revision == 3
    assert (await either.search(space, text="sleeps", min_relevance=0)).ids == ["dog"]
    kept = (await either.memories.GetMemory(GetMemoryRequest(name=cat.name))).memory
    assert (kept.content, kept.archive_time) == (cat.content, archived.archive_time)
    assert await listed(either, space) == ["The dog sleeps in the yard"]
    assert await listed(either, space, show_deleted=True) == ["The dog sleeps in the yard"]
    assert await listed(either, space, show_archived=True) == [cat.content, "The dog sleeps in the yard"]
    assert (await either.spaces.GetSpace(GetSpaceRequest(name=space))).space.memory_count == 2

    back = await unarchive(either, cat.name)
    assert not back.HasField("archive_time")
    assert "cat" in (await either.search(space, text="sleeps", min_relevance=0)).ids
    history = await either.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=cat.name))
    changes = [MemoryChange.Name(each.change).removeprefix("MEMORY_CHANGE_") for each in history.revisions]
    assert changes == ["UNARCHIVED", "ARCHIVED", "CREATED"]


async def test_an_archived_memory_is_not_changed_before_it_is_back(either: Api, space: str) -> None:
    name = (await either.create(space, "The cat sleeps", "cat")).name
    refused = await refusal(unarchive(either, name))
    assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "MEMORY_NOT_ARCHIVED")
    await archive(either, name)
    useful = RecordFeedbackRequest(name=name, verdict=Verdict.VERDICT_USEFUL)
    for call in (
        archive(either, name),
        either.memories.UpdateMemory(UpdateMemoryRequest(memory=Memory(name=name, speaker="Ann"))),
        either.memories.RecordFeedback(useful),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "MEMORY_ARCHIVED")
    assert (await refusal(either.create(space, "Another", "cat"))).code is StatusCode.ALREADY_EXISTS
    assert (await refusal(archive(either, f"{space}/memories/nobody"))).code is StatusCode.NOT_FOUND


async def test_an_archived_memory_can_be_deleted_and_brought_back(either: Api, space: str) -> None:
    name = (await either.create(space, "The cat sleeps", "cat")).name
    await archive(either, name)
    await either.memories.DeleteMemory(DeleteMemoryRequest(name=name))
    assert (await refusal(either.memories.GetMemory(GetMemoryRequest(name=name)))).code is StatusCode.NOT_FOUND
    back = (await either.memories.UndeleteMemory(UndeleteMemoryRequest(name=name))).memory
    assert not back.HasField("archive_time")
    assert (await either.search(space, text="The cat sleeps")).ids == ["cat"]


async def test_archiving_twice_with_one_request_id_is_done_once(either: Api, space: str) -> None:
    memory = await either.create(space, "The cat sleeps", "cat")
    stale = await refusal(archive(either, memory.name, etag="ff"))
    assert (stale.code, stale.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    request_id = f"{uuid4()}"
    answers = [await archive(either, memory.name, etag=memory.etag, request_id=request_id) for _ in range(2)]
    assert answers[0] == answers[1]


async def test_archived_messages_leave_their_session_and_go_with_it(either: Api, space: str) -> None:
    for key in ("one", "two"):
        await either.create(space, f"Message {key}", key, session="s")
    await archive(either, f"{space}/memories/one")
    session = f"{space}/sessions/s"
    found = await either.sessions.ListMessages(ListMessagesRequest(parent=session))
    assert [message.content for message in found.messages] == ["Message two"]
    deleted = await either.sessions.DeleteSession(DeleteSessionRequest(name=session))
    assert deleted.deleted_message_count == 2
    assert await listed(either, space, show_archived=True) == []
