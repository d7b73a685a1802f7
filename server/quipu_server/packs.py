"""The use case of packing: a text for a prompt, made of a session and of what a search finds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from quipu_server.packing import NUMBER, Candidate, Source, Written, choose, without_repetitions, write
from quipu_server.ports import Embedder
from quipu_server.search import ScoredHit, Search, SearchQuery, Summary
from quipu_server.search.context import ContextRun
from quipu_server.sessions import Budget, Sessions, SessionTarget, Window
from quipu_server.spaces import Spaces


@dataclass(frozen=True, slots=True)
class PackQuery:
    """What to pack. session: whose newest messages end the text, in one of the spaces of the search.

    model: that counts tokens; "" is that of the first space. window: of the session.
    """

    search: SearchQuery
    token_budget: int
    window: Budget
    session: SessionTarget | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """A text within the budget. left_out: what had no room, best first, with its tokens, about."""

    written: Written
    token_count: int
    model: str
    left_out: Sequence[tuple[Candidate, int]]
    has_older: bool
    summary: Summary


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search found."""

    hits: Sequence[ScoredHit]
    runs: Sequence[ContextRun]
    summary: Summary


class Packs:
    """Makes texts for prompts."""

    def __init__(self, search: Search, sessions: Sessions, spaces: Spaces, embedder: Embedder) -> None:
        self._search = search
        self._sessions = sessions
        self._spaces = spaces
        self._embedder = embedder

    async def pack(self, query: PackQuery) -> Pack:
        """The text. Raises what searching raises, and NotFound for the session or the model."""
        home = await self._spaces.find(query.search.tenant, query.search.spaces[0])
        model = self._embedder.model(query.model or home.model).name
        found, window = await asyncio.gather(self._find(query.search), self._window(query))
        candidates = without_repetitions([*await self._newest(query, window), *_found(query.search.spaces, found)])
        costs = await self._costs(model, candidates)
        budget = query.token_budget
        window_budget = budget if query.window.tokens is None else query.window.tokens
        chosen = choose(candidates, costs, budget, window_budget)
        written, token_count = await self._write(model, chosen, budget, _last(query))
        kept = {candidate.key for candidate in written.candidates}
        left_out = [(each, cost) for each, cost in zip(candidates, costs, strict=True) if each.key not in kept]
        has_older = window.has_older or any(each.source is Source.WINDOW for each, _ in left_out)
        return Pack(written, token_count, model, left_out, has_older, found.summary)

    async def _find(self, query: SearchQuery) -> _Found:
        slices = [part async for part in self._search.search(query)]
        summary = slices[-1].summary
        assert summary is not None  # the last slice has one
        hits = [hit for part in slices for hit in part.hits]
        return _Found(hits, [run for part in slices for run in part.contexts], summary)

    async def _window(self, query: PackQuery) -> Window:
        if query.session is None:
            return Window([], [], False)
        return await self._sessions.window(query.session, query.window)

    async def _newest(self, query: PackQuery, window: Window) -> Sequence[Candidate]:
        """The messages of the window, the newest first."""
        if query.session is None:
            return []
        space = await self._spaces.find(query.session.tenant, query.session.space)
        place = query.search.spaces.index(space.name)
        return [Candidate(space, place, memory, Source.WINDOW) for memory in window.messages[::-1]]

    async def _costs(self, model: str, candidates: Sequence[Candidate]) -> Sequence[int]:
        """Tokens of each line, about: those of a text are not always the sum of those of its lines."""
        return await self._embedder.count_tokens(model, [f"{each.line(NUMBER)}\n" for each in candidates])

    async def _write(
        self, model: str, chosen: Sequence[Candidate], budget: int, last: tuple[int, str] | None
    ) -> tuple[Written, int]:
        """The text of as many of the first candidates as fit, and its tokens, counted as a whole."""
        kept = list(chosen)
        while True:
            written = write(kept, last)
            (token_count,) = await self._embedder.count_tokens(model, [written.text])
            if token_count <= budget:
                return written, token_count
            kept.pop()


def _found(spaces: Sequence[str], found: _Found) -> Sequence[Candidate]:
    """The hits, best first, then what was said around them."""
    places = {name: place for place, name in enumerate(spaces)}
    hits = [Candidate(hit.space, places[hit.space.name], hit.memory, Source.HIT, hit) for hit in found.hits]
    around = [
        Candidate(run.space, places[run.space.name], entry, Source.CONTEXT)
        for run in found.runs
        for entry in run.entries
        if not isinstance(entry, int)
    ]
    return [*hits, *around]


def _last(query: PackQuery) -> tuple[int, str] | None:
    """The conversation that ends the text."""
    if query.session is None:
        return None
    return query.search.spaces.index(query.session.space), query.session.session
