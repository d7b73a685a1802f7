"""`quipu top`."""

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.columns import Columns
    from rich.table import Table

    from quipu_server.cli.scrape import Scrape

MEBIBYTE = 1 << 20


@click.command()
@click.option("--url", default="http://127.0.0.1:9464/metrics", show_default=True, help="Where the metrics are.")
@click.option("--interval", default=2.0, type=click.FloatRange(0.1), show_default=True, help="Seconds between looks.")
@click.option("--count", default=0, type=click.IntRange(0), help="Looks before it ends; 0 goes on until Ctrl-C.")
def top(url: str, interval: float, count: int) -> None:
    """Show what a server does, again and again.

    The server must show metrics: `quipu serve --metrics-port 9464`.
    """
    from rich.live import Live

    before = look(url)
    with Live(screened(before, before), auto_refresh=False) as live:
        shown = 1
        while shown != count:
            time.sleep(interval)
            now = look(url)
            live.update(screened(before, now), refresh=True)
            before, shown = now, shown + 1
    click.echo()


def look(url: str) -> "Scrape":
    """The metrics now."""
    from quipu_server.cli.scrape import Scrape

    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return Scrape.read(answer.read().decode())
    except (urllib.error.URLError, ValueError, OSError) as error:
        hint = "does the server show metrics? `quipu serve --metrics-port 9464` does"
        raise click.ClickException(f"cannot read {url}: {error}; {hint}") from error


def screened(before: "Scrape", now: "Scrape") -> "Columns":
    """Both tables, side by side if there is room."""
    from rich.columns import Columns

    return Columns([calls(before, now), state(before, now)], padding=(0, 3))


def calls(before: "Scrape", now: "Scrape") -> "Table":
    """Calls since the last look, by method, most first; all since the start at the first look."""
    from rich.table import Table

    table = Table("method", "a second", "p50 ms", "p99 ms", "errors", title="calls", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    methods = sorted(
        now.labels("quipu_rpc_seconds_count", "method"),
        key=lambda m: -now.rate(before, "quipu_rpc_seconds_count", method=m),
    )
    for method in methods:
        failed = now.since(before, "quipu_rpc_seconds_count", method=method) - now.since(
            before, "quipu_rpc_seconds_count", method=method, code="OK"
        )
        quantiles = (now.quantile(before, "quipu_rpc_seconds", share, method=method) for share in (0.5, 0.99))
        rate = now.rate(before, "quipu_rpc_seconds_count", method=method)
        cells = ("–" if q is None else f"{q * 1e3:.1f}" for q in quantiles)
        table.add_row(method.rpartition("/")[2], f"{rate:.1f}", *cells, f"{failed:.0f}")
    return table


def state(before: "Scrape", now: "Scrape") -> "Table":
    """How the server is."""
    from rich.table import Table

    table = Table(title="server", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    hits = now.since(before, "quipu_hot_visits_total", result="hit")
    visits = now.since(before, "quipu_hot_visits_total")
    hot, room = (now.value(f"quipu_hot_{name}") / MEBIBYTE for name in ("bytes", "limit_bytes"))
    busy, limit = now.value("quipu_pool_connections", state="busy"), now.value("quipu_pool_limit_connections")
    rows = {
        "calls running": f"{now.value('quipu_rpcs_running'):.0f}",
        "texts waiting": f"{now.value('quipu_embedding_waiting_texts'):.0f}",
        "tokens a second": f"{now.rate(before, 'quipu_embedding_tokens_total'):.0f}",
        "revisions a second": f"{now.rate(before, 'quipu_revisions_total'):.1f}",
        "hot spaces": f"{now.value('quipu_hot_spaces'):.0f}",
        "hot MiB": f"{hot:.0f} of {room:.0f}",
        "searched in memory": f"{hits / visits:.0%}" if visits else "–",
        "index lag": f"{now.value('quipu_hot_lag_revisions'):.0f}",
        "connections busy": f"{busy:.0f} of {limit:.0f}",
        "resident MiB": f"{now.value('process_resident_memory_bytes') / MEBIBYTE:.0f}",
        "database": "ready" if now.value("quipu_database_ready") else "away",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
