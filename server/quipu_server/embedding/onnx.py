"""Embeds with ONNX Runtime: one text a run, so that a vector never depends on other texts."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import onnxruntime
from cachetools import LRUCache
from tokenizers import Encoding, Tokenizer

from quipu_server import tracing
from quipu_server.access.domain import Measure, caller_or_nobody
from quipu_server.access.ports import Unmetered, UsageMeter
from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, TextToEmbed, Vector, Vectors
from quipu_server.embedding.chunks import chunk
from quipu_server.embedding.directory import ModelDirectory
from quipu_server.embedding.queue import WorkQueue
from quipu_server.errors import NotFound, StartupError
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import EMBEDDED_TEXTS, EMBEDDED_TOKENS, QUERY_CACHE
from quipu_server.ports import Lane

CACHED_QUERIES = 4_096
RESULTS = ("hit", "miss")
LEAST_ROOM = 16
"""Tokens a chunk keeps for the text itself, however long its header."""


class OnnxModel:
    """One model; used by several threads at once, each with a tokeniser of its own."""

    def __init__(self, directory: ModelDirectory) -> None:
        self.info = directory.info
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(directory.weights), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer_json = directory.tokenizer.read_text()
            self._own = threading.local()
            self._special_tokens = len(self.tokenizer.encode("").ids)
        except Exception as error:
            raise StartupError(f"the model in {directory.path} cannot be loaded: {error}") from error
        self._inputs = {node.name for node in self._session.get_inputs()}

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokeniser of this thread; it never cuts or pads."""
        if not hasattr(self._own, "tokenizer"):
            tokenizer = Tokenizer.from_str(self._tokenizer_json)
            tokenizer.no_truncation()
            tokenizer.no_padding()
            self._own.tokenizer = tokenizer
        return self._own.tokenizer  # type: ignore[no-any-return]

    def count(self, text: str) -> int:
        """Tokens of a text without special tokens."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, text: TextToEmbed, purpose: Purpose) -> EmbeddedText:
        """Vectors of the chunks of a text."""
        prefix = self.info.query_prefix if purpose is Purpose.QUERY else self.info.passage_prefix
        header = prefix + text.header
        whole = self.tokenizer.encode(header + text.text)
        token_count = len(whole.ids) - self._special_tokens
        if len(whole.ids) <= self.info.max_tokens:
            span = np.array([[0, len(text.text)]], dtype=np.int32)
            return EmbeddedText(self._run(whole)[None, :], span, token_count)
        spans = self._spans(header, text.text)
        vectors = [self._run(self.tokenizer.encode(header + text.text[a:b])) for a, b in spans]
        return EmbeddedText(np.stack(vectors), np.array(spans, dtype=np.int32), token_count)

    def _spans(self, header: str, text: str) -> list[tuple[int, int]]:
        """Spans whose chunks, with header and special tokens, fit the window; cut anew where a cut made more tokens."""
        room = self.info.max_tokens - self._special_tokens - self.count(header)
        window = max(room, LEAST_ROOM)
        offsets = self.tokenizer.encode(text, add_special_tokens=False).offsets
        while True:
            spans = chunk(text, offsets, window)
            longest = max(self.count(header + text[a:b]) for a, b in spans) + self._special_tokens
            if longest <= self.info.max_tokens or window <= LEAST_ROOM:
                return spans
            window = max(window - (longest - self.info.max_tokens), LEAST_ROOM)

    def _run(self, encoding: Encoding) -> Vector:
        feed = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        }
        hidden = self._session.run(None, {name: value for name, value in feed.items() if name in self._inputs})[0][0]
        pooled = hidden[0] if self.info.pooling == "cls" else hidden.mean(axis=0)
        return scaled(pooled)


class OnnxEmbedder:
    """Implements Embedder. The first directory is the default model."""

    def __init__(
        self, directories: Sequence[ModelDirectory], workers: int, queue_tokens: int, meter: UsageMeter | None = None
    ) -> None:
        """meter: told how many tokens each caller has embedded."""
        self._models = {directory.info.name: OnnxModel(directory) for directory in directories}
        self._default = directories[0].info.name
        self._infos = {
            name: replace(model.info, is_default=name == self._default) for name, model in self._models.items()
        }
        self._queue: WorkQueue[EmbeddedText] = WorkQueue(workers, queue_tokens, "embed")
        self._meter = meter or Unmetered()
        self._recent: LRUCache[tuple[str, str], Vector] = LRUCache(CACHED_QUERIES)
        self._texts: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._cached: Counter[tuple[str, str]] = Counter()

    def models(self) -> Sequence[ModelInfo]:
        return list(self._infos.values())

    def model(self, name: str) -> ModelInfo:
        return self._infos[self._find(name).info.name]

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        found = self._find(model)
        who, futures = caller_or_nobody(), []
        self._meter.check(Measure.TOKENS)
        try:
            for text in texts:
                work = partial(found.embed, text, purpose)
                futures.append(self._queue.put(lane, weigh(text), work, who.tenant if who else ""))
            with tracing.span("embedding", model=found.info.name, texts=len(texts)):
                embedded = [await future for future in futures]
            self._meter.spend(Measure.TOKENS, sum(each.token_count for each in embedded))
        finally:
            for future in futures:
                future.cancel()
        label = (found.info.name, lane.name.lower())
        self._texts[label] += len(embedded)
        self._tokens[label] += sum(text.token_count for text in embedded)
        return embedded

    async def embed_query(self, model: str, text: str) -> Vector:
        key = (self._find(model).info.name, text)
        if (known := self._recent.get(key)) is not None:
            self._cached[key[0], "hit"] += 1
            return known
        self._cached[key[0], "miss"] += 1
        embedded = (await self.embed(model, [TextToEmbed(text)], Purpose.QUERY, Lane.QUERY))[0]
        vector = scaled(embedded.vectors.mean(axis=0)) if len(embedded.vectors) > 1 else embedded.vectors[0]
        self._recent[key] = vector
        return vector

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        found = self._find(model)
        return await asyncio.to_thread(lambda: [found.count(text) for text in texts])

    def samples(self) -> Iterable[Sample]:
        """What was embedded, and what waits."""
        yield from (EMBEDDED_TEXTS.of(count, *label) for label, count in self._texts.items())
        yield from (EMBEDDED_TOKENS.of(count, *label) for label, count in self._tokens.items())
        yield from (
            QUERY_CACHE.of(self._cached[name, result], name, result) for name in self._models for result in RESULTS
        )
        yield from self._queue.samples()

    def close(self) -> None:
        """End the threads."""
        self._queue.close()

    def _find(self, name: str) -> OnnxModel:
        if (found := self._models.get(name or self._default)) is None:
            raise NotFound("model", f"models/{name}")
        return found


def weigh(text: TextToEmbed) -> int:
    """About how many tokens a text has, without tokenising it: a token is some four bytes of English."""
    return 2 + (len(text.text) + len(text.header)) // 4


def scaled(vector: Vector | Vectors) -> Vector:
    """The vector at unit length, float32."""
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
