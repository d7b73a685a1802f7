"""Masks of updates."""

from collections.abc import Callable
from typing import Protocol

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from quipu_server.errors import InvalidArgument

EVERYTHING = "*"


class MaskedRequest(Protocol):
    """A request that changes what its mask names."""

    @property
    def update_mask(self) -> FieldMask: ...


def read_mask(
    request: MaskedRequest, resource: Message, known: frozenset[str], is_inner: Callable[[str], bool] = lambda _: False
) -> frozenset[str]:
    """The fields to change: those of the mask, all known ones for `*`, without a mask those set in the resource.

    is_inner: tells whether a path that is not a known field names a part of one. Raises InvalidArgument.
    """
    paths = request.update_mask.paths
    for i, path in enumerate(paths):
        if path not in known and path != EVERYTHING and not is_inner(path):
            raise InvalidArgument(f"update_mask.paths[{i}]", f"{path!r} is not a field that can be changed")
    if EVERYTHING in paths:
        return known
    return frozenset(paths) or _set_fields(resource, known)


def _set_fields(resource: Message, known: frozenset[str]) -> frozenset[str]:
    return known.intersection(field.name for field, _ in resource.ListFields())
