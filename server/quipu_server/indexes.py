"""The use case of looking at indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from quipu_server.domain import Head, Space
from quipu_server.errors import NotFound
from quipu_server.ports import LogSource
from quipu_server.spaces import Spaces


class IndexState(StrEnum):
    """Whether an index is at hand."""

    COLD = "cold"
    LOADING = "loading"
    HOT = "hot"


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """A part of an index. kind: `exact` or `hnsw`."""

    kind: str
    row_count: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """An index on disk."""

    revision: int
    create_time: datetime
    nbytes: int


@dataclass(frozen=True, slots=True)
class RecallCheck:
    """The share of the k nearest that an index found, over a sample of memories."""

    sample_size: int
    k: int
    recall: float


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a server holds of a space; see `IndexDescription` in the API."""

    space: Space
    state: IndexState
    head_revision: int
    nbytes: int = 0
    revision: int = 0
    memory_count: int = 0
    segments: Sequence[SegmentReport] = ()
    delta_row_count: int = 0
    snapshot: SnapshotReport | None = None
    recall: RecallCheck | None = None


class Reporter(Protocol):
    """Knows the indexes of this server."""

    async def report(self, space: Space, head: Head, recall_sample: int) -> IndexReport:
        """What is held of a space; nothing is loaded. recall_sample: memories to check recall with, 0 for no check."""


class Indexes:
    """Tells about indexes."""

    def __init__(self, spaces: Spaces, log: LogSource, reporter: Reporter) -> None:
        self._spaces = spaces
        self._log = log
        self._reporter = reporter

    async def describe(self, tenant: str, name: str, recall_sample: int) -> IndexReport:
        """The index of a space. Raises NotFound."""
        space = await self._spaces.find(tenant, name)
        head = (await self._log.heads([space.id])).get(space.id)
        if head is None:
            raise NotFound("space", space.resource_name)
        return await self._reporter.report(space, head, recall_sample)
