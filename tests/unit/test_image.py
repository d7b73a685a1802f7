"""What can be told of the image and its deployments without building them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = sorted((ROOT / "deploy").glob("compose*.yaml"))


def stages() -> list[list[list[str]]]:
    """The instructions of each stage of the Dockerfile: words, continued lines joined, comments dropped."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = [line.split() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    starts = [i for i, words in enumerate(lines) if words[0] == "FROM"]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def of(stage: list[list[str]], instruction: str) -> list[list[str]]:
    return [words[1:] for words in stage if words[0] == instruction]


def test_the_image_runs_without_root() -> None:
    (user,) = of(stages()[-1], "USER")
    assert not user[0].startswith(("0", "root"))


def test_the_image_tells_its_health() -> None:
    assert len(of(stages()[-1], "HEALTHCHECK")) == 1


def test_tools_of_the_build_stay_behind() -> None:
    build, final = stages()
    assert of(build, "FROM")[0][-2:] == ["AS", "build"]
    assert all(words[0].startswith("--from=build") for words in of(final, "COPY"))
    assert not any("pip" in word for words in of(final, "RUN") for word in words)


def test_nothing_is_fetched_by_address() -> None:
    assert not any(of(stage, "ADD") for stage in stages())
    assert "://" not in (ROOT / "Dockerfile").read_text("utf-8")


def test_server_and_client_are_installed_together() -> None:
    """Alone, the server would take a package of the client's name from the index."""
    (install,) = [words for words in of(stages()[0], "RUN") if "install" in words]
    assert {"./clients/python", ".[otel]"} <= set(install)


def test_what_is_copied_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for words in of(stages()[0], "COPY"):
        assert set(words[:-1]) <= allowed
        assert all((ROOT / source).exists() for source in words[:-1])


def test_the_image_listens_on_loopback_unless_told() -> None:
    settings = " ".join(word for words in of(stages()[-1], "ENV") for word in words)
    assert "QUIPU_HOST" not in settings
    assert "INSECURE" not in settings


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_deployments_publish_on_loopback_and_have_no_default_password(path: Path) -> None:
    text = path.read_text("utf-8")
    published = re.findall(r"ports: \[(.+)\]", text)
    assert published
    assert all(entry.strip(' "').startswith("127.0.0.1:") for ports in published for entry in ports.split(","))
    for name, given in re.findall(r"(\w*PASSWORD): *(.*)", text):
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", given), name
