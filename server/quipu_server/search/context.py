"""What was said around hits: neighbours in their sessions, overlapping parts joined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from quipu_server.domain import Memory, Space
from quipu_server.ports import NEWEST
from quipu_server.ports.sessions import Place, SessionStore
from quipu_server.search.query import SLICE_HITS, ScoredHit, SearchSlice, Summary


@dataclass(frozen=True, slots=True)
class ContextRun:
    """A part of a session in its order: messages, and hits by their places among all hits."""

    space: Space
    session: str
    entries: Sequence[Memory | int]

    @property
    def best_hit(self) -> int:
        """The place of its best hit."""
        return min(entry for entry in self.entries if isinstance(entry, int))


class Contexts:
    """Finds the messages around hits."""

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    async def around(self, hits: Sequence[ScoredHit], reach: int, as_of: Mapping[str, int]) -> Sequence[ContextRun]:
        """Up to `reach` messages before and after each hit that is a message, the part with the best hit first.

        as_of: revisions by name of space, for those that are read as they were. Messages are live; they need not meet
        the filter of the search.
        """
        runs: list[ContextRun] = []
        for space in {hit.space.id: hit.space for hit in hits}.values():
            found = {i: hit.memory for i, hit in enumerate(hits) if hit.space.id == space.id and _is_message(hit)}
            places = [_place(memory) for memory in found.values()]
            revision = as_of.get(space.name, NEWEST)
            near = await self._sessions.neighbours(space, places, reach, revision) if places else ()
            runs.extend(join(space, found, near, reach))
        return sorted(runs, key=lambda run: run.best_hit)


def join(space: Space, hits: Mapping[int, Memory], near: Sequence[Memory], reach: int) -> Iterator[ContextRun]:
    """The parts of the sessions of a space that hits and their neighbours make. near: may have hits among it."""
    known: dict[Place, Memory | int] = {_place(memory): memory for memory in near}
    known |= {_place(memory): i for i, memory in hits.items()}
    for session in {place.session for place in known}:
        entries = [known[place] for place in sorted(known) if place.session == session]
        for start, end in _parts(entries, reach):
            yield ContextRun(space, session, entries[start:end])


def slices(hits: Sequence[ScoredHit], runs: Sequence[ContextRun], summary: Summary) -> Iterator[SearchSlice]:
    """The answer in parts of some 50 memories; the last one has the summary."""
    parts = [SearchSlice(hits[start : start + SLICE_HITS], None) for start in range(0, len(hits), SLICE_HITS)]
    waiting: list[ContextRun] = []
    for run in runs:
        waiting.append(run)
        if sum(len(each.entries) for each in waiting) >= SLICE_HITS:
            parts.append(SearchSlice((), None, waiting))
            waiting = []
    if waiting or not parts:
        parts.append(SearchSlice((), None, waiting))
    yield from parts[:-1]
    yield replace(parts[-1], summary=summary)


def _parts(entries: Sequence[Memory | int], reach: int) -> Iterator[tuple[int, int]]:
    """Where the parts begin and end: whatever lies within reach of a hit belongs to its part.

    Of a session all messages within reach of a hit are known, so that places in this sequence are distances.
    """
    start = end = 0
    for place, entry in enumerate(entries):
        if not isinstance(entry, int):
            continue
        first, last = max(place - reach, 0), min(place + reach + 1, len(entries))
        if end and first >= end:
            yield start, end
            end = 0
        start = start if end else first
        end = last
    if end:
        yield start, end


def _is_message(hit: ScoredHit) -> bool:
    return hit.memory.fields.is_message


def _place(memory: Memory) -> Place:
    return Place(memory.fields.session, memory.created)
