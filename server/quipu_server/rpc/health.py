"""Health over gRPC: NOT_SERVING until everything is ready."""

from collections.abc import Sequence

from grpc_health.v1 import health, health_pb2


class Health:
    """The state of the server as a whole and of each of its services."""

    def __init__(self, services: Sequence[str]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._services = ("", *services)
        self.is_serving = False

    async def set(self, *, serving: bool) -> None:
        """Tell everybody who asks or watches."""
        self.is_serving = serving
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in self._services:
            await self.servicer.set(service, state)

    async def drain(self) -> None:
        """Tell that the server stops; calls that run may end. Nothing is told after that."""
        await self.servicer.enter_graceful_shutdown()
