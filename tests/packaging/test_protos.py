"""`make check` refuses protos that would break clients of the last release, and protos in bad style."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """A copy of the protos to spoil."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def check(folder: Path) -> tuple[int, str]:
    """Run what `make check` runs; return its exit code and what it said."""
    ended = subprocess.run([ROOT / "tools" / "check_protos", folder], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def spoil(folder: Path, file: str, pattern: str, replacement: str) -> None:
    path = folder / "proto" / "quipu" / "v1" / file
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


def test_the_protos_as_they_are_pass(protos: Path) -> None:
    assert check(protos) == (0, "")


def test_a_field_with_another_number_is_refused(protos: Path) -> None:
    spoil(protos, "memory.proto", r"string speaker = 5;", "string speaker = 50;")
    code, said = check(protos)
    assert code != 0
    assert 'Previously present field "5" with name "speaker" on message "Memory" was deleted' in said


def test_a_field_with_another_type_is_refused(protos: Path) -> None:
    spoil(protos, "search_service.proto", r"double min_relevance = 9;", "string min_relevance = 9;")
    code, said = check(protos)
    assert code != 0
    assert 'Field "9" with name "min_relevance" on message "SearchRequest" changed type' in said


def test_an_rpc_that_is_gone_is_refused(protos: Path) -> None:
    spoil(protos, "memory_service.proto", r"  // Returns a memory\.\n  rpc GetMemory\(.*\n", "")
    code, said = check(protos)
    assert code != 0
    assert 'Previously present RPC "GetMemory" on service "MemoryService" was deleted' in said


def test_a_field_without_a_comment_is_refused(protos: Path) -> None:
    spoil(protos, "value.proto", r"    // A truth value\.\n", "")
    code, said = check(protos)
    assert code != 0
    assert 'Field "bool_value" should have a non-empty comment' in said


def test_new_fields_and_rpcs_are_welcome(protos: Path) -> None:
    spoil(protos, "value.proto", r"(float values = 1;)", r"\1\n  // Optional. What it is called.\n  string label = 2;")
    assert check(protos) == (0, "")
