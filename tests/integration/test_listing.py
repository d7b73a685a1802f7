"""Lists of memories: pages, order, what they show."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    ListMemoriesRequest,
    ListMemoriesResponse,
    UpdateMemoryRequest,
)
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def page_of(api: Api, space: str, **fields: Any) -> ListMemoriesResponse:
    return await api.memories.ListMemories(ListMemoriesRequest(parent=space, **fields))


async def listed(api: Api, space: str, **fields: Any) -> list[str]:
    """Ids on all pages."""
    ids, token = [], ""
    while True:
        page = await page_of(api, space, page_token=token, **fields)
        ids += [m.name.rpartition("/")[2] for m in page.memories]
        if not (token := page.next_page_token):
            return ids


def on_day(day: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(2024, 1, day, tzinfo=UTC))
    return stamp


async def test_every_memory_is_on_one_page(api: Api, space: str) -> None:
    await api.fill(space, {f"m{i}": Memory(content="x") for i in range(7)})
    for size in (1, 2, 3, 7, 8):
        assert await listed(api, space, page_size=size) == [f"m{i}" for i in range(7)]


async def test_pages_show_the_space_as_the_first_one_did(api: Api, space: str) -> None:
    await api.fill(space, {f"m{i}": Memory(content=f"old {i}") for i in range(6)})
    first = await page_of(api, space, page_size=2)
    await api.create(space, "late", "m9")
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/m3"))
    changed = Memory(name=f"{space}/memories/m4", content="new 4")
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=changed, update_mask=FieldMask(paths=["content"])))
    rest = await page_of(api, space, page_size=10, page_token=first.next_page_token)
    assert [m.content for m in rest.memories] == ["old 2", "old 3", "old 4", "old 5"]
    assert rest.revision == first.revision == 6
    assert not rest.next_page_token
    assert await listed(api, space) == ["m0", "m1", "m2", "m4", "m5", "m9"]


async def test_order_by_event_time_puts_what_has_none_last(api: Api, space: str) -> None:
    days = {"a": 3, "b": 1, "c": 0, "d": 2, "e": 1}
    memories = {k: Memory(content="x", event_time=on_day(d) if d else None) for k, d in days.items()}
    await api.fill(space, memories)
    for size in (1, 2, 50):
        assert await listed(api, space, order_by="event_time", page_size=size) == ["b", "e", "d", "a", "c"]
        assert await listed(api, space, order_by="event_time desc", page_size=size) == ["a", "d", "b", "e", "c"]


async def test_order_by_update_time(api: Api, space: str) -> None:
    for key in "abc":
        await api.create(space, "x", key)
    changed = Memory(name=f"{space}/memories/a", content="y")
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    assert await listed(api, space, order_by="update_time desc") == ["a", "c", "b"]
    assert await listed(api, space) == ["a", "b", "c"]


async def test_deleted_memories_show_on_request(api: Api, space: str) -> None:
    await api.fill(space, {k: Memory(content="x") for k in "ab"})
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/a"))
    assert await listed(api, space) == ["b"]
    shown = (await page_of(api, space, show_deleted=True)).memories
    assert {m.name.rpartition("/")[2]: m.HasField("delete_time") for m in shown} == {"a": True, "b": False}


async def test_a_list_can_be_filtered(api: Api, space: str) -> None:
    await api.fill(space, {f"m{i}": Memory(content="x", importance=i / 10) for i in range(10)})
    assert await listed(api, space, filter="importance >= 0.7", page_size=2) == ["m7", "m8", "m9"]


@pytest.mark.parametrize("change", [{"filter": "importance > 0"}, {"order_by": "update_time"}, {"show_deleted": True}])
async def test_a_page_token_serves_its_own_query_only(api: Api, space: str, change: dict[str, Any]) -> None:
    await api.fill(space, {k: Memory(content="x") for k in "ab"})
    token = (await page_of(api, space, page_size=1)).next_page_token
    refused = await refusal(page_of(api, space, page_size=1, page_token=token, **change))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
    assert refused.fields == ("page_token",)


async def test_a_page_token_does_not_serve_another_space(api: Api, space: str) -> None:
    await api.fill(space, {k: Memory(content="x") for k in "ab"})
    await api.create(f"{space}-b", "x")
    token = (await page_of(api, space, page_size=1)).next_page_token
    assert (await refusal(page_of(api, f"{space}-b", page_token=token))).reason == "INVALID_PAGE_TOKEN"


async def test_a_damaged_page_token_is_refused(api: Api, space: str) -> None:
    await api.fill(space, {k: Memory(content="x") for k in "ab"})
    token = (await page_of(api, space, page_size=1)).next_page_token
    for damaged in ("x", "NQ==", "é", token[:-2], "AAAA" + token, "AAAA" + token[4:]):
        assert (await refusal(page_of(api, space, page_token=damaged))).reason == "INVALID_PAGE_TOKEN"


async def test_a_large_page_is_cut_to_the_largest(api: Api, space: str) -> None:
    await api.create(space, "x")
    assert len((await page_of(api, space, page_size=5_000)).memories) == 1
    assert (await refusal(page_of(api, space, page_size=-1))).fields == ("page_size",)


async def test_an_unknown_order_is_refused(api: Api, space: str) -> None:
    await api.create(space, "x")
    for order in ("content", "create_time descending", "create_time; DROP TABLE spaces"):
        assert (await refusal(page_of(api, space, order_by=order))).fields == ("order_by",)
