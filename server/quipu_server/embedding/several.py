"""All embedding models of a server, whoever runs them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, TextToEmbed, Vector
from quipu_server.embedding.onnx import OnnxEmbedder
from quipu_server.embedding.remote import RemoteEmbedder
from quipu_server.errors import NotFound, StartupError
from quipu_server.measuring import Sample
from quipu_server.ports import Embedder, Lane


class Embedders:
    """Implements Embedder: each model by the one that has it. default: name of a model; that of `local` when empty."""

    def __init__(self, local: OnnxEmbedder, remote: Sequence[RemoteEmbedder], default: str) -> None:
        """Raises StartupError when a name is taken twice."""
        self._local = local
        self._remote = remote
        self._parts: dict[str, Embedder] = {}
        parts: tuple[Embedder, ...] = (local, *remote)
        for part in parts:
            for model in part.models():
                if model.name in self._parts:
                    raise StartupError(f"two models have the name {model.name!r}; give the embedder another one")
                self._parts[model.name] = part
        self._default = default or local.models()[0].name

    def models(self) -> Sequence[ModelInfo]:
        return [self.model(name) for name in sorted(self._parts, key=lambda name: name != self._default)]

    def model(self, name: str) -> ModelInfo:
        name = name or self._default
        return replace(self._part(name).model(name), is_default=name == self._default)

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        name = model or self._default
        return await self._part(name).embed(name, texts, purpose, lane)

    async def embed_query(self, model: str, text: str) -> Vector:
        name = model or self._default
        return await self._part(name).embed_query(name, text)

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        name = model or self._default
        return await self._part(name).count_tokens(name, texts)

    async def start(self) -> None:
        """Check what can be checked of remote models. Raises StartupError."""
        await asyncio.gather(*(part.start() for part in self._remote))

    async def close(self) -> None:
        """End threads and connections."""
        for part in self._remote:
            await part.close()
        await asyncio.to_thread(self._local.close)

    def samples(self) -> Iterable[Sample]:
        yield from self._local.samples()
        for part in self._remote:
            yield from part.samples()

    def _part(self, name: str) -> Embedder:
        if (part := self._parts.get(name)) is None:
            raise NotFound("model", f"models/{name}")
        return part
