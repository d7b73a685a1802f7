"""Calls that look at the indexes of a server."""

from quipu.dual import call
from quipu.operations import Operations
from quipu.v1.index_service_pb2 import DescribeIndexRequest, IndexDescription


class IndexOperations(Operations):
    """Everything about indexes."""

    @call
    async def describe_index(
        self, space: str | None = None, *, recall_sample: int = 0, timeout: float | None = None
    ) -> IndexDescription:
        """Describe what the server that answers holds of a space in memory. Raises NotFound.

        recall_sample: memories to check with what the index finds of what is there, at most 100; 0 checks nothing.
        """
        request = DescribeIndexRequest(space=self._parent(space), recall_sample=recall_sample)
        return (await self._wire.unary(self._wire.indexes.DescribeIndex, request, timeout)).index
