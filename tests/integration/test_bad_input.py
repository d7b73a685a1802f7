"""Bad input: each a status with the field path, and nothing stored."""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quipu.v1.filter_pb2 import (
    COMPARISON_OPERATOR_CONTAINS,
    COMPARISON_OPERATOR_EQUAL,
    Comparison,
    Filter,
    FilterList,
)
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    BatchGetMemoriesRequest,
    CreateMemoryRequest,
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    UpdateMemoryRequest,
)
from quipu.v1.ranking_pb2 import RankingWeights
from quipu.v1.search_service_pb2 import SearchRequest
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceRequest, GetSpaceRequest, ListSpacesRequest
from quipu.v1.value_pb2 import ListValue, Value, Vector
from tests.integration.api import Api, Refusal, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BAD_NUMBERS = [math.nan, math.inf, -math.inf]


def value(**kind: Any) -> Value:
    return Value(**kind)


def nested_list(depth: int) -> Value:
    inner = Value(number_value=1)
    for _ in range(depth):
        inner = Value(list_value=ListValue(values=[inner]))
    return inner


def year(number: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(number, 1, 1, tzinfo=UTC))
    return stamp


def memory(**fields: Any) -> Memory:
    return Memory(**{"content": "fine", **fields})


BAD_MEMORIES: list[tuple[str, Memory, str]] = [
    ("empty content", memory(content=""), "memory.content"),
    ("content too long", memory(content="x" * 32_769), "memory.content"),
    ("content too long in bytes", memory(content="é" * 16_385), "memory.content"),
    ("content with NUL", memory(content="a\0b"), "memory.content"),
    ("unknown kind", memory(kind=99), "memory.kind"),
    ("unknown role", memory(role=-1), "memory.role"),
    ("speaker with NUL", memory(speaker="\0"), "memory.speaker"),
    ("speaker too long", memory(speaker="x" * 257), "memory.speaker"),
    ("session with a slash", memory(session="a/b"), "memory.session"),
    ("session too long", memory(session="x" * 129), "memory.session"),
    ("empty tag", memory(tags=["a", ""]), "memory.tags[1]"),
    ("tag with NUL", memory(tags=["\0"]), "memory.tags[0]"),
    ("tag too long", memory(tags=["x" * 129]), "memory.tags[0]"),
    ("too many tags", memory(tags=[f"{i}" for i in range(65)]), "memory.tags"),
    ("importance too high", memory(importance=1.01), "memory.importance"),
    ("importance too low", memory(importance=-0.01), "memory.importance"),
    *[(f"importance {n}", memory(importance=n), "memory.importance") for n in BAD_NUMBERS],
    ("expired already", memory(expire_time=year(2001)), "memory.expire_time"),
    ("time out of range", memory(event_time=Timestamp(seconds=10**15)), "memory.event_time"),
    ("nanoseconds out of range", memory(event_time=Timestamp(nanos=2_000_000_000)), "memory.event_time"),
    ("too many keys", memory(metadata={f"{i}": value(number_value=i) for i in range(65)}), "memory.metadata"),
    ("empty key", memory(metadata={"": value(number_value=1)}), "memory.metadata"),
    ("key too long", memory(metadata={"k" * 129: value(number_value=1)}), "memory.metadata"),
    ("key with NUL", memory(metadata={"a\0": value(number_value=1)}), "memory.metadata"),
    ("value not set", memory(metadata={"k": value()}), "memory.metadata"),
    ("string too long", memory(metadata={"k": value(string_value="x" * 8_193)}), "memory.metadata"),
    ("string with NUL", memory(metadata={"k": value(string_value="\0")}), "memory.metadata"),
    *[(f"number {n}", memory(metadata={"k": value(number_value=n)}), "memory.metadata") for n in BAD_NUMBERS],
    ("bad time in metadata", memory(metadata={"k": value(time_value=Timestamp(seconds=10**15))}), "memory.metadata"),
    ("list in list", memory(metadata={"k": nested_list(2)}), "memory.metadata"),
    ("list too long", memory(metadata={"k": value(list_value=ListValue(values=[Value(bool_value=True)] * 257))}),
     "memory.metadata"),
    ("metadata too large", memory(metadata={f"{i}": value(string_value="x" * 6_000) for i in range(3)}),
     "memory.metadata"),
    ("empty vector", memory(vector=Vector()), "memory.vector"),
    ("zero vector", memory(vector=Vector(values=[0.0] * 384)), "memory.vector"),
    *[(f"vector with {n}", memory(vector=Vector(values=[1.0] * 383 + [n])), "memory.vector") for n in BAD_NUMBERS],
]  # fmt: skip


