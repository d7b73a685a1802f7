"""Requests grouped so that each group fits a call."""

from collections.abc import Iterable, Iterator

from quipu.v1.memory_service_pb2 import CreateMemoryRequest

MOST_MEMORIES = 100
"""In one call, of the 500 that the server takes: small enough for progress, large enough for speed."""
MOST_BYTES = 8 << 20
"""In one call; half of what the server takes by default."""


def batches(requests: Iterable[CreateMemoryRequest]) -> Iterator[list[CreateMemoryRequest]]:
    """Split into runs of at most MOST_MEMORIES and, unless one alone is larger, MOST_BYTES."""
    batch: list[CreateMemoryRequest] = []
    size = 0
    for request in requests:
        length = request.ByteSize()
        if batch and (len(batch) == MOST_MEMORIES or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += length
    if batch:
        yield batch
