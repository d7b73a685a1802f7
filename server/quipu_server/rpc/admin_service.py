"""AdminService."""

from datetime import datetime

from quipu.v1 import admin_service_pb2 as messages
from quipu.v1.admin_service_pb2_grpc import AdminServiceServicer
from quipu_server.access.administration import Administration
from quipu_server.access.domain import AuditEntry, caller
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context
from quipu_server.rpc.convert import access
from quipu_server.rpc.convert.times import from_microseconds, to_microseconds
from quipu_server.rpc.pages import Place, invalid_token, read_token, write_token
from quipu_server.rpc.validate import check_page_size


class AdminService(AdminServiceServicer):
    """Administers tenants and keys."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def CreateTenant(
        self, request: messages.CreateTenantRequest, context: Context
    ) -> messages.CreateTenantResponse:
        wanted = access.read_tenant_settings(request.tenant, names.check_id(request.tenant_id, "tenant_id"))
        tenant = await self._administration.create_tenant(caller(), wanted)
        return messages.CreateTenantResponse(tenant=access.write_tenant(tenant))

    async def GetTenant(self, request: messages.GetTenantRequest, context: Context) -> messages.GetTenantResponse:
        tenant = await self._administration.get_tenant(caller(), names.read_tenant(request.name, "name"))
        return messages.GetTenantResponse(tenant=access.write_tenant(tenant))

    async def ListTenants(self, request: messages.ListTenantsRequest, context: Context) -> messages.ListTenantsResponse:
        size = check_page_size(request.page_size)
        after = _read_after(read_token(request, request.page_token))
        found = await self._administration.list_tenants(caller(), after, size + 1)
        token = write_token(request, (found[size - 1].id,)) if len(found) > size else ""
        tenants = [access.write_tenant(tenant) for tenant in found[:size]]
        return messages.ListTenantsResponse(tenants=tenants, next_page_token=token)

    async def UpdateTenant(
        self, request: messages.UpdateTenantRequest, context: Context
    ) -> messages.UpdateTenantResponse:
        tenant_id = names.read_tenant(request.tenant.name, "tenant.name")
        changed = access.read_tenant_settings(request.tenant, tenant_id)
        tenant = await self._administration.update_tenant(caller(), changed, access.read_tenant_mask(request))
        return messages.UpdateTenantResponse(tenant=access.write_tenant(tenant))

    async def DeleteTenant(
        self, request: messages.DeleteTenantRequest, context: Context
    ) -> messages.DeleteTenantResponse:
        tenant = names.read_tenant(request.name, "name")
        count = await self._administration.delete_tenant(caller(), tenant, force=request.force)
        return messages.DeleteTenantResponse(deleted_space_count=count)

    async def CreateApiKey(
        self, request: messages.CreateApiKeyRequest, context: Context
    ) -> messages.CreateApiKeyResponse:
        wanted = access.read_key_settings(request.api_key, names.read_tenant(request.parent, "parent"))
        key, secret = await self._administration.create_key(caller(), wanted)
        return messages.CreateApiKeyResponse(api_key=access.write_key(key), secret=secret)

    async def GetApiKey(self, request: messages.GetApiKeyRequest, context: Context) -> messages.GetApiKeyResponse:
        key = await self._administration.get_key(caller(), *names.read_api_key(request.name, "name"))
        return messages.GetApiKeyResponse(api_key=access.write_key(key))

    async def ListApiKeys(self, request: messages.ListApiKeysRequest, context: Context) -> messages.ListApiKeysResponse:
        tenant = names.read_tenant(request.parent, "parent")
        size = check_page_size(request.page_size)
        after = _read_after(read_token(request, request.page_token))
        found = await self._administration.list_keys(caller(), tenant, after, size + 1)
        token = write_token(request, (found[size - 1].id,)) if len(found) > size else ""
        keys = [access.write_key(key) for key in found[:size]]
        return messages.ListApiKeysResponse(api_keys=keys, next_page_token=token)

    async def UpdateApiKey(
        self, request: messages.UpdateApiKeyRequest, context: Context
    ) -> messages.UpdateApiKeyResponse:
        tenant, key_id = names.read_api_key(request.api_key.name, "api_key.name")
        paths = access.read_key_mask(request)
        changed = access.read_key_settings(request.api_key, tenant, key_id, role_needed=False)
        key = await self._administration.update_key(caller(), changed, paths)
        return messages.UpdateApiKeyResponse(api_key=access.write_key(key))

    async def RotateApiKey(
        self, request: messages.RotateApiKeyRequest, context: Context
    ) -> messages.RotateApiKeyResponse:
        tenant, key_id = names.read_api_key(request.name, "name")
        key, secret = await self._administration.rotate_key(caller(), tenant, key_id, access.read_grace(request.grace))
        return messages.RotateApiKeyResponse(api_key=access.write_key(key), secret=secret)

    async def RevokeApiKey(
        self, request: messages.RevokeApiKeyRequest, context: Context
    ) -> messages.RevokeApiKeyResponse:
        key = await self._administration.revoke_key(caller(), *names.read_api_key(request.name, "name"))
        return messages.RevokeApiKeyResponse(api_key=access.write_key(key))

    async def ListAuditEntries(
        self, request: messages.ListAuditEntriesRequest, context: Context
    ) -> messages.ListAuditEntriesResponse:
        tenant = names.read_tenant(request.parent, "parent") if request.parent else None
        size = check_page_size(request.page_size)
        before = _read_before(read_token(request, request.page_token))
        found = await self._administration.audit(caller(), tenant, before, size + 1)
        token = write_token(request, _place(found[size - 1])) if len(found) > size else ""
        entries = [access.write_audit_entry(entry) for entry in found[:size]]
        return messages.ListAuditEntriesResponse(entries=entries, next_page_token=token)


def _read_after(place: Place) -> str:
    """The last id of the page before."""
    match place:
        case ():
            return ""
        case (str(last),):
            return last
    raise invalid_token()


def _place(entry: AuditEntry) -> Place:
    assert entry.create_time is not None  # it is stored
    return to_microseconds(entry.create_time), entry.id


def _read_before(place: Place) -> tuple[datetime, str] | None:
    """Time and id of the last entry of the page before."""
    match place:
        case ():
            return None
        case (int(microseconds), str(entry_id)):
            return from_microseconds(microseconds), entry_id
    raise invalid_token()
