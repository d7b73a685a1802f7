"""What is done in the background: the kinds of jobs over their parts, and the worker that does them."""

from dataclasses import dataclass

from quipu_server.cold_indexes import ColdIndexing
from quipu_server.config import Settings
from quipu_server.embedding_later import EmbeddingJobs, EmbeddingLater
from quipu_server.erasing import VACUUM
from quipu_server.jobs import Worker
from quipu_server.model_changes import ModelChanges
from quipu_server.ports import Embedder, SearchViews
from quipu_server.ports.jobs import JobContext, JobKind, JobKinds, Json
from quipu_server.retention.runs import Retention
from quipu_server.retention.tally import Tally
from quipu_server.spaces import Spaces
from quipu_server.store.cold_indexes import PostgresColdIndexes
from quipu_server.store.database import Database
from quipu_server.store.erasing import vacuum
from quipu_server.store.history import PostgresHistoryStore
from quipu_server.store.job_leases import PostgresJobLeases
from quipu_server.store.jobs import PostgresJobStore
from quipu_server.store.log import PostgresLog
from quipu_server.store.memories import PostgresMemoryStore
from quipu_server.store.models import PostgresModelStore
from quipu_server.store.policies import PostgresPolicyStore
from quipu_server.store.requests import trim_requests
from quipu_server.store.retention import PostgresRetentionStore
from quipu_server.store.spaces import PostgresSpaceStore
from quipu_server.store.unembedded import PostgresUnembeddedStore
from quipu_server.store.usage import trim_usage
from quipu_server.text import SnowballAnalyser
from quipu_server.trimming import Trimming

TIDY_EVERY_S = 3_600.0
KEEP_JOBS_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Nothing:
    """The payload of a kind that need not be told anything."""


def build_kinds(
    settings: Settings, database: Database, embedder: Embedder, catalogue: SearchViews, tally: Tally
) -> JobKinds:
    """All kinds of jobs. tally: of what retention does."""
    store = PostgresJobStore(database)
    jobs = EmbeddingJobs(store)
    spaces = Spaces(PostgresSpaceStore(database), embedder, SnowballAnalyser(), catalogue)
    later = EmbeddingLater(PostgresUnembeddedStore(database), jobs, spaces, embedder, catalogue)
    cold = ColdIndexing(PostgresColdIndexes(database), store, spaces, embedder, settings.cold_index_memories)
    models = ModelChanges(PostgresModelStore(database), spaces, embedder, jobs)
    retention = Retention(
        PostgresRetentionStore(database),
        PostgresPolicyStore(database),
        PostgresMemoryStore(database),
        PostgresLog(database),
        spaces,
        catalogue,
        store,
        tally,
        settings.retention_every_s,
    )
    tidying = [Tidying(database).kind, Vacuuming(database).kind]
    kinds = JobKinds([*tidying, *later.kinds, *cold.kinds, *models.kinds, *retention.kinds])
    if settings.history_days:
        kinds.add(Trimming(PostgresHistoryStore(database), settings.history_days).kind)
    return kinds


def build_worker(settings: Settings, database: Database, kinds: JobKinds) -> Worker:
    """A worker for them."""
    store, leases = PostgresJobStore(database), PostgresJobLeases(database)
    return Worker(database, store, leases, kinds, settings.job_workers, settings.job_lease_s)


class Tidying:
    """Forgets answered requests once nobody repeats them any more, jobs that ended long ago, and old use of limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def kind(self) -> JobKind[Nothing]:
        return JobKind("tidy", Nothing, self.run, every_s=TIDY_EVERY_S)

    async def run(self, context: JobContext, payload: Nothing) -> Json:
        """Forget; how many."""
        requests = await trim_requests(self._database)
        jobs = await PostgresJobStore(self._database).trim_jobs(KEEP_JOBS_DAYS)
        windows = await trim_usage(self._database)
        return {"requests": requests, "jobs": jobs, "windows": windows}


class Vacuuming:
    """Lets the database write over the place of what was erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def kind(self) -> JobKind[Nothing]:
        return JobKind(VACUUM, Nothing, self.run)

    async def run(self, context: JobContext, payload: Nothing) -> None:
        """Go through all tables that memories are in."""
        await vacuum(self._database)
