"""Answers that come in parts."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from quipu.errors import QuipuError
from quipu.fields import ChangeName, change_name
from quipu.positions import Position
from quipu.stepping import run
from quipu.v1.memory_pb2 import Memory, Redaction
from quipu.v1.memory_service_pb2 import WatchMemoriesResponse
from quipu.v1.search_service_pb2 import ContextEntry, Hit, SearchContext, SearchResponse, SearchSummary

T = TypeVar("T")
Part = TypeVar("Part")


class Results(Generic[T]):
    """Items in their order, to be read once: `async for item in results`, or `await results.all()`.

    Nothing is sent before the first item is asked for. Parts are fetched as they are needed.
    """

    def __init__(self, parts: AsyncGenerator[Part, None], unpack: Callable[[Part], Iterable[T]]) -> None:
        self._parts: AsyncGenerator[Any, None] = parts
        self._unpack: Callable[[Any], Iterable[T]] = unpack
        self._items: Iterator[T] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            self._items = iter(self._open(await anext(self._parts)))

    async def all(self) -> list[T]:
        """The items that were not read yet."""
        return [item async for item in self]

    async def close(self) -> None:
        """Stop early; the server stops working on the answer. Dropping the results does the same a little later."""
        await self._parts.aclose()

    def _open(self, part: Any) -> Iterable[T]:
        return self._unpack(part)


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """A message of a part of a session. hit: the hit it is; None for what stands around hits."""

    memory: Memory
    hit: Hit | None


@dataclass(frozen=True, slots=True)
class Context:
    """A part of a session around hits, in its order. session: its name, `spaces/{space}/sessions/{session}`."""

    session: str
    messages: Sequence[ContextMessage]


class Hits(Results[Hit]):
    """The hits of a search, best first."""

    def __init__(self, responses: AsyncGenerator[SearchResponse, None]) -> None:
        super().__init__(responses, lambda response: response.hits)
        self._summary: SearchSummary | None = None
        self._read: list[Hit] = []
        self._contexts: list[SearchContext] = []

    @property
    def summary(self) -> SearchSummary:
        """What answered. Raises RuntimeError before the last hit was read."""
        if self._summary is None:
            raise RuntimeError("the summary comes after the last hit: read all hits first")
        return self._summary

    @property
    def contexts(self) -> Sequence[Context]:
        """What was said around the hits, the part with the best hit first; with `expand_context` only.

        Raises RuntimeError before the last hit was read.
        """
        assert self.summary is not None
        return [Context(run.session, [self._message(entry) for entry in run.entries]) for run in self._contexts]

    def _message(self, entry: ContextEntry) -> ContextMessage:
        if entry.WhichOneof("entry") == "memory":
            return ContextMessage(entry.memory, None)
        hit = self._read[entry.hit]
        return ContextMessage(hit.memory, hit)

    def _open(self, part: SearchResponse) -> Iterable[Hit]:
        if part.HasField("summary"):
            self._summary = part.summary
        self._contexts += part.contexts
        self._read += part.hits
        return super()._open(part)


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a memory.

    space: its name, `spaces/{space}`.
    memory: as the change left it; a deleted one as it was.
    left: it met the filter before the change and does not any more, though it was not deleted.
    """

    space: str
    revision: int
    change: ChangeName
    memory: Memory
    left: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a memory that was ingested.

    offset: its place among all, from 0.
    name, revision: of the memory that was stored; empty and 0 when it was refused.
    error: why it was refused; None when it was stored.
    searchable: whether every search finds it; if not, it is found by words only until it is embedded.
    redactions: the personal data that the server left out of it.
    """

    offset: int
    name: str
    revision: int
    error: QuipuError | None
    searchable: bool = False
    redactions: Sequence[Redaction] = ()


class Watch(Results[Change]):
    """The changes of spaces, each once and in the order of its space: those made before and those to come."""

    def __init__(self, responses: AsyncGenerator[WatchMemoriesResponse, None], position: Position) -> None:
        super().__init__(responses, self._read)
        self._position = position

    @property
    def position(self) -> Mapping[str, int]:
        """How far it has come, by name of space: kept, and given as `after`, it goes on after the change read last."""
        return dict(self._position.revisions)

    @property
    def token(self) -> str:
        """The position as text: given as `after`, it also notices when the database was restored meanwhile."""
        return self._position.token

    def _read(self, response: WatchMemoriesResponse) -> Iterator[Change]:
        for watched in response.changes:
            made = watched.revision
            self._position.reach(response.space, made.revision, watched.nonce)
            yield Change(response.space, made.revision, change_name(made.change), made.memory, watched.left)
        self._position.reach(response.space, response.revision, response.nonce)


class SyncResults(Generic[T]):
    """Items in their order, to be read once: `for item in results`, or `results.all()`.

    Nothing is sent before the first item is asked for. Parts are fetched as they are needed.
    """

    def __init__(self, results: Results[T]) -> None:
        self._results = results

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return run(self._results.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def all(self) -> list[T]:
        """The items that were not read yet."""
        return run(self._results.all())

    def close(self) -> None:
        """Stop early; the server stops working on the answer. Dropping the results does the same."""
        run(self._results.close())


class SyncHits(SyncResults[Hit]):
    """The hits of a search, best first."""

    _results: Hits

    @property
    def summary(self) -> SearchSummary:
        """What answered. Raises RuntimeError before the last hit was read."""
        return self._results.summary

    @property
    def contexts(self) -> Sequence[Context]:
        """What was said around the hits. Raises RuntimeError before the last hit was read."""
        return self._results.contexts


class SyncWatch(SyncResults[Change]):
    """The changes of spaces, each once and in the order of its space: those made before and those to come.

    Closing the client from another thread ends it with Cancelled.
    """

    _results: Watch

    @property
    def position(self) -> Mapping[str, int]:
        """How far it has come, by name of space: kept, and given as `after`, it goes on after the change read last."""
        return self._results.position

    @property
    def token(self) -> str:
        """The position as text: given as `after`, it also notices when the database was restored meanwhile."""
        return self._results.token
