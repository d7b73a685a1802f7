"""Plays a scenario through a client."""

import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from tests.scenarios.calls import Calls, Refused
from tests.scenarios.files import NOTHING, Scenario, Step
from tests.scenarios.matching import error_mismatches, mismatches
from tests.scenarios.variables import fill

Connect: TypeAlias = Callable[[str, str, str | None], Calls]
"""Makes a client of an address, a space and a credential."""
RESTART_S = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scenarios are played.

    addresses: by the names of clients; restart_url restarts the first server; master_key: of the one with keys.
    """

    addresses: Mapping[str, str]
    restart_url: str
    master_key: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went; `passed` is None when the client has no such operation."""

    passed: bool | None
    message: str = ""


def play(scenario: Scenario, connect: Connect, stage: Stage) -> Outcome:
    """Play the steps in a new space until one fails."""
    space = f"scenario-{uuid4().hex}"
    clients = {name: connect(address, space, None) for name, address in stage.addresses.items()}
    variables: dict[str, Any] = {"space": space, "master_key": stage.master_key}

    def client_of(step: Step) -> Calls:
        """The client of a step; one for each credential, closed at the end."""
        if step.key is None:
            return clients[step.client]
        key = fill(step.key, variables)
        if key not in clients:
            clients[key] = connect(stage.addresses[step.client], space, key)
        return clients[key]

    try:
        if not all(clients[step.client].can(step) for step in scenario.steps):
            return Outcome(None)
        for number, step in enumerate(scenario.steps, 1):
            if message := "; ".join(_play_step(step, client_of(step), variables, stage)):
                return Outcome(False, f"step {number}, {step.do}: {message}")
    finally:
        for client in clients.values():
            client.close()
    return Outcome(True)


def _play_step(step: Step, client: Calls, variables: dict[str, Any], stage: Stage) -> Iterator[str]:
    """What is not as expected."""
    try:
        if step.do == "restart":
            _restart(stage.restart_url)
            return
        if step.do == "wait":
            time.sleep(step.arguments["seconds"])
            return
        result = client.call(step.do, fill(step.arguments, variables), step.take)
    except Refused as refused:
        yield from _refusal(step, refused, variables)
        return
    except Exception as error:  # a defect of the client is an outcome too
        yield f"{type(error).__name__}: {error}"
        return
    if step.error is not None:
        yield f"expected {step.error['code']}, but there was no error"
    if step.expect is not NOTHING:
        yield from mismatches(fill(step.expect, variables), result)
    if step.keep_as:
        variables[step.keep_as] = result


def _refusal(step: Step, refused: Refused, variables: Mapping[str, Any]) -> Iterator[str]:
    if step.error is None:
        yield str(refused)
    elif refused.facts is not None:
        yield from error_mismatches(fill(step.error, variables), refused.facts)


def _restart(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=RESTART_S):
        pass
