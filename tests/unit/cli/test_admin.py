"""`quipu admin` over a service that answers from a list."""

import json
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1 import admin_service_pb2 as messages
from quipu.v1.api_key_pb2 import API_KEY_ROLE_READ, ApiKey
from quipu.v1.guard_policy_pb2 import GuardPolicy
from quipu.v1.tenant_pb2 import Tenant
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]

THEN = Timestamp(seconds=1_700_000_000)
KEY = ApiKey(name="tenants/acme/apiKeys/k", role=API_KEY_ROLE_READ, create_time=THEN, space_prefixes=["team-"])


@pytest.fixture(autouse=True)
def credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_API_KEY", "not this one")
    monkeypatch.setenv("QUIPU_MASTER_KEY", "the master key of the test")


def test_a_key_is_made_and_its_secret_stands_alone(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    asked: list[messages.CreateApiKeyRequest] = []

    def create(request: messages.CreateApiKeyRequest) -> messages.CreateApiKeyResponse:
        asked.append(request)
        return messages.CreateApiKeyResponse(api_key=KEY, secret="quipu_k_s")

    notebook.server.answers["CreateApiKey"] = create
    options = ["--role", "read", "--prefix", "team-", "--requests", "1000,60", "--expire-time", "2030-01-01T00:00Z"]
    assert quipu("admin", "keys", "create", "--tenant", "acme", *options) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("quipu_k_s\n", "tenants/acme/apiKeys/k\n")
    (request,) = asked
    assert request.parent == "tenants/acme"
    assert request.api_key.role == API_KEY_ROLE_READ
    assert (request.api_key.limits.requests.count, request.api_key.limits.requests.window.seconds) == (1000, 60)
    assert not request.api_key.limits.HasField("tokens")
    assert request.api_key.expire_time.ToDatetime(UTC) == datetime(2030, 1, 1, tzinfo=UTC)


def test_tenants_and_keys_are_listed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    policy = GuardPolicy(redact_personal=True, region="DE")
    tenant = Tenant(name="tenants/acme", display_name="Acme", create_time=THEN, guard_policy=policy)
    entry = messages.AuditEntry(create_time=THEN, actor="master", method="CreateTenant", resource="tenants/acme")
    notebook.server.answers |= {
        "ListTenants": lambda _: messages.ListTenantsResponse(tenants=[tenant]),
        "ListApiKeys": lambda _: messages.ListApiKeysResponse(api_keys=[KEY]),
        "ListAuditEntries": lambda _: messages.ListAuditEntriesResponse(entries=[entry]),
    }
    assert quipu("admin", "tenants", "list") == 0
    assert {"Acme", "redact_personal", "region=DE"} <= set(capsys.readouterr().out.split())
    assert quipu("admin", "keys", "list", "--tenant", "acme") == 0
    assert "team-*" in capsys.readouterr().out
    assert quipu("admin", "audit", "--json") == 0
    assert json.loads(capsys.readouterr().out)["method"] == "CreateTenant"


def test_a_key_is_rotated_expired_and_revoked(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    asked: list[object] = []

    def rotate(request: messages.RotateApiKeyRequest) -> messages.RotateApiKeyResponse:
        asked.append(request.grace.seconds)
        return messages.RotateApiKeyResponse(api_key=KEY, secret="new")

    def update(request: messages.UpdateApiKeyRequest) -> messages.UpdateApiKeyResponse:
        asked.append(list(request.update_mask.paths))
        return messages.UpdateApiKeyResponse(api_key=KEY)

    def revoke(request: messages.RevokeApiKeyRequest) -> messages.RevokeApiKeyResponse:
        asked.append(request.name)
        return messages.RevokeApiKeyResponse(api_key=KEY)

    notebook.server.answers |= {"RotateApiKey": rotate, "UpdateApiKey": update, "RevokeApiKey": revoke}
    assert quipu("admin", "keys", "rotate", KEY.name, "--grace", "12h") == 0
    assert capsys.readouterr().out == "new\n"
    assert quipu("admin", "keys", "expire", KEY.name, "2030-01-01T00:00Z") == 0
    assert quipu("admin", "keys", "revoke", KEY.name) == 0
    assert asked == [12 * 3_600, ["expire_time"], KEY.name]


def test_the_guard_of_a_tenant_is_set(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    asked: list[Tenant] = []
    masks: list[list[str]] = []

    def create(request: messages.CreateTenantRequest) -> messages.CreateTenantResponse:
        asked.append(request.tenant)
        return messages.CreateTenantResponse(tenant=request.tenant)

    def update(request: messages.UpdateTenantRequest) -> messages.UpdateTenantResponse:
        asked.append(request.tenant)
        masks.append(list(request.update_mask.paths))
        return messages.UpdateTenantResponse(tenant=request.tenant)

    notebook.server.answers |= {"CreateTenant": create, "UpdateTenant": update}
    assert quipu("admin", "tenants", "create", "acme", "--guard", "both", "--guard-region", "DE") == 0
    assert quipu("admin", "tenants", "create", "acme") == 0
    assert quipu("admin", "tenants", "update", "acme", "--guard", "off") == 0
    policy = GuardPolicy(block_secrets=True, redact_personal=True, region="DE")
    assert [tenant.guard_policy for tenant in asked] == [policy, GuardPolicy(), GuardPolicy()]
    assert masks == [["guard_policy"]]
    assert quipu("admin", "tenants", "update", "acme", "--guard-region", "DE") == 2
    assert "--guard-region needs --guard" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--requests", "1000"], ["--tokens", "x,60"]])
def test_a_limit_that_cannot_be_read_is_said(quipu: Run, capsys: Output, arguments: list[str]) -> None:
    assert quipu("admin", "tenants", "create", "acme", *arguments) == 2
    assert "1000,60 allows" in capsys.readouterr().err
