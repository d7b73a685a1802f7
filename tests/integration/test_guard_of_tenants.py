"""Each tenant has a guard of its own, beside what the server does for all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.v1 import admin_service_pb2 as admin
from quipu.v1.api_key_pb2 import API_KEY_ROLE_ADMIN
from quipu.v1.guard_policy_pb2 import GuardPolicy
from quipu.v1.tenant_pb2 import Tenant
from quipu_server.access.authentication import CACHED_S
from tests.integration.api import Api, refusal
from tests.integration.secured import Door, door

pytestmark = pytest.mark.asyncio(loop_scope="session")
on_the_session_loop = pytest_asyncio.fixture(scope="module", loop_scope="session")

TEXT = "Write to ann@example.org, or call 030 901820."
SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
REDACTED = "Write to [email], or call 030 901820."
GERMAN = "Write to [email], or call [phone]."


@on_the_session_loop
async def here(database_url: str) -> AsyncIterator[Door]:
    """A server whose guard is off."""
    async with door(database_url, hot_bytes=0) as opened:
        yield opened


@on_the_session_loop
async def strict(database_url: str) -> AsyncIterator[Door]:
    """One that redacts for all."""
    async with door(database_url, hot_bytes=0, guard="redact_personal") as opened:
        yield opened


async def stored(api: Api, space: str, content: str = TEXT) -> str:
    return (await api.create(space, content)).content


async def becomes(api: Api, space: str, before: str, after: str) -> None:
    """What is stored of the text changes from one to the other, soon."""
    for _ in range(100):
        if (found := await stored(api, space)) == after:
            return
        assert found == before
        await asyncio.sleep(CACHED_S / 8)
    raise AssertionError(f"it is still {before!r}")


async def test_one_tenant_redacts_and_another_does_not(here: Door, space: str) -> None:
    guarded = await here.as_key(await here.tenant(guard_policy=GuardPolicy(redact_personal=True)))
    other = await here.as_key(await here.tenant())
    assert await stored(guarded, space) == REDACTED
    assert await stored(other, space) == TEXT
    assert await stored(guarded, space, SECRET) == SECRET, "this it did not ask for"


async def test_one_tenant_blocks_secrets_and_another_does_not(here: Door, space: str) -> None:
    guarded = await here.as_key(await here.tenant(guard_policy=GuardPolicy(block_secrets=True)))
    other = await here.as_key(await here.tenant())
    assert (await refusal(guarded.create(space, SECRET))).reason == "CONTENT_BLOCKED"
    assert await stored(other, space, SECRET) == SECRET
    assert await stored(guarded, space) == TEXT


async def test_the_country_is_that_of_the_tenant_else_of_the_server(here: Door, strict: Door, space: str) -> None:
    german = await here.tenant(guard_policy=GuardPolicy(redact_personal=True, region="DE"))
    assert await stored(await here.as_key(german), space) == GERMAN
    of_server = await strict.tenant(guard_policy=GuardPolicy(region="DE"))
    assert await stored(await strict.as_key(of_server), space) == GERMAN
    american = await here.as_key(await here.tenant(guard_policy=GuardPolicy(redact_personal=True)))
    assert await stored(american, space, "Call (415) 555-2671.") == "Call [phone]."


async def test_no_tenant_has_less_than_the_server_does_for_all(strict: Door, space: str) -> None:
    plain = await strict.as_key(await strict.tenant(guard_policy=GuardPolicy()))
    blocking = await strict.as_key(await strict.tenant(guard_policy=GuardPolicy(block_secrets=True)))
    assert await stored(plain, space) == await stored(blocking, space) == REDACTED
    assert (await refusal(blocking.create(space, SECRET))).reason == "CONTENT_BLOCKED"


async def test_a_change_counts_soon_and_is_kept_in_the_audit_log(here: Door, space: str) -> None:
    tenant, master = await here.tenant(), (await here.master()).admin
    api = await here.as_key(tenant)
    assert await stored(api, space) == TEXT
    wanted = Tenant(name=tenant, guard_policy=GuardPolicy(redact_personal=True, region="DE"))
    changed = await master.UpdateTenant(admin.UpdateTenantRequest(tenant=wanted))
    assert changed.tenant.guard_policy == wanted.guard_policy
    await becomes(api, space, TEXT, GERMAN)
    cleared = admin.UpdateTenantRequest(tenant=Tenant(name=tenant), update_mask=FieldMask(paths=["guard_policy"]))
    assert not (await master.UpdateTenant(cleared)).tenant.HasField("guard_policy")
    await becomes(api, space, GERMAN, TEXT)
    entries = (await master.ListAuditEntries(admin.ListAuditEntriesRequest(parent=tenant, page_size=10))).entries
    assert [dict(entry.details) for entry in entries if entry.method == "UpdateTenant"] == [
        {"fields": "guard_policy", "guard_policy": "none"},
        {"fields": "guard_policy", "guard_policy": "redact_personal, region=DE"},
    ]


async def test_what_else_is_changed_leaves_the_policy(here: Door) -> None:
    policy = GuardPolicy(block_secrets=True, redact_personal=True, region="FR")
    tenant, master = await here.tenant(guard_policy=policy), (await here.master()).admin
    changed = await master.UpdateTenant(admin.UpdateTenantRequest(tenant=Tenant(name=tenant, display_name="New")))
    assert changed.tenant.guard_policy == policy
    assert (await master.GetTenant(admin.GetTenantRequest(name=tenant))).tenant == changed.tenant


@pytest.mark.parametrize("region", ["XX", "de", "Germany"])
async def test_an_unknown_country_is_refused_by_its_field(here: Door, region: str) -> None:
    tenant, master = await here.tenant(), (await here.master()).admin
    wanted = Tenant(name=tenant, guard_policy=GuardPolicy(region=region))
    created = admin.CreateTenantRequest(tenant_id="fine", tenant=wanted)
    for call in (master.UpdateTenant(admin.UpdateTenantRequest(tenant=wanted)), master.CreateTenant(created)):
        refused = await refusal(call)
        assert refused.fields == ("tenant.guard_policy.region",)


async def test_only_who_has_the_master_key_sets_it(here: Door) -> None:
    tenant = await here.tenant(guard_policy=GuardPolicy(redact_personal=True))
    own = (await here.as_key(tenant, API_KEY_ROLE_ADMIN)).admin
    cleared = admin.UpdateTenantRequest(tenant=Tenant(name=tenant), update_mask=FieldMask(paths=["guard_policy"]))
    assert (await refusal(own.UpdateTenant(cleared))).reason == "ROLE_NEEDED"
    assert (await own.GetTenant(admin.GetTenantRequest(name=tenant))).tenant.guard_policy.redact_personal
