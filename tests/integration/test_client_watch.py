"""The client watches a real server, which is stopped and started meanwhile."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict

import quipu
from quipu_server.app import Running, running
from quipu_server.config import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")


def said(change: quipu.Change) -> tuple[int, str, str]:
    return change.revision, change.change, change.memory.content


async def test_every_change_is_told_with_its_memory(server: Running) -> None:
    async with quipu.connect(f"127.0.0.1:{server.port}", space=f"watch-{uuid4().hex}") as client:
        memory = await client.add("one", id="m")
        await client.update("m", content="two")
        await client.delete("m")
        await client.undelete("m")
        watch = client.watch(after=0)
        assert [said(await anext(watch)) for _ in range(4)] == [
            (1, "created", "one"),
            (2, "updated", "two"),
            (3, "deleted", "two"),
            (4, "undeleted", "two"),
        ]
        assert watch.position == {memory.name.partition("/memories/")[0]: 4}
        await watch.close()
        later = client.watch(after={**watch.position})
        await client.update("m", content="three")
        change = await anext(later)
        assert MessageToDict(change.memory) == MessageToDict(await client.get("m"))
        await later.close()


async def test_a_filter_tells_what_left(server: Running) -> None:
    async with quipu.connect(f"127.0.0.1:{server.port}", space=f"watch-{uuid4().hex}") as client:
        await client.add("one", id="m", tags=["x"])
        await client.add("other")
        await client.update("m", tags=["y"])
        watch = client.watch(after=0, filter='tags = "x"')
        assert [(change.revision, change.left) for change in [await anext(watch) for _ in range(2)]] == [
            (1, False),
            (3, True),
        ]
        await watch.close()


async def test_a_watch_outlives_restarts(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(running(Settings(port=0, database_url=database_url)))
        await started.ready()
        port = started.port
        client = quipu.connect(f"127.0.0.1:{port}", space=f"watch-{uuid4().hex}")
        await client.add("0")
        seen: list[int] = []
        watching = asyncio.create_task(take(client, 6, seen))
        for number in range(1, 6):
            if number in (2, 4):
                await stack.aclose()
                started = await stack.enter_async_context(running(Settings(port=port, database_url=database_url)))
                await started.ready()
            await client.add(f"{number}")
        assert await asyncio.wait_for(watching, 60) == ["0", "1", "2", "3", "4", "5"]
        assert seen == [1, 2, 3, 4, 5, 6]
        await client.close()


async def take(client: quipu.Client, count: int, revisions: list[int]) -> list[str]:
    watch = client.watch(after=0)
    contents = []
    for _ in range(count):
        change = await anext(watch)
        revisions.append(change.revision)
        contents.append(change.memory.content)
    await watch.close()
    return contents
