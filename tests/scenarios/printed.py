"""What commands of `quipu` print, as results of the operations."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from quipu.fields import to_memory
from quipu_server.cli.lines import OUTPUTS, dump, from_line


def result(do: str, lines: list[Any]) -> Any:
    """The result of an operation from the JSON that its command printed."""
    match do:
        case "add" | "get" | "update":
            return memory(lines[0])
        case "list":
            return [memory(line) for line in lines]
        case "history":
            return [_revision(line) for line in lines]
        case "search":
            return {"hits": [_hit(line) for line in lines]}
        case "get_space":
            return _space(lines[0])
        case "spaces":
            return [_space(line) for line in lines]
        case "erase":
            return lines[0]
        case "describe_index":
            return _index(lines[0])
    return None


def memory(document: Mapping[str, Any]) -> dict[str, Any]:
    """A memory as Protobuf's JSON has it."""
    if "content" not in document:  # it was erased
        return dict(document)
    fields = {key: value for key, value in from_line(dump(document).encode()).items() if key != "id"}
    written: dict[str, Any] = MessageToDict(to_memory(fields), preserving_proto_field_name=True)
    redactions = [
        _set_only(each | {"kind": f"REDACTION_KIND_{each['kind'].upper()}"}) for each in document.get("redactions", ())
    ]
    outputs = {key: document[key] for key in OUTPUTS if key in document}
    return written | outputs | ({"redactions": redactions} if redactions else {})


def _revision(document: Mapping[str, Any]) -> dict[str, Any]:
    change = f"MEMORY_CHANGE_{document['change'].upper()}"
    return {"revision": document["revision"], "change": change, "memory": memory(document["memory"])}


def _hit(document: Mapping[str, Any]) -> dict[str, Any]:
    hit = {**document, "memory": memory(document["memory"])}
    if "explanation" in document:
        hit["explanation"] = _set_only(document["explanation"])
    return hit


def _space(document: Mapping[str, Any]) -> dict[str, Any]:
    return _set_only(document) | {"name": f"spaces/{document['id']}"}


def _index(document: Mapping[str, Any]) -> dict[str, Any]:
    """An index as Protobuf's JSON has it, as far as scenarios ask."""
    counts = {key: str(document[key]) for key in ("memory_count", "revision", "head_revision", "bytes")}
    state = f"INDEX_STATE_{document['state'].upper()}"
    checked = {"recall_check": document["recall_check"]} if "recall_check" in document else {}
    return {"space": f"spaces/{document['space']}", "state": state, **counts, **checked}


def _set_only(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Protobuf's JSON leaves out."""
    return {key: value for key, value in document.items() if value not in ("", 0, [], {})}
