"""Scenario files, read and checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "clients" / "scenarios"
MEMORIES = {
    "add",
    "add_many",
    "ingest",
    "get",
    "get_many",
    "list",
    "update",
    "delete",
    "undelete",
    "feedback",
    "archive",
    "unarchive",
    "erase",
    "history",
    "search",
    "watch",
}
SPACES = {"create_space", "get_space", "spaces", "update_space", "delete_space"}
SESSIONS = {
    "append",
    "get_session",
    "sessions",
    "messages",
    "window",
    "update_session",
    "end_session",
    "delete_session",
}
POLICIES = {
    "create_retention_policy",
    "get_retention_policy",
    "retention_policies",
    "update_retention_policy",
    "delete_retention_policy",
    "run_retention",
}
KEYS = {"create_tenant", "create_api_key", "rotate_api_key", "revoke_api_key"}
OTHERS = {"pack", "embed", "models", "count_tokens", "describe_index", "restart", "wait"}
OPERATIONS = MEMORIES | SPACES | SESSIONS | POLICIES | KEYS | OTHERS
CLIENTS = ("first", "second", "secured")
ERROR_FACTS = frozenset({"code", "reason", "fields", "metadata", "retryable"})
NOTHING: Any = object()
"""Where an expectation was not given; None is one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a client, and what must come of it: a result or an error."""

    do: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    client: str = "first"
    key: str | None = None
    take: int | None = None
    keep_as: str | None = None
    expect: Any = NOTHING
    error: Mapping[str, Any] | None = None

    @property
    def needs_result(self) -> bool:
        return self.expect is not NOTHING or self.keep_as is not None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the table."""

    name: str
    steps: tuple[Step, ...]


def read_all(folder: Path) -> Iterator[Scenario]:
    """The scenarios of a folder in order of their files' names."""
    return map(read, sorted(folder.glob("*.yaml")))


def read(file: Path) -> Scenario:
    """Raises ValueError for what is no scenario, naming file and step."""
    document = yaml.safe_load(file.read_text("utf-8"))
    try:
        _check_keys(document, {"scenario", "steps"})
        return Scenario(str(document["scenario"]), tuple(_step(*item) for item in enumerate(document["steps"], 1)))
    except (ValueError, KeyError) as error:
        raise ValueError(f"{file.name}: {error}") from error


_KEYS = {"with": "arguments", "as": "keep_as"}


def _step(number: int, document: Mapping[str, Any]) -> Step:
    try:
        _check_keys(document, {"do", "with", "client", "key", "take", "as", "expect", "error"})
        step = Step(**{_KEYS.get(key, key): value for key, value in document.items()})
        _check(step)
    except (TypeError, ValueError) as error:
        raise ValueError(f"step {number}: {error}") from error
    return step


def _check(step: Step) -> None:
    if step.do not in OPERATIONS:
        raise ValueError(f"there is no operation {step.do!r}")
    if step.do == "watch" and step.take is None:
        raise ValueError("a watch has no end: it needs `take`")
    if step.client not in CLIENTS:
        raise ValueError(f"there is no client {step.client!r}")
    if step.key is not None and step.client != "secured":
        raise ValueError("a key is for the client `secured`")
    if step.error is not None:
        if step.needs_result:
            raise ValueError("a step ends with a result or an error, not with both")
        if "code" not in step.error:
            raise ValueError("an error needs a code")
        _check_keys(step.error, ERROR_FACTS)


def _check_keys(document: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    if unknown := set(document) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
