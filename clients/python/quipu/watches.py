"""The call that follows changes."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from quipu import dual
from quipu.errors import Unavailable
from quipu.filters import FilterLike, filtering
from quipu.operations import Operations
from quipu.positions import Position
from quipu.results import Watch
from quipu.v1.memory_service_pb2 import WatchMemoriesRequest, WatchMemoriesResponse
from quipu.waits import renewal_wait_s
from quipu.wire import FOREVER


class WatchOperations(Operations):
    """Everything about changes as they happen."""

    @dual.watch
    def watch(
        self,
        *,
        space: str | Sequence[str] | None = None,
        after: int | Mapping[str, int] | str | None = None,
        filter: FilterLike | None = None,
    ) -> Watch:
        """Follow changes, for ever: each once and in the order of its space.

        When the server goes away after it has answered once, the watch goes on by itself where it was as soon as there
        is a server again. Raises NotFound, also when a space is deleted; OutOfRange; Unavailable when no server ever
        answered.

        space: one, or up to 16.
        after: the revision after which changes are told, 0 for all, of every space or by space, as in `position` of an
        earlier watch; a space without one is watched from now on. The `token` of an earlier watch goes on where that
        was, and raises OutOfRange (LOG_REPLACED) when the database was restored to before what that watch has told.
        filter: tells the changes of memories that meet it after the change or met it before.
        """
        spaces = self._parents(space)
        position = Position.read(after, spaces)
        request = WatchMemoriesRequest(spaces=spaces, **filtering(filter))
        return Watch(self._watch(request, position), position)

    async def _watch(
        self, request: WatchMemoriesRequest, position: Position
    ) -> AsyncGenerator[WatchMemoriesResponse, None]:
        """Begin after the position, again and again."""
        has_begun, failures = False, 0
        while True:
            position.put_into(request)
            try:
                async with aclosing(self._wire.stream(self._wire.memories.WatchMemories, request, FOREVER)) as stream:
                    async for response in stream:
                        has_begun, failures = True, 0
                        self._saw(response.space, response.revision)
                        yield response
            except Unavailable:
                if not has_begun:
                    raise
            await self._wire.pause(renewal_wait_s(failures))
            failures += 1
