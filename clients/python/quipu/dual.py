"""Methods written once: awaited on an async client, blocking on a sync one."""

from collections.abc import Callable, Coroutine
from functools import update_wrapper, wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from quipu.results import Hits, Results, SyncHits, SyncResults, SyncWatch, Watch
from quipu.stepping import run

P = ParamSpec("P")
A = TypeVar("A")
S = TypeVar("S")
T = TypeVar("T")


class Asynchronous:
    """A client whose calls are awaited."""


class Blocking:
    """A client whose calls block; its wire never waits in an event loop."""


class Dual(Generic[P, A, S]):
    """A method that gives an A on an Asynchronous client and the S made of it on a Blocking one."""

    def __init__(self, method: Callable[Concatenate[Any, P], A], block: Callable[[A], S]) -> None:
        self._method = method
        self._block = block
        update_wrapper(cast("Any", self), method)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, S]: ...
    @overload
    def __get__(self, instance: Asynchronous, owner: type) -> Callable[P, A]: ...
    def __get__(self, instance: Asynchronous | Blocking | None, owner: type) -> Any:
        if instance is None:
            return self
        bound = self._method.__get__(instance, owner)
        return self._blocking(bound) if isinstance(instance, Blocking) else bound

    def _blocking(self, bound: Callable[P, A]) -> Callable[P, S]:
        @wraps(bound)
        def method(*args: P.args, **kwargs: P.kwargs) -> S:
            return self._block(bound(*args, **kwargs))

        return method


def call(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Dual[P, Coroutine[Any, Any, T], T]:
    """Make a coroutine method dual."""
    return Dual(method, run)


def results(method: Callable[Concatenate[Any, P], Results[T]]) -> Dual[P, Results[T], SyncResults[T]]:
    """Make a method that gives results dual."""
    return Dual(method, SyncResults)


def hits(method: Callable[Concatenate[Any, P], Hits]) -> Dual[P, Hits, SyncHits]:
    """Make a method that gives hits dual."""
    return Dual(method, SyncHits)


def watch(method: Callable[Concatenate[Any, P], Watch]) -> Dual[P, Watch, SyncWatch]:
    """Make a method that gives a watch dual."""
    return Dual(method, SyncWatch)
