"""Memories with ids of their own, stored whether there are such or not."""

from collections.abc import Iterable, Mapping
from typing import Any

from quipu.adapters.missing import unless_missing
from quipu.client import SyncClient
from quipu.errors import AlreadyExists
from quipu.fields import Draft
from quipu.v1.memory_pb2 import Memory


def put_all(client: SyncClient, space: str | None, drafts: Mapping[str, Draft]) -> None:
    """Store drafts by their ids: new ones in batches; the others take over all fields that their drafts have."""
    for key in _add_new(client, space, drafts) if len(drafts) > 1 else drafts:
        fields: dict[str, Any] = {name: value for name, value in drafts[key].items() if name != "id"}
        client.update(key, space=space, allow_missing=True, **fields)


def _add_new(client: SyncClient, space: str | None, drafts: Mapping[str, Draft]) -> Iterable[str]:
    """Store those that are new; give the others."""
    existing: Mapping[str, Memory] = unless_missing(lambda: client.get_many([*drafts], space=space), {})
    try:
        client.add_many([draft for key, draft in drafts.items() if key not in existing], space=space)
    except AlreadyExists:  # made meanwhile, or expired
        return drafts
    return existing
