"""Who calls."""

from typing import Any, TypeAlias

from grpc import aio

Context: TypeAlias = "aio.ServicerContext[Any, Any]"

DEFAULT_TENANT = "default"


def caller_tenant(context: Context) -> str:  # noqa: ARG001
    """The tenant a call belongs to: one for all, as there are no credentials yet."""
    return DEFAULT_TENANT
