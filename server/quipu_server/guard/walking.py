"""Goes through the texts of a memory."""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace

from quipu_server.access.domain import GuardPolicy
from quipu_server.domain import MemoryFields, Metadata, MetadataValue, Redaction
from quipu_server.errors import ContentBlocked
from quipu_server.filters import METADATA_PREFIX
from quipu_server.guard.findings import redacted
from quipu_server.guard.personal import find_personal
from quipu_server.guard.secrets import find_secrets

_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Walk:
    """One memory under a policy; `redactions` has what was redacted so far, in the order of the fields.

    path: that of the memory in the request, for errors.
    """

    def __init__(self, policy: GuardPolicy, path: str) -> None:
        self._policy = policy
        self._path = path
        self.redactions: list[Redaction] = []

    def fields(self, fields: MemoryFields, paths: Collection[str] | None = None) -> MemoryFields:
        """The fields, or those that paths name, without personal data. Raises ContentBlocked for secrets."""
        named = {name: getattr(fields, name) for name in ("content", "speaker") if paths is None or name in paths}
        changed: dict[str, object] = {name: self.text(text, name) for name, text in named.items()}
        if paths is None or "session" in paths:
            self.identifier(fields.session, f"{self._path}.session")
        if paths is None or "tags" in paths:
            # Two that differed may be the same now.
            changed["tags"] = tuple(dict.fromkeys(self.text(tag, f"tags[{i}]") for i, tag in enumerate(fields.tags)))
        if keys := list(_keys(fields.metadata, paths)):
            changed["metadata"] = {**fields.metadata, **{key: self._entry(key, fields.metadata[key]) for key in keys}}
        return replace(fields, **changed)  # type: ignore[arg-type]  # names and types are those of the fields

    def text(self, text: str, field: str, name: str = "") -> str:
        """A text without personal data. name: what the text is called where that says what it is."""
        self.identifier(text, f"{self._path}.{field}", name)
        if not self._policy.redact_personal or not (found := find_personal(text, self._policy.region)):
            return text
        self.redactions += [Redaction(field, each.kind, each.start, each.end) for each in found]
        return redacted(text, found)

    def identifier(self, text: str, path: str, name: str = "") -> None:
        """Raise ContentBlocked when a text has a secret; it stays as it is otherwise."""
        if self._policy.block_secrets and (kinds := sorted(set(find_secrets(text, name)))):
            raise ContentBlocked(path, kinds, "secrets")

    def _entry(self, key: str, value: MetadataValue) -> MetadataValue:
        self.identifier(key, f"{self._path}.metadata")
        if self._policy.redact_personal and (found := find_personal(key, self._policy.region)):
            # Without it the key would be another one; and the path of an error must not have it either.
            raise ContentBlocked(f"{self._path}.metadata", sorted({each.kind for each in found}), "such keys")
        field = f"metadata[{_quoted(key)}]"
        match value:
            case str():
                return self.text(value, f"{field}.string_value", key)
            case tuple():
                places = [f"{field}.list_value.values[{i}].string_value" for i in range(len(value))]
                return tuple(
                    self.text(each, place, key) if isinstance(each, str) else each
                    for each, place in zip(value, places, strict=True)
                )
        return value


def _keys(metadata: Metadata, paths: Collection[str] | None) -> Iterator[str]:
    """The keys that paths name."""
    for key in metadata:
        if paths is None or "metadata" in paths or f"{METADATA_PREFIX}{key}" in paths:
            yield key
