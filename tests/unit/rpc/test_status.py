"""Errors, their statuses, the reasons in the API, and the page that lists them belong together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from quipu.v1.error_reason_pb2 import ErrorReason
from quipu_server import errors
from quipu_server.rpc.status import TABLE, make_status

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "ERROR_REASON_"
REASONS = {name.removeprefix(PREFIX) for name in ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
UUID = "6e8bc430-9c3a-11d9-9669-0800200c9a66"

EXAMPLES: list[errors.QuipuError] = [
    errors.InvalidArgument("memory.importance", "is 2; it must be from 0 to 1"),
    errors.InvalidArgument("page_token", "is damaged", reason="INVALID_PAGE_TOKEN"),
    errors.ContentBlocked("memory.content", ["jwt", "password"], "secrets"),
    errors.InvalidFilter("filter", "found ';'", position=12),
    errors.NotFound("memory", "spaces/a/memories/b"),
    errors.NotFound("space", "spaces/a"),
    errors.NotFound("model", "models/m"),
    errors.NotFound("job", "jobs/j"),
    errors.NotFound("session", "spaces/a/sessions/s"),
    errors.AlreadyExists("memory", "spaces/a/memories/b"),
    errors.AlreadyExists("space", "spaces/a"),
    errors.RequestIdReused(UUID),
    errors.Conflict("others are faster", metadata={"name": "spaces/a"}),
    errors.EtagMismatch("spaces/a/memories/b", "7"),
    errors.FailedPrecondition("spaces/a/memories/b", "is not deleted", reason="MEMORY_NOT_DELETED"),
    errors.FailedPrecondition("spaces/a/memories/b", "is archived", reason="MEMORY_ARCHIVED"),
    errors.FailedPrecondition("spaces/a/memories/b", "is not archived", reason="MEMORY_NOT_ARCHIVED"),
    errors.FailedPrecondition("spaces/a", "has memories", reason="SPACE_NOT_EMPTY", metadata={"memory_count": "7"}),
    errors.FailedPrecondition(
        "spaces/a", "wrong dimension", reason="MODEL_MISMATCH", metadata={"expected": "384", "actual": "3"}
    ),
    errors.SessionEnded("spaces/a/sessions/s", 0),
    errors.OutOfRange("beyond the head", metadata={"name": "spaces/a", "head": "17"}),
    errors.NotFound("tenant", "tenants/a"),
    errors.NotFound("api_key", "tenants/a/apiKeys/b"),
    errors.AlreadyExists("tenant", "tenants/a"),
    errors.FailedPrecondition("tenants/a", "has spaces", reason="TENANT_NOT_EMPTY", metadata={"space_count": "7"}),
    errors.FailedPrecondition("tenants/a/apiKeys/b", "is revoked", reason="API_KEY_REVOKED"),
    errors.FailedPrecondition("server", "has no credentials", reason="ACCESS_CONTROL_OFF"),
    errors.Unauthenticated("nothing sent", reason="CREDENTIAL_MISSING"),
    errors.Unauthenticated("wrong"),
    errors.Unauthenticated("too old", reason="CREDENTIAL_EXPIRED"),
    errors.Unauthenticated("revoked", reason="CREDENTIAL_REVOKED"),
    errors.RoleNeeded("write", "read"),
    errors.SpaceNotAllowed("spaces/a"),
    errors.TenantNotAllowed("tenants/a"),
    errors.LogReplaced("spaces/a", 17, 19),
    errors.NotFound("retention_policy", "spaces/a/retentionPolicies/p"),
    errors.AlreadyExists("retention_policy", "spaces/a/retentionPolicies/p"),
    errors.FailedPrecondition("spaces/a", "is full", reason="RETENTION_POLICY_LIMIT", metadata={"limit": "100"}),
    errors.RetentionEnded("jobs/j", "failed", "out of room"),
    errors.QuotaExceeded("tenants/a", "requests", "1000,60", 2.5),
    errors.DeadlineExceeded("too late"),
    errors.Unavailable("starting"),
    errors.ModelChanged("changed"),
    errors.Overloaded("full"),
    errors.StoreUnavailable("no database"),
    errors.QuipuError("not in the table"),
]
DETAILS = {
    StatusCode.INVALID_ARGUMENT: ["BadRequest"],
    StatusCode.NOT_FOUND: ["ResourceInfo"],
    StatusCode.ALREADY_EXISTS: ["ResourceInfo"],
    StatusCode.FAILED_PRECONDITION: ["PreconditionFailure"],
    StatusCode.UNAVAILABLE: ["RetryInfo"],
    StatusCode.RESOURCE_EXHAUSTED: ["QuotaFailure", "RetryInfo"],
}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Code and keys of the metadata of each reason, as the API definition says."""
    text = (ROOT / "proto/quipu/v1/error_reason.proto").read_text("utf-8")
    pattern = rf"// ([A-Z_]+): [^`]*`(.*)`\n  {PREFIX}(\w+) = "
    found = re.findall(pattern, re.sub(r"\n  // (?!`|[A-Z_]+: )", " ", text))
    return {reason: (code, set(json.loads(example)["metadata"])) for code, example, reason in found}


