"""The documentation says what is there."""

import re
from pathlib import Path

import pytest

from quipu_server.config import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as they are made when it is shown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = {name: (default, what) for name, default, what in re.findall(r"^\| `(\w+)` \| (.*) \| (.+) \|$", text, re.M)}
    assert list(rows) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default, what = rows[name]
        assert what == field.description
        if field.default_factory is None:
            shown = (
                str(field.default).lower()
                if isinstance(field.default, bool)
                else str("" if field.default is None else field.default)
            )
            assert default.strip("`") == (shown or "none")


def test_readme_shows_how_to_start_before_line_forty() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    start = "\n".join(lines[:39])
    for needed in ("make serve", "grpcurl", "```python", "import quipu"):
        assert needed in start
    (code,) = re.findall(r"```python\n(.+?)```", start, re.DOTALL)
    assert len(code.splitlines()) <= 8


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for decision in (ROOT / "docs" / "adr").glob("*.md"):
        assert f"(adr/{decision.name})" in listed
