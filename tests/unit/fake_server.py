"""A server that gives the answers a test wrote and remembers what it was asked."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from quipu import wire
from quipu.v1 import (
    admin_service_pb2,
    embedding_service_pb2,
    index_service_pb2,
    memory_service_pb2,
    retention_service_pb2,
    search_service_pb2,
    session_service_pb2,
    space_service_pb2,
)

Answer = Callable[[Any], Any]

SERVICES: Iterable[ServiceDescriptor] = [
    admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"],
    embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"],
    index_service_pb2.DESCRIPTOR.services_by_name["IndexService"],
    memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"],
    retention_service_pb2.DESCRIPTOR.services_by_name["RetentionService"],
    search_service_pb2.DESCRIPTOR.services_by_name["SearchService"],
    session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
    space_service_pb2.DESCRIPTOR.services_by_name["SpaceService"],
]


QUICK_RETRIES = [
    (name, value.replace('"0.2s"', '"0.01s"').replace('"5s"', '"0.02s"') if isinstance(value, str) else value)
    for name, value in wire.OPTIONS
]
"""The options of a channel with as many retries as always, but hardly a wait before them."""


CALL_ID = "call-1"
"""What all failed calls have in the log."""


class FakeServer:
    """Answers a method with what was put into `answers` under its name; `context` is that of the last call."""

    def __init__(self) -> None:
        self.address = ""
        self.answers: dict[str, Answer] = {}
        self.requests: list[Any] = []
        self.contexts: list[grpc.ServicerContext] = []

    def handler(self, method: MethodDescriptor) -> Any:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append(request)
            self.contexts.append(context)
            return self.answers[method.name](request)

        if method.client_streaming:
            make = grpc.stream_stream_rpc_method_handler
        elif method.server_streaming:
            make = grpc.unary_stream_rpc_method_handler
        else:
            make = grpc.unary_unary_rpc_method_handler
        parse = GetMessageClass(method.input_type).FromString
        return make(handle, parse, GetMessageClass(method.output_type).SerializeToString)

    @property
    def context(self) -> grpc.ServicerContext:
        return self.contexts[-1]


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """One that listens."""
    fake = FakeServer()
    running = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 16 << 20)])
    for service in SERVICES:
        handlers = {method.name: fake.handler(method) for method in service.methods}
        running.add_registered_method_handlers(service.full_name, handlers)
        running.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, handlers)])
    fake.address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    running.start()
    try:
        yield fake
    finally:
        running.stop(None).wait()


def abort(server: FakeServer, code: str, message: str, *details: Message) -> NoReturn:
    """End the call that is being answered with an error."""
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    status = rpc_status.to_status(Status(code=grpc.StatusCode[code].value[0], message=message, details=packed))
    named = (*status.trailing_metadata, ("x-request-id", CALL_ID))
    server.context.abort_with_status(status._replace(trailing_metadata=named))  # type: ignore[attr-defined]
