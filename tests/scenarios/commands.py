"""Operations as the words of a command of `quipu`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from quipu_server.cli.lines import dump, write_time

Arguments: TypeAlias = Mapping[str, Any]

FIELDS = {"kind", "role", "speaker", "session", "tags", "metadata", "importance", "event_time", "expire_time"}


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its options, what it works on, and what it reads."""

    words: list[str]
    operands: list[str] = field(default_factory=list)
    stdin: bytes = b""


def command(do: str, arguments: Arguments, take: int | None, space: str) -> Command:
    """The command for an operation. space: where nothing else is said."""
    if do in _OF_SPACES:
        return _OF_SPACES[do](arguments)
    if take is not None:
        arguments = {**arguments, "limit": take}
    made = _OF_MEMORIES[do](arguments)
    given = arguments.get("space", space)
    spaces = [word for name in ([given] if isinstance(given, str) else given) for word in ("--space", name)]
    return Command([*made.words, *spaces], made.operands, made.stdin)


def _add(arguments: Arguments) -> Command:
    return Command(["put", "--json", *_options(arguments, {"id", *FIELDS})], [arguments["content"]])


def _add_many(arguments: Arguments) -> Command:
    lines = "".join(dump(_writable(memory)) + "\n" for memory in arguments["memories"])
    return Command(["import", "--parallel", "1"], ["-"], lines.encode())


def _list(arguments: Arguments) -> Command:
    limit = {"limit": 0, **arguments}
    known = {"filter", "order_by", "descending", "show_deleted", "show_archived", "revision", "limit"}
    return Command(["ls", "--json", *_options(limit, known)])


def _update(arguments: Arguments) -> Command:
    cleared = [word for key, value in arguments.items() if value is None for word in ("--clear", key)]
    keys = (arguments.get("metadata") or {}).items()
    unset = [word for key, value in keys if value is None for word in ("--unset", key)]
    operands = [arguments[key] for key in ("memory", "content") if key in arguments]
    return Command(["update", "--json", *_options(arguments, {"etag", *FIELDS}), *cleared, *unset], operands)


def _delete(arguments: Arguments) -> Command:
    return Command(["rm", *_options(arguments, {"allow_missing"})], [arguments["memory"]])


def _search(arguments: Arguments) -> Command:
    options = _options(arguments, {"example", "mode", "k", "filter", "min_relevance", "explain"})
    for revision in arguments.get("consistency", {}).get("as_of", {}).values():
        options += ["--as-of", str(revision)]
    return Command(["search", "--json", *options], [arguments["text"]] if "text" in arguments else [])


def _of_one(*words: str) -> Callable[[Arguments], Command]:
    return lambda arguments: Command([*words], [arguments["memory"]])


def _feedback(arguments: Arguments) -> Command:
    return Command(["feedback"], [arguments["memory"], arguments["verdict"]])


def _erase(arguments: Arguments) -> Command:
    options = _options(arguments, {"filter", "sessions", "dry_run"})
    return Command(["erase", "--json", "--yes", *options], [*arguments.get("memories", ())])


def _get(arguments: Arguments) -> Command:
    return Command(["get", "--json", *_options(arguments, {"revision"})], [arguments["memory"]])


def _create_space(arguments: Arguments) -> Command:
    options = _options(arguments, {"display_name", "model", "language"})
    return Command(["spaces", "create", *options], [arguments["space"]])


def _delete_space(arguments: Arguments) -> Command:
    return Command(["spaces", "delete", "--yes", *_options(arguments, {"force"})], [arguments["space"]])


def _describe_index(arguments: Arguments) -> Command:
    return Command(["index", "describe", "--json", *_options(arguments, {"recall_sample"})], [arguments["space"]])


_OF_MEMORIES: Mapping[str, Callable[[Arguments], Command]] = {
    "add": _add,
    "add_many": _add_many,
    "get": _get,
    "list": _list,
    "update": _update,
    "delete": _delete,
    "undelete": _of_one("undelete"),
    "feedback": _feedback,
    "archive": _of_one("archive"),
    "unarchive": _of_one("unarchive"),
    "erase": _erase,
    "history": _of_one("history", "--json"),
    "search": _search,
}
_OF_SPACES: Mapping[str, Callable[[Arguments], Command]] = {
    "create_space": _create_space,
    "get_space": lambda arguments: Command(["spaces", "show", "--json"], [arguments["space"]]),
    "spaces": lambda _: Command(["spaces", "list", "--json"]),
    "delete_space": _delete_space,
    "describe_index": _describe_index,
}
_NAMES = {
    "tags": "tag",
    "metadata": "meta",
    "descending": "desc",
    "show_deleted": "deleted",
    "show_archived": "archived",
    "allow_missing": "missing-ok",
    "example": "like",
    "recall_sample": "recall",
}


def _options(arguments: Arguments, known: set[str]) -> list[str]:
    """Options for those arguments that have one; None has none."""
    given = {key: value for key, value in arguments.items() if key in known and value is not None}
    return [word for key, value in given.items() for word in _option(key, value)]


def _option(key: str, value: Any) -> Iterator[str]:
    flag = "-k" if key == "k" else f"--{_NAMES.get(key, key).replace('_', '-')}"
    match value:
        case bool():
            yield from [flag] if value else []
        case list():
            yield from (word for item in value for word in (flag, item))
        case dict():
            keys = {name: item for name, item in value.items() if item is not None}
            yield from (word for name, item in keys.items() for word in (flag, f"{name}={json.dumps(_metadata(item))}"))
        case _:
            yield from (flag, write_time(value) if isinstance(value, datetime) else str(value))


def _metadata(value: Any) -> Any:
    """A value of metadata as a line of JSON has it."""
    if isinstance(value, list):
        return [_metadata(item) for item in value]
    return {"time": write_time(value)} if isinstance(value, datetime) else value


def _writable(memory: Arguments) -> dict[str, Any]:
    """A memory as a line of JSON has it."""
    line = {key: write_time(value) if isinstance(value, datetime) else value for key, value in memory.items()}
    metadata = memory.get("metadata") or {}
    return line | {"metadata": {key: _metadata(value) for key, value in metadata.items()}}
