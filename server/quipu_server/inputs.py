"""What callers ask of memories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from quipu_server.domain import NO_FEEDBACK, Memory, MemoryFields, Metadata, Redaction, Vector
from quipu_server.errors import EtagMismatch
from quipu_server.filters import METADATA_PREFIX, Condition


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory to create. `vector` is finite and not all zero; it is scaled here.

    path: of the memory in the request, for errors.
    redactions: what the guard left out of the fields.
    """

    fields: MemoryFields
    memory_id: str | None = None
    vector: Vector | None = None
    path: str = "memory"
    redactions: tuple[Redaction, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A memory by name."""

    tenant: str
    space: str
    memory_id: str

    @property
    def name(self) -> str:
        return f"spaces/{self.space}/memories/{self.memory_id}"


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list. `revision` None means: as of now; `after` is the last row of the page before."""

    condition: Condition | None = None
    order_by: str = "create_time"
    descending: bool = False
    show_deleted: bool = False
    show_archived: bool = False
    revision: int | None = None
    after: tuple[datetime | None, str] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `after` is None on the last one."""

    memories: Sequence[Memory]
    after: tuple[datetime | None, str] | None
    revision: int


@dataclass(frozen=True, slots=True)
class Patch:
    """New values for the fields that `paths` name: those of MemoryFields, `metadata.{key}`, `vector`."""

    fields: MemoryFields
    paths: frozenset[str]
    vector: Vector | None = None
    redactions: tuple[Redaction, ...] = ()

    def apply(self, old: MemoryFields) -> MemoryFields:
        """The old fields with the new values."""
        named = {f.name: getattr(self.fields, f.name) for f in fields(MemoryFields) if f.name in self.paths}
        if "importance" in named:
            named["importance_given"] = self.fields.importance_given
        if named.get("content", old.content) != old.content:
            named["feedback"] = NO_FEEDBACK  # it was said of what is replaced
        keys = [p.removeprefix(METADATA_PREFIX) for p in self.paths if p.startswith(METADATA_PREFIX)]
        if keys and "metadata" not in named:
            kept = {key: value for key, value in old.metadata.items() if key not in keys}
            named["metadata"] = kept | {key: self.fields.metadata[key] for key in keys if key in self.fields.metadata}
        return replace(old, **named)

    def changes(self, old: MemoryFields) -> bool:
        """Tell whether anything becomes another value; a vector always does."""
        new = self.apply(old)
        return "vector" in self.paths or new != old or _kinds(new.metadata) != _kinds(old.metadata)


def check_etag(target: Target, latest: Memory, etag: str) -> None:
    """Raise EtagMismatch when an etag is given and is not that of the newest version."""
    if etag and etag != latest.etag:
        raise EtagMismatch(target.name, latest.etag)


def _kinds(metadata: Metadata) -> Mapping[str, object]:
    """What tells True from 1.0, which are equal in Python."""
    return {key: [*map(type, v)] if isinstance(v, tuple) else type(v) for key, v in metadata.items()}
