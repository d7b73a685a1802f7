"""What searches must find: every rule spelled out over plain rows, one memory at a time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from quipu_server.domain import Change, Evidence, IndexRow, Scalar, SessionTexts, TermStatistics, Vector
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator
from quipu_server.scoring import bm25_term, cosines, inverse_document_frequencies, mean_length

_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: lambda a, b: a == b,
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
}


def field_values(row: IndexRow, field: str) -> Sequence[Any]:
    """The values of a field: none when it is not set, several for tags."""
    if field == "tags":
        return row.tags
    special = {
        "id": row.memory_id,
        "kind": row.kind.name.lower(),
        "role": row.role.name.lower() if row.role else "",
    }
    value = special[field] if field in special else getattr(row, field)
    return [] if value is None or value == "" else [value]


def meets(row: IndexRow, condition: Condition) -> bool:
    """Whether a version meets a condition on fields that an index row has."""
    match condition:
        case AllOf(conditions):
            return all(meets(row, c) for c in conditions)
        case AnyOf(conditions):
            return any(meets(row, c) for c in conditions)
        case Not(inner):
            return not meets(row, inner)
        case In(field, values):
            return any(v in values for v in field_values(row, field))
        case IsSet(field):
            return len(field_values(row, field)) > 0
        case Comparison(field, Operator.NOT_EQUAL, value):
            return value not in field_values(row, field)
        case Comparison(field, how, value):
            return any(_compares(item, how, value, field == "tags") for item in field_values(row, field))


def _compares(item: Any, how: Operator, value: Scalar, in_list: bool) -> bool:
    if how is Operator.CONTAINS_IGNORE_CASE:
        return _compares(item.lower(), Operator.CONTAINS, str(value).lower(), in_list)
    if how is Operator.CONTAINS:
        return bool(item == value) if in_list else str(value) in item
    return _COMPARISONS[how](item, value)


def current(rows: Sequence[IndexRow]) -> Sequence[IndexRow]:
    """The newest version of each memory that is not deleted, by revision."""
    newest = {row.memory_id: row for row in rows}
    return sorted((r for r in newest.values() if r.change is not Change.DELETED), key=lambda r: r.revision)


class Oracle:
    """One space as of the last of some rows of its log."""

    def __init__(self, rows: Sequence[IndexRow]) -> None:
        self.live = current(rows)

    def select(self, condition: Condition | None, now: datetime) -> Sequence[IndexRow]:
        """The memories a search may return."""
        unexpired = [r for r in self.live if r.expire_time is None or r.expire_time > now]
        return [r for r in unexpired if condition is None or meets(r, condition)]

    def dense(self, query: Vector, depth: int, selected: Sequence[IndexRow]) -> list[int]:
        """Revisions by cosine."""
        return _best([(float(cosines(r.codes, query).max()), r) for r in selected], depth)

    def statistics(self, terms: Sequence[str]) -> TermStatistics:
        """Counts over all live memories."""
        counts = [sum(term in r.terms for r in self.live) for term in terms]
        return TermStatistics(len(self.live), sum(r.length for r in self.live), np.array(counts, np.int64))

    def lexical(
        self, terms: Sequence[str], statistics: TermStatistics, depth: int, selected: Sequence[IndexRow]
    ) -> list[int]:
        """Revisions by BM25."""
        scored = [(self.bm25(r, terms, statistics), r) for r in selected]
        return _best([(score, r) for score, r in scored if score > 0.0], depth)

    def bm25(self, row: IndexRow, terms: Sequence[str], statistics: TermStatistics) -> float:
        """The BM25 score of one memory."""
        counts = dict(zip(row.terms, row.frequencies, strict=True))
        mean, score = mean_length(statistics), 0.0
        for term, idf in zip(terms, inverse_document_frequencies(statistics).tolist(), strict=True):
            if term in counts:
                count, length = np.array([float(counts[term])]), np.array([float(row.length)])
                score += float(bm25_term(count, length, mean, idf)[0])
        return score

    def evidence(
        self,
        revisions: Sequence[int],
        query: Vector | None,
        terms: Sequence[str],
        statistics: TermStatistics | None,
        *,
        with_sessions: bool = False,
    ) -> Evidence:
        """What ranking needs to know."""
        by_revision = {r.revision: r for r in self.live}
        rows = [by_revision[revision] for revision in revisions]
        chunks = [np.full(1, np.nan) if query is None else cosines(r.codes, query) for r in rows]
        spans = [
            (-1, -1) if query is None or len(r.codes) == 1 else tuple(r.spans[int(c.argmax())])
            for r, c in zip(rows, chunks, strict=True)
        ]
        return Evidence(
            revisions=np.array(revisions, np.int64),
            memory_ids=[r.memory_id for r in rows],
            cosines=np.array([c.max() for c in chunks], np.float64),
            bm25=np.array([self.bm25(r, terms, statistics) if statistics else 0.0 for r in rows], np.float64),
            importances=np.array([r.importance for r in rows], np.float64),
            recency_times=np.array([(r.event_time or r.create_time).timestamp() for r in rows], np.float64),
            spans=np.array(spans, np.int32).reshape(-1, 2),
            matched=lambda place: np.array([t in rows[place].terms for t in terms], np.bool_),
            roles=np.array([r.role for r in rows], np.int8),
            given=np.array([r.importance_given for r in rows], np.bool_),
            balances=np.array([r.balance for r in rows], np.int64),
            messages=np.array([r.is_message for r in rows], np.bool_),
            sessions=self.session_texts(rows, terms) if with_sessions else None,
        )

    def sessions(self) -> dict[str, list[IndexRow]]:
        """The messages of each session in their order."""
        found: dict[str, list[IndexRow]] = {}
        for row in sorted(self.live, key=lambda r: r.created):
            if row.is_message:
                found.setdefault(row.session, []).append(row)
        return found

    def session_texts(self, rows: Sequence[IndexRow], terms: Sequence[str]) -> SessionTexts:
        """The sessions of these memories, each as one text."""
        texts = {name: _one_text(session) for name, session in self.sessions().items()}
        names = sorted({row.session for row in rows if row.is_message})
        places = [names.index(row.session) if row.is_message else -1 for row in rows]
        counts = [dict(zip(texts[name].terms, texts[name].frequencies, strict=True)) for name in names]
        table = [[float(count.get(term, 0)) for count in counts] for term in terms]
        lengths = [float(texts[name].length) for name in names]
        return SessionTexts(
            np.array(places, np.intp), np.array(lengths), np.array(table).reshape(len(terms), len(names))
        )

    def neighbours(self, revisions: Sequence[int]) -> list[list[int]]:
        """The messages before and after; 0 where there is none."""
        beside: dict[int, list[int]] = {}
        for session in self.sessions().values():
            numbers = [0, *(r.revision for r in session), 0]
            beside |= {numbers[i]: [numbers[i - 1], numbers[i + 1]] for i in range(1, len(numbers) - 1)}
        return [beside.get(revision, [0, 0]) for revision in revisions]


def _one_text(session: Sequence[IndexRow]) -> IndexRow:
    counts: Counter[str] = Counter()
    for row in session:
        counts.update(dict(zip(row.terms, row.frequencies, strict=True)))
    length = sum(row.length for row in session)
    return replace(session[0], terms=tuple(counts), frequencies=tuple(counts.values()), length=length)


def _best(scored: Sequence[tuple[float, IndexRow]], depth: int) -> list[int]:
    ordered = sorted(scored, key=lambda pair: (-pair[0], pair[1].memory_id))
    return [row.revision for _, row in ordered[:depth]]
