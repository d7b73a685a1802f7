"""The ports of the store over dictionaries: slow, plain, and what PostgreSQL must agree with."""

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import numpy as np

from quipu_server.domain import (
    Change,
    Head,
    IndexRow,
    Memory,
    Passage,
    RequestKey,
    Revisions,
    Space,
    SpaceStatus,
    Tail,
    Vectors,
    Write,
    balance,
)
from quipu_server.errors import AlreadyExists, Conflict, FailedPrecondition, NotFound, RequestIdReused
from quipu_server.filters import Condition
from quipu_server.ports import NEWEST, ListQuery, LogPart, Watched
from quipu_server.ports.sessions import Session
from tests.integration.oracle import meets


@dataclass
class Data:
    """Everything that is stored. `log` has each space's versions in order: revision r at place r - 1."""

    spaces: dict[UUID, Space] = field(default_factory=dict)
    log: dict[UUID, list[Memory]] = field(default_factory=dict)
    nonces: dict[tuple[UUID, int], int] = field(default_factory=dict)
    passages: dict[UUID, Passage] = field(default_factory=dict)
    sessions: dict[tuple[UUID, str], Session] = field(default_factory=dict)
    answers: dict[tuple[object, UUID], tuple[bytes, object]] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """Later at each call."""
        self.time = max(datetime.now(UTC), self.time + timedelta(microseconds=1))
        return self.time

    def answer(self, scope: object, request: RequestKey | None) -> object | None:
        if request is None or (scope, request.id) not in self.answers:
            return None
        digest, answer = self.answers[scope, request.id]
        if digest != request.digest:
            raise RequestIdReused(str(request.id))
        return answer

    def keep(self, scope: object, request: RequestKey | None, answer: object) -> None:
        if request is not None:
            self.answers[scope, request.id] = (request.digest, answer)

    def versions(self, space: Space) -> list[Memory]:
        if space.id not in self.spaces:
            raise NotFound("space", space.resource_name)
        return self.log[space.id]

    def current(self, space: Space, revision: int) -> list[Memory]:
        """The newest version of each memory as of a revision, deletions included, by revision."""
        newest = {memory.memory_id: memory for memory in self.log.get(space.id, [])[:revision]}
        return sorted(newest.values(), key=lambda memory: memory.revision)

    def live(self, space: Space, revision: int) -> list[Memory]:
        return [memory for memory in self.current(space, revision) if memory.change.is_live]


