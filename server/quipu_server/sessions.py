"""Use cases of sessions: conversations whose messages are memories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quipu_server.domain import Memory, RequestKey, Space
from quipu_server.errors import EtagMismatch, NotFound
from quipu_server.inputs import Draft
from quipu_server.memories import Memories
from quipu_server.ports import NEWEST, Embedder, LogSource, SearchViews
from quipu_server.ports.sessions import Message, MessageQuery, Session, SessionQuery, SessionSettings, SessionStore
from quipu_server.spaces import Spaces, check_reached

PAGE = 100
"""Messages read at once where it is not known how many will be needed."""

MOST_UNCOUNTED = 1_000
"""Messages whose tokens are counted at once."""


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """A session by name."""

    tenant: str
    space: str
    session: str

    @property
    def name(self) -> str:
        return f"spaces/{self.space}/sessions/{self.session}"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a window may hold; None is no limit."""

    messages: int
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The newest messages, oldest first, with their tokens. has_older: some did not fit."""

    messages: Sequence[Memory]
    token_counts: Sequence[int]
    has_older: bool


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page; `after` is None on the last one."""

    messages: Sequence[Memory]
    after: int | None
    revision: int


class Sessions:
    """Appends to sessions, reads and changes them."""

    def __init__(
        self,
        store: SessionStore,
        memories: Memories,
        spaces: Spaces,
        log: LogSource,
        embedder: Embedder,
        views: SearchViews,
    ) -> None:
        self._store = store
        self._memories = memories
        self._spaces = spaces
        self._log = log
        self._embedder = embedder
        self._views = views

    async def append(
        self, target: SessionTarget, drafts: Sequence[Draft], request: RequestKey | None
    ) -> Sequence[Memory]:
        """Store messages, all or none, in their order. Raises SessionEnded, and what creating memories raises."""
        messages = [replace(draft, fields=replace(draft.fields, session=target.session)) for draft in drafts]
        return await self._memories.create(target.tenant, target.space, messages, request)

    async def get(self, target: SessionTarget) -> Session:
        """The session, all its tokens counted. Raises NotFound."""
        home = await self._spaces.find(target.tenant, target.space)
        return await self._get(home, target)

    async def list(
        self,
        tenant: str,
        space: str,
        *,
        by_activity: bool,
        ended: bool | None,
        after: tuple[int, str] | None,
        limit: int,
    ) -> Sequence[Session]:
        """At most `limit` sessions that follow `after`. Raises NotFound for the space."""
        home = await self._spaces.find(tenant, space)
        found = await self._store.list_sessions(SessionQuery(home, by_activity, ended, after, limit))
        return [await self._counted_session(home, session) for session in found]

    async def messages(
        self, target: SessionTarget, *, newest_first: bool, revision: int | None, after: int | None, limit: int
    ) -> MessagePage:
        """One page, as of the revision of the first one. Raises NotFound, OutOfRange."""
        home = await self._spaces.find(target.tenant, target.space)
        if (head := (await self._log.heads([home.id])).get(home.id)) is None:
            raise NotFound("space", home.resource_name)
        revision = head.revision if revision is None else revision
        check_reached(home, head, revision)
        query = MessageQuery(home, target.session, limit + 1, newest_first, after, revision)
        found = [message.memory for message in await self._store.list_messages(query)]
        if not found and after is None:
            await self._find(home, target)
        return MessagePage(found[:limit], found[limit - 1].created if len(found) > limit else None, revision)

    async def window(self, target: SessionTarget, budget: Budget) -> Window:
        """The newest messages that fit the budget; none is cut, and none is left out between them. Raises NotFound."""
        home = await self._spaces.find(target.tenant, target.space)
        kept: list[tuple[Memory, int]] = []
        tokens_left = budget.tokens
        after: int | None = None
        while True:
            page = await self._page(home, target.session, after)
            if after is None and not page:
                await self._find(home, target)
            for memory, token_count in page:
                if len(kept) == budget.messages or (tokens_left is not None and token_count > tokens_left):
                    return _window(kept, has_older=True)
                tokens_left = None if tokens_left is None else tokens_left - token_count
                kept.append((memory, token_count))
            if len(page) < PAGE:
                return _window(kept, has_older=False)
            after = page[-1][0].created

    async def update(
        self,
        target: SessionTarget,
        settings: SessionSettings,
        paths: frozenset[str],
        *,
        etag: str,
        request: RequestKey | None,
    ) -> Session:
        """Change the settings that the paths name. Raises NotFound, EtagMismatch, RequestIdReused."""
        home = await self._spaces.find(target.tenant, target.space)
        while True:
            session = await self._find(home, target)
            changed = replace(session.settings, **{path: getattr(settings, path) for path in paths})
            # No version is -1: only a request answered before has an answer to an outdated etag.
            expected = session.version if etag in ("", session.etag) else -1
            if await self._store.set_session(home, target.session, changed, expected, request):
                return await self._get(home, target)
            if expected < 0:
                raise EtagMismatch(target.name, session.etag)

    async def end(self, target: SessionTarget) -> Session:
        """Let nothing more be appended. Raises NotFound."""
        home = await self._spaces.find(target.tenant, target.space)
        await self._store.end_session(home, target.session)
        return await self._get(home, target)

    async def delete(self, target: SessionTarget, request: RequestKey | None) -> tuple[int, int]:
        """Delete the session and its messages; how many, and the revision. Raises NotFound, RequestIdReused."""
        home = await self._spaces.find(target.tenant, target.space)
        count, revision = await self._store.delete_session(home, target.session, request)
        self._views.written(home, revision)
        return count, revision

    async def _find(self, home: Space, target: SessionTarget) -> Session:
        if (session := await self._store.find_session(home, target.session)) is None:
            raise NotFound("session", target.name)
        return session

    async def _get(self, home: Space, target: SessionTarget) -> Session:
        return await self._counted_session(home, await self._find(home, target))

    async def _counted_session(self, home: Space, session: Session) -> Session:
        """The session with the tokens of all messages, after counting those that were not yet."""
        if not session.statistics.uncounted:
            return session
        after, is_last = None, False
        while not is_last:
            query = MessageQuery(home, session.name, MOST_UNCOUNTED, after=after, revision=NEWEST)
            page = await self._store.list_messages(query)
            await self._count(home, page)
            is_last = len(page) < MOST_UNCOUNTED
            after = page[-1].memory.created if page else None
        return await self._store.find_session(home, session.name) or session

    async def _page(self, home: Space, session: str, after: int | None) -> Sequence[tuple[Memory, int]]:
        """The next messages towards the oldest, with their tokens."""
        page = await self._store.list_messages(MessageQuery(home, session, PAGE, newest_first=True, after=after))
        return list(zip([message.memory for message in page], await self._count(home, page), strict=True))

    async def _count(self, home: Space, messages: Sequence[Message]) -> Sequence[int]:
        """The tokens of messages, counted and kept where they were not yet."""
        missing = {m.memory.passage_id: m.memory.fields.content for m in messages if m.token_count is None}
        counts = {}
        if missing:
            counted = await self._embedder.count_tokens(home.model, list(missing.values()))
            counts = dict(zip(missing, counted, strict=True))
            await self._store.keep_counts(home, counts)
        return [counts[m.memory.passage_id] if m.token_count is None else m.token_count for m in messages]


def _window(kept: Sequence[tuple[Memory, int]], *, has_older: bool) -> Window:
    """A window of messages that come newest first."""
    return Window([memory for memory, _ in kept[::-1]], [tokens for _, tokens in kept[::-1]], has_older)
