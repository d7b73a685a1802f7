"""A second embedding model for tests: real ONNX with a real tokeniser, made in a moment, of another dimension.

A text is the mean of random vectors of its tokens: texts that share words are near, and nothing else is.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer

from quipu_server.embedding import SHIPPED

SMALL = "small"
DIMENSION = 48
SEED = 7
MAX_TOKENS = 128


def make_small_model(parent: Path) -> Path:
    """Write the model into a directory below the given one; the directory."""
    path = parent / SMALL
    (path / "1_Pooling").mkdir(parents=True)
    shutil.copy(SHIPPED / "tokenizer.json", path)
    vocabulary = Tokenizer.from_file(str(path / "tokenizer.json")).get_vocab_size()
    save(_graph(np.random.default_rng(SEED).standard_normal((vocabulary, DIMENSION))), str(path / "model.onnx"))
    _write(path / "config.json", {"hidden_size": DIMENSION})
    _write(path / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS})
    _write(path / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    return path


def _graph(table: NDArray[np.float64]) -> ModelProto:
    """Token ids (batch, tokens) to rows of the table."""
    weights = numpy_helper.from_array(table.astype(np.float32), "table")
    asked = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    given = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "tokens", DIMENSION])
    node = helper.make_node("Gather", ["table", "input_ids"], ["hidden"], axis=0)
    graph = helper.make_graph([node], "small", [asked], [given], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content))
