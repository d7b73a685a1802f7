"""Calls that keep spaces."""

from typing import Any, TypedDict, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from quipu.dual import call, results
from quipu.names import model_name, space_name
from quipu.operations import Operations, request_id_or_new
from quipu.ranking import Ranking, to_weights
from quipu.results import Results
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import (
    CreateSpaceRequest,
    DeleteSpaceRequest,
    GetSpaceRequest,
    ListSpacesRequest,
    UpdateSpaceRequest,
)


class SpaceSettings(TypedDict, total=False):
    """The settings of a space that can change. None stands for the default."""

    display_name: str | None
    ranking: Ranking | None


class SpaceOperations(Operations):
    """Everything about spaces."""

    @call
    async def create_space(
        self,
        space: str,
        *,
        model: str = "",
        language: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
        **settings: Unpack[SpaceSettings],
    ) -> Space:
        """Create a space, which is only needed for settings. Raises AlreadyExists.

        model: embedding model of the server, for good; empty for its default one.
        language: of the words, an ISO 639-1 code, for good; `und` for none; empty for English.
        """
        made = Space(model=model_name(model), language=language, **_messages(settings))
        space_name(space)  # refuses an empty one
        request = CreateSpaceRequest(space_id=space, space=made, request_id=request_id_or_new(request_id))
        return (await self._wire.unary(self._wire.spaces.CreateSpace, request, timeout)).space

    @call
    async def get_space(self, space: str | None = None, *, timeout: float | None = None) -> Space:
        """Return a space. Raises NotFound."""
        request = GetSpaceRequest(name=self._parent(space))
        return (await self._wire.unary(self._wire.spaces.GetSpace, request, timeout)).space

    @results
    def spaces(self, *, page_size: int = 100, timeout: float | None = None) -> Results[Space]:
        """List the spaces by id. `timeout` counts for each page."""
        pages = self._pages(self._wire.spaces.ListSpaces, ListSpacesRequest(page_size=page_size), timeout)
        return Results(pages, lambda page: page.spaces)

    @call
    async def update_space(
        self,
        space: str,
        *,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
        **settings: Unpack[SpaceSettings],
    ) -> Space:
        """Change the settings that are given. Raises NotFound, Aborted when `etag` is old."""
        request = UpdateSpaceRequest(
            space=Space(name=self._parent(space), etag=etag, **_messages(settings)),
            update_mask=FieldMask(paths=[*settings]),
            request_id=request_id_or_new(request_id),
        )
        return (await self._wire.unary(self._wire.spaces.UpdateSpace, request, timeout)).space

    @call
    async def delete_space(
        self,
        space: str,
        *,
        force: bool = False,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Destroy a space for good and return how many memories went with it.

        force: also when it has memories; without it that raises FailedPrecondition.
        """
        name = self._parent(space)
        request = DeleteSpaceRequest(name=name, etag=etag, force=force, request_id=request_id_or_new(request_id))
        response = await self._wire.unary(self._wire.spaces.DeleteSpace, request, timeout)
        self._revisions.pop(name, None)
        return response.deleted_memory_count


def _messages(settings: SpaceSettings) -> dict[str, Any]:
    given = {key: value for key, value in settings.items() if value is not None}
    if ranking := settings.get("ranking"):
        given["ranking"] = to_weights(ranking)
    return given
