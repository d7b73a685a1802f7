"""The ports of retention over dictionaries."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from quipu_server.domain import Memory, RequestKey, Revisions, Space
from quipu_server.errors import AlreadyExists, EtagMismatch, FailedPrecondition, NotFound
from quipu_server.ports.retention import (
    MOST_POLICIES,
    Home,
    Moment,
    Policy,
    PolicyChange,
    PolicySettings,
    Rule,
    Scope,
)
from tests.contract.memory_store import Data
from tests.integration.oracle import meets


@dataclass
class Policies:
    """A PolicyStore."""

    data: Data
    kept: dict[str, dict[str, Policy]] = field(default_factory=lambda: defaultdict(dict))

    async def create_policy(
        self, home: Home, policy_id: str, settings: PolicySettings, request: RequestKey | None
    ) -> Policy:
        if (answer := self._answer(home, request)) is not None:
            return answer
        if home.space is not None:
            self.data.versions(home.space)
        own = [policy for policy in self.kept[home.tenant].values() if policy.home == home.resource_name]
        if len(own) >= MOST_POLICIES:
            raise FailedPrecondition(home.resource_name, "is full", reason="RETENTION_POLICY_LIMIT")
        now = self.data.now()
        made = Policy(home.resource_name, policy_id, settings, 1, now, now)
        if made.resource_name in self.kept[home.tenant]:
            raise AlreadyExists("retention_policy", made.resource_name)
        return self._keep(home, made, request)

    async def find_policy(self, home: Home, policy_id: str) -> Policy | None:
        return self.kept[home.tenant].get(f"{home.resource_name}/retentionPolicies/{policy_id}")

    async def list_policies(self, home: Home) -> Sequence[Policy]:
        homes = (home.resource_name, "spaces/-")
        return sorted((p for p in self.kept[home.tenant].values() if p.home in homes), key=lambda policy: policy.place)

    async def change_policy(
        self, home: Home, policy_id: str, change: PolicyChange, etag: str, request: RequestKey | None
    ) -> Policy:
        if (answer := self._answer(home, request)) is not None:
            return answer
        found = await self._find(home, policy_id, etag)
        made = replace(found, settings=change(found.settings), version=found.version + 1, update_time=self.data.now())
        return self._keep(home, made, request)

    async def delete_policy(self, home: Home, policy_id: str, etag: str, request: RequestKey | None) -> None:
        if self._answer(home, request) is not None:
            return
        found = await self._find(home, policy_id, etag)
        del self.kept[home.tenant][found.resource_name]
        self.data.keep(home.tenant, request, found)

    async def tenants_with_policies(self, after: str, limit: int) -> Sequence[str]:
        has = {tenant for tenant, kept in self.kept.items() if any(not p.settings.disabled for p in kept.values())}
        return sorted(tenant for tenant in has if tenant > after)[:limit]

    async def _find(self, home: Home, policy_id: str, etag: str) -> Policy:
        if (found := await self.find_policy(home, policy_id)) is None:
            raise NotFound("retention_policy", policy_id)
        if etag not in ("", found.etag):
            raise EtagMismatch(found.resource_name, found.etag)
        return found

    def _answer(self, home: Home, request: RequestKey | None) -> Policy | None:
        answer = self.data.answer(home.tenant, request)
        assert answer is None or isinstance(answer, Policy)
        return answer

    def _keep(self, home: Home, policy: Policy, request: RequestKey | None) -> Policy:
        self.kept[home.tenant][policy.resource_name] = policy
        self.data.keep(home.tenant, request, policy)
        return policy


@dataclass
class Retention:
    """A RetentionStore."""

    data: Data

    async def meeting(self, space: Space, rule: Rule, moment: Moment) -> Revisions:
        kept = [memory for memory in self.data.current(space, moment.revision) if not memory.is_deleted]
        found = [m for m in kept if _is_looked_at(m, rule.scope, moment.now)]
        found = [m for m in found if rule.condition is None or meets(m, rule.condition)]
        if rule.idle_since is not None:
            idle = self._idle_sessions(space, kept, rule.idle_since)
            found = [m for m in found if m.fields.is_message and m.fields.session in idle]
        found.sort(
            key=lambda m: (
                not m.is_expired(moment.now),
                not m.is_archived,
                m.fields.importance,
                _time(m),
                m.memory_id,
            )
        )
        return np.array([memory.revision for memory in found], np.int64)

    async def still_current(self, space: Space, revisions: Revisions) -> Sequence[Memory]:
        wanted = set(revisions.tolist())
        return [m for m in self.data.current(space, len(self.data.log[space.id])) if m.revision in wanted]

    def _idle_sessions(self, space: Space, kept: Sequence[Memory], since: datetime) -> set[str]:
        last: dict[str, datetime] = {}
        for memory in kept:
            if memory.fields.is_message:
                name = memory.fields.session
                last[name] = max(last.get(name, _time(memory)), _time(memory))
        ends = {name: s.end_time for (home, name), s in self.data.sessions.items() if home == space.id and s.end_time}
        return {name for name, time in (last | {n: ends[n] for n in last if n in ends}).items() if time <= since}


def _is_looked_at(memory: Memory, scope: Scope, now: datetime) -> bool:
    match scope:
        case Scope.IN_USE:
            return memory.change.is_live and not memory.is_expired(now)
        case Scope.ARCHIVED:
            return memory.is_archived
    return True


def _time(memory: Memory) -> datetime:
    return memory.fields.event_time or memory.create_time
