"""Errors, reasons and their documentation belong together."""

import inspect
import re
from pathlib import Path

import pytest
from google.rpc import error_details_pb2

from quipu.v1 import error_reason_pb2
from quipu_server import errors
from quipu_server.rpc.status import build_status, code_of

PREFIX = "ERROR_REASON_"
NUMBERED = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
REASONS = {name.removeprefix(PREFIX) for name in NUMBERED} - {"UNSPECIFIED"}
PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
EXAMPLES = [
    errors.InvalidArgument("memory.content", "is required"),
    errors.InvalidArgument("page_token", "is damaged", reason="INVALID_PAGE_TOKEN"),
    errors.InvalidFilter("filter", "cannot be read", position=3),
    *(errors.NotFound(kind, "x") for kind in ("memory", "space", "model")),
    *(errors.AlreadyExists(kind, "x") for kind in ("memory", "space")),
    errors.RequestIdReused("6e8bc430-9c3a-11d9-9669-0800200c9a66"),
    errors.Conflict("changed"),
    errors.EtagMismatch("x", "1"),
    *(
        errors.FailedPrecondition("x", "no", reason=reason)
        for reason in ("MEMORY_NOT_DELETED", "SPACE_NOT_EMPTY", "MODEL_MISMATCH")
    ),
    errors.OutOfRange("beyond"),
    errors.DeadlineExceeded("late"),
    errors.Unavailable("starting"),
    errors.Overloaded("full"),
    errors.StoreUnavailable("gone"),
    errors.QuipuError("unexpected"),
]


def test_every_reason_is_raised_and_every_error_has_a_reason() -> None:
    assert {error.reason for error in EXAMPLES} == REASONS


def test_every_class_has_an_example() -> None:
    classes = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.QuipuError)}
    assert classes == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.reason)
def test_every_status_carries_its_reason_first(error: errors.QuipuError) -> None:
    status = build_status(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (error.reason, "quipu")
    assert status.code == code_of(error)
    assert status.message


def test_the_page_of_errors_names_every_reason_once() -> None:
    named = re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(REASONS)
