"""THE table from errors of the core to statuses; every status carries ErrorInfo."""

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from quipu_server import errors

DOMAIN = "quipu"
CODES: dict[type[errors.QuipuError], int] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.RequestIdReused: code_pb2.ALREADY_EXISTS,
    errors.Conflict: code_pb2.ABORTED,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.OutOfRange: code_pb2.OUT_OF_RANGE,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
}


def code_of(error: errors.QuipuError) -> int:
    """The code of the nearest class in the table."""
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), code_pb2.INTERNAL)


def build_status(error: errors.QuipuError) -> status_pb2.Status:
    """The status of an error, with all its details."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    status = status_pb2.Status(code=code_of(error), message=error.message)
    for detail in (info, *build_details(error)):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def build_details(error: errors.QuipuError) -> list[Message]:
    """What stands beside ErrorInfo."""
    match error:
        case errors.InvalidArgument():
            violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.description)
            return [error_details_pb2.BadRequest(field_violations=[violation])]
        case errors.NotFound() | errors.AlreadyExists():
            return [error_details_pb2.ResourceInfo(resource_type=error.resource_type, resource_name=error.name)]
        case errors.RequestIdReused():
            return [error_details_pb2.ResourceInfo(resource_type="request", resource_name=error.request_id)]
        case errors.FailedPrecondition():
            failure = error_details_pb2.PreconditionFailure.Violation(
                type=error.reason, subject=error.subject, description=error.message
            )
            return [error_details_pb2.PreconditionFailure(violations=[failure])]
        case errors.Unavailable():
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
            return [retry]
        case _:
            return []


def grpc_code(error: errors.QuipuError) -> grpc.StatusCode:
    """The code as grpc names it."""
    return next(code for code in grpc.StatusCode if code.value[0] == code_of(error))
