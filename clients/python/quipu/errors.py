"""Errors of the service as exceptions: one class for each status code."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, cast

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

from quipu.v1.memory_service_pb2 import IngestRefusal


class FieldViolation(NamedTuple):
    """A field with a value that is not allowed; `field` is its path in the request."""

    field: str
    description: str


class QuipuError(Exception):
    """What went wrong. `except NotFound` catches a status; `error.reason` tells its cases apart.

    reason: name of a value of `ErrorReason` without its prefix, such as `MEMORY_NOT_FOUND`; empty when the error did
    not come from a Quipu server.
    metadata: facts for programs, as listed with the reason.
    field_violations: which fields are wrong, if any.
    retry_after: seconds after which the same request may succeed; None when that is not known.
    request_id: that of a write, which can be sent again with it without a second effect; empty for reads.
    call_id: what the log of the server has the call under; empty when no server answered.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
        request_id: str = "",
        call_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after = retry_after
        self.request_id = request_id
        self.call_id = call_id

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later."""
        is_unavailable = self.code is grpc.StatusCode.UNAVAILABLE
        return is_unavailable or self.retry_after is not None or self.reason == "WRITE_CONFLICT"


class Cancelled(QuipuError):
    """The call was cancelled on its way or by the server."""

    code = grpc.StatusCode.CANCELLED


class Unknown(QuipuError):
    """An error without a status."""

    code = grpc.StatusCode.UNKNOWN


class InvalidArgument(QuipuError):
    """A field has a value that is not allowed; see `field_violations`."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(QuipuError):
    """The time given for the call is over."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class NotFound(QuipuError):
    """There is no such memory, space or model."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(QuipuError):
    """There is such a memory or space already, or the request id was used for another request."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(QuipuError):
    """The credential does not allow this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(QuipuError):
    """There is no credential, or a bad one."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(QuipuError):
    """A quota or limit is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(QuipuError):
    """The state of a resource does not allow this."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(QuipuError):
    """Somebody else wrote first: read again and decide again."""

    code = grpc.StatusCode.ABORTED


class OutOfRange(QuipuError):
    """The revision does not exist yet, or is no longer kept."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unimplemented(QuipuError):
    """The server does not know this call."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Internal(QuipuError):
    """A defect of the server; its log has the details under `call_id`."""

    code = grpc.StatusCode.INTERNAL


class Unavailable(QuipuError):
    """The server cannot be reached or cannot answer now, and did not after several attempts."""

    code = grpc.StatusCode.UNAVAILABLE


class DataLoss(QuipuError):
    """An answer was cut short."""

    code = grpc.StatusCode.DATA_LOSS


_CLASSES: Mapping[grpc.StatusCode, type[QuipuError]] = {cls.code: cls for cls in QuipuError.__subclasses__()}


CALL_ID_KEY = "x-request-id"
"""The trailing metadata with which the server names a call."""


def error_from(error: grpc.RpcError, address: str, request_id: str) -> QuipuError:
    """The exception for what a stub raised; `address` is the server's, `request_id` that of a write."""
    failed = cast("grpc.Call", error)
    status = rpc_status.from_call(failed)
    details = _details(status.details if status else ())
    message = failed.details() or failed.code().name
    if failed.code() is grpc.StatusCode.UNAVAILABLE and "reason" not in details:
        # gRPC lists what it tried; the last part is what went wrong.
        message = f"the server at {address} cannot be reached: {message.rpartition(': ')[2]}"
    call_id = str(dict(failed.trailing_metadata() or ()).get(CALL_ID_KEY, ""))
    return _CLASSES[failed.code()](message, **details, request_id=request_id, call_id=call_id)


_BY_NUMBER: Mapping[int, type[QuipuError]] = {code.value[0]: cls for code, cls in _CLASSES.items()}


def refusal_error(refused: IngestRefusal, stream_id: str) -> QuipuError:
    """The exception for an item of a stream that was refused."""
    violations = [FieldViolation(refused.field, refused.message)] if refused.field else []
    return _BY_NUMBER.get(refused.code, Unknown)(
        refused.message,
        reason=refused.reason,
        metadata=refused.metadata,
        field_violations=violations,
        request_id=stream_id,
    )


def _details(packed: Iterable[Any]) -> dict[str, Any]:
    """Read the messages of google.rpc that came with an error."""
    found: dict[str, Any] = {}
    info, request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in packed:
        if detail.Unpack(info):
            found |= {"reason": info.reason, "metadata": info.metadata}
        elif detail.Unpack(request):
            found["field_violations"] = [FieldViolation(v.field, v.description) for v in request.field_violations]
        elif detail.Unpack(retry):
            found["retry_after"] = retry.retry_delay.ToTimedelta().total_seconds()
    return found
