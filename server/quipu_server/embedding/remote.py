"""Embeds with a model behind endpoints of the OpenAI form."""

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
from cachetools import LRUCache
from tokenizers import Tokenizer

from quipu_server import tracing
from quipu_server.config import EmbedderResource
from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, TextToEmbed, Vector, Vectors
from quipu_server.embedding.chunks import Span, chunk
from quipu_server.embedding.directory import FINGERPRINT_DIGITS
from quipu_server.embedding.endpoints import Endpoint, Endpoints, Examined, Refused, WrongDimension
from quipu_server.embedding.onnx import CACHED_QUERIES, LEAST_ROOM, scaled, weigh
from quipu_server.errors import InvalidArgument, NotFound, Overloaded, StartupError
from quipu_server.measuring import Distribution, Sample
from quipu_server.measuring.metrics import EMBEDDED_TEXTS, EMBEDDED_TOKENS, ENDPOINTS, QUERY_CACHE, RUN_SECONDS
from quipu_server.ports import Lane

SPECIAL_TOKENS = 8
"""Kept free in the window: what a model adds by itself."""
CUT_SHARE = 0.95
"""Of the window that a chunk may take: a text that was cut may have more tokens than before."""


class Cutter:
    """Counts tokens and cuts texts. Without a tokeniser a byte is taken for a token: no text has more tokens."""

    def __init__(self, max_tokens: int, tokenizer: Path | None) -> None:
        self._window = max_tokens - SPECIAL_TOKENS
        self._turn = threading.Lock()
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer)) if tokenizer else None
        except Exception as error:  # the library has no type of its own
            raise StartupError(f"the tokeniser {tokenizer} cannot be read: {error}") from error
        if self._tokenizer is not None:
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()

    @property
    def is_exact(self) -> bool:
        return self._tokenizer is not None

    def offsets(self, text: str) -> Sequence[Span]:
        """The span of each token."""
        if self._tokenizer is not None:
            with self._turn:
                return self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [(i, i + 1) for i, letter in enumerate(text) for _ in letter.encode(errors="replace")]

    def cut(self, header: str, text: str) -> tuple[Sequence[Span], int]:
        """Spans of the text that fit, each with the header before it, and the tokens of both; 0 if they are unknown."""
        before, offsets = len(self.offsets(header)), self.offsets(text)
        count = before + len(offsets)
        room = self._window - before
        spans = (
            [(0, len(text))] if len(offsets) <= room else chunk(text, offsets, max(LEAST_ROOM, int(CUT_SHARE * room)))
        )
        return spans, count if self.is_exact else 0


