"""SpaceService over gRPC."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from quipu.v1 import ranking_pb2, space_pb2, space_service_pb2_grpc
from quipu.v1 import space_service_pb2 as messages
from quipu_server.domain import RankingWeights, SpaceStatus
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.fields import (
    check_id,
    check_number,
    check_page_size,
    check_text,
    parse_duration,
    parse_model,
    parse_space,
)
from quipu_server.rpc.requests import caller_tenant, make_page_token, read_page_token, request_key
from quipu_server.spaces import Spaces, SpaceSettings

LONGEST_DISPLAY_NAME = 256
HEAVIEST = 10.0
WEIGHTS = ("dense", "lexical", "importance", "recency")
LONGEST_HALF_LIFE_S = 1e11
CHANGEABLE = frozenset({"display_name", "ranking"})


class SpaceService(space_service_pb2_grpc.SpaceServiceServicer):
    """Converts and validates; the work is done by Spaces."""

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces

    async def CreateSpace(self, request: Any, context: Any) -> messages.CreateSpaceResponse:
        name = check_id(request.space_id, "space_id")
        status = await self._spaces.create(caller_tenant(), name, parse_settings(request.space), request_key(request))
        return messages.CreateSpaceResponse(space=build_space(status))

    async def GetSpace(self, request: Any, context: Any) -> messages.GetSpaceResponse:
        status = await self._spaces.get(caller_tenant(), parse_space(request.name, "name"))
        return messages.GetSpaceResponse(space=build_space(status))

    async def ListSpaces(self, request: Any, context: Any) -> messages.ListSpacesResponse:
        size = check_page_size(request.page_size)
        after = read_page_token(request) or ""
        found = await self._spaces.list(caller_tenant(), after, size + 1)
        token = make_page_token(request, found[size - 1].space.name) if len(found) > size else ""
        return messages.ListSpacesResponse(spaces=[build_space(s) for s in found[:size]], next_page_token=token)

    async def UpdateSpace(self, request: Any, context: Any) -> messages.UpdateSpaceResponse:
        status = await self._spaces.update(
            caller_tenant(),
            parse_space(request.space.name, "space.name"),
            parse_settings(request.space),
            parse_paths(request),
            etag=request.space.etag,
            request=request_key(request),
        )
        return messages.UpdateSpaceResponse(space=build_space(status))

    async def DeleteSpace(self, request: Any, context: Any) -> messages.DeleteSpaceResponse:
        name = parse_space(request.name, "name")
        count = await self._spaces.delete(
            caller_tenant(), name, etag=request.etag, force=request.force, request=request_key(request)
        )
        return messages.DeleteSpaceResponse(deleted_memory_count=count)


def parse_paths(request: Any) -> frozenset[str]:
    """The fields an update names; those set in the message when it names none."""
    paths = list(request.update_mask.paths)
    if not paths:
        return frozenset(field.name for field, _ in request.space.ListFields()) & CHANGEABLE
    if "*" in paths:
        return CHANGEABLE
    for place, path in enumerate(paths):
        if path not in CHANGEABLE:
            raise InvalidArgument(f"update_mask.paths[{place}]", f"{path[:128]!r} cannot be changed")
    return frozenset(paths)


def parse_settings(space: space_pb2.Space) -> SpaceSettings:
    """What a message says of a space."""
    return SpaceSettings(
        model=parse_model(space.model, "space.model"),
        language=check_text(space.language, "space.language", 8),
        display_name=check_text(space.display_name, "space.display_name", LONGEST_DISPLAY_NAME),
        ranking=parse_weights(space.ranking, "space.ranking"),
    )


def parse_weights(weights: ranking_pb2.RankingWeights, path: str) -> RankingWeights:
    """Weights; None where they are not set."""
    given: dict[str, float] = {
        name: check_number(getattr(weights, name), f"{path}.{name}", 0.0, HEAVIEST)
        for name in WEIGHTS
        if weights.HasField(name)  # type: ignore[arg-type]
    }
    if weights.HasField("recency_half_life"):
        field = f"{path}.recency_half_life"
        given["recency_half_life_s"] = parse_duration(weights.recency_half_life, field, 1.0, LONGEST_HALF_LIFE_S)
    return RankingWeights(**given)


def build_weights(weights: RankingWeights) -> ranking_pb2.RankingWeights:
    """The message of weights."""
    message = ranking_pb2.RankingWeights(**{name: getattr(weights, name) for name in WEIGHTS})
    if weights.recency_half_life_s is not None:
        message.recency_half_life.CopyFrom(build_duration(weights.recency_half_life_s))
    return message


def build_duration(seconds: float) -> Duration:
    """The message of a duration."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def build_space(status: SpaceStatus) -> space_pb2.Space:
    """The message of a space."""
    space = status.space
    message = space_pb2.Space(
        name=space.resource_name,
        display_name=space.display_name,
        model=f"models/{space.model}",
        language=space.language,
        ranking=build_weights(space.ranking) if space.ranking != RankingWeights() else None,
        etag=space.etag,
        revision=status.revision,
        memory_count=status.memory_count,
    )
    if space.create_time is not None and space.update_time is not None:
        message.create_time.FromDatetime(space.create_time)
        message.update_time.FromDatetime(space.update_time)
    return message
