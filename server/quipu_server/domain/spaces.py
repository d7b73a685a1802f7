"""Spaces, and where their logs stand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quipu_server.weights import RankingWeights


@dataclass(frozen=True, slots=True)
class Space:
    """A space as stored. `id` is internal and never reused; `name` is the caller's id, unique within the tenant.

    previous_model: name of the model before, while its vectors are kept; else "".
    """

    id: UUID
    tenant: str
    name: str
    model: str
    fingerprint: str
    language: str = "en"
    display_name: str = ""
    ranking: RankingWeights = RankingWeights()
    version: int = 1
    create_time: datetime | None = None
    update_time: datetime | None = None
    previous_model: str = ""

    @property
    def resource_name(self) -> str:
        return f"spaces/{self.name}"

    @property
    def etag(self) -> str:
        return f"{self.version}"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """A space with what its memories add up to."""

    space: Space
    revision: int
    memory_count: int


@dataclass(frozen=True, slots=True)
class Head:
    """Where a space stands: revision of its last write, version of its settings, database time of reading both.

    nonce: of the last write; 0 when there is none. asked_s: monotonic time when the database was asked.
    """

    revision: int
    now: datetime
    space_version: int
    nonce: int = 0
    memory_count: int = 0
    asked_s: float = 0.0
    oldest: int = 0
    """The oldest revision that the space can be read as of; 0 when everything is kept."""
    erased: int = 0
    """Revision of the last erasure: what was made of the space before holds what must be gone; 0: there was none."""
