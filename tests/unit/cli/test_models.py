"""`quipu models`."""

from pathlib import Path

import pytest

from quipu.v1.embedding_service_pb2 import EmbeddingModel, ListModelsResponse
from quipu_server.embedding import SHIPPED
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]


def test_models_of_the_server_are_listed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["ListModels"] = lambda _: ListModelsResponse(
        models=[EmbeddingModel(name="models/m", dimension=384)]
    )
    assert quipu("models", "list") == 0
    assert {"m", "384"} <= set(capsys.readouterr().out.split())


def test_the_shipped_model_passes_the_check(quipu: Run, capsys: Output) -> None:
    assert quipu("models", "check", str(SHIPPED)) == 0
    assert "384" in capsys.readouterr().out


def test_a_directory_without_a_model_fails_the_check(quipu: Run, capsys: Output, tmp_path: Path) -> None:
    assert quipu("models", "check", str(tmp_path)) == 1
    assert "has no model.onnx" in capsys.readouterr().err


def test_a_pulled_model_is_checked(quipu: Run, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[tuple[str, Path]] = []
    monkeypatch.setattr("quipu_server.embedding.hub.pull", lambda name, place: pulled.append((name, place)))
    (tmp_path / "m").mkdir()
    assert quipu("models", "pull", "org/m", str(tmp_path)) == 1
    assert pulled == [("org/m", tmp_path / "m")]
    assert "has no model.onnx" in capsys.readouterr().err
