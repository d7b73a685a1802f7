"""Python client of Quipu, the memory service."""

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
from quipu.v1.filter_pb2 import Filter
from quipu.v1.memory_pb2 import Memory, MemoryRevision
from quipu.v1.search_service_pb2 import Citation, Hit, LeftOut, PackContextResponse, SearchSummary
from quipu.v1.session_pb2 import Session
from quipu.v1.session_service_pb2 import GetWindowResponse as Window
from quipu.v1.space_pb2 import Space
from quipu.values import to_array, to_datetime, to_value, to_vector

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsOf",
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
    "Hit",
    "Hits",
    "Internal",
    "InvalidArgument",
    "LeftOut",
    "Memory",
    "MemoryRevision",
    "Mode",
    "NotFound",
    "OutOfRange",
    "Outcome",
    "PackContextResponse",
    "PermissionDenied",
    "QuipuError",
    "Ranking",
    "ResourceExhausted",
    "Results",
    "SearchSummary",
    "Server",
    "ServerError",
    "Session",
    "Space",
    "SyncClient",
    "SyncHits",
    "SyncResults",
    "SyncWatch",
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
    "metadata",
    "to_array",
    "to_datetime",
    "to_value",
    "to_vector",
]
