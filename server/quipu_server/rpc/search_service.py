"""SearchService."""

from collections.abc import AsyncGenerator

from quipu.v1.search_service_pb2 import PackContextRequest, PackContextResponse, SearchRequest, SearchResponse
from quipu.v1.search_service_pb2_grpc import SearchServiceServicer
from quipu_server.packs import Packs
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.packs import read_pack, write_pack
from quipu_server.rpc.convert.searches import read_search, write_slice
from quipu_server.search import Search


class SearchService(SearchServiceServicer):
    """Finds memories."""

    def __init__(self, search: Search, packs: Packs) -> None:
        self._search = search
        self._packs = packs

    async def Search(self, request: SearchRequest, context: Context) -> AsyncGenerator[SearchResponse, None]:
        query = read_search(request, caller_tenant(context))
        async for found in self._search.search(query):
            yield write_slice(found)

    async def PackContext(self, request: PackContextRequest, context: Context) -> PackContextResponse:
        return write_pack(await self._packs.pack(read_pack(request, caller_tenant(context))))
