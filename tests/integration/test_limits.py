"""Limits as callers meet them, on one server and on two."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import QuotaFailure, RetryInfo
from grpc import StatusCode, aio
from grpc_status import rpc_status

from quipu.v1.embedding_service_pb2 import EMBEDDING_PURPOSE_PASSAGE, EmbedRequest
from quipu.v1.limits_pb2 import Limit, Limits
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest
from quipu.v1.space_service_pb2 import ListSpacesRequest
from quipu_server.access.usage import EXCHANGE_S
from tests.integration.api import refusal
from tests.integration.secured import Door, door

pytestmark = pytest.mark.asyncio(loop_scope="session")
on_the_session_loop = pytest_asyncio.fixture(scope="module", loop_scope="session")


@on_the_session_loop
async def here(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as opened:
        yield opened


@on_the_session_loop
async def there(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url, hot_bytes=0) as opened:
        yield opened


def limit(count: int) -> Limit:
    """For an hour, so that it does not slide away during the test."""
    return Limit(count=count, window=Duration(seconds=3_600))


async def test_requests_beyond_a_limit_are_refused_with_what_to_do(here: Door) -> None:
    tenant = await here.tenant(limits=Limits(requests=limit(5)))
    api, other = await here.as_key(tenant), await here.as_key(await here.tenant())
    for _ in range(5):
        await api.spaces.ListSpaces(ListSpacesRequest())
    with pytest.raises(aio.AioRpcError) as caught:
        await api.spaces.ListSpaces(ListSpacesRequest())
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    assert status is not None
    quota, retry = QuotaFailure(), RetryInfo()
    assert status.details[1].Unpack(quota)
    assert status.details[2].Unpack(retry)
    assert quota.violations[0].subject == tenant
    assert 0 < retry.retry_delay.seconds <= 2 * 3_600
    await other.spaces.ListSpaces(ListSpacesRequest())


async def test_servers_share_what_was_used(here: Door, there: Door) -> None:
    name, secret = await here.key(await here.tenant(), limits=Limits(requests=limit(6)))
    one, two = await here.api(secret), await there.api(secret)
    for api in (one, two):
        for _ in range(3):
            await api.spaces.ListSpaces(ListSpacesRequest())
    await asyncio.sleep(2.5 * EXCHANGE_S)
    for api in (one, two):
        refused = await refusal(api.spaces.ListSpaces(ListSpacesRequest()))
        assert (refused.reason, refused.metadata) == (
            "QUOTA_EXCEEDED",
            {"subject": name, "quota": "requests", "limit": "6,3600"},
        )


async def test_memories_are_counted_and_deletions_are_free(here: Door, space: str) -> None:
    api = await here.as_key(await here.tenant(), limits=Limits(memories=limit(3)))
    made = [await api.create(space, f"memory {i}") for i in range(3)]
    refused = await refusal(api.create(space, "one too many"))
    assert (refused.code, refused.metadata["quota"]) == (StatusCode.RESOURCE_EXHAUSTED, "memories")
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=made[0].name))
    assert len((await api.search(space, text="memory")).hits) == 2


async def test_tokens_are_counted_of_queries_as_well(here: Door, space: str) -> None:
    writer = await here.as_key(tenant := await here.tenant())
    await writer.create(space, "a flat with a balcony")
    api = await here.as_key(tenant, limits=Limits(tokens=limit(4)))
    request = EmbedRequest(texts=["one two three"], purpose=EMBEDDING_PURPOSE_PASSAGE)
    await api.embeddings.Embed(request)
    await api.search(space, text="a query not asked before")
    for call in (api.embeddings.Embed(request), api.search(space, text="another query"), api.create(space, "more")):
        refused = await refusal(call)
        assert (refused.code, refused.metadata["quota"]) == (StatusCode.RESOURCE_EXHAUSTED, "tokens")