class Spaces:
    """A SpaceStore."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def find_space(self, tenant: str, name: str) -> Space | None:
        return next((s for s in self._data.spaces.values() if (s.tenant, s.name) == (tenant, name)), None)

    async def create_space(self, space: Space, request: RequestKey | None) -> Space:
        if (answer := self._data.answer(space.tenant, request)) is not None:
            assert isinstance(answer, Space)
            return answer
        if await self.find_space(space.tenant, space.name):
            raise AlreadyExists("space", space.resource_name)
        made = await self.ensure_space(space)
        self._data.keep(space.tenant, request, made)
        return made

    async def ensure_space(self, space: Space) -> Space:
        if (found := await self.find_space(space.tenant, space.name)) is not None:
            return found
        time = self._data.now()
        made = self._data.spaces[space.id] = replace(space, create_time=time, update_time=time)
        self._data.log[space.id] = []
        return made

    async def update_space(self, space: Space, expected_version: int, request: RequestKey | None) -> Space | None:
        if (answer := self._data.answer(space.tenant, request)) is not None:
            assert isinstance(answer, Space)
            return answer
        stored = self._data.spaces.get(space.id)
        if stored is None or stored.version != expected_version:
            return None
        settings = replace(stored, display_name=space.display_name, ranking=space.ranking)
        made = replace(settings, version=stored.version + 1, update_time=self._data.now())
        self._data.spaces[space.id] = made
        self._data.keep(space.tenant, request, made)
        return made

    async def delete_space(self, space: Space, *, force: bool, request: RequestKey | None) -> int:
        if (answer := self._data.answer(space.tenant, request)) is not None:
            assert isinstance(answer, int)
            return answer
        count = (await self.space_status(space)).memory_count
        if count and not force:
            metadata = {"memory_count": str(count)}
            raise FailedPrecondition(space.resource_name, "not empty", reason="SPACE_NOT_EMPTY", metadata=metadata)
        del self._data.spaces[space.id], self._data.log[space.id]
        self._data.keep(space.tenant, request, count)
        return count

    async def keep_missing(self, tenant: str, request: RequestKey) -> None:
        if self._data.answer(tenant, request) is None:
            self._data.keep(tenant, request, "missing")

    async def was_missing(self, tenant: str, request: RequestKey) -> bool:
        return self._data.answer(tenant, request) is not None

    async def space_status(self, space: Space) -> SpaceStatus:
        head = len(self._data.versions(space))
        kept = [memory for memory in self._data.current(space, head) if not memory.is_deleted]
        return SpaceStatus(self._data.spaces[space.id], head, len(kept))

    async def list_spaces(
        self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()
    ) -> Sequence[SpaceStatus]:
        found = [s for s in self._data.spaces.values() if s.tenant == tenant and s.name > after]
        found = [s for s in found if s.name.startswith(tuple(prefixes) or "")]
        return [await self.space_status(space) for space in sorted(found, key=lambda s: s.name)[:limit]]


class Memories:
    """A MemoryStore."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def append(self, space: Space, writes: Sequence[Write], request: RequestKey | None) -> Sequence[Memory]:
        if (answered := await self.replay(space, request)) is not None:
            return answered
        log = self._data.versions(space)
        before = {memory.memory_id: memory for memory in log}
        made: list[Memory] = []
        time = self._data.now()
        for index, (revision, write) in enumerate(zip(count(len(log) + 1), writes, strict=False)):
            old = before.get(write.memory_id)
            if write.expected != (old.revision if old and not old.is_deleted else 0):
                metadata = {"index": str(index), "revision": str(old.revision if old else 0)}
                raise Conflict("another version", metadata=metadata)
            made.append(version(write, revision, time, old))
            before[write.memory_id] = made[-1]
        self._data.passages |= {write.passage.id: write.passage for write in writes if write.passage}
        log.extend(made)
        nonce = secrets.randbits(63)
        self._data.nonces |= {(space.id, memory.revision): nonce for memory in made}
        self._data.keep(space.id, request, made)
        return made

    async def append_each(
        self, space: Space, writes: Sequence[Write], requests: Sequence[RequestKey]
    ) -> Sequence[Memory]:
        answered = await self.replay_each(space, requests)
        for index, request in enumerate(requests):
            if request.id in answered:
                raise Conflict("answered meanwhile", metadata={"index": str(index)})
        made = await self.append(space, writes, None)
        for request, memory in zip(requests, made, strict=True):
            self._data.keep(space.id, request, [memory])
        return made

    async def replay_each(
        self, space: Space, requests: Sequence[RequestKey]
    ) -> Mapping[UUID, Memory | RequestIdReused]:
        found: dict[UUID, Memory | RequestIdReused] = {}
        for request in requests:
            try:
                if answered := await self.replay(space, request):
                    found[request.id] = answered[0]
            except RequestIdReused as error:
                found[request.id] = error
        return found

    async def replay(self, space: Space, request: RequestKey | None) -> Sequence[Memory] | None:
        answer = self._data.answer(space.id, request)
        assert answer is None or isinstance(answer, list)
        return answer

    async def answer(self, space: Space, request: RequestKey, version: Memory) -> Memory:
        if (answered := await self.replay(space, request)) is not None:
            return answered[0]
        self._data.keep(space.id, request, [version])
        return version

    async def latest(self, space: Space, memory_ids: Sequence[str], upto: int = NEWEST) -> Mapping[str, Memory]:
        versions = self._data.log.get(space.id, [])[:upto]
        return {m.memory_id: m for m in versions if m.memory_id in memory_ids}

    async def hydrate(
        self, space: Space, revisions: Revisions, now: datetime, *, past: bool = False
    ) -> Mapping[int, Memory]:
        versions = self._data.log[space.id]
        live = [m for m in versions if m.change.is_live] if past else self._data.live(space, len(versions))
        return {m.revision: m for m in live if m.revision in revisions and not m.is_expired(now)}

    async def vectors(self, space: Space, passage_id: UUID) -> Vectors:
        return self._data.passages[passage_id].vectors.astype(np.float16).astype(np.float32)

    async def list_memories(self, query: ListQuery) -> Sequence[Memory]:
        found = [m for m in self._data.current(query.space, query.revision) if query.show_deleted or not m.is_deleted]
        found = [m for m in found if query.show_archived or not m.is_archived]
        found = [m for m in found if not m.is_expired(query.now)]
        found = [m for m in found if query.condition is None or meets(m, query.condition)]
        keys = sorted((sort_key(query, time_of(query, m), m.memory_id), m) for m in found)
        if query.after is not None:
            keys = [(key, m) for key, m in keys if key > sort_key(query, *query.after)]
        return [m for _, m in keys[: query.limit]]

    async def history(self, space: Space, memory_id: str, before: int, limit: int) -> Sequence[Memory]:
        versions = [m for m in self._data.log[space.id] if m.memory_id == memory_id and m.revision < before]
        return versions[::-1][:limit]

    async def changes(self, space: Space, after: int, upto: int, condition: Condition | None) -> LogPart:
        current: dict[str, Memory] = {}
        found = []
        for memory in self._data.log[space.id][:upto]:
            before = current.get(memory.memory_id)
            current[memory.memory_id] = memory
            is_met = condition is None or meets(memory, condition)
            was_met = condition is None or (before and not before.is_deleted and meets(before, condition))
            if memory.revision > after and (is_met or was_met):
                found.append(Watched(memory, not is_met, self._data.nonces[space.id, memory.revision]))
        return LogPart(found, *(self._data.nonces.get((space.id, revision), 0) for revision in (after, upto)))


