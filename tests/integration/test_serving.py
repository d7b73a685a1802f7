"""The server as an operator and a client in a hurry see it: health, reflection, deadlines, cancellation, drain."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest, ListMemoriesRequest
from quipu.v1.search_service_pb2 import SearchRequest, SearchResponse
from quipu_server.app import Running, running
from quipu_server.config import Settings
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVICES = ["MemoryService", "SpaceService", "SearchService", "EmbeddingService"]
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def health_of(channel: aio.Channel) -> Any:
    """The stub, whose types nobody wrote."""
    return HealthStub(channel)


async def reflect(api: Api, request: ServerReflectionRequest) -> ServerReflectionResponse:
    stub: Any = ServerReflectionStub(api.channel)  # type: ignore[arg-type]
    answer: ServerReflectionResponse = await anext(aiter(stub.ServerReflectionInfo(iter([request]))))
    return answer


def channel_to(server: Running) -> aio.Channel:
    return aio.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.enable_retries", 0)])


async def watch(channel: aio.Channel) -> AsyncIterator[int]:
    """The health of a server whenever it changes, until the server is gone."""
    with contextlib.suppress(aio.AioRpcError):
        async for answer in health_of(channel).Watch(HealthCheckRequest()):
            yield answer.status


@pytest.mark.parametrize("service", ["", *[f"quipu.v1.{name}" for name in SERVICES]])
async def test_every_service_is_healthy(api: Api, service: str) -> None:
    answer = await health_of(api.channel).Check(HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_reflection_lists_every_service(api: Api) -> None:
    listed = await reflect(api, ServerReflectionRequest(list_services=""))
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {f"quipu.v1.{name}" for name in SERVICES} | {"grpc.health.v1.Health"}


async def test_reflection_describes_the_definitions(api: Api) -> None:
    symbol = "quipu.v1.SearchService"
    answer = await reflect(api, ServerReflectionRequest(file_containing_symbol=symbol))
    files = [FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto]
    assert "quipu/v1/search_service.proto" in {file.name for file in files}


async def test_an_expired_deadline_is_told_and_stores_nothing(api: Api, space: str) -> None:
    request = CreateMemoryRequest(parent=space, memory=Memory(content="too late"))
    refused = await refusal(api.memories.CreateMemory(request, timeout=0))
    assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await api.create(space, "in time")
    listed = await api.memories.ListMemories(ListMemoriesRequest(parent=space))
    assert [m.content for m in listed.memories] == ["in time"]


async def test_a_stream_that_is_left_midway_leaves_the_server_well(api: Api, space: str) -> None:
    await api.fill(space, {f"m{i}": Memory(content=f"cat {i} " * 60) for i in range(400)})
    for _ in range(20):
        call = api.searches.Search(SearchRequest(spaces=[space], text="cat", k=400))
        first = await call.read()
        assert isinstance(first, SearchResponse)
        assert len(first.hits) == 50
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
    assert len((await api.search(space, text="cat", k=400)).hits) == 400


async def test_a_write_that_is_left_is_made_whole_or_not_at_all(api: Api, space: str) -> None:
    await api.create(space, "first", "m0")
    for i in range(1, 15):
        request = CreateMemoryRequest(parent=space, memory_id=f"m{i}", memory=Memory(content=f"cat {i} " * 200))
        call = api.memories.CreateMemory(request)
        await asyncio.sleep(0.002 * i)
        call.cancel()
    await api.create(space, "last", "z")
    listed = (await api.memories.ListMemories(ListMemoriesRequest(parent=space))).memories
    found = await api.search(space, text="cat first last", k=50)
    assert sorted(found.ids) == sorted(m.name.rpartition("/")[2] for m in listed)
    assert listed[-1].revision == len(listed)


async def test_an_unknown_rpc_is_unimplemented(api: Api) -> None:
    call = api.channel.unary_unary("/quipu.v1.MemoryService/Forget", bytes, bytes)
    assert (await refusal(call(b""))).code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_server_without_its_database_is_up_and_not_ready(no_database: str) -> None:
    async with running(Settings(port=0, database_url=no_database)) as server, channel_to(server) as channel:
        assert (await health_of(channel).Check(HealthCheckRequest())).status == NOT_SERVING
        refused = await refusal(Api.over(channel).create("spaces/a", "x"))
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert refused.reason in {"NOT_READY", "STORE_UNAVAILABLE"}


async def test_health_follows_the_life_of_a_server(database_url: str) -> None:
    async with running(Settings(port=0, database_url=database_url)) as server:
        channel = channel_to(server)
        seen = watch(channel)
        while await anext(seen) != SERVING:
            pass
    async with channel:
        assert [status async for status in seen] == [NOT_SERVING]


async def test_a_server_that_drains_finishes_what_runs(database_url: str, space: str) -> None:
    async with contextlib.AsyncExitStack() as life:
        server = await life.enter_async_context(running(Settings(port=0, database_url=database_url)))
        await server.ready()
        async with channel_to(server) as channel:
            api = Api.over(channel)
            await api.create(space, "first", "m")
            writes = [asyncio.create_task(api.create(space, f"write {i} " * 500, f"w{i}")) for i in range(8)]
            await asyncio.sleep(0.05)
            await life.aclose()
            assert len(await asyncio.gather(*writes)) == 8
