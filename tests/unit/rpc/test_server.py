"""A server as an operator sees it: health, reflection, its port, its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import StatusCode, aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from quipu.v1.memory_service_pb2 import GetMemoryRequest
from quipu.v1.memory_service_pb2_grpc import MemoryServiceStub
from quipu_server.errors import StartupError
from quipu_server.rpc.health import LIVE
from quipu_server.rpc.server import SERVICES, RpcServer
from tests.unit.rpc.conftest import Fakes

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


async def status(channel: aio.Channel, service: str = "") -> int:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return (await check(HealthCheckRequest(service=service))).status


async def watch(channel: aio.Channel, service: str = "") -> AsyncIterator[int]:
    call = channel.unary_stream(
        "/grpc.health.v1.Health/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    async for answer in call(HealthCheckRequest(service=service)):
        yield answer.status


async def reflect(channel: aio.Channel, request: ServerReflectionRequest) -> ServerReflectionResponse:
    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )
    (response,) = [response async for response in call(iter([request]))]
    return response


def test_every_service_of_the_definition_is_there() -> None:
    names = ["Memory", "Space", "Search", "Session", "Retention", "Embedding", "Index", "Job", "Admin"]
    assert [f"quipu.v1.{name}Service" for name in names] == SERVICES


async def test_a_server_is_not_serving_until_it_is_told(fakes: Fakes) -> None:
    server = fakes.server()
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as channel:
        for serving in (False, True, False, True):
            await server.health.set(serving=serving)
            for service in ("", *SERVICES):
                assert await status(channel, service) == (SERVING if serving else NOT_SERVING)
    await server.stop()


async def test_a_server_that_waits_is_alive(channel: aio.Channel, server: RpcServer) -> None:
    await server.health.set(serving=False)
    assert await status(channel) == HealthCheckResponse.NOT_SERVING
    assert await status(channel, LIVE) == HealthCheckResponse.SERVING


async def test_the_health_of_an_unknown_service_is_not_known(channel: aio.Channel) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await status(channel, "quipu.v1.Nothing")
    assert caught.value.code() is StatusCode.NOT_FOUND
    assert await anext(watch(channel, "quipu.v1.Nothing")) == HealthCheckResponse.SERVICE_UNKNOWN


async def test_who_watches_is_told_every_change_and_does_not_delay_the_end(fakes: Fakes) -> None:
    server = fakes.server(drain_s=60.0)
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as channel:
        told = watch(channel)
        seen = [await anext(told)]
        for serving in (True, False, True):
            await server.health.set(serving=serving)
            seen.append(await anext(told))
        async with asyncio.timeout(10):
            await server.stop()
        seen += [status async for status in told]
    assert seen == [NOT_SERVING, SERVING, NOT_SERVING, SERVING, NOT_SERVING]


async def test_a_stopped_server_does_not_serve_again(server: RpcServer) -> None:
    await server.health.stop()
    await server.health.set(serving=True)
    assert not server.health.is_serving


async def test_what_runs_ends_before_the_server_does(channel: aio.Channel, server: RpcServer, fakes: Fakes) -> None:
    fakes.memories.delay_s = 0.3
    call = asyncio.ensure_future(MemoryServiceStub(channel).GetMemory(GetMemoryRequest(name="spaces/a/memories/b")))
    await fakes.memories.reached.wait()
    await server.stop()
    assert (await call).memory.name == "spaces/a/memories/b"


async def test_reflection_shows_services_and_definitions(channel: aio.Channel) -> None:
    listed = await reflect(channel, ServerReflectionRequest(list_services=""))
    assert {s.name for s in listed.list_services_response.service} > {*SERVICES, "grpc.health.v1.Health"}
    answer = await reflect(channel, ServerReflectionRequest(file_containing_symbol="quipu.v1.SearchService"))
    files = [FileDescriptorProto.FromString(raw).name for raw in answer.file_descriptor_response.file_descriptor_proto]
    assert "quipu/v1/search_service.proto" in files


async def test_a_taken_port_is_told(fakes: Fakes) -> None:
    first = fakes.server()
    port = await first.start()
    second = fakes.server(port=port)
    with pytest.raises(StartupError, match=rf"127\.0\.0\.1:{port}"):
        await second.start()
    await second.stop()
    await first.stop()


async def test_a_message_beyond_the_limit_is_refused(fakes: Fakes) -> None:
    server = fakes.server(message_bytes=1 << 16)
    await server.health.set(serving=True)
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await MemoryServiceStub(channel).GetMemory(GetMemoryRequest(name="x" * (1 << 17)))
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    await server.stop()
