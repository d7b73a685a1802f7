"""Sessions and their messages."""

from collections.abc import Sequence

from quipu.v1.memory_pb2 import MemoryKind
from quipu.v1.memory_pb2 import Role as RoleNumber
from quipu.v1.session_pb2 import RoleCount
from quipu.v1.session_pb2 import Session as SessionMessage
from quipu.v1.session_service_pb2 import (
    AppendMessagesRequest,
    GetWindowRequest,
    GetWindowResponse,
    ListSessionsRequest,
    NewMessage,
    SessionState,
    UpdateSessionRequest,
)
from quipu_server.domain import Kind
from quipu_server.errors import InvalidArgument
from quipu_server.inputs import Draft
from quipu_server.ports.sessions import Session, SessionSettings
from quipu_server.rpc import names
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.memories import read_draft, write_memory
from quipu_server.rpc.convert.times import write_optional_time
from quipu_server.rpc.convert.values import read_metadata, write_value
from quipu_server.rpc.validate import check_count, check_known, check_text
from quipu_server.sessions import Budget, Window

MOST_MESSAGES = 500
MOST_TITLE_BYTES = 256
MOST_SUMMARY_BYTES = 32_768
LARGEST_WINDOW = 1_000
MOST_WINDOW_TOKENS = 1_000_000

_PATHS = frozenset({"title", "summary", "metadata"})
_STATES: dict[int, bool | None] = {
    SessionState.SESSION_STATE_UNSPECIFIED: None,
    SessionState.SESSION_STATE_OPEN: False,
    SessionState.SESSION_STATE_ENDED: True,
}


def read_messages(request: AppendMessagesRequest, session: str, most_content_bytes: int) -> Sequence[Draft]:
    """The messages to append. Raises InvalidArgument."""
    check_count(request.messages, "messages", MOST_MESSAGES, least=1)
    drafts = []
    ids: set[str] = set()
    for i, message in enumerate(request.messages):
        path = f"messages[{i}]."
        if message.memory_id in ids:
            raise InvalidArgument(f"{path}memory_id", "is given twice")
        ids.update(filter(None, [message.memory_id]))
        drafts.append(_read_message(message, path, session, most_content_bytes))
    return drafts


def read_state(request: ListSessionsRequest) -> bool | None:
    """Whether ended sessions are asked for, or others; None for both. Raises InvalidArgument."""
    return check_known(request.state, "state", _STATES)


def read_budget(request: GetWindowRequest) -> Budget:
    """What a window may hold. Raises InvalidArgument."""
    messages, tokens = request.max_messages, request.max_tokens
    if not messages and not tokens:
        raise InvalidArgument("max_messages", "or max_tokens must be set")
    if not 0 <= messages <= LARGEST_WINDOW:
        raise InvalidArgument("max_messages", f"is {messages:,}; it must be from 1 to {LARGEST_WINDOW:,}, or 0")
    if not 0 <= tokens <= MOST_WINDOW_TOKENS:
        raise InvalidArgument("max_tokens", f"is {tokens:,}; it must be from 1 to {MOST_WINDOW_TOKENS:,}, or 0")
    return Budget(messages or LARGEST_WINDOW, tokens or None)


def read_session_settings(request: UpdateSessionRequest) -> tuple[SessionSettings, frozenset[str]]:
    """The new values, and which of them to take. Raises InvalidArgument."""
    message = request.session
    settings = SessionSettings(
        check_text(message.title, "session.title", MOST_TITLE_BYTES),
        check_text(message.summary, "session.summary", MOST_SUMMARY_BYTES),
        read_metadata(message.metadata, "session.metadata"),
    )
    return settings, read_mask(request, message, _PATHS)


def write_session(session: Session, space: str) -> SessionMessage:
    """The message of a session; `space` is the id of its space."""
    settings, statistics = session.settings, session.statistics
    counts = [RoleCount(role=RoleNumber.ValueType(role), count=n) for role, n in statistics.by_role.items()]
    return SessionMessage(
        name=names.write_session(space, session.name),
        title=settings.title,
        summary=settings.summary,
        metadata={key: write_value(value) for key, value in settings.metadata.items()},
        message_count=statistics.count,
        role_counts=counts,
        token_count=statistics.token_count,
        first_message_time=write_optional_time(statistics.first_time),
        last_message_time=write_optional_time(statistics.last_time),
        end_time=write_optional_time(session.end_time),
        etag=session.etag,
    )


def write_window(window: Window, space: str) -> GetWindowResponse:
    return GetWindowResponse(
        messages=[write_memory(memory, space) for memory in window.messages],
        token_counts=window.token_counts,
        token_count=sum(window.token_counts),
        has_older=window.has_older,
    )


def _read_message(message: NewMessage, path: str, session: str, most_content_bytes: int) -> Draft:
    memory = message.memory
    if memory.session not in ("", session):
        raise InvalidArgument(f"{path}memory.session", f"must be empty or {session}, the session of the request")
    draft = read_draft(message, path, most_content_bytes)
    if draft.fields.kind is not Kind.EPISODIC:
        kind = MemoryKind.Name(memory.kind)
        raise InvalidArgument(f"{path}memory.kind", f"is {kind}; a message is MEMORY_KIND_EPISODIC, or names no kind")
    return draft
