"""One request id has one effect."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    CreateMemoryRequest,
    DeleteMemoryRequest,
    ListMemoriesRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
)
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceRequest, DeleteSpaceRequest, GetSpaceRequest, UpdateSpaceRequest
from tests.integration.api import Api, refusal, same

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def contents(api: Api, space: str) -> list[str]:
    return [m.content for m in (await api.memories.ListMemories(ListMemoriesRequest(parent=space))).memories]


async def test_a_repeated_create_gives_the_first_answer(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    first, second = [await api.memories.CreateMemory(request) for _ in range(2)]
    assert same(first, second)
    assert await contents(api, space) == ["once"]


async def test_the_first_answer_outlives_later_changes(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    first = await api.memories.CreateMemory(request)
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=first.memory.name))
    assert same(await api.memories.CreateMemory(request), first)
    assert await contents(api, space) == []


async def test_repeats_at_the_same_time_have_one_effect(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    answers = await asyncio.gather(*[api.memories.CreateMemory(request) for _ in range(8)])
    assert all(same(answer, answers[0]) for answer in answers)
    assert await contents(api, space) == ["once"]


async def test_the_id_is_known_on_every_replica(api: Api, replica: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    first, second = await asyncio.gather(api.memories.CreateMemory(request), replica.memories.CreateMemory(request))
    assert same(first, second)


async def test_the_id_with_another_body_is_refused(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    await api.memories.CreateMemory(request)
    request.memory.content = "twice"
    refused = await refusal(api.memories.CreateMemory(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refused.metadata["request_id"] == request.request_id
    assert await contents(api, space) == ["once"]


async def test_the_id_belongs_to_its_space(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="once"), request_id=str(uuid4()))
    await api.memories.CreateMemory(request)
    request.parent = f"{space}-other"
    assert (await api.memories.CreateMemory(request)).memory.name.startswith(f"{space}-other/")


async def test_a_repeated_batch_gives_the_first_answer(api: Api, space: str) -> None:
    requests = [CreateMemoryRequest(memory=Memory(content=text)) for text in ("a", "b")]
    batch = BatchCreateMemoriesRequest(parent=space, requests=requests, request_id=str(uuid4()))
    first, second = [await api.memories.BatchCreateMemories(batch) for _ in range(2)]
    assert same(first, second)
    assert await contents(api, space) == ["a", "b"]


async def test_a_repeated_update_is_made_once(api: Api, space: str) -> None:
    old = await api.create(space, "old")
    request = UpdateMemoryRequest(
        memory=Memory(name=old.name, content="new", etag=old.etag),
        update_mask=FieldMask(paths=["content"]),
        request_id=str(uuid4()),
    )
    first, second = [await api.memories.UpdateMemory(request) for _ in range(2)]
    assert same(first, second)
    assert first.memory.revision == old.revision + 1


async def test_a_repeated_update_without_a_change_stays_without_one(api: Api, space: str) -> None:
    old = await api.create(space, "old")
    request = UpdateMemoryRequest(memory=Memory(name=old.name, content="old"), request_id=str(uuid4()))
    assert same((await api.memories.UpdateMemory(request)).memory, old)
    newer = UpdateMemoryRequest(memory=Memory(name=old.name, content="newer"))
    await api.memories.UpdateMemory(newer)
    assert same((await api.memories.UpdateMemory(request)).memory, old)
    assert await contents(api, space) == ["newer"]
    request.memory.content = "other"
    assert (await refusal(api.memories.UpdateMemory(request))).reason == "REQUEST_ID_REUSED"


async def test_a_repeated_delete_and_undelete_are_made_once(api: Api, space: str) -> None:
    old = await api.create(space, "old")
    deletion = DeleteMemoryRequest(name=old.name, request_id=str(uuid4()))
    assert [(await api.memories.DeleteMemory(deletion)).revision for _ in range(2)] == [2, 2]
    undeletion = UndeleteMemoryRequest(name=old.name, request_id=str(uuid4()))
    answers = [await api.memories.UndeleteMemory(undeletion) for _ in range(2)]
    assert [answer.memory.revision for answer in answers] == [3, 3]
    assert (await api.memories.DeleteMemory(deletion)).revision == 2
    assert await contents(api, space) == ["old"]


async def test_a_space_is_created_and_deleted_once(api: Api, space: str) -> None:
    creation = CreateSpaceRequest(
        space_id=space.removeprefix("spaces/"), space=Space(display_name="A"), request_id=str(uuid4())
    )
    first, second = [await api.spaces.CreateSpace(creation) for _ in range(2)]
    assert same(first, second)
    await api.create(space, "x")
    deletion = DeleteSpaceRequest(name=space, force=True, request_id=str(uuid4()))
    assert [(await api.spaces.DeleteSpace(deletion)).deleted_memory_count for _ in range(2)] == [1, 1]
    assert (await refusal(api.spaces.GetSpace(GetSpaceRequest(name=space)))).reason == "SPACE_NOT_FOUND"


async def test_a_repeated_change_of_settings_is_made_once(api: Api, space: str) -> None:
    await api.create(space, "x")
    old = (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space
    request = UpdateSpaceRequest(
        space=Space(name=space, display_name="new", etag=old.etag),
        update_mask=FieldMask(paths=["display_name"]),
        request_id=str(uuid4()),
    )
    first, second = [await api.spaces.UpdateSpace(request) for _ in range(2)]
    assert same(first, second)
    assert first.space.display_name == "new"


async def test_a_repeated_delete_of_nothing_stays_without_effect(api: Api, space: str) -> None:
    await api.create(space, "some other")
    request = DeleteMemoryRequest(name=f"{space}/memories/m", allow_missing=True, request_id=str(uuid4()))
    await api.memories.DeleteMemory(request)
    await api.create(space, "made later", "m")
    await api.memories.DeleteMemory(request)
    assert await contents(api, space) == ["some other", "made later"]


@pytest.mark.parametrize("request_id", ["x", "12345", "{00000000-0000-0000-0000-000000000001}"])
async def test_an_id_that_is_no_uuid_is_refused(api: Api, space: str, request_id: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="x"), request_id=request_id)
    assert (await refusal(api.memories.CreateMemory(request))).fields == ("request_id",)


async def test_a_repeated_delete_in_a_missing_space_stays_without_effect(api: Api, replica: Api, space: str) -> None:
    request = DeleteMemoryRequest(name=f"{space}/memories/m", allow_missing=True, request_id=str(uuid4()))
    assert (await api.memories.DeleteMemory(request)).revision == 0
    await api.create(space, "made later", "m")
    for repeat in (api, replica):
        assert (await repeat.memories.DeleteMemory(request)).revision == 0
    assert await contents(api, space) == ["made later"]
    elsewhere = DeleteMemoryRequest(name=f"{space}-2/memories/m", allow_missing=True, request_id=request.request_id)
    assert (await api.memories.DeleteMemory(elsewhere)).revision == 0
    request.etag = "1"
    assert (await refusal(api.memories.DeleteMemory(request))).reason == "REQUEST_ID_REUSED"
