"""The table of scenarios and languages."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.scenarios.languages import Report

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]–[/]"}


def show(console: Console, scenarios: Sequence[str], reports: Sequence[Report]) -> bool:
    """Print the table and the failures; return whether there are none."""
    table = Table("scenario", *(report.language for report in reports))
    for scenario in scenarios:
        table.add_row(escape(scenario), *(_mark(report, scenario) for report in reports))
    console.print(table)
    failures = [failure for report in reports for failure in _failures(report, scenarios)]
    for failure in failures:
        console.print(f"[red]✗[/] {escape(failure)}", highlight=False, soft_wrap=True)
    return not failures


def _mark(report: Report, scenario: str) -> str:
    outcome = report.outcomes.get(scenario)
    return MARKS[outcome.passed if outcome else False]


def _failures(report: Report, scenarios: Sequence[str]) -> Iterator[str]:
    if report.trouble:
        yield f"{report.language}: {report.trouble}"
    for scenario in scenarios:
        outcome = report.outcomes.get(scenario)
        if outcome is None:
            yield f"{report.language}: {scenario}: was not played"
        elif outcome.passed is False:
            yield f"{report.language}: {scenario}: {outcome.message}"
