"""Embedding: models in ONNX, run by threads that a queue with two lanes feeds."""

from quipu_server.embedding.directory import SHIPPED, ModelDirectory, read_directory
from quipu_server.embedding.onnx import OnnxEmbedder

__all__ = ["SHIPPED", "ModelDirectory", "OnnxEmbedder", "read_directory"]
