"""The table of errors: which status and details a client gets for each class."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    QuotaFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from quipu_server import errors
from quipu_server.rpc.convert.times import write_duration

DOMAIN = "quipu"

MOST_MESSAGE_BYTES = 768
MOST_FACT_BYTES = 256
"""Clients refuse trailers of more than 8 KiB, and what a caller sent may be part of a message, three times."""

Details: TypeAlias = Callable[[Any], list[Message]]


def _no_details(_: errors.QuipuError) -> list[Message]:
    return []


def _bad_request(error: errors.InvalidArgument) -> list[Message]:
    field, description = _cut(error.field, MOST_FACT_BYTES), _cut(error.description, MOST_MESSAGE_BYTES)
    return [BadRequest(field_violations=[BadRequest.FieldViolation(field=field, description=description)])]


def _resource(error: errors.NotFound | errors.AlreadyExists) -> list[Message]:
    return [ResourceInfo(resource_type=error.resource_type, resource_name=error.name)]


def _request(error: errors.RequestIdReused) -> list[Message]:
    return [ResourceInfo(resource_type="request", resource_name=error.request_id)]


def _precondition(error: errors.FailedPrecondition) -> list[Message]:
    description = _cut(error.message, MOST_MESSAGE_BYTES)
    violation = PreconditionFailure.Violation(type=error.reason, subject=error.subject, description=description)
    return [PreconditionFailure(violations=[violation])]


def _quota(error: errors.QuotaExceeded) -> list[Message]:
    violation = QuotaFailure.Violation(subject=error.subject, description=_cut(error.message, MOST_MESSAGE_BYTES))
    return [QuotaFailure(violations=[violation]), *_retry(error)]


def _retry(error: errors.Unavailable | errors.QuotaExceeded) -> list[Message]:
    return [RetryInfo(retry_delay=write_duration(error.retry_after_s))]


TABLE: dict[type[errors.QuipuError], tuple[StatusCode, Details]] = {
    errors.InvalidArgument: (StatusCode.INVALID_ARGUMENT, _bad_request),
    errors.NotFound: (StatusCode.NOT_FOUND, _resource),
    errors.AlreadyExists: (StatusCode.ALREADY_EXISTS, _resource),
    errors.RequestIdReused: (StatusCode.ALREADY_EXISTS, _request),
    errors.Conflict: (StatusCode.ABORTED, _no_details),
    errors.FailedPrecondition: (StatusCode.FAILED_PRECONDITION, _precondition),
    errors.Unauthenticated: (StatusCode.UNAUTHENTICATED, _no_details),
    errors.PermissionDenied: (StatusCode.PERMISSION_DENIED, _no_details),
    errors.QuotaExceeded: (StatusCode.RESOURCE_EXHAUSTED, _quota),
    errors.OutOfRange: (StatusCode.OUT_OF_RANGE, _no_details),
    errors.DeadlineExceeded: (StatusCode.DEADLINE_EXCEEDED, _no_details),
    errors.Unavailable: (StatusCode.UNAVAILABLE, _retry),
}
"""A class that is not here has the status of the nearest one it derives from."""


def make_status(error: Exception, request_id: str) -> Status:
    """The status of an error, ErrorInfo first among its details; INTERNAL, without its text, if it is not in the table.

    request_id: what the log has the details of an INTERNAL error under.
    """
    for kind in type(error).__mro__:
        if kind in TABLE and isinstance(error, errors.QuipuError):
            code, details = TABLE[kind]
            return _assemble(code, error.message, [_info(error.reason, error.metadata), *details(error)])
    message = f"the server has a defect; its log has the details under request {request_id}"
    return _assemble(StatusCode.INTERNAL, message, [_info("INTERNAL", {"request": request_id})])


def _assemble(code: StatusCode, message: str, details: list[Message]) -> Status:
    status = Status(code=code.value[0], message=_cut(message, MOST_MESSAGE_BYTES))
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _info(reason: str, metadata: Mapping[str, str]) -> ErrorInfo:
    facts = {key: _cut(value, MOST_FACT_BYTES) for key, value in metadata.items()}
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts)


def _cut(text: str, most_bytes: int) -> str:
    """The text, or its beginning and an ellipsis."""
    if len(text.encode()) <= most_bytes:
        return text
    return text.encode()[: most_bytes - len("…".encode())].decode(errors="ignore") + "…"
