"""Two tenants on two servers: whatever one tries, it finds nothing of the other's, and cannot tell that it is there."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from quipu.v1 import memory_service_pb2 as memories
from quipu.v1.admin_service_pb2 import ListApiKeysRequest
from quipu.v1.api_key_pb2 import API_KEY_ROLE_ADMIN
from quipu.v1.job_service_pb2 import RunJobRequest
from quipu.v1.memory_pb2 import Memory
from quipu.v1.retention_policy_pb2 import RETENTION_ACTION_DELETE, RetentionPolicy
from quipu.v1.retention_service_pb2 import CreateRetentionPolicyRequest
from quipu.v1.session_service_pb2 import AppendMessagesRequest, NewMessage
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceRequest, ListSpacesRequest
from quipu_server.access.domain import Role
from quipu_server.rpc.roles import ROLES
from tests.descriptors import METHODS
from tests.integration.api import Api
from tests.integration.probes import PROBES, Aim
from tests.integration.secured import Door, door

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANARY = f"canary{uuid4().hex}"
"""Part of everything that the first tenant stores, and of nothing else."""
SHARED = "shared"
"""A space that both tenants have."""
WATCH_S = 0.6
VARYING = re.compile(r"\d{4}-\d\d-\d\dT[^\"]*Z|[0-9a-f]{30}|quipu_[0-9a-f_]+|[0-9a-f]{24}")
"""Times, ids made by the server, secrets, and ids of keys."""
UNSTABLE = re.compile(r'"(pageToken|nextPageToken|bytes|state)": "[^"]*"')


@dataclass(slots=True)
class Answer:
    """What came back: the messages, and the error that ended them."""

    messages: list[Message] = field(default_factory=list)
    error: grpc.aio.AioRpcError | None = None

    def raw(self) -> bytes:
        """Every byte that a caller can see."""
        parts = [message.SerializeToString() for message in self.messages]
        if self.error is not None:
            parts.append((self.error.details() or "").encode())
            parts += [
                value.encode() if isinstance(value, str) else value for _, value in self.error.trailing_metadata()
            ]
        return b"\n".join(parts)

    def comparable(self, aim: Aim) -> str:
        """The same for two aims when they cannot be told apart."""
        if self.error is not None:
            text = f"{self.error.code()} {self.error.details()}"
        else:
            text = "\n".join(MessageToJson(message) for message in self.messages if not only_tells_progress(message))
        for name, stands_for in aim.names.items():
            text = text.replace(name, stands_for)
        return UNSTABLE.sub("", VARYING.sub("…", text)).replace(aim.seed.hex, "")


def only_tells_progress(message: Message) -> bool:
    """Whether it came because time went by."""
    return [field.name for field, _ in message.ListFields()] == ["progress"]


@dataclass(slots=True)
class Tally:
    """What was tried and found."""

    covered: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    cases: int = 0
    leaks: list[str] = field(default_factory=list)


async def send(api: Api, method: str, requests: Sequence[Message]) -> Answer:
    """Make a call; a watch is read for a moment."""
    descriptor = METHODS[method]
    call: Any = api.channel.stream_stream(
        method,
        request_serializer=GetMessageClass(descriptor.input_type).SerializeToString,
        response_deserializer=GetMessageClass(descriptor.output_type).FromString,
    )(iter(requests), timeout=WATCH_S if "Watch" in method else 30)
    answer = Answer()
    try:
        async for message in call:
            answer.messages.append(message)
    except grpc.aio.AioRpcError as error:
        if "Watch" not in method or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            answer.error = error
    return answer


async def settle(api: Api, space: str, text: str) -> tuple[str, str, list[str]]:
    """Store what a tenant has in a space; the ids of a memory and a job, and the tokens it was given when it read."""
    await api.spaces.CreateSpace(CreateSpaceRequest(space_id=space, space=Space(display_name=text)))
    memory = Memory(content=f"{text} is remembered here", speaker=text, session=text, tags=[text])
    memory.metadata[text].string_value = text
    for memory_id in ("one", "two", "three"):
        request = memories.CreateMemoryRequest(parent=f"spaces/{space}", memory_id=memory_id, memory=memory)
        await api.memories.CreateMemory(request)
    await api.memories.DeleteMemory(memories.DeleteMemoryRequest(name=f"spaces/{space}/memories/three"))
    listed = await api.memories.ListMemories(memories.ListMemoriesRequest(parent=f"spaces/{space}", page_size=1))
    history = memories.ListMemoryRevisionsRequest(name=f"spaces/{space}/memories/three", page_size=1)
    revisions = await api.memories.ListMemoryRevisions(history)
    page = await api.spaces.ListSpaces(ListSpacesRequest(page_size=1))
    messages = [NewMessage(memory=Memory(content=f"{text} was said"))]
    talk = f"spaces/{space}/sessions/talk"
    await api.sessions.AppendMessages(AppendMessagesRequest(parent=talk, messages=messages * 2))
    policy = RetentionPolicy(action=RETENTION_ACTION_DELETE, filter=f'speaker = "{text} is nobody"')
    for parent in (f"spaces/{space}", "spaces/-"):
        rule = CreateRetentionPolicyRequest(parent=parent, retention_policy_id=f"for-{space}", retention_policy=policy)
        await api.retention.CreateRetentionPolicy(rule)
    job = (await api.jobs.RunJob(RunJobRequest(kind="embed", space=f"spaces/{space}"))).job
    tokens = [token for token in (t.next_page_token for t in (listed, revisions, page)) if token]
    return "one", job.name.removeprefix("jobs/"), tokens


async def everything(api: Api, tenant: str) -> list[str]:
    """All that a tenant has."""
    found = []
    for space in (await api.spaces.ListSpaces(ListSpacesRequest(page_size=1_000))).spaces:
        listing = memories.ListMemoriesRequest(parent=space.name, page_size=1_000, show_deleted=True)
        found += [MessageToJson(space), MessageToJson(await api.memories.ListMemories(listing))]
    return [*found, MessageToJson(await api.admin.ListApiKeys(ListApiKeysRequest(parent=tenant)))]


async def busy(api: Api) -> None:
    """Go on reading and writing what is secret, in a space of its own and through everything that is shared."""
    while True:
        await api.create("spaces/busy", f"{CANARY} is busy")
        await api.search("spaces/busy", f"spaces/{SHARED}", text=CANARY)
        await asyncio.sleep(0.02)


@pytest_asyncio.fixture(params=["hot", "store"], loop_scope="session")
async def opened(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Door]:
    settings = {} if request.param == "hot" else {"hot_bytes": 0}
    async with door(database_url, **settings) as made:
        yield made


async def test_every_method_is_tried() -> None:
    assert set(PROBES) == set(METHODS)


async def test_a_tenant_finds_nothing_of_another(opened: Door) -> None:
    theirs_name, ours_name = await opened.tenant(display_name=CANARY), await opened.tenant()
    theirs = await opened.as_key(theirs_name, API_KEY_ROLE_ADMIN, display_name=CANARY)
    ours = await opened.as_key(ours_name, API_KEY_ROLE_ADMIN)
    secret_space, request_id = f"s{uuid4().hex[:20]}", str(uuid4())
    memory, job, tokens = await settle(theirs, secret_space, CANARY)
    await settle(theirs, SHARED, CANARY)
    used = memories.CreateMemoryRequest(parent=f"spaces/{secret_space}", request_id=request_id)
    used.memory.content = CANARY
    await theirs.memories.CreateMemory(used)
    _, own_job, own_tokens = await settle(ours, SHARED, "ordinary")
    (their_key, *_) = (await theirs.admin.ListApiKeys(ListApiKeysRequest(parent=theirs_name))).api_keys
    our_key, _ = await opened.key(ours_name)  # not the one that calls: it will be revoked
    seeds = [uuid4() for _ in range(3)]
    nobody, nobodys_key = f"tenants/t{uuid4().hex}", f"x/{uuid4().hex[:24]}"
    at_them = aim(secret_space, memory, theirs_name, their_key.name, job, request_id, tokens, seeds[0])
    at_nobody = aim(f"s{uuid4().hex[:20]}", memory, nobody, nobodys_key, f"{uuid4()}", str(uuid4()), tokens, seeds[1])
    at_ours = aim(SHARED, memory, ours_name, our_key, own_job, str(uuid4()), own_tokens, seeds[2])
    before = await everything(theirs, theirs_name)
    tally, work = Tally(), asyncio.create_task(busy(theirs))
    for method, make in PROBES.items():
        await compare(ours, method, [[*make(at)] for at in (at_them, at_nobody)], (at_them, at_nobody), tally)
    for method, make in PROBES.items():
        for requests in make(at_ours):
            note(tally, method, await send(ours, method, requests))
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    after = [text for text in await everything(theirs, theirs_name) if "busy" not in text]
    assert after == before
    covered = f"{len(tally.covered)} of {len(METHODS)}"
    sys.stderr.write(f"\nRPCs covered: {covered}, cases: {tally.cases}, leaks: {len(tally.leaks)}\n")
    assert tally.covered == set(METHODS)
    assert not tally.leaks, "\n".join(tally.leaks)
    assert {method for method, role in ROLES.items() if role is not Role.MASTER} <= tally.answered


def aim(
    space: str, memory: str, tenant: str, key: str, job: str, request_id: str, tokens: Sequence[str], seed: UUID
) -> Aim:
    tenant_id, key_id = tenant.removeprefix("tenants/"), key.rpartition("/")[2]
    return Aim(space, memory, tenant_id, key_id, job, request_id, CANARY[::-1], tokens, seed)


async def compare(
    api: Api, method: str, calls: Sequence[Sequence[Sequence[Message]]], aims: Sequence[Aim], tally: Tally
) -> None:
    """Make the same calls at somebody and at nobody: the answers must be the same."""
    for at_them, at_nobody in zip(*calls, strict=True):
        answers = [await send(api, method, requests) for requests in (at_them, at_nobody)]
        for answer in answers:
            note(tally, method, answer)
        shown = [answer.comparable(at) for answer, at in zip(answers, aims, strict=True)]
        # A list of all shows what the call before made, whatever it aimed at.
        if not method.endswith(("ListSpaces", "ListJobs", "ListAuditEntries")) and shown[0] != shown[1]:
            tally.leaks.append(f"{method} {at_them} tells them apart:\n{shown[0]}\n{shown[1]}")


def note(tally: Tally, method: str, answer: Answer) -> None:
    tally.covered.add(method)
    tally.cases += 1
    if answer.error is None:
        tally.answered.add(method)
    if CANARY.encode() in answer.raw():
        tally.leaks.append(f"{method} shows what is secret: {answer}")
