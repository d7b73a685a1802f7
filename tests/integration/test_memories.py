"""Memories over the API: create, read, change, delete, bring back, history."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1.embedding_service_pb2 import EmbedRequest
from quipu.v1.memory_pb2 import (
    MEMORY_CHANGE_CREATED,
    MEMORY_CHANGE_DELETED,
    MEMORY_CHANGE_UNDELETED,
    MEMORY_CHANGE_UPDATED,
    MEMORY_KIND_EPISODIC,
    MEMORY_KIND_SEMANTIC,
    ROLE_UNSPECIFIED,
    ROLE_USER,
    Memory,
    MemoryRevision,
)
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    BatchGetMemoriesRequest,
    CreateMemoryRequest,
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoryRevisionsRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
)
from quipu.v1.space_service_pb2 import GetSpaceRequest
from quipu.v1.value_pb2 import ListValue, Value
from tests.integration.api import Api, refusal, same

pytestmark = pytest.mark.asyncio(loop_scope="session")


def timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def everything() -> Memory:
    """A memory with every field a caller can set, in values that a careless store would bend."""
    return Memory(
        content="Ana's café: “naïve” 🧶\nsecond line",
        kind=MEMORY_KIND_SEMANTIC,
        role=ROLE_USER,
        speaker="Ana",
        session="s-1",
        tags=["b", "a"],
        metadata={
            "text": Value(string_value="x"),
            "empty": Value(string_value=""),
            "number": Value(number_value=0.1),
            "large": Value(number_value=2.0**53 - 1),
            "no": Value(bool_value=False),
            "when": Value(time_value=timestamp(datetime(1969, 12, 31, 23, 59, 59, 123456, UTC))),
            "list": Value(list_value=ListValue(values=[Value(number_value=1), Value(string_value="1")])),
            "none": Value(list_value=ListValue()),
            "a.b": Value(string_value="dotted"),
        },
        importance=0.0,
        event_time=timestamp(datetime(2023, 5, 8, 13, 56, 0, 1, UTC)),
        expire_time=timestamp(datetime(2999, 1, 1, tzinfo=UTC)),
    )


async def get(api: Api, name: str) -> Memory:
    return (await api.memories.GetMemory(GetMemoryRequest(name=name))).memory


async def update(api: Api, memory: Memory, *paths: str) -> Memory:
    request = UpdateMemoryRequest(memory=memory, update_mask=FieldMask(paths=paths) if paths else None)
    return (await api.memories.UpdateMemory(request)).memory


async def delete(api: Api, name: str) -> int:
    return (await api.memories.DeleteMemory(DeleteMemoryRequest(name=name))).revision


async def history(api: Api, name: str) -> list[MemoryRevision]:
    return list((await api.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=name))).revisions)


async def test_a_memory_comes_back_as_it_was_given(api: Api, space: str) -> None:
    given = everything()
    request = CreateMemoryRequest(parent=space, memory_id="m1", memory=given)
    created = (await api.memories.CreateMemory(request)).memory
    assert same(await get(api, f"{space}/memories/m1"), created)
    assert created.name == f"{space}/memories/m1"
    assert created.revision == 1
    assert created.create_time == created.update_time
    assert created.importance_given
    for output in ("name", "etag", "revision", "create_time", "update_time", "importance_given"):
        created.ClearField(output)
    assert created == given


async def test_what_is_not_given_has_its_default(api: Api, space: str) -> None:
    memory = await api.create(space, "plain")
    assert memory.kind == MEMORY_KIND_EPISODIC
    assert memory.role == ROLE_UNSPECIFIED
    assert memory.importance == 0.5
    assert not memory.HasField("event_time")
    assert not memory.HasField("expire_time")


async def test_ids_of_the_server_sort_by_time(api: Api, space: str) -> None:
    names = [(await api.create(space, "one")).name for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith(f"{space}/memories/") for name in names)


async def test_an_id_is_taken_once(api: Api, space: str) -> None:
    await api.create(space, "first", "m")
    refused = await refusal(api.create(space, "second", "m"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "MEMORY_EXISTS")
    assert refused.metadata["name"] == f"{space}/memories/m"
    assert (await get(api, f"{space}/memories/m")).content == "first"


async def test_a_repeated_tag_is_dropped(api: Api, space: str) -> None:
    assert list((await api.create(space, "x", tags=["b", "a", "b"])).tags) == ["b", "a"]


async def test_a_batch_is_stored_as_a_whole(api: Api, space: str) -> None:
    stored = await api.fill(space, {f"m{i}": Memory(content=f"number {i}") for i in range(5)})
    assert [m.name.rpartition("/")[2] for m in stored] == ["m0", "m1", "m2", "m3", "m4"]
    assert [m.revision for m in stored] == [1, 2, 3, 4, 5]


async def test_a_batch_with_one_bad_memory_stores_none(api: Api, space: str) -> None:
    await api.create(space, "taken", "m1")
    refused = await refusal(api.fill(space, {"m0": Memory(content="a"), "m1": Memory(content="b")}))
    assert refused.code is grpc.StatusCode.ALREADY_EXISTS
    assert (await refusal(get(api, f"{space}/memories/m0"))).code is grpc.StatusCode.NOT_FOUND


async def test_a_batch_names_the_bad_memory(api: Api, space: str) -> None:
    requests = [CreateMemoryRequest(memory=Memory(content="a")), CreateMemoryRequest(memory=Memory(content=""))]
    call = api.memories.BatchCreateMemories(BatchCreateMemoriesRequest(parent=space, requests=requests))
    assert (await refusal(call)).fields == ("requests[1].memory.content",)


async def test_a_batch_read_tells_what_is_missing(api: Api, space: str) -> None:
    await api.fill(space, {"a": Memory(content="a"), "b": Memory(content="b")})
    names = [f"{space}/memories/{key}" for key in ("b", "x", "a")]
    read = await api.memories.BatchGetMemories(BatchGetMemoriesRequest(parent=space, names=names))
    assert [m.content for m in read.memories] == ["b", "a"]
    assert list(read.missing) == [names[1]]


async def test_an_update_changes_what_the_mask_names(api: Api, space: str) -> None:
    old = await api.create(space, "old", "m", speaker="Ana", importance=0.9)
    new = await update(api, Memory(name=old.name, content="new", speaker="Bo", importance=0.1), "content", "importance")
    assert (new.content, new.speaker, new.importance) == ("new", "Ana", 0.1)
    assert new.etag != old.etag
    assert new.revision == old.revision + 1
    assert new.create_time == old.create_time
    assert same(await get(api, old.name), new)


async def test_an_update_without_mask_changes_the_fields_that_are_set(api: Api, space: str) -> None:
    old = await api.create(space, "old", speaker="Ana", importance=0.9)
    new = await update(api, Memory(name=old.name, importance=0.0))
    assert (new.content, new.speaker, new.importance) == ("old", "Ana", 0.0)


async def test_a_field_in_the_mask_that_is_not_set_is_cleared(api: Api, space: str) -> None:
    old = await api.create(space, "old", speaker="Ana", tags=["t"], importance=0.9, kind=MEMORY_KIND_SEMANTIC)
    new = await update(api, Memory(name=old.name), "speaker", "tags", "importance", "kind")
    assert (new.content, new.speaker, list(new.tags), new.importance) == ("old", "", [], 0.5)
    assert new.kind == MEMORY_KIND_EPISODIC


async def test_one_key_of_metadata_is_changed_alone(api: Api, space: str) -> None:
    given = {"a": Value(number_value=1), "b": Value(number_value=2), "c.d": Value(number_value=3)}
    old = await api.create(space, "x", metadata=given)
    changes = Memory(name=old.name, metadata={"a": Value(bool_value=True)})
    new = await update(api, changes, "metadata.a", "metadata.c.d")
    assert dict(new.metadata) == {"a": Value(bool_value=True), "b": Value(number_value=2)}


async def test_the_star_replaces_all_fields(api: Api, space: str) -> None:
    given = everything()
    old = (await api.memories.CreateMemory(CreateMemoryRequest(parent=space, memory=given))).memory
    new = await update(api, Memory(name=old.name, content="all new"), "*")
    assert (new.content, new.speaker, len(new.metadata), new.importance) == ("all new", "", 0, 0.5)
    assert not new.HasField("expire_time")


async def test_an_unknown_path_is_refused(api: Api, space: str) -> None:
    old = await api.create(space, "old")
    refused = await refusal(update(api, Memory(name=old.name, content="new"), "contents"))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("update_mask.paths[0]",))
    assert (await get(api, old.name)).content == "old"


async def test_content_cannot_be_cleared(api: Api, space: str) -> None:
    old = await api.create(space, "old")
    assert (await refusal(update(api, Memory(name=old.name), "content"))).fields == ("memory.content",)


@pytest.mark.parametrize("paths", [(), ("content", "speaker", "metadata", "tags"), ("metadata.a", "metadata.b")])
async def test_an_update_without_a_change_makes_no_revision(api: Api, space: str, paths: Sequence[str]) -> None:
    given = {"a": Value(number_value=1), "c": Value(list_value=ListValue(values=[Value(string_value="x")]))}
    old = await api.create(space, "the same", speaker="Ana", metadata=given, tags=["t"])
    given_again = Memory(name=old.name, content="the same", speaker="Ana", metadata=given, tags=["t"], etag=old.etag)
    assert same(await update(api, given_again, *paths), old)
    assert same(await update(api, Memory(name=old.name)), old)
    assert (await refusal(update(api, Memory(name=old.name, etag="f00")))).reason == "ETAG_MISMATCH"
    other = Memory(name=old.name, metadata={"a": Value(bool_value=True)})
    assert (await update(api, other, "metadata.a")).revision == 2


async def test_an_old_etag_changes_nothing(api: Api, space: str) -> None:
    old = await api.create(space, "one")
    new = await update(api, Memory(name=old.name, content="two", etag=old.etag), "content")
    refused = await refusal(update(api, Memory(name=old.name, content="three", etag=old.etag), "content"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert refused.metadata["etag"] == new.etag
    call = api.memories.DeleteMemory(DeleteMemoryRequest(name=old.name, etag=old.etag))
    assert (await refusal(call)).code is grpc.StatusCode.ABORTED
    assert same(await get(api, old.name), new)


async def test_an_update_creates_what_is_missing_on_request_only(api: Api, space: str) -> None:
    await api.create(space, "some other")
    missing = Memory(name=f"{space}/memories/m", content="new")
    assert (await refusal(update(api, missing))).reason == "MEMORY_NOT_FOUND"
    made = await api.memories.UpdateMemory(UpdateMemoryRequest(memory=missing, allow_missing=True))
    assert same(await get(api, missing.name), made.memory)


async def test_a_deleted_memory_is_gone_and_comes_back(api: Api, space: str) -> None:
    old = await api.create(space, "precious", "m", tags=["t"])
    assert await delete(api, old.name) == old.revision + 1
    assert (await refusal(get(api, old.name))).reason == "MEMORY_NOT_FOUND"
    assert (await refusal(delete(api, old.name))).reason == "MEMORY_NOT_FOUND"
    back = (await api.memories.UndeleteMemory(UndeleteMemoryRequest(name=old.name))).memory
    assert (back.content, list(back.tags), back.create_time) == ("precious", ["t"], old.create_time)
    assert back.etag != old.etag
    assert (await api.search(space, text="precious")).ids == ["m"]


async def test_only_a_deleted_memory_can_be_undeleted(api: Api, space: str) -> None:
    old = await api.create(space, "here")
    refused = await refusal(api.memories.UndeleteMemory(UndeleteMemoryRequest(name=old.name)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MEMORY_NOT_DELETED")


async def test_deleting_what_is_missing_may_be_allowed(api: Api, space: str) -> None:
    await api.create(space, "some other")
    request = DeleteMemoryRequest(name=f"{space}/memories/never", allow_missing=True)
    assert (await api.memories.DeleteMemory(request)).revision == 1


async def test_deleting_from_a_missing_space_may_be_allowed(api: Api, space: str) -> None:
    request = DeleteMemoryRequest(name=f"{space}/memories/never", allow_missing=True, request_id=str(uuid4()))
    assert (await api.memories.DeleteMemory(request)).revision == 0
    request = DeleteMemoryRequest(name=f"{space}/memories/never")
    assert (await refusal(api.memories.DeleteMemory(request))).reason == "SPACE_NOT_FOUND"


async def test_the_id_of_a_deleted_memory_continues_its_history(api: Api, space: str) -> None:
    name = (await api.create(space, "first", "m")).name
    await update(api, Memory(name=name, content="second"), "content")
    await delete(api, name)
    await api.memories.UndeleteMemory(UndeleteMemoryRequest(name=name))
    await delete(api, name)
    await api.create(space, "third", "m")
    revisions = await history(api, name)
    assert [r.change for r in revisions] == [
        MEMORY_CHANGE_CREATED,
        MEMORY_CHANGE_DELETED,
        MEMORY_CHANGE_UNDELETED,
        MEMORY_CHANGE_DELETED,
        MEMORY_CHANGE_UPDATED,
        MEMORY_CHANGE_CREATED,
    ]
    assert [r.memory.content for r in revisions] == ["third", "second", "second", "second", "second", "first"]
    assert [r.revision for r in revisions] == [6, 5, 4, 3, 2, 1]
    assert [r.memory.HasField("delete_time") for r in revisions] == [False, True, False, True, False, False]


async def test_history_comes_page_by_page(api: Api, space: str) -> None:
    name = (await api.create(space, "0")).name
    for i in range(1, 5):
        await update(api, Memory(name=name, content=f"{i}"), "content")
    contents, token = [], ""
    while True:
        request = ListMemoryRevisionsRequest(name=name, page_size=2, page_token=token)
        page = await api.memories.ListMemoryRevisions(request)
        contents += [r.memory.content for r in page.revisions]
        if not (token := page.next_page_token):
            break
    assert contents == ["4", "3", "2", "1", "0"]


async def test_an_expired_memory_is_gone_without_a_write(api: Api, space: str) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    name = (await api.create(space, "short lived", "m", expire_time=timestamp(soon))).name
    while (await api.search(space, text="short lived")).ids:
        pass
    assert (await refusal(get(api, name))).reason == "MEMORY_NOT_FOUND"


async def test_a_missing_memory_and_a_missing_space_are_told_apart(api: Api, space: str) -> None:
    missing = await refusal(get(api, f"{space}/memories/m"))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "SPACE_NOT_FOUND")
    await api.create(space, "x")
    assert (await refusal(get(api, f"{space}/memories/m"))).reason == "MEMORY_NOT_FOUND"


async def test_the_first_write_makes_the_space(api: Api, space: str) -> None:
    await api.create(space, "x")
    made = (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space
    assert (made.revision, made.memory_count, made.language) == (1, 1, "en")


async def test_a_vector_that_is_taken_away_is_made_of_the_text(api: Api, space: str) -> None:
    texts = ("The cat sleeps on the sofa.", "Interest rates were raised.")
    embedded = await api.embeddings.Embed(EmbedRequest(texts=texts))
    own, other = (embedding.chunks[0].vector for embedding in embedded.embeddings)
    memory = await api.create(space, texts[0], vector=other)

    async def cosine() -> float:
        found = await api.search(space, vector=own, explain=True)
        return found.hits[0].explanation.cosine

    assert await cosine() < 0.5
    await update(api, Memory(name=memory.name), "vector")
    assert await cosine() == pytest.approx(1.0, abs=1e-3)