async def untouched(api: Api, space: str) -> None:
    """Assert that the space is as the fixture below left it."""
    status = (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space
    assert (status.revision, status.memory_count) == (1, 1)


async def refused_memory(api: Api, space: str, bad: Memory) -> list[Refusal]:
    """What every door that takes a memory says of a bad one."""
    one = CreateMemoryRequest(parent=space, memory=bad)
    batch = BatchCreateMemoriesRequest(parent=space, requests=[CreateMemoryRequest(memory=memory()), one])
    change = Memory()
    change.CopyFrom(bad)
    change.name = f"{space}/memories/m"
    return [
        await refusal(api.memories.CreateMemory(one)),
        await refusal(api.memories.BatchCreateMemories(batch)),
        await refusal(
            api.memories.UpdateMemory(UpdateMemoryRequest(memory=change, update_mask=FieldMask(paths=["*"])))
        ),
    ]


@pytest.mark.parametrize(("bad", "field"), [c[1:] for c in BAD_MEMORIES], ids=[c[0] for c in BAD_MEMORIES])
async def test_a_bad_memory_is_refused_at_every_door(api: Api, space: str, bad: Memory, field: str) -> None:
    await api.create(space, "there before", "m")
    created, in_batch, updated = await refused_memory(api, space, bad)
    for refused, prefix in ((created, ""), (in_batch, "requests[1]."), (updated, "")):
        assert (refused.code, refused.reason) == (INVALID, "INVALID_FIELD")
        assert refused.fields[0].startswith(prefix + field)
        assert refused.metadata["field"] == refused.fields[0]
    await untouched(api, space)


async def test_a_vector_of_another_dimension_is_refused(api: Api, space: str) -> None:
    await api.create(space, "there before", "m")
    for refused in await refused_memory(api, space, memory(vector=Vector(values=[1.0, 2.0]))):
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_MISMATCH")
        assert (refused.metadata["expected"], refused.metadata["actual"]) == ("384", "2")
    await untouched(api, space)


BAD_NAMES = ["", "x", "spaces", "spaces/", "spaces/ä", "spaces/-a", "spaces/a b", "spaces/a/b", "space/a", "spaces/a\n"]
BAD_NAMES += ["spaces/" + "x" * 129, "spaces/'; DROP TABLE spaces; --", "spaces/..%2f", "spaces/a/"]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_a_bad_name_is_refused_at_every_door(api: Api, name: str) -> None:
    below = f"{name}/memories/m"
    calls: list[tuple[Any, str]] = [
        (api.memories.CreateMemory(CreateMemoryRequest(parent=name, memory=memory())), "parent"),
        (api.memories.ListMemories(ListMemoriesRequest(parent=name)), "parent"),
        (api.memories.GetMemory(GetMemoryRequest(name=below)), "name"),
        (api.memories.DeleteMemory(DeleteMemoryRequest(name=below)), "name"),
        (api.memories.UpdateMemory(UpdateMemoryRequest(memory=memory(name=below))), "memory.name"),
        (api.memories.BatchGetMemories(BatchGetMemoriesRequest(parent="spaces/a", names=[below])), "names[0]"),
        (api.spaces.GetSpace(GetSpaceRequest(name=name)), "name"),
        (api.search(name, text="x"), "spaces[0]"),
        (api.search("spaces/a", example=below), "example"),
    ]
    for call, field in calls:
        refused = await refusal(call)
        assert (refused.code, refused.fields) == (INVALID, (field,))


@pytest.mark.parametrize("memory_id", ["ä", "-a", "a b", "a/b", "x" * 129, ".", "a\0"])
async def test_a_bad_id_is_refused(api: Api, space: str, memory_id: str) -> None:
    refused = await refusal(api.create(space, "fine", memory_id))
    assert (refused.code, refused.fields) == (INVALID, ("memory_id",))
    call = api.spaces.CreateSpace(CreateSpaceRequest(space_id=memory_id))
    assert (await refusal(call)).fields == ("space_id",)


BAD_SEARCHES: list[tuple[str, dict[str, Any], str]] = [
    ("no query", {}, "query"),
    ("empty text", {"text": ""}, "text"),
    ("text too long", {"text": "x" * 32_769}, "text"),
    ("text with NUL", {"text": "\0"}, "text"),
    ("zero vector", {"vector": Vector(values=[0.0] * 384)}, "vector"),
    ("vector with NaN", {"vector": Vector(values=[math.nan] * 384)}, "vector"),
    ("empty vector", {"vector": Vector()}, "vector"),
    ("unknown mode", {"text": "x", "mode": 9}, "mode"),
    ("k of 0", {"text": "x", "k": 0}, "k"),
    ("k of 1,001", {"text": "x", "k": 1_001}, "k"),
    ("relevance above 1", {"text": "x", "min_relevance": 1.1}, "min_relevance"),
    ("relevance NaN", {"text": "x", "min_relevance": math.nan}, "min_relevance"),
    ("negative weight", {"text": "x", "ranking": RankingWeights(dense=-1)}, "ranking.dense"),
    ("weight above 10", {"text": "x", "ranking": RankingWeights(recency=11)}, "ranking.recency"),
    ("weight NaN", {"text": "x", "ranking": RankingWeights(importance=math.nan)}, "ranking.importance"),
    ("half-life of 0", {"text": "x", "ranking": RankingWeights(recency_half_life=Duration())},
     "ranking.recency_half_life"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "field"), [c[1:] for c in BAD_SEARCHES], ids=[c[0] for c in BAD_SEARCHES])
async def test_a_bad_search_is_refused(api: Api, space: str, fields: dict[str, Any], field: str) -> None:
    await api.create(space, "there before")
    refused = await refusal(api.search(space, **fields))
    assert (refused.code, refused.reason) == (INVALID, "INVALID_FIELD")
    assert refused.fields[0].startswith(field)


async def test_spaces_of_a_search_are_given_once_and_not_too_many(api: Api) -> None:
    for spaces, field in (
        ([], "spaces"),
        (["spaces/a"] * 2, "spaces[1]"),
        ([f"spaces/{i}" for i in range(17)], "spaces"),
    ):
        assert (await refusal(api.search(*spaces, text="x"))).fields == (field,)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (Space(display_name="x" * 257), "space.display_name"),
        (Space(display_name="\0"), "space.display_name"),
        (Space(model="MiniLM"), "space.model"),
        (Space(ranking=RankingWeights(lexical=math.inf)), "space.ranking.lexical"),
    ],
)
async def test_bad_settings_make_no_space(api: Api, space: str, settings: Space, field: str) -> None:
    request = CreateSpaceRequest(space_id=space.removeprefix("spaces/"), space=settings)
    assert (await refusal(api.spaces.CreateSpace(request))).fields == (field,)
    assert (await refusal(api.spaces.GetSpace(GetSpaceRequest(name=space)))).reason == "SPACE_NOT_FOUND"


