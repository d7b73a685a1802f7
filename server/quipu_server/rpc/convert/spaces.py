"""Spaces and weights of ranking."""

from collections.abc import Mapping
from dataclasses import fields

from quipu.v1.ranking_pb2 import RankingFormula
from quipu.v1.ranking_pb2 import RankingWeights as WeightsMessage
from quipu.v1.space_pb2 import Space as SpaceMessage
from quipu.v1.space_service_pb2 import UpdateSpaceRequest
from quipu_server.domain import SpaceStatus
from quipu_server.rpc import names
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.times import read_duration, write_duration, write_optional_time
from quipu_server.rpc.validate import check_known, check_number, check_text
from quipu_server.spaces import SpaceSettings
from quipu_server.weights import Formula, RankingWeights

MOST_DISPLAY_NAME_BYTES = 256
MOST_LANGUAGE_BYTES = 16
HEAVIEST = 10.0
SHORTEST_HALF_LIFE_S = 1.0
LONGEST_HALF_LIFE_S = 315_576_000_000.0
"""As long as a duration can be."""

_PATHS = frozenset({"display_name", "ranking"})
_UNWEIGHTED = RankingWeights()
_WEIGHTS = tuple(f.name for f in fields(RankingWeights) if f.name not in ("recency_half_life_s", "formula"))
"""Those that are plain numbers, called the same in the API and here."""
_FORMULAS: dict[int, Formula | None] = {
    RankingFormula.RANKING_FORMULA_UNSPECIFIED: None,
    RankingFormula.RANKING_FORMULA_QUIPU: Formula.QUIPU,
    RankingFormula.RANKING_FORMULA_MEMORYMESH: Formula.MEMORYMESH,
    RankingFormula.RANKING_FORMULA_MEMORIA: Formula.MEMORIA,
}
_NUMBERS = {formula: RankingFormula.ValueType(number) for number, formula in _FORMULAS.items()}


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
        previous_model=names.write_model(space.previous_model) if space.previous_model else "",
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
        recency_half_life_s=_read_half_life(message, f"{path}.recency_half_life"),
        formula=check_known(message.formula, f"{path}.formula", _FORMULAS),
        **{name: _check(weight, f"{path}.{name}") for name, weight in _given(message).items()},
    )


def write_weights(weights: RankingWeights) -> WeightsMessage:
    half_life_s = weights.recency_half_life_s
    return WeightsMessage(
        recency_half_life=None if half_life_s is None else write_duration(half_life_s),
        formula=_NUMBERS[weights.formula],
        **{name: getattr(weights, name) for name in _WEIGHTS},
    )


def _given(message: WeightsMessage) -> Mapping[str, float]:
    """The plain weights that are set."""
    return {field.name: value for field, value in message.ListFields() if field.name in _WEIGHTS}


def _check(weight: float, path: str) -> float:
    return check_number(weight, path, 0, HEAVIEST)


def _read_half_life(message: WeightsMessage, path: str) -> float | None:
    if not message.HasField("recency_half_life"):
        return None
    return read_duration(message.recency_half_life, path, SHORTEST_HALF_LIFE_S, LONGEST_HALF_LIFE_S)
