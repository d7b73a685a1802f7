"""What happens around every call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import structlog
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc import StatusCode, aio
from grpc_status import rpc_status
from structlog.testing import capture_logs

from quipu.v1.memory_service_pb2 import GetMemoryRequest, GetMemoryResponse
from quipu.v1.memory_service_pb2_grpc import MemoryServiceStub
from quipu.v1.search_service_pb2 import SearchRequest, SearchResponse
from quipu.v1.search_service_pb2_grpc import SearchServiceStub
from quipu_server.errors import Conflict, NotFound
from quipu_server.rpc.server import RpcServer
from tests.unit.rpc.conftest import Fakes

GET = "/quipu.v1.MemoryService/GetMemory"
REQUEST = GetMemoryRequest(name="spaces/a/memories/secret-name")


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


async def get(channel: aio.Channel, **options: Any) -> GetMemoryResponse:
    return await MemoryServiceStub(channel).GetMemory(REQUEST, **options)


async def fail(channel: aio.Channel, **options: Any) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await get(channel, **options)
    return caught.value


def search(channel: aio.Channel) -> aio.UnaryStreamCall[SearchRequest, SearchResponse]:
    return SearchServiceStub(channel).Search(SearchRequest(spaces=["spaces/a"], text="x"))


async def read_all(call: aio.UnaryStreamCall[SearchRequest, SearchResponse]) -> None:
    while await call.read() is not aio.EOF:
        pass


def details(error: aio.AioRpcError) -> tuple[ErrorInfo, BadRequest]:
    info, bad = ErrorInfo(), BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    for detail in status.details:
        for known in (info, bad):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    return info, bad


async def test_a_call_is_logged_without_what_it_is_about(channel: aio.Channel, logged: list[Any]) -> None:
    await get(channel, metadata=(("x-request-id", "id-of-caller"),))
    (line,) = logged
    assert line.pop("ms") >= 0
    assert line == {
        "event": "call", "log_level": "info", "method": GET, "code": "OK", "request": "id-of-caller",
        "tenant": "default", "key": "", "exc_info": None,
    }  # fmt: skip


async def test_the_request_id_comes_back(channel: aio.Channel) -> None:
    call = MemoryServiceStub(channel).GetMemory(REQUEST, metadata=(("x-request-id", "mine"),))
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "mine"


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words"])
async def test_an_id_is_made_when_none_comes_that_can_be_logged(channel: aio.Channel, given: str | None) -> None:
    call = MemoryServiceStub(channel).GetMemory(REQUEST, metadata=(("x-request-id", given),) if given else ())
    await call
    assert len(dict(await call.trailing_metadata())["x-request-id"]) == 32


async def test_an_error_keeps_the_request_id_and_has_details(channel: aio.Channel, fakes: Fakes) -> None:
    fakes.memories.failure = NotFound("memory", "spaces/a/memories/b")
    error = await fail(channel, metadata=(("x-request-id", "mine"),))
    assert error.code() is StatusCode.NOT_FOUND
    assert details(error)[0].reason == "MEMORY_NOT_FOUND"
    assert dict(error.trailing_metadata())["x-request-id"] == "mine"


async def test_a_defect_is_hidden_from_the_caller_and_told_to_the_log(
    channel: aio.Channel, fakes: Fakes, logged: list[Any]
) -> None:
    fakes.memories.failure = ValueError("secret")
    error = await fail(channel, metadata=(("x-request-id", "mine"),))
    assert error.code() is StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    assert details(error)[0].metadata["request"] == "mine"
    (line,) = logged
    assert (line["log_level"], line["code"], line["request"]) == ("error", "INTERNAL", "mine")
    assert line["exc_info"] is fakes.memories.failure


async def test_an_expected_error_is_no_defect(channel: aio.Channel, fakes: Fakes, logged: list[Any]) -> None:
    fakes.memories.failure = Conflict("changed")
    await fail(channel)
    assert (logged[0]["log_level"], logged[0]["code"], logged[0]["exc_info"]) == ("info", "ABORTED", None)


@pytest.mark.parametrize("content", [b"\x0a\x02\xff\xfe", b"\x0a\x03\xed\xa0\x80", b"\x0a\x7f", b"\xff"])
async def test_bytes_that_are_no_request_are_the_fault_of_the_caller(channel: aio.Channel, content: bytes) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary(GET, bytes, bytes)(content)
    info, bad = details(caught.value)
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    assert (info.reason, bad.field_violations[0].field) == ("INVALID_FIELD", "request")


async def test_until_it_is_ready_a_server_says_so(channel: aio.Channel, server: RpcServer) -> None:
    await get(channel)
    for _ in range(2):
        await server.health.set(serving=False)
        error = await fail(channel)
        assert (error.code(), details(error)[0].reason) == (StatusCode.UNAVAILABLE, "NOT_READY")
        await server.health.set(serving=True)
        await get(channel)


async def test_too_many_calls_at_once_are_refused(fakes: Fakes) -> None:
    server = fakes.server(most_calls=2)
    await server.health.set(serving=True)
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as channel:
        fakes.memories.delay_s = 30
        waiting = [asyncio.ensure_future(get(channel)) for _ in range(2)]
        await fakes.memories.reached.wait()
        error = await fail(channel)
        assert (error.code(), details(error)[0].reason) == (StatusCode.UNAVAILABLE, "OVERLOADED")
        for call in waiting:
            call.cancel()
        await asyncio.wait(waiting)
        fakes.memories.delay_s = 0
        await get(channel)
    await server.stop()


@pytest.fixture
async def impatient(fakes: Fakes) -> Any:
    """A channel to a server that gives calls little time."""
    server = fakes.server(default_deadline_s=0.05, longest_deadline_s=0.1)
    await server.health.set(serving=True)
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as opened:
        yield opened
    await server.stop()


@pytest.mark.parametrize("timeout", [None, 60.0])
async def test_a_call_that_takes_too_long_is_ended(
    impatient: aio.Channel, fakes: Fakes, timeout: float | None, logged: list[Any]
) -> None:
    fakes.memories.delay_s = 60
    error = await fail(impatient, timeout=timeout)
    assert (error.code(), details(error)[0].reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert fakes.memories.cancelled.is_set()
    assert logged[0]["code"] == "DEADLINE_EXCEEDED"


async def test_a_stream_that_takes_too_long_is_ended(impatient: aio.Channel, fakes: Fakes) -> None:
    fakes.search.delay_s, fakes.search.hit_count = 0.04, 500
    call = search(impatient)
    await call.read()
    with pytest.raises(aio.AioRpcError) as caught:
        await read_all(call)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert fakes.search.closed.is_set()


async def test_a_timeout_within_the_server_is_not_the_deadline_of_the_call(channel: aio.Channel, fakes: Fakes) -> None:
    fakes.memories.failure = TimeoutError()
    assert (await fail(channel)).code() is StatusCode.INTERNAL


async def test_a_caller_that_leaves_ends_its_call(channel: aio.Channel, fakes: Fakes, logged: list[Any]) -> None:
    fakes.memories.delay_s = 60
    call = asyncio.ensure_future(get(channel))
    await fakes.memories.reached.wait()
    call.cancel()
    await fakes.memories.cancelled.wait()
    fakes.memories.delay_s = 0
    await get(channel)
    assert (logged[0]["code"], logged[0]["log_level"]) == ("CANCELLED", "info")


async def test_a_stream_that_is_left_is_closed(channel: aio.Channel, fakes: Fakes) -> None:
    fakes.search.hit_count, fakes.search.delay_s = 50_000, 0.001
    call = search(channel)
    await call.read()
    call.cancel()
    await fakes.search.closed.wait()


async def test_a_stream_may_fail_midway(channel: aio.Channel, fakes: Fakes) -> None:
    fakes.search.hit_count, fakes.search.delay_s = 200, 0.05
    call = search(channel)
    await call.read()
    fakes.search.failure = Conflict("changed")
    with pytest.raises(aio.AioRpcError) as caught:
        await read_all(call)
    assert caught.value.code() is StatusCode.ABORTED


async def test_an_unknown_method_is_unimplemented(channel: aio.Channel) -> None:
    for _ in range(2):
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary("/quipu.v1.MemoryService/Forget", bytes, bytes)(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
