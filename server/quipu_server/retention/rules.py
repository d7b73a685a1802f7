"""What policies mean: which memories meet each, and which of several decides."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from quipu_server.domain import Revisions
from quipu_server.errors import InvalidArgument
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator, parse_filter
from quipu_server.ports.retention import Action, PolicySettings, Rule, Scope

_CONDITIONS = ("older_than", "importance_at_most", "session_idle_for", "kinds", "tags", "filter", "archived_for",
               "keep_at_most")  # fmt: skip
PATH = "retention_policy"


def check_settings(settings: PolicySettings) -> PolicySettings:
    """The settings. Raises InvalidArgument when they do not belong together."""
    if not any(_is_set(settings, name) for name in _CONDITIONS):
        raise InvalidArgument(PATH, f"must have a condition, or it would be met by all: {', '.join(_CONDITIONS)}")
    if settings.archived_for_s is not None and settings.action is not Action.DELETE:
        raise InvalidArgument(f"{PATH}.archived_for", "goes with the action DELETE only")
    if settings.by_event_time and settings.older_than_s is None:
        raise InvalidArgument(f"{PATH}.by_event_time", "goes with older_than only")
    return settings


def rule_of(settings: PolicySettings, now: datetime) -> Rule:
    """Which memories meet a policy at a time."""
    parts = tuple(_parts(settings, now))
    idle_s = settings.session_idle_for_s
    return Rule(
        scope=_scope(settings),
        condition=AllOf(parts) if parts else None,
        idle_since=None if idle_s is None else now - timedelta(seconds=idle_s),
    )


def decided(met: Revisions, taken: Revisions, settings: PolicySettings) -> Revisions:
    """Those of the versions that meet a policy for which it decides.

    met: in the order in which they are given up. taken: those that policies before it decided on.
    """
    left = met[~np.isin(met, taken)]
    return left[: max(0, len(left) - (settings.keep_at_most or 0))]


def _is_set(settings: PolicySettings, name: str) -> bool:
    value = getattr(settings, name) if hasattr(settings, name) else getattr(settings, f"{name}_s")
    return value is not None and value not in ((), "")


def _scope(settings: PolicySettings) -> Scope:
    if settings.action is Action.ARCHIVE:
        return Scope.IN_USE
    return Scope.KEPT if settings.archived_for_s is None else Scope.ARCHIVED


def _parts(settings: PolicySettings, now: datetime) -> Iterator[Condition]:
    if settings.older_than_s is not None:
        yield _older(now - timedelta(seconds=settings.older_than_s), by_event=settings.by_event_time)
    if settings.importance_at_most is not None:
        yield Comparison("importance", Operator.LESS_OR_EQUAL, float(settings.importance_at_most))
    if settings.kinds:
        yield In("kind", tuple(kind.name.lower() for kind in settings.kinds))
    if settings.tags:
        yield In("tags", settings.tags)
    if settings.filter:
        yield parse_filter(settings.filter, f"{PATH}.filter")
    if settings.archived_for_s is not None:
        # Nothing changes an archived memory, so its newest version is the one that archived it.
        yield Comparison("update_time", Operator.LESS_OR_EQUAL, now - timedelta(seconds=settings.archived_for_s))


def _older(time: datetime, *, by_event: bool) -> Condition:
    created = Comparison("create_time", Operator.LESS_OR_EQUAL, time)
    if not by_event:
        return created
    happened = Comparison("event_time", Operator.LESS_OR_EQUAL, time)
    return AnyOf((happened, AllOf((Not(IsSet("event_time")), created))))
