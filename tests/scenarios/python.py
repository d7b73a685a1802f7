"""The runner of Python: `python -m tests.scenarios.python async|sync|cli`, in the environment of the contract."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.scenarios.calls import AsyncCalls, SyncCalls
from tests.scenarios.command_line import CommandLine
from tests.scenarios.files import read_all
from tests.scenarios.player import Connect, Stage, play

CLIENTS: Mapping[str, Connect] = {"async": AsyncCalls, "sync": SyncCalls, "cli": CommandLine}


def main(client: str) -> int:
    """Play all scenarios; return the exit code."""
    environment = os.environ
    addresses = {"first": environment["QUIPU_ADDRESS"], "second": environment["QUIPU_SECOND_ADDRESS"]}
    addresses["secured"] = environment["QUIPU_SECURED_ADDRESS"]
    stage = Stage(addresses, environment["QUIPU_RESTART"], environment["QUIPU_SECURED_MASTER_KEY"])
    failed = False
    with Path(environment["QUIPU_REPORT"]).open("a", encoding="utf-8") as report:
        for scenario in read_all(Path(environment["QUIPU_SCENARIOS"])):
            outcome = play(scenario, CLIENTS[client], stage)
            line = {"scenario": scenario.name, "passed": outcome.passed, "message": outcome.message}
            report.write(json.dumps(line, ensure_ascii=False) + "\n")
            report.flush()
            failed |= outcome.passed is False
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
