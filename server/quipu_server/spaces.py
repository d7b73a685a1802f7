"""Use cases of spaces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4, uuid5

from quipu_server.domain import Head, RequestKey, Space, SpaceStatus
from quipu_server.errors import EtagMismatch, FailedPrecondition, InvalidArgument, NotFound, OutOfRange
from quipu_server.ports import Analyser, Embedder, SearchViews, SpaceStore
from quipu_server.weights import RankingWeights

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class SpaceSettings:
    """What a caller says of a space; empty text means: the default."""

    model: str = ""
    language: str = ""
    display_name: str = ""
    ranking: RankingWeights = RankingWeights()


class Spaces:
    """Creates, finds and changes spaces."""

    def __init__(self, store: SpaceStore, embedder: Embedder, analyser: Analyser, views: SearchViews) -> None:
        self._store = store
        self._embedder = embedder
        self._languages = frozenset(analyser.languages())
        self._views = views

    async def create(self, tenant: str, name: str, settings: SpaceSettings, request: RequestKey | None) -> SpaceStatus:
        """Store a new space. Raises AlreadyExists, RequestIdReused, NotFound for an unknown model."""
        stored = await self._store.create_space(self._draft(tenant, name, settings), request)
        return await self._store.space_status(stored)

    async def get(self, tenant: str, name: str) -> SpaceStatus:
        """The space with its counts. Raises NotFound."""
        return await self._store.space_status(await self.find(tenant, name))

    async def find(self, tenant: str, name: str) -> Space:
        """The space alone. Raises NotFound."""
        if (space := await self._store.find_space(tenant, name)) is None:
            raise NotFound("space", f"spaces/{name}")
        return space

    async def ensure(self, tenant: str, name: str) -> Space:
        """The space; made with default settings if there was none."""
        found = await self._store.find_space(tenant, name)
        return found or await self._store.ensure_space(self._draft(tenant, name, SpaceSettings()))

    async def list(self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()) -> Sequence[SpaceStatus]:
        """At most `limit` spaces with names greater than `after`, and with one of the prefixes, if any are given."""
        return await self._store.list_spaces(tenant, after, limit, prefixes)

    async def update(
        self,
        tenant: str,
        name: str,
        settings: SpaceSettings,
        paths: frozenset[str],
        *,
        etag: str,
        request: RequestKey | None,
    ) -> SpaceStatus:
        """Change display name and ranking as the paths say. Raises NotFound, EtagMismatch."""
        while True:
            space = await self.find(tenant, name)
            changes = {path: getattr(settings, path) for path in paths & {"display_name", "ranking"}}
            # An outdated etag expects a version that there is not: only a request answered before has an answer then.
            expected = space.version if etag in ("", space.etag) else 0
            stored = await self._store.update_space(replace(space, **changes), expected, request)
            if stored is not None:
                return await self._store.space_status(stored)
            check_etag(space, etag)

    async def delete(self, tenant: str, name: str, *, etag: str, force: bool, request: RequestKey | None) -> int:
        """Destroy the space; return how many memories went with it. Raises NotFound, EtagMismatch, SPACE_NOT_EMPTY."""
        found = await self._store.find_space(tenant, name)
        if found is not None:
            check_etag(found, etag)
        # A request that was answered before finds no space any more; the store knows what it was told then.
        space = found or self._draft(tenant, name, SpaceSettings())
        count = await self._store.delete_space(space, force=force, request=request)
        self._views.forget(space)
        return count

    async def find_unless_missed(self, tenant: str, name: str, request: RequestKey | None) -> Space | None:
        """The space; None if there is none, or there was none when the request was answered for the first time.

        Nothing to find is an answer as well: repeated later, the request must not touch what was made meanwhile.
        Raises RequestIdReused.
        """
        # An id belongs to the space it was used in; without one it can only be kept with the tenant.
        key = request and RequestKey(uuid5(request.id, name), request.digest)
        if key and await self._store.was_missing(tenant, key):
            return None
        if (space := await self._store.find_space(tenant, name)) is None and key:
            await self._store.keep_missing(tenant, key)
        return space

    def check_model(self, space: Space) -> None:
        """Raise FailedPrecondition when the server's model of that name makes other vectors than the space holds."""
        model = self._embedder.model(space.model)
        if model.fingerprint != space.fingerprint:
            message = (
                f"the space holds vectors of {space.model} {space.fingerprint}, the server has {model.fingerprint}; "
                "give the server the model directory the space was made with"
            )
            metadata = {"expected": space.fingerprint, "actual": model.fingerprint}
            raise FailedPrecondition(space.resource_name, message, reason="MODEL_MISMATCH", metadata=metadata)

    def _draft(self, tenant: str, name: str, settings: SpaceSettings) -> Space:
        model = self._embedder.model(settings.model)
        return Space(
            id=uuid4(),
            tenant=tenant,
            name=name,
            model=model.name,
            fingerprint=model.fingerprint,
            language=self._check_language(settings.language or DEFAULT_LANGUAGE),
            display_name=settings.display_name,
            ranking=settings.ranking,
        )

    def _check_language(self, language: str) -> str:
        if language not in self._languages:
            raise InvalidArgument("space.language", f"is none of {', '.join(sorted(self._languages))}")
        return language


def check_etag(space: Space, etag: str) -> None:
    """Raise EtagMismatch when an etag is given and is not that of the space."""
    if etag and etag != space.etag:
        raise EtagMismatch(space.resource_name, space.etag)


def check_reached(space: Space, head: Head, revision: int) -> None:
    """Raise OutOfRange when a space has not come as far as the caller says it has seen."""
    if revision > head.revision:
        metadata = {"name": space.resource_name, "head": f"{head.revision}"}
        raise OutOfRange(
            f"{space.resource_name} has come to revision {head.revision}, not {revision}", metadata=metadata
        )


def check_kept(space: Space, head: Head, revision: int) -> None:
    """Raise OutOfRange when what a space was at a revision is not known any more."""
    if revision < head.oldest:
        metadata = {"name": space.resource_name, "oldest": f"{head.oldest}"}
        message = f"{space.resource_name} is kept from revision {head.oldest} on, {revision} is not"
        raise OutOfRange(message, metadata=metadata)
