"""The messages of a space by session, read from PostgreSQL: neighbours, and the words of whole sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Kind, Revisions, Surroundings, TermStatistics
from quipu_server.scoring import session_scores
from quipu_server.store.listing import AS_OF
from quipu_server.store.postings import Postings
from quipu_server.store.rows import LIVE

MESSAGE = f"r.session <> '' AND r.kind = {Kind.EPISODIC.value}"
"""Whether a memory_revisions r is a message."""

SESSION = f"CASE WHEN {MESSAGE} THEN r.session ELSE '' END"
"""The session of a message; "" for what is none."""

LENGTHS = f"""
SELECT r.session, sum(p.length)::bigint
FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id
WHERE r.space_id = %(space_id)s AND {AS_OF} AND {LIVE} AND {MESSAGE} GROUP BY r.session
"""
"""The sessions that have live messages, and their words."""

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


@dataclass(frozen=True, slots=True)
class SessionPostings:
    """How often each term occurs in each session: shape (terms, sessions). lengths: words of each session."""

    asked: tuple[str, ...]
    names: Sequence[str]
    lengths: NDArray[np.float64]
    frequencies: NDArray[np.float64]

    def statistics(self) -> TermStatistics:
        """Statistics of a space whose documents are sessions."""
        counts = np.count_nonzero(self.frequencies, axis=1)
        return TermStatistics(len(self.names), int(self.lengths.sum()), counts)

    def scores(self, statistics: TermStatistics) -> Mapping[str, float]:
        """BM25 of each session."""
        scores = session_scores(self.frequencies, self.lengths, statistics)
        return dict(zip(self.names, scores.tolist(), strict=True))


def to_session_postings(
    postings: Postings, sessions: Sequence[str], lengths: Iterable[tuple[str, int]]
) -> SessionPostings:
    """From the postings of all memories. sessions: of each; "" for what is no message. lengths: rows of LENGTHS."""
    names, words = zip(*lengths, strict=True) if (lengths := list(lengths)) else ((), ())
    places = {name: place for place, name in enumerate(names)}
    columns = np.array([places.get(session, len(names)) for session in sessions], dtype=np.intp)
    frequencies = np.zeros((len(postings.asked), len(names) + 1))  # the last column is for what is no message
    np.add.at(frequencies, (postings.terms, columns[postings.rows]), postings.frequencies)
    return SessionPostings(postings.asked, names, np.array(words, dtype=np.float64), frequencies[:, :-1])


def to_surroundings(rows: Iterable[Sequence[Any]], revisions: Revisions, selected: Revisions) -> Surroundings:
    """Of these revisions. rows: of SURROUNDINGS. selected: ascending, those a search may return."""
    found = {revision: (before, after) for revision, before, after in rows}
    beside = np.array([found.get(revision, (0, 0)) for revision in revisions.tolist()], dtype=np.int64).reshape(-1, 2)
    return Surroundings(beside, np.isin(beside, selected) & (beside > 0))
