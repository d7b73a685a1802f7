"""What an exact search must find: every memory of a space in plain Python and NumPy, scored one by one.

It shares no code with the server: filters mean what `filter.proto` says, the arithmetic is that of `SearchView`.
"""

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Kind, Memory, Passage, Role, Scalar
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator

ORDERINGS: dict[Operator, Callable[[Scalar, Scalar], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}

NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A current memory and its indexed text: vectors in half precision, how often each word occurs, number of words."""

    memory: Memory
    chunks: NDArray[np.float64]
    frequencies: Mapping[str, int]
    length: int

    def cosine(self, query: NDArray[np.float32]) -> float:
        """The highest inner product of the query and a chunk, rounded to single precision."""
        return max(float(np.float32(np.dot(chunk, query.astype(np.float64)))) for chunk in self.chunks)


class Oracle:
    """The current memories of one space, by id."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def apply(self, memory: Memory, passage: Passage) -> None:
        """Take over a version that was written."""
        if memory.is_deleted:
            del self._entries[memory.memory_id]
            return
        chunks = passage.vectors.astype(np.float16).astype(np.float64)
        frequencies = dict(zip(passage.terms, passage.frequencies, strict=True))
        self._entries[memory.memory_id] = Entry(memory, chunks, frequencies, passage.length)

    @property
    def everything(self) -> Sequence[Entry]:
        """All current memories."""
        return list(self._entries.values())

    def selected(self, condition: Condition | None, now: datetime) -> list[Entry]:
        """The memories a search may return."""
        live = [entry for entry in self._entries.values() if not entry.memory.is_expired(now)]
        return [entry for entry in live if condition is None or meets(entry.memory, condition)]

    def dense(self, entries: Sequence[Entry], query: NDArray[np.float32], depth: int) -> list[tuple[str, float]]:
        """Ids and cosines of the nearest of some memories, nearest first."""
        scored = [(entry.memory.memory_id, entry.cosine(query)) for entry in entries]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:depth]

    def lexical(self, entries: Sequence[Entry], terms: Sequence[str], depth: int) -> list[tuple[str, float]]:
        """Ids and BM25 scores of the best of some memories, best first; statistics count every memory of the space."""
        everything = self._entries.values()
        mean_length = sum(entry.length for entry in everything) / len(everything)
        weights = {term: self._inverse_document_frequency(term) for term in terms}
        found = [(e.memory.memory_id, bm25(e, weights, mean_length)) for e in entries if weights.keys() & e.frequencies]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:depth]

    def ranking(
        self, entries: Sequence[Entry], query: NDArray[np.float32], terms: Sequence[str], now: datetime
    ) -> dict[str, float]:
        """Ids and scores of the candidates among some memories, by the default formula and its default weights."""
        return Ranking(self, entries, query, terms, now).scores()

    def entry(self, memory_id: str) -> Entry:
        """A current memory."""
        return self._entries[memory_id]

    def sessions(self) -> Mapping[str, Sequence[Entry]]:
        """The messages of each session, in the order they were made."""
        found: dict[str, list[Entry]] = {}
        for entry in sorted(self._entries.values(), key=lambda e: e.memory.created):
            if entry.memory.fields.kind is Kind.EPISODIC and entry.memory.fields.session:
                found.setdefault(entry.memory.fields.session, []).append(entry)
        return found

    def _inverse_document_frequency(self, term: str) -> float:
        containing = sum(term in entry.frequencies for entry in self._entries.values())
        return float(np.log1p((len(self._entries) - containing + 0.5) / (containing + 0.5)))


