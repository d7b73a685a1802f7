"""The call that stores memories as they come."""

import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from quipu.dual import results
from quipu.errors import QuipuError, Unavailable, refusal_error
from quipu.exchanges import Exchange
from quipu.fields import DraftLike, id_and_memory
from quipu.operations import Operations
from quipu.results import Outcome, Results
from quipu.v1.memory_service_pb2 import (
    IngestAcknowledgement,
    IngestItem,
    IngestMemoriesRequest,
    IngestMemoriesResponse,
    IngestStart,
    IngestState,
)
from quipu.waits import renewal_wait_s

T = TypeVar("T")

Ingestion = Exchange[IngestMemoriesRequest, IngestMemoriesResponse]

MOST_WAITING = 512
"""Items that were sent and not acknowledged: some transactions of the server, so that it always has work."""
MOST_BYTES = 8 << 20
"""Of these items."""


class _Broken(Exception):
    """The call ended before everything was acknowledged, and may be begun again."""


@dataclass(slots=True)
class _Stream:
    """Items that are not acknowledged yet, by offset, and when the last one was."""

    source: AsyncIterator[IngestItem]
    patience_s: float
    waiting: dict[int, IngestItem] = field(default_factory=dict)
    byte_count: int = 0
    has_more: bool = True
    failures: int = 0
    progressed_at: float = field(default_factory=time.monotonic)

    @property
    def is_done(self) -> bool:
        return not self.waiting and not self.has_more

    @property
    def can_take(self) -> bool:
        return self.has_more and len(self.waiting) < MOST_WAITING and self.byte_count < MOST_BYTES

    async def take(self) -> IngestItem | None:
        """The next item, which waits from now on; None at the end."""
        item = await anext(self.source, None)
        if item is None:
            self.has_more = False
        else:
            self.waiting[item.offset] = item
            self.byte_count += item.ByteSize()
        return item

    def acknowledge(self, response: IngestMemoriesResponse) -> None:
        for acknowledgement in response.acknowledgements:
            if item := self.waiting.pop(acknowledgement.offset, None):
                self.byte_count -= item.ByteSize()
        self.failures, self.progressed_at = 0, time.monotonic()

    @property
    def is_hopeless(self) -> bool:
        return time.monotonic() - self.progressed_at > self.patience_s


class IngestOperations(Operations):
    """Everything about streams of memories."""

    @results
    def ingest(
        self,
        memories: Iterable[DraftLike] | AsyncIterable[DraftLike],
        *,
        on_progress: Callable[[int], None] | None = None,
        space: str | None = None,
        defer_embedding: bool = False,
        stream_id: str | None = None,
        timeout: float | None = None,
    ) -> Results[Outcome]:
        """Store memories as they come, however many, each on its own, and tell what became of each, in their order.

        Nothing is stored before the first outcome is asked for; `.all()` stores everything. One that is refused has an
        error in its outcome, and leaves the others. When the server goes away, what it did not acknowledge is sent
        again by itself. Raises QuipuError when the whole cannot go on.

        memories: read no further than 512 beyond the last outcome; a blocking client needs a plain iterable.
        on_progress: called with the number of memories that are acknowledged.
        defer_embedding: as in `add`.
        stream_id: a UUID of the whole; give it to go on after an error, within 7 days, with the same memories from the
        first again: what was stored is not stored again.
        timeout: seconds without a server after which Unavailable is raised.
        """
        start = IngestStart(
            parent=self._parent(space), stream_id=stream_id or str(uuid4()), defer_embedding=defer_embedding
        )
        stream = _Stream(_items(memories), self._wire.seconds(timeout))
        return Results(self._ingest(start, stream, on_progress), lambda outcomes: outcomes)

    async def _ingest(
        self, start: IngestStart, stream: _Stream, on_progress: Callable[[int], None] | None
    ) -> AsyncGenerator[Sequence[Outcome], None]:
        """Call until everything is acknowledged."""
        count = 0
        while not stream.is_done:
            exchange: Ingestion = self._wire.exchange(self._wire.memories.IngestMemories)
            try:
                await _begin(exchange, start, stream)
                while not stream.is_done:
                    if stream.can_take and not await _send_next(exchange, stream):
                        continue
                    response = await _receive(exchange, stream, start)
                    stream.acknowledge(response)
                    count += len(response.acknowledgements)
                    if on_progress:
                        on_progress(count)
                    yield [self._outcome(start, told) for told in response.acknowledgements]
            except _Broken:
                pass
            finally:
                await exchange.close()
            if not stream.is_done:
                await self._wire.pause(renewal_wait_s(stream.failures))
                stream.failures += 1

    def _outcome(self, start: IngestStart, told: IngestAcknowledgement) -> Outcome:
        if told.WhichOneof("outcome") == "refused":
            return Outcome(told.offset, "", 0, refusal_error(told.refused, start.stream_id))
        stored = told.stored
        self._saw(start.parent, stored.revision)
        searchable = stored.state == IngestState.INGEST_STATE_SEARCHABLE
        return Outcome(told.offset, stored.name, stored.revision, None, searchable, tuple(stored.redactions))


async def _begin(exchange: Ingestion, start: IngestStart, stream: _Stream) -> None:
    """Say where the items go, and send again what was not acknowledged."""
    await exchange.send(IngestMemoriesRequest(start=start))
    for item in stream.waiting.values():
        await exchange.send(IngestMemoriesRequest(item=item))
    if not stream.has_more:
        await exchange.end()


async def _send_next(exchange: Ingestion, stream: _Stream) -> bool:
    """Send one more item. Returns whether there is something to receive."""
    item = await stream.take()
    if item is None:
        await exchange.end()
    else:
        await exchange.send(IngestMemoriesRequest(item=item))
    return exchange.has_news


async def _receive(exchange: Ingestion, stream: _Stream, start: IngestStart) -> IngestMemoriesResponse:
    """Raises _Broken when another call may go on, and else QuipuError with the stream id to go on with later."""
    try:
        response = await exchange.receive()
    except QuipuError as error:
        if isinstance(error, Unavailable) and not stream.is_hopeless:
            raise _Broken from error
        error.request_id = start.stream_id
        error.add_note(f"with stream_id={start.stream_id!r} and the same memories it goes on where it was")
        raise
    if response is None:
        raise _Broken
    return response


async def _items(memories: Iterable[DraftLike] | AsyncIterable[DraftLike]) -> AsyncIterator[IngestItem]:
    offset = 0
    async for draft in _each(memories):
        memory_id, memory = id_and_memory(draft)
        yield IngestItem(offset=offset, memory_id=memory_id, memory=memory)
        offset += 1


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """The items of any iterable. Those of a plain one come without waiting in an event loop."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
