"""Every metric of the server, with what it means. The rooms give the values: see `Source`.

Whoever adds a metric adds it here, in a group of its own if need be, and gives its values in `samples` of the class
that knows them; `app.py` lists those classes. `docs/observability.md` is made from this page (make docs).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from quipu_server.measuring.distribution import Distribution

Value: TypeAlias = float | Distribution


class Kind(StrEnum):
    """How a metric moves: only up, up and down, or as counts of values by size."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that the server shows. Names of counters end in `_total`."""

    kind: Kind
    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    def of(self, value: Value, *labels: str) -> "Sample":
        """A value of it; one label for each of the metric's."""
        return Sample(self, value, labels)


class Sample(NamedTuple):
    """The value of a metric for some labels."""

    metric: Metric
    value: Value
    labels: tuple[str, ...]


class Source(Protocol):
    """Knows values of metrics. Asked on the event loop, whenever somebody wants to see them: reading must be cheap."""

    def samples(self) -> Iterable[Sample]:
        """All values now; a histogram's is read before the next await."""


# Calls
RPC_SECONDS = Metric(
    Kind.HISTOGRAM, "quipu_rpc_seconds", "Calls by their length, from arrival to status.", ("method", "code")
)
RPCS_RUNNING = Metric(Kind.GAUGE, "quipu_rpcs_running", "Calls that run now, streams included.")
ERRORS = Metric(Kind.COUNTER, "quipu_errors_total", "Calls that failed, by reason as in docs/errors.md.", ("reason",))

# Searches
SEARCH_SECONDS = Metric(
    Kind.HISTOGRAM, "quipu_search_seconds", "Searches by length; path `store`: not all in memory.", ("path",)
)
STAGE_SECONDS = Metric(
    Kind.HISTOGRAM, "quipu_search_stage_seconds", "Stages of searches by their length.", ("path", "stage")
)

# Embedding
WAITING_TEXTS = Metric(Kind.GAUGE, "quipu_embedding_waiting_texts", "Texts that wait for a model.", ("lane",))
WAITING_TOKENS = Metric(Kind.GAUGE, "quipu_embedding_waiting_tokens", "Tokens of these texts, about.")
WAITING_LIMIT = Metric(Kind.GAUGE, "quipu_embedding_waiting_limit_tokens", "Tokens that may wait; more are refused.")
EMBEDDING_WORKERS = Metric(Kind.GAUGE, "quipu_embedding_workers", "Threads that run models.")
EMBEDDED_TEXTS = Metric(Kind.COUNTER, "quipu_embedding_texts_total", "Texts that were embedded.", ("model", "lane"))
EMBEDDED_TOKENS = Metric(Kind.COUNTER, "quipu_embedding_tokens_total", "Tokens of these texts.", ("model", "lane"))
RUN_SECONDS = Metric(
    Kind.HISTOGRAM,
    "quipu_embedding_batch_seconds",
    "Batches by their length, `local` or by remote model; a local batch has one text.",
    ("runner",),
)
QUERY_CACHE = Metric(
    Kind.COUNTER,
    "quipu_embedding_query_cache_total",
    "Queries whose vector was known (hit) or not (miss).",
    ("model", "result"),
)
ENDPOINTS = Metric(
    Kind.GAUGE,
    "quipu_embedding_endpoints",
    "Endpoints of remote models: used, or left alone (resting) after they failed.",
    ("model", "state"),
)

# Hot indexes
HOT_BYTES = Metric(Kind.GAUGE, "quipu_hot_bytes", "Memory of hot indexes, about.")
HOT_LIMIT_BYTES = Metric(Kind.GAUGE, "quipu_hot_limit_bytes", "Memory that hot indexes may take.")
HOT_SPACES = Metric(Kind.GAUGE, "quipu_hot_spaces", "Spaces in memory, with those that are loaded.")
HOT_VISITS = Metric(
    Kind.COUNTER, "quipu_hot_visits_total", "Spaces that were searched in memory (hit) or not (miss).", ("result",)
)
HOT_EVICTIONS = Metric(Kind.COUNTER, "quipu_hot_evictions_total", "Spaces that left memory to make room.")
HOT_LOADS = Metric(
    Kind.COUNTER,
    "quipu_hot_loads_total",
    "Indexes loaded from a snapshot, from the database, or not: failed.",
    ("source",),
)
HOT_LAG = Metric(Kind.GAUGE, "quipu_hot_lag_revisions", "Revisions that the index furthest behind has to follow.")
HOT_RECALL = Metric(
    Kind.GAUGE, "quipu_hot_recall", "Lowest recall@10 that the last checks found of an index with a graph; 1 for none."
)
HOT_RECALL_CHECKS = Metric(Kind.COUNTER, "quipu_hot_recall_checks_total", "Indexes whose recall was checked.")
SNAPSHOTS = Metric(Kind.COUNTER, "quipu_snapshots_total", "Snapshots written, or not: failed.", ("result",))
SNAPSHOT_BYTES = Metric(Kind.GAUGE, "quipu_snapshot_bytes", "Disk of the snapshots that this process knows.")

# Database
DATABASE_READY = Metric(Kind.GAUGE, "quipu_database_ready", "1 while the database answers, else 0.")
POOL_CONNECTIONS = Metric(Kind.GAUGE, "quipu_pool_connections", "Connections to the database.", ("state",))
POOL_LIMIT = Metric(Kind.GAUGE, "quipu_pool_limit_connections", "Connections there may be.")
POOL_WAITING = Metric(Kind.GAUGE, "quipu_pool_waiting", "Requests that wait for a connection.")
POOL_WAITS = Metric(Kind.COUNTER, "quipu_pool_waits_total", "Requests that had to wait for a connection.")
POOL_WAIT_SECONDS = Metric(Kind.COUNTER, "quipu_pool_wait_seconds_total", "Time they waited.")
REVISIONS = Metric(Kind.COUNTER, "quipu_revisions_total", "Revisions that this server wrote, of all spaces.")

# Jobs
JOBS_RUNNING = Metric(Kind.GAUGE, "quipu_jobs_running", "Jobs that this worker does now.", ("kind",))
JOBS = Metric(
    Kind.COUNTER,
    "quipu_jobs_total",
    "Attempts at jobs that this worker made, by state afterwards; `queued`: to be tried again, `lost`: taken over.",
    ("kind", "state"),
)

# Retention
RETENTION_RUNS = Metric(
    Kind.COUNTER, "quipu_retention_runs_total", "Runs of retention that this worker ended, dry ones apart.", ("mode",)
)
RETENTION_MEMORIES = Metric(
    Kind.COUNTER, "quipu_retention_memories_total", "Memories that policies archived or deleted here.", ("action",)
)

# Limits
REFUSALS = Metric(
    Kind.COUNTER, "quipu_limits_refused_total", "Calls refused as a limit of tenant or key was used up.", ("quota",)
)

# Process
INFO = Metric(Kind.GAUGE, "quipu_info", "1, with the version of the server.", ("version",))
START_TIME = Metric(Kind.GAUGE, "quipu_start_time_seconds", "When the server started, seconds since 1970.")

METRICS: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
"""All of them, in the order of this page."""
