"""Write the table of metrics into docs/observability.md (make docs)."""

from pathlib import Path

from quipu_server.measuring.metrics import METRICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "observability.md"
HEAD = "| metric | type | labels | |\n|---|---|---|---|\n"


def table() -> str:
    """A row for each metric, in their order."""
    rows = ((m.name, m.kind, ", ".join(f"`{label}`" for label in m.labels), m.meaning) for m in METRICS)
    return "".join(f"| `{name}` | {kind} | {labels} | {meaning} |\n" for name, kind, labels, meaning in rows)


def written(page: str) -> str:
    """The page with the table as it should be."""
    before, after = page.split(HEAD)
    return before + HEAD + table() + "\n" + after.partition("\n\n")[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
