"""Quipu as a store of LangGraph: `pip install quipu[langgraph]`."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeAlias, TypeVar

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from quipu.adapters import langgraph_items as items
from quipu.adapters.langgraph_filters import below, does_match, meets, narrow
from quipu.adapters.missing import unless_missing
from quipu.adapters.upserts import put_all
from quipu.client import SyncClient
from quipu.errors import NotFound
from quipu.searches import Mode
from quipu.v1.memory_pb2 import Memory

ItemT = TypeVar("ItemT", bound=Item)
Found: TypeAlias = tuple[Memory, SearchItem]

MOST_HITS = 1_000
"""Of one search."""

FRESH = 0.9
"""An item with more than this share of its time left is not given more of it, which would be a write for every read."""


class QuipuStore(BaseStore):
    """Items as memories of one space; their namespaces and keys are metadata.

    A value is JSON, of at most 32 KiB; where only some fields of it are indexed, of some 12 KiB. The server embeds; a
    search with a query is by meaning and words, finds what is indexed, and gives 1,000 items at most. Expired items are
    gone at once, without a sweep. Namespaces are listed by reading all items below their prefix. Async calls run the
    blocking client in threads.

    client: stays open; whoever made it closes it.
    space: default: that of the client.
    fields: paths within values whose texts are indexed, unless `put` says others; default: the whole value.
    ttl: defaults for the time to live.
    mode: how to search; default hybrid.
    """

    supports_ttl = True

    def __init__(
        self,
        client: SyncClient,
        *,
        space: str | None = None,
        fields: Sequence[str] = ("$",),
        ttl: TTLConfig | None = None,
        mode: Mode | None = None,
    ) -> None:
        self._client = client
        self._space = space
        self._fields = fields
        self._mode = mode
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations, at first what reads. Of several writes of a key the last one counts."""
        operations = list(ops)
        found = self._get([op for op in operations if isinstance(op, GetOp)])
        results = [self._read(op, found) for op in operations]
        self._write({items.memory_id(op.namespace, op.key): op for op in operations if isinstance(op, PutOp)})
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await asyncio.to_thread(self.batch, list(ops))

    def _read(self, op: Op, found: Mapping[str, Memory]) -> Result:
        match op:
            case GetOp():
                memory = found.get(items.memory_id(op.namespace, op.key))
                return memory and self._touched(items.to_item(memory), memory, op.refresh_ttl)
            case SearchOp():
                return self._search(op)
            case ListNamespacesOp():
                return self._namespaces(op)
            case PutOp():
                return None
        raise ValueError(f"{op!r} is no operation")

    def _get(self, ops: Sequence[GetOp]) -> Mapping[str, Memory]:
        return self._existing([items.memory_id(op.namespace, op.key) for op in ops])

    def _existing(self, ids: Sequence[str]) -> Mapping[str, Memory]:
        return unless_missing(lambda: self._client.get_many(ids, space=self._space), {})

    def _search(self, op: SearchOp) -> list[SearchItem]:
        page: list[Found] = unless_missing(lambda: self._found(op) if op.query else _page(op, self._listed(op)), [])
        return [self._touched(item, memory, op.refresh_ttl) for memory, item in page]

    def _listed(self, op: SearchOp) -> Iterator[Found]:
        """All items that may be meant, those changed last first."""
        filter, size = narrow(op.namespace_prefix, op.filter), _most(op)
        listed = self._client.list(
            space=self._space, filter=filter, order_by="update_time", descending=True, page_size=size
        )
        return ((memory, items.to_search_item(memory, None)) for memory in listed)

    def _found(self, op: SearchOp) -> list[Found]:
        """The best indexed items. When the server cannot tell all of what is meant, as many as may be are looked at."""
        filter = narrow(op.namespace_prefix, op.filter, is_indexed=True)
        page: list[Found] = []
        for most in (_most(op), MOST_HITS):
            hits = self._client.search(op.query, space=self._space, k=most, filter=filter, mode=self._mode).all()
            page = _page(op, ((hit.memory, items.to_search_item(hit.memory, hit.score)) for hit in hits))
            if len(page) == op.limit or len(hits) < most:
                break
        return page

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        conditions = op.match_conditions or ()
        prefixes = [c.path for c in conditions if c.match_type == "prefix" and "*" not in c.path]
        found: set[items.Namespace] = unless_missing(lambda: self._namespaces_below(prefixes), set())
        matching = {ns[: op.max_depth] for ns in found if all(does_match(condition, ns) for condition in conditions)}
        return sorted(matching)[op.offset : op.offset + op.limit]

    def _namespaces_below(self, prefixes: Sequence[items.Namespace]) -> set[items.Namespace]:
        listed = self._client.list(space=self._space, filter=below(prefixes), page_size=MOST_HITS)
        return {items.namespace_of(memory) for memory in listed}

    def _write(self, ops: Mapping[str, PutOp]) -> None:
        for key in [key for key, op in ops.items() if op.value is None]:
            self._client.delete(key, space=self._space, allow_missing=True)
        drafts = {key: items.draft(key, op, self._fields) for key, op in ops.items() if op.value is not None}
        put_all(self._client, self._space, drafts)

    def _touched(self, item: ItemT, memory: Memory, refresh: bool) -> ItemT:
        """The item, after it was given its time to live anew."""
        if refresh and (expire_time := _extended(items.ttl_of(memory), memory)):
            with suppress(NotFound):  # deleted meanwhile
                self._client.update(memory, expire_time=expire_time)
        return item


def _most(op: SearchOp) -> int:
    """How many items it takes if all that may be meant are."""
    return min(MOST_HITS, max(1, op.offset + op.limit))


def _page(op: SearchOp, found: Iterable[Found]) -> list[Found]:
    """Those that are meant, as many as were asked for."""
    meant = (each for each in found if meets(each[1].value, op.filter or {}))
    return list(islice(meant, op.offset, op.offset + op.limit))


def _extended(ttl: timedelta | None, memory: Memory) -> datetime | None:
    """When it expires if its time begins now; None when that is not needed."""
    if ttl is None:
        return None
    now = datetime.now(UTC)
    return now + ttl if memory.expire_time.ToDatetime(UTC) - now < ttl * FRESH else None
