"""Logs of spaces for tests: rows made by hand or at random, and a log kept in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from quipu_server.domain import Change, Head, IndexRow, Kind, Revisions, Role, Space, Tail, Vector
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator
from tests.oracle import current, meets

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIMENSION = 16
WORDS = [f"w{i}" for i in range(30)]
_ORDERINGS = [o for o in Operator if o not in (Operator.CONTAINS, Operator.CONTAINS_IGNORE_CASE)]


def a_space(name: str = "a") -> Space:
    return Space(uuid4(), "default", name, "m", "f")


def unit_vector(seed: int, dimension: int = DIMENSION) -> Vector:
    """The same unit vector for the same seed."""
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def a_row(revision: int, memory_id: str | None = None, **values: Any) -> IndexRow:
    """A version of a memory; what is not given is plain."""
    terms: Mapping[str, int] = values.pop("terms", {"word": 1})
    vectors = values.pop("vectors", [unit_vector(revision)])
    plain: dict[str, Any] = {
        "created": revision,
        "change": Change.CREATED,
        "kind": Kind.EPISODIC,
        "role": Role.NONE,
        "speaker": "",
        "session": "",
        "tags": (),
        "importance": 0.5,
        "event_time": None,
        "expire_time": None,
        "create_time": NOW,
        "update_time": NOW,
    }
    return IndexRow(
        revision=revision,
        nonce=values.pop("nonce", 1),
        memory_id=memory_id or f"m{revision:05d}",
        terms=tuple(terms),
        frequencies=tuple(terms.values()),
        length=sum(terms.values()),
        codes=np.array(vectors, np.float16),
        spans=np.array([(10 * i, 10 * i + 12) for i in range(len(vectors))], np.int32).reshape(-1, 2),
        **(plain | values),
    )


def a_deletion(revision: int, memory_id: str) -> IndexRow:
    """The end of a memory."""
    return a_row(revision, memory_id, change=Change.DELETED, terms={}, vectors=np.empty((0, DIMENSION)))


def random_row(rng: Random, revision: int, memory_id: str) -> IndexRow:
    """A version of a memory with few enough values that many rows share them."""
    vectors = [unit_vector(rng.choice([rng.randrange(6), rng.randrange(10_000)])) for _ in range(rng.choice([1, 1, 3]))]
    return a_row(
        revision,
        memory_id,
        kind=rng.choice([Kind.EPISODIC, *Kind]) if rng.random() < 0.5 else Kind.EPISODIC,
        role=rng.choice(list(Role)),
        speaker=rng.choice(["", "Ann", "ann", "Bob", "Éva"]),
        session=rng.choice(["", "s1", "s2", "s10"]),
        tags=tuple(rng.sample(["draft", "Draft", "work", "a b"], rng.randrange(4))),
        importance=rng.choice([0.0, 0.25, 0.5, 1.0]),
        importance_given=rng.random() < 0.5,
        balance=rng.choice([0, 0, 3, -2]),
        event_time=rng.choice([None, _random_time(rng)]),
        expire_time=rng.choice([None, None, _random_time(rng), NOW]),
        create_time=_random_time(rng),
        update_time=_random_time(rng),
        terms={word: rng.randint(1, 3) for word in rng.choices(WORDS, range(30, 0, -1), k=rng.randint(0, 12))},
        vectors=vectors,
    )


def random_log(rng: Random, length: int) -> list[IndexRow]:
    """A log of creations, updates, deletions and returns."""
    rows: list[IndexRow] = []
    live: list[str] = []
    created: dict[str, int] = {}
    for revision in range(1, length + 1):
        if live and rng.random() < 0.1:
            rows.append(a_deletion(revision, live.pop(rng.randrange(len(live)))))
            continue
        memory_id = rng.choice(live) if live and rng.random() < 0.2 else f"m{rng.randrange(10 * length)}"
        row = random_row(rng, revision, memory_id)
        if memory_id in live:
            rows.append(replace(row, change=Change.UPDATED, created=created[memory_id]))
            continue
        live.append(memory_id)
        created[memory_id] = revision
        rows.append(row)
    return rows


def random_condition(rng: Random, rows: Sequence[IndexRow], depth: int = 3) -> Condition:
    """A condition on fields that index rows have."""
    if depth and rng.random() < 0.5:
        inner = tuple(random_condition(rng, rows, depth - 1) for _ in range(rng.randint(1, 3)))
        combined: Sequence[Condition] = [AllOf(inner), AnyOf(inner), Not(inner[0])]
        return rng.choice(combined)
    field = rng.choice([*_TEXT_FIELDS, *_TIME_FIELDS, "importance", "revision"])
    if rng.random() < 0.15:
        return IsSet(field)
    values = tuple(_random_value(rng, rows, field) for _ in range(3))
    if rng.random() < 0.25:
        return In(field, values)
    operators = list(Operator) if field in _TEXT_FIELDS else _ORDERINGS
    return Comparison(field, rng.choice(operators), values[0])


_TEXT_FIELDS = ("id", "kind", "role", "speaker", "session", "tags")
_TIME_FIELDS = ("event_time", "create_time", "update_time", "expire_time")
_TEXTS = {
    "kind": ["episodic", "semantic", "profile"],
    "role": ["user", "assistant"],
    "speaker": ["Ann", "ann", "Bob", "Éva", "nn", ""],
    "session": ["s1", "s10", "s", "none"],
    "tags": ["draft", "Draft", "work", "a b", "a"],
}


def _random_value(rng: Random, rows: Sequence[IndexRow], field: str) -> Any:
    if field == "id":
        return rng.choice([rng.choice(rows).memory_id, "m1", "none"])
    if field in _TEXTS:
        return rng.choice(_TEXTS[field])
    if field in _TIME_FIELDS:
        return _random_time(rng)
    return rng.choice([0.0, 0.25, 0.5]) if field == "importance" else float(rng.randint(1, len(rows)))


def _random_time(rng: Random) -> datetime:
    return NOW + timedelta(hours=rng.randint(-5, 5), microseconds=rng.choice([0, 1]))


class KeptLog:
    """The LogSource over lists of rows, one a space.

    failing: what the next reads raise. gate: reads of snapshots wait for it. Counts how often it was read.
    """

    def __init__(self) -> None:
        self.rows: dict[UUID, list[IndexRow]] = {}
        self.failing: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.snapshots_read = 0
        self.tails_read = 0

    def head(self, space: Space) -> Head:
        """Where a space stands."""
        rows = self.rows.get(space.id, [])
        nonce = rows[-1].nonce if rows else 0
        return Head(len(rows), NOW, space.version, nonce, len(current(rows)), time.monotonic())

    async def heads(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        self._check()
        return {key: self.head(Space(key, "default", "", "m", "f")) for key in space_ids if key in self.rows}

    async def nonce(self, space: Space, revision: int) -> int:
        rows = self.rows.get(space.id, [])
        return rows[revision - 1].nonce if 0 < revision <= len(rows) else 0

    async def snapshot(self, space: Space, revision: int) -> AsyncIterator[Sequence[IndexRow]]:
        self.snapshots_read += 1
        await self.gate.wait()
        self._check()
        live = current(self.rows.get(space.id, [])[:revision])
        for start in range(0, len(live), 100):
            yield live[start : start + 100]

    async def tail(self, space: Space, after: int, upto: int, limit: int) -> Tail:
        self.tails_read += 1
        await asyncio.sleep(0)
        self._check()
        return Tail(self.rows[space.id][after : min(upto, after + limit)], await self.nonce(space, after))

    async def matching(self, space: Space, condition: Condition, revision: int) -> Revisions:
        live = current(self.rows[space.id][:revision])
        return np.array([row.revision for row in live if meets(row, condition)], np.int64)

    def _check(self) -> None:
        if self.failing is not None:
            raise self.failing
