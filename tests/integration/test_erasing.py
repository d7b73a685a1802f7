"""Erased memories: nothing of them is left anywhere, and everybody learns of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from grpc import StatusCode, aio

from quipu.v1.memory_pb2 import Memory, MemoryChange
from quipu.v1.memory_service_pb2 import (
    CreateMemoryRequest,
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    ListMemoryRevisionsRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
    WatchedChange,
    WatchMemoriesRequest,
)
from quipu.v1.retention_service_pb2 import (
    ArchiveMemoryRequest,
    EraseMemoriesRequest,
    ErasureCounts,
    ErasureReceipt,
)
from quipu.v1.session_pb2 import Session
from quipu.v1.session_service_pb2 import GetSessionRequest, UpdateSessionRequest
from quipu.v1.space_service_pb2 import GetSpaceRequest
from quipu_server.app import running
from quipu_server.config import Settings
from quipu_server.store.erasing import vacuum
from quipu_server.store.programs import bundled_programs, run
from tests.integration.api import Api, refusal
from tests.integration.test_failover import hot
from tests.integration.test_past import as_of
from tests.postgres import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "xylographer"
"""A word that is nowhere else."""
NOTHING = ErasureCounts()


async def erase(api: Api, space: str, **what: Any) -> ErasureReceipt:
    return (await api.retention.EraseMemories(EraseMemoriesRequest(parent=space, **what))).receipt


async def tell(api: Api, space: str) -> str:
    """A memory with a secret in every place, a history, and one that is none of that; returns its name."""
    name = (
        await api.create(space, f"Ann is a {SECRET}", "ann", speaker=SECRET, session="s", tags=[SECRET], importance=0.9)
    ).name
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=Memory(name=name, content=f"Ann was a {SECRET} once")))
    later = Memory(content=f"Bo wants to be a {SECRET}")
    await api.memories.CreateMemory(
        CreateMemoryRequest(parent=space, memory_id="bo", memory=later, defer_embedding=True)
    )
    await api.create(space, "The dog sleeps in the yard", "dog")
    session = Session(name=f"{space}/sessions/s", title=f"About a {SECRET}")
    await api.sessions.UpdateSession(UpdateSessionRequest(session=session))
    return name


def by_layer(receipt: ErasureReceipt) -> tuple[int, ...]:
    """What was erased; what waits to be embedded may get its vector at any moment."""
    counts = receipt.erased
    return counts.memories, counts.versions, counts.texts, counts.vectors + counts.waiting, counts.sessions


async def dump(database_url: str) -> str:
    """Everything that the database holds, as SQL."""
    return await run(bundled_programs() / "pg_dump", "--data-only", "--inserts", database_url)


async def test_nothing_of_what_is_erased_is_left(either: Api, space: str, database_url: str) -> None:
    name = await tell(either, space)
    await either.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/bo"))
    assert SECRET in await dump(database_url)
    filter = f'content CONTAINS "{SECRET}"'
    planned = await erase(either, space, filter=filter, erase_sessions=True, dry_run=True)
    assert SECRET in await dump(database_url)
    assert not planned.HasField("left")

    receipt = await erase(either, space, filter=filter, erase_sessions=True)
    assert by_layer(receipt) == by_layer(planned)
    assert by_layer(receipt) == (2, 4, 3, 3, 1)
    assert receipt.left == NOTHING
    assert SECRET not in await dump(database_url)

    found = await either.search(space, text=f"Who is a {SECRET}?", min_relevance=0)
    assert found.ids in ([], ["dog"])
    for revision in (0, 1, 2):
        call = either.memories.GetMemory(GetMemoryRequest(name=name, revision=revision))
        assert (await refusal(call)).code is StatusCode.NOT_FOUND
    assert (await either.search(space, text=SECRET, consistency=as_of(space, 2))).ids == []
    everything = ListMemoriesRequest(parent=space, show_deleted=True, show_archived=True)
    assert [memory.content for memory in (await either.memories.ListMemories(everything)).memories] == [
        "The dog sleeps in the yard"
    ]
    undeletion = either.memories.UndeleteMemory(UndeleteMemoryRequest(name=name))
    assert (await refusal(undeletion)).code is StatusCode.NOT_FOUND
    assert (await either.spaces.GetSpace(GetSpaceRequest(name=space))).space.memory_count == 1
    session = (await either.sessions.GetSession(GetSessionRequest(name=f"{space}/sessions/s"))).session
    assert session.title == ""


async def test_the_log_tells_of_it_without_a_gap(api: Api, space: str) -> None:
    name = await tell(api, space)
    head = (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space.revision
    receipt = await erase(api, space, names=[name, f"{space}/memories/nobody"])
    assert (receipt.erased.memories, receipt.erased.versions) == (1, 2)
    only = f'content CONTAINS "{SECRET}"'
    (change,) = await watched(api, receipt.revision, spaces=[space], after_revisions={space: head}, filter=only)
    assert (change.revision.change, change.revision.memory.name) == (MemoryChange.MEMORY_CHANGE_ERASED, name)
    assert not change.left
    history = await api.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=name))
    erased = MemoryChange.MEMORY_CHANGE_ERASED
    assert [(each.change, each.memory.content) for each in history.revisions] == [(erased, "")] * 3
    seen = await watched(api, receipt.revision, spaces=[space], after_revisions={space: 0})
    assert [each.revision.revision for each in seen] == [*range(1, receipt.revision + 1)]


async def watched(api: Api, upto: int, **query: Any) -> Sequence[WatchedChange]:
    """The changes up to a revision that a watch of one space sends."""
    stream = api.memories.WatchMemories(WatchMemoriesRequest(**query), timeout=30)
    changes: list[WatchedChange] = []
    async for message in stream:
        changes += [change for change in message.changes if change.revision.revision <= upto]
        if message.revision >= upto:
            break
    stream.cancel()
    return changes


async def test_archived_memories_and_repeated_erasures(either: Api, space: str) -> None:
    name = await tell(either, space)
    await either.retention.ArchiveMemory(ArchiveMemoryRequest(name=name))
    receipt = await erase(either, space, names=[name], filter='tags = "another"')
    assert (receipt.erased, receipt.left) == (NOTHING, NOTHING)
    assert (await erase(either, space, names=[name])).erased.memories == 1
    assert (await erase(either, space, names=[name])).erased == NOTHING
    again = await either.create(space, "Ann is new here", "ann")
    assert (await either.memories.GetMemory(GetMemoryRequest(name=name))).memory.content == again.content
    assert (await either.search(space, text="Who is new?")).ids[0] == "ann"
    assert (await erase(either, space, names=[name])).erased.memories == 1


async def test_a_repeated_request_does_not_bring_it_back(either: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content=SECRET), request_id=f"{uuid4()}")
    made = (await either.memories.CreateMemory(request)).memory
    await erase(either, space, names=[made.name])
    again = (await either.memories.CreateMemory(request)).memory
    assert (again.name, again.content, again.HasField("delete_time")) == (made.name, "", True)
    assert (await refusal(either.memories.GetMemory(GetMemoryRequest(name=made.name)))).code is StatusCode.NOT_FOUND


async def test_an_erasure_says_what(api: Api, space: str) -> None:
    await api.create(space, "The dog")
    refused = await refusal(erase(api, space))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("filter",))
    elsewhere = await refusal(erase(api, space, names=["spaces/elsewhere/memories/m"]))
    assert elsewhere.fields == ("names[0]",)
    missing = await refusal(erase(api, f"{space}-no", names=[f"{space}-no/memories/m"]))
    assert missing.code is StatusCode.NOT_FOUND


async def test_the_place_of_what_is_erased_is_freed(api: Api, space: str, database_url: str) -> None:
    """The rows of the texts are dead after an erasure; a vacuum leaves none of them."""
    name = (await api.create(space, SECRET)).name
    await erase(api, space, names=[name])
    async with connected(database_url) as database:
        await vacuum(database)
        async with database.unlocked() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            rows = await connection.execute(
                "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'passages' AND last_vacuum IS NOT NULL"
            )
            assert await rows.fetchone() == (1,)
            timeout = await (await connection.execute("SHOW statement_timeout")).fetchone()
    assert timeout != ("0",)


BEGIN_TO_WAIT = """
INSERT INTO quipu.unembedded
SELECT r.space_id, r.passage_id, v.dimension, r.memory_id FROM quipu.memory_revisions r
JOIN quipu.vectors v USING (space_id, passage_id) JOIN quipu.spaces s USING (space_id) WHERE s.name = %s
"""
EMBED = """
WITH taken AS (
    DELETE FROM quipu.unembedded u USING quipu.spaces s WHERE u.space_id = s.space_id AND s.name = %s RETURNING u.*
)
INSERT INTO quipu.vectors
SELECT space_id, passage_id, chunk + 1, v.dimension, span_start, span_end, fingerprint, embedding
FROM taken JOIN quipu.vectors v USING (space_id, passage_id)
"""
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM unembedded%'"


async def test_a_text_that_is_being_embedded_leaves_no_vector(api: Api, space: str, database_url: str) -> None:
    name = (await api.create(space, f"Ann is a {SECRET}")).name
    async with connected(database_url) as database:
        async with database.unlocked() as connection:
            await connection.execute(BEGIN_TO_WAIT, (space.removeprefix("spaces/"),))
        async with database.unlocked() as connection:
            await connection.execute(EMBED, (space.removeprefix("spaces/"),))
            erasing = asyncio.create_task(erase(api, space, names=[name]))
            async with database.owner() as watching:
                while True:
                    if await (await watching.execute(WAITS)).fetchone() != (0,):
                        break
                    await asyncio.sleep(0.02)
    receipt = await erasing
    assert (receipt.erased.vectors, receipt.erased.waiting, receipt.left) == (2, 0, NOTHING)


async def test_many_steps_make_one_erasure(api: Api, replica: Api, space: str) -> None:
    for batch in range(3):
        await api.fill(space, {f"m{batch}-{i}": Memory(content=f"{SECRET} {batch} {i}") for i in range(400)})
    await api.create(space, "The dog sleeps in the yard", "dog")
    await hot(api, space)
    receipt = await erase(replica, space, filter=f'content CONTAINS "{SECRET}"')
    assert (receipt.erased.memories, receipt.erased.vectors, receipt.left) == (1_200, 1_200, NOTHING)
    for server in (api, replica):
        assert (await server.search(space, text=f"{SECRET} 1 1", min_relevance=0)).ids in ([], ["dog"])
        assert (await server.search(space, text="Where does the dog sleep?")).ids == ["dog"]


@asynccontextmanager
async def one_server(database_url: str, directory: Path) -> AsyncIterator[Api]:
    async with running(Settings(port=0, database_url=database_url, snapshot_dir=directory)) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


def has_secret(directory: Path) -> bool:
    """Whether a file of a directory has the secret; files come and go."""
    contents = []
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            contents.append(path.read_bytes())
    return any(SECRET.encode() in content for content in contents)


async def until_not_in(directory: Path) -> None:
    """Wait until no file of a directory has the secret."""
    async with asyncio.timeout(20):
        while has_secret(directory):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_no_snapshot_on_any_server_keeps_it(database_url: str, replica: Api, space: str, tmp_path: Path) -> None:
    """Of the server that erases, of one that follows the log, and of one that was away."""
    mine, others, away = (tmp_path / name for name in ("mine", "others", "away"))
    memories = {f"m{i}": Memory(content=f"what happened on day {i}", speaker=SECRET) for i in range(300)}
    await replica.fill(space, memories)
    for directory in (mine, others, away):
        async with one_server(database_url, directory) as api:
            await hot(api, space)
        assert has_secret(directory)
    async with one_server(database_url, mine) as first, one_server(database_url, others) as second:
        for server in (first, second):
            await hot(server, space)
        await erase(first, space, names=[f"{space}/memories/m1"])
        await first.retention.EraseMemories(EraseMemoriesRequest(parent=space, filter=f'speaker = "{SECRET}"'))
        await second.search(space, text="what happened?")
        await until_not_in(mine)
        await until_not_in(others)
    for directory in (mine, others):  # nor what they wrote when they stopped
        await until_not_in(directory)
    async with one_server(database_url, away):
        await until_not_in(away)