def info_of(status: Status) -> ErrorInfo:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def classes(root: type[errors.QuipuError] = errors.QuipuError) -> Iterator[type[errors.QuipuError]]:
    yield root
    for kind in root.__subclasses__():
        yield from classes(kind)


def test_every_reason_is_raised_and_every_raised_reason_is_declared() -> None:
    assert {error.reason for error in EXAMPLES} == REASONS == set(documented())


def test_every_class_of_error_has_a_status() -> None:
    assert {type(error) for error in EXAMPLES} == set(classes()) - {errors.PermissionDenied}
    assert set(TABLE) < set(classes())


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.reason)
def test_a_status_is_what_the_definition_says(error: errors.QuipuError) -> None:
    status = make_status(error, "5f0c")
    info = info_of(status)
    code, keys = documented()[error.reason]
    assert status.code == StatusCode[code].value[0]
    assert (info.reason, info.domain) == (error.reason, "quipu")
    assert set(info.metadata) == keys
    beside = [detail.type_url.rpartition(".")[2] for detail in status.details[1:]]
    assert beside == DETAILS.get(StatusCode[code], [])


def test_a_bad_field_is_named() -> None:
    bad = BadRequest()
    make_status(errors.InvalidArgument("spaces[0]", "is no name"), "").details[1].Unpack(bad)
    violation = bad.field_violations[0]
    assert (violation.field, violation.description) == ("spaces[0]", "is no name")


def test_a_client_is_told_when_to_come_back() -> None:
    retry = RetryInfo()
    make_status(errors.Overloaded("full"), "").details[1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() == 0.5


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), TimeoutError("secret")])
def test_a_defect_shows_nothing_but_the_request_id(error: Exception) -> None:
    status = make_status(error, "5f0c")
    assert status.code == StatusCode.INTERNAL.value[0]
    assert dict(info_of(status).metadata) == {"request": "5f0c"}
    assert b"secret" not in status.SerializeToString()
    assert "5f0c" in status.message


@pytest.mark.parametrize("letter", ["x", "é", "🧶"])
def test_what_a_caller_sent_does_not_make_trailers_too_large(letter: str) -> None:
    error = errors.InvalidArgument(letter * 100_000, letter * 100_000)
    status = make_status(error, "")
    # The message is sent again as `grpc-message`, where each byte may take three; details are sent in base 64.
    assert len(status.message.encode()) * 3 + len(status.SerializeToString()) * 4 / 3 < 8_000


def test_the_page_of_errors_lists_every_reason_with_its_code() -> None:
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", page, re.MULTILINE))
    assert rows == {reason: code for reason, (code, _) in documented().items()}