class RemoteEmbedder:
    """Implements Embedder, for one model.

    Vectors are the endpoints' word: that the same text always gives the same one is their promise.
    """

    def __init__(self, name: str, resource: EmbedderResource, queue_tokens: int) -> None:
        self._info = describe(name, resource)
        self._cutter = Cutter(resource.max_tokens, resource.tokenizer)
        self._client = httpx.AsyncClient(
            timeout=resource.timeout_s, limits=httpx.Limits(max_connections=resource.concurrency)
        )
        body = {"model": resource.model} | ({"dimensions": resource.dimension} if resource.send_dimension else {})
        self._endpoints = Endpoints(self._client, endpoints_of(resource), resource.dimension, body)
        self._count = len(resource.endpoints)
        self._batch_texts = resource.batch_texts
        # Texts to be stored leave a place for queries, if there is more than one.
        self._places = asyncio.Semaphore(resource.concurrency)
        self._ingest_places = asyncio.Semaphore(max(1, resource.concurrency - 1))
        self._capacity = queue_tokens
        self._waiting = 0
        self._recent: LRUCache[str, Vector] = LRUCache(CACHED_QUERIES)
        self._texts: Counter[Lane] = Counter()
        self._tokens: Counter[Lane] = Counter()
        self._cached: Counter[str] = Counter(hit=0, miss=0)
        self._requests = Distribution()

    def models(self) -> Sequence[ModelInfo]:
        return [self._info]

    def model(self, name: str) -> ModelInfo:
        if name not in {"", self._info.name}:
            raise NotFound("model", f"models/{name}")
        return self._info

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        info = self.model(model)
        prefix = info.query_prefix if purpose is Purpose.QUERY else info.passage_prefix
        async with self._admitted(sum(map(weigh, texts))):
            with tracing.span("embedding", model=info.name, texts=len(texts)):
                given = [(prefix + text.header, text.text) for text in texts]
                cuts = await asyncio.to_thread(lambda: [self._cutter.cut(*text) for text in given])
                pairs = zip(given, cuts, strict=True)
                inputs = [header + text[a:b] for (header, text), (spans, _) in pairs for a, b in spans]
                vectors = iter(await self._embed_all(inputs, lane))
        self._texts[lane] += len(texts)
        return [
            EmbeddedText(np.stack([next(vectors) for _ in spans]), np.array(spans, dtype=np.int32), count)
            for spans, count in cuts
        ]

    async def embed_query(self, model: str, text: str) -> Vector:
        self.model(model)
        if (known := self._recent.get(text)) is not None:
            self._cached["hit"] += 1
            return known
        self._cached["miss"] += 1
        embedded = (await self.embed(model, [TextToEmbed(text)], Purpose.QUERY, Lane.QUERY))[0]
        self._recent[text] = vector = scaled(embedded.vectors.mean(axis=0))
        return vector

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        info = self.model(model)
        if not self._cutter.is_exact:
            raise InvalidArgument("model", f"{info.name} has no tokeniser here; give embedders.{info.name} a tokenizer")
        return await asyncio.to_thread(lambda: [len(self._cutter.offsets(text)) for text in texts])

    async def start(self) -> None:
        """Compare the dimension with that of the endpoints that answer. Raises StartupError."""
        try:
            await self._endpoints.check()
        except WrongDimension as error:
            raise StartupError(f"embedders.{self._info.name}: an endpoint is wrong: {error}") from error

    async def examine(self) -> Sequence[Examined]:
        """Ask each endpoint for a vector."""
        return await self._endpoints.examine()

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    def samples(self) -> Iterable[Sample]:
        name = self._info.name
        yield from (EMBEDDED_TEXTS.of(count, name, lane.name.lower()) for lane, count in self._texts.items())
        yield from (EMBEDDED_TOKENS.of(count, name, lane.name.lower()) for lane, count in self._tokens.items())
        yield from (QUERY_CACHE.of(count, name, result) for result, count in self._cached.items())
        yield RUN_SECONDS.of(self._requests, name)
        resting = self._endpoints.resting()
        yield ENDPOINTS.of(self._count - resting, name, "used")
        yield ENDPOINTS.of(resting, name, "resting")

    async def _embed_all(self, inputs: Sequence[str], lane: Lane) -> Sequence[Vector]:
        """Unit vectors, some inputs at once."""
        batches = [inputs[i : i + self._batch_texts] for i in range(0, len(inputs), self._batch_texts)]
        tasks = [asyncio.create_task(self._embed_batch(batch, lane)) for batch in batches]
        try:
            return [scaled(vector) for vectors in await asyncio.gather(*tasks) for vector in vectors]
        finally:
            for task in tasks:
                task.cancel()

    async def _embed_batch(self, batch: Sequence[str], lane: Lane) -> Vectors:
        """One request; a batch that is refused is split until only the culprit fails. Raises InvalidArgument."""
        try:
            async with self._place(lane):
                started = time.perf_counter()
                vectors, tokens = await self._endpoints.embed(batch)
                self._requests.add(time.perf_counter() - started)
        except Refused as error:
            if len(batch) == 1:
                raise InvalidArgument("content", f"the embedding endpoint does not take it: {error}") from None
            half = len(batch) // 2
            return np.concatenate([await self._embed_batch(part, lane) for part in (batch[:half], batch[half:])])
        self._tokens[lane] += tokens
        return vectors

    @asynccontextmanager
    async def _place(self, lane: Lane) -> AsyncIterator[None]:
        if lane is Lane.QUERY:
            async with self._places:
                yield
        else:
            async with self._ingest_places, self._places:
                yield

    @asynccontextmanager
    async def _admitted(self, tokens: int) -> AsyncIterator[None]:
        """Count tokens as waiting. Raises Overloaded when too many wait."""
        if self._waiting and self._waiting + tokens > self._capacity:
            raise Overloaded("too many texts wait to be embedded; try again")
        self._waiting += tokens
        try:
            yield
        finally:
            self._waiting -= tokens


def describe(name: str, resource: EmbedderResource) -> ModelInfo:
    """The model of a resource. Its fingerprint covers what changes vectors, so not where the endpoints are."""
    parts = (
        resource.kind,
        resource.model,
        resource.dimension,
        resource.send_dimension,
        resource.max_tokens,
        resource.query_prefix,
        resource.passage_prefix,
    )
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:FINGERPRINT_DIGITS]
    return ModelInfo(
        name=name,
        dimension=resource.dimension,
        max_tokens=resource.max_tokens,
        pooling="remote",
        query_prefix=resource.query_prefix,
        passage_prefix=resource.passage_prefix,
        fingerprint=digest,
    )


def endpoints_of(resource: EmbedderResource) -> Sequence[Endpoint]:
    """Where the model is reached."""
    return [
        Endpoint(
            f"{endpoint.url.rstrip('/')}/embeddings",
            {"Authorization": f"Bearer {endpoint.key.get_secret_value()}"} if endpoint.key else {},
        )
        for endpoint in resource.endpoints
    ]
