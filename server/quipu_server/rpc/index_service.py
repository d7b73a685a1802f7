"""IndexService."""

from quipu.v1 import index_service_pb2 as messages
from quipu.v1.index_service_pb2_grpc import IndexServiceServicer
from quipu_server.indexes import Indexes
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.indexes import read_sample, write_index


class IndexService(IndexServiceServicer):
    """Shows indexes."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    async def DescribeIndex(
        self, request: messages.DescribeIndexRequest, context: Context
    ) -> messages.DescribeIndexResponse:
        name = names.read_space(request.space, "space")
        report = await self._indexes.describe(caller_tenant(context), name, read_sample(request))
        return messages.DescribeIndexResponse(index=write_index(report))
