"""The call that follows changes."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from quipu import dual
from quipu.errors import Unavailable
from quipu.filters import FilterLike, filtering
from quipu.operations import Operations, by_space
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
        after: int | Mapping[str, int] | None = None,
        filter: FilterLike | None = None,
    ) -> Watch:
        """Follow changes, for ever: each once and in the order of its space.

        When the server goes away after it has answered once, the watch goes on by itself where it was as soon as there
        is a server again. Raises NotFound, also when a space is deleted; OutOfRange; Unavailable when no server ever
        answered.

        space: one, or up to 16.
        after: the revision after which changes are told, 0 for all, of every space or by space, as in `position` of an
        earlier watch; a space without one is watched from now on.
        filter: tells the changes of memories that meet it after the change or met it before.
        """
        spaces = self._parents(space)
        position = _position(spaces, after)
        request = WatchMemoriesRequest(spaces=spaces, **filtering(filter))
        return Watch(self._watch(request, position), position)

    async def _watch(
        self, request: WatchMemoriesRequest, position: Mapping[str, int]
    ) -> AsyncGenerator[WatchMemoriesResponse, None]:
        """Begin after the position, again and again."""
        has_begun, failures = False, 0
        while True:
            request.after_revisions.update(position)
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


def _position(spaces: Sequence[str], after: int | Mapping[str, int] | None) -> dict[str, int]:
    return {} if after is None else by_space(after, spaces, "after")
