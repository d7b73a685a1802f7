"""`make test-scenarios`: plays the scenarios of clients/scenarios through every client, and prints one table."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.scenarios.control import restarting
from tests.scenarios.files import FOLDER, read_all
from tests.scenarios.languages import Language, Report, languages, run
from tests.scenarios.servers import MASTER_KEY, ServerProcess, servers
from tests.scenarios.table import show


async def main(names: Sequence[str]) -> int:
    """Play the scenarios in the named languages, or in all; return the exit code."""
    scenarios = [scenario.name for scenario in read_all(FOLDER)]
    chosen = [language for language in languages() if not names or language.name in names]
    with TemporaryDirectory(prefix="quipu-scenarios-") as directory:
        async with servers(Path(directory)) as started:
            reports = await asyncio.to_thread(play_all, chosen, Path(directory), *started)
    return 0 if show(Console(), scenarios, reports) else 1


def play_all(
    chosen: Sequence[Language], directory: Path, first: ServerProcess, second: ServerProcess, secured: ServerProcess
) -> list[Report]:
    """One language after the other, since a restart concerns all."""
    with restarting(first.restart) as url:
        environment = {
            "QUIPU_ADDRESS": first.address,
            "QUIPU_SECOND_ADDRESS": second.address,
            "QUIPU_SECURED_ADDRESS": secured.address,
            "QUIPU_SECURED_MASTER_KEY": MASTER_KEY,
            "QUIPU_RESTART": url,
            "QUIPU_SCENARIOS": str(FOLDER),
        }
        return [run(language, environment, directory / f"{language.name}.jsonl") for language in chosen]


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
