"""What was is read as it was, at any revision that is kept."""

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.v1.consistency_pb2 import AsOfRead, ReadConsistency
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    UpdateMemoryRequest,
)
from quipu.v1.search_service_pb2 import SearchMode, SearchPath
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODES = [SearchMode.SEARCH_MODE_HYBRID, SearchMode.SEARCH_MODE_DENSE, SearchMode.SEARCH_MODE_LEXICAL]


@pytest_asyncio.fixture(loop_scope="session")
async def past(api: Api, space: str) -> dict[int, set[str]]:
    """A space with a past; the contents it had at each revision."""
    memory = await api.create(space, "the lamp is red", "a")
    await api.create(space, "the lamp was bought in May", "b")
    changed = UpdateMemoryRequest(
        memory=Memory(name=memory.name, content="the lamp is green"), update_mask=FieldMask(paths=["content"])
    )
    await api.memories.UpdateMemory(changed)
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/b"))
    return {
        1: {"the lamp is red"},
        2: {"the lamp is red", "the lamp was bought in May"},
        3: {"the lamp is green", "the lamp was bought in May"},
        4: {"the lamp is green"},
    }


def as_of(space: str, revision: int) -> ReadConsistency:
    return ReadConsistency(as_of=AsOfRead(revisions={space: revision}))


@pytest.mark.parametrize("mode", MODES)
async def test_a_search_finds_what_was(
    api: Api, space: str, past: dict[int, set[str]], mode: "SearchMode.ValueType"
) -> None:
    for revision, contents in past.items():
        found = await api.search(space, text="lamp", mode=mode, consistency=as_of(space, revision))
        assert {hit.memory.content for hit in found.hits} == contents
        (answer,) = found.summary.answers
        assert (answer.revision, answer.path) == (revision, SearchPath.SEARCH_PATH_STORE)


async def test_another_space_is_read_as_it_is(api: Api, space: str, past: dict[int, set[str]]) -> None:
    other = f"{space}-other"
    await api.create(other, "another lamp")
    found = await api.search(space, other, text="lamp", consistency=as_of(space, 1))
    assert {hit.memory.content for hit in found.hits} == past[1] | {"another lamp"}


async def test_a_list_shows_what_was_page_by_page(api: Api, space: str, past: dict[int, set[str]]) -> None:
    for revision, contents in past.items():
        request = ListMemoriesRequest(parent=space, revision=revision, page_size=1)
        seen: list[str] = []
        while not seen or request.page_token:
            page = await api.memories.ListMemories(request)
            assert page.revision == revision
            seen += [memory.content for memory in page.memories]
            request.page_token = page.next_page_token
        assert (set(seen), len(seen)) == (contents, len(contents))


async def test_a_memory_is_read_as_it_was(api: Api, space: str, past: dict[int, set[str]]) -> None:
    async def read(name: str, revision: int) -> str:
        request = GetMemoryRequest(name=f"{space}/memories/{name}", revision=revision)
        return (await api.memories.GetMemory(request)).memory.content

    assert [await read("a", revision) for revision in past] == 2 * ["the lamp is red"] + 2 * ["the lamp is green"]
    assert await read("b", 3) == "the lamp was bought in May"
    for revision in (1, 4):
        assert (await refusal(read("b", revision))).reason == "MEMORY_NOT_FOUND"


@pytest.mark.usefixtures("past")
async def test_the_future_is_refused(api: Api, space: str) -> None:
    for call in (
        api.search(space, text="lamp", consistency=as_of(space, 5)),
        api.memories.GetMemory(GetMemoryRequest(name=f"{space}/memories/a", revision=5)),
        api.memories.ListMemories(ListMemoriesRequest(parent=space, revision=5)),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.metadata) == (grpc.StatusCode.OUT_OF_RANGE, {"name": space, "head": "4"})


@pytest.mark.usefixtures("past")
async def test_negative_revisions_are_refused(api: Api, space: str) -> None:
    refused = await refusal(api.memories.GetMemory(GetMemoryRequest(name=f"{space}/memories/a", revision=-1)))
    assert refused.fields == ("revision",)
    refused = await refusal(api.memories.ListMemories(ListMemoriesRequest(parent=space, revision=-1)))
    assert refused.fields == ("revision",)
    refused = await refusal(api.search(space, text="x", consistency=as_of(space, -1)))
    assert refused.fields == (f'consistency.as_of.revisions["{space}"]',)
