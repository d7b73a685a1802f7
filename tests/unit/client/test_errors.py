"""Errors, deadlines, retries and credentials of the clients."""

import time
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

import quipu
from quipu.v1.memory_service_pb2 import CreateMemoryResponse, GetMemoryResponse
from quipu.wire import RETRIES
from tests.unit.fake_server import CALL_ID, FakeServer, abort


async def test_an_error_brings_its_reason_and_details(server: FakeServer) -> None:
    server.answers["GetMemory"] = lambda _: abort(
        server,
        "INVALID_ARGUMENT",
        "name: is bad",
        ErrorInfo(reason="INVALID_FIELD", domain="quipu", metadata={"field": "name"}),
        BadRequest(field_violations=[BadRequest.FieldViolation(field="name", description="is bad")]),
    )
    async with quipu.connect(server.address) as client:
        with pytest.raises(quipu.InvalidArgument, match="name: is bad") as raised:
            await client.get("?")
    assert raised.value.reason == "INVALID_FIELD"
    assert raised.value.metadata == {"field": "name"}
    assert raised.value.field_violations == (quipu.FieldViolation("name", "is bad"),)
    assert raised.value.retry_after is None
    assert not raised.value.is_retryable


def test_a_retry_hint_is_in_seconds(server: FakeServer) -> None:
    server.answers["GetMemory"] = lambda _: abort(
        server,
        "RESOURCE_EXHAUSTED",
        "slowly",
        RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
    )
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.ResourceExhausted) as raised:
        client.get("m1")
    assert raised.value.retry_after == 1.5
    assert raised.value.is_retryable


@pytest.mark.parametrize(("code", "reason"), [("UNAVAILABLE", "OVERLOADED"), ("ABORTED", "WRITE_CONFLICT")])
def test_what_may_succeed_later_says_so(server: FakeServer, code: str, reason: str) -> None:
    server.answers["GetMemory"] = lambda _: abort(server, code, "later", ErrorInfo(reason=reason, domain="quipu"))
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.QuipuError) as raised:
        client.get("m1")
    assert raised.value.is_retryable


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_has_its_class(server: FakeServer, code: grpc.StatusCode) -> None:
    server.answers["GetMemory"] = lambda _: abort(server, code.name, "no")
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.QuipuError) as raised:
        client.get("m1")
    assert raised.value.code is code
    assert type(raised.value) is not quipu.QuipuError


@pytest.fixture
def flaky(server: FakeServer) -> FakeServer:
    """Unavailable twice, then answering."""

    def answer(request: Any) -> CreateMemoryResponse:
        if len(server.requests) < 3:
            abort(server, "UNAVAILABLE", "not yet")
        return CreateMemoryResponse(memory=request.memory)

    server.answers["CreateMemory"] = answer
    return server


async def test_an_unavailable_server_is_asked_again_with_the_same_request_id(flaky: FakeServer) -> None:
    async with quipu.connect(flaky.address) as client:
        assert (await client.add("x")).content == "x"
    assert len(flaky.requests) == 3
    assert len({request.request_id for request in flaky.requests}) == 1


def test_the_sync_client_asks_again_too(flaky: FakeServer) -> None:
    with quipu.connect_sync(flaky.address) as client:
        assert client.add("x").content == "x"
    assert len(flaky.requests) == 3


async def test_a_long_request_is_sent_again_too(flaky: FakeServer) -> None:
    text = "x" * 300_000  # gRPC itself keeps 256 KiB
    async with quipu.connect(flaky.address) as client:
        assert (await client.add(text)).content == text
    with quipu.connect_sync(flaky.address) as sync:
        flaky.requests.clear()
        assert sync.add(text).content == text
    assert len(flaky.requests) == 3


def test_the_attempts_outlast_a_slow_restart() -> None:
    policy: Any = RETRIES["methodConfig"][0]["retryPolicy"]
    first, longest = (float(policy[key].removesuffix("s")) for key in ("initialBackoff", "maxBackoff"))
    waits = [min(first * policy["backoffMultiplier"] ** n, longest) for n in range(policy["maxAttempts"] - 1)]
    assert 9 <= sum(waits) <= 10


async def test_an_error_names_the_call_and_the_write(server: FakeServer) -> None:
    server.answers["CreateMemory"] = server.answers["GetMemory"] = lambda _: abort(server, "INTERNAL", "a defect")
    async with quipu.connect(server.address) as client:
        with pytest.raises(quipu.Internal) as raised:
            await client.add("x")
        assert (raised.value.request_id, raised.value.call_id) == (server.requests[-1].request_id, CALL_ID)
    with quipu.connect_sync(server.address) as sync, pytest.raises(quipu.Internal) as raised:
        sync.get("m")
    assert (raised.value.request_id, raised.value.call_id) == ("", CALL_ID)


def test_where_nobody_listens_the_address_is_named() -> None:
    with (
        quipu.connect_sync("127.0.0.1:1", timeout=10) as client,
        pytest.raises(quipu.Unavailable, match=r"the server at 127\.0\.0\.1:1 cannot be reached") as raised,
    ):
        client.get("m1")
    assert raised.value.call_id == ""


async def test_a_call_ends_at_its_deadline(server: FakeServer) -> None:
    def wait(request: Any) -> GetMemoryResponse:
        while server.context.is_active():
            time.sleep(0.01)
        return GetMemoryResponse()

    server.answers["GetMemory"] = wait
    async with quipu.connect(server.address, timeout=0.2) as client:
        with pytest.raises(quipu.DeadlineExceeded):
            await client.get("m1")
    with quipu.connect_sync(server.address) as sync, pytest.raises(quipu.DeadlineExceeded):
        sync.get("m1", timeout=0.2)


def test_every_call_has_a_deadline(server: FakeServer) -> None:
    server.answers["GetMemory"] = lambda _: GetMemoryResponse()
    with quipu.connect_sync(server.address) as client:
        client.get("m1")
    remaining = server.context.time_remaining()
    assert remaining is not None
    assert remaining < 31  # gRPC rounds up what it sends


def test_the_api_key_is_a_bearer_token(server: FakeServer) -> None:
    server.answers["GetMemory"] = lambda _: GetMemoryResponse()
    with quipu.connect_sync(server.address, api_key="k1") as client:
        client.get("m1")
    assert ("authorization", "Bearer k1") in server.context.invocation_metadata()
