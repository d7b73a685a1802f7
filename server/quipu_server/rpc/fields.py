"""Checks of single fields. Each raises InvalidArgument with the path of the field as the client wrote it."""

import math
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1 import value_pb2
from quipu_server.domain import Vector
from quipu_server.errors import InvalidArgument

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}\Z")
REQUEST_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
LONGEST_VECTOR = 4_096
DEFAULT_PAGE, LONGEST_PAGE = 50, 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Years 1 to 9999."""
LONGEST_DURATION_S = 315_576_000_000


def check_text(value: str, path: str, most_bytes: int, *, required: bool = False) -> str:
    """A text without NUL of at most so many bytes."""
    if required and not value:
        raise InvalidArgument(path, "is required and must not be empty")
    if "\0" in value:
        raise InvalidArgument(path, "must not contain NUL")
    if len(value) > most_bytes or len(value.encode()) > most_bytes:
        raise InvalidArgument(path, f"has more than {most_bytes} bytes")
    return value


def check_id(value: str, path: str) -> str:
    """An id of a space, a memory, or a session."""
    if not ID.match(value):
        rule = "1 to 128 letters, digits, '.', '_', '~', '-', beginning with a letter or digit"
        raise InvalidArgument(path, f"{value[:140]!r} is no id: {rule}")
    return value


def parse_space(name: str, path: str) -> str:
    """The id in `spaces/{space}`."""
    collection, _, space = name.partition("/")
    if collection != "spaces" or not ID.match(space):
        raise InvalidArgument(path, f"{name[:300]!r} is not of the form spaces/{{space}}")
    return space


def parse_memory(name: str, path: str) -> tuple[str, str]:
    """The ids in `spaces/{space}/memories/{memory}`."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != "spaces" or parts[2] != "memories" or not all(map(ID.match, parts[1::2])):
        raise InvalidArgument(path, f"{name[:300]!r} is not of the form spaces/{{space}}/memories/{{memory}}")
    return parts[1], parts[3]


def parse_model(name: str, path: str) -> str:
    """The id in `models/{model}`; empty for the default model."""
    if name and not re.fullmatch(r"models/[^/\0]{1,256}", name):
        raise InvalidArgument(path, f"{name[:300]!r} is not of the form models/{{model}}")
    return name.removeprefix("models/")


def check_number(value: float, path: str, low: float, high: float) -> float:
    """A finite number within bounds."""
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidArgument(path, f"must be a number from {low:g} to {high:g}, not {value:g}")
    return value


def check_page_size(value: int, path: str = "page_size") -> int:
    """The size of a page: 0 means the default, too much means the most."""
    if value < 0:
        raise InvalidArgument(path, "must not be negative")
    return min(value or DEFAULT_PAGE, LONGEST_PAGE)


def parse_request_id(value: str, path: str = "request_id") -> UUID:
    """A UUID."""
    if not REQUEST_ID.match(value):
        raise InvalidArgument(path, f"{value[:64]!r} is no UUID")
    return UUID(value)


def parse_time(value: Timestamp, path: str) -> datetime:
    """A time, cut to microseconds."""
    if not (FIRST_SECOND <= value.seconds <= LAST_SECOND and 0 <= value.nanos < 1_000_000_000):
        raise InvalidArgument(path, "is no time from year 1 to 9999 with 0 to 999,999,999 nanoseconds")
    return EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)


def parse_duration(value: Duration, path: str, low_s: float, high_s: float) -> float:
    """Seconds."""
    if abs(value.nanos) >= 1_000_000_000 or value.seconds * value.nanos < 0 or abs(value.seconds) > LONGEST_DURATION_S:
        raise InvalidArgument(path, "is no valid duration")
    return check_number(value.seconds + value.nanos / 1e9, path, low_s, high_s)


def parse_vector(value: value_pb2.Vector, path: str) -> Vector:
    """Finite numbers, not all zero; not yet of unit length."""
    if not 1 <= len(value.values) <= LONGEST_VECTOR:
        raise InvalidArgument(f"{path}.values", f"has 1 to {LONGEST_VECTOR} numbers, not {len(value.values)}")
    vector = np.array(value.values, dtype=np.float32)
    if not np.isfinite(vector).all():
        place = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise InvalidArgument(f"{path}.values[{place}]", "must be finite")
    if not vector.any():
        raise InvalidArgument(f"{path}.values", "must not be all zero")
    return vector
