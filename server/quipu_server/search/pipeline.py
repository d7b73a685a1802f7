"""The pipeline: freshen and embed side by side, gather, fuse, admit, rank, hydrate, stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from quipu_server.domain import Head, Memory, Mode, Path, Space
from quipu_server.errors import NotFound
from quipu_server.measuring import Measurements, Meter
from quipu_server.passages import Passages
from quipu_server.ports import Analyser, Embedder, Lane, MemoryStore, SearchView, SearchViews
from quipu_server.search.context import ContextRun, Contexts, slices
from quipu_server.search.freshness import Freshness, mixed_models
from quipu_server.search.gathering import Probe, Quarry, gather, sum_statistics
from quipu_server.search.hits import make_hit
from quipu_server.search.hydration import Hydration
from quipu_server.search.query import Answer, ScoredHit, SearchQuery, SearchSlice, Summary
from quipu_server.search.ranking import Pool, Ranked, rank
from quipu_server.search.stopwatch import Stopwatch
from quipu_server.uses import Uses
from quipu_server.weights import DEFAULTS, Formula, RankingWeights

WINDOW = 100
"""How many of the best of each list are gathered and scaled, unless more hits are asked for."""

ATTEMPTS = 3
"""How often a search is made when memories it found were changed before they were read."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Ranked candidates, where they come from, and the head of the first space."""

    quarries: Sequence[Quarry]
    ranked: Ranked
    head: Head
    unembedded: Sequence[int]


