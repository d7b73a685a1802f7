"""Policies of retention, and how runs of them go."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from quipu.v1.job_pb2 import JobState as StateMessage
from quipu.v1.memory_pb2 import MemoryKind
from quipu.v1.retention_policy_pb2 import RetentionAction
from quipu.v1.retention_policy_pb2 import RetentionPolicy as PolicyMessage
from quipu.v1.retention_service_pb2 import (
    RetentionCount,
    RetentionDecision,
    RetentionProgress,
    RetentionSummary,
    RunRetentionResponse,
    UpdateRetentionPolicyRequest,
)
from quipu_server.domain import Kind
from quipu_server.filters import parse_filter
from quipu_server.ports.jobs import Job, JobState
from quipu_server.ports.retention import Action, Policy, PolicySettings
from quipu_server.retention.progress import Progress
from quipu_server.rpc import names
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.memories import MOST_TAG_BYTES, MOST_TAGS
from quipu_server.rpc.convert.times import read_duration, write_duration, write_time
from quipu_server.rpc.validate import check_count, check_known, check_number, check_text

LARGEST_PRIORITY = 1_000_000
SHORTEST_S = 1.0
LONGEST_S = 36_500 * 86_400.0
LARGEST_COUNT = 2**53

_ACTIONS = {action.value: action for action in Action}
_KINDS = {kind.value: kind for kind in Kind}
_SECONDS = ("older_than", "session_idle_for", "archived_for")
_PLAIN = ("action", "priority", "disabled", "by_event_time", "importance_at_most", "kinds", "tags", "filter",
          "keep_at_most")  # fmt: skip
_FIELDS = {path: f"{path}_s" for path in _SECONDS} | {path: path for path in _PLAIN}
"""Paths of a mask, and what PolicySettings call them."""


def read_policy(message: PolicyMessage, path: str, *, partly: bool = False) -> PolicySettings:
    """What a caller says of a policy. partly: it may say nothing of the action. Raises InvalidArgument."""
    actions = _ACTIONS | ({0: Action.ARCHIVE} if partly else {})
    if message.filter:
        parse_filter(message.filter, f"{path}.filter")
    return PolicySettings(
        action=check_known(message.action, f"{path}.action", actions),
        priority=int(check_number(message.priority, f"{path}.priority", -LARGEST_PRIORITY, LARGEST_PRIORITY)),
        disabled=message.disabled,
        older_than_s=_read_seconds(message, "older_than", path),
        by_event_time=message.by_event_time,
        importance_at_most=_read_number(message, "importance_at_most", path, 0, 1),
        session_idle_for_s=_read_seconds(message, "session_idle_for", path),
        kinds=_read_kinds(message, f"{path}.kinds"),
        tags=_read_tags(message, f"{path}.tags"),
        filter=message.filter,
        archived_for_s=_read_seconds(message, "archived_for", path),
        keep_at_most=_read_count(message, path),
    )


def read_policy_update(request: UpdateRetentionPolicyRequest) -> tuple[PolicySettings, frozenset[str]]:
    """New settings, and the fields of PolicySettings to take from them. Raises InvalidArgument."""
    paths = read_mask(request, request.retention_policy, frozenset(_FIELDS))
    settings = read_policy(request.retention_policy, "retention_policy", partly="action" not in paths)
    return settings, frozenset(_FIELDS[path] for path in paths)


def write_policy(policy: Policy) -> PolicyMessage:
    settings = policy.settings
    return PolicyMessage(
        name=policy.resource_name,
        priority=settings.priority,
        action=RetentionAction.ValueType(settings.action),
        disabled=settings.disabled,
        older_than=_write_seconds(settings.older_than_s),
        by_event_time=settings.by_event_time,
        importance_at_most=settings.importance_at_most,
        session_idle_for=_write_seconds(settings.session_idle_for_s),
        kinds=[MemoryKind.ValueType(kind) for kind in settings.kinds],
        tags=settings.tags,
        filter=settings.filter,
        archived_for=_write_seconds(settings.archived_for_s),
        keep_at_most=settings.keep_at_most,
        create_time=write_time(policy.create_time),
        update_time=write_time(policy.update_time),
        etag=policy.etag,
    )


def write_run(job: Job) -> RunRetentionResponse:
    """How far the job of a run has come, with a summary at its end."""
    progress = Progress.of(job)
    response = RunRetentionResponse(
        progress=RetentionProgress(
            job=names.write_job(job.id),
            state=StateMessage.ValueType(job.state),
            spaces_done=progress.spaces_done,
            spaces_total=progress.spaces_total,
            memories_examined=progress.examined,
            counts=[
                RetentionCount(retention_policy=count.policy, archived=count.archived, deleted=count.deleted)
                for count in progress.counts
            ],
        )
    )
    if job.state is JobState.SUCCEEDED:
        response.summary.CopyFrom(_write_summary(progress))
    return response


def _write_summary(progress: Progress) -> RetentionSummary:
    decisions = [
        RetentionDecision(
            memory=each.memory, retention_policy=each.policy, action=RetentionAction.ValueType(each.action)
        )
        for each in progress.decisions
    ]
    return RetentionSummary(archived=progress.archived, deleted=progress.deleted, decisions=decisions)


def _read_seconds(message: PolicyMessage, field: str, path: str) -> float | None:
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    length: Duration = getattr(message, field)
    return read_duration(length, f"{path}.{field}", SHORTEST_S, LONGEST_S)


def _write_seconds(seconds: float | None) -> Duration | None:
    return None if seconds is None else write_duration(seconds)


def _read_number(message: PolicyMessage, field: str, path: str, least: float, most: float) -> float | None:
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    return check_number(getattr(message, field), f"{path}.{field}", least, most)


def _read_count(message: PolicyMessage, path: str) -> int | None:
    number = _read_number(message, "keep_at_most", path, 1, LARGEST_COUNT)
    return None if number is None else int(number)


def _read_kinds(message: PolicyMessage, path: str) -> tuple[Kind, ...]:
    check_count(message.kinds, path, len(_KINDS))
    return tuple(check_known(kind, f"{path}[{i}]", _KINDS) for i, kind in enumerate(message.kinds))


def _read_tags(message: PolicyMessage, path: str) -> tuple[str, ...]:
    check_count(message.tags, path, MOST_TAGS)
    tags: Sequence[str] = message.tags
    return tuple(check_text(tag, f"{path}[{i}]", MOST_TAG_BYTES, required=True) for i, tag in enumerate(tags))
