"""Spaces and weights of ranking."""

from quipu.v1.ranking_pb2 import RankingWeights as WeightsMessage
from quipu.v1.space_pb2 import Space as SpaceMessage
from quipu.v1.space_service_pb2 import UpdateSpaceRequest
from quipu_server.domain import RankingWeights, SpaceStatus
from quipu_server.rpc import names
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.times import read_duration, write_duration, write_optional_time
from quipu_server.rpc.validate import check_number, check_text
from quipu_server.spaces import SpaceSettings

MOST_DISPLAY_NAME_BYTES = 256
MOST_LANGUAGE_BYTES = 16
HEAVIEST = 10.0
SHORTEST_HALF_LIFE_S = 1.0
LONGEST_HALF_LIFE_S = 315_576_000_000.0
"""As long as a duration can be."""

_PATHS = frozenset({"display_name", "ranking"})
_UNWEIGHTED = RankingWeights()


def read_settings(message: SpaceMessage) -> SpaceSettings:
    """What a caller says of a space. Raises InvalidArgument."""
    return SpaceSettings(
        model=names.read_model(message.model, "space.model"),
        language=check_text(message.language, "space.language", MOST_LANGUAGE_BYTES),
        display_name=check_text(message.display_name, "space.display_name", MOST_DISPLAY_NAME_BYTES),
        ranking=read_weights(message.ranking, "space.ranking"),
    )


def read_space_mask(request: UpdateSpaceRequest) -> frozenset[str]:
    """The settings to change. Raises InvalidArgument."""
    return read_mask(request, request.space, _PATHS)


def write_space(status: SpaceStatus) -> SpaceMessage:
    space = status.space
    return SpaceMessage(
        name=space.resource_name,
        display_name=space.display_name,
        model=names.write_model(space.model),
        language=space.language,
        ranking=None if space.ranking == _UNWEIGHTED else write_weights(space.ranking),
        create_time=write_optional_time(space.create_time),
        update_time=write_optional_time(space.update_time),
        etag=space.etag,
        revision=status.revision,
        memory_count=status.memory_count,
    )


def read_weights(message: WeightsMessage, path: str) -> RankingWeights:
    """The weights that are set. Raises InvalidArgument."""
    return RankingWeights(
        dense=_check(message.dense, f"{path}.dense") if message.HasField("dense") else None,
        lexical=_check(message.lexical, f"{path}.lexical") if message.HasField("lexical") else None,
        importance=_check(message.importance, f"{path}.importance") if message.HasField("importance") else None,
        recency=_check(message.recency, f"{path}.recency") if message.HasField("recency") else None,
        recency_half_life_s=_read_half_life(message, f"{path}.recency_half_life"),
    )


def write_weights(weights: RankingWeights) -> WeightsMessage:
    half_life_s = weights.recency_half_life_s
    return WeightsMessage(
        dense=weights.dense,
        lexical=weights.lexical,
        importance=weights.importance,
        recency=weights.recency,
        recency_half_life=None if half_life_s is None else write_duration(half_life_s),
    )


def _check(weight: float, path: str) -> float:
    return check_number(weight, path, 0, HEAVIEST)


def _read_half_life(message: WeightsMessage, path: str) -> float | None:
    if not message.HasField("recency_half_life"):
        return None
    return read_duration(message.recency_half_life, path, SHORTEST_HALF_LIFE_S, LONGEST_HALF_LIFE_S)