class Search:
    """Finds memories."""

    def __init__(
        self,
        freshness: Freshness,
        store: MemoryStore,
        views: SearchViews,
        embedder: Embedder,
        analyser: Analyser,
        passages: Passages,
        contexts: Contexts,
        uses: Uses,
        meter: Meter | None = None,
    ) -> None:
        self._freshness = freshness
        self._store = store
        self._hydration = Hydration(store)
        self._views = views
        self._embedder = embedder
        self._analyser = analyser
        self._passages = passages
        self._meter = meter or Measurements()
        self._contexts = contexts
        self._uses = uses

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchSlice]:
        """Yield the hits in their final order; the last slice carries the summary.

        Raises NotFound, FailedPrecondition for a vector or spaces of another model, OutOfRange, Overloaded.
        """
        mode = query.mode or (Mode.DENSE if query.vector is not None else Mode.HYBRID)
        watch = Stopwatch()
        found, hits = await self._find_and_hydrate(query, mode, watch)
        runs: Sequence[ContextRun] = ()
        if query.expand_context:
            with watch.stage("context"):
                runs = await self._contexts.around(hits, query.expand_context, query.as_of)
        self._count(hits)
        summary = _summarise(query, found, len(hits), watch)
        self._meter.searched(_path(found), watch.stages, watch.elapsed)
        for part in slices(hits, runs, summary):
            yield part

    async def _find_and_hydrate(
        self, query: SearchQuery, mode: Mode, watch: Stopwatch
    ) -> tuple[_Found, Sequence[ScoredHit]]:
        """Search; search anew, at a fresh head, when memories that were found changed before they were read."""
        attempt = 1
        while True:
            found = await self._find(query, mode, watch)
            with watch.stage("hydrate"):
                hits = await self._hydrate(query, found)
            if attempt == ATTEMPTS or len(hits) == min(query.k, len(found.ranked.scores)):
                return found, hits
            query = replace(query, max_staleness_s=None)
            attempt += 1

    async def _find(self, query: SearchQuery, mode: Mode, watch: Stopwatch) -> _Found:
        probe, fresh = await self._look(query, mode, watch)
        head = fresh[0][1]
        with watch.stage("filter"):
            formula = query.ranking.formula or fresh[0][0].space.ranking.formula or Formula.QUIPU
            quarries = [await self._quarry(query, probe, view, head, formula) for view, _ in fresh]
        depth = max(WINDOW, query.k) + (probe.example is not None)
        with watch.stage("lexical"):
            statistics = await sum_statistics(quarries)
        pools = [await gather(q, probe, s, depth, watch) for q, s in zip(quarries, statistics, strict=True)]
        unembedded = [0 if probe.vector is None else await q.view.unembedded_count() for q in quarries]
        with watch.stage("rank"):
            pools = [await self._with_uses(pool) if pool.weights.use else pool for pool in pools]
            ranked = rank(pools, mode, max(WINDOW, query.k), query.min_relevance, head.now)
            return _Found(quarries, ranked, head, unembedded)

    async def _look(
        self, query: SearchQuery, mode: Mode, watch: Stopwatch
    ) -> tuple[Probe, Sequence[tuple[SearchView, Head]]]:
        """What to look for and where: side by side when the query has to be embedded."""
        if query.vector is not None:
            fresh = await self._freshen(query, mode, watch)
            return await self._probe(query, mode, watch, fresh), fresh
        freshening = asyncio.create_task(self._freshen(query, mode, watch))
        try:
            probe, fresh = await self._probe(query, mode, watch), await freshening
        except BaseException:
            freshening.cancel()
            await asyncio.gather(freshening, return_exceptions=True)  # both may fail; one error is enough
            raise
        if probe.is_of(home := fresh[0][0].space):
            return probe, fresh
        # The space was known as it was before its model changed.
        probe = await self._probe(query, mode, watch, fresh)
        if not probe.is_of(home):
            assert probe.example is not None, "what is not an example is of the first space"
            raise mixed_models(home, await self._freshness.space(query.tenant, probe.example[0]))
        return probe, fresh

    async def _freshen(self, query: SearchQuery, mode: Mode, watch: Stopwatch) -> Sequence[tuple[SearchView, Head]]:
        """A view of each space that has come as far as the query asks."""
        with watch.stage("freshen"):
            found = await self._freshness.resolve(query)
            if mode is not Mode.LEXICAL:
                self._freshness.check_models([space for space, _ in found])
            return [(await self._view(query, space, head), head) for space, head in found]

    async def _view(self, query: SearchQuery, space: Space, head: Head) -> SearchView:
        return (
            self._views.past(space, head.revision) if space.name in query.as_of else await self._views.view(space, head)
        )

    async def _probe(
        self, query: SearchQuery, mode: Mode, watch: Stopwatch, fresh: Sequence[tuple[SearchView, Head]] = ()
    ) -> Probe:
        """What to look for, as far as the mode needs it. fresh: the spaces as they are; else as they were last read."""
        with watch.stage("embed"):
            known = {view.space.name: view.space for view, _ in fresh}
            name = query.example[0] if query.example else query.spaces[0]
            space = known.get(name) or await self._freshness.space(query.tenant, name)
            if query.example is not None:
                return await self._probe_like(space, query.example, mode)
            if query.vector is not None:
                return Probe(vector=self._passages.scale(space, query.vector), fingerprint=space.fingerprint)
            text = query.text or ""
            vector = None if mode is Mode.LEXICAL else await self._embedder.embed_query(space.model, text)
            return Probe(vector, None if mode is Mode.DENSE else text, fingerprint=space.fingerprint)

    async def _probe_like(self, space: Space, example: tuple[str, str], mode: Mode) -> Probe:
        """The text of a memory and the mean of its vectors."""
        memory = (await self._store.latest(space, [example[1]])).get(example[1])
        if memory is None or memory.is_deleted:
            raise NotFound("memory", f"{space.resource_name}/memories/{example[1]}")
        text = None if mode is Mode.DENSE else memory.fields.header + memory.fields.content
        if mode is Mode.LEXICAL:
            return Probe(None, text, example)
        vectors = await self._store.vectors(space, memory.passage_id)
        if not len(vectors):
            vectors = (await self._passages.make(space, [memory.fields], [None], Lane.QUERY))[0].vectors
        vector = self._passages.scale(space, vectors.mean(axis=0))
        return Probe(vector, text, example, space.fingerprint)

    async def _quarry(self, query: SearchQuery, probe: Probe, view: SearchView, head: Head, formula: Formula) -> Quarry:
        selection = await view.select(query.condition, head.now)
        return Quarry(
            view, selection, self._terms(probe, view.space), _complete(query.ranking, view.space.ranking, formula)
        )

    def _terms(self, probe: Probe, space: Space) -> tuple[str, ...]:
        """The distinct analysed words of the query in the order they first occur."""
        return tuple(dict.fromkeys(self._analyser.terms(probe.text, space.language))) if probe.text else ()

    async def _with_uses(self, pool: Pool) -> Pool:
        """How often its candidates were found is read from the store: it is in no index, as it is in no log."""
        uses = await self._uses.of(pool.space, pool.evidence.memory_ids)
        counts = [uses[key].count if key in uses else 0 for key in pool.evidence.memory_ids]
        return replace(pool, uses=np.array(counts, np.int64))

    def _count(self, hits: Sequence[ScoredHit]) -> None:
        for space in {hit.space.id: hit.space for hit in hits}.values():
            self._uses.count(space, [hit.memory.memory_id for hit in hits if hit.space.id == space.id])

    async def _hydrate(self, query: SearchQuery, found: _Found) -> Sequence[ScoredHit]:
        """Those of the best k that the database still holds as they were found."""
        ranked = found.ranked
        count = min(query.k, len(ranked.scores))
        memories: dict[tuple[int, int], Memory] = {}
        for number, pool in enumerate(ranked.pools):
            places = ranked.places[:count][ranked.pool_numbers[:count] == number]
            if len(places):
                past = pool.space.name in query.as_of
                revisions = pool.evidence.revisions[places]
                read = await self._hydration.read(pool.space, revisions, found.head.now, past=past)
                memories |= {(number, revision): memory for revision, memory in read.items()}
        hits = (make_hit(found.quarries, ranked, i, memories, explain=query.explain) for i in range(count))
        return [hit for hit in hits if hit is not None]


def _path(found: _Found) -> Path:
    """What answered: memory, if all spaces were there."""
    return Path.HOT if all(quarry.view.path is Path.HOT for quarry in found.quarries) else Path.STORE


@lru_cache(maxsize=1024)
def _complete(asked: RankingWeights, own: RankingWeights, formula: Formula) -> RankingWeights:
    """The weights of a space for a search, without gaps. All spaces have one formula, so that scores compare."""
    return replace(asked.over(own.over(DEFAULTS[formula])), formula=formula)


def _summarise(query: SearchQuery, found: _Found, hit_count: int, watch: Stopwatch) -> Summary:
    answers = tuple(
        Answer(
            q.view.space.name,
            q.view.revision,
            q.view.path,
            q.selection.count if query.condition else None,
            q.view.plan if query.explain else "",
            unembedded,
        )
        for q, unembedded in zip(found.quarries, found.unembedded, strict=True)
    )
    stages = tuple(watch.stages.items()) if query.explain else ()
    return Summary(hit_count, answers, found.head.now, found.quarries[0].weights, stages)
