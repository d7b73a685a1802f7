"""Health: NOT_SERVING until the server is ready, and again when it is not."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

from quipu_server.rpc.caller import Context

LIVE = "quipu.live"
"""The name to ask by whether the process works, whatever it waits for."""

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class Health(HealthServicer):
    """The health service; all services share one state, but for LIVE, which serves as long as it answers.

    Unlike grpcio's own servicer, it ends what watches when the server stops, which would wait for it otherwise, and is
    not held up by a watcher that does not read.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = frozenset(["", LIVE, *services])
        self._changed = asyncio.Condition()
        self._is_serving = False
        self._is_stopped = False

    @property
    def is_serving(self) -> bool:
        """What callers are told."""
        return self._is_serving and not self._is_stopped

    @property
    def is_able(self) -> bool:
        """Whether calls can be answered: also those that came before the end of a server that stops."""
        return self._is_serving

    async def set(self, *, serving: bool) -> None:
        """Tell whether calls can be answered; callers are not told any more once it is stopped."""
        async with self._changed:
            self._is_serving = serving
            self._changed.notify_all()

    async def stop(self) -> None:
        """Stop serving for good, and end what watches after telling it."""
        async with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return HealthCheckResponse(status=self._status(request.service))

    async def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncGenerator[HealthCheckResponse, None]:
        told = None
        while not (self._is_stopped and told == self._status(request.service)):
            told = self._status(request.service)
            yield HealthCheckResponse(status=told)
            async with self._changed:
                await self._changed.wait_for(partial(self._is_news, request.service, told))

    def _is_news(self, service: str, told: int) -> bool:
        return self._is_stopped or told != self._status(service)

    def _status(self, service: str) -> int:
        if service not in self._services:
            return SERVICE_UNKNOWN
        if service == LIVE:
            return SERVING
        return SERVING if self.is_serving else NOT_SERVING
