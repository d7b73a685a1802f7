"""The gRPC server with all its services."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from quipu.v1 import (
    embedding_service_pb2,
    embedding_service_pb2_grpc,
    memory_service_pb2,
    memory_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    space_service_pb2,
    space_service_pb2_grpc,
)
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from quipu_server.memories import Memories
from quipu_server.ports import Embedder
from quipu_server.rpc.embedding_service import EmbeddingService
from quipu_server.rpc.health import Health
from quipu_server.rpc.interceptor import Interceptor, Limits
from quipu_server.rpc.memory_service import MemoryService
from quipu_server.rpc.search_service import SearchService
from quipu_server.rpc.space_service import SpaceService
from quipu_server.search import Search
from quipu_server.spaces import Spaces

SERVICES = [
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (memory_service_pb2, "MemoryService"),
        (space_service_pb2, "SpaceService"),
        (search_service_pb2, "SearchService"),
        (embedding_service_pb2, "EmbeddingService"),
    )
]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the services are made of."""

    memories: Memories
    spaces: Spaces
    search: Search
    embedder: Embedder


class RpcServer:
    """Listens from `start` on; answers from the moment it is said to be ready."""

    def __init__(self, settings: Settings, cases: UseCases) -> None:
        self._settings = settings
        self.health = Health(SERVICES)
        self._server = build(settings, cases, self.health, lambda: self.health.is_serving)

    async def start(self) -> int:
        """Listen, not ready yet; return the port. Raises StartupError when the address is taken."""
        await self.health.set(serving=False)
        address = f"{self._settings.host}:{self._settings.port}"
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise StartupError(f"cannot listen on {address}: is another server running there? ({error})") from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Take no more calls, wait for the running ones, stop."""
        await self.health.drain()
        await self._server.stop(self._settings.drain_s)


def build(settings: Settings, cases: UseCases, state: Health, is_ready: Callable[[], bool]) -> grpc.aio.Server:
    """A server with every service; it does not listen yet."""
    limits = Limits(settings.default_deadline_s, settings.longest_deadline_s)
    server = grpc.aio.server(
        interceptors=[Interceptor(limits, is_ready)],
        options=[
            ("grpc.max_receive_message_length", settings.message_bytes),
            ("grpc.max_send_message_length", settings.message_bytes),
            ("grpc.so_reuseport", 0),
        ],
    )
    memory_service = MemoryService(cases.memories, settings.content_bytes)
    memory_service_pb2_grpc.add_MemoryServiceServicer_to_server(memory_service, server)
    space_service_pb2_grpc.add_SpaceServiceServicer_to_server(SpaceService(cases.spaces), server)
    search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchService(cases.search), server)
    embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(EmbeddingService(cases.embedder), server)
    health_pb2_grpc.add_HealthServicer_to_server(state.servicer, server)
    reflected = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(reflected, server)
    return server
