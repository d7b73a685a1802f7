"""The command line as a client."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from click.testing import CliRunner

from quipu_server.cli import quipu
from quipu_server.cli.memories import CLEARABLE
from tests.scenarios.calls import Refused
from tests.scenarios.commands import FIELDS, command
from tests.scenarios.files import Step
from tests.scenarios.printed import result

ARGUMENTS: Mapping[str, frozenset[str]] = {
    "add": frozenset({*FIELDS, "content", "id", "space"}),
    "add_many": frozenset({"memories", "space"}),
    "get": frozenset({"memory", "space", "revision"}),
    "list": frozenset({"filter", "order_by", "descending", "show_deleted", "show_archived", "space", "revision"}),
    "update": frozenset({*FIELDS, "memory", "content", "etag", "merge_metadata", "space"}),
    "delete": frozenset({"memory", "allow_missing", "space"}),
    "undelete": frozenset({"memory", "space"}),
    "feedback": frozenset({"memory", "verdict", "space"}),
    "archive": frozenset({"memory", "space"}),
    "unarchive": frozenset({"memory", "space"}),
    "erase": frozenset({"memories", "filter", "sessions", "dry_run", "space"}),
    "history": frozenset({"memory", "space"}),
    "search": frozenset({"text", "example", "space", "mode", "k", "filter", "min_relevance", "explain", "consistency"}),
    "create_space": frozenset({"space", "display_name", "model", "language"}),
    "get_space": frozenset({"space"}),
    "spaces": frozenset(),
    "delete_space": frozenset({"space", "force"}),
    "describe_index": frozenset({"space", "recall_sample"}),
    "restart": frozenset(),
}
"""What the commands take of the arguments of the operations."""
SILENT = frozenset(
    {"add_many", "delete", "undelete", "feedback", "archive", "unarchive", "create_space", "delete_space"}
)
"""Operations whose commands print no result."""
FAILED = 1


class CommandLine:
    """`quipu`, run in this process."""

    def __init__(self, address: str, space: str, key: str | None = None) -> None:
        self._address = address
        self._space = space
        self._key = key

    def can(self, step: Step) -> bool:
        if step.do not in ARGUMENTS or not ARGUMENTS[step.do] >= set(step.arguments):
            return False
        if step.needs_result and step.do in SILENT:
            return False
        if step.take is not None and step.do != "list":
            return False
        if step.do == "search" and isinstance(step.expect, dict) and "summary" in step.expect:
            return False
        if "consistency" in step.arguments and not _is_as_of_one(step.arguments):
            return False
        return step.do != "update" or _can_update(step.arguments)

    def call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        made = command(do, arguments, take, self._space)
        return result(do, self._run([*made.words, "--address", self._address, "--", *made.operands], made.stdin))

    def close(self) -> None:
        """Nothing stays open."""

    def _run(self, words: Sequence[str], stdin: bytes) -> list[Any]:
        """The lines a command prints, read. Raises Refused when it fails as it should: with one line."""
        ended = CliRunner().invoke(quipu, words, input=stdin, env={"QUIPU_API_KEY": self._key}, prog_name="quipu")
        if ended.exit_code == FAILED and ended.stderr.count("Error: ") == 1:
            raise Refused(ended.stderr.strip(), None)
        if ended.exit_code != 0:
            raise RuntimeError(f"`quipu {words[0]}` ended with {ended.exit_code}: {ended.stderr}{ended.exception!r}")
        return [json.loads(line) for line in ended.stdout.split("\n") if line]


def _is_as_of_one(arguments: Mapping[str, Any]) -> bool:
    """Whether the past of the one space that is searched is asked for, which is all that the command does."""
    level = arguments["consistency"]
    return isinstance(level, dict) and len(level.get("as_of", ())) == 1


def _can_update(arguments: Mapping[str, Any]) -> bool:
    """Whether the fields that are cleared can be, and metadata is merged, which is all that the command does."""
    cleared = {key for key, value in arguments.items() if value is None}
    replaces = arguments.get("metadata") is not None and not arguments.get("merge_metadata")
    return cleared <= set(CLEARABLE) and not replaces
