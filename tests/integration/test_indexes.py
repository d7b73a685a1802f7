"""DescribeIndex on a real server."""

import grpc
import pytest

from quipu.v1.index_service_pb2 import DescribeIndexRequest, IndexDescription, IndexState
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest
from tests.integration.api import Api, refusal
from tests.integration.test_failover import hot

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def describe(api: Api, space: str, recall_sample: int = 0) -> IndexDescription:
    request = DescribeIndexRequest(space=space, recall_sample=recall_sample)
    return (await api.indexes.DescribeIndex(request)).index


async def test_an_index_is_shown_as_it_comes_into_being(api: Api, space: str) -> None:
    await api.fill(space, {f"m{i}": Memory(content=f"what happened on day {i}") for i in range(300)})
    cold = await describe(api, space, 10)
    assert (cold.state, cold.revision, cold.head_revision) == (IndexState.INDEX_STATE_COLD, 0, 300)
    assert not cold.HasField("recall_check")
    await hot(api, space)
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/m7"))
    await hot(api, space)
    shown = await describe(api, space, 10)
    assert (shown.space, shown.state) == (space, IndexState.INDEX_STATE_HOT)
    assert (shown.revision, shown.head_revision, shown.memory_count) == (301, 301, 299)
    assert sum(segment.rows for segment in shown.segments) + shown.delta_rows == 300
    assert shown.bytes > sum(segment.bytes for segment in shown.segments) > 300 * 384 * 2 / 2
    assert (shown.recall_check.sample_size, shown.recall_check.k, shown.recall_check.recall) == (10, 10, 1.0)
    assert not (await describe(api, space)).HasField("recall_check")


async def test_without_memory_for_indexes_all_are_cold(replica: Api, space: str) -> None:
    await replica.create(space, "some text")
    await replica.search(space, text="text")
    assert (await describe(replica, space)).state == IndexState.INDEX_STATE_COLD


async def test_a_space_that_is_not_there_has_no_index(api: Api) -> None:
    refused = await refusal(api.indexes.DescribeIndex(DescribeIndexRequest(space="spaces/none")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "SPACE_NOT_FOUND")
