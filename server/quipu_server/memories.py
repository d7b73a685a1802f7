"""Use cases of memories: every write is a revision on the log of its space."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from quipu_server.domain import Change, Head, Memory, MemoryFields, RequestKey, Space, Vector, Verdict, Write
from quipu_server.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    ModelChanged,
    NotFound,
)
from quipu_server.guard import Guard, told
from quipu_server.identifiers import new_memory_id
from quipu_server.inputs import Draft, Listing, Page, Patch, Target, check_etag
from quipu_server.passages import Passages
from quipu_server.ports import NEWEST, Lane, ListQuery, LogSource, MemoryStore, SearchViews
from quipu_server.ports.embedding_later import EmbedSoon
from quipu_server.spaces import Spaces, check_kept, check_reached

WRITE_ATTEMPTS = 5
"""How often a write without an etag is decided anew when others change the same memory meanwhile."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """A write decided from the version `before`. anew: it gets a new vector, the given one or that of its text."""

    change: Change
    fields: MemoryFields
    before: Memory | None
    vector: Vector | None = None
    anew: bool = False


class Memories:
    """Creates, reads and changes memories."""

    def __init__(
        self,
        store: MemoryStore,
        log: LogSource,
        spaces: Spaces,
        passages: Passages,
        views: SearchViews,
        guard: Guard,
        soon: EmbedSoon,
    ) -> None:
        self._store = store
        self._log = log
        self._spaces = spaces
        self._passages = passages
        self._views = views
        self._guard = guard
        self._soon = soon

    async def create(
        self, tenant: str, space: str, drafts: Sequence[Draft], request: RequestKey | None, *, later: bool = False
    ) -> Sequence[Memory]:
        """Store new memories, all or none. Raises AlreadyExists, ContentBlocked, RequestIdReused, Overloaded.

        later: those that bring no vector are embedded by a job.
        """
        while True:
            home = await self._spaces.ensure(tenant, space)
            with suppress(ModelChanged):
                return await self._create(home, drafts, request, later=later)

    async def _create(
        self, home: Space, drafts: Sequence[Draft], request: RequestKey | None, *, later: bool
    ) -> Sequence[Memory]:
        tenant = home.tenant
        self._spaces.check_model(home)
        if request and (answered := await self._store.replay(home, request)) is not None:
            return await self._guard.retold(tenant, drafts, answered)
        drafts = await self._guard.drafts(tenant, drafts)
        fields, vectors = [d.fields for d in drafts], [d.vector for d in drafts]
        made = await self._passages.make(home, fields, vectors, Lane.INGEST, later=later)
        ids = [draft.memory_id or new_memory_id() for draft in drafts]
        writes = [
            Write(memory_id, Change.CREATED, draft.fields, passage.id, 0, passage)
            for memory_id, draft, passage in zip(ids, drafts, made, strict=True)
        ]
        try:
            memories = await self._append(home, writes, request)
        except Conflict as conflict:
            memory_id = ids[int(conflict.metadata["index"])]
            raise AlreadyExists("memory", f"{home.resource_name}/memories/{memory_id}") from conflict
        if later:
            self._soon.ask(home)
        return [told(memory, draft) for memory, draft in zip(memories, drafts, strict=True)]

    async def get(self, target: Target, revision: int = NEWEST) -> Memory:
        """The memory, as of a revision. Raises NotFound, also when it is deleted or expired; OutOfRange."""
        found = await self.batch_get(target.tenant, target.space, [target.memory_id], revision)
        if target.memory_id not in found:
            raise NotFound("memory", target.name)
        return found[target.memory_id]

    async def batch_get(
        self, tenant: str, space: str, memory_ids: Sequence[str], revision: int = NEWEST
    ) -> Mapping[str, Memory]:
        """Those of the memories that exist, by id, as of a revision. Raises NotFound for the space, OutOfRange."""
        home = await self._spaces.find(tenant, space)
        latest = await self._store.latest(home, memory_ids, revision)
        head = await self._head(home)
        if revision != NEWEST:
            check_reached(home, head, revision)
            check_kept(home, head, revision)
        return {key: m for key, m in latest.items() if not m.is_deleted and not m.is_expired(head.now)}

    async def update(
        self, target: Target, patch: Patch, *, etag: str, allow_missing: bool, request: RequestKey | None
    ) -> Memory:
        """Change fields; without a change, give it as it is. Raises NotFound, EtagMismatch, InvalidArgument."""
        home = await self._home(target, create=allow_missing)
        screened = await self._guard.patch(target.tenant, patch)

        def decide(latest: Memory | None) -> _Edit | Memory:
            if latest is None or latest.is_deleted:
                if etag or not allow_missing:
                    raise NotFound("memory", target.name)
                return _Edit(Change.CREATED, _filled(screened.take(anew=True).fields), None, patch.vector)
            check_etag(target, latest, etag)
            _check_in_use(target, latest)
            clean = screened.take(anew=False)
            if not clean.changes(latest.fields):
                return latest
            anew = "vector" in patch.paths
            return _Edit(Change.UPDATED, _filled(clean.apply(latest.fields)), latest, patch.vector, anew)

        return screened.told(await self._write(home, target, decide, request, retry=not etag))

    async def delete(self, target: Target, *, etag: str, allow_missing: bool, request: RequestKey | None) -> int:
        """End a memory; return the revision, 0 when the space is missing too. Raises NotFound, EtagMismatch."""
        find = self._spaces.find_unless_missed(target.tenant, target.space, request) if allow_missing else None
        if (home := await (find or self._home(target))) is None:
            return 0

        def decide(latest: Memory | None) -> _Edit:
            if latest is None or latest.is_deleted:
                raise NotFound("memory", target.name)
            check_etag(target, latest, etag)
            return _Edit(Change.DELETED, latest.fields, latest)

        try:
            return (await self._write(home, target, decide, request, retry=not etag)).revision
        except NotFound:
            if not allow_missing:
                raise
        # Nothing to end is an answer as well: repeated later, the request must not end what was made meanwhile.
        if request:
            await self._store.append(home, [], request)
        return (await self._head(home)).revision

    async def undelete(self, target: Target, *, request: RequestKey | None) -> Memory:
        """Bring a deleted memory back. Raises NotFound, FailedPrecondition (MEMORY_NOT_DELETED)."""
        home = await self._home(target)

        def decide(latest: Memory | None) -> _Edit:
            if latest is None or latest.change is Change.ERASED:
                raise NotFound("memory", target.name)
            if not latest.is_deleted:
                raise FailedPrecondition(target.name, "the memory is not deleted", reason="MEMORY_NOT_DELETED")
            return _Edit(Change.UNDELETED, latest.fields, latest)

        return await self._write(home, target, decide, request, retry=True)

    async def archive(self, target: Target, *, etag: str, request: RequestKey | None) -> Memory:
        """Take a memory out of use. Raises NotFound, EtagMismatch, FailedPrecondition (MEMORY_ARCHIVED)."""

        def decide(latest: Memory | None) -> _Edit:
            if latest is None or latest.is_deleted:
                raise NotFound("memory", target.name)
            check_etag(target, latest, etag)
            _check_in_use(target, latest)
            return _Edit(Change.ARCHIVED, latest.fields, latest)

        return await self._write(await self._home(target), target, decide, request, retry=not etag)

    async def unarchive(self, target: Target, *, request: RequestKey | None) -> Memory:
        """Bring an archived memory back. Raises NotFound, FailedPrecondition (MEMORY_NOT_ARCHIVED)."""

        def decide(latest: Memory | None) -> _Edit:
            if latest is None or latest.is_deleted:
                raise NotFound("memory", target.name)
            if not latest.is_archived:
                raise FailedPrecondition(target.name, "the memory is not archived", reason="MEMORY_NOT_ARCHIVED")
            return _Edit(Change.UNARCHIVED, latest.fields, latest)

        return await self._write(await self._home(target), target, decide, request, retry=True)

    async def judge(self, target: Target, verdict: Verdict, *, request: RequestKey | None) -> Memory:
        """Count a verdict on a memory. Raises NotFound, also when it is deleted."""

        def decide(latest: Memory | None) -> _Edit:
            if latest is None or latest.is_deleted:
                raise NotFound("memory", target.name)
            _check_in_use(target, latest)
            return _Edit(Change.UPDATED, latest.fields.judged(verdict), latest)

        return await self._write(await self._home(target), target, decide, request, retry=True)

    async def list(self, tenant: str, space: str, listing: Listing) -> Page:
        """One page, as of the revision of the first one. Raises NotFound, OutOfRange."""
        home = await self._spaces.find(tenant, space)
        head = await self._head(home)
        revision = head.revision if listing.revision is None else listing.revision
        check_reached(home, head, revision)
        check_kept(home, head, revision)
        query = ListQuery(
            home,
            revision,
            head.now,
            listing.condition,
            listing.order_by,
            listing.descending,
            listing.show_deleted,
            listing.show_archived,
            listing.after,
            listing.limit + 1,
        )
        rows = await self._store.list_memories(query)
        page = rows[: listing.limit]
        return Page(page, _key(page[-1], listing.order_by) if len(rows) > listing.limit else None, revision)

    async def history(self, target: Target, before: int | None, limit: int) -> Sequence[Memory]:
        """Versions of a memory, newest first, deletions included. Raises NotFound when it never existed, OutOfRange."""
        home = await self._home(target)
        found = await self._store.history(home, target.memory_id, before or NEWEST, limit)
        if not found and before is None:
            raise NotFound("memory", target.name)
        if not found and before is not None:
            check_kept(home, await self._head(home), before - 1)
        return found

    async def _head(self, home: Space) -> Head:
        """Where the space stands. Raises NotFound when it was deleted meanwhile."""
        if (head := (await self._log.heads([home.id])).get(home.id)) is None:
            raise NotFound("space", home.resource_name)
        return head

    async def _home(self, target: Target, *, create: bool = False) -> Space:
        find = self._spaces.ensure if create else self._spaces.find
        return await find(target.tenant, target.space)

    async def _write(
        self,
        home: Space,
        target: Target,
        decide: Callable[[Memory | None], _Edit | Memory],
        request: RequestKey | None,
        *,
        retry: bool,
    ) -> Memory:
        """Decide from the newest version and append; decide anew when somebody else was faster.

        decide: gives an edit, or the version that is the answer as it is.
        """
        for attempt in range(WRITE_ATTEMPTS):
            if request and (answered := await self._store.replay(home, request)) is not None:
                if not answered:
                    raise NotFound("memory", target.name)
                return answered[0]
            latest = (await self._store.latest(home, [target.memory_id])).get(target.memory_id)
            decided = decide(latest)
            if isinstance(decided, Memory):
                return decided if request is None else await self._store.answer(home, request, decided)
            write = await self._prepare(home, target.memory_id, decided)
            try:
                return (await self._append(home, [write], request))[0]
            except ModelChanged:
                home = await self._spaces.find(home.tenant, home.name)
            except Conflict:
                if not retry and attempt > 0:
                    raise
        raise Conflict(
            f"{target.name} is being changed by others; send the request again", metadata={"name": target.name}
        )

    async def _prepare(self, home: Space, memory_id: str, edit: _Edit) -> Write:
        before = edit.before
        expected = before.revision if before and not before.is_deleted else 0
        if before and not edit.anew and edit.fields.indexed_like(before.fields):
            return Write(memory_id, edit.change, edit.fields, before.passage_id, expected)
        self._spaces.check_model(home)
        passage = (await self._passages.make(home, [edit.fields], [edit.vector], Lane.INGEST))[0]
        return Write(memory_id, edit.change, edit.fields, passage.id, expected, passage)

    async def _append(self, home: Space, writes: Sequence[Write], request: RequestKey | None) -> Sequence[Memory]:
        memories = await self._store.append(home, writes, request)
        self._views.written(home, memories[-1].revision)
        return memories


def _check_in_use(target: Target, latest: Memory) -> None:
    if latest.is_archived:
        message = f"{target.name} is archived: bring it back with UnarchiveMemory first"
        raise FailedPrecondition(target.name, message, reason="MEMORY_ARCHIVED")


def _filled(values: MemoryFields) -> MemoryFields:
    if not values.content:
        raise InvalidArgument("memory.content", "must not be empty")
    return values


def _key(memory: Memory, order_by: str) -> tuple[datetime | None, str]:
    source = memory.fields if order_by == "event_time" else memory
    return getattr(source, order_by), memory.memory_id
