"""Memories, from messages and to messages."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from quipu.v1.memory_pb2 import MEMORY_KIND_SEMANTIC, ROLE_TOOL, Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest, UpdateMemoryRequest
from quipu.v1.value_pb2 import ListValue, Value, Vector
from quipu_server.domain import Change, Kind, MemoryFields, MetadataValue, Role
from quipu_server.errors import InvalidArgument
from quipu_server.inputs import Draft, Patch
from quipu_server.rpc.convert.memories import read_draft, read_fields, read_patch, write_memory, write_revision
from quipu_server.rpc.convert.times import write_time
from tests.unit.rpc.fakes import THEN, memory

MOST = 1_000
FUTURE = datetime(2999, 1, 1, tzinfo=UTC)


def text(value: str) -> Value:
    return Value(string_value=value)


def numbers(*values: float) -> Value:
    return Value(list_value=ListValue(values=[Value(number_value=value) for value in values]))


def draft(**fields: Any) -> Draft:
    return read_draft(CreateMemoryRequest(memory=Memory(**{"content": "x", **fields})), "", MOST)


def patch(memory: Memory, *paths: str) -> Patch:
    return read_patch(UpdateMemoryRequest(memory=memory, update_mask=FieldMask(paths=paths)), MOST)


def test_what_is_not_set_has_its_default() -> None:
    assert draft() == Draft(MemoryFields("x", kind=Kind.EPISODIC, role=Role.NONE, importance=0.5))


def test_everything_that_is_set_is_taken() -> None:
    fields = read_fields(
        Memory(
            content="é🧶",
            kind=MEMORY_KIND_SEMANTIC,
            role=ROLE_TOOL,
            speaker="Ann",
            session=".a_~-",
            tags=["b", "a", "b"],
            metadata={
                "a.b": Value(bool_value=False),
                "list": numbers(1, 2),
                "none": numbers(),
                "when": Value(time_value=write_time(THEN)),
            },
            importance=0,
            event_time=Timestamp(seconds=-1, nanos=1_999),
            expire_time=write_time(FUTURE),
        ),
        "memory",
        MOST,
    )
    assert fields == MemoryFields(
        "é🧶",
        kind=Kind.SEMANTIC,
        role=Role.TOOL,
        speaker="Ann",
        session=".a_~-",
        tags=("b", "a"),
        metadata={"a.b": False, "list": (1.0, 2.0), "none": (), "when": THEN},
        importance=0.0,
        importance_given=True,
        event_time=datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
        expire_time=FUTURE,
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"content": ""}, "memory.content"),
    ({"content": "é" * 501}, "memory.content"),
    ({"content": "a\0b"}, "memory.content"),
    ({"kind": 7}, "memory.kind"),
    ({"kind": -1}, "memory.kind"),
    ({"role": 5}, "memory.role"),
    ({"speaker": "\0"}, "memory.speaker"),
    ({"speaker": "é" * 129}, "memory.speaker"),
    ({"session": "a b"}, "memory.session"),
    ({"session": "ä"}, "memory.session"),
    ({"session": "a\n"}, "memory.session"),
    ({"session": "x" * 129}, "memory.session"),
    ({"tags": ["a", ""]}, "memory.tags[1]"),
    ({"tags": ["é" * 65]}, "memory.tags[0]"),
    ({"tags": ["a", "b\0"]}, "memory.tags[1]"),
    ({"tags": ["same"] * 65}, "memory.tags"),
    ({"importance": 1.1}, "memory.importance"),
    ({"importance": -0.1}, "memory.importance"),
    ({"importance": math.nan}, "memory.importance"),
    ({"importance": math.inf}, "memory.importance"),
    ({"event_time": Timestamp(seconds=-62_135_596_801)}, "memory.event_time"),
    ({"event_time": Timestamp(seconds=253_402_300_800)}, "memory.event_time"),
    ({"event_time": Timestamp(nanos=1_000_000_000)}, "memory.event_time"),
    ({"event_time": Timestamp(nanos=-1)}, "memory.event_time"),
    ({"expire_time": Timestamp(seconds=1)}, "memory.expire_time"),
    ({"expire_time": Timestamp(seconds=2**62)}, "memory.expire_time"),
    ({"metadata": {f"{i}": text("") for i in range(65)}}, "memory.metadata"),
    ({"metadata": {f"{i}": text("x" * 8_000) for i in range(3)}}, "memory.metadata"),
    ({"metadata": {f"{i}": numbers(*range(256)) for i in range(9)}}, "memory.metadata"),
    ({"metadata": {"": text("x")}}, 'memory.metadata[""]'),
    ({"metadata": {"a\0": text("x")}}, 'memory.metadata["a\\u0000"]'),
    ({"metadata": {"é" * 65: text("x")}}, f'memory.metadata["{"é" * 65}"]'),
    ({"metadata": {'"': Value()}}, 'memory.metadata["\\""]'),
    ({"metadata": {"k": text("x" * 8_193)}}, 'memory.metadata["k"].string_value'),
    ({"metadata": {"k": text("\0")}}, 'memory.metadata["k"].string_value'),
    ({"metadata": {"k": Value(number_value=math.nan)}}, 'memory.metadata["k"].number_value'),
    ({"metadata": {"k": Value(number_value=-math.inf)}}, 'memory.metadata["k"].number_value'),
    ({"metadata": {"k": Value(time_value=Timestamp(nanos=-1))}}, 'memory.metadata["k"].time_value'),
    ({"metadata": {"k": numbers(*range(257))}}, 'memory.metadata["k"].list_value.values'),
    ({"metadata": {"k": numbers(0, 1, 2, math.nan)}}, 'memory.metadata["k"].list_value.values[3].number_value'),
    ({"metadata": {"k": Value(list_value=ListValue(values=[text("x"), Value()]))}},
     'memory.metadata["k"].list_value.values[1]'),
    ({"metadata": {"k": Value(list_value=ListValue(values=[numbers()]))}},
     'memory.metadata["k"].list_value.values[0].list_value'),
    ({"vector": Vector()}, "memory.vector.values"),
    ({"vector": Vector(values=[0.0, -0.0])}, "memory.vector.values"),
    ({"vector": Vector(values=[1.0, 2.0, math.nan])}, "memory.vector.values[2]"),
    ({"vector": Vector(values=[-math.inf])}, "memory.vector.values[0]"),
    ({"vector": Vector(values=[1.0] * 4_097)}, "memory.vector.values"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "path"), BAD, ids=[f"{i}-{path}" for i, (_, path) in enumerate(BAD)])
def test_what_is_out_of_bounds_is_refused_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        draft(**fields)
    assert caught.value.field == path


def test_limits_themselves_are_within() -> None:
    metadata: dict[str, Value] = {"é" * 64: text("x" * 8_000), "k": text("x" * 8_192)}
    draft(content="é" * 500, speaker="x" * 256, session="x" * 128, tags=[f"{i:0128}" for i in range(64)])
    draft(metadata=metadata, importance=1, vector=Vector(values=[1.0] * 4_096))
    draft(event_time=Timestamp(seconds=253_402_300_799, nanos=999_999_999))
    assert draft(event_time=Timestamp(seconds=-62_135_596_800)).fields.event_time == datetime.min.replace(tzinfo=UTC)


def test_a_vector_is_taken_as_it_is_given() -> None:
    vector = draft(vector=Vector(values=[3.0, 4.0])).vector
    assert vector is not None
    assert vector.dtype == np.float32
    assert vector.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("memory_id", ["-a", "a/b", "ä", "x" * 129, "a\n"])
def test_a_bad_id_is_refused(memory_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_draft(CreateMemoryRequest(memory_id=memory_id, memory=Memory(content="x")), "requests[2].", MOST)
    assert caught.value.field == "requests[2].memory_id"


def test_an_update_takes_what_the_mask_names() -> None:
    change = Memory(content="new", importance=0.1, metadata={"a": text("x")})
    assert patch(change, "content", "metadata.a", "metadata.b.c").paths == {"content", "metadata.a", "metadata.b.c"}
    assert patch(change, "speaker").paths == {"speaker"}


def test_an_update_without_mask_takes_what_is_set() -> None:
    change = Memory(name="spaces/a/memories/b", etag="1", importance=0.0, tags=["x"], revision=3)
    assert patch(change).paths == {"importance", "tags"}


def test_the_star_takes_everything() -> None:
    everything = {"content", "kind", "role", "speaker", "session", "tags", "metadata", "importance", "event_time",
                  "expire_time", "vector"}  # fmt: skip
    assert patch(Memory(), "*").paths == patch(Memory(), "content", "*").paths == everything


@pytest.mark.parametrize(
    "path", ["contents", "", "name", "revision", "metadata.", "metadata." + "k" * 129, "metadata.\0"]
)
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        patch(Memory(), "content", path)
    assert caught.value.field == "update_mask.paths[1]"


def test_a_vector_is_part_of_an_update_only_when_it_is_named() -> None:
    change = Memory(content="x", vector=Vector(values=[1.0]))
    assert patch(change, "content").vector is None
    assert patch(change, "vector").vector is not None
    assert patch(change).vector is not None


scalars = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.datetimes(timezones=st.just(UTC))
)
values: st.SearchStrategy[MetadataValue] = scalars | st.lists(scalars, max_size=3).map(tuple)
keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
times = st.none() | st.datetimes(timezones=st.just(UTC))


@given(
    st.builds(
        MemoryFields,
        content=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=50),
        kind=st.sampled_from(Kind),
        role=st.sampled_from(Role),
        speaker=st.sampled_from(["", "Ann"]),
        tags=st.lists(keys, max_size=3, unique=True).map(tuple),
        metadata=st.dictionaries(keys, values, max_size=3),
        importance=st.floats(0, 1),
        event_time=times,
        expire_time=st.none() | st.datetimes(datetime(2500, 1, 1), timezones=st.just(UTC)),
    )
)
def test_a_memory_comes_back_as_it_was_written(fields: MemoryFields) -> None:
    # Written back, every importance is one that was given.
    expected = replace(fields, importance_given=True)
    assert read_fields(write_memory(memory(fields=fields), "a"), "memory", MOST) == expected


def test_a_memory_is_written_with_what_the_store_added() -> None:
    message = write_memory(memory("b", 26), "a")
    assert (message.name, message.etag, message.revision) == ("spaces/a/memories/b", "1a", 26)
    assert message.create_time.ToDatetime(UTC) == message.update_time.ToDatetime(UTC) == THEN
    assert not message.HasField("delete_time")
    assert not message.HasField("vector")


def test_a_deletion_shows_when_it_was() -> None:
    revision = write_revision(memory("b", 4, change=Change.DELETED), "a")
    assert (revision.revision, int(revision.change)) == (4, int(Change.DELETED))
    assert revision.memory.delete_time.ToDatetime(UTC) == THEN
