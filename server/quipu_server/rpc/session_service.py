"""SessionService."""

from quipu.v1 import session_service_pb2 as messages
from quipu.v1.session_service_pb2_grpc import SessionServiceServicer
from quipu_server.errors import InvalidArgument
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.memories import write_memory
from quipu_server.rpc.convert.sessions import (
    read_budget,
    read_messages,
    read_session_settings,
    read_state,
    write_session,
    write_window,
)
from quipu_server.rpc.digest import request_key
from quipu_server.rpc.pages import invalid_token, read_token, write_token
from quipu_server.rpc.validate import check_page_size
from quipu_server.sessions import Sessions, SessionTarget

ORDERS = ("id", "activity")


class SessionService(SessionServiceServicer):
    """Keeps conversations."""

    def __init__(self, sessions: Sessions, most_content_bytes: int) -> None:
        self._sessions = sessions
        self._most_content_bytes = most_content_bytes

    async def AppendMessages(
        self, request: messages.AppendMessagesRequest, context: Context
    ) -> messages.AppendMessagesResponse:
        target = _target(request.parent, "parent", context)
        drafts = read_messages(request, target.session, self._most_content_bytes)
        made = await self._sessions.append(target, drafts, request_key(request, request.request_id))
        stored = [write_memory(memory, target.space) for memory in made]
        return messages.AppendMessagesResponse(messages=stored, revision=made[-1].revision)

    async def GetSession(self, request: messages.GetSessionRequest, context: Context) -> messages.GetSessionResponse:
        target = _target(request.name, "name", context)
        return messages.GetSessionResponse(session=write_session(await self._sessions.get(target), target.space))

    async def ListSessions(
        self, request: messages.ListSessionsRequest, context: Context
    ) -> messages.ListSessionsResponse:
        space = names.read_space(request.parent, "parent")
        if request.order_by not in ("", *ORDERS):
            raise InvalidArgument("order_by", f"must be one of {', '.join(ORDERS)}")
        ended, after, size = read_state(request), _read_after(request), check_page_size(request.page_size)
        by_activity = request.order_by == "activity"
        found = await self._sessions.list(
            caller_tenant(context), space, by_activity=by_activity, ended=ended, after=after, limit=size + 1
        )
        page = found[:size]
        more = len(found) > size
        token = write_token(request, (page[-1].statistics.newest, page[-1].name)) if more else ""
        sessions = [write_session(session, space) for session in page]
        return messages.ListSessionsResponse(sessions=sessions, next_page_token=token)

    async def ListMessages(
        self, request: messages.ListMessagesRequest, context: Context
    ) -> messages.ListMessagesResponse:
        target = _target(request.parent, "parent", context)
        revision, after = _read_place(request)
        page = await self._sessions.messages(
            target,
            newest_first=request.newest_first,
            revision=revision,
            after=after,
            limit=check_page_size(request.page_size),
        )
        token = "" if page.after is None else write_token(request, (page.revision, page.after))
        found = [write_memory(memory, target.space) for memory in page.messages]
        return messages.ListMessagesResponse(messages=found, next_page_token=token, revision=page.revision)

    async def GetWindow(self, request: messages.GetWindowRequest, context: Context) -> messages.GetWindowResponse:
        target = _target(request.name, "name", context)
        return write_window(await self._sessions.window(target, read_budget(request)), target.space)

    async def UpdateSession(
        self, request: messages.UpdateSessionRequest, context: Context
    ) -> messages.UpdateSessionResponse:
        target = _target(request.session.name, "session.name", context)
        settings, paths = read_session_settings(request)
        key = request_key(request, request.request_id)
        session = await self._sessions.update(target, settings, paths, etag=request.session.etag, request=key)
        return messages.UpdateSessionResponse(session=write_session(session, target.space))

    async def EndSession(self, request: messages.EndSessionRequest, context: Context) -> messages.EndSessionResponse:
        target = _target(request.name, "name", context)
        return messages.EndSessionResponse(session=write_session(await self._sessions.end(target), target.space))

    async def DeleteSession(
        self, request: messages.DeleteSessionRequest, context: Context
    ) -> messages.DeleteSessionResponse:
        target = _target(request.name, "name", context)
        count, revision = await self._sessions.delete(target, request_key(request, request.request_id))
        return messages.DeleteSessionResponse(deleted_message_count=count, revision=revision)


def _target(name: str, path: str, context: Context) -> SessionTarget:
    return SessionTarget(caller_tenant(context), *names.read_session(name, path))


def _read_after(request: messages.ListSessionsRequest) -> tuple[int, str] | None:
    """The last session of the page before."""
    match read_token(request, request.page_token):
        case ():
            return None
        case (int(newest), str(name)):
            return newest, name
    raise invalid_token()


def _read_place(request: messages.ListMessagesRequest) -> tuple[int | None, int | None]:
    """The revision that is listed, and the last message of the page before."""
    match read_token(request, request.page_token):
        case ():
            return None, None
        case (int(revision), int(created)):
            return revision, created
    raise invalid_token()
