"""What all groups of calls share."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar
from uuid import uuid4

from quipu.names import MemoryLike, memory_name, space_name, space_of
from quipu.v1.consistency_pb2 import AsOfRead, AtLeastRead, ReadConsistency, StrongRead
from quipu.v1.memory_pb2 import Memory
from quipu.values import to_duration
from quipu.wire import Wire

if TYPE_CHECKING:
    from grpc.aio import UnaryUnaryMultiCallable


@dataclass(frozen=True, slots=True)
class AsOf:
    """The past: spaces as they were at a revision, or at one for each; what is not named is read as it stands."""

    revisions: int | Mapping[str, int]


Consistency: TypeAlias = Literal["strong", "session"] | timedelta | Mapping[str, int] | AsOf


class _Paged(Protocol):
    page_token: str


class _Page(Protocol):
    next_page_token: str


ListRequest = TypeVar("ListRequest", bound=_Paged)
ListResponse = TypeVar("ListResponse", bound=_Page)


class Operations:
    """A connection, the space that calls without one mean, and the last revision seen of each space."""

    def __init__(self, wire: Wire, space: str) -> None:
        self._wire = wire
        self._space = space_name(space)
        self._revisions: dict[str, int] = {}

    def _parent(self, space: str | None) -> str:
        return self._space if space is None else space_name(space)

    def _parents(self, space: str | Sequence[str] | None) -> Sequence[str]:
        if isinstance(space, str) or space is None:
            return [self._parent(space)]
        return [space_name(name) for name in space]

    def _name(self, memory: MemoryLike, space: str | None) -> str:
        return memory_name(memory, self._parent(space))

    def _saw(self, space: str, revision: int) -> None:
        self._revisions[space] = max(revision, self._revisions.get(space, 0))

    def _saw_memory(self, memory: Memory) -> Memory:
        self._saw(space_of(memory.name), memory.revision)
        return memory

    async def _pages(
        self,
        method: "UnaryUnaryMultiCallable[ListRequest, ListResponse]",
        request: ListRequest,
        timeout: float | None,
    ) -> AsyncGenerator[ListResponse, None]:
        """Follow the page tokens to the end."""
        while True:
            page = await self._wire.unary(method, request, timeout)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _consistency(self, level: Consistency, spaces: Sequence[str]) -> ReadConsistency:
        match level:
            case "strong":
                return ReadConsistency(strong=StrongRead())
            case "session":
                revisions = {space: self._revisions.get(space, 0) for space in spaces}
            case timedelta():
                return ReadConsistency(max_staleness=to_duration(level))
            case AsOf():
                return ReadConsistency(as_of=AsOfRead(revisions=by_space(level.revisions, spaces, "consistency")))
            case _:
                revisions = by_space(level, spaces, "consistency")
        return ReadConsistency(at_least=AtLeastRead(revisions=revisions))


def by_space(revisions: int | Mapping[str, int], spaces: Sequence[str], argument: str) -> dict[str, int]:
    """Revisions by name of space, from one of all spaces, or from those by id or name."""
    if isinstance(revisions, Mapping):
        return {space_name(space, argument): revision for space, revision in revisions.items()}
    return dict.fromkeys(spaces, revisions)


def request_id_or_new(request_id: str | None) -> str:
    """The caller's request id, or a new one, so that a retry has no second effect."""
    return request_id or str(uuid4())
