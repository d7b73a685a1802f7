"""Measures what each client costs over its generated stub: the median time of a call without work, ListModels.

A program in each language makes the call through both in turn, so that a slow moment of the machine meets both. All
programs run beside one server and are asked for a round one after the other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from quipu import Server

ROOT = Path(__file__).resolve().parents[2]
GO, TYPESCRIPT = ROOT / "clients" / "go", ROOT / "clients" / "typescript"
REACH = 1.10


@dataclass(slots=True)
class Side:
    """A client, its program and what the program measured: medians of rounds, in microseconds.

    The program reads its settings from QUIPU_ADDRESS and QUIPU_CALLS. For each line of input it makes QUIPU_CALLS calls
    through client and stub in turn and writes a line of JSON: `{"facade": [...], "stub": [...]}`, in nanoseconds.
    """

    name: str
    program: "subprocess.Popen[str]"
    facade: list[float] = field(default_factory=list)
    stub: list[float] = field(default_factory=list)

    def ask(self) -> Mapping[str, Sequence[int]]:
        assert self.program.stdin
        assert self.program.stdout
        self.program.stdin.write("\n")
        self.program.stdin.flush()
        answer: Mapping[str, Sequence[int]] = json.loads(self.program.stdout.readline())
        return answer

    def measure(self) -> None:
        times = self.ask()
        self.facade.append(median(times["facade"]) / 1_000)
        self.stub.append(median(times["stub"]) / 1_000)

    @property
    def ratios(self) -> Sequence[float]:
        return [ours / theirs for ours, theirs in zip(self.facade, self.stub, strict=True)]


def commands(home: Path) -> Iterator[tuple[str, Sequence[str | Path]]]:
    """The program of each client that is there, built below `home`."""
    for kind in ("async", "sync"):
        yield f"Python, {kind}", [sys.executable, "-m", "bench.overhead.python", kind]
    if (GO / "go.mod").exists():
        program = home / "overhead"
        subprocess.run(["go", "build", "-o", program, "./internal/overhead"], cwd=GO, check=True)
        yield "Go", [program]
    if (TYPESCRIPT / "package.json").exists():
        for script in ("build", "build:test"):
            subprocess.run(["npm", "run", "--silent", script], cwd=TYPESCRIPT, check=True)
        yield "TypeScript", ["node", TYPESCRIPT / "test" / "dist" / "overhead.js"]


@contextmanager
def running(name: str, command: Sequence[str | Path], address: str, calls: int) -> Iterator[Side]:
    """A program that waits to be asked."""
    environment = {**os.environ, "QUIPU_ADDRESS": address, "QUIPU_CALLS": str(calls)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as program:
        yield Side(name, program)


def table_of(sides: Sequence[Side]) -> Table:
    table = Table("client", title="ListModels, p50 of a call")
    for heading in ("client, µs", "stub, µs", "ratio", "of rounds", "reach"):
        table.add_column(heading, justify="right")
    for side in sides:
        spread = f"{min(side.ratios):.3f} to {max(side.ratios):.3f}"
        ours, theirs = f"{median(side.facade):.0f}", f"{median(side.stub):.0f}"
        table.add_row(side.name, ours, theirs, f"{median(side.ratios):.3f}", spread, f"{REACH:.2f}")
    return table


@click.command(help=__doc__)
@click.option("--rounds", default=10, show_default=True, help="Rounds of each client.")
@click.option("--calls", default=300, show_default=True, help="Calls of a round through the client, and as many not.")
def main(rounds: int, calls: int) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="quipu-overhead-")))
        server = stack.enter_context(Server.ensure_running(home / "server"))
        sides = [stack.enter_context(running(*side, server.address, calls)) for side in commands(home)]
        for side in sides:
            side.ask()
        for _ in range(rounds):
            for side in sides:
                side.measure()
    Console().print(table_of(sides))
    if any(median(side.ratios) > REACH for side in sides):
        raise click.ClickException(f"a client costs more than {REACH:.2f} of its stub")


if __name__ == "__main__":
    main()
