"""Packing: never over the budget, nothing twice, in reading order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from quipu_server.domain import Kind, Memory, MemoryFields, Role, Space
from quipu_server.packing import Candidate, Source, choose, in_reading_order, without_repetitions, write
from quipu_server.packs import Pack, PackQuery, Packs
from quipu_server.search import ScoredHit, SearchQuery, SearchSlice, Summary
from quipu_server.search.context import ContextRun
from quipu_server.sessions import Budget, SessionTarget, Window
from quipu_server.weights import DEFAULT_WEIGHTS

THEN = datetime(2024, 5, 1, 10, tzinfo=UTC)
SPACES = [Space(UUID(int=i), "default", name, "m", "f") for i, name in enumerate("ab")]


def memory(created: int, session: str = "s", content: str = "hello there", **fields: Any) -> Memory:
    return Memory(
        f"m{created}", MemoryFields(content, session=session, **fields), created, created, UUID(int=0), THEN, THEN
    )


def candidate(
    created: int, session: str = "s", source: Source = Source.HIT, place: int = 0, **fields: Any
) -> Candidate:
    return Candidate(SPACES[place], place, memory(created, session, **fields), source)


class Found:
    """A search, sessions, spaces and an embedder that answer what a test made up."""

    def __init__(self, hits: Sequence[ScoredHit], runs: Sequence[ContextRun], window: Sequence[Memory]) -> None:
        self.hits, self.runs, self.newest = hits, runs, window

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchSlice]:
        yield SearchSlice(self.hits, None)
        yield SearchSlice((), Summary(len(self.hits), (), THEN, DEFAULT_WEIGHTS), self.runs)

    async def window(self, target: SessionTarget, budget: Budget) -> Window:
        return Window(self.newest, [1] * len(self.newest), False)

    async def find(self, tenant: str, name: str) -> Space:
        return next(space for space in SPACES if space.name == name)

    def model(self, name: str) -> Any:
        return SPACES[0].__class__(UUID(int=9), "", "m", "m", "f")

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        """Not the sum of the parts: an empty line, and every tenth word, costs one more."""
        return [len(words := text.split()) + len(words) // 10 + text.count("\n\n") for text in texts]


@st.composite
def founds(draw: st.DrawFn) -> Found:
    """Hits, what is around them, and a window, which overlap."""
    contents = draw(st.lists(st.integers(1, 30), min_size=1, max_size=20))
    sessions = draw(st.lists(st.sampled_from(["", "s", "t"]), min_size=len(contents), max_size=len(contents)))
    places = draw(st.lists(st.integers(0, 1), min_size=len(contents), max_size=len(contents)))
    made = [
        (SPACES[place], memory(i + 1, session, "word " * words))
        for i, (words, session, place) in enumerate(zip(contents, sessions, places, strict=True))
    ]
    chosen = draw(st.lists(st.sampled_from(made), max_size=8, unique_by=id))
    hits = [ScoredHit(space, each, 1.0 - i / 10, 0.5, None, None) for i, (space, each) in enumerate(chosen)]
    near = draw(st.lists(st.sampled_from(made), max_size=8, unique_by=id))
    runs = [ContextRun(space, each.fields.session, [each]) for space, each in near if each.fields.session]
    window = [each for space, each in made if space is SPACES[0] and each.fields.session == "s"]
    return Found(hits, runs, window[draw(st.integers(0, len(window))) :])


def pack(found: Any, budget: int, window_tokens: int | None = None) -> Pack:
    packs = Packs(found, found, found, found)
    target = SessionTarget("default", "a", "s")
    search = SearchQuery("default", ("a", "b"), text="x")
    return asyncio.run(packs.pack(PackQuery(search, budget, Budget(1_000, window_tokens), target)))


@given(founds(), st.integers(1, 200), st.integers(0, 200))
@settings(max_examples=300, deadline=None)
def test_a_pack_is_within_its_budget_and_has_nothing_twice(found: Found, budget: int, window_tokens: int) -> None:
    made = pack(found, budget, window_tokens)
    (counted,) = asyncio.run(found.count_tokens("m", [made.written.text]))
    assert made.token_count == counted <= budget
    keys = [each.key for each in made.written.candidates]
    assert len(keys) == len(set(keys))
    known = {(hit.space.name, hit.memory.memory_id) for hit in found.hits}
    known |= {
        (run.space.name, each.memory_id) for run in found.runs for each in run.entries if isinstance(each, Memory)
    }
    known |= {("a", each.memory_id) for each in found.newest}
    left_out = [each.key for each, _ in made.left_out]
    assert sorted([*keys, *left_out]) == sorted(known)


@given(founds(), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_a_pack_is_in_reading_order(found: Found, budget: int) -> None:
    made = pack(found, budget)
    candidates = made.written.candidates
    conversations = list(dict.fromkeys(each.conversation for each in candidates))
    assert [each.conversation for each in candidates] == [
        conversation for conversation in conversations for each in candidates if each.conversation == conversation
    ]
    for conversation in conversations[1:] if conversations[:1] == [(-1, "")] else conversations:
        order = [each.memory.created for each in candidates if each.conversation == conversation]
        assert order == sorted(order)
    if (0, "s") in conversations:
        assert conversations[-1] == (0, "s")
    for number, (each, (start, end)) in enumerate(zip(candidates, made.written.spans, strict=True), start=1):
        assert made.written.text[start:end] == each.line(number)


@given(founds(), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_the_window_in_a_pack_has_no_gap(found: Found, budget: int) -> None:
    made = pack(found, budget)
    kept = {each.memory.memory_id for each in made.written.candidates if each.source is Source.WINDOW}
    newest = [each.memory_id for each in found.newest]
    assert kept == set(newest[len(newest) - len(kept) :])
    assert made.has_older == (len(kept) < len(newest))


def test_a_line_says_when_and_who() -> None:
    assert candidate(1, speaker="Ann", event_time=THEN, content="Hi").line(3) == "[3] [1 May 2024, 10:00] Ann: Hi"
    assert candidate(1, role=Role.USER, content="Hi").line(1) == "[1] user: Hi"
    assert candidate(1, role=Role.USER, speaker="Ann", content="Hi").line(1) == "[1] Ann: Hi"


def test_conversations_stand_apart() -> None:
    fact = candidate(9, "s", kind=Kind.SEMANTIC, content="fact")
    made = write([candidate(4, "t", content="d"), candidate(2, content="b"), fact, candidate(1, content="a")])
    assert made.text == "[1] fact\n\n[2] a\n[3] b\n\n[4] d"
    last = write([candidate(4, "t", content="d"), candidate(1, content="a")], (0, "s"))
    assert last.text == "[1] d\n\n[2] a"


def test_the_first_reason_counts_and_the_hit_is_kept() -> None:
    hit = ScoredHit(SPACES[0], memory(1), 0.75, 0.5, None, None)
    found = Candidate(SPACES[0], 0, memory(1), Source.HIT, hit)
    (merged,) = without_repetitions([candidate(1, source=Source.WINDOW), found, candidate(1, source=Source.CONTEXT)])
    assert (merged.source, merged.hit) == (Source.WINDOW, hit)


def test_what_does_not_fit_leaves_room_for_what_does() -> None:
    some = [candidate(i) for i in range(1, 4)]
    assert choose(some, [5, 20, 5], 10, 10) == [some[0], some[2]]
    window = [candidate(i, source=Source.WINDOW) for i in (3, 2, 1)]
    assert choose(window, [5, 20, 5], 30, 10) == [window[0]]


def test_spaces_follow_each_other_as_in_the_request() -> None:
    order = in_reading_order([candidate(1, place=1), candidate(2, place=0)], None)
    assert [each.space.name for each in order] == ["a", "b"]
