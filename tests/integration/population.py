"""A space full of hard cases, and random questions to it: the same for the same seed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import (
    NO_FEEDBACK,
    Change,
    Kind,
    Memory,
    MemoryFields,
    MetadataValue,
    Passage,
    Role,
    Scalar,
    Write,
)
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator

DIMENSION = 16
WORDS = [f"word{i}" for i in range(80)]
SESSIONS = ["", "s1", "s2", "s3"]
SPEAKERS = ["", "Ana", "Bo", "ana"]
TAGS = ["red", "green", "blue", "Red"]
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    scaled: NDArray[np.float64] = values / np.linalg.norm(values, axis=-1, keepdims=True)
    return scaled.astype(np.float32)


class Population:
    """Makes writes and questions. `passages` are those that exist."""

    def __init__(self, seed: int, passages: Sequence[Passage] = ()) -> None:
        self._random = Random(seed)
        self._numbers = np.random.default_rng(seed)
        self.passages = list(passages)

    def create(self, number: int) -> Write:
        """A new memory; one in eight has the text and vectors of an earlier one."""
        fields, passage = self._fields_and_passage()
        return Write(f"m{number:04}", Change.CREATED, fields, passage.id, 0, passage)

    def change(self, memory: Memory, passage: Passage) -> Write:
        """An update with a new text, an update that keeps it, or a deletion."""
        kind = self._random.choice(["text", "fields", "delete"])
        expected = memory.revision
        if kind == "delete":
            return Write(memory.memory_id, Change.DELETED, memory.fields, passage.id, expected)
        fields, new = self._fields_and_passage()
        if kind == "text":
            return Write(memory.memory_id, Change.UPDATED, fields, new.id, expected, new)
        kept = replace(fields, content=memory.fields.content)
        return Write(memory.memory_id, Change.UPDATED, kept, passage.id, expected)

    def undelete(self, memory: Memory, passage: Passage) -> Write:
        return Write(memory.memory_id, Change.UNDELETED, memory.fields, passage.id, 0)

    def query_vector(self) -> NDArray[np.float32]:
        """A random direction, or exactly that of a stored chunk."""
        if self._random.random() < 0.3:
            stored: NDArray[np.float32] = self._random.choice(self.passages).vectors[0]
            return stored
        return unit(self._numbers.normal(size=DIMENSION))

    def query_terms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._random.choice([*WORDS, "unheard"]) for _ in range(self._random.randint(1, 5))))

    def condition(self, depth: int = 0) -> Condition | None:
        """A random tree; at its root None in one of five."""
        if depth == 0 and self._random.random() < 0.2:
            return None
        if depth < 3 and self._random.random() < 0.5:
            inner = [self.condition(depth + 1) or IsSet("tags") for _ in range(self._random.randint(1, 3))]
            joints: list[Condition] = [AllOf(tuple(inner)), AnyOf(tuple(inner)), Not(inner[0])]
            return self._random.choice(joints)
        return self._leaf()

    def _fields_and_passage(self) -> tuple[MemoryFields, Passage]:
        if self.passages and self._random.random() < 0.125:
            original = self._random.choice(self.passages)
            passage = replace(original, id=self._uuid())
        else:
            passage = self._passage()
        self.passages.append(passage)
        return self._fields(passage.content), passage

    def _passage(self) -> Passage:
        ranks = np.minimum(self._numbers.zipf(1.3, self._random.randint(1, 20)) - 1, len(WORDS) - 1)
        words = [WORDS[rank] for rank in ranks]
        counts = {word: words.count(word) for word in words}
        chunks = self._random.choice([1, 1, 1, 2, 4])
        vectors = unit(np.rint(self._numbers.normal(size=(chunks, DIMENSION)) * 2) + 0.25)
        spans = np.array([[10 * i, 10 * i + 12] for i in range(chunks)], dtype=np.int32)
        content = " ".join(words).title() if self._random.random() < 0.2 else " ".join(words)
        return Passage(self._uuid(), content, tuple(counts), tuple(counts.values()), len(words), vectors, spans)

    def _fields(self, content: str) -> MemoryFields:
        random = self._random
        return MemoryFields(
            content,
            kind=random.choice([*Kind, *([Kind.EPISODIC] * 6)]),
            role=random.choice(list(Role)),
            speaker=random.choice(SPEAKERS),
            session=random.choice(SESSIONS),
            tags=tuple(random.sample(TAGS, random.randint(0, 3))),
            metadata=self._metadata(),
            importance=random.randint(0, 10) / 10,
            importance_given=random.random() < 0.7,
            feedback=random.choice([NO_FEEDBACK, NO_FEEDBACK, (4, 0, 1, 0), (0, 2, 0, 1)]),
            event_time=self._moment() if random.random() < 0.6 else None,
            expire_time=random.choice(
                [None] * 8 + [datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)]
            ),
        )

    def _metadata(self) -> dict[str, MetadataValue]:
        random = self._random
        values: list[MetadataValue] = [
            float(random.randint(-3, 3)),
            random.choice(["-1", "x", "Xy", "é", "'"]),
            random.random() < 0.5,
            self._moment(),
            (),
            (1.0, "x"),
            ("Xy", True, self._moment()),
        ]
        return {key: random.choice(values) for key in ("a", "b", "c d", "e'") if random.random() < 0.5}

    def _moment(self) -> datetime:
        return EPOCH + timedelta(hours=self._random.randint(-50, 50), microseconds=self._random.choice([0, 1]))

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _leaf(self) -> Condition:
        random = self._random
        field, values = random.choice(self._vocabulary())
        operators = _operators(field, values)
        if random.random() < 0.15:
            return IsSet(field)
        if random.random() < 0.2:
            return In(field, tuple(random.choices(values, k=random.randint(1, 3))))
        return Comparison(field, random.choice(operators), random.choice(values))

    def _vocabulary(self) -> Sequence[tuple[str, list[Scalar]]]:
        """Fields with values worth comparing them with."""
        moments: list[Scalar] = [self._moment() for _ in range(3)]
        texts: list[Scalar] = ["-1", "x", "Xy", "é", "'", "X"]
        metadata: list[list[Scalar]] = [texts, [-1.0, 0.0, 1.0], [True, False], moments]
        return [
            ("id", ["m0003", "m0700", "m1200", "m00"]),
            ("content", ["word1", "Word2 ", "WORD3", "word0 word1"]),
            ("kind", [kind.name.lower() for kind in Kind]),
            ("role", [role.name.lower() for role in Role if role]),
            ("speaker", [*SPEAKERS[1:], "a", "B"]),
            ("session", [*SESSIONS[1:], "s"]),
            ("tags", [*TAGS, "e"]),
            ("importance", [0.0, 0.3, 0.5, 1.0]),
            ("revision", [1.0, 200.0, 1600.0]),
            *[(field, moments) for field in ("event_time", "create_time", "update_time", "expire_time")],
            *[(f"metadata.{key}", self._random.choice(metadata)) for key in ("a", "b", "c d", "e'")],
        ]


def _operators(field: str, values: Sequence[Scalar]) -> Sequence[Operator]:
    """Those that may compare the field with such values."""
    if isinstance(values[0], bool):
        return [Operator.EQUAL, Operator.NOT_EQUAL]
    holds_text = isinstance(values[0], str) and field not in ("kind", "role")
    return [o for o in Operator if holds_text or o not in (Operator.CONTAINS, Operator.CONTAINS_IGNORE_CASE)]
