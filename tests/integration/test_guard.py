"""A guarded server stores no secret, and no personal data, whichever way they come in."""

import json
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import psycopg
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio

import quipu
from quipu.v1.memory_pb2 import Memory, Redaction, RedactionKind
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    CreateMemoryRequest,
    GetMemoryRequest,
    IngestItem,
    IngestMemoriesRequest,
    IngestStart,
    UpdateMemoryRequest,
)
from quipu.v1.value_pb2 import ListValue, Value
from quipu_server.app import running
from quipu_server.config import Settings
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "AKIA" + "IOSFODNN7EXAMPLE"
MAIL, PHONE = "ann@example.org", "(415) 555-2671"
EMAIL_KIND, CARD_KIND = RedactionKind.REDACTION_KIND_EMAIL, RedactionKind.REDACTION_KIND_CARD


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(database_url: str) -> AsyncIterator[Api]:
    async with running(Settings(port=0, database_url=database_url, hot_bytes=0, guard="both")) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


def text_of(value: str) -> Value:
    return Value(string_value=value)


async def stored(database_url: str, space: str) -> str:
    """Everything that the database holds of a space, as text."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        texts = []
        for table in ("memory_revisions", "passages", "requests"):
            rows = await connection.execute(
                f"SELECT to_jsonb(t) FROM quipu.{table} t WHERE space_id ="
                " (SELECT space_id FROM quipu.spaces WHERE name = %s)",
                (space.removeprefix("spaces/"),),
            )
            texts += [json.dumps(row, default=str) for row in await rows.fetchall()]
    return "\n".join(texts)


def secret_places() -> list[tuple[Memory, str]]:
    return [
        (Memory(content=f"the key is {KEY}"), "content"),
        (Memory(content="x", speaker=KEY), "speaker"),
        (Memory(content="x", session=KEY), "session"),
        (Memory(content="x", tags=["tea", KEY]), "tags[1]"),
        (Memory(content="x", metadata={"k": text_of(KEY)}), 'metadata["k"].string_value'),
        (
            Memory(content="x", metadata={"k": Value(list_value=ListValue(values=[text_of("a"), text_of(KEY)]))}),
            'metadata["k"].list_value.values[1].string_value',
        ),
        (Memory(content="x", metadata={"db_password": text_of("hunter22")}), 'metadata["db_password"].string_value'),
        (Memory(content="x", metadata={KEY: text_of("a")}), "metadata"),
        (Memory(content="x", metadata={MAIL: text_of("a")}), "metadata"),
    ]


@pytest.mark.parametrize(("memory", "field"), secret_places(), ids=[field for _, field in secret_places()])
async def test_a_secret_is_refused_in_every_text_and_on_every_way(
    guarded: Api, database_url: str, space: str, memory: Memory, field: str
) -> None:
    await guarded.create(space, "innocent", "m")
    create = CreateMemoryRequest(parent=space, memory=memory)
    batch = BatchCreateMemoriesRequest(
        parent=space, requests=[CreateMemoryRequest(memory=Memory(content="good")), CreateMemoryRequest(memory=memory)]
    )
    changed = Memory(name=f"{space}/memories/m")
    changed.MergeFrom(memory)
    made = Memory(name=f"{space}/memories/new")
    made.MergeFrom(memory)
    for call, path in (
        (guarded.memories.CreateMemory(create), f"memory.{field}"),
        (guarded.memories.BatchCreateMemories(batch), f"requests[1].memory.{field}"),
        (guarded.memories.UpdateMemory(UpdateMemoryRequest(memory=changed)), f"memory.{field}"),
        (guarded.memories.UpdateMemory(UpdateMemoryRequest(memory=made, allow_missing=True)), f"memory.{field}"),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONTENT_BLOCKED")
        assert (refused.fields, refused.metadata["field"]) == ((path,), path)
        assert refused.metadata["kinds"] in ("aws_access_key", "password", "email")
        assert not any(secret in str(refused) for secret in (KEY, MAIL, "hunter22"))
    requests = [
        IngestMemoriesRequest(start=IngestStart(parent=space, stream_id=str(uuid4()))),
        IngestMemoriesRequest(item=IngestItem(offset=0, memory=memory)),
        IngestMemoriesRequest(item=IngestItem(offset=1, memory=Memory(content="good"))),
    ]
    answers = [a async for r in guarded.memories.IngestMemories(iter(requests)) for a in r.acknowledgements]
    assert (answers[0].refused.reason, answers[0].refused.field) == ("CONTENT_BLOCKED", f"memory.{field}")
    assert answers[1].stored.revision == 2
    kept = await stored(database_url, space)
    assert not any(secret in kept for secret in (KEY, MAIL, "hunter22"))


async def test_an_id_with_a_secret_is_refused(guarded: Api, space: str) -> None:
    call = guarded.memories.CreateMemory(CreateMemoryRequest(parent=space, memory_id=KEY, memory=Memory(content="x")))
    assert (await refusal(call)).fields == ("memory_id",)


async def test_personal_data_is_nowhere_once_it_is_redacted(guarded: Api, database_url: str, space: str) -> None:
    made = await guarded.create(
        space,
        f"😀 write to {MAIL}, call {PHONE}",
        speaker=MAIL,
        tags=["tea", MAIL, "bo@example.org"],
        metadata={"who": text_of(MAIL), "all": Value(list_value=ListValue(values=[text_of("a"), text_of(PHONE)]))},
    )
    assert made.content == "😀 write to [email], call [phone]"
    assert (made.speaker, list(made.tags)) == ("[email]", ["tea", "[email]"])
    assert made.metadata["who"].string_value == "[email]"
    assert [value.string_value for value in made.metadata["all"].list_value.values] == ["a", "[phone]"]
    told = sorted(
        (r.field, RedactionKind.Name(r.kind)[len("REDACTION_KIND_") :], r.start, r.end) for r in made.redactions
    )
    assert told == [
        ("content", "EMAIL", 11, 26),
        ("content", "PHONE", 33, 47),
        ('metadata["all"].list_value.values[1].string_value', "PHONE", 0, 14),
        ('metadata["who"].string_value', "EMAIL", 0, 15),
        ("speaker", "EMAIL", 0, 15),
        ("tags[1]", "EMAIL", 0, 15),
        ("tags[2]", "EMAIL", 0, 14),
    ]
    kept = await stored(database_url, space)
    assert "[email]" in kept
    assert not any(data in kept for data in (MAIL, "example", PHONE))
    assert not re.search(r"(?<![\w.:-])(415|555|2671)(?![\w.:-])", kept), "nor in the words of the index"
    assert not (await guarded.memories.GetMemory(GetMemoryRequest(name=made.name))).memory.redactions
    found = await guarded.search(space, text="ann example org", mode="SEARCH_MODE_LEXICAL")
    assert found.ids == []


async def test_a_repeated_request_has_the_first_answer(guarded: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content=f"to {MAIL}"), request_id=str(uuid4()))
    first = (await guarded.memories.CreateMemory(request)).memory
    assert [*first.redactions] == [Redaction(field="content", kind=EMAIL_KIND, start=3, end=18)]
    assert (await guarded.memories.CreateMemory(request)).memory == first
    batch = BatchCreateMemoriesRequest(
        parent=space, requests=[CreateMemoryRequest(memory=Memory(content=MAIL))] * 2, request_id=str(uuid4())
    )
    answer = await guarded.memories.BatchCreateMemories(batch)
    assert [len(memory.redactions) for memory in answer.memories] == [1, 1]
    assert await guarded.memories.BatchCreateMemories(batch) == answer
    update = UpdateMemoryRequest(memory=Memory(name=first.name, content=f"by {MAIL}"), request_id=str(uuid4()))
    changed = (await guarded.memories.UpdateMemory(update)).memory
    assert (changed.content, len(changed.redactions)) == ("by [email]", 1)
    assert (await guarded.memories.UpdateMemory(update)).memory == changed
    requests = [
        IngestMemoriesRequest(start=IngestStart(parent=space, stream_id=str(uuid4()))),
        IngestMemoriesRequest(item=IngestItem(offset=0, memory=Memory(content=f"a {MAIL}"))),
    ]
    told = [[r async for r in guarded.memories.IngestMemories(iter(requests))] for _ in range(2)]
    assert told[0] == told[1]
    assert len(told[0][0].acknowledgements[0].stored.redactions) == 1


async def test_what_was_stored_before_the_guard_stays_and_can_be_changed(api: Api, guarded: Api, space: str) -> None:
    """The other server has no guard. What was answered before is answered so again, whatever it was."""
    request = CreateMemoryRequest(parent=space, memory=Memory(content=f"{KEY} {MAIL}"), request_id=str(uuid4()))
    first = (await api.memories.CreateMemory(request)).memory
    assert (first.content, list(first.redactions)) == (f"{KEY} {MAIL}", [])
    assert (await guarded.memories.CreateMemory(request)).memory == first
    update = UpdateMemoryRequest(memory=Memory(name=first.name, tags=["tea"]))
    changed = (await guarded.memories.UpdateMemory(update)).memory
    assert (changed.content, list(changed.tags), list(changed.redactions)) == (first.content, ["tea"], [])


async def test_only_what_the_mask_names_is_looked_at(guarded: Api, space: str) -> None:
    made = await guarded.create(space, "tea", "m")
    memory = Memory(name=made.name, content=KEY, tags=["4111 1111 1111 1111"], metadata={"k": text_of(KEY)})
    update = UpdateMemoryRequest(memory=memory, update_mask=FieldMask(paths=["tags"]))
    changed = (await guarded.memories.UpdateMemory(update)).memory
    assert (changed.content, list(changed.tags)) == ("tea", ["[card]"])
    assert [(r.field, r.kind) for r in changed.redactions] == [("tags[0]", CARD_KIND)]
    again = (await guarded.memories.UpdateMemory(update)).memory
    assert (again.etag, again.redactions) == (changed.etag, changed.redactions)
    update.update_mask.paths.append("metadata.k")
    assert (await refusal(guarded.memories.UpdateMemory(update))).fields == ('memory.metadata["k"].string_value',)


async def test_a_large_text_is_guarded_too(guarded: Api, space: str) -> None:
    filler = "Tea is grown in the hills. " * 1_000
    made = await guarded.create(space, f"{filler}{MAIL}")
    assert made.content == f"{filler}[email]"
    call = guarded.memories.CreateMemory(CreateMemoryRequest(parent=space, memory=Memory(content=f"{filler}{KEY}")))
    assert (await refusal(call)).reason == "CONTENT_BLOCKED"


@pytest.mark.parametrize(
    ("guard", "is_blocked", "content"),
    [
        ("off", False, MAIL),
        ("block_secrets", True, MAIL),
        ("redact_personal", False, "[email]"),
        ("both", True, "[email]"),
    ],
)
async def test_the_setting_says_what_is_done(
    database_url: str, space: str, guard: str, is_blocked: bool, content: str
) -> None:
    settings = Settings(port=0, database_url=database_url, hot_bytes=0, guard=guard)
    async with running(settings) as started:
        await started.ready()
        async with quipu.connect(f"127.0.0.1:{started.port}", space=space.removeprefix("spaces/")) as client:
            assert (await client.add(MAIL)).content == content
            if not is_blocked:
                assert (await client.add(KEY)).content == KEY
                return
            with pytest.raises(quipu.InvalidArgument) as raised:
                await client.add(KEY)
            assert raised.value.reason == "CONTENT_BLOCKED"
            outcomes = await client.ingest([{"content": KEY}, {"content": "+1 650 253 0000"}]).all()
            assert isinstance(outcomes[0].error, quipu.InvalidArgument)
            assert [RedactionKind.Name(r.kind) for r in outcomes[1].redactions] == (
                ["REDACTION_KIND_PHONE"] if guard == "both" else []
            )
