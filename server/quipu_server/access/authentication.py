"""Lets callers in: by the master key, or by the key of a tenant."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cachetools import TTLCache

from quipu_server.access.domain import ANYBODY, MASTER, Caller, Role
from quipu_server.access.ports import KeySource, KnownKey
from quipu_server.access.secrets import digest_secret, is_same, read_credential
from quipu_server.errors import RoleNeeded, Unauthenticated

CACHED_S = 2.0
"""How long a key is believed to be as it was read: a revoked one is refused everywhere after this long and a read."""
REMEMBERED_IDS = 50_000
"""Ids that are remembered, whether there is such a key or not."""
SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of a server. `pepper` is what digests of keys are made with; `master_key` may be empty."""

    pepper: bytes
    master_key: str = ""


class Authenticator:
    """Tells who calls. Without credentials everybody is one and the same."""

    def __init__(self, credentials: Credentials | None, source: KeySource, cached_s: float = CACHED_S) -> None:
        self._credentials = credentials
        self._source = source
        self._known: TTLCache[str, tuple[float, Sequence[KnownKey]]] = TTLCache(REMEMBERED_IDS, cached_s)
        self._reading: dict[str, asyncio.Task[tuple[float, Sequence[KnownKey]]]] = {}

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to show."""
        return self._credentials is None

    async def identify(self, authorization: str | None) -> Caller:
        """The caller with this value of `authorization`. Raises Unauthenticated, StoreUnavailable."""
        if self._credentials is None:
            return ANYBODY
        if not authorization:
            raise Unauthenticated("send `authorization: Bearer …` with a key", reason="CREDENTIAL_MISSING")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != SCHEME:
            raise Unauthenticated("the scheme of `authorization` must be Bearer")
        master_key = self._credentials.master_key
        if master_key and is_same(token.encode(), master_key.encode()):
            return Caller("", Role.MASTER)
        if (parts := read_credential(token)) is None:
            raise Unauthenticated("the credential is not a key of this service")
        return await self._find(*parts, self._credentials.pepper)

    async def _find(self, key_id: str, secret: str, pepper: bytes) -> Caller:
        read_at, known = await self._read(key_id)
        digest = digest_secret(pepper, key_id, secret)
        for each in known:
            if is_same(digest, each.key.digest):
                return _let_in(each, read_at, is_previous=False)
            if each.key.previous_digest and is_same(digest, each.key.previous_digest):
                return _let_in(each, read_at, is_previous=True)
        raise Unauthenticated("the credential is not a key of this service")

    async def _read(self, key_id: str) -> tuple[float, Sequence[KnownKey]]:
        """The keys with an id, and when they were asked for; one read serves all who wait for it."""
        if (known := self._known.get(key_id)) is not None:
            return known
        if (reading := self._reading.get(key_id)) is None:
            reading = self._reading[key_id] = asyncio.create_task(self._fetch(key_id))
            reading.add_done_callback(lambda _: self._reading.pop(key_id, None))
        return await asyncio.shield(reading)

    async def _fetch(self, key_id: str) -> tuple[float, Sequence[KnownKey]]:
        asked_at = time.monotonic()
        found = self._known[key_id] = (asked_at, await self._source.known_keys(key_id))
        return found


def check_role(who: Caller, needed: Role) -> None:
    """Raise RoleNeeded unless the caller may do what needs the role. The master key administers and nothing else."""
    is_administration = needed >= Role.ADMIN
    if who.role < needed or (who.role is Role.MASTER and not is_administration and who is not ANYBODY):
        raise RoleNeeded(needed.label, MASTER if who.role is Role.MASTER else who.role.label)


def _let_in(known: KnownKey, read_at: float, *, is_previous: bool) -> Caller:
    """The caller with a key whose secret was right. Raises Unauthenticated when it is not good any more."""
    key = known.key
    now = known.read_time + timedelta(seconds=time.monotonic() - read_at)
    if key.revoke_time is not None:
        raise Unauthenticated("the key was revoked", reason="CREDENTIAL_REVOKED")
    ends = [end for end in (key.expire_time, key.previous_expire_time if is_previous else None) if end is not None]
    if any(end <= now for end in ends):
        raise Unauthenticated("the key or its secret has expired", reason="CREDENTIAL_EXPIRED")
    of_tenant = (known.tenant_limits, known.guard_policy)
    return Caller(key.tenant, key.role, key.id, key.space_prefixes, key.limits, *of_tenant)