class Ranking:
    """The final order of one search, with the terms of docs/ranking.md written out."""

    def __init__(
        self, oracle: Oracle, entries: Sequence[Entry], query: NDArray[np.float32], terms: Sequence[str], now: datetime
    ) -> None:
        self._oracle, self._query, self._terms, self._now = oracle, query, terms, now
        self._selected = {entry.memory.memory_id for entry in entries}
        self._dense = dict(oracle.dense(entries, query, 100))
        self._lexical = dict(oracle.lexical(entries, terms, 100))
        self._sessions = oracle.sessions()
        self._bm25 = dict(oracle.lexical(oracle.everything, terms, NO_LIMIT))
        self._beside = {
            entry.memory.memory_id: [m.memory.memory_id for m in (*session[max(i - 1, 0) : i], *session[i + 1 : i + 2])]
            for session in self._sessions.values()
            for i, entry in enumerate(session)
        }

    def scores(self) -> dict[str, float]:
        """Of all candidates: what the lists found, and the neighbours of the ten best of each."""
        leaders = [*list(self._dense)[:10], *list(self._lexical)[:10]]
        beside = {key for leader in leaders for key in self._beside.get(leader, []) if key in self._selected}
        candidates = [self._oracle.entry(key) for key in {*self._dense, *self._lexical, *beside}]
        messages = [entry.memory for entry in candidates if entry.memory.memory_id in self._beside]
        shares = self._session_shares({memory.fields.session for memory in messages})
        return {entry.memory.memory_id: self._score(entry, shares) for entry in candidates}

    def _score(self, entry: Entry, shares: Mapping[str, float]) -> float:
        memory = entry.memory
        importance = memory.fields.importance if memory.fields.importance_given else 0.5
        age_s = max((self._now - (memory.fields.event_time or memory.create_time)).total_seconds(), 0.0)
        score = self._fused(memory.memory_id) + 0.05 * importance + 0.05 * 0.5 ** (age_s / (30 * 86_400))
        if memory.memory_id in self._beside:
            score += 0.2 * sum(self._fused(key) for key in self._beside[memory.memory_id])
            score += 0.3 * shares[memory.fields.session]
            score += 0.2 * (memory.fields.role is Role.USER)
        useful, *others = memory.fields.feedback
        factor = min(max(1.0 + 0.1 * (useful - sum(others)), 0.5), 2.0)
        return float(score * factor)

    def _fused(self, memory_id: str) -> float:
        cosine = self._oracle.entry(memory_id).cosine(self._query)
        floor = None if len(self._lexical) == 100 else 0.0
        lexical = self._scaled(memory_id, self._bm25.get(memory_id, 0.0), self._lexical, floor)
        return 0.5 * self._scaled(memory_id, cosine, self._dense, None) + 0.5 * lexical

    def _scaled(self, memory_id: str, score: float, listed: Mapping[str, float], floor: float | None) -> float:
        """0 for what might be in the list and is not; others are measured by the list."""
        if not listed or (memory_id in self._selected and memory_id not in listed):
            return 0.0
        low = min(listed.values()) if floor is None else floor
        high = max(listed.values())
        return min(max((score - low) / (high - low), 0.0), 1.0) if high > low else float(score >= low)

    def _session_shares(self, names: Set[str]) -> dict[str, float]:
        """BM25 of each of these sessions as one text among them, as a share of the best one's."""
        texts = {name: _joined(session) for name, session in self._sessions.items() if name in names}
        mean_length = sum(text.length for text in texts.values()) / max(len(texts), 1)
        weights = {}
        for term in self._terms:
            containing = sum(term in text.frequencies for text in texts.values())
            weights[term] = float(np.log1p((len(texts) - containing + 0.5) / (containing + 0.5)))
        scores = {name: bm25(text, weights, mean_length) for name, text in texts.items()}
        best = max(scores.values(), default=0.0)
        return {name: score / best if best else 0.0 for name, score in scores.items()}


def _joined(session: Sequence[Entry]) -> Entry:
    counts: Counter[str] = Counter()
    for entry in session:
        counts.update(entry.frequencies)
    return Entry(session[0].memory, session[0].chunks, counts, sum(entry.length for entry in session))


def bm25(entry: Entry, weights: Mapping[str, float], mean_length: float) -> float:
    norm = 1.2 * (1.0 - 0.75 + 0.75 * entry.length / mean_length)
    score = 0.0
    for term, weight in weights.items():
        frequency = entry.frequencies.get(term, 0)
        score += weight * 2.2 * frequency / (frequency + norm)
    return score


def meets(memory: Memory, condition: Condition) -> bool:
    """Tell whether a memory meets a condition."""
    match condition:
        case AllOf(conditions):
            return all(meets(memory, c) for c in conditions)
        case AnyOf(conditions):
            return any(meets(memory, c) for c in conditions)
        case Not(inner):
            return not meets(memory, inner)
        case IsSet(field):
            return is_set(memory, field)
        case In(field, values):
            return any(meets(memory, Comparison(field, Operator.EQUAL, value)) for value in values)
        case Comparison(field, Operator.NOT_EQUAL, value):
            return not meets(memory, Comparison(field, Operator.EQUAL, value))
        case Comparison(field, kind_of_comparison, value):
            held = values_of(memory, field)
            items = held if isinstance(held, tuple) else (held,)
            return any(compares(item, kind_of_comparison, value, in_list=isinstance(held, tuple)) for item in items)


def compares(item: Scalar | None, comparison: Operator, value: Scalar, *, in_list: bool) -> bool:
    if item is None or type(item) is not type(value):
        return False
    if comparison in ORDERINGS:
        return ORDERINGS[comparison](item, value)
    if comparison is Operator.CONTAINS_IGNORE_CASE:
        item, value = str(item).lower(), str(value).lower()
    if in_list:
        return item == value
    return isinstance(item, str) and isinstance(value, str) and value in item


def is_set(memory: Memory, field: str) -> bool:
    if field.startswith("metadata."):
        return field.removeprefix("metadata.") in memory.fields.metadata
    return values_of(memory, field) not in (None, ())


def values_of(memory: Memory, field: str) -> Scalar | tuple[Scalar, ...] | None:
    """What a memory holds in a field: a value, a tuple for a list, None when it is not set."""
    fields = memory.fields
    if field.startswith("metadata."):
        return fields.metadata.get(field.removeprefix("metadata."))
    if field == "kind":
        return fields.kind.name.lower()
    if field == "role":
        return None if fields.role is Role.NONE else fields.role.name.lower()
    special: dict[str, Scalar] = {
        "id": memory.memory_id,
        "revision": float(memory.revision),
        "create_time": memory.create_time,
        "update_time": memory.update_time,
    }
    if field in special:
        return special[field]
    found: Scalar | tuple[Scalar, ...] | None = getattr(fields, field)
    return found if found != "" else None
