"""DescribeIndex: what is asked, and how an index is shown."""

from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from quipu.v1.index_service_pb2 import DescribeIndexRequest, IndexSegmentKind, IndexState
from quipu.v1.index_service_pb2_grpc import IndexServiceStub
from quipu_server.indexes import IndexState as State
from quipu_server.indexes import RecallCheck, SegmentReport, SnapshotReport
from tests.unit.rpc.conftest import Fakes

THEN = datetime(2024, 5, 1, tzinfo=UTC)


async def test_all_that_is_known_is_shown(channel: aio.Channel, fakes: Fakes) -> None:
    fakes.indexes.answer = replace(
        fakes.indexes.answer,
        state=State.HOT,
        nbytes=1_000,
        revision=6,
        memory_count=5,
        segments=[SegmentReport("hnsw", 3, 700), SegmentReport("exact", 1, 200)],
        delta_row_count=1,
        snapshot=SnapshotReport(4, THEN, 900),
        recall=RecallCheck(2, 10, 0.95),
    )
    request = DescribeIndexRequest(space="spaces/a", recall_sample=2)
    index = (await IndexServiceStub(channel).DescribeIndex(request)).index
    assert fakes.indexes.asked == ("default", "a", 2)
    assert (index.space, index.state, index.bytes, index.delta_rows) == (
        "spaces/a",
        IndexState.INDEX_STATE_HOT,
        1_000,
        1,
    )
    assert (index.revision, index.head_revision, index.memory_count) == (6, 7, 5)
    assert [(s.kind, s.rows, s.bytes) for s in index.segments] == [
        (IndexSegmentKind.INDEX_SEGMENT_KIND_HNSW, 3, 700),
        (IndexSegmentKind.INDEX_SEGMENT_KIND_EXACT, 1, 200),
    ]
    assert (index.snapshot.revision, index.snapshot.create_time.ToDatetime(UTC), index.snapshot.bytes) == (4, THEN, 900)
    assert (index.recall_check.sample_size, index.recall_check.k, index.recall_check.recall) == (2, 10, 0.95)


async def test_what_is_not_there_is_not_shown(channel: aio.Channel) -> None:
    index = (await IndexServiceStub(channel).DescribeIndex(DescribeIndexRequest(space="spaces/a"))).index
    assert index.state == IndexState.INDEX_STATE_COLD
    assert not index.HasField("snapshot")
    assert not index.HasField("recall_check")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (DescribeIndexRequest(), "space"),
        (DescribeIndexRequest(space="a"), "space"),
        (DescribeIndexRequest(space="spaces/a", recall_sample=101), "recall_sample"),
        (DescribeIndexRequest(space="spaces/a", recall_sample=-1), "recall_sample"),
    ],
)
async def test_wrong_fields_are_named(channel: aio.Channel, request_: DescribeIndexRequest, field: str) -> None:
    with pytest.raises(aio.AioRpcError) as raised:
        await IndexServiceStub(channel).DescribeIndex(request_)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (raised.value.details() or "").startswith(f"{field}: ")
