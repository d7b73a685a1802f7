"""Policies of retention in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from quipu_server.domain import Kind, RequestKey
from quipu_server.errors import AlreadyExists, EtagMismatch, FailedPrecondition, NotFound
from quipu_server.ports.retention import (
    ALL_SPACES,
    MOST_POLICIES,
    Action,
    Home,
    Policy,
    PolicyChange,
    PolicySettings,
)
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.requests import answer_space_request, claim_space_request

EVERYWHERE = UUID(int=0)
"""In place of the space of policies that are for all of them."""

_COLUMNS = "space_id, policy_id, settings, version, create_time, update_time"
_OWN = "tenant = %(tenant)s AND space_id = %(space_id)s"
_THIS = f"{_OWN} AND policy_id = %(policy_id)s"
_KEEP_TENANT = "SELECT FROM tenants WHERE tenant = %(tenant)s FOR NO KEY UPDATE"
_KEEP_SPACE = "SELECT FROM heads WHERE space_id = %(space_id)s FOR NO KEY UPDATE"
_COUNT = f"SELECT count(*) FROM retention_policies WHERE {_OWN}"
_INSERT = f"""
INSERT INTO retention_policies
VALUES (%(tenant)s, %(space_id)s, %(policy_id)s, 1, %(settings)s, clock_timestamp(), clock_timestamp())
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""
_FIND = f"SELECT {_COLUMNS} FROM retention_policies WHERE {_THIS}"
_LIST = f"""
SELECT {_COLUMNS} FROM retention_policies WHERE tenant = %(tenant)s AND space_id IN (%(space_id)s, %(everywhere)s)
"""
_UPDATE = f"""
UPDATE retention_policies SET settings = %(settings)s, version = version + 1, update_time = clock_timestamp()
WHERE {_THIS} RETURNING {_COLUMNS}
"""
_DELETE = f"DELETE FROM retention_policies WHERE {_THIS}"
_TENANTS = """
SELECT DISTINCT tenant FROM retention_policies WHERE tenant > %s AND settings ->> 'disabled' = 'false'
ORDER BY tenant LIMIT %s
"""


