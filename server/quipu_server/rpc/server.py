"""The gRPC server: all services, health and reflection."""

import asyncio
from dataclasses import dataclass

from grpc import aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION_NAME
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from quipu.v1 import (
    embedding_service_pb2,
    index_service_pb2,
    memory_service_pb2,
    search_service_pb2,
    space_service_pb2,
)
from quipu.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from quipu.v1.index_service_pb2_grpc import add_IndexServiceServicer_to_server
from quipu.v1.memory_service_pb2_grpc import add_MemoryServiceServicer_to_server
from quipu.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from quipu.v1.space_service_pb2_grpc import add_SpaceServiceServicer_to_server
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from quipu_server.indexes import Indexes
from quipu_server.memories import Memories
from quipu_server.ports import Embedder
from quipu_server.rpc.embedding_service import EmbeddingService
from quipu_server.rpc.health import Health
from quipu_server.rpc.index_service import IndexService
from quipu_server.rpc.interceptors import CallInterceptor, Deadlines
from quipu_server.rpc.memory_service import MemoryService, Streams
from quipu_server.rpc.search_service import SearchService
from quipu_server.rpc.space_service import SpaceService
from quipu_server.search import Search
from quipu_server.spaces import Spaces
from quipu_server.uses import Uses

SERVICES = [
    service.full_name
    for module in (
        memory_service_pb2,
        space_service_pb2,
        search_service_pb2,
        embedding_service_pb2,
        index_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]

NOTICE_S = 0.2
"""Between telling the end and refusing calls: gRPC cuts off calls that were sent, but not taken up yet."""


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the services do."""

    memories: Memories
    streams: Streams
    spaces: Spaces
    search: Search
    embedder: Embedder
    indexes: Indexes
    uses: Uses


class RpcServer:
    """Listens from `start` on, and answers from the moment `health` says that it serves."""

    def __init__(self, settings: Settings, use_cases: UseCases) -> None:
        """Needs a running event loop."""
        self.health = Health(SERVICES)
        self._settings = settings
        self._server = self._build(use_cases)

    async def start(self) -> int:
        """Listen; return the port. Raises StartupError when the address cannot be had."""
        address = f"{self._settings.host}:{self._settings.port}"
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            message = f"cannot listen on {address}: {error}; is another server there? Give it another --port"
            raise StartupError(message) from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Tell that it ends, refuse new calls, let those that run end as long as the settings allow, then cut them."""
        await self.health.stop()
        await asyncio.sleep(NOTICE_S)
        await self._server.stop(self._settings.drain_s)

    def _build(self, use_cases: UseCases) -> aio.Server:
        settings = self._settings
        deadlines = Deadlines(settings.default_deadline_s, settings.longest_deadline_s)
        interceptor = CallInterceptor(deadlines, lambda: self.health.is_able)
        server = aio.server(interceptors=[interceptor], options=_options(settings))
        memory_service = MemoryService(
            use_cases.memories,
            use_cases.uses,
            use_cases.streams,
            settings.content_bytes,
            lambda: self.health.is_serving,
        )
        add_MemoryServiceServicer_to_server(memory_service, server)
        add_SpaceServiceServicer_to_server(SpaceService(use_cases.spaces), server)
        add_SearchServiceServicer_to_server(SearchService(use_cases.search), server)
        add_EmbeddingServiceServicer_to_server(EmbeddingService(use_cases.embedder), server)
        add_IndexServiceServicer_to_server(IndexService(use_cases.indexes), server)
        add_HealthServicer_to_server(self.health, server)
        enable_server_reflection([*SERVICES, HEALTH_NAME, REFLECTION_NAME], server)
        return server


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.message_bytes),
        ("grpc.max_send_message_length", settings.message_bytes),
        # Two servers on one port would share its connections unnoticed.
        ("grpc.so_reuseport", 0),
        # Find connections whose other end is gone, and allow clients to do the same while they wait.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
