"""The query of a page of memories."""

from collections.abc import Mapping

from quipu_server.ports import ListQuery
from quipu_server.store.conditions import compile_condition
from quipu_server.store.rows import MEMORY_COLUMNS

AS_OF = "r.revision <= %(revision)s AND (r.ended IS NULL OR r.ended > %(revision)s)"
UNEXPIRED = "(r.expire_time IS NULL OR r.expire_time > %(now)s)"

_ORDERS = {"create_time": "create_time", "update_time": "update_time", "event_time": "event_time"}


def compile_listing(query: ListQuery) -> tuple[str, Mapping[str, object]]:
    """The statement, which gives MEMORY_COLUMNS, and its parameters."""
    predicate = compile_condition(query.condition)
    order = f"r.{_ORDERS[query.order_by]} {'DESC' if query.descending else 'ASC'} NULLS LAST, r.memory_id"
    filters = ["r.space_id = %(space_id)s", AS_OF, UNEXPIRED, predicate.sql, _after(query)]
    hidden = [8, *([] if query.show_deleted else [3]), *([] if query.show_archived else [6])]
    filters.append(f"r.change NOT IN ({', '.join(map(str, hidden))})")
    # The page is cut before its content is read.
    page = f"SELECT * FROM memory_revisions r WHERE {' AND '.join(filters)} ORDER BY {order} LIMIT %(limit)s"
    statement = f"SELECT {MEMORY_COLUMNS} FROM ({page}) r ORDER BY {order}"
    time, memory_id = query.after or (None, "")
    parameters = {
        "space_id": query.space.id,
        "revision": query.revision,
        "now": query.now,
        "after_time": time,
        "after_id": memory_id,
        "limit": query.limit,
    }
    return statement, parameters | predicate.parameters


def _after(query: ListQuery) -> str:
    """Rows beyond the last one of the page before."""
    if query.after is None:
        return "TRUE"
    column = f"r.{_ORDERS[query.order_by]}"
    same = "r.memory_id > %(after_id)s"
    if query.after[0] is None:
        return f"({column} IS NULL AND {same})"
    beyond = "<" if query.descending else ">"
    return f"({column} IS NULL OR {column} {beyond} %(after_time)s OR ({column} = %(after_time)s AND {same}))"
