"""Every method of the API, from its definition."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from google.protobuf.descriptor import MethodDescriptor

import quipu.v1


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    for module in pkgutil.iter_modules(quipu.v1.__path__):
        if module.name.endswith("_service_pb2"):
            file = importlib.import_module(f"quipu.v1.{module.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                yield from ((f"/{service.full_name}/{method.name}", method) for method in service.methods)


METHODS: Mapping[str, MethodDescriptor] = dict(methods())
"""By the path that gRPC calls it by."""
