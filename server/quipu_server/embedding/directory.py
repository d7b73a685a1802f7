"""Reads model directories in the form of sentence-transformers, exported to ONNX."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quipu_server.domain import ModelInfo
from quipu_server.errors import StartupError

SHIPPED = Path(__file__).parent / "models" / "all-MiniLM-L6-v2"
WEIGHTS = ("model.onnx", "onnx/model.onnx")
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
FINGERPRINT_DIGITS = 16


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """What the files of a model say of it."""

    path: Path
    weights: Path
    tokenizer: Path
    info: ModelInfo


def read_directory(path: Path) -> ModelDirectory:
    """Read a model directory. Raises StartupError naming what is missing or not supported."""
    weights = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if weights is None:
        raise StartupError(f"the model directory {path} has no {' or '.join(WEIGHTS)}")
    tokenizer = path / "tokenizer.json"
    if not tokenizer.is_file():
        raise StartupError(f"the model directory {path} has no tokenizer.json")
    config = read_json(path / "config.json")
    prompts = read_json(path / "config_sentence_transformers.json").get("prompts", {})
    pooling = read_pooling(path)
    max_tokens = read_json(path / "sentence_bert_config.json").get("max_seq_length")
    settings: dict[str, Any] = {
        "pooling": pooling,
        "max_tokens": int(max_tokens or config.get("max_position_embeddings", 512)),
        "query_prefix": str(prompts.get("query", "")),
        "passage_prefix": str(prompts.get("passage", prompts.get("document", ""))),
    }
    info = ModelInfo(
        name=path.name,
        dimension=int(config["hidden_size"]),
        fingerprint=fingerprint([weights, tokenizer], settings),
        **settings,
    )
    return ModelDirectory(path, weights, tokenizer, info)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file; empty when there is none. Raises StartupError when it is no JSON object."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise StartupError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise StartupError(f"{path} is not a JSON object")
    return content


def read_pooling(path: Path) -> str:
    """`mean` or `cls`. Raises StartupError for any other pooling."""
    modes = read_json(path / "1_Pooling" / "config.json")
    chosen = [name for name, value in modes.items() if name.startswith("pooling_mode") and value is True]
    if len(chosen) != 1 or chosen[0] not in POOLINGS:
        raise StartupError(f"{path}/1_Pooling/config.json asks for {chosen}; mean or cls is supported")
    return POOLINGS[chosen[0]]


def fingerprint(files: list[Path], settings: dict[str, Any]) -> str:
    """Hexadecimal digits that change with anything that changes vectors."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]
