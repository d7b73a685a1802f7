"""Settings from flags, environment and file, and what is said of wrong ones."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quipu_server.cli import run
from quipu_server.config import BadSettings, Settings, load
from quipu_server.config.loading import line_of
from quipu_server.config.secrets import masked
from tools.settings_reference import PAGE

File = Callable[[str], Path]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    """Writes a file of settings and names it in the environment."""

    def write(text: str) -> Path:
        path = tmp_path / "quipu.toml"
        path.write_text(text)
        monkeypatch.setenv("QUIPU_CONFIG", str(path))
        return path

    return write


def problems(**flags: object) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        load(flags)
    return list(caught.value.problems)


FILE = """\
pool_size = 5

[databases.main]
url = "postgresql://host/main"
pool_size = 16

[embedders.large]
model = "text-embedding-3-large"
dimension = 1024
endpoints = [
  {url = "https://one/v1", key = "env:KEY"},
  {url = "https://two/v1"},
]
"""


def test_a_resource_is_chosen_by_name(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file(FILE)
    monkeypatch.setenv("KEY", "s3cret")
    assert (load({}).database_url, load({}).pool_size) == ("", 5)
    settings = load({"database": "main"})
    assert (settings.database_url, settings.pool_size) == ("postgresql://host/main", 16)
    embedder = settings.embedders["large"]
    assert embedder.endpoints[0].key is not None
    assert embedder.endpoints[0].key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pool_size = 5", "pool_size = 0", ":1: pool_size: Input should be greater than or equal to 1"),
        ("pool_size = 5", "pol_size = 5", ":1: pol_size: there is no such setting; did you mean pool_size?"),
        ("pool_size = 16", "pool = 16", ":5: databases.main.pool: there is no such setting"),
        ("dimension = 1024", 'dimension = "many"', ":9: embedders.large.dimension: Input should be a valid integer"),
        ("dimension = 1024", "", ":7: embedders.large.dimension: Field required"),
        ("https://two", "ftp://two", ":10: embedders.large.endpoints.1.url: String should match"),
        ("env:KEY", "sk-literal", ":10: embedders.large.endpoints.0.key: a secret is not written here"),
        ("env:KEY", "env:NOT_THERE", ":10: embedders.large.endpoints.0.key: the environment has no NOT_THERE"),
        ("env:KEY", "file:/not/there", ":10: embedders.large.endpoints.0.key: cannot read /not/there: No such file"),
        ("[databases.main]", "[databases.main", "(at line 3, column 16)"),
        ("[databases.main]", "[databases.'a b']", ":3: databases.a b"),
    ],
)
def test_an_error_names_the_line(
    file: File, monkeypatch: pytest.MonkeyPatch, old: str, new: str, expected: str
) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    assert old in FILE
    path = file(FILE.replace(old, new))
    (problem,) = problems()
    assert problem.startswith(f"{path}:")
    assert expected in problem
    assert "sk-literal" not in problem


def test_an_error_names_the_flag_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PORT", "http")
    assert problems(pool_size="0") == [
        "QUIPU_PORT: port: Input should be a valid integer, unable to parse string as an integer",
        "--pool-size: pool_size: Input should be greater than or equal to 1",
    ]


def test_a_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_CONFIG", "/not/there.toml")
    assert problems() == ["/not/there.toml: there is no such file"]


def test_a_database_that_is_not_described_is_an_error() -> None:
    assert problems(database="main") == ["database: there is no 'main' in databases"]
    assert "both given" in problems(database="main", database_url="postgresql://h/d")[0]


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    assert Settings(database_url=f"file:{tmp_path}/url").database_url == "postgresql://u:p@h/d"


def test_lines_are_found_in_any_form() -> None:
    text = 'a = 1\n\n# b = 2\nb = """\nb = 3\n"""\nc.d = [\n 1,\n 2]\n[[e]]\nf = 1\n[[e]]\nf = 2\n'
    places: list[list[str | int]] = [
        ["a"],
        ["b"],
        ["c", "d"],
        ["c", "d", 1],
        ["e", 0, "f"],
        ["e", 1, "f"],
        ["e", 1, "missing"],
        ["missing"],
    ]
    assert [line_of(text, place) for place in places] == [1, 4, 7, 7, 11, 13, 12, 1]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("database_url", "postgresql://u:pa-ss@h:5/d?x=1", "postgresql://u:********@h:5/d?x=1"),
        ("database_url", "host=h password='a b' user=u", "host=h password=******** user=u"),
        ("database_url", "postgresql://h/d?password=pw&x=1", "postgresql://h/d?password=********&x=1"),
        ("database_url", "postgresql://u@h/d", "postgresql://u@h/d"),
        ("master_key", "0123456789abcdef", "********"),
        ("master_key", "", ""),
        ("port", 5, 5),
    ],
)
def test_secrets_are_masked(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown


def test_check_and_show(file: File, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    path = file(FILE)
    assert run(["config", "check"]) == 0
    assert f"ok: 3 settings are given, file {path}" in capsys.readouterr().out
    assert run(["config", "show", "--port", "7", "--database-url", "postgresql://u:s3cret@h/d"]) == 0
    shown = capsys.readouterr().out
    assert "port = 7  # --port\n" in shown
    assert f"pool_size = 5  # {path}:1\n" in shown
    assert f"[embedders.large]  # {path}:7\n" in shown
    assert 'database_url = "postgresql://u:********@h/d"' in shown
    assert "s3cret" not in shown
    monkeypatch.setenv("QUIPU_POOLSIZE", "5")
    assert run(["config", "check"]) == 1
    assert "QUIPU_POOLSIZE is no setting; QUIPU_POOL_SIZE is" in capsys.readouterr().err


def test_what_is_shown_can_be_used_again(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--port", "7"]) == 0
    file(capsys.readouterr().out)
    assert load({}) == Settings(port=7)


def test_the_example_of_the_reference_can_be_used(file: File, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("key")
    blocks = re.findall(r"(?:^    .+\n|^\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    (example,) = [block for block in blocks if "[databases.main]" in block]
    monkeypatch.setenv("MAIN_DATABASE", "postgresql://h/d")
    monkeypatch.setenv("EMBEDDINGS_KEY", "key")
    file(re.sub("^    ", "", example, flags=re.MULTILINE).replace("/run/secrets", str(tmp_path)))
    assert load({}).embedders["large"].dimension == 1024
