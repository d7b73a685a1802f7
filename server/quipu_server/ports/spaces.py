"""What keeps spaces."""

from collections.abc import Sequence
from typing import Protocol

from quipu_server.domain import RequestKey, Space, SpaceStatus


class SpaceStore(Protocol):
    """Keeps spaces. Every method raises StoreUnavailable when the database cannot be reached."""

    async def find_space(self, tenant: str, name: str) -> Space | None:
        """The space with this name."""

    async def create_space(self, space: Space, request: RequestKey | None) -> Space:
        """Store a new space; times are set by the database.

        Raises AlreadyExists; RequestIdReused. With a request that was answered before: the space it created.
        """

    async def ensure_space(self, space: Space) -> Space:
        """Return the space with this tenant and name, after storing the given one if there was none. Safe in races."""

    async def update_space(self, space: Space, expected_version: int, request: RequestKey | None) -> Space | None:
        """Store display name and ranking if the version is still the expected one; None if it is not."""

    async def delete_space(self, space: Space, *, force: bool, request: RequestKey | None) -> int:
        """Destroy a space and return how many memories went with it.

        Raises FailedPrecondition (SPACE_NOT_EMPTY) when it has memories and force is off.
        """

    async def keep_missing(self, tenant: str, request: RequestKey) -> None:
        """Keep that a request found no space, and that this was its answer. Raises RequestIdReused."""

    async def was_missing(self, tenant: str, request: RequestKey) -> bool:
        """Whether a request was answered so before. Raises RequestIdReused."""

    async def space_status(self, space: Space) -> SpaceStatus:
        """The space with its head revision and number of memories."""

    async def list_spaces(
        self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()
    ) -> Sequence[SpaceStatus]:
        """At most `limit` spaces of the tenant with names greater than `after`, by name.

        prefixes: of the names, if any are given.
        """
