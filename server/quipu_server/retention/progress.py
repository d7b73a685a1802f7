"""How far a run has come: what its job keeps, and what callers are told."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

from quipu_server.domain import Memory
from quipu_server.ports.jobs import Job, Json
from quipu_server.ports.retention import Action, Policy

MOST_DECISIONS = 500
"""Memories that a dry run names."""


@dataclass(slots=True)
class Count:
    """What one policy did. policy: its name."""

    policy: str
    archived: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Decision:
    """What would become of a memory. memory, policy: their names."""

    memory: str
    policy: str
    action: int


@dataclass(slots=True)
class Progress:
    """What was done so far. after: name of the last space that is done."""

    after: str = ""
    spaces_done: int = 0
    spaces_total: int = 0
    examined: int = 0
    counts: list[Count] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    @classmethod
    def read(cls, document: Json) -> "Progress":
        """That of a document of `write`; none yet for an empty one."""
        parts: dict[str, Any] = dict(document)
        counts = [Count(**count) for count in parts.pop("counts", ())]
        decisions = [Decision(**decision) for decision in parts.pop("decisions", ())]
        return cls(**parts, counts=counts, decisions=decisions)

    @classmethod
    def of(cls, job: Job) -> "Progress":
        """That of a job, at work or at its end."""
        return cls.read(job.result or (job.checkpoint or {}).get("shown", {}))

    def write(self) -> Json:
        """As JSON."""
        return asdict(self)

    def copy(self) -> "Progress":
        return deepcopy(self)

    @property
    def archived(self) -> int:
        return sum(count.archived for count in self.counts)

    @property
    def deleted(self) -> int:
        return sum(count.deleted for count in self.counts)

    def add(self, policy: Policy, count: int) -> None:
        """Note that a policy did so many."""
        name = policy.resource_name
        found = next((each for each in self.counts if each.policy == name), None)
        if found is None:
            self.counts.append(found := Count(name))
        if policy.settings.action is Action.ARCHIVE:
            found.archived += count
        else:
            found.deleted += count

    def note(self, policy: Policy, space: str, memories: Sequence[Memory]) -> None:
        """Name memories that a policy would change, as long as there is room."""
        action = int(policy.settings.action)
        for memory in memories[: MOST_DECISIONS - len(self.decisions)]:
            name = f"spaces/{space}/memories/{memory.memory_id}"
            self.decisions.append(Decision(name, policy.resource_name, action))
