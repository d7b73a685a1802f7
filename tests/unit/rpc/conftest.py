"""A server over fakes, and channels to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from grpc import aio

from quipu_server.access.administration import Administration
from quipu_server.access.authentication import Authenticator
from quipu_server.access.ports import AccessStore, Unmetered
from quipu_server.config import Settings
from quipu_server.erasing import Erasing
from quipu_server.indexes import Indexes
from quipu_server.job_control import JobControl
from quipu_server.memories import Memories
from quipu_server.packs import Packs
from quipu_server.retention.asking import Asking
from quipu_server.retention.policies import Policies
from quipu_server.rpc.memory_service import Streams
from quipu_server.rpc.server import RpcServer, UseCases
from quipu_server.search import Search
from quipu_server.sessions import Sessions
from quipu_server.spaces import Spaces
from quipu_server.uses import Uses
from tests.unit.rpc.fakes import FakeEmbedder, FakeIndexes, FakeMemories, FakeSearch, FakeSpaces, FakeUses


@dataclass(frozen=True, slots=True)
class Fakes:
    """What the server under test is made of."""

    memories: FakeMemories = field(default_factory=FakeMemories)
    spaces: FakeSpaces = field(default_factory=FakeSpaces)
    search: FakeSearch = field(default_factory=FakeSearch)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    indexes: FakeIndexes = field(default_factory=FakeIndexes)
    uses: FakeUses = field(default_factory=FakeUses)

    def server(self, **settings: object) -> RpcServer:
        memories, spaces, search = cast(Memories, self.memories), cast(Spaces, self.spaces), cast(Search, self.search)
        made = Settings.model_validate({"port": 0, "content_bytes": 1_000} | settings)
        source = cast(AccessStore, None)  # nobody is asked for a credential
        use_cases = UseCases(
            memories=memories,
            streams=cast(Streams, None),
            erasing=cast(Erasing, None),
            policies=cast(Policies, None),
            retention_runs=cast(Asking, None),
            spaces=spaces,
            search=search,
            embedder=self.embedder,
            indexes=cast(Indexes, self.indexes),
            sessions=cast(Sessions, None),
            packs=cast(Packs, None),
            uses=cast(Uses, self.uses),
            jobs=cast(JobControl, None),
            authenticator=Authenticator(None, source),
            administration=Administration(source, None),
            usage=Unmetered(),
        )
        return RpcServer(made, use_cases)


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
async def server(fakes: Fakes) -> AsyncIterator[RpcServer]:
    """A server that serves."""
    running = fakes.server()
    await running.health.set(serving=True)
    yield running
    await running.stop()


@pytest.fixture
async def channel(server: RpcServer) -> AsyncIterator[aio.Channel]:
    async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as opened:
        yield opened