class PostgresPolicyStore:
    """A `PolicyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_policy(
        self, home: Home, policy_id: str, settings: PolicySettings, request: RequestKey | None
    ) -> Policy:
        async with self._database.transaction(home.tenant) as connection:
            if request and (answer := await claim_space_request(connection, home.tenant, request)) is not None:
                return _decode(home, answer)
            await _make_room(connection, home)
            values = _key(home, policy_id) | {"settings": _write_settings(settings)}
            row = await (await connection.execute(_INSERT, values)).fetchone()
            if row is None:
                raise AlreadyExists("retention_policy", _name(home, policy_id))
            return await _answered(connection, home, row, request)

    async def find_policy(self, home: Home, policy_id: str) -> Policy | None:
        async with self._database.transaction(home.tenant) as connection:
            row = await (await connection.execute(_FIND, _key(home, policy_id))).fetchone()
        return None if row is None else _to_policy(home, row)

    async def list_policies(self, home: Home) -> Sequence[Policy]:
        async with self._database.transaction(home.tenant) as connection:
            found = await connection.execute(_LIST, _key(home, "") | {"everywhere": EVERYWHERE})
            return sorted((_to_policy(home, row) for row in await found.fetchall()), key=lambda policy: policy.place)

    async def change_policy(
        self, home: Home, policy_id: str, change: PolicyChange, etag: str, request: RequestKey | None
    ) -> Policy:
        async with self._database.transaction(home.tenant) as connection:
            if request and (answer := await claim_space_request(connection, home.tenant, request)) is not None:
                return _decode(home, answer)
            found = await _lock(connection, home, policy_id, etag)
            values = _key(home, policy_id) | {"settings": _write_settings(change(found.settings))}
            row = await (await connection.execute(_UPDATE, values)).fetchone()
            assert row is not None  # it is locked
            return await _answered(connection, home, row, request)

    async def delete_policy(self, home: Home, policy_id: str, etag: str, request: RequestKey | None) -> None:
        async with self._database.transaction(home.tenant) as connection:
            if request and await claim_space_request(connection, home.tenant, request) is not None:
                return
            await _lock(connection, home, policy_id, etag)
            await connection.execute(_DELETE, _key(home, policy_id))
            if request:
                await answer_space_request(connection, home.tenant, request, {"deleted": True})

    async def tenants_with_policies(self, after: str, limit: int) -> Sequence[str]:
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_TENANTS, (after, limit))).fetchall()
        return [tenant for (tenant,) in rows]


async def _make_room(connection: Connection, home: Home) -> None:
    """Keep tenant and space, and others who create policies of them, until the transaction ends."""
    key = _key(home, "")
    if (await connection.execute(_KEEP_TENANT, key)).rowcount == 0:
        raise NotFound("tenant", f"tenants/{home.tenant}")
    if home.space is not None and (await connection.execute(_KEEP_SPACE, key)).rowcount == 0:
        raise NotFound("space", home.resource_name)
    row = await (await connection.execute(_COUNT, key)).fetchone()
    assert row is not None
    if row[0] >= MOST_POLICIES:
        message = f"{home.resource_name} has {MOST_POLICIES} policies, which is the most; delete one, or join several"
        metadata = {"limit": str(MOST_POLICIES)}
        raise FailedPrecondition(home.resource_name, message, reason="RETENTION_POLICY_LIMIT", metadata=metadata)


async def _lock(connection: Connection, home: Home, policy_id: str, etag: str) -> Policy:
    """The policy, which nobody else changes until the transaction ends. Raises NotFound, EtagMismatch."""
    row = await (await connection.execute(f"{_FIND} FOR UPDATE", _key(home, policy_id))).fetchone()
    if row is None:
        raise NotFound("retention_policy", _name(home, policy_id))
    found = _to_policy(home, row)
    if etag not in ("", found.etag):
        raise EtagMismatch(found.resource_name, found.etag)
    return found


async def _answered(connection: Connection, home: Home, row: Sequence[Any], request: RequestKey | None) -> Policy:
    """The policy of a row, kept as the answer of a request."""
    made = _to_policy(home, row)
    if request:
        await answer_space_request(connection, home.tenant, request, _encode(made))
    return made


def _key(home: Home, policy_id: str) -> dict[str, object]:
    space_id = EVERYWHERE if home.space is None else home.space.id
    return {"tenant": home.tenant, "space_id": space_id, "policy_id": policy_id}


def _name(home: Home, policy_id: str) -> str:
    return f"{home.resource_name}/retentionPolicies/{policy_id}"


def _to_policy(home: Home, row: Sequence[Any]) -> Policy:
    """The policy of a row; home: whose were asked for."""
    space_id, policy_id, settings, *rest = row
    owner = f"spaces/{ALL_SPACES}" if space_id == EVERYWHERE else home.resource_name
    return Policy(owner, policy_id, _read_settings(settings), *rest)


def _write_settings(settings: PolicySettings) -> Jsonb:
    return Jsonb(asdict(settings))


def _read_settings(document: Mapping[str, Any]) -> PolicySettings:
    lists = {"kinds": tuple(map(Kind, document["kinds"])), "tags": tuple(document["tags"])}
    return PolicySettings(**{**document, **lists, "action": Action(document["action"])})


def _encode(policy: Policy) -> dict[str, object]:
    """A policy as the answer of a request."""
    times = {"create_time": policy.create_time.isoformat(), "update_time": policy.update_time.isoformat()}
    return asdict(policy) | times


def _decode(home: Home, document: Mapping[str, Any]) -> Policy:
    times = (datetime.fromisoformat(document[name]) for name in ("create_time", "update_time"))
    settings = _read_settings(document["settings"])
    return Policy(home.resource_name, document["id"], settings, document["version"], *times)
