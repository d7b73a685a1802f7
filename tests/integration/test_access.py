"""Tenants and keys as administrators and callers see them."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from quipu.v1 import admin_service_pb2 as admin
from quipu.v1.api_key_pb2 import API_KEY_ROLE_ADMIN, API_KEY_ROLE_READ, API_KEY_ROLE_WRITE, ApiKey
from quipu.v1.job_service_pb2 import (
    CancelJobRequest,
    GetJobRequest,
    ListJobsRequest,
    RunJobRequest,
    WatchJobRequest,
)
from quipu.v1.limits_pb2 import Limit, Limits
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest, ListMemoriesRequest
from quipu.v1.space_service_pb2 import CreateSpaceRequest, GetSpaceRequest, ListSpacesRequest
from quipu.v1.tenant_pb2 import Tenant
from quipu_server.app import running
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from tests.integration.api import Api, refusal
from tests.integration.secured import CREDENTIALS, Door, door

pytestmark = pytest.mark.asyncio(loop_scope="session")
on_the_session_loop = pytest_asyncio.fixture(scope="module", loop_scope="session")


@on_the_session_loop
async def here(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as opened:
        yield opened


@on_the_session_loop
async def there(database_url: str) -> AsyncIterator[Door]:
    """A second server on the same database."""
    async with door(database_url, hot_bytes=0) as opened:
        yield opened


def write(space: str) -> CreateMemoryRequest:
    return CreateMemoryRequest(parent=space, memory=Memory(content="a flat with a balcony"))


async def test_a_key_does_what_its_role_allows(here: Door, space: str) -> None:
    tenant = await here.tenant()
    reader, writer, administrator = [
        await here.as_key(tenant, role) for role in (API_KEY_ROLE_READ, API_KEY_ROLE_WRITE, API_KEY_ROLE_ADMIN)
    ]
    refused = await refusal(reader.memories.CreateMemory(write(space)))
    assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "ROLE_NEEDED")
    assert refused.metadata == {"needed": "write", "role": "read"}
    await writer.memories.CreateMemory(write(space))
    assert (await reader.search(space, text="balcony")).hits
    await administrator.memories.CreateMemory(write(space))
    keys = admin.ListApiKeysRequest(parent=tenant)
    assert (await refusal(writer.admin.ListApiKeys(keys))).reason == "ROLE_NEEDED"
    assert len((await administrator.admin.ListApiKeys(keys)).api_keys) == 3


async def test_the_master_key_administers_and_nothing_else(here: Door, space: str) -> None:
    master = await here.master()
    refused = await refusal(master.memories.CreateMemory(write(space)))
    assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "ROLE_NEEDED")


async def test_only_who_has_a_credential_is_let_in(here: Door, space: str) -> None:
    nobody, wrong = await here.api(None), await here.api("quipu_" + 24 * "0" + "_" + 48 * "0")
    for api, reason in ((nobody, "CREDENTIAL_MISSING"), (wrong, "CREDENTIAL_INVALID")):
        for call in (
            api.memories.CreateMemory(write(space)),
            api.admin.ListTenants(admin.ListTenantsRequest()),
            api.search(space, text="x"),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (StatusCode.UNAUTHENTICATED, reason)


async def test_health_is_open_and_reflection_is_for_any_key(here: Door) -> None:
    nobody, reader = await here.api(None), await here.as_key(await here.tenant(), API_KEY_ROLE_READ)
    health: Any = HealthStub(nobody.channel)
    assert (await health.Check(HealthCheckRequest())).status

    async def reflect(api: Api) -> Any:
        stub: Any = ServerReflectionStub(api.channel)  # type: ignore[arg-type]
        return await anext(aiter(stub.ServerReflectionInfo(iter([ServerReflectionRequest(list_services="")]))))

    assert (await refusal(reflect(nobody))).code is StatusCode.UNAUTHENTICATED
    assert (await reflect(reader)).list_services_response.service
    assert (await reflect(await here.master())).list_services_response.service


async def test_a_key_is_good_for_the_spaces_it_names(here: Door) -> None:
    tenant = await here.tenant()
    writer, limited = await here.as_key(tenant), await here.as_key(tenant, space_prefixes=["team-", "solo"])
    for name in ("team-a", "team-b", "other", "solo"):
        await writer.spaces.CreateSpace(CreateSpaceRequest(space_id=name))
    listed = (await limited.spaces.ListSpaces(ListSpacesRequest())).spaces
    assert [space.name for space in listed] == ["spaces/solo", "spaces/team-a", "spaces/team-b"]
    page = await limited.spaces.ListSpaces(ListSpacesRequest(page_size=1))
    rest = await limited.spaces.ListSpaces(ListSpacesRequest(page_size=9, page_token=page.next_page_token))
    assert len(rest.spaces) == 2
    for call in (
        limited.memories.CreateMemory(write("spaces/other")),
        limited.spaces.GetSpace(GetSpaceRequest(name="spaces/missing")),
        limited.spaces.CreateSpace(CreateSpaceRequest(space_id="tea")),
        limited.search("spaces/team-a", "spaces/other", text="x"),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "SPACE_NOT_ALLOWED")
    await limited.memories.CreateMemory(write("spaces/team-a"))


async def test_a_key_sees_the_jobs_of_the_spaces_it_names(here: Door) -> None:
    """What a job answers may tell what is in a space."""
    tenant = await here.tenant()
    writer, limited = await here.as_key(tenant), await here.as_key(tenant, space_prefixes=["team-"])
    names = {}
    for space in ("team-a", "other"):
        await writer.memories.CreateMemory(write(f"spaces/{space}"))
        run = RunJobRequest(kind="embed", space=f"spaces/{space}")
        names[space] = (await writer.jobs.RunJob(run)).job.name
    listed = [job.name for job in (await limited.jobs.ListJobs(ListJobsRequest())).jobs]
    assert listed == [names["team-a"]]
    assert (await limited.jobs.GetJob(GetJobRequest(name=names["team-a"]))).job.name == names["team-a"]
    for call in (
        limited.jobs.GetJob(GetJobRequest(name=names["other"])),
        limited.jobs.CancelJob(CancelJobRequest(name=names["other"])),
        limited.jobs.WatchJob(WatchJobRequest(name=names["other"])).read(),
    ):
        assert (await refusal(call)).code is StatusCode.NOT_FOUND
    assert set(names.values()) <= {job.name for job in (await writer.jobs.ListJobs(ListJobsRequest())).jobs}


async def test_a_revoked_key_is_refused_on_another_server_within_five_seconds(here: Door, there: Door) -> None:
    tenant = await here.tenant()
    name, secret = await here.key(tenant)
    elsewhere, request = await there.api(secret), ListSpacesRequest()
    await elsewhere.spaces.ListSpaces(request)
    await (await here.master()).admin.RevokeApiKey(admin.RevokeApiKeyRequest(name=name))
    revoked_at = time.monotonic()
    while time.monotonic() < revoked_at + 5:
        try:
            await elsewhere.spaces.ListSpaces(request)
        except Exception as error:
            seen = await refusal(_raise(error))
            assert (seen.code, seen.reason) == (StatusCode.UNAUTHENTICATED, "CREDENTIAL_REVOKED")
            sys.stderr.write(f"\nrefused {time.monotonic() - revoked_at:.2f} s after it was revoked\n")
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a revoked key was still good after 5 seconds")


async def _raise(error: Exception) -> None:
    raise error


async def test_a_key_is_rotated_with_grace_or_without(here: Door) -> None:
    tenant, master = await here.tenant(), await here.master()
    for grace_s, old_is_good in ((3_600, True), (0, False)):
        name, old = await here.key(tenant)
        request = admin.RotateApiKeyRequest(name=name, grace=Duration(seconds=grace_s))
        new = (await master.admin.RotateApiKey(request)).secret
        assert new != old
        assert new.rpartition("_")[0] == old.rpartition("_")[0]
        await (await here.api(new)).spaces.ListSpaces(ListSpacesRequest())
        listing = (await here.api(old)).spaces.ListSpaces(ListSpacesRequest())
        if old_is_good:
            await listing
        else:
            assert (await refusal(listing)).reason == "CREDENTIAL_EXPIRED"


async def test_a_key_expires(here: Door) -> None:
    past = Timestamp()
    past.FromDatetime(datetime.now(UTC) - timedelta(seconds=1))
    api = await here.as_key(await here.tenant(), expire_time=past)
    assert (await refusal(api.spaces.ListSpaces(ListSpacesRequest()))).reason == "CREDENTIAL_EXPIRED"


async def test_a_key_is_changed_by_its_mask_until_it_is_revoked(here: Door) -> None:
    master = await here.master()
    name, _ = await here.key(await here.tenant(), display_name="old", space_prefixes=["a"])
    limits = Limits(requests=Limit(count=10, window=Duration(seconds=60)))
    wanted = ApiKey(name=name, display_name="new", role=API_KEY_ROLE_READ, limits=limits)
    mask = FieldMask(paths=["display_name", "limits", "space_prefixes"])
    changed = (await master.admin.UpdateApiKey(admin.UpdateApiKeyRequest(api_key=wanted, update_mask=mask))).api_key
    assert (changed.display_name, changed.limits, list(changed.space_prefixes)) == ("new", limits, [])
    assert changed.role == API_KEY_ROLE_WRITE
    assert (await master.admin.GetApiKey(admin.GetApiKeyRequest(name=name))).api_key == changed
    await master.admin.RevokeApiKey(admin.RevokeApiKeyRequest(name=name))
    for call in (
        master.admin.UpdateApiKey(admin.UpdateApiKeyRequest(api_key=wanted, update_mask=mask)),
        master.admin.RotateApiKey(admin.RotateApiKeyRequest(name=name)),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "API_KEY_REVOKED")


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (ApiKey(), "api_key.role"),
        (ApiKey(role=9), "api_key.role"),  # type: ignore[arg-type]
        (ApiKey(role=API_KEY_ROLE_READ, display_name="x" * 257), "api_key.display_name"),
        (ApiKey(role=API_KEY_ROLE_READ, space_prefixes=[""]), "api_key.space_prefixes[0]"),
        (ApiKey(role=API_KEY_ROLE_ADMIN, space_prefixes=["a"]), "api_key.space_prefixes"),
        (ApiKey(role=API_KEY_ROLE_READ, limits=Limits(tokens=Limit(count=-1))), "api_key.limits.tokens.count"),
        (ApiKey(role=API_KEY_ROLE_READ, limits=Limits(memories=Limit(count=1))), "api_key.limits.memories.window"),
    ],
)
async def test_a_bad_key_is_refused_by_the_name_of_its_field(here: Door, key: ApiKey, field: str) -> None:
    tenant, master = await here.tenant(), await here.master()
    refused = await refusal(master.admin.CreateApiKey(admin.CreateApiKeyRequest(parent=tenant, api_key=key)))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))


async def test_an_administrator_of_a_tenant_keeps_to_it(here: Door) -> None:
    tenant, other = await here.tenant(), await here.tenant()
    theirs, _ = await here.key(other)
    api = (await here.as_key(tenant, API_KEY_ROLE_ADMIN)).admin
    assert (await api.GetTenant(admin.GetTenantRequest(name=tenant))).tenant.name == tenant
    answers = set()
    for name in (other, "tenants/missing"):
        for call in (
            api.GetTenant(admin.GetTenantRequest(name=name)),
            api.ListApiKeys(admin.ListApiKeysRequest(parent=name)),
            api.CreateApiKey(admin.CreateApiKeyRequest(parent=name, api_key=ApiKey(role=API_KEY_ROLE_READ))),
            api.ListAuditEntries(admin.ListAuditEntriesRequest(parent=name)),
        ):
            refused = await refusal(call)
            answers.add((refused.code, refused.reason, refused.message))
    assert len(answers) == 1
    assert (await refusal(api.RevokeApiKey(admin.RevokeApiKeyRequest(name=theirs)))).reason == "TENANT_NOT_ALLOWED"
    assert (await refusal(api.ListAuditEntries(admin.ListAuditEntriesRequest()))).reason == "TENANT_NOT_ALLOWED"
    assert (await refusal(api.ListTenants(admin.ListTenantsRequest()))).reason == "ROLE_NEEDED"


async def test_tenants_are_kept(here: Door) -> None:
    api = (await here.master()).admin
    name = await here.tenant(display_name="Acme")
    mask = FieldMask(paths=["display_name"])
    changed = await api.UpdateTenant(
        admin.UpdateTenantRequest(tenant=Tenant(name=name, display_name="New"), update_mask=mask)
    )
    assert changed.tenant.display_name == "New"
    listed = (await api.ListTenants(admin.ListTenantsRequest(page_size=1000))).tenants
    assert changed.tenant in listed
    assert "tenants/default" in [tenant.name for tenant in listed]
    again = admin.CreateTenantRequest(tenant_id=name.removeprefix("tenants/"))
    assert (await refusal(api.CreateTenant(again))).reason == "TENANT_EXISTS"
    missing = admin.GetTenantRequest(name="tenants/missing")
    assert (await refusal(api.GetTenant(missing))).reason == "TENANT_NOT_FOUND"


async def test_a_tenant_goes_with_all_it_has_when_told(here: Door, space: str) -> None:
    tenant, api = await here.tenant(), (await here.master()).admin
    writer = await here.as_key(tenant)
    await writer.memories.CreateMemory(write(space))
    refused = await refusal(api.DeleteTenant(admin.DeleteTenantRequest(name=tenant)))
    assert (refused.reason, refused.metadata["space_count"]) == ("TENANT_NOT_EMPTY", "1")
    gone = await api.DeleteTenant(admin.DeleteTenantRequest(name=tenant, force=True))
    assert gone.deleted_space_count == 1
    # The key is remembered for a moment, and must not bring anything back.
    assert (await refusal(writer.memories.CreateMemory(write(space)))).code in {
        StatusCode.NOT_FOUND,
        StatusCode.UNAUTHENTICATED,
    }
    await api.CreateTenant(admin.CreateTenantRequest(tenant_id=tenant.removeprefix("tenants/")))
    heir = await here.as_key(tenant)
    assert not (await heir.spaces.ListSpaces(ListSpacesRequest())).spaces
    assert (await refusal(heir.memories.ListMemories(ListMemoriesRequest(parent=space)))).reason == "SPACE_NOT_FOUND"


async def test_what_is_administered_is_kept_without_secrets(here: Door) -> None:
    tenant, api = await here.tenant(), (await here.master()).admin
    name, secret = await here.key(tenant, API_KEY_ROLE_ADMIN)
    rotated = (await (await here.api(secret)).admin.RotateApiKey(admin.RotateApiKeyRequest(name=name))).secret
    await api.RevokeApiKey(admin.RevokeApiKeyRequest(name=name))
    await api.DeleteTenant(admin.DeleteTenantRequest(name=tenant))
    first = await api.ListAuditEntries(admin.ListAuditEntriesRequest(parent=tenant, page_size=2))
    rest = admin.ListAuditEntriesRequest(parent=tenant, page_size=9, page_token=first.next_page_token)
    entries = [*first.entries, *(await api.ListAuditEntries(rest)).entries]
    assert [(entry.method, entry.actor) for entry in entries] == [
        ("DeleteTenant", "master"),
        ("RevokeApiKey", "master"),
        ("RotateApiKey", name),
        ("CreateApiKey", "master"),
        ("CreateTenant", "master"),
    ]
    for shown in (secret, rotated):
        assert shown.rpartition("_")[2] not in str(entries)


async def test_a_refused_change_is_not_kept(here: Door) -> None:
    api = (await here.master()).admin
    tenant = await here.tenant()
    again = admin.CreateTenantRequest(tenant_id=tenant.removeprefix("tenants/"))
    await refusal(api.CreateTenant(again))
    kept = await api.ListAuditEntries(admin.ListAuditEntriesRequest(parent=tenant))
    assert len(kept.entries) == 1


async def test_a_server_without_credentials_has_nothing_to_administer(api: Api) -> None:
    refused = await refusal(api.admin.ListTenants(admin.ListTenantsRequest()))
    assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "ACCESS_CONTROL_OFF")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"host": "0.0.0.0"}, "--insecure-no-auth"),
        ({"master_key": CREDENTIALS["master_key"]}, "QUIPU_KEY_SECRET"),
        ({**CREDENTIALS, "master_key": "short"}, "16 characters"),
        ({**CREDENTIALS, "insecure_no_auth": True}, "take one of them away"),
        ({"key_secret_file": "/nowhere"}, "cannot be read"),
    ],
)
async def test_a_server_says_what_its_credentials_lack(database_url: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(StartupError, match=told):
        async with running(Settings.model_validate({"port": 0, "database_url": database_url} | settings)):
            pass
