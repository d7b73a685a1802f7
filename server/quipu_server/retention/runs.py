"""Applying policies, as jobs: one at a time for each tenant, whoever asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import numpy as np

from quipu_server.domain import Change, Memory, RequestKey, Revisions, Space, Write
from quipu_server.errors import Conflict, NotFound
from quipu_server.ports import LogSource, MemoryStore, SearchViews
from quipu_server.ports.jobs import Job, JobContext, JobKind, JobStore, Json
from quipu_server.ports.retention import ALL_SPACES, Action, Home, Moment, Policy, PolicyStore, RetentionStore
from quipu_server.retention.asking import KIND, ApplyPolicies, new_run
from quipu_server.retention.progress import Progress
from quipu_server.retention.rules import decided, rule_of
from quipu_server.retention.tally import Tally
from quipu_server.spaces import Spaces

LOOK = "look-for-retention"
STEP = 500
"""Memories changed in one transaction."""
PAGE = 1_000
"""Spaces, or tenants, read at once."""
_CHANGES = {Action.ARCHIVE: Change.ARCHIVED, Action.DELETE: Change.DELETED}


@dataclass(frozen=True, slots=True)
class LookForPolicies:
    """The payload of looking through all tenants."""


class Retention:
    """Applies policies. every_s: how often by itself; 0: only by hand."""

    def __init__(
        self,
        store: RetentionStore,
        policies: PolicyStore,
        memories: MemoryStore,
        log: LogSource,
        spaces: Spaces,
        views: SearchViews,
        jobs: JobStore,
        tally: Tally,
        every_s: float,
    ) -> None:
        self._store = store
        self._policies = policies
        self._memories = memories
        self._log = log
        self._spaces = spaces
        self._views = views
        self._jobs = jobs
        self._tally = tally
        self._every_s = every_s

    @property
    def kinds(self) -> Sequence[JobKind[Any]]:
        look = JobKind(LOOK, LookForPolicies, self.look, every_s=self._every_s)
        return [JobKind(KIND, ApplyPolicies, self.run), *([look] if self._every_s else [])]

    async def look(self, context: JobContext, payload: LookForPolicies) -> Json:
        """Ask for a run for each tenant that has policies."""
        count, after = 0, ""
        while tenants := await self._policies.tenants_with_policies(after, PAGE):
            for tenant in tenants:
                await self._jobs.enqueue(new_run(tenant, ALL_SPACES))
            count, after = count + len(tenants), tenants[-1]
            await context.check_cancelled()
        return {"asked_for": count}

    async def run(self, context: JobContext, payload: ApplyPolicies) -> Json:
        """Apply the policies to space after space. Raises NotFound for a space that was named."""
        done = Progress.read((context.job.checkpoint or {}).get("done", {}))
        names = await self._names(context.job.tenant, payload.space, done.after)
        done.spaces_total = done.spaces_done + len(names)
        for name in names:
            try:
                space = await self._spaces.find(context.job.tenant, name)
                done = await _Visit(self, context, payload, done).apply(space)
            except NotFound:
                if payload.space != ALL_SPACES:
                    raise
            done.after, done.spaces_done = name, done.spaces_done + 1
            await report(context, done, done)
        self._tally.ran(dry_run=payload.dry_run)
        return done.write()

    async def decide(self, space: Space, moment: Moment) -> Sequence[tuple[Policy, Revisions]]:
        """What each policy of a space is to change, in the order in which they are tried."""
        plan: list[tuple[Policy, Revisions]] = []
        taken = np.empty(0, np.int64)
        for policy in await self._policies.list_policies(Home(space.tenant, space)):
            if policy.settings.disabled:
                continue
            met = await self._store.meeting(space, rule_of(policy.settings, moment.now), moment)
            plan.append((policy, decided(met, taken, policy.settings)))
            taken = np.concatenate([taken, plan[-1][1]])
        return plan

    async def current(self, space: Space, batch: Revisions) -> Sequence[Memory]:
        """Those of a batch that nobody changed since it was decided on."""
        return await self._store.still_current(space, batch)

    async def change(self, space: Space, policy: Policy, batch: Revisions, request: RequestKey) -> int:
        """Change those of a batch that nobody changed meanwhile; how many, also when the request was done before."""
        change = _CHANGES[policy.settings.action]
        while True:
            versions = await self.current(space, batch)
            writes = [Write(each.memory_id, change, each.fields, each.passage_id, each.revision) for each in versions]
            try:
                made = await self._memories.append(space, writes, request)
            except Conflict:
                continue  # one was changed since it was read, and is not current any more
            if made:
                self._views.written(space, made[-1].revision)
            self._tally.did(policy.settings.action, len(made))
            return len(made)

    async def moment(self, space: Space) -> tuple[Moment, int]:
        """Now, and how many memories there are. Raises NotFound."""
        if (head := (await self._log.heads([space.id])).get(space.id)) is None:
            raise NotFound("space", space.resource_name)
        return Moment(head.revision, head.now), head.memory_count

    async def _names(self, tenant: str, space: str, after: str) -> Sequence[str]:
        """The spaces that are left."""
        if space != ALL_SPACES:
            return [] if after == space else [space]
        names: list[str] = []
        while page := await self._spaces.list(tenant, names[-1] if names else after, PAGE):
            names += [status.space.name for status in page]
        return names


@dataclass(frozen=True, slots=True)
class _Visit:
    """One space of a run. An attempt that goes on decides by the moment of the first one, so that it decides alike."""

    retention: Retention
    context: JobContext
    payload: ApplyPolicies
    done: Progress

    async def apply(self, space: Space) -> Progress:
        """Change what is to be changed; what is done with it. Raises NotFound."""
        moment, examined = await self._begin(space)
        shown = self.done.copy()
        shown.examined += examined
        for policy, revisions in await self.retention.decide(space, moment):
            for start in range(0, len(revisions), STEP):
                await self._step(space, policy, revisions[start : start + STEP], shown)
                await report(self.context, self.done, shown, begun=_write(space, moment, examined))
        return shown

    async def _begin(self, space: Space) -> tuple[Moment, int]:
        noted = (self.context.job.checkpoint or {}).get("begun") or {}
        if noted.get("space") == str(space.id):
            return Moment(noted["revision"], datetime.fromisoformat(noted["now"])), noted["examined"]
        moment, examined = await self.retention.moment(space)
        await report(self.context, self.done, self.done, begun=_write(space, moment, examined))
        return moment, examined

    async def _step(self, space: Space, policy: Policy, batch: Revisions, shown: Progress) -> None:
        if self.payload.dry_run:
            versions = await self.retention.current(space, batch)
            shown.add(policy, len(versions))
            shown.note(policy, space.name, versions)
        else:
            request = _request(self.context.job, policy, batch)
            shown.add(policy, await self.retention.change(space, policy, batch, request))


async def report(context: JobContext, done: Progress, shown: Progress, begun: Json | None = None) -> None:
    """Leave where to go on, and what to show."""
    state = {"done": done.write(), "shown": shown.write(), "begun": begun}
    await context.checkpoint(state, shown.spaces_done, shown.spaces_total)


def _write(space: Space, moment: Moment, examined: int) -> Json:
    now = moment.now.isoformat()
    return {"space": str(space.id), "revision": moment.revision, "now": now, "examined": examined}


def _request(job: Job, policy: Policy, batch: Revisions) -> RequestKey:
    """The same for the same batch of the same job, so that it is changed, and counted, once."""
    digest = sha256(f"{job.id} {policy.resource_name} ".encode() + batch.tobytes()).digest()
    return RequestKey(UUID(bytes=digest[:16]), digest)
