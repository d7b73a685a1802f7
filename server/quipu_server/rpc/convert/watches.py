"""Watches: what is watched, and what has changed."""

from collections.abc import Collection

from quipu.v1.memory_service_pb2 import WatchedChange, WatchMemoriesRequest, WatchMemoriesResponse
from quipu_server.errors import InvalidArgument
from quipu_server.ports import Watched
from quipu_server.rpc import names
from quipu_server.rpc.convert.filters import read_filtering
from quipu_server.rpc.convert.memories import write_revision
from quipu_server.rpc.convert.several import read_revisions, read_spaces
from quipu_server.watching import Changes, WatchQuery


def read_watch(request: WatchMemoriesRequest, tenant: str) -> WatchQuery:
    """What to watch. Raises InvalidArgument."""
    spaces = read_spaces(request.spaces)
    after = read_revisions(request.after_revisions, "after_revisions")
    _check_among(after, spaces, "after_revisions", "the spaces")
    nonces = read_revisions(request.after_nonces, "after_nonces")
    _check_among(nonces, after, "after_nonces", "after_revisions")
    return WatchQuery(tenant, spaces, after, nonces, read_filtering(request))


def _check_among(given: Collection[str], known: Collection[str], field: str, what: str) -> None:
    if others := sorted(set(given) - set(known)):
        raise InvalidArgument(f'{field}["{names.write_space(others[0])}"]', f"is not among {what}")


def write_changes(found: Changes) -> WatchMemoriesResponse:
    """One message of the stream."""
    space = found.space.name
    return WatchMemoriesResponse(
        space=names.write_space(space),
        changes=[_write_change(change, space) for change in found.changes],
        revision=found.revision,
        nonce=found.nonce,
        head_revision=found.head_revision,
    )


def _write_change(change: Watched, space: str) -> WatchedChange:
    return WatchedChange(revision=write_revision(change.memory, space), left=change.left, nonce=change.nonce)
