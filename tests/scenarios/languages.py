"""The runners of all languages."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenarios.player import Outcome

ROOT = Path(__file__).parents[2]
RUN_S = 900.0


@dataclass(frozen=True, slots=True)
class Language:
    """A column of the table, and the command that plays it."""

    name: str
    command: Sequence[str]
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes by scenario, and what went wrong with the runner itself."""

    language: str
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    trouble: str = ""


def languages() -> list[Language]:
    """Those whose clients are there."""
    found = [
        Language(name, [sys.executable, "-m", "tests.scenarios.python", client])
        for name, client in (("python", "async"), ("python-sync", "sync"), ("quipu", "cli"))
    ]
    go, typescript = ROOT / "clients" / "go", ROOT / "clients" / "typescript"
    if (go / "go.mod").exists():
        found.append(Language("go", ["go", "run", "./internal/scenarios"], go))
    if (typescript / "package.json").exists():
        found.append(Language("typescript", ["npm", "run", "--silent", "scenarios"], typescript))
    return found


def run(language: Language, environment: Mapping[str, str], report: Path) -> Report:
    """Run a runner and read its report."""
    variables = {**os.environ, **environment, "QUIPU_REPORT": str(report)}
    try:
        ended = subprocess.run(
            language.command, cwd=language.folder, env=variables, capture_output=True, check=False, timeout=RUN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Report(language.name, _read(report), str(error))
    outcomes = _read(report)
    has_failed = any(outcome.passed is False for outcome in outcomes.values())
    if ended.returncode and not has_failed:
        last = (ended.stdout + ended.stderr).decode(errors="replace").splitlines()[-20:]
        return Report(language.name, outcomes, "\n".join([f"ended with {ended.returncode}", *last]))
    return Report(language.name, outcomes)


def _read(report: Path) -> dict[str, Outcome]:
    lines = report.read_text("utf-8").splitlines() if report.exists() else []
    documents = [json.loads(line) for line in lines]
    return {line["scenario"]: Outcome(line["passed"], line.get("message", "")) for line in documents}
