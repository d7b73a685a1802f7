"""Writers and searches beside a fault, and what must be true of them afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode, aio

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest, ListMemoriesRequest
from quipu.v1.space_service_pb2 import GetSpaceRequest
from tests.integration.api import Api, Refusal, read_refusal

WRITERS, SEARCHERS = 3, 2
PAUSE_S = 0.02
RECOVERY_S = 20.0
WHILE_DOWN = frozenset(
    {
        (StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
        (StatusCode.UNAVAILABLE, "NOT_READY"),
        (StatusCode.UNAVAILABLE, "OVERLOADED"),
        (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (StatusCode.DEADLINE_EXCEEDED, ""),  # said by the client's own library
    }
)
"""What docs/errors.md has for a service that cannot answer now."""
CUT_OFF = WHILE_DOWN | {(StatusCode.UNAVAILABLE, ""), (StatusCode.CANCELLED, "")}
"""And what gRPC says when the server itself goes away."""


@dataclass(slots=True)
class Ledger:
    """What was sent to a space, and what of it was acknowledged."""

    api: Api
    space: str
    allowed: frozenset[tuple[StatusCode, str]] = WHILE_DOWN
    sent: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    answered_at: dict[str, float] = field(default_factory=dict)
    call_s: float | None = 30.0
    """Deadline of each call."""
    is_over: bool = False

    async def write(self) -> bool:
        """Store one more memory; tells whether it was acknowledged."""
        memory_id = f"m{len(self.sent)}"
        self.sent[memory_id] = content = f"The lamp of ship {len(self.sent)} was lit"
        request = CreateMemoryRequest(parent=self.space, memory_id=memory_id, memory=Memory(content=content))
        if await self._tell("write", self.api.memories.CreateMemory(request, timeout=self.call_s)):
            self.acknowledged.add(memory_id)
            return True
        return False

    async def search(self) -> bool:
        """Search; what was acknowledged before must be found."""
        before = len(self.acknowledged)

        async def find() -> None:
            found = await self.api.search(self.space, text="lamp", k=1, timeout=self.call_s)
            assert found.hits or not before

        return await self._tell("search", find())

    async def recovered(self) -> None:
        """Wait until writes and searches that begin now are answered."""
        began = time.monotonic()
        while any(self.answered_at.get(kind, 0.0) < began for kind in ("write", "search")):
            assert time.monotonic() < began + RECOVERY_S, f"it does not answer again: {self.refusals[-3:]}"
            await asyncio.sleep(PAUSE_S)

    async def refused(self, count: int = 3) -> None:
        """Wait until so many more calls were refused."""
        wanted, began = len(self.refusals) + count, time.monotonic()
        while len(self.refusals) < wanted:
            assert time.monotonic() < began + RECOVERY_S, "nothing was refused"
            await asyncio.sleep(PAUSE_S)

    async def check(self) -> None:
        """Nothing acknowledged is lost, nothing was stored twice or changed, and every error was a documented one."""
        assert not [r for r in self.refusals if (r.code, r.reason) not in self.allowed]
        assert self.acknowledged
        stored = await self.stored()
        assert self.acknowledged <= stored.keys()
        assert stored == {memory_id: self.sent[memory_id] for memory_id in stored}
        status = (await self.api.spaces.GetSpace(GetSpaceRequest(name=self.space))).space
        assert status.revision == status.memory_count == len(stored)
        found = await self.api.search(self.space, text="lamp", k=1_000)
        assert sorted(found.ids) == sorted(stored)

    async def stored(self) -> dict[str, str]:
        """Contents by id, from all pages."""
        contents: dict[str, str] = {}
        token = ""
        while True:
            request = ListMemoriesRequest(parent=self.space, page_size=1_000, page_token=token)
            page = await self.api.memories.ListMemories(request)
            contents |= {m.name.rpartition("/")[2]: m.content for m in page.memories}
            if not (token := page.next_page_token):
                return contents

    async def _tell(self, kind: str, call: Any) -> bool:
        began = time.monotonic()
        try:
            await call
        except aio.AioRpcError as error:
            self.refusals.append(read_refusal(error))
            return False
        self.answered_at[kind] = began
        return True


@asynccontextmanager
async def traffic(ledger: Ledger) -> AsyncIterator[Ledger]:
    """Writers and searches at work during the block; they are checked after it."""

    async def repeat(step: Any) -> None:
        while not ledger.is_over:
            await step()
            await asyncio.sleep(PAUSE_S)

    assert await ledger.write()  # the space is made by the first
    steps = [ledger.write] * WRITERS + [ledger.search] * SEARCHERS
    tasks = [asyncio.create_task(repeat(step)) for step in steps]
    try:
        await ledger.recovered()
        yield ledger
        await ledger.recovered()
    finally:
        ledger.is_over = True
        await asyncio.gather(*tasks)
    await ledger.check()
