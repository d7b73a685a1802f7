"""SpaceService."""

from quipu.v1 import space_service_pb2 as messages
from quipu.v1.space_service_pb2_grpc import SpaceServiceServicer
from quipu_server.access.domain import caller
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.spaces import read_settings, read_space_mask, write_space
from quipu_server.rpc.digest import request_key
from quipu_server.rpc.pages import invalid_token, read_token, write_token
from quipu_server.rpc.validate import check_page_size
from quipu_server.spaces import Spaces


class SpaceService(SpaceServiceServicer):
    """Keeps spaces."""

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces

    async def CreateSpace(self, request: messages.CreateSpaceRequest, context: Context) -> messages.CreateSpaceResponse:
        name = names.check_space_id(request.space_id, "space_id")
        settings = read_settings(request.space)
        key = request_key(request, request.request_id)
        status = await self._spaces.create(caller_tenant(context), name, settings, key)
        return messages.CreateSpaceResponse(space=write_space(status))

    async def GetSpace(self, request: messages.GetSpaceRequest, context: Context) -> messages.GetSpaceResponse:
        name = names.read_space(request.name, "name")
        status = await self._spaces.get(caller_tenant(context), name)
        return messages.GetSpaceResponse(space=write_space(status))

    async def ListSpaces(self, request: messages.ListSpacesRequest, context: Context) -> messages.ListSpacesResponse:
        size = check_page_size(request.page_size)
        prefixes = caller().space_prefixes
        found = await self._spaces.list(caller_tenant(context), _read_after(request), size + 1, prefixes)
        page = found[:size]
        token = write_token(request, (page[-1].space.name,)) if len(found) > size else ""
        return messages.ListSpacesResponse(spaces=[write_space(status) for status in page], next_page_token=token)

    async def UpdateSpace(self, request: messages.UpdateSpaceRequest, context: Context) -> messages.UpdateSpaceResponse:
        status = await self._spaces.update(
            caller_tenant(context),
            names.read_space(request.space.name, "space.name"),
            read_settings(request.space),
            read_space_mask(request),
            etag=request.space.etag,
            request=request_key(request, request.request_id),
        )
        return messages.UpdateSpaceResponse(space=write_space(status))

    async def DeleteSpace(self, request: messages.DeleteSpaceRequest, context: Context) -> messages.DeleteSpaceResponse:
        count = await self._spaces.delete(
            caller_tenant(context),
            names.read_space(request.name, "name"),
            etag=request.etag,
            force=request.force,
            request=request_key(request, request.request_id),
        )
        return messages.DeleteSpaceResponse(deleted_memory_count=count)


def _read_after(request: messages.ListSpacesRequest) -> str:
    """The last name of the page before."""
    match read_token(request, request.page_token):
        case ():
            return ""
        case (str(name),):
            return name
    raise invalid_token()
