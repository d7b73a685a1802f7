"""`quipu doctor` before endpoints that work and endpoints that do not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quipu_server.cli import checks, run
from tests.integration.embedding_endpoint import DIMENSION, KEY, FakeEndpoint, embedding_endpoint

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def only_embedders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "quipu.toml").touch()
    monkeypatch.setenv("QUIPU_CONFIG", str(tmp_path / "quipu.toml"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EMBEDDING_KEY", KEY)
    monkeypatch.setattr(checks, "CHECKS", (checks.check_embedders,))


@pytest.fixture
def first() -> Iterator[FakeEndpoint]:
    with embedding_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def second() -> Iterator[FakeEndpoint]:
    with embedding_endpoint() as endpoint:
        yield endpoint


def examine(folder: Path, *urls: str, dimension: int = DIMENSION) -> int:
    """What `quipu doctor` ends with, its settings in a file."""
    lines = ["[embedders.ours]", 'model = "m"', f"dimension = {dimension}", "timeout_s = 0.5"]
    for url in urls:
        lines += ["[[embedders.ours.endpoints]]", f'url = "{url}"', 'key = "env:EMBEDDING_KEY"']
    (folder / "quipu.toml").write_text("\n".join(lines), "utf-8")
    return run(["doctor"])


def test_each_endpoint_is_asked_with_its_key(
    first: FakeEndpoint, second: FakeEndpoint, tmp_path: Path, capsys: Output
) -> None:
    assert examine(tmp_path, first.url, second.url) == 0
    told = capsys.readouterr().out
    assert told.startswith("ok    embedders: ours at ")
    for endpoint in (first, second):
        assert f"{endpoint.url}/embeddings: " in told
        assert endpoint.keys == [f"Bearer {KEY}"]
    assert told.count(" ms") == 2


@pytest.mark.parametrize(
    ("mode", "problem", "mend"),
    [
        ("401", "HTTP 401", "check its key in embedders.ours"),
        ("403", "HTTP 403", "check its key in embedders.ours"),
        ("404", "HTTP 404", "check its url, which ends before /embeddings, and its model in embedders.ours"),
        ("429", "HTTP 429", "try again later, or name more endpoints in embedders.ours"),
        ("400", "it refuses a text: HTTP 400", "check its model and send_dimension in embedders.ours"),
        ("500", "HTTP 500", "check its url, and what runs there in embedders.ours"),
        ("hang", "it did not answer in time", "check its url, and what runs there in embedders.ours"),
        ("close", "it cannot be reached", "check its url, and what runs there in embedders.ours"),
        ("not JSON", "its answer cannot be read", "check its url, and what runs there in embedders.ours"),
        (
            "wrong dimension",
            f"it gives vectors of {DIMENSION + 1} numbers, not {DIMENSION}",
            "correct its dimension, or see send_dimension in embedders.ours",
        ),
    ],
)
def test_what_is_wrong_with_one_is_said_beside_the_other(
    first: FakeEndpoint, second: FakeEndpoint, tmp_path: Path, capsys: Output, mode: str, problem: str, mend: str
) -> None:
    second.mode = mode
    assert examine(tmp_path, first.url, second.url) == 1
    failed, mends = capsys.readouterr().out.splitlines()
    well, _, wrong = failed.partition("; ")
    assert well.startswith(f"FAIL  embedders: ours at {first.url}/embeddings: ")
    assert well.endswith(" ms")
    assert wrong.startswith(f"ours at {second.url}/embeddings: {problem}")
    assert mends == f"      {mend}"
    assert KEY not in failed + mends


def test_nothing_listens_there(tmp_path: Path, capsys: Output) -> None:
    with embedding_endpoint() as gone:
        url = gone.url
    assert examine(tmp_path, url) == 1
    assert "it cannot be reached" in capsys.readouterr().out


def test_without_remote_embedders_there_is_nothing_to_ask(capsys: Output) -> None:
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out == "ok    embedders: none are remote\n"
