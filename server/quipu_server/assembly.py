"""Puts the use cases together over the adapters of their ports."""

from dataclasses import dataclass
from functools import partial

from quipu_server.access.administration import Administration
from quipu_server.access.authentication import Authenticator, Credentials
from quipu_server.access.usage import Usage
from quipu_server.config import Settings
from quipu_server.embedding_later import EmbeddingJobs
from quipu_server.erasing import Erasing
from quipu_server.guard import CallersPolicies, Guard
from quipu_server.hot import HotCatalogue, Snapshots, SnapshotStore
from quipu_server.indexes import Indexes
from quipu_server.ingesting import Ingesting
from quipu_server.job_control import JobControl
from quipu_server.measuring import Meter
from quipu_server.memories import Memories
from quipu_server.packs import Packs
from quipu_server.passages import Passages
from quipu_server.ports import Embedder
from quipu_server.ports.jobs import JobKinds
from quipu_server.retention.asking import Asking
from quipu_server.retention.policies import Policies
from quipu_server.rpc.memory_service import Streams
from quipu_server.rpc.server import UseCases
from quipu_server.search import Search
from quipu_server.search.context import Contexts
from quipu_server.search.freshness import Freshness
from quipu_server.sessions import Sessions
from quipu_server.spaces import Spaces
from quipu_server.store.access import PostgresAccessStore
from quipu_server.store.database import Database
from quipu_server.store.erasing import PostgresErasureStore
from quipu_server.store.jobs import PostgresJobStore
from quipu_server.store.log import PostgresLog
from quipu_server.store.policies import PostgresPolicyStore
from quipu_server.store.sessions import PostgresSessionStore
from quipu_server.store.spaces import PostgresSpaceStore
from quipu_server.store.usage import MeteredMemoryStore
from quipu_server.store.uses import PostgresUseStore
from quipu_server.store.view import EXACT_MEMORIES, StoreView
from quipu_server.text import SnowballAnalyser
from quipu_server.uses import Uses
from quipu_server.watching import Watching


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server is made of beside its use cases. meter: of work; usage: of what limits allow."""

    settings: Settings
    database: Database
    embedder: Embedder
    catalogue: HotCatalogue
    kinds: JobKinds
    meter: Meter
    usage: Usage
    credentials: Credentials | None


def build_catalogue(settings: Settings, database: Database) -> HotCatalogue:
    """The hot indexes over the log, and the database for what is not hot."""
    cold = partial(StoreView, database, exact_memories=settings.cold_index_memories or EXACT_MEMORIES)
    directory = settings.index_dir
    snapshots = Snapshots(SnapshotStore(directory, settings.snapshot_bytes)) if directory else None
    return HotCatalogue(PostgresLog(database), cold, settings.hot_bytes, snapshots)


def build_use_cases(parts: Parts) -> UseCases:
    """The use cases over their ports."""
    database, embedder, views = parts.database, parts.embedder, parts.catalogue
    analyser, jobs = SnowballAnalyser(), PostgresJobStore(database)
    store, source = MeteredMemoryStore(database, parts.usage), PostgresLog(database)
    kept_sessions, access = PostgresSessionStore(database), PostgresAccessStore(database)
    passages = Passages(embedder, analyser)
    spaces = Spaces(PostgresSpaceStore(database), embedder, analyser, views)
    freshness, contexts = Freshness(spaces, source), Contexts(kept_sessions)
    uses = Uses(PostgresUseStore(database), spaces)
    search = Search(freshness, store, views, embedder, analyser, passages, contexts, uses, parts.meter)
    guard, soon = Guard(CallersPolicies(parts.settings.guard_policy)), EmbeddingJobs(jobs)
    memories = Memories(store, source, spaces, passages, views, guard, soon)
    ingesting = Ingesting(store, spaces, passages, views, guard, soon)
    sessions = Sessions(kept_sessions, memories, spaces, source, embedder, views)
    control = JobControl(jobs, parts.kinds, spaces)
    return UseCases(
        memories=memories,
        streams=Streams(ingesting, Watching(spaces, store, source)),
        erasing=Erasing(PostgresErasureStore(database), spaces, views, jobs),
        policies=Policies(PostgresPolicyStore(database), spaces),
        retention_runs=Asking(jobs, control, spaces),
        spaces=spaces,
        search=search,
        embedder=embedder,
        indexes=Indexes(spaces, source, views),
        sessions=sessions,
        packs=Packs(search, sessions, spaces, embedder),
        uses=uses,
        jobs=control,
        authenticator=Authenticator(parts.credentials, access),
        administration=Administration(access, parts.credentials),
        usage=parts.usage,
    )
