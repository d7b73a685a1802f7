"""The gRPC server: all services, health and reflection."""

import asyncio
from dataclasses import dataclass
from functools import partial

from grpc import aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION_NAME
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from quipu.v1 import (
    admin_service_pb2,
    embedding_service_pb2,
    index_service_pb2,
    job_service_pb2,
    memory_service_pb2,
    retention_service_pb2,
    search_service_pb2,
    session_service_pb2,
    space_service_pb2,
)
from quipu.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from quipu.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from quipu.v1.index_service_pb2_grpc import add_IndexServiceServicer_to_server
from quipu.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from quipu.v1.memory_service_pb2_grpc import add_MemoryServiceServicer_to_server
from quipu.v1.retention_service_pb2_grpc import add_RetentionServiceServicer_to_server
from quipu.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from quipu.v1.session_service_pb2_grpc import add_SessionServiceServicer_to_server
from quipu.v1.space_service_pb2_grpc import add_SpaceServiceServicer_to_server
from quipu_server.access.administration import Administration
from quipu_server.access.authentication import Authenticator
from quipu_server.access.ports import UsageMeter
from quipu_server.config import Settings
from quipu_server.erasing import Erasing
from quipu_server.errors import StartupError
from quipu_server.indexes import Indexes
from quipu_server.job_control import JobControl
from quipu_server.measuring import Meter
from quipu_server.memories import Memories
from quipu_server.packs import Packs
from quipu_server.ports import Embedder
from quipu_server.retention.asking import Asking
from quipu_server.retention.policies import Policies
from quipu_server.rpc.admin_service import AdminService
from quipu_server.rpc.caller import admit
from quipu_server.rpc.embedding_service import EmbeddingService
from quipu_server.rpc.health import Health
from quipu_server.rpc.index_service import IndexService
from quipu_server.rpc.interceptors import CallInterceptor, Deadlines
from quipu_server.rpc.job_service import JobService
from quipu_server.rpc.memory_service import MemoryService, Streams
from quipu_server.rpc.retention_service import RetentionService
from quipu_server.rpc.roles import ANY_CREDENTIAL
from quipu_server.rpc.search_service import SearchService
from quipu_server.rpc.session_service import SessionService
from quipu_server.rpc.space_service import SpaceService
from quipu_server.rpc.tls import certificates_of
from quipu_server.search import Search
from quipu_server.sessions import Sessions
from quipu_server.spaces import Spaces
from quipu_server.uses import Uses

SERVICES = [
    service.full_name
    for module in (
        memory_service_pb2,
        space_service_pb2,
        search_service_pb2,
        session_service_pb2,
        retention_service_pb2,
        embedding_service_pb2,
        index_service_pb2,
        job_service_pb2,
        admin_service_pb2,
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
    erasing: Erasing
    policies: Policies
    retention_runs: Asking
    spaces: Spaces
    search: Search
    embedder: Embedder
    indexes: Indexes
    sessions: Sessions
    packs: Packs
    uses: Uses
    jobs: JobControl
    authenticator: Authenticator
    administration: Administration
    usage: UsageMeter


class RpcServer:
    """Listens from `start` on, and answers from the moment `health` says that it serves."""

    def __init__(self, settings: Settings, use_cases: UseCases, meter: Meter | None = None) -> None:
        """Needs a running event loop."""
        self._meter = meter
        self.health = Health(SERVICES)
        self._settings = settings
        self._server = self._build(use_cases)

    async def start(self) -> int:
        """Listen; return the port. Raises StartupError when the address cannot be had."""
        address = f"{self._settings.host}:{self._settings.port}"
        try:
            port = self._listen(address)
        except RuntimeError as error:
            message = f"cannot listen on {address}: {error}; is another server there? Give it another --port"
            raise StartupError(message) from error
        await self._server.start()
        return port

    def _listen(self, address: str) -> int:
        if (certificates := certificates_of(self._settings)) is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, certificates.credentials())

    async def stop(self) -> None:
        """Tell that it ends, refuse new calls, let those that run end as long as the settings allow, then cut them."""
        await self.health.stop()
        await asyncio.sleep(NOTICE_S)
        await self._server.stop(self._settings.drain_s)

    def _build(self, use_cases: UseCases) -> aio.Server:
        settings = self._settings
        deadlines = Deadlines(settings.default_deadline_s, settings.longest_deadline_s)
        authenticator = use_cases.authenticator
        is_reflection_open = authenticator.is_open or settings.open_reflection
        interceptor = CallInterceptor(
            deadlines,
            lambda: self.health.is_able,
            partial(admit, authenticator, use_cases.usage),
            guarded=frozenset() if is_reflection_open else ANY_CREDENTIAL,
            most_calls=settings.most_calls,
            meter=self._meter,
        )
        server = aio.server(interceptors=[interceptor], options=_options(settings))
        # gRPC waits for each registered method apart, for all of them anew after every call: 0.1 ms for 60. The
        # services are found by their generic handlers as well.
        server.add_registered_method_handlers = lambda *_: None  # type: ignore[method-assign]
        memory_service = MemoryService(
            use_cases.memories,
            use_cases.uses,
            use_cases.streams,
            settings.content_bytes,
            lambda: self.health.is_serving,
        )
        add_MemoryServiceServicer_to_server(memory_service, server)
        add_SpaceServiceServicer_to_server(SpaceService(use_cases.spaces), server)
        add_SearchServiceServicer_to_server(SearchService(use_cases.search, use_cases.packs), server)
        session_service = SessionService(use_cases.sessions, settings.content_bytes)
        add_SessionServiceServicer_to_server(session_service, server)
        retention_service = RetentionService(
            use_cases.memories,
            use_cases.erasing,
            use_cases.policies,
            use_cases.retention_runs,
            lambda: self.health.is_serving,
        )
        add_RetentionServiceServicer_to_server(retention_service, server)
        add_EmbeddingServiceServicer_to_server(EmbeddingService(use_cases.embedder), server)
        add_IndexServiceServicer_to_server(IndexService(use_cases.indexes), server)
        add_JobServiceServicer_to_server(JobService(use_cases.jobs, lambda: self.health.is_serving), server)
        add_AdminServiceServicer_to_server(AdminService(use_cases.administration), server)
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
        ("grpc.keepalive_time_ms", round(settings.keepalive_s * 1e3)),
        ("grpc.keepalive_timeout_ms", round(settings.keepalive_timeout_s * 1e3)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.max_concurrent_streams", settings.most_streams),
        *_ages(settings),
    ]


def _ages(settings: Settings) -> list[tuple[str, int]]:
    """When connections end, so that clients find other replicas; calls that run then may take their time."""
    if not settings.connection_age_s:
        return []
    grace_s = settings.longest_deadline_s
    return [
        ("grpc.max_connection_age_ms", round(settings.connection_age_s * 1e3)),
        ("grpc.max_connection_age_grace_ms", round(grace_s * 1e3)),
    ]
