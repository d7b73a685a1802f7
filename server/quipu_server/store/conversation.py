"""The messages of a space by session, read from PostgreSQL: neighbours, and the words of whole sessions."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from quipu_server.domain import Kind, Revisions, SessionTexts, Surroundings
from quipu_server.store.listing import AS_OF
from quipu_server.store.rows import LIVE

MESSAGE = f"r.session <> '' AND r.kind = {Kind.EPISODIC.value}"
"""Whether a memory_revisions r is a message."""

NO_SESSION = -1

SESSION = f"CASE WHEN {MESSAGE} THEN r.session ELSE '' END"
"""The session of a message; "" for what is none."""

LENGTHS = f"""
SELECT r.session, sum(p.length)::bigint
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id
WHERE r.space_id = %(space_id)s AND r.session = ANY (%(sessions)s::text[]) AND {AS_OF} AND {LIVE} AND {MESSAGE}
GROUP BY r.session
"""
"""The words of some sessions: of their live messages."""

FREQUENCIES = f"""
SELECT r.session, t.term, sum(t.frequency)::bigint
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id
CROSS JOIN LATERAL unnest(p.terms, p.frequencies) AS t (term, frequency)
WHERE r.space_id = %(space_id)s AND r.session = ANY (%(sessions)s::text[]) AND {AS_OF} AND {LIVE} AND {MESSAGE}
  AND t.term = ANY (%(terms)s::text[])
GROUP BY r.session, t.term
"""
"""How often some terms occur in them."""

_BESIDE = f"""
SELECT r.revision FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.session = m.session AND {AS_OF} AND {LIVE} AND {MESSAGE}
"""
SURROUNDINGS = f"""
SELECT m.revision,
    coalesce(({_BESIDE} AND r.created < m.created ORDER BY r.created DESC LIMIT 1), 0),
    coalesce(({_BESIDE} AND r.created > m.created ORDER BY r.created LIMIT 1), 0)
FROM (
    SELECT r.revision, r.session, r.created FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.revision = ANY (%(revisions)s::bigint[]) AND {MESSAGE}
) m
"""
"""Of the messages among some revisions, the ones before and after: each is the next entry of an index, whatever
PostgreSQL knows of the table, and however long the session is."""


def to_session_texts(
    sessions: Sequence[str],
    terms: Sequence[str],
    lengths: Iterable[tuple[str, int]],
    frequencies: Iterable[tuple[str, str, int]],
) -> SessionTexts:
    """The sessions of some candidates; "" for what is no message. lengths, frequencies: rows of these statements."""
    words = dict(lengths)
    places = {name: place for place, name in enumerate(words)}
    rows = {term: row for row, term in enumerate(terms)}
    table = np.zeros((len(terms), len(words)))
    for name, term, frequency in frequencies:
        table[rows[term], places[name]] = frequency
    of_each = np.array([places.get(name, NO_SESSION) for name in sessions], dtype=np.intp)
    return SessionTexts(of_each, np.array(list(words.values()), dtype=np.float64), table)


def to_surroundings(rows: Iterable[Sequence[Any]], revisions: Revisions, selected: Revisions) -> Surroundings:
    """Of these revisions. rows: of SURROUNDINGS. selected: ascending, those a search may return."""
    found = {revision: (before, after) for revision, before, after in rows}
    beside = np.array([found.get(revision, (0, 0)) for revision in revisions.tolist()], dtype=np.int64).reshape(-1, 2)
    return Surroundings(beside, np.isin(beside, selected) & (beside > 0))
