"""Embedding: models in ONNX, run by threads that a queue with two lanes feeds, and models behind endpoints."""

from quipu_server.embedding.directory import SHIPPED, ModelDirectory, read_directory
from quipu_server.embedding.endpoints import Examined
from quipu_server.embedding.onnx import OnnxEmbedder
from quipu_server.embedding.remote import RemoteEmbedder
from quipu_server.embedding.several import Embedders

__all__ = ["SHIPPED", "Embedders", "Examined", "ModelDirectory", "OnnxEmbedder", "RemoteEmbedder", "read_directory"]
