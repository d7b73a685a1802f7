"""A SessionStore over dictionaries: slow, plain, and what PostgreSQL must agree with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from quipu_server.domain import Change, Memory, RequestKey, Space, Write
from quipu_server.errors import NotFound
from quipu_server.ports import MemoryStore
from quipu_server.ports.sessions import (
    Message,
    MessageQuery,
    MessageStatistics,
    Place,
    Session,
    SessionQuery,
    SessionSettings,
)
from tests.contract.memory_retention import Policies, Retention
from tests.contract.memory_store import Data, Log, Memories, Spaces
from tests.contract.stores import Stores


class Sessions:
    """A SessionStore."""

    def __init__(self, data: Data, memories: MemoryStore) -> None:
        self._data = data
        self._memories = memories

    async def find_session(self, space: Space, name: str) -> Session | None:
        messages = self._messages(space, name)
        beside = self._data.sessions.get((space.id, name))
        if not messages and beside is None:
            return None
        beside = beside or Session(name, SessionSettings(), MessageStatistics())
        return replace(beside, statistics=self._statistics(messages))

    async def list_sessions(self, query: SessionQuery) -> Sequence[Session]:
        names = {m.fields.session for m in self._all(query.space)} | {
            n for s, n in self._data.sessions if s == query.space.id
        }
        found = [session for name in names if (session := await self.find_session(query.space, name))]
        found = [s for s in found if query.ended in (None, s.end_time is not None)]

        def key(newest: int, name: str) -> tuple[int, str]:
            return (-newest if query.by_activity else 0), name

        found.sort(key=lambda s: key(s.statistics.newest, s.name))
        after = query.after
        return [s for s in found if after is None or key(s.statistics.newest, s.name) > key(*after)][: query.limit]

    async def set_session(
        self, space: Space, name: str, settings: SessionSettings, expected: int, request: RequestKey | None
    ) -> bool:
        if self._data.answer(space.tenant, request) is not None:
            return True
        beside = self._data.sessions.get((space.id, name))
        if (beside.version if beside else 0) != expected:
            return False
        end_time = beside.end_time if beside else None
        self._data.sessions[space.id, name] = Session(name, settings, MessageStatistics(), expected + 1, end_time)
        self._data.keep(space.tenant, request, True)
        return True

    async def end_session(self, space: Space, name: str) -> None:
        if (session := await self.find_session(space, name)) is None:
            raise NotFound("session", f"{space.resource_name}/sessions/{name}")
        if session.end_time is None:
            ended = replace(session, version=session.version + 1, end_time=self._data.now())
            self._data.sessions[space.id, name] = ended

    async def delete_session(self, space: Space, name: str, request: RequestKey | None) -> tuple[int, int]:
        if request and (answered := await self._memories.replay(space, request)) is not None:
            return len(answered), answered[-1].revision
        messages = [m for m in self._all(space) if m.fields.session == name]
        if not messages and (space.id, name) not in self._data.sessions:
            raise NotFound("session", f"{space.resource_name}/sessions/{name}")
        self._data.sessions.pop((space.id, name), None)
        deletions = [Write(m.memory_id, Change.DELETED, m.fields, m.passage_id, m.revision) for m in messages]
        await self._memories.append(space, deletions, request)
        return len(messages), len(self._data.versions(space))

    async def list_messages(self, query: MessageQuery) -> Sequence[Message]:
        found = self._messages(query.space, query.session, query.revision)
        if query.newest_first:
            found.reverse()
        if (after := query.after) is not None:
            found = [m for m in found if (m.created < after if query.newest_first else m.created > after)]
        return [Message(m, self._tokens(m)) for m in found[: query.limit]]

    async def keep_counts(self, space: Space, counts: Mapping[UUID, int]) -> None:
        for passage_id, tokens in counts.items():
            self._data.passages[passage_id] = replace(self._data.passages[passage_id], token_count=tokens)

    async def neighbours(self, space: Space, places: Sequence[Place], reach: int, revision: int) -> Sequence[Memory]:
        found: dict[int, Memory] = {}
        for session, created in places:
            messages = self._messages(space, session, revision)
            before = [m for m in messages if m.created < created][-reach:]
            after = [m for m in messages if m.created > created][:reach]
            found |= {m.revision: m for m in (*before, *after)}
        return list(found.values())

    def _all(self, space: Space, revision: int | None = None) -> list[Memory]:
        live = self._data.live(space, len(self._data.log[space.id]) if revision is None else revision)
        return sorted((m for m in live if m.fields.is_message), key=lambda m: m.created)

    def _messages(self, space: Space, name: str, revision: int | None = None) -> list[Memory]:
        now = datetime.now(UTC)
        return [m for m in self._all(space, revision) if m.fields.session == name and not m.is_expired(now)]

    def _tokens(self, memory: Memory) -> int | None:
        return self._data.passages[memory.passage_id].token_count

    def _statistics(self, messages: Sequence[Memory]) -> MessageStatistics:
        if not messages:
            return MessageStatistics()
        tokens = [self._tokens(m) for m in messages]
        times = [m.fields.event_time or m.create_time for m in messages]
        return MessageStatistics(
            len(messages),
            Counter(m.fields.role for m in messages),
            sum(count or 0 for count in tokens),
            tokens.count(None),
            min(times),
            max(times),
            messages[-1].created,
        )


def memory_stores() -> Stores:
    """The ports over the same new data."""
    data = Data()
    memories = Memories(data)
    return Stores(Spaces(data), memories, Log(data), Sessions(data, memories), Policies(data), Retention(data))
