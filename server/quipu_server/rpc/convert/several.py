"""Several spaces at once, and how far the caller has seen them."""

from collections.abc import Mapping, Sequence

from quipu_server.errors import InvalidArgument
from quipu_server.rpc import names
from quipu_server.rpc.validate import check_count

MOST_SPACES = 16


def read_spaces(messages: Sequence[str]) -> tuple[str, ...]:
    """The ids of 1 to 16 spaces, each once. Raises InvalidArgument."""
    check_count(messages, "spaces", MOST_SPACES, least=1)
    spaces: dict[str, None] = {}
    for i, name in enumerate(messages):
        space = names.read_space(name, f"spaces[{i}]")
        if space in spaces:
            raise InvalidArgument(f"spaces[{i}]", "is given twice")
        spaces[space] = None
    return tuple(spaces)


def read_revisions(messages: Mapping[str, int], path: str) -> Mapping[str, int]:
    """Revisions, or their nonces, by id of space. Raises InvalidArgument."""
    if not messages:  # mostly; to ask for items takes longer
        return {}
    revisions: dict[str, int] = {}
    for name, revision in messages.items():
        entry = f'{path}["{name}"]'
        revisions[names.read_space(name, entry)] = revision
        if revision < 0:
            raise InvalidArgument(entry, "must not be negative")
    return revisions
