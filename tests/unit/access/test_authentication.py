"""Who is let in, and what it costs to refuse the others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quipu_server.access.authentication import CACHED_S, Authenticator, Credentials, check_role
from quipu_server.access.domain import ANYBODY, ApiKey, Caller, GuardPolicy, Limits, Role
from quipu_server.access.ports import KnownKey
from quipu_server.access.secrets import digest_secret, new_id, new_secret, read_credential, write_credential
from quipu_server.errors import RoleNeeded, StoreUnavailable, Unauthenticated

PEPPER = b"pepper of sixteen and more"
MASTER_KEY = "master-key-of-the-tests"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Keys:
    """A KeySource over a list, which counts its reads."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.reads = 0
        self.failure: Exception | None = None
        self.policy = GuardPolicy()

    async def known_keys(self, key_id: str) -> Sequence[KnownKey]:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return [KnownKey(key, Limits(), NOW, self.policy) for key in self.keys.values() if key.id == key_id]

    def add(self, role: Role = Role.READ, **fields: object) -> str:
        """Store a key; what its holder sends."""
        key_id, secret = new_id(), new_secret()
        key = ApiKey("acme", key_id, role, digest_secret(PEPPER, key_id, secret), **fields)  # type: ignore[arg-type]
        self.keys[key_id] = key
        return write_credential(key_id, secret)

    def change(self, credential: str, **fields: object) -> None:
        key_id = parts(credential)[0]
        self.keys[key_id] = replace(self.keys[key_id], **fields)  # type: ignore[arg-type]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def door(keys: Keys) -> Authenticator:
    return Authenticator(Credentials(PEPPER, MASTER_KEY), keys)


def parts(credential: str) -> tuple[str, str]:
    found = read_credential(credential)
    assert found is not None
    return found


async def refused(door: Authenticator, authorization: str | None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await door.identify(authorization)
    return caught.value.reason


async def test_a_key_lets_its_tenant_in(door: Authenticator, keys: Keys) -> None:
    credential = keys.add(Role.WRITE, space_prefixes=("team-",))
    who = await door.identify(f"Bearer {credential}")
    assert (who.tenant, who.role, who.space_prefixes) == ("acme", Role.WRITE, ("team-",))
    assert who.actor == f"tenants/acme/apiKeys/{parts(credential)[0]}"
    assert await door.identify(f"bearer {credential}") == who


async def test_a_caller_brings_the_guard_of_its_tenant_at_no_further_read(door: Authenticator, keys: Keys) -> None:
    keys.policy = GuardPolicy(redact_personal=True, region="DE")
    credential = keys.add(Role.WRITE)
    for _ in range(5):
        assert (await door.identify(f"Bearer {credential}")).guard_policy == keys.policy
    assert keys.reads == 1


async def test_the_master_key_belongs_to_no_tenant(door: Authenticator, keys: Keys) -> None:
    assert await door.identify(f"Bearer {MASTER_KEY}") == Caller("", Role.MASTER)
    assert keys.reads == 0
    assert await refused(Authenticator(Credentials(PEPPER), keys), "Bearer ") == "CREDENTIAL_INVALID"


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer x", "Basic x", f"Bearer {MASTER_KEY}x", "Bearer quipu_1_2", "Bearer ünïcode"]
)
async def test_what_is_no_key_costs_no_read(door: Authenticator, keys: Keys, authorization: str) -> None:
    assert await refused(door, authorization) == "CREDENTIAL_INVALID"
    assert keys.reads == 0


async def test_nothing_shown_is_told_apart(door: Authenticator) -> None:
    assert await refused(door, None) == "CREDENTIAL_MISSING"


async def test_a_wrong_key_costs_one_read_however_often_it_is_sent(door: Authenticator, keys: Keys) -> None:
    unknown = write_credential(new_id(), new_secret())
    for _ in range(10):
        assert await refused(door, f"Bearer {unknown}") == "CREDENTIAL_INVALID"
    assert keys.reads == 1


async def test_a_wrong_secret_of_a_known_key_costs_no_read(door: Authenticator, keys: Keys) -> None:
    credential = keys.add()
    await door.identify(f"Bearer {credential}")
    for _ in range(10):
        wrong = write_credential(parts(credential)[0], new_secret())
        assert await refused(door, f"Bearer {wrong}") == "CREDENTIAL_INVALID"
    assert keys.reads == 1


async def test_a_revoked_key_is_refused_once_it_is_read_again(keys: Keys) -> None:
    remembering, forgetting = (Authenticator(Credentials(PEPPER), keys, cached_s=s) for s in (60, 0))
    credential = keys.add()
    for door in (remembering, forgetting):
        await door.identify(f"Bearer {credential}")
    keys.change(credential, revoke_time=NOW)
    assert (await remembering.identify(f"Bearer {credential}")).tenant == "acme"
    assert await refused(forgetting, f"Bearer {credential}") == "CREDENTIAL_REVOKED"
    assert CACHED_S < 5


async def test_a_key_expires_by_the_time_of_the_database(door: Authenticator, keys: Keys) -> None:
    assert await refused(door, f"Bearer {keys.add(expire_time=NOW)}") == "CREDENTIAL_EXPIRED"
    assert (await door.identify(f"Bearer {keys.add(expire_time=NOW + timedelta(hours=1))}")).tenant == "acme"


@pytest.mark.parametrize(("grace_s", "is_good"), [(3_600, True), (0, False)])
async def test_an_old_secret_is_good_as_long_as_it_was_given(
    door: Authenticator, keys: Keys, grace_s: int, is_good: bool
) -> None:
    old = keys.add()
    key_id, secret = parts(old)[0], new_secret()
    keys.change(
        old,
        digest=digest_secret(PEPPER, key_id, secret),
        previous_digest=keys.keys[key_id].digest,
        previous_expire_time=NOW + timedelta(seconds=grace_s),
    )
    assert (await door.identify(f"Bearer {write_credential(key_id, secret)}")).tenant == "acme"
    if is_good:
        assert (await door.identify(f"Bearer {old}")).tenant == "acme"
    else:
        assert await refused(door, f"Bearer {old}") == "CREDENTIAL_EXPIRED"


async def test_a_digest_of_another_server_is_not_good(keys: Keys) -> None:
    other = Authenticator(Credentials(b"another pepper altogether"), keys)
    assert await refused(other, f"Bearer {keys.add()}") == "CREDENTIAL_INVALID"


async def test_a_database_that_is_away_is_said_and_not_remembered(door: Authenticator, keys: Keys) -> None:
    credential = keys.add()
    keys.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await door.identify(f"Bearer {credential}")
    keys.failure = None
    assert (await door.identify(f"Bearer {credential}")).tenant == "acme"


async def test_without_credentials_everybody_is_let_in(keys: Keys) -> None:
    assert await Authenticator(None, keys).identify(None) is ANYBODY


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.READ, {Role.READ}),
        (Role.WRITE, {Role.READ, Role.WRITE}),
        (Role.ADMIN, {Role.READ, Role.WRITE, Role.ADMIN}),
        (Role.MASTER, {Role.ADMIN, Role.MASTER}),
    ],
)
def test_a_role_allows_what_it_says(role: Role, allowed: set[Role]) -> None:
    who = Caller("acme", role)
    for needed in Role:
        if needed in allowed:
            check_role(who, needed)
        else:
            with pytest.raises(RoleNeeded):
                check_role(who, needed)
        check_role(ANYBODY, needed)
