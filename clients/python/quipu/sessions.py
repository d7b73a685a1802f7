"""Calls that keep sessions."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from quipu.dual import call, results
from quipu.fields import DraftLike, id_and_memory, to_memory
from quipu.names import session_name, space_of
from quipu.operations import Operations, request_id_or_new
from quipu.results import Results
from quipu.v1.memory_pb2 import Memory
from quipu.v1.session_pb2 import Session
from quipu.v1.session_service_pb2 import (
    AppendMessagesRequest,
    DeleteSessionRequest,
    EndSessionRequest,
    GetSessionRequest,
    GetWindowRequest,
    GetWindowResponse,
    ListMessagesRequest,
    ListSessionsRequest,
    NewMessage,
    SessionState,
    UpdateSessionRequest,
)
from quipu.values import MetadataValue

_STATES = {
    "open": SessionState.SESSION_STATE_OPEN,
    "ended": SessionState.SESSION_STATE_ENDED,
}


class SessionSettings(TypedDict, total=False):
    """What a session has beside its messages. None clears."""

    title: str | None
    summary: str | None
    metadata: Mapping[str, MetadataValue | None] | None


class SessionOperations(Operations):
    """Everything about sessions. A session is given as its id or its full name."""

    @call
    async def append(
        self,
        session: str,
        messages: Iterable[DraftLike],
        *,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> list[Memory]:
        """Append up to 500 messages, all or none, in their order, and return them as stored.

        Space and session are made if there are none. Raises FailedPrecondition when the session was ended.
        """
        if isinstance(messages, str):
            raise TypeError("messages: needs a list of messages, not one string")
        request = AppendMessagesRequest(
            parent=self._session(session, space),
            messages=[_message(message) for message in messages],
            request_id=request_id_or_new(request_id),
        )
        response = await self._wire.unary(self._wire.sessions.AppendMessages, request, timeout)
        self._saw(space_of(request.parent), response.revision)
        return [*response.messages]

    @call
    async def get_session(self, session: str, *, space: str | None = None, timeout: float | None = None) -> Session:
        """Return a session with its statistics. Raises NotFound."""
        request = GetSessionRequest(name=self._session(session, space))
        return (await self._wire.unary(self._wire.sessions.GetSession, request, timeout)).session

    @results
    def sessions(
        self,
        *,
        space: str | None = None,
        order_by: Literal["id", "activity"] = "id",
        state: Literal["open", "ended"] | None = None,
        page_size: int = 100,
        timeout: float | None = None,
    ) -> Results[Session]:
        """List the sessions of a space: by id, or the one that got a message last first. `timeout` is for each page."""
        request = ListSessionsRequest(
            parent=self._parent(space),
            order_by=order_by,
            state=_STATES[state] if state else SessionState.SESSION_STATE_UNSPECIFIED,
            page_size=page_size,
        )
        pages = self._pages(self._wire.sessions.ListSessions, request, timeout)
        return Results(pages, lambda page: page.sessions)

    @results
    def messages(
        self,
        session: str,
        *,
        newest_first: bool = False,
        space: str | None = None,
        page_size: int = 100,
        timeout: float | None = None,
    ) -> Results[Memory]:
        """List the messages of a session as it is when the first page is fetched. `timeout` counts for each page."""
        name = self._session(session, space)
        request = ListMessagesRequest(parent=name, newest_first=newest_first, page_size=page_size)
        pages = self._pages(self._wire.sessions.ListMessages, request, timeout)
        return Results(pages, lambda page: page.messages)

    @call
    async def window(
        self,
        session: str,
        *,
        max_messages: int = 0,
        max_tokens: int = 0,
        space: str | None = None,
        timeout: float | None = None,
    ) -> GetWindowResponse:
        """Return the newest messages that fit a budget of messages, of tokens, or of both; oldest first, none cut."""
        request = GetWindowRequest(name=self._session(session, space), max_messages=max_messages, max_tokens=max_tokens)
        return await self._wire.unary(self._wire.sessions.GetWindow, request, timeout)

    @call
    async def update_session(
        self,
        session: str,
        *,
        etag: str = "",
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
        **settings: Unpack[SessionSettings],
    ) -> Session:
        """Change the settings that are given; None clears one. Raises NotFound, Aborted when `etag` is old."""
        request = UpdateSessionRequest(
            session=Session(name=self._session(session, space), etag=etag, **_messages(settings)),
            update_mask=FieldMask(paths=[*settings]),
            request_id=request_id_or_new(request_id),
        )
        return (await self._wire.unary(self._wire.sessions.UpdateSession, request, timeout)).session

    @call
    async def end_session(self, session: str, *, space: str | None = None, timeout: float | None = None) -> Session:
        """End a session: nothing can be appended any more. Raises NotFound."""
        request = EndSessionRequest(name=self._session(session, space))
        return (await self._wire.unary(self._wire.sessions.EndSession, request, timeout)).session

    @call
    async def delete_session(
        self, session: str, *, space: str | None = None, request_id: str | None = None, timeout: float | None = None
    ) -> int:
        """Delete a session and its messages, and return how many those were. Raises NotFound."""
        request = DeleteSessionRequest(name=self._session(session, space), request_id=request_id_or_new(request_id))
        response = await self._wire.unary(self._wire.sessions.DeleteSession, request, timeout)
        self._saw(space_of(request.name), response.revision)
        return response.deleted_message_count

    def _session(self, session: str, space: str | None) -> str:
        return session_name(session, self._parent(space))


def _message(draft: DraftLike) -> NewMessage:
    memory_id, memory = id_and_memory(draft)
    return NewMessage(memory_id=memory_id, memory=memory)


def _messages(settings: SessionSettings) -> dict[str, Any]:
    given = {key: value for key, value in settings.items() if value is not None}
    if "metadata" in given:
        given["metadata"] = to_memory({"metadata": given["metadata"]}).metadata
    return given
