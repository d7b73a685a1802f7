"""Python client of Quipu, the memory service."""

from quipu.admin import GuardSettings, NewSecret
from quipu.client import Client, SyncClient, connect, connect_sync
from quipu.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    QuipuError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unknown,
)
from quipu.fields import Changes, Draft, Fields, from_memory, metadata
from quipu.jobs import job_state
from quipu.operations import AsOf
from quipu.ranking import Ranking
from quipu.results import (
    Change,
    Context,
    ContextMessage,
    Hits,
    Outcome,
    Results,
    SyncHits,
    SyncResults,
    SyncWatch,
    Watch,
)
from quipu.searches import Mode
from quipu.server import Server, ServerError, is_serving
from quipu.tls import Tls
from quipu.v1.admin_service_pb2 import AuditEntry
from quipu.v1.api_key_pb2 import ApiKey
from quipu.v1.filter_pb2 import Filter
from quipu.v1.job_pb2 import Job
from quipu.v1.memory_pb2 import Memory, MemoryRevision, Redaction, RedactionKind
from quipu.v1.retention_policy_pb2 import RetentionPolicy
from quipu.v1.retention_service_pb2 import RunRetentionResponse
from quipu.v1.search_service_pb2 import Citation, Hit, LeftOut, PackContextResponse, SearchSummary
from quipu.v1.session_pb2 import Session
from quipu.v1.session_service_pb2 import GetWindowResponse as Window
from quipu.v1.space_pb2 import Space
from quipu.v1.tenant_pb2 import Tenant
from quipu.values import to_array, to_datetime, to_value, to_vector

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "AlreadyExists",
    "ApiKey",
    "AsOf",
    "AuditEntry",
    "Cancelled",
    "Change",
    "Changes",
    "Citation",
    "Client",
    "Context",
    "ContextMessage",
    "DataLoss",
    "DeadlineExceeded",
    "Draft",
    "FailedPrecondition",
    "FieldViolation",
    "Fields",
    "Filter",
    "GuardSettings",
    "Hit",
    "Hits",
    "Internal",
    "InvalidArgument",
    "Job",
    "LeftOut",
    "Memory",
    "MemoryRevision",
    "Mode",
    "NewSecret",
    "NotFound",
    "OutOfRange",
    "Outcome",
    "PackContextResponse",
    "PermissionDenied",
    "QuipuError",
    "Ranking",
    "Redaction",
    "RedactionKind",
    "ResourceExhausted",
    "Results",
    "RetentionPolicy",
    "RunRetentionResponse",
    "SearchSummary",
    "Server",
    "ServerError",
    "Session",
    "Space",
    "SyncClient",
    "SyncHits",
    "SyncResults",
    "SyncWatch",
    "Tenant",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Unknown",
    "Watch",
    "Window",
    "connect",
    "connect_sync",
    "from_memory",
    "is_serving",
    "job_state",
    "metadata",
    "to_array",
    "to_datetime",
    "to_value",
    "to_vector",
]
