"""Metadata as JSON: strings, numbers and truth values as they are, a time as an object, a list as an array."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from quipu_server.domain import Metadata, MetadataValue, Scalar

TIME_KEY = "time"


def encode_metadata(metadata: Metadata) -> str:
    """The JSON document."""
    return json.dumps({key: encode_value(value) for key, value in metadata.items()}, ensure_ascii=False)


def decode_metadata(document: Mapping[str, Any]) -> dict[str, MetadataValue]:
    """The metadata of a document that was parsed already."""
    return {key: _decode_value(value) for key, value in document.items()}


def parse_document(data: bytes | str) -> Any:
    """The JSON document in what the database sends; most are empty."""
    return {} if data == b"{}" else json.loads(data)


def encode_value(value: MetadataValue) -> object:
    """What stands for a value in the document."""
    if isinstance(value, tuple):
        return [encode_value(item) for item in value]
    return {TIME_KEY: format_time(value)} if isinstance(value, datetime) else value


def format_time(time: datetime) -> str:
    """UTC in a fixed width, so that order of text is order of time."""
    utc = time.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z"


def _decode_value(value: Any) -> MetadataValue:
    return tuple(_decode_scalar(item) for item in value) if isinstance(value, list) else _decode_scalar(value)


def _decode_scalar(value: Any) -> Scalar:
    if isinstance(value, dict):
        return datetime.fromisoformat(value[TIME_KEY])
    # JSON writes a number without a fraction as an integer.
    scalar: Scalar = float(value) if type(value) is int else value
    return scalar
