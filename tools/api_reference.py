"""Write the API reference as Markdown from a descriptor set with comments (make docs).

python tools/api_reference.py DESCRIPTORS > docs/api.md
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

PACKAGE = "quipu.v1"

# Field numbers of descriptor.proto, of which the paths of comments are made.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM, MESSAGE_ONEOF = 2, 3, 4, 8
ENUM_VALUE, SERVICE_METHOD = 2, 2


class Reference:
    """Renders one file of protos."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}

    def lines(self) -> Iterator[str]:
        for number, service in enumerate(self._file.service):
            yield from self._service(service, (FILE_SERVICE, number))
        for number, message in enumerate(self._file.message_type):
            yield from self._message(message, message.name, (FILE_MESSAGE, number))
        for number, enum in enumerate(self._file.enum_type):
            yield from self._enum(enum, enum.name, (FILE_ENUM, number))

    def _comment(self, path: tuple[int, ...]) -> str:
        return " ".join(self._comments.get(path, "").split())

    def _service(self, service: ServiceDescriptorProto, path: tuple[int, ...]) -> Iterator[str]:
        yield from (f"## {service.name}", "", self._comment(path), "", "| RPC | takes | returns | |")
        yield "|---|---|---|---|"
        for number, method in enumerate(service.method):
            takes = ("stream of " if method.client_streaming else "") + linked(method.input_type)
            returns = ("stream of " if method.server_streaming else "") + linked(method.output_type)
            comment = cell(self._comment((*path, SERVICE_METHOD, number)))
            yield f"| {method.name} | {takes} | {returns} | {comment} |"
        yield ""

    def _message(self, message: DescriptorProto, name: str, path: tuple[int, ...]) -> Iterator[str]:
        yield from (f"### {name}", "", self._comment(path), "")
        entries = {f".{PACKAGE}.{name}.{n.name}": n for n in message.nested_type if n.options.map_entry}
        if message.field:
            yield from ("| field | type | |", "|---|---|---|")
        for number, field in enumerate(message.field):
            comment = self._comment((*path, MESSAGE_FIELD, number))
            if field.HasField("oneof_index") and not field.proto3_optional:
                comment = f"One of `{message.oneof_decl[field.oneof_index].name}`. {comment}"
            yield f"| {field.name} | {type_of(field, entries.get(field.type_name))} | {cell(comment)} |"
        yield ""
        for number, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(nested, f"{name}.{nested.name}", (*path, MESSAGE_NESTED, number))
        for number, enum in enumerate(message.enum_type):
            yield from self._enum(enum, f"{name}.{enum.name}", (*path, MESSAGE_ENUM, number))

    def _enum(self, enum: EnumDescriptorProto, name: str, path: tuple[int, ...]) -> Iterator[str]:
        yield from (f"### {name}", "", self._comment(path), "", "| value | number | |", "|---|---|---|")
        for number, value in enumerate(enum.value):
            yield f"| {value.name} | {value.number} | {cell(self._comment((*path, ENUM_VALUE, number)))} |"
        yield ""


def type_of(field: FieldDescriptorProto, entry: DescriptorProto | None) -> str:
    if entry is not None:
        return f"map of {type_of(entry.field[0], None)} to {type_of(entry.field[1], None)}"
    label = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    label = "optional " if field.proto3_optional else label
    if field.type_name:
        return label + linked(field.type_name)
    return label + FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def linked(type_name: str) -> str:
    """Return the name of a type, with a link if it is ours. type_name begins with a dot."""
    name = type_name.removeprefix(f".{PACKAGE}.")
    if name == type_name:
        return f"`{name.removeprefix('.')}`"
    return f"[{name}](#{name.lower().replace('.', '')})"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    descriptors = FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
    files = [file for file in descriptors.file if file.package == PACKAGE]
    print(f"# API reference: {PACKAGE}\n\nWritten by `make docs` from the comments in `proto/`.\n")
    for file in sorted(files, key=lambda file: (not file.service, file.name)):
        print("\n".join(Reference(file).lines()))


if __name__ == "__main__":
    main()