async def test_batches_out_of_bounds_are_refused(api: Api, space: str) -> None:
    for count in (0, 501):
        requests = [CreateMemoryRequest(memory=memory())] * count
        call = api.memories.BatchCreateMemories(BatchCreateMemoriesRequest(parent=space, requests=requests))
        assert (await refusal(call)).fields == ("requests",)
    for names in ([], [f"{space}/memories/{i}" for i in range(1_001)]):
        read = api.memories.BatchGetMemories(BatchGetMemoriesRequest(parent=space, names=names))
        assert (await refusal(read)).fields == ("names",)
    assert (await refusal(api.spaces.ListSpaces(ListSpacesRequest(page_size=-1)))).fields == ("page_size",)


async def test_one_id_twice_in_a_batch_is_refused(api: Api, space: str) -> None:
    await api.create(space, "there before", "m")
    requests = [CreateMemoryRequest(memory_id="same", memory=memory()) for _ in range(2)]
    call = api.memories.BatchCreateMemories(BatchCreateMemoriesRequest(parent=space, requests=requests))
    assert (await refusal(call)).fields == ("requests[1].memory_id",)
    await untouched(api, space)


def framed(field_number: int, raw: bytes) -> bytes:
    """A length-delimited protobuf field."""
    assert len(raw) < 128
    return struct.pack("BB", field_number << 3 | 2, len(raw)) + raw


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
async def test_bytes_that_are_no_text_are_refused(api: Api, space: str, content: bytes) -> None:
    await api.create(space, "there before", "m")
    raw = framed(1, space.encode()) + framed(3, framed(2, content))
    identity: Callable[[bytes], bytes] = bytes
    create = api.channel.unary_unary("/quipu.v1.MemoryService/CreateMemory", identity, identity)
    assert (await refusal(create(raw))).code is INVALID
    await untouched(api, space)


async def test_a_message_that_is_too_large_is_refused(api: Api, space: str) -> None:
    await api.create(space, "there before", "m")
    large = memory(metadata={"k": value(string_value="x" * (17 << 20))})
    call = api.memories.CreateMemory(CreateMemoryRequest(parent=space, memory=large))
    assert (await refusal(call)).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await untouched(api, space)


HOSTILE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=24) | st.sampled_from(
    ["'", "''", '"', "\\", "%", "_", "--", "/*", "$1", "%s", "%(x)s", "{}", "'; DROP TABLE spaces; --", "' OR 1=1 --"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=HOSTILE, content=HOSTILE)
async def test_text_is_never_read_as_sql(api: Api, space: str, key: str, content: str) -> None:
    stored = await api.create(
        space, content, speaker=content, tags=[content], metadata={key: value(string_value=content)}
    )
    same_text = value(string_value=content)
    equal = Comparison(field=f"metadata.{key}", operator=COMPARISON_OPERATOR_EQUAL, value=same_text)
    tagged = Comparison(field="tags", operator=COMPARISON_OPERATOR_CONTAINS, value=same_text)
    both = FilterList(filters=[Filter(comparison=equal), Filter(comparison=tagged)])
    request = SearchRequest(spaces=[space], text=content, k=1_000, filter_tree=Filter(all_of=both))
    messages = [m async for m in api.searches.Search(request)]
    hits = [hit.memory for m in messages for hit in m.hits]
    assert stored.name in [hit.name for hit in hits]
    assert all(hit.metadata[key].string_value == content and content in hit.tags for hit in hits)
