"""The commands of the cookbook for grpcurl, each sent as grpcurl does: made by reflection from the JSON of the page."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from quipu_server.app import Running
from tests.integration.secured import MASTER_KEY, door

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "grpcurl.md").read_text("utf-8")
PLACES = {"PAGE_TOKEN": "nextPageToken", "ETAG": "etag", "API_KEY": "name", "JOB_NAME": "name"}
"""What stands in the page for a field of the answer before."""
FOUND = {
    "Search": "hits",
    "ListMemories": "memories",
    "ListMemoryRevisions": "revisions",
    "BatchGetMemories": "missing",
    "WatchMemories": "changes",
    "IngestMemories": "acknowledgements",
    "ListJobs": "jobs",
    "AppendMessages": "messages",
    "ListSessions": "sessions",
    "ListRetentionPolicies": "retentionPolicies",
    "RunRetention": "progress",
    "ListMessages": "messages",
    "GetWindow": "messages",
    "PackContext": "citations",
    "DeleteSession": "deletedMessageCount",
    "DeleteSpace": "deletedMemoryCount",
    "CreateApiKey": "secret",
    "ListAuditEntries": "entries",
}
"""What the first message of an answer has."""
REFUSED = "## Read an error"
"""The part whose calls fail."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the page: of `list` and `describe` the symbol, of a call the method and the request."""

    verb: str
    symbol: str
    request: str = "{}"
    is_refused: bool = False
    headers: Sequence[tuple[str, str]] = ()


def commands() -> Iterator[Command]:
    for part in re.split(r"^(?=## )", PAGE, flags=re.MULTILINE):
        for block in re.findall(r"```sh\n(.+?)```", part, re.DOTALL):
            for text in re.split(r"^(?=grpcurl )", block, flags=re.MULTILINE)[1:]:
                yield command(text, is_refused=part.startswith(REFUSED))


def command(text: str, is_refused: bool) -> Command:
    program, plaintext, *rest = shlex.split(text.replace("\\\n", ""))
    assert (program, plaintext) == ("grpcurl", "-plaintext")
    place = rest.index("localhost:50051")
    options, words = dict(zip(rest[:place:2], rest[1:place:2], strict=True)), rest[place + 1 :]
    assert options.keys() <= {"-d", "-max-time", "-H"}
    headers = [header(options["-H"])] if "-H" in options else []
    if words[0] in {"list", "describe"}:
        return Command(words[0], "".join(words[1:]))
    return Command("call", words[0].replace("/", "."), options.get("-d", "{}"), is_refused, headers)


def header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(": ")
    return name, value.replace("$QUIPU_MASTER_KEY", MASTER_KEY)


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents that stand one after the other."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield mapped(document)
        rest = rest[end:].strip()


def mapped(document: dict[str, Any]) -> dict[str, Any]:
    """Write the mask as the JSON of Protobuf has it; grpcurl takes it as a message."""
    if "update_mask" not in document:
        return document
    return document | {"update_mask": FieldMask(paths=document["update_mask"]["paths"]).ToJsonString()}


class Caller:
    """Knows of the server what its reflection says."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)
        self._last: dict[str, str] = {}

    def describe(self, symbol: str) -> None:
        assert self._database.FindFileContainingSymbol(symbol).name

    def call(self, command: Command) -> None:
        service, _, name = command.symbol.rpartition(".")
        method = self._pool.FindServiceByName(service).methods_by_name[name]
        text = command.request
        for place, field in PLACES.items():
            text = text.replace(f'"{place}"', f'"{self._last.get(field, place)}"')
        message = GetMessageClass(method.input_type)
        requests = [json_format.ParseDict(d, message(), descriptor_pool=self._pool) for d in documents(text)]
        try:
            answers = self._send(method, requests, command.headers)
        except grpc.RpcError:
            assert command.is_refused, command
            return
        assert not command.is_refused
        first, last = (json_format.MessageToDict(a, descriptor_pool=self._pool) for a in (answers[0], answers[-1]))
        assert FOUND.get(name, "") in {"", *first}, command
        self._last = {**last, **last.get("memory", {}), **last.get("apiKey", {}), **last.get("job", {})}

    def _send(
        self, method: MethodDescriptor, requests: Sequence[Any], headers: Sequence[tuple[str, str]]
    ) -> Sequence[Any]:
        """Send the requests; the answers, of a watch the first one."""
        call = self._channel.stream_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            GetMessageClass(method.input_type).SerializeToString,
            GetMessageClass(method.output_type).FromString,
        )(iter(requests), timeout=30, metadata=tuple(headers))
        if method.name.startswith("Watch"):
            first = next(call)
            call.cancel()
            return [first]
        return list(call)


def run(port: int, secured_port: int) -> None:
    """Send each command to a server without credentials, or if it brings one, to the one that wants it."""
    with (
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        grpc.insecure_channel(f"127.0.0.1:{secured_port}") as secured_channel,
    ):
        caller, administrator = Caller(channel), Caller(secured_channel)
        for command in commands():
            if command.verb == "call":
                (administrator if command.headers else caller).call(command)
            elif command.symbol:
                caller.describe(command.symbol)


async def test_every_command_is_answered(server: Running, database_url: str) -> None:
    async with door(database_url, open_reflection=True) as secured:
        await asyncio.to_thread(run, server.port, secured.server.port)


async def test_there_is_a_command_for_every_rpc(server: Running) -> None:
    def methods() -> set[str]:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool, names = DescriptorPool(database), database.get_services()
            services = [pool.FindServiceByName(name) for name in names if name.startswith("quipu.")]
            return {method.full_name for service in services for method in service.methods}

    served = await asyncio.to_thread(methods)
    assert len(served) > 1
    assert served <= {command.symbol for command in commands() if command.verb == "call"}
