"""Steps as calls of the Python clients."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

import quipu
from tests.scenarios.files import Step


class Refused(Exception):
    """A call ended with an error. `facts` has what `error` of a step may ask for; None when that cannot be known."""

    def __init__(self, message: str, facts: Mapping[str, Any] | None) -> None:
        super().__init__(message)
        self.facts = facts


class Calls(Protocol):
    """A client in the terms of scenarios."""

    def can(self, step: Step) -> bool:
        """Whether there is such an operation, with such arguments and results."""

    def call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        """Do it; the result is as a scenario expects it. Raises Refused."""

    def close(self) -> None: ...


class AsyncCalls:
    """The async client, on an event loop of its own."""

    def __init__(self, address: str, space: str, key: str | None = None) -> None:
        self._runner = asyncio.Runner()
        self._client = quipu.connect(address, space=space, api_key=key)

    def can(self, step: Step) -> bool:
        return True

    def call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        return refusing(lambda: self._runner.run(self._call(do, arguments, take)))

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    async def _call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        texts, named = python_arguments(arguments)
        answer = getattr(self._client, do)(*texts, **named)
        if not isinstance(answer, quipu.Results):
            return plain(await answer)
        items = await self._read(answer, take)
        return read_answer(do, answer, items, take)

    async def _read(self, answer: "quipu.Results[Any]", take: int | None) -> list[Any]:
        if take is None:
            return await answer.all()
        items = [await anext(answer) for _ in range(take)]
        await answer.close()
        return items


class SyncCalls:
    """The blocking client."""

    def __init__(self, address: str, space: str, key: str | None = None) -> None:
        self._client = quipu.connect_sync(address, space=space, api_key=key)

    def can(self, step: Step) -> bool:
        return True

    def call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        return refusing(lambda: self._call(do, arguments, take))

    def close(self) -> None:
        self._client.close()

    def _call(self, do: str, arguments: dict[str, Any], take: int | None) -> Any:
        texts, named = python_arguments(arguments)
        answer = getattr(self._client, do)(*texts, **named)
        if not isinstance(answer, quipu.SyncResults):
            return plain(answer)
        items = list(islice(answer, take))
        answer.close()
        return read_answer(do, answer, items, take)


def refusing(call: Callable[[], Any]) -> Any:
    """Make a call; an error of the service becomes Refused."""
    try:
        return call()
    except quipu.QuipuError as error:
        raise Refused(f"{error.code.name} {error.reason}: {error}", facts_of(error)) from error


def facts_of(error: quipu.QuipuError) -> dict[str, Any]:
    """An error as scenarios write it."""
    return {
        "code": error.code.name,
        "reason": error.reason,
        "fields": [violation.field for violation in error.field_violations],
        "metadata": error.metadata,
        "retryable": error.is_retryable,
    }


def python_arguments(arguments: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Arguments as the client takes them: texts by position, revisions as numbers."""
    named = dict(arguments)
    texts: list[str] = named.pop("texts", [])
    for key in ("consistency", "after"):
        if isinstance(revisions := named.get(key), dict):
            named[key] = consistency(revisions)
    for key in ("older_than", "session_idle_for", "archived_for"):
        if isinstance(seconds := named.get(key), int | float):
            named[key] = timedelta(seconds=seconds)
    for key in ("after", "revision"):
        if isinstance(revision := named.get(key), str):
            named[key] = int(revision)
    return texts, named


def consistency(revisions: dict[str, Any]) -> dict[str, int] | quipu.AsOf:
    """Revisions by space, as those to have seen or, below `as_of`, as the past."""
    if isinstance(past := revisions.get("as_of"), dict):
        return quipu.AsOf({space: int(revision) for space, revision in past.items()})
    return {space: int(revision) for space, revision in revisions.items()}


def read_answer(do: str, answer: Any, items: list[Any], take: int | None) -> Any:
    """An answer that came in parts. A search that was read to its end has a summary; of a run the last part counts."""
    if do == "run_retention":
        return plain(items[-1])
    if not isinstance(answer, quipu.Hits | quipu.SyncHits):
        return plain(items)
    hits = {"hits": plain(items)}
    if take is not None:
        return hits
    contexts = [context(part) for part in answer.contexts]
    return hits | {"summary": plain(answer.summary)} | ({"contexts": contexts} if contexts else {})


def plain(value: Any) -> Any:
    """A result as JSON has it."""
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    if isinstance(value, quipu.Change):
        return change(value)
    if isinstance(value, quipu.Outcome):
        return outcome(value)
    if isinstance(value, quipu.NewSecret):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, str | int | float) or value is None:
        return value
    return [plain(item) for item in value]


def context(part: quipu.Context) -> dict[str, Any]:
    """A part of a session, as scenarios write it."""
    return {
        "session": part.session,
        "messages": [
            {"memory": plain(message.memory)} | ({"hit": True} if message.hit is not None else {})
            for message in part.messages
        ],
    }


def change(watched: quipu.Change) -> dict[str, Any]:
    """A change that was watched, as scenarios write it."""
    written = {
        "space": watched.space,
        "revision": watched.revision,
        "change": f"MEMORY_CHANGE_{watched.change.upper()}",
        "memory": plain(watched.memory),
    }
    return written | ({"left": True} if watched.left else {})


def outcome(told: quipu.Outcome) -> dict[str, Any]:
    """What became of a memory, as scenarios write it."""
    if told.error is not None:
        return {"offset": told.offset, "error": facts_of(told.error)}
    stored = {"offset": told.offset, "name": told.name, "revision": told.revision, "searchable": told.searchable}
    return stored | ({"redactions": plain(told.redactions)} if told.redactions else {})
