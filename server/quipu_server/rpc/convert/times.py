"""Times and durations."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quipu_server.errors import InvalidArgument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S = -62_135_596_800
_LAST_S = 253_402_300_799
"""The years 1 to 9999, as `google.protobuf.Timestamp` has them."""
_LONGEST_S = 315_576_000_000
"""About 10,000 years, as `google.protobuf.Duration` has it."""


def read_time(message: Timestamp, path: str) -> datetime:
    """The time in UTC, cut to microseconds. Raises InvalidArgument."""
    if not (_FIRST_S <= message.seconds <= _LAST_S and 0 <= message.nanos < 1_000_000_000):
        raise InvalidArgument(path, "must lie in the years 1 to 9999, with 0 to 999,999,999 nanoseconds")
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)


def write_time(time: datetime) -> Timestamp:
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def write_optional_time(time: datetime | None) -> Timestamp | None:
    return None if time is None else write_time(time)


def read_duration(message: Duration, path: str, least_s: float, most_s: float) -> float:
    """Seconds within bounds. Raises InvalidArgument."""
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _LONGEST_S or abs(nanos) >= 1_000_000_000 or seconds * nanos < 0:
        raise InvalidArgument(path, "is not a valid google.protobuf.Duration")
    if not least_s <= (length_s := seconds + nanos / 1e9) <= most_s:
        raise InvalidArgument(path, f"is {length_s:g} s; it must be from {least_s:g} to {most_s:g} s")
    return length_s


def write_duration(length_s: float) -> Duration:
    seconds, nanos = divmod(round(length_s * 1e9), 1_000_000_000)
    return Duration(seconds=seconds, nanos=nanos)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    """The time so many microseconds after 1970. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=microseconds)