class Log:
    """A LogSource."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def heads(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        known = [self._data.spaces[key] for key in space_ids if key in self._data.spaces]
        return {space.id: await self._head(space) for space in known}

    async def snapshot(self, space: Space, revision: int) -> AsyncIterator[Sequence[IndexRow]]:
        yield [self._row(space, memory) for memory in self._data.live(space, revision)]

    async def nonce(self, space: Space, revision: int) -> int:
        return self._data.nonces.get((space.id, revision), 0)

    async def tail(self, space: Space, after: int, upto: int, limit: int) -> Tail:
        rows = [self._row(space, memory) for memory in self._data.log[space.id][after:upto][:limit]]
        return Tail(rows, await self.nonce(space, after))

    async def matching(self, space: Space, condition: Condition, revision: int) -> Revisions:
        return np.array([m.revision for m in self._data.live(space, revision) if meets(m, condition)], dtype=np.int64)

    async def _head(self, space: Space) -> Head:
        revision = len(self._data.log[space.id])
        nonce, live = await self.nonce(space, revision), self._data.live(space, revision)
        return Head(revision, self._data.now(), space.version, nonce, len(live), time.monotonic())

    def _row(self, space: Space, memory: Memory) -> IndexRow:
        fields, passage = memory.fields, self._data.passages[memory.passage_id]
        return IndexRow(
            memory.revision,
            memory.created,
            self._data.nonces[space.id, memory.revision],
            memory.memory_id,
            memory.change,
            fields.kind,
            fields.role,
            fields.speaker,
            fields.session,
            fields.tags,
            fields.importance,
            fields.event_time,
            fields.expire_time,
            memory.create_time,
            memory.update_time,
            passage.terms,
            passage.frequencies,
            passage.length,
            passage.vectors.astype(np.float16),
            passage.spans,
            fields.importance_given,
            balance(fields.feedback),
        )


def version(write: Write, revision: int, time: datetime, old: Memory | None) -> Memory:
    """The version that a write makes."""
    is_new = old is None or write.change is Change.CREATED
    created, create_time = (revision, time) if old is None or is_new else (old.created, old.create_time)
    return Memory(write.memory_id, write.fields, revision, created, write.passage_id, create_time, time, write.change)


def time_of(query: ListQuery, memory: Memory) -> datetime | None:
    time: datetime | None = getattr(memory.fields if query.order_by == "event_time" else memory, query.order_by)
    return time


def sort_key(query: ListQuery, time: datetime | None, memory_id: str) -> tuple[bool, float, str]:
    seconds = 0.0 if time is None else time.timestamp()
    return time is None, -seconds if query.descending else seconds, memory_id
