"""Searches a space in PostgreSQL, exactly: for spaces that are not hot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import (
    NO_FEEDBACK,
    Evidence,
    Path,
    Revisions,
    SessionTexts,
    Space,
    Surroundings,
    TermStatistics,
    Vector,
    balance,
)
from quipu_server.filters import Condition
from quipu_server.ports import Selection
from quipu_server.scoring import best, cosines
from quipu_server.store.cold_search import walk
from quipu_server.store.conditions import compile_condition
from quipu_server.store.conversation import (
    FREQUENCIES,
    LENGTHS,
    SESSION,
    SURROUNDINGS,
    to_session_texts,
    to_surroundings,
)
from quipu_server.store.database import Database
from quipu_server.store.listing import AS_OF, UNEXPIRED
from quipu_server.store.postings import Postings, to_postings
from quipu_server.store.rows import LIVE, VECTORS, decode_chunks, decode_revisions
from quipu_server.store.unembedded import count_unembedded

MARGIN = 16
"""Candidates fetched beyond those asked for, so that the edge is rarely too close to call at the first attempt."""

PLAN, PLAN_BY_INDEX, PLAN_AFTER_INDEX = "sql", "sql hnsw", "sql hnsw, sql"
"""See `SpaceAnswer.plan` in the API."""

EXACT_MEMORIES = 50_000
"""So many are compared one by one; more by the index of the space, if it has one."""

_SELECT = f"""
SELECT string_agg(int8send(r.revision), '' ORDER BY r.revision) FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND {AS_OF} AND {LIVE} AND {UNEXPIRED} AND {{condition}}
"""
# pgvector rounds a query to half precision when it is compared with half vectors.
_NEAREST = """
SELECT r.revision, v.cosine
FROM memory_revisions r CROSS JOIN LATERAL (
    SELECT max(-(v.embedding::vector <#> %(query)s::vector)) AS cosine FROM vectors v
    WHERE v.space_id = r.space_id AND v.fingerprint = %(fingerprint)s AND v.passage_id = r.passage_id
) v
WHERE r.space_id = %(space_id)s AND r.revision = ANY (%(revisions)s::bigint[]) AND v.cosine >= %(least)s
ORDER BY v.cosine DESC LIMIT %(limit)s
"""
_LENGTHS = f"""
SELECT count(*), coalesce(sum(p.length), 0)::bigint
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id
WHERE r.space_id = %(space_id)s AND {AS_OF} AND {LIVE}
"""
# The terms asked for that a passage p contains, and how often.
_FOUND = """
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(t.term), '{}') AS terms, coalesce(array_agg(t.frequency), '{}') AS frequencies
    FROM unnest(p.terms, p.frequencies) AS t (term, frequency) WHERE t.term = ANY (%(terms)s::text[])
) found
"""
_POSTINGS = f"""
SELECT r.revision, r.memory_id, p.length, found.terms, found.frequencies
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id {_FOUND}
WHERE r.space_id = %(space_id)s AND {AS_OF} AND {LIVE} AND found.terms <> '{{}}'
"""
_EVIDENCE = f"""
SELECT r.revision, r.memory_id, p.length, found.terms, found.frequencies,
       r.importance, coalesce(r.event_time, r.create_time), {SESSION}, r.role, r.importance_given, r.feedback,
       v.codes, v.spans
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id {_FOUND} {VECTORS}
WHERE r.space_id = %(space_id)s AND r.revision = ANY (%(revisions)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class StoreSelection:
    """Revisions, ascending."""

    revisions: Revisions

    @property
    def count(self) -> int | None:
        return len(self.revisions)


@dataclass(frozen=True, slots=True)
class Near:
    """Memories near a query: their cosines as PostgreSQL sums them, descending, and as they are."""

    revisions: Revisions
    approximate: Sequence[float]
    exact: NDArray[np.float64]
    memory_ids: Sequence[str]


class StoreView:
    """A `SearchView`."""

    path = Path.STORE
    is_aside = False

    def __init__(self, database: Database, space: Space, revision: int, exact_memories: int = EXACT_MEMORIES) -> None:
        self.space = space
        self.revision = revision
        self._database = database
        self._exact_memories = exact_memories
        self.plan = ""
        self._postings: Postings | None = None

    async def unembedded_count(self) -> int:
        async with self._database.transaction(self.space) as connection:
            return await count_unembedded(connection, self.space)

    async def select(self, condition: Condition | None, now: datetime) -> StoreSelection:
        predicate = compile_condition(condition)
        statement = _SELECT.format(condition=predicate.sql)
        rows = await self._read(statement, predicate.parameters | {"now": now})
        return StoreSelection(decode_revisions(rows[0][0]))

    async def dense(self, query: Vector, depth: int, selection: Selection) -> Revisions:
        if (found := await self._walk(query, depth, _revisions(selection))) is not None:
            return found
        near = await self._nearest(query, selection, -np.inf, depth + MARGIN)
        if len(near.revisions) == depth + MARGIN:
            # Whatever belongs to the best has at least this cosine, and PostgreSQL may find it that much lower.
            least = np.partition(near.exact, -depth)[-depth] - rounding_error(query)
            if near.approximate[-1] >= least:
                near = await self._nearest(query, selection, least, None)
        return best(near.revisions, near.exact, near.memory_ids, depth)

    async def statistics(self, terms: Sequence[str]) -> TermStatistics:
        postings = await self._find(terms)
        ((document_count, total_length),) = await self._read(_LENGTHS)
        return postings.statistics(document_count, total_length)

    async def lexical(
        self, terms: Sequence[str], statistics: TermStatistics, depth: int, selection: Selection
    ) -> Revisions:
        return (await self._find(terms)).best(statistics, depth, _revisions(selection))

    async def surroundings(self, revisions: Revisions, selection: Selection) -> Surroundings:
        rows = await self._read(SURROUNDINGS, {"revisions": revisions.tolist()})
        return to_surroundings(rows, revisions, _revisions(selection))

    async def evidence(
        self,
        revisions: Revisions,
        query: Vector | None,
        terms: Sequence[str],
        statistics: TermStatistics | None,
        *,
        with_sessions: bool = False,
    ) -> Evidence:
        asked = revisions.tolist()
        rows = await self._read(_EVIDENCE, {"revisions": asked, "terms": list(terms)})
        places = {revision: place for place, revision in enumerate(asked)}
        rows.sort(key=lambda row: places[row[0]])
        postings = to_postings((row[:5] for row in rows), terms)
        nearest = [_nearest_chunk(*decode_chunks(*row[11:]), query) for row in rows]
        texts = await self._session_texts([row[7] for row in rows], terms) if with_sessions else None
        return Evidence(
            revisions=postings.revisions,
            memory_ids=postings.memory_ids,
            cosines=np.array([cosine for cosine, _ in nearest], dtype=np.float64),
            bm25=np.zeros(len(rows)) if statistics is None else postings.scores(statistics),
            importances=np.array([row[5] for row in rows], dtype=np.float64),
            recency_times=np.array([row[6].timestamp() for row in rows], dtype=np.float64),
            spans=np.array([span for _, span in nearest], dtype=np.int32).reshape(-1, 2),
            matched=postings.matched().__getitem__,
            roles=np.array([row[8] for row in rows], dtype=np.int8),
            given=np.array([row[9] for row in rows], dtype=np.bool_),
            balances=np.array([balance(row[10] or NO_FEEDBACK) for row in rows], dtype=np.int64),
            messages=np.array([row[7] != "" for row in rows], dtype=np.bool_),
            sessions=texts,
        )

    async def _walk(self, query: Vector, depth: int, selected: Revisions) -> Revisions | None:
        """About the best by the index of the space; None when it has none, or the index gives less than there are."""
        self.plan = PLAN
        if len(selected) <= self._exact_memories:
            return None
        rows = await walk(self._database, self.space, self.revision, query, selected, 2 * (depth + MARGIN))
        if rows is None:
            return None
        revisions = np.unique(np.array(rows, dtype=np.int64))
        if len(revisions) < min(depth, len(selected)):
            self.plan = PLAN_AFTER_INDEX
            return None
        self.plan = PLAN_BY_INDEX
        evidence = await self.evidence(revisions, query, (), None)
        return best(revisions, evidence.cosines, evidence.memory_ids, depth)

    async def _nearest(self, query: Vector, selection: Selection, least: float, limit: int | None) -> Near:
        """Those found with a cosine of at least `least`; the first `limit` of them."""
        parameters = {"query": str(query.tolist()), "revisions": _revisions(selection).tolist()}
        rows = await self._read(_NEAREST, parameters | {"least": float(least), "limit": limit})
        revisions = np.array([revision for revision, _ in rows], dtype=np.int64)
        evidence = await self.evidence(revisions, query, (), None)
        return Near(revisions, [cosine for _, cosine in rows], evidence.cosines, evidence.memory_ids)

    async def _find(self, terms: Sequence[str]) -> Postings:
        """The postings of all live memories, read once for statistics and scores."""
        if self._postings is None or self._postings.asked != tuple(terms):
            rows = await self._read(_POSTINGS, {"terms": list(terms)})
            self._postings = to_postings(rows, terms)
        return self._postings

    async def _session_texts(self, sessions: Sequence[str], terms: Sequence[str]) -> SessionTexts:
        """The sessions of some memories, "" for what is no message, each as one text."""
        asked = {"sessions": sorted({*sessions} - {""}), "terms": list(terms)}
        return to_session_texts(sessions, terms, await self._read(LENGTHS, asked), await self._read(FREQUENCIES, asked))

    async def _read(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[Any]:
        common = {"space_id": self.space.id, "revision": self.revision, "fingerprint": self.space.fingerprint}
        async with self._database.transaction(self.space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, common | dict(parameters or {}), prepare=False)
            return await cursor.fetchall()


def rounding_error(query: Vector) -> float:
    """Bound of what a float32 sum of products differs from the exact cosine of unit vectors, in any order of summation.

    Higham, "Accuracy and Stability of Numerical Algorithms" (2002), section 3.1: n · u times the sum of the absolute
    products, which for unit vectors is 1 at most.
    """
    return (len(query) + 2) * 2.0**-24


def _revisions(selection: Selection) -> Revisions:
    assert isinstance(selection, StoreSelection), "a selection belongs to the view that made it"
    return selection.revisions


def _nearest_chunk(
    codes: NDArray[np.float16], spans: NDArray[np.int32], query: Vector | None
) -> tuple[float, tuple[int, int]]:
    """Cosine and span of the best chunk, the first of equal ones; the span is (-1, -1) when there is no other."""
    if query is None or not len(codes):
        return float("nan"), (-1, -1)
    products = cosines(codes, query)
    place = int(products.argmax())
    start, end = spans[place].tolist()
    return float(products[place]), (start, end) if len(codes) > 1 else (-1, -1)
