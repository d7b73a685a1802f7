"""Work in the background: what a job is, and what its parts need from each other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

Json: TypeAlias = Mapping[str, Any]
"""What JSON can say."""

P = TypeVar("P")

SYSTEM = ""
"""Tenant of the jobs that the servers start by themselves; no caller belongs to it."""

LONGEST_KIND = 40
"""Characters of the name of a kind: part of the name of a channel of PostgreSQL, which has 63 with its prefix."""


class JobState(IntEnum):
    """How far a job has come; numbers are those of the API."""

    QUEUED = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILED = 4
    CANCELLED = 5

    @property
    def is_end(self) -> bool:
        return self >= JobState.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored.

    space: name of the space it works on, or "". payload: fields of the payload of its kind. done, total: steps.
    checkpoint: what the last worker left for the next; None when there is nothing.
    """

    id: str
    tenant: str
    kind: str
    space: str
    state: JobState
    payload: Json
    done: int
    total: int
    attempts: int
    error: str
    result: Json
    checkpoint: Json | None
    cancel_requested: bool
    create_time: datetime
    update_time: datetime
    start_time: datetime | None
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be done.

    key: of the jobs with one key one runs at a time, and of equal ones one waits at most; "" for no such limit.
    group: of several kinds that share their keys; "": the kind alone.
    most_attempts: so often it is begun before it is given up.
    """

    tenant: str
    kind: str
    space: str = ""
    payload: Json = field(default_factory=dict)
    key: str = ""
    most_attempts: int = 5
    group: str = ""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """One page of jobs, newest first. after: id of the last job of the page before.

    prefixes: of the names of spaces, if any are given; jobs that are of no space are then left out.
    """

    tenant: str
    states: Sequence[JobState] = ()
    kind: str = ""
    space: str = ""
    after: str = ""
    limit: int = 50
    prefixes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to one job, until another takes it over."""

    tenant: str
    job_id: str
    worker: int


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How an attempt ended. QUEUED: to be tried again after `wait_s`, unless there were attempts enough.

    counts: whether it was an attempt; not when the worker only stopped.
    """

    state: JobState
    result: Json = field(default_factory=dict)
    error: str = ""
    wait_s: float = 0.0
    counts: bool = True


class LeaseLost(Exception):
    """Another worker has the job now; nothing was written."""


class JobCancelled(Exception):
    """Somebody asked for the end of the job."""


class JobContext(Protocol):
    """What a job may do while it runs. Each method raises JobCancelled, LeaseLost and StoreUnavailable.

    It must let these through; whatever else it raises is an attempt that failed, and `errors` that a repetition cannot
    mend (InvalidArgument, NotFound, FailedPrecondition, OutOfRange) end the job.

    An attempt may end anywhere, and the next one begins at the last checkpoint: whatever a job does must have one
    effect when it is done twice.
    """

    @property
    def job(self) -> Job:
        """The job as it was when this attempt began; its `checkpoint` is where to go on."""

    async def progress(self, done: int, total: int) -> None:
        """Tell how many steps are done."""

    async def checkpoint(self, state: Json, done: int | None = None, total: int | None = None) -> None:
        """Leave a note for the worker that goes on if this one dies, and tell progress if given."""

    async def check_cancelled(self) -> None:
        """Only find out whether to go on."""


@dataclass(frozen=True, slots=True)
class JobKind(Generic[P]):
    """A sort of job.

    payload: a dataclass of what JSON can say. run: gives the result. every_s: it is run by itself so often, once for
    all servers; 0: it is not. by_hand: callers may start it, for a space of theirs. group: see `NewJob`.
    """

    name: str
    payload: type[P]
    run: Callable[[JobContext, P], Awaitable[Json | None]]
    most_attempts: int = 5
    every_s: float = 0.0
    by_hand: bool = False
    group: str = ""


class JobKinds:
    """The kinds that this server knows."""

    def __init__(self, kinds: Sequence[JobKind[Any]] = ()) -> None:
        self._kinds: dict[str, JobKind[Any]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: JobKind[Any]) -> None:
        """Let workers do jobs of this kind."""
        assert kind.name not in self._kinds, f"two kinds are named {kind.name}"
        assert len(kind.name) <= LONGEST_KIND, f"the name {kind.name} is too long"
        self._kinds[kind.name] = kind

    def find(self, name: str) -> JobKind[Any] | None:
        return self._kinds.get(name)

    @property
    def names(self) -> Sequence[str]:
        return [*self._kinds]

    @property
    def scheduled(self) -> Sequence[JobKind[Any]]:
        """Those that run by themselves."""
        return [kind for kind in self._kinds.values() if kind.every_s]


class JobStore(Protocol):
    """Keeps jobs. Every method may raise StoreUnavailable. All times are the database's."""

    async def enqueue(self, job: NewJob) -> Job:
        """Store a job and wake a worker; gives the equal one that waits already under the same key, if there is.

        Never within a transaction that writes memories: it notifies.
        """

    async def find_job(self, tenant: str, job_id: str) -> Job | None:
        """The job."""

    async def list_jobs(self, query: JobQuery) -> Sequence[Job]:
        """One page."""

    async def cancel(self, tenant: str, job_id: str) -> Job | None:
        """End a job that waits, ask a running one to end; the job as it is then, None if there is none."""

    async def schedule(self, job: NewJob, every_s: float) -> Job | None:
        """Enqueue the job if its kind is due, which is then due again after `every_s`; else None.

        However many servers ask, one of them enqueues.
        """

    async def trim_jobs(self, older_than_days: float) -> int:
        """Forget jobs that ended long ago; how many."""


class JobLeases(Protocol):
    """Gives jobs to workers. Every method may raise StoreUnavailable. All times are the database's."""

    async def begin(self, lease: Lease) -> Job:
        """Begin an attempt. Raises LeaseLost."""

    async def report(
        self, lease: Lease, done: int | None = None, total: int | None = None, checkpoint: Json | None = None
    ) -> bool:
        """Store what is given; tell whether somebody asked for the end. Raises LeaseLost."""

    async def settle(self, lease: Lease, outcome: JobOutcome) -> None:
        """End an attempt. Raises LeaseLost."""

    async def abandon(self, lease: Lease) -> None:
        """Leave a job to `take_over` though its worker lives. Does nothing when the worker has it no more."""

    async def take_over(self, lease_s: float) -> int:
        """Queue jobs that were abandoned, and those of workers that were silent for so long; how many.

        Those that had attempts enough fail.
        """
