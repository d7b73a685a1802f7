"""What other memory services export, as lines that `quipu import` reads.

Each service has a function from one of its records to a document of `cli/lines.py`; `Report` counts what had no place.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, TypeAlias

from quipu_server.cli.lines import dump, write_time

Record: TypeAlias = dict[str, Any]

LISTS = ("results", "memories", "messages", "items")
"""Names under which an answer or an export holds its records."""


class Skipped(Exception):
    """A record that is nothing to remember; the reason is counted."""


@dataclass(slots=True)
class Report:
    """What became of the records of a file."""

    read: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.read} records read, {self.read - self.skipped.total()} stored"
        yield from (f"{count} skipped: {reason}" for reason, count in self.skipped.most_common())
        yield from (f"{count} lost {name}, which has no place here" for name, count in self.left_out.most_common())
        yield from (f"{count} {note}" for note, count in self.notes.most_common())


@dataclass(slots=True)
class Reader:
    """Takes the fields of one record, so that what is left is known."""

    record: Record
    report: Report
    metadata: Record = field(default_factory=dict)

    def take(self, *names: str) -> Any:
        """The first of these fields that is set; all of them count as taken."""
        values = [self.record.pop(name, None) for name in names]
        return next((value for value in values if value not in (None, "")), None)

    def text(self, *names: str) -> str | None:
        """A field as text."""
        return None if (value := self.take(*names)) is None else str(value)

    def time(self, *names: str) -> str | None:
        """RFC 3339. Raises ValueError."""
        if (value := self.text(*names)) is None:
            return None
        return write_time(self._read_time(value))

    def keep(self, *names: str) -> None:
        """Put fields into the metadata."""
        self.metadata |= {name: value for name in names if (value := self.take(name)) is not None}

    def finish(self, document: Record) -> Record:
        """The document with its metadata; what no field took is counted as left out."""
        self.report.left_out.update(name for name, value in self.record.items() if value not in (None, "", [], {}))
        metadata = dict(self._flat("", self.metadata))
        return {key: value for key, value in document.items() if value is not None} | {"metadata": metadata}

    def _read_time(self, text: str) -> datetime:
        read = datetime.fromisoformat(text)
        if len(text) == len("2024-05-08"):
            read = datetime.combine(read, time.max)  # a day ends when it is over
        if read.tzinfo is None:
            self.report.notes["times without a zone, taken as UTC"] += 1
            return read.replace(tzinfo=UTC)
        return read

    def _flat(self, prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Metadata without objects in it: `{"a": {"b": 1}}` becomes `a.b`; lists that hold others become JSON."""
        for name, value in values.items():
            if isinstance(value, dict):
                self.report.notes["values in metadata flattened"] += bool(value)
                yield from self._flat(f"{prefix}{name}.", value)
            elif isinstance(value, list) and any(isinstance(item, dict | list) or item is None for item in value):
                self.report.notes["values in metadata written as JSON"] += 1
                yield f"{prefix}{name}", dump(value)
            elif value not in (None, []):
                yield f"{prefix}{name}", value


def from_mem0(reader: Reader) -> Record:
    """A record of mem0's `get_all` and exports, or of a payload in its vector store."""
    content = reader.text("memory", "data", "text")
    if content is None:
        raise Skipped("no text")
    kind = "procedural" if reader.take("memory_type") == "procedural_memory" else "semantic"
    reader.metadata |= reader.take("metadata") or {}
    reader.keep("user_id", "agent_id", "app_id")
    reader.take("hash", "updated_at", "score", "text_lemmatized")
    return {
        "id": reader.text("id"),
        "content": content,
        "kind": kind,
        "role": reader.take("role"),
        "speaker": reader.text("actor_id"),
        "session": reader.text("run_id"),
        "tags": reader.take("categories"),
        "event_time": reader.time("created_at"),
        "expire_time": reader.time("expiration_date"),
    }


def from_memorymesh(reader: Reader) -> Record:
    """A message of memorymesh, from its API or its table."""
    content = reader.text("content")
    if content is None:
        raise Skipped("no text")
    if reader.take("archived"):
        raise Skipped("archived")
    reader.metadata |= reader.take("metadata", "message_metadata") or {}
    reader.keep("tenant_id")
    reader.take("updated_at", "embedding", "embedding_status")
    return {
        "id": reader.text("id", "message_id"),
        "content": content,
        "kind": "episodic",
        "role": reader.take("role"),
        "session": reader.text("conversation_id"),
        "importance": reader.take("importance_override", "importance", "importance_score"),
        "event_time": reader.time("created_at"),
    }


SERVICES: Mapping[str, Callable[[Reader], Record]] = {"mem0": from_mem0, "memorymesh": from_memorymesh}


def foreign_lines(text: bytes, service: str, report: Report) -> Iterator[bytes]:
    """One line for each record of an export; an empty one for a record that is skipped. Raises ValueError."""
    for number, record in enumerate(_records(text), 1):
        report.read += 1
        try:
            yield _line(service, Reader(dict(record), report))
        except Skipped as reason:
            report.skipped[str(reason)] += 1
            yield b""
        except (TypeError, ValueError) as error:
            raise ValueError(f"record {number}: {error}") from error


def _line(service: str, reader: Reader) -> bytes:
    return dump(reader.finish(SERVICES[service](reader))).encode()


def _records(text: bytes) -> list[Record]:
    """Of a JSON list, of an answer that holds one, or of lines of JSON. Raises ValueError."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(found, dict):
        found = next((found[name] for name in LISTS if isinstance(found.get(name), list)), [found])
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise ValueError("the file must hold a list of objects, or one object a line")
    return found
