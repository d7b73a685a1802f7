"""Rows of the database as objects of the domain."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import (
    NO_FEEDBACK,
    Change,
    IndexRow,
    Kind,
    Memory,
    MemoryFields,
    Role,
    Space,
    SpaceStatus,
    balance,
)
from quipu_server.store.metadata import decode_metadata
from quipu_server.weights import Formula, RankingWeights

LIVE = "r.change NOT IN (3, 6, 8)"
"""A memory_revisions r that searches may find: not deleted, archived or erased."""

CONTENT = "(SELECT p.content FROM passages p WHERE p.space_id = r.space_id AND p.passage_id = r.passage_id)"
"""The content of a memory_revisions r. As a subquery it can only be read by its key."""

MEMORY_COLUMNS = f"""
    r.memory_id, r.revision, r.created, r.change, r.passage_id, r.create_time, r.update_time, {CONTENT}, r.kind, r.role,
    r.speaker, r.session, r.tags, r.metadata, r.importance, r.event_time, r.expire_time, r.importance_given, r.feedback
"""
"""What `to_memory` takes, from memory_revisions r."""

SPACE_COLUMNS = """
    s.space_id, s.tenant, s.name, s.model, s.fingerprint, s.language, s.display_name, s.ranking, s.version,
    s.create_time, s.update_time, s.previous_model
"""
"""What `to_space` takes, from spaces s."""

VECTORS = f"""
CROSS JOIN LATERAL (
    SELECT string_agg(halfvec_send(v.embedding), '' ORDER BY v.chunk) AS codes,
           string_agg(int4send(v.span_start) || int4send(v.span_end), '' ORDER BY v.chunk) AS spans
    FROM vectors v
    WHERE v.space_id = r.space_id AND v.fingerprint = %(fingerprint)s AND v.passage_id = r.passage_id
    AND {LIVE}
) v
"""
"""Joins the vectors of a memory_revisions r, for `decode_chunks`; NULL for what is not live."""

_KINDS = {kind.value: kind for kind in Kind}
_ROLES = {role.value: role for role in Role}
_CHANGES = {change.value: change for change in Change}
_VECTOR_HEADER = 2
"""Numbers of 16 bits before those of a half vector: its dimension, and one that is not used."""


def to_memory(row: Sequence[Any]) -> Memory:
    """The memory of a row of MEMORY_COLUMNS."""
    memory_id, revision, created, change, passage_id, create_time, update_time, content, *rest = row
    kind, role, speaker, session, tags, metadata, importance, event_time, expire_time, given, feedback = rest
    fields = MemoryFields(
        content,
        _KINDS[kind],
        _ROLES[role],
        speaker,
        session,
        tuple(tags),
        decode_metadata(metadata),
        importance,
        event_time,
        expire_time,
        given,
        tuple(feedback or NO_FEEDBACK),
    )
    return Memory(memory_id, fields, revision, created, passage_id, create_time, update_time, _CHANGES[change])


def to_space(row: Sequence[Any]) -> Space:
    """The space of a row of SPACE_COLUMNS."""
    space_id, tenant, name, model, fingerprint, language, display_name, ranking, *rest = row
    version, create_time, update_time, previous_model = rest
    return Space(
        space_id,
        tenant,
        name,
        model,
        fingerprint,
        language,
        display_name,
        decode_ranking(ranking),
        version,
        create_time,
        update_time,
        previous_model,
    )


def to_space_status(row: Sequence[Any]) -> SpaceStatus:
    """The status of a row of SPACE_COLUMNS, revision, memory count."""
    *space, revision, memory_count = row
    return SpaceStatus(to_space(space), revision, memory_count)


def decode_ranking(document: Mapping[str, Any]) -> RankingWeights:
    """The weights of a document of `encode_ranking`."""
    formula = document.get("formula")
    return RankingWeights(**{**document, "formula": formula and Formula(formula)})


def encode_ranking(weights: RankingWeights) -> dict[str, float | str]:
    """The weights that are given, as JSON."""
    return {name: value for name, value in asdict(weights).items() if value is not None}


def encode_space(space: Space) -> dict[str, object]:
    """A space as JSON, for `decode_space`."""
    document = asdict(space) | {"id": str(space.id), "ranking": encode_ranking(space.ranking)}
    times = {name: _encode_time(document[name]) for name in ("create_time", "update_time")}
    return document | times


def decode_space(document: Mapping[str, Any]) -> Space:
    """The space of a document of `encode_space`."""
    times = {name: _decode_time(document[name]) for name in ("create_time", "update_time")}
    ranking = decode_ranking(document["ranking"])
    return Space(**{**document, **times, "id": UUID(document["id"]), "ranking": ranking})


def decode_chunks(
    codes: bytes | None, spans: bytes | None, dimension: int | None = None
) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Codes (chunks, dimension) and spans (chunks, 2) of VECTORS. dimension: where there are none."""
    if codes is None or spans is None:
        return np.empty((0, dimension or 0), dtype=np.float16), np.empty((0, 2), dtype=np.int32)
    decoded_spans = np.frombuffer(spans, dtype=">i4").reshape(-1, 2).astype(np.int32)
    return decode_vectors(codes, len(decoded_spans)), decoded_spans


def decode_vectors(data: bytes, count: int) -> NDArray[np.float16]:
    """Half vectors, at least one, sent one after the other; shape (count, dimension)."""
    rows = np.frombuffer(data, dtype=">f2").reshape(count, -1)
    return rows[:, _VECTOR_HEADER:].astype(np.float16)


def decode_revisions(data: bytes | None) -> NDArray[np.int64]:
    """Revisions sent one after the other; None when there are none."""
    return np.frombuffer(data or b"", dtype=">i8").astype(np.int64)


def _encode_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _decode_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


INDEX_COLUMNS = f"""
    r.revision, r.created, r.nonce, r.memory_id, r.change, r.kind, r.role, r.speaker, r.session, r.tags, r.importance,
    r.event_time, r.expire_time, r.create_time, r.update_time, p.terms, p.frequencies, p.length, v.codes, v.spans,
    CASE WHEN v.codes IS NULL AND {LIVE} THEN (
        SELECT u.dimension FROM unembedded u WHERE u.space_id = r.space_id AND u.passage_id = r.passage_id
    ) END, r.importance_given, r.feedback
"""
"""What `to_index_row` takes, from memory_revisions r, its passages p, and its VECTORS."""


def to_index_row(row: Sequence[Any]) -> IndexRow:
    """The index row of a row of INDEX_COLUMNS."""
    revision, created, nonce, memory_id, change, kind, role, speaker, session, tags, *rest = row
    importance, event_time, expire_time, create_time, update_time, *rest = rest
    terms, frequencies, length, codes, spans, dimension, given, feedback = rest
    return IndexRow(
        revision,
        created,
        nonce,
        memory_id,
        _CHANGES[change],
        _KINDS[kind],
        _ROLES[role],
        speaker,
        session,
        tuple(tags),
        importance,
        event_time,
        expire_time,
        create_time,
        update_time,
        terms,
        frequencies,
        length,
        *decode_chunks(codes, spans, dimension),
        given,
        balance(feedback or NO_FEEDBACK),
    )
