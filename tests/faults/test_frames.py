"""Bytes that no client of ours would send."""

import asyncio
import struct
from contextlib import suppress

import pytest
from grpc import StatusCode

from quipu_server.app import Running
from tests.faults.ledger import Ledger, traffic
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE = "/quipu.v1.MemoryService/CreateMemory"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
GARBAGE = {
    "noise": bytes(range(256)) * 64,
    "HTTP/1.1": b"POST /quipu.v1.MemoryService/CreateMemory HTTP/1.1\r\nHost: quipu\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(154),
    "a frame longer than allowed": PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(4_096),
    "headers that cannot be decoded": PREFACE + b"\x00\x00\x08\x01\x04\x00\x00\x00\x01" + b"\xff" * 8,
    "data on a stream that nobody opened": PREFACE + b"\x00\x00\x04\x00\x00\x00\x00\x00\x07" + bytes(4),
    "a thousand resets": PREFACE + b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08" * 1_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_on_the_port(server: Running, ledger: Ledger, garbage: bytes) -> None:
    """Something that is no gRPC is sent to the port (noise, HTTP/1.1, TLS, broken HTTP/2): others are answered."""
    async with traffic(ledger):
        for _ in range(20):
            await say(server.port, garbage)
    assert not ledger.refusals


async def say(port: int, garbage: bytes) -> None:
    """Send it, hear what comes for a moment, and leave."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(OSError, TimeoutError):
        writer.write(garbage)
        await writer.drain()
        async with asyncio.timeout(0.02):
            await reader.read()
    writer.transport.abort()


def field(number: int, content: bytes) -> bytes:
    return struct.pack("BB", number << 3 | 2, len(content)) + content


async def test_messages_that_cannot_be_read(api: Api, ledger: Ledger, space: str) -> None:
    """A message is cut short, is noise, or has text that is not UTF-8: INVALID_ARGUMENT, and nothing is stored."""
    good = field(1, space.encode()) + field(3, field(2, b"The lamp was lit"))
    create = api.channel.unary_unary(CREATE, bytes, bytes)
    await ledger.write()
    for bad in (*(good[:length] for length in (1, 5, len(good) - 1)), b"\xff" * 64, good.replace(b"lamp", b"l\xffmp")):
        assert (await refusal(create(bad))).code is StatusCode.INVALID_ARGUMENT
    await ledger.check()


async def test_a_message_that_is_too_long(api: Api, ledger: Ledger) -> None:
    """A message is longer than message_bytes: RESOURCE_EXHAUSTED, unread, and nothing is stored."""
    create = api.channel.unary_unary(CREATE, bytes, bytes)
    async with traffic(ledger):
        for _ in range(3):
            assert (await refusal(create(bytes(17 << 20)))).code is StatusCode.RESOURCE_EXHAUSTED
    assert not ledger.refusals
