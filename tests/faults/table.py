"""A plugin of pytest that ends a run with a table of faults: what happened, what was asserted, whether it held.

`python -m pytest -p tests.faults.table tests/faults`. A fault is a test whose docstring says
`fault: what was asserted`.
"""

import inspect
from collections import Counter

import pytest
from rich.console import Console
from rich.table import Table

_described: dict[str, tuple[str, str]] = {}
_outcomes: dict[str, Counter[str]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        paragraph = (inspect.getdoc(getattr(item, "function", None)) or "").partition("\n\n")[0]
        fault, colon, asserted = " ".join(paragraph.split()).partition(": ")
        if colon:
            _described[item.nodeid] = fault, asserted.removesuffix(".")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    is_news = report.when == "call" or report.outcome != "passed"
    if is_news and report.nodeid in _described:
        _outcomes.setdefault(report.nodeid, Counter())[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show a line for each fault; the cases of one test share it."""
    lines: dict[tuple[str, str], Counter[str]] = {}
    for nodeid, outcomes in _outcomes.items():
        lines.setdefault(_described[nodeid], Counter()).update(outcomes)
    table = Table("", "fault", "what was asserted", "result", title=f"{len(lines)} faults", show_lines=True)
    for number, ((fault, asserted), outcomes) in enumerate(lines.items(), 1):
        held = not outcomes["failed"]
        count = f" ({outcomes.total()} cases)" if outcomes.total() > 1 else ""
        table.add_row(f"{number}", fault, asserted, ("held" if held else "BROKEN") + count)
    terminalreporter.ensure_newline()
    Console(width=140).print(table)
