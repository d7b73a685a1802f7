"""Who calls, and whether it may."""

from typing import Any, TypeAlias

from grpc import aio

from quipu_server.access.authentication import Authenticator, check_role
from quipu_server.access.domain import Measure, caller, set_caller
from quipu_server.access.ports import UsageMeter
from quipu_server.rpc.roles import ANY_CREDENTIAL, ROLES

Context: TypeAlias = "aio.ServicerContext[Any, Any]"

AUTHORIZATION = "authorization"


async def admit(authenticator: Authenticator, meter: UsageMeter, method: str, context: Context) -> None:
    """Let the caller of a method in, and remember who it is for as long as its task runs.

    Raises Unauthenticated, PermissionDenied, QuotaExceeded.
    """
    who = await authenticator.identify(credential(context))
    if method not in ANY_CREDENTIAL:
        check_role(who, ROLES[method])
    set_caller(who)
    meter.check(Measure.REQUESTS)
    meter.spend(Measure.REQUESTS, 1)


def credential(context: Context) -> str | None:
    """What the call brings as `authorization`."""
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION:
            return str(value)
    return None


def caller_tenant(context: Context) -> str:  # noqa: ARG001
    """The tenant a call belongs to."""
    return caller().tenant
