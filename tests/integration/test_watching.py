"""Those who watch see every change once and in order, wherever they begin, and go on where they were."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from random import Random
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.v1.filter_pb2 import Filter
from quipu.v1.memory_pb2 import Memory, MemoryChange
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    ListMemoriesRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
    WatchedChange,
    WatchMemoriesRequest,
    WatchMemoriesResponse,
)
from quipu.v1.space_service_pb2 import DeleteSpaceRequest
from tests.integration.api import Api, Refusal, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATED, UPDATED = MemoryChange.MEMORY_CHANGE_CREATED, MemoryChange.MEMORY_CHANGE_UPDATED
DELETED, UNDELETED = MemoryChange.MEMORY_CHANGE_DELETED, MemoryChange.MEMORY_CHANGE_UNDELETED
KILLS = 20


async def responses(api: Api, **request: object) -> AsyncGenerator[WatchMemoriesResponse, None]:
    stream = api.memories.WatchMemories(WatchMemoriesRequest(**request), timeout=30)  # type: ignore[arg-type]
    try:
        async for response in stream:
            yield response
    finally:
        stream.cancel()


async def first(api: Api, count: int, **request: object) -> list[WatchedChange]:
    """So many changes of a watch."""
    seen: list[WatchedChange] = []
    async with aclosing(responses(api, **request)) as stream:
        async for response in stream:
            seen.extend(response.changes)
            if len(seen) >= count:
                return seen
    return seen


def told(change: WatchedChange) -> tuple[int, int, str]:
    return change.revision.revision, change.revision.change, change.revision.memory.content


async def update(api: Api, memory: Memory, **fields: object) -> None:
    changed = Memory(name=memory.name, **fields)  # type: ignore[arg-type]
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=changed, update_mask=FieldMask(paths=list(fields))))


async def test_the_past_is_told_in_order_with_deletions(api: Api, space: str) -> None:
    memory = await api.create(space, "a")
    await update(api, memory, content="b")
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=memory.name))
    await api.memories.UndeleteMemory(UndeleteMemoryRequest(name=memory.name))
    seen = await first(api, 4, spaces=[space], after_revisions={space: 0})
    assert [told(change) for change in seen] == [
        (1, CREATED, "a"),
        (2, UPDATED, "b"),
        (3, DELETED, "b"),
        (4, UNDELETED, "b"),
    ]
    assert seen[2].revision.memory.HasField("delete_time")


async def test_a_watch_without_a_revision_begins_now(api: Api, space: str) -> None:
    await api.create(space, "before")
    async with aclosing(responses(api, spaces=[space])) as stream:
        begin = await anext(stream)
        assert (begin.space, list(begin.changes), begin.revision, begin.head_revision) == (space, [], 1, 1)
        await api.create(space, "after")
        response = await anext(stream)
    assert [told(change) for change in response.changes] == [(2, CREATED, "after")]
    assert response.revision == 2


async def test_a_watch_goes_on_after_what_was_seen(api: Api, replica: Api, space: str) -> None:
    for text in ("a", "b", "c"):
        await api.create(space, text)
    seen = await first(replica, 2, spaces=[space], after_revisions={space: 1})
    assert [told(change) for change in seen] == [(2, CREATED, "b"), (3, CREATED, "c")]


async def test_several_spaces_are_watched_at_once(api: Api, space: str) -> None:
    other = f"{space}-other"
    await api.create(space, "here")
    await api.create(other, "there")
    seen = await first(api, 2, spaces=[space, other], after_revisions={space: 0, other: 0})
    assert {change.revision.memory.content for change in seen} == {"here", "there"}


async def test_a_filter_tells_what_met_it_and_what_left(api: Api, space: str) -> None:
    memory = await api.create(space, "a")
    await update(api, memory, tags=["x"])
    await api.create(space, "never")
    await update(api, memory, tags=["y"])
    await update(api, memory, tags=["z"])
    await update(api, memory, tags=["x"])
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=memory.name))
    seen = await first(api, 4, spaces=[space], after_revisions={space: 0}, filter='tags = "x"')
    assert [(c.revision.revision, c.revision.change, c.left) for c in seen] == [
        (2, UPDATED, False),
        (4, UPDATED, True),
        (6, UPDATED, False),
        (7, DELETED, False),
    ]


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"spaces": []}, "spaces"),
        ({"spaces": ["spaces/a", "spaces/a"]}, "spaces[1]"),
        ({"spaces": ["a"]}, "spaces[0]"),
        ({"spaces": ["spaces/a"], "after_revisions": {"spaces/b": 1}}, 'after_revisions["spaces/b"]'),
        ({"spaces": ["spaces/a"], "after_revisions": {"spaces/a": -1}}, 'after_revisions["spaces/a"]'),
        ({"spaces": ["spaces/a"], "after_nonces": {"spaces/a": 1}}, 'after_nonces["spaces/a"]'),
        (
            {"spaces": ["spaces/a"], "after_revisions": {"spaces/a": 1}, "after_nonces": {"spaces/a": -1}},
            'after_nonces["spaces/a"]',
        ),
        ({"spaces": ["spaces/a"], "filter": ";"}, "filter"),
        ({"spaces": ["spaces/a"], "filter_tree": Filter()}, "filter_tree"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, request_fields: Mapping[str, object], field: str) -> None:
    assert (await refused(api, **request_fields)).fields == (field,)


async def test_a_revision_that_is_still_to_come_is_refused(api: Api, space: str) -> None:
    await api.create(space, "a")
    error = await refused(api, spaces=[space], after_revisions={space: 2})
    assert (error.code, error.metadata["head"]) == (grpc.StatusCode.OUT_OF_RANGE, "1")


async def test_a_watch_ends_with_its_space(api: Api, space: str) -> None:
    assert (await refused(api, spaces=[space])).reason == "SPACE_NOT_FOUND"
    await api.create(space, "a")
    async with aclosing(responses(api, spaces=[space])) as stream:
        await anext(stream)
        await api.spaces.DeleteSpace(DeleteSpaceRequest(name=space, force=True))
        assert (await refusal(anext(stream))).reason == "SPACE_NOT_FOUND"


async def test_a_watcher_that_is_killed_again_and_again_has_the_state_of_the_store(api: Api, space: str) -> None:
    """A copy is made of the changes alone, by a watcher that is cut off at random places."""
    await api.create(space, "the first")
    writing = asyncio.create_task(write_much(api, space))
    random, copy, after = Random(7), dict[str, Memory](), 0
    kills = 0
    while kills < KILLS or not writing.done():
        after = await copy_some(api, space, copy, after, random.randint(1, 30))
        kills += 1
    head = (await api.memories.ListMemories(ListMemoriesRequest(parent=space, page_size=1000))).revision
    while after < head:
        after = await copy_some(api, space, copy, after, 10_000)
    stored = (await api.memories.ListMemories(ListMemoriesRequest(parent=space, page_size=1000))).memories
    assert copy == {memory.name: memory for memory in stored}
    assert writing.result() == head


async def copy_some(api: Api, space: str, copy: dict[str, Memory], after: int, most: int) -> int:
    """Take over changes until `most` were read or none came for a while; the revision to go on after."""
    taken = 0
    async with aclosing(responses(api, spaces=[space], after_revisions={space: after})) as stream:
        while taken < most:
            try:
                response = await asyncio.wait_for(anext(stream), 0.5)
            except TimeoutError:
                return after
            for change in response.changes:
                assert change.revision.revision == after + 1, "a change is missing or came twice"
                after = change.revision.revision
                taken += 1
                apply(copy, change)
            assert response.revision == after
    return after


def apply(copy: dict[str, Memory], change: WatchedChange) -> None:
    memory = change.revision.memory
    if change.revision.change == DELETED:
        del copy[memory.name]
    else:
        copy[memory.name] = memory


async def write_much(api: Api, space: str) -> int:
    """Make 400 changes of all kinds; the last revision."""
    random, names, deleted = Random(8), list[str](), list[str]()
    revision = 1
    for _ in range(400):
        roll = random.random()
        if roll < 0.5 or not names:
            name = (await api.create(space, f"text {uuid4()}")).name
            names.append(name)
        elif roll < 0.75:
            await update(api, Memory(name=random.choice(names)), tags=[str(random.random())])
        elif roll < 0.9 or not deleted:
            deleted.append(names.pop(random.randrange(len(names))))
            await api.memories.DeleteMemory(DeleteMemoryRequest(name=deleted[-1]))
        else:
            names.append(deleted.pop())
            await api.memories.UndeleteMemory(UndeleteMemoryRequest(name=names[-1]))
        revision += 1
    return revision


async def refused(api: Api, **request: object) -> Refusal:
    async with aclosing(responses(api, **request)) as stream:
        return await refusal(anext(stream))
