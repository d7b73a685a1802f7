"""Servers with credentials on one database, and callers with keys."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from grpc import aio

from quipu.v1.admin_service_pb2 import CreateApiKeyRequest, CreateTenantRequest
from quipu.v1.api_key_pb2 import API_KEY_ROLE_WRITE, ApiKey, ApiKeyRole
from quipu.v1.tenant_pb2 import Tenant
from quipu_server.app import Running, running
from quipu_server.config import Settings
from tests.integration.api import Api

MASTER_KEY = "the-master-key-of-the-tests"
CREDENTIALS = {"key_secret": "a secret of thirty bytes or so", "master_key": MASTER_KEY}
NO_RETRIES = [("grpc.enable_retries", 0)]


class _Unary(aio.UnaryUnaryClientInterceptor):
    def __init__(self, bearer: tuple[str, str]) -> None:
        self._bearer = bearer

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_with(details, self._bearer), request)


class _Stream(aio.UnaryStreamClientInterceptor):
    def __init__(self, bearer: tuple[str, str]) -> None:
        self._bearer = bearer

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_with(details, self._bearer), request)


class _Exchange(aio.StreamStreamClientInterceptor):
    def __init__(self, bearer: tuple[str, str]) -> None:
        self._bearer = bearer

    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(_with(details, self._bearer), requests)


def _with(details: Any, bearer: tuple[str, str]) -> Any:
    return details._replace(metadata=aio.Metadata(*(details.metadata or ()), bearer))


def bearers(credential: str) -> Sequence[aio.ClientInterceptor]:
    """What adds a credential to every call: grpc.aio wants a class for each kind."""
    bearer = ("authorization", f"Bearer {credential}")
    return [_Unary(bearer), _Stream(bearer), _Exchange(bearer)]


@dataclass(slots=True)
class Door:
    """A server with credentials."""

    server: Running
    stack: AsyncExitStack = field(repr=False)

    async def api(self, credential: str | None) -> Api:
        """What speaks to it with a credential."""
        target = f"127.0.0.1:{self.server.port}"
        interceptors = bearers(credential) if credential else []
        channel = aio.insecure_channel(target, options=NO_RETRIES, interceptors=interceptors)
        return Api.over(await self.stack.enter_async_context(channel))

    async def master(self) -> Api:
        return await self.api(MASTER_KEY)

    async def tenant(self, **settings: Any) -> str:
        """The name of a new tenant."""
        tenant = Tenant(**settings)
        request = CreateTenantRequest(tenant_id=f"t{uuid4().hex}", tenant=tenant)
        return (await (await self.master()).admin.CreateTenant(request)).tenant.name

    async def key(
        self, tenant: str, role: "ApiKeyRole.ValueType" = API_KEY_ROLE_WRITE, **fields: Any
    ) -> tuple[str, str]:
        """The name of a new key, and its secret."""
        request = CreateApiKeyRequest(parent=tenant, api_key=ApiKey(role=role, **fields))
        made = await (await self.master()).admin.CreateApiKey(request)
        return made.api_key.name, made.secret

    async def as_key(self, tenant: str, role: "ApiKeyRole.ValueType" = API_KEY_ROLE_WRITE, **fields: Any) -> Api:
        """What speaks to it with a new key."""
        return await self.api((await self.key(tenant, role, **fields))[1])


@asynccontextmanager
async def door(database_url: str, **settings: Any) -> AsyncIterator[Door]:
    """A server with credentials on a database."""
    made = Settings.model_validate({"port": 0, "database_url": database_url} | CREDENTIALS | settings)
    async with running(made) as server, AsyncExitStack() as stack:
        await server.ready()
        yield Door(server, stack)
