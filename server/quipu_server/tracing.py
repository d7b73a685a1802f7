"""Where time goes within a call, for a tracer if one is installed; without one, nothing is done."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeAlias

Fact: TypeAlias = str | int | float
Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


class Tracer(Protocol):
    """Keeps spans: names with times, each within the one around it. Facts hold no contents and no secrets."""

    def call(self, method: str, metadata: Metadata) -> Callable[[str], None]:
        """Begin the span of a call, within that of its caller if the metadata tell of one.

        What is returned ends it; it is given the name of the status.
        """

    def span(self, name: str, **facts: Fact) -> AbstractContextManager[object]:
        """A span within the one around it."""


_NO_SPAN = nullcontext()
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Use a tracer from now on, for the whole process; None for none."""
    global _tracer  # noqa: PLW0603
    _tracer = tracer


def begin_call(method: str, metadata: Callable[[], Metadata | None]) -> Callable[[str], None]:
    """See `Tracer.call`. metadata: of the call; asked for only when there is a tracer."""
    return _forget if _tracer is None else _tracer.call(method, metadata() or ())


def span(name: str, **facts: Fact) -> AbstractContextManager[object]:
    """See `Tracer.span`."""
    return _NO_SPAN if _tracer is None else _tracer.span(name, **facts)


def _forget(_: str) -> None:
    """End no span."""
