"""Indexes."""

from quipu.v1.index_service_pb2 import (
    DescribeIndexRequest,
    IndexDescription,
    IndexSegment,
    IndexSegmentKind,
    IndexSnapshot,
)
from quipu.v1.index_service_pb2 import IndexState as StateMessage
from quipu.v1.index_service_pb2 import RecallCheck as RecallMessage
from quipu_server.indexes import IndexReport, IndexState, RecallCheck, SegmentReport, SnapshotReport
from quipu_server.rpc.convert.times import write_time
from quipu_server.rpc.validate import check_number

LARGEST_SAMPLE = 100

_STATES = {
    IndexState.COLD: StateMessage.INDEX_STATE_COLD,
    IndexState.LOADING: StateMessage.INDEX_STATE_LOADING,
    IndexState.HOT: StateMessage.INDEX_STATE_HOT,
}
_KINDS = {
    "exact": IndexSegmentKind.INDEX_SEGMENT_KIND_EXACT,
    "hnsw": IndexSegmentKind.INDEX_SEGMENT_KIND_HNSW,
}


def read_sample(request: DescribeIndexRequest) -> int:
    """How many memories to check recall with. Raises InvalidArgument."""
    return int(check_number(request.recall_sample, "recall_sample", 0, LARGEST_SAMPLE))


def write_index(report: IndexReport) -> IndexDescription:
    return IndexDescription(
        space=report.space.resource_name,
        state=_STATES[report.state],
        segments=[_write_segment(segment) for segment in report.segments],
        delta_rows=report.delta_row_count,
        bytes=report.nbytes,
        revision=report.revision,
        head_revision=report.head_revision,
        memory_count=report.memory_count,
        snapshot=_write_snapshot(report.snapshot) if report.snapshot else None,
        recall_check=_write_recall(report.recall) if report.recall else None,
    )


def _write_segment(segment: SegmentReport) -> IndexSegment:
    return IndexSegment(kind=_KINDS[segment.kind], rows=segment.row_count, bytes=segment.nbytes)


def _write_snapshot(snapshot: SnapshotReport) -> IndexSnapshot:
    create_time = write_time(snapshot.create_time)
    return IndexSnapshot(revision=snapshot.revision, create_time=create_time, bytes=snapshot.nbytes)


def _write_recall(check: RecallCheck) -> RecallMessage:
    return RecallMessage(sample_size=check.sample_size, k=check.k, recall=check.recall)
