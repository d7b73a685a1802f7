"""A TCP proxy on loopback, and what can happen to a network."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PIECE_BYTES = 1 << 16


@dataclass(eq=False, slots=True)
class Link:
    """One connection through the gate."""

    writers: list[asyncio.StreamWriter]
    flows: asyncio.Event = field(default_factory=asyncio.Event)


class Gate:
    """Stands before a server. delay_s: of each piece of what is sent, in both directions."""

    def __init__(self, reach: Callable[[], Awaitable[Ends]]) -> None:
        """reach: connects to what is behind."""
        self._reach = reach
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._is_stalled = False
        self.delay_s = 0.0
        self.is_shut = False

    async def open(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        for link in self._links:
            for writer in link.writers:
                writer.transport.abort()

    def stall(self, *, new_ones: bool) -> None:
        """Deliver nothing any more on the connections there are, and on later ones if told; no end notices."""
        self._is_stalled = new_ones
        for link in self._links:
            link.flows.clear()

    def flow(self) -> None:
        """Deliver everything again, also what was sent meanwhile."""
        self._is_stalled = False
        for link in self._links:
            link.flows.set()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_shut:
            writer.transport.abort()
            return
        try:
            behind_reader, behind_writer = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        link = Link([writer, behind_writer])
        if not self._is_stalled:
            link.flows.set()
        self._links.add(link)
        try:
            await asyncio.gather(self._carry(link, reader, behind_writer), self._carry(link, behind_reader, writer))
        finally:
            self._links.discard(link)

    async def _carry(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(PIECE_BYTES):
                await link.flows.wait()
                await asyncio.sleep(self.delay_s)
                sink.write(piece)
                await sink.drain()
        sink.close()
