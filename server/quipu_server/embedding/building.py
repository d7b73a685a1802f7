"""Makes the embedders that the settings ask for."""

import os

from quipu_server.access.ports import UsageMeter
from quipu_server.config import Settings
from quipu_server.embedding.directory import SHIPPED, read_directory
from quipu_server.embedding.onnx import OnnxEmbedder
from quipu_server.embedding.remote import RemoteEmbedder
from quipu_server.embedding.several import Embedders
from quipu_server.errors import StartupError


def build_embedders(settings: Settings, meter: UsageMeter | None = None) -> Embedders:
    """All models, whoever runs them. meter: told how many tokens each caller has embedded.

    Needs a running event loop. Raises StartupError.
    """
    resources = settings.embedders.items()
    remote = [RemoteEmbedder(name, resource, settings.embedding_queue_tokens) for name, resource in resources]
    return Embedders(build_embedder(settings, meter), remote, settings.model)


def build_embedder(settings: Settings, meter: UsageMeter | None = None) -> OnnxEmbedder:
    """The models that run here, the one for new spaces first if it is among them. Raises StartupError."""
    directories = [read_directory(path) for path in (SHIPPED, *settings.model_dirs)]
    names = [directory.info.name for directory in directories]
    if settings.model and settings.model not in (known := (*names, *settings.embedders)):
        raise StartupError(f"there is no model {settings.model!r}; there are: {', '.join(known)}")
    directories.sort(key=lambda directory: directory.info.name != settings.model)
    workers = settings.embedding_workers or os.cpu_count() or 1
    return OnnxEmbedder(directories, workers, settings.embedding_queue_tokens, meter)
