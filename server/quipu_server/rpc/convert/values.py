"""Metadata values and vectors."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import numpy as np

from quipu.v1.value_pb2 import ListValue, Value
from quipu.v1.value_pb2 import Vector as VectorMessage
from quipu_server.domain import Metadata, MetadataValue, Scalar, Vector
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.convert.times import read_time, write_time
from quipu_server.rpc.validate import check_count, check_text, count_bytes

MOST_KEYS = 64
MOST_KEY_BYTES = 128
MOST_METADATA_BYTES = 16_384
MOST_STRING_BYTES = 8_192
MOST_LIST_VALUES = 256
MOST_DIMENSIONS = 4_096

_quoted = json.JSONEncoder(ensure_ascii=False).encode

_FLOAT_BYTES = 4
_NUMBER_BYTES = 8
"""What a number, a truth value or a time counts towards the size of metadata."""


def read_metadata(messages: Mapping[str, Value], path: str) -> Metadata:
    """Metadata within its limits. Raises InvalidArgument."""
    if not messages:  # mostly; to ask for items takes longer
        return {}
    check_count(messages, path, MOST_KEYS)
    metadata: dict[str, MetadataValue] = {}
    for key, message in messages.items():
        place = f"{path}[{_quoted(key)}]"
        check_text(key, place, MOST_KEY_BYTES, required=True)
        metadata[key] = read_value(message, place)
    if (size := sum(count_bytes(key) + _size(value) for key, value in metadata.items())) > MOST_METADATA_BYTES:
        raise InvalidArgument(path, f"has {size:,} bytes; at most {MOST_METADATA_BYTES:,} are allowed")
    return metadata


def read_value(message: Value, path: str) -> MetadataValue:
    """A scalar or a list of scalars. Raises InvalidArgument."""
    if message.WhichOneof("kind") != "list_value":
        return read_scalar(message, path)
    values = message.list_value.values
    check_count(values, f"{path}.list_value.values", MOST_LIST_VALUES)
    return tuple(read_scalar(value, f"{path}.list_value.values[{i}]") for i, value in enumerate(values))


def read_scalar(message: Value, path: str) -> Scalar:
    """A string, number, truth value or time. Raises InvalidArgument."""
    match message.WhichOneof("kind"):
        case "string_value":
            return check_text(message.string_value, f"{path}.string_value", MOST_STRING_BYTES)
        case "number_value":
            return _finite(message.number_value, f"{path}.number_value")
        case "bool_value":
            return message.bool_value
        case "time_value":
            return read_time(message.time_value, f"{path}.time_value")
        case "list_value":
            raise InvalidArgument(f"{path}.list_value", "must be a scalar; a list cannot stand here")
    raise InvalidArgument(path, "must have a value")


def write_value(value: MetadataValue) -> Value:
    match value:
        case str():
            return Value(string_value=value)
        case bool():
            return Value(bool_value=value)
        case datetime():
            return Value(time_value=write_time(value))
        case tuple():
            return Value(list_value=ListValue(values=map(write_value, value)))
    return Value(number_value=value)


def read_vector(message: VectorMessage, path: str) -> Vector:
    """Finite numbers, not all zero, of any length. Raises InvalidArgument."""
    check_count(message.values, f"{path}.values", MOST_DIMENSIONS, least=1)
    vector = _numbers(message)
    finite = np.isfinite(vector)
    if not finite.all():
        raise InvalidArgument(f"{path}.values[{finite.argmin()}]", "must be a finite number")
    if not vector.any():
        raise InvalidArgument(f"{path}.values", "must not be all zero")
    return vector


def _numbers(message: VectorMessage) -> Vector:
    """The values, in one piece as they came: one by one they take twenty times as long."""
    header = _packed_header(count := len(message.values))
    if (content := message.SerializeToString()).startswith(header):
        return np.frombuffer(content, "<f4", count, len(header)).astype(np.float32)
    return np.array(message.values, np.float32)


@cache
def _packed_header(count: int) -> bytes:
    """What comes before so many packed floats of field 1: tag, and length as a varint."""
    size, header = _FLOAT_BYTES * count, bytearray(b"\x0a")
    while size >= 0x80:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*header, size])


def write_vector(vector: Vector) -> VectorMessage:
    return VectorMessage(values=vector.tolist())


def _finite(number: float, path: str) -> float:
    if not math.isfinite(number):
        raise InvalidArgument(path, f"must be a finite number, not {number}")
    return number


def _size(value: MetadataValue) -> int:
    if isinstance(value, tuple):
        return sum(map(_size, value))
    return count_bytes(value) if isinstance(value, str) else _NUMBER_BYTES
