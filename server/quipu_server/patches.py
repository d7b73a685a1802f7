"""Changes of single fields."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from quipu_server.domain import MemoryFields, Metadata, Vector
from quipu_server.filters import METADATA_PREFIX


@dataclass(frozen=True, slots=True)
class Patch:
    """New values for the fields that `paths` name: those of MemoryFields, `metadata.{key}`, `vector`."""

    fields: MemoryFields
    paths: frozenset[str]
    vector: Vector | None = None

    def apply(self, old: MemoryFields) -> MemoryFields:
        """The old fields with the new values."""
        named = {f.name: getattr(self.fields, f.name) for f in fields(MemoryFields) if f.name in self.paths}
        keys = [p.removeprefix(METADATA_PREFIX) for p in self.paths if p.startswith(METADATA_PREFIX)]
        if keys and "metadata" not in named:
            kept = {key: value for key, value in old.metadata.items() if key not in keys}
            named["metadata"] = kept | {key: self.fields.metadata[key] for key in keys if key in self.fields.metadata}
        return replace(old, **named)

    def changes(self, old: MemoryFields) -> bool:
        """Tell whether anything becomes another value; a given vector always does."""
        new = self.apply(old)
        return self.vector is not None or new != old or _kinds(new.metadata) != _kinds(old.metadata)


def _kinds(metadata: Metadata) -> Mapping[str, object]:
    """What tells True from 1.0, which are equal in Python."""
    return {key: [*map(type, v)] if isinstance(v, tuple) else type(v) for key, v in metadata.items()}
