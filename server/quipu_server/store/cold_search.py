"""The vectors nearest to a query, by the index of a large space."""

from collections.abc import Sequence

from quipu_server.domain import Revisions, Space, Vector
from quipu_server.store.cold_indexes import has_index
from quipu_server.store.database import Database
from quipu_server.store.listing import AS_OF
from quipu_server.store.rows import LIVE

BREADTH = 200
"""Least `hnsw.ef_search`: recall@10 of 0.99 on real vectors."""
MOST_BREADTH = 1_000
"""What pgvector allows."""
SETTINGS = {
    # Goes on until enough rows meet the conditions, in the order of distance.
    "hnsw.iterative_scan": "strict_order",
    # There is no other way to the order: without statistics of the space the planner would sort all of it.
    "enable_sort": "off",
}

# The dimension is part of the expression that is indexed, and known only when the statement is made.
_WALK = f"""
SELECT r.revision FROM vectors v JOIN memory_revisions r ON r.space_id = v.space_id AND r.passage_id = v.passage_id
WHERE v.space_id = %(space_id)s AND v.fingerprint = %(fingerprint)s AND r.space_id = %(space_id)s
AND {AS_OF} AND {LIVE} AND r.revision = ANY (%(revisions)s::bigint[])
ORDER BY v.embedding::halfvec({{dimension}}) <#> %(query)s::halfvec({{dimension}}) LIMIT %(limit)s
"""


async def walk(
    database: Database, space: Space, revision: int, query: Vector, selected: Revisions, limit: int
) -> Sequence[int] | None:
    """At most `limit` of the selected revisions, about the nearest, one for each chunk; None when there is no index."""
    parameters = {
        "space_id": space.id,
        "fingerprint": space.fingerprint,
        "revision": revision,
        "revisions": selected.tolist(),
        "query": str(query.tolist()),
        "limit": limit,
    }
    settings = SETTINGS | {"hnsw.ef_search": str(min(max(BREADTH, 2 * limit), MOST_BREADTH))}
    async with database.transaction(space) as connection:
        if not await has_index(connection, space):
            return None
        for name, value in settings.items():
            await connection.execute("SELECT set_config(%s, %s, TRUE)", (name, value), prepare=True)
        # Not prepared: that the index serves is proven from the values of space and fingerprint.
        statement = _WALK.format(dimension=len(query))
        rows = await (await connection.execute(statement, parameters, prepare=False)).fetchall()
        for name, value in settings.items():
            row = await (await connection.execute("SELECT current_setting(%s)", (name,), prepare=True)).fetchone()
            assert row == (value,), f"{name} did not take effect: {row}"
    return [found for (found,) in rows]
