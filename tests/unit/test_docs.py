"""The documentation says what is there."""

import json
import re
from pathlib import Path

import pytest

from quipu.wire import RETRIES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("clients/*/README.md")), *sorted(DOCS.rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as they are made when it is shown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """Where the links of a page lead, those in its examples left out."""
    text = re.sub(r"^```.+?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_index_has_every_page_once() -> None:
    listed = [(DOCS / target).resolve() for target in links(INDEX)]
    pages = sorted(page for page in listed if page.is_relative_to(DOCS) and page.suffix == ".md")
    assert pages == sorted({*DOCS.rglob("*.md")} - {INDEX})
    assert "docs/README.md" in links(ROOT / "README.md")


def test_clients_of_other_languages_are_given_the_attempts_of_ours() -> None:
    (config,) = re.findall(
        r"```json\n(.+?)```", (DOCS / "clients" / "other-languages.md").read_text("utf-8"), re.DOTALL
    )
    assert json.loads(config) == RETRIES


def test_readme_shows_how_to_start_before_line_forty() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    start = "\n".join(lines[:39])
    for needed in ("make serve", "grpcurl", "```python", "import quipu"):
        assert needed in start
    (code,) = re.findall(r"```python\n(.+?)```", start, re.DOTALL)
    assert len(code.splitlines()) <= 8


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "architecture.md").read_text("utf-8")
    for decision in (DOCS / "adr").glob("*.md"):
        assert f"(adr/{decision.name})" in listed
