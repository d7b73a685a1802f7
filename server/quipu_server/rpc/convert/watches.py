"""Watches: what is watched, and what has changed."""

from quipu.v1.memory_service_pb2 import WatchedChange, WatchMemoriesRequest, WatchMemoriesResponse
from quipu_server.errors import InvalidArgument
from quipu_server.rpc import names
from quipu_server.rpc.convert.filters import read_filtering
from quipu_server.rpc.convert.memories import write_revision
from quipu_server.rpc.convert.several import read_revisions, read_spaces
from quipu_server.watching import Changes, WatchQuery


def read_watch(request: WatchMemoriesRequest, tenant: str) -> WatchQuery:
    """What to watch. Raises InvalidArgument."""
    spaces = read_spaces(request.spaces)
    after = read_revisions(request.after_revisions, "after_revisions")
    if others := sorted(after.keys() - set(spaces)):
        raise InvalidArgument(f'after_revisions["{names.write_space(others[0])}"]', "is not among the spaces")
    return WatchQuery(tenant, spaces, after, read_filtering(request))


def write_changes(found: Changes) -> WatchMemoriesResponse:
    """One message of the stream."""
    space = found.space.name
    return WatchMemoriesResponse(
        space=names.write_space(space),
        changes=[WatchedChange(revision=write_revision(memory, space), left=left) for memory, left in found.changes],
        revision=found.revision,
        head_revision=found.head_revision,
    )
