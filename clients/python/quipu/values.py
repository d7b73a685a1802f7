"""Plain Python values and the messages that carry them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1.value_pb2 import ListValue, Value, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scalar: TypeAlias = str | float | bool | datetime
MetadataValue: TypeAlias = Scalar | Sequence[Scalar]
PlainValue: TypeAlias = Scalar | list[Scalar]


class Array(Protocol):
    """An array of numpy, or a tensor."""

    def tolist(self) -> Any: ...


VectorLike: TypeAlias = Sequence[float] | Array


def to_timestamp(time: datetime) -> Timestamp:
    """Raises ValueError for a time without a time zone, which would be a guess."""
    if not isinstance(time, datetime):
        raise TypeError(f"needs a datetime, not {type(time).__name__}")
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone: use datetime.now(UTC) or .astimezone()")
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def to_datetime(timestamp: Timestamp) -> datetime:
    """The time in UTC."""
    return timestamp.ToDatetime(UTC)


def to_duration(length: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(length)
    return duration


def to_value(value: MetadataValue) -> Value:
    """A value of metadata. Raises TypeError for a type that metadata cannot have, ValueError for an inexact number."""
    match value:
        case str():
            return Value(string_value=value)
        case bool():
            return Value(bool_value=value)
        case Real():
            return Value(number_value=_number(value))
        case datetime():
            return Value(time_value=to_timestamp(value))
        case list() | tuple():
            return Value(list_value=ListValue(values=[to_value(item) for item in value]))
    raise TypeError(f"metadata can hold str, int, float, bool, datetime and lists of them, not {type(value).__name__}")


def from_value(value: Value) -> PlainValue:
    """What a value of metadata holds."""
    if value.WhichOneof("kind") == "list_value":
        return [_scalar(item) for item in value.list_value.values]
    return _scalar(value)


def to_vector(numbers: VectorLike) -> Vector:
    """A vector from a list or an array of one dimension."""
    # Protobuf takes Python floats five times as fast as it takes those of numpy.
    return Vector(values=numbers if isinstance(numbers, Sequence) else numbers.tolist())


def to_array(vector: Vector) -> "NDArray[np.float32]":
    """A vector as float32, shape (dimension,). Needs numpy."""
    import numpy as np

    return np.array(vector.values, np.float32)


def _number(value: Real) -> float:
    number = float(value)
    if number != value:
        raise ValueError(f"{value} cannot be stored exactly as a number: store it as a string")
    return number


def _scalar(value: Value) -> Scalar:
    kind = value.WhichOneof("kind")
    if kind == "time_value":
        return to_datetime(value.time_value)
    scalar: Scalar = getattr(value, kind) if kind else ""
    return scalar
