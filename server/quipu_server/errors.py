"""The errors of the core. The transport maps each class to a status; a reason names the case within its class."""

from collections.abc import Mapping, Sequence


class QuipuError(Exception):
    """An error a caller can act on.

    reason: name of a value of `ErrorReason` without its prefix.
    metadata: facts for programs; keys and values are strings.
    """

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})


class InvalidArgument(QuipuError):
    """A field has a value that is not allowed. `field` is its path as the client wrote it."""

    reason = "INVALID_FIELD"

    def __init__(
        self, field: str, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{field}: {message}", reason=reason, metadata={"field": field, **(metadata or {})})
        self.field = field
        self.description = message

    def lay_below(self, parent: str) -> None:
        """Say that the field lies below another one."""
        self.field = self.metadata["field"] = f"{parent}.{self.field}"
        self.message = f"{self.field}: {self.description}"


class InvalidFilter(InvalidArgument):
    """A filter cannot be read. `position` counts characters of the text from 0; None for a tree."""

    reason = "INVALID_FILTER"

    def __init__(self, field: str, message: str, *, position: int | None = None) -> None:
        metadata = {} if position is None else {"position": str(position)}
        super().__init__(field, message, metadata=metadata)


class ContentBlocked(InvalidArgument):
    """A text has what the tenant does not want to be stored. kinds: of what was found, which itself is never told."""

    reason = "CONTENT_BLOCKED"

    def __init__(self, field: str, kinds: Sequence[str], what: str) -> None:
        found = ", ".join(kinds)
        super().__init__(field, f"has {found}, and {what} are not stored; leave it out", metadata={"kinds": found})


class NotFound(QuipuError):
    """A named resource does not exist. `reason` says of which type: memory, space, session, model, job and more."""

    def __init__(self, resource_type: str, name: str) -> None:
        reason = f"{resource_type.upper()}_NOT_FOUND"
        super().__init__(f"there is no {resource_type} {name!r}", reason=reason, metadata={"name": name})
        self.resource_type = resource_type
        self.name = name


class AlreadyExists(QuipuError):
    """A resource exists already: a memory, a space, or a request id used for another request."""

    def __init__(self, resource_type: str, name: str) -> None:
        reason = f"{resource_type.upper()}_EXISTS"
        super().__init__(f"the {resource_type} {name!r} exists already", reason=reason, metadata={"name": name})
        self.resource_type = resource_type
        self.name = name


class RequestIdReused(QuipuError):
    """The request id was used for another request."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        message = f"the request id {request_id} was used for another request; send a new one"
        super().__init__(message, metadata={"request_id": request_id})
        self.request_id = request_id


class Conflict(QuipuError):
    """Somebody else wrote first. Nothing was changed."""

    reason = "WRITE_CONFLICT"


class EtagMismatch(Conflict):
    """The caller holds an old version."""

    reason = "ETAG_MISMATCH"

    def __init__(self, name: str, current: str) -> None:
        message = f"{name} has changed: its etag is now {current}; read it again"
        super().__init__(message, metadata={"name": name, "etag": current})


class RetentionEnded(Conflict):
    """A run of retention ended before it was done. `state`: failed or cancelled; `error`: why it failed."""

    reason = "RETENTION_ENDED"

    def __init__(self, name: str, state: str, error: str) -> None:
        why = f": {error}" if error else ""
        message = f"the run {name} was {state}{why}; what it had done stays done, and another run does the rest"
        super().__init__(message, metadata={"name": name})


class FailedPrecondition(QuipuError):
    """The state of a resource does not allow the request. `subject` is the name of the resource."""

    def __init__(self, subject: str, message: str, *, reason: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, reason=reason, metadata={"name": subject, **(metadata or {})})
        self.subject = subject


class SessionEnded(FailedPrecondition):
    """A session was ended, and nothing can be appended to it. `index`: of the write that would."""

    reason = "SESSION_ENDED"

    def __init__(self, name: str, index: int) -> None:
        super().__init__(name, f"{name} was ended: append to another session", reason=type(self).reason)
        self.index = index


class OutOfRange(QuipuError):
    """A revision is beyond the head of its space, or no longer kept."""

    reason = "REVISION_OUT_OF_RANGE"


class Unauthenticated(QuipuError):
    """The call brings no credential, or not a good one."""

    reason = "CREDENTIAL_INVALID"


class PermissionDenied(QuipuError):
    """The credential is good, but not for this."""

    reason = "ROLE_NEEDED"


class RoleNeeded(PermissionDenied):
    """The call needs another role than the credential has. Roles by their names."""

    def __init__(self, needed: str, role: str) -> None:
        message = f"the call needs the role {needed}; the credential has the role {role}"
        super().__init__(message, metadata={"needed": needed, "role": role})


class SpaceNotAllowed(PermissionDenied):
    """The key is not good for the space."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the key is not good for {name}", reason="SPACE_NOT_ALLOWED", metadata={"name": name})


class TenantNotAllowed(PermissionDenied):
    """The key administers its own tenant only."""

    def __init__(self, name: str) -> None:
        message = "the key administers its own tenant only"
        super().__init__(message, reason="TENANT_NOT_ALLOWED", metadata={"name": name})


class LogReplaced(OutOfRange):
    """The log that the caller has seen up to a revision is not the one that the space has now."""

    reason = "LOG_REPLACED"

    def __init__(self, name: str, revision: int, head: int) -> None:
        message = (
            f"the log of {name} is another one than that seen up to revision {revision}: the database was restored;"
            f" read the space anew and watch from its head, which is {head}"
        )
        super().__init__(message, metadata={"name": name, "revision": f"{revision}", "head": f"{head}"})


class QuotaExceeded(QuipuError):
    """A limit is used up; the same request may succeed after `retry_after_s` seconds.

    subject: the tenant or key whose limit it is. limit: as `1000,60`.
    """

    reason = "QUOTA_EXCEEDED"

    def __init__(self, subject: str, quota: str, limit: str, retry_after_s: float) -> None:
        message = f"{subject} has used up its {quota}, {limit} (count, seconds); try again in {retry_after_s:.1f} s"
        super().__init__(message, metadata={"subject": subject, "quota": quota, "limit": limit})
        self.subject = subject
        self.retry_after_s = retry_after_s


class DeadlineExceeded(QuipuError):
    """The time given for the request is over."""

    reason = "DEADLINE_EXCEEDED"


class Unavailable(QuipuError):
    """The service cannot answer now; the same request may succeed after `retry_after_s` seconds."""

    reason = "NOT_READY"
    retry_after_s = 1.0


class Overloaded(Unavailable):
    """Too much waits already."""

    reason = "OVERLOADED"
    retry_after_s = 0.5


class ModelChanged(Unavailable):
    """The space got another embedding model since it was read. Nothing was written; read it again and embed anew."""


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""

    reason = "STORE_UNAVAILABLE"


class StartupError(Exception):
    """The server cannot start; the message says what is wrong and how to mend it."""
