"""Chooses what goes into a text under a budget of tokens, and writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from quipu_server.domain import Memory, Role, Space
from quipu_server.search import ScoredHit

NUMBER = 99
"""Stands for the number of a line while tokens are estimated: most have two digits."""


class Source(IntEnum):
    """Why a memory is in a text; numbers are those of the API."""

    WINDOW = 1
    HIT = 2
    CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may go into a text. space_place: of its space in the request. hit: if the search found it."""

    space: Space
    space_place: int
    memory: Memory
    source: Source
    hit: ScoredHit | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.space.name, self.memory.memory_id

    @property
    def session(self) -> str:
        """The session whose message it is; "" for what is none."""
        return self.memory.fields.session if self.memory.fields.is_message else ""

    @property
    def conversation(self) -> tuple[int, str]:
        """What it is read together with."""
        return (self.space_place, self.session) if self.session else (-1, "")

    def line(self, number: int) -> str:
        """How it stands in the text."""
        fields = self.memory.fields
        speaker = "" if fields.speaker or fields.role is Role.NONE else f"{fields.role.name.lower()}: "
        return f"[{number}] {fields.header}{speaker}{fields.content}"


@dataclass(frozen=True, slots=True)
class Written:
    """A text: its candidates in reading order, numbered from 1, and where the line of each stands."""

    text: str
    candidates: Sequence[Candidate]
    spans: Sequence[tuple[int, int]]


def without_repetitions(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """The first candidate for each memory, with the hit of a later one."""
    hits = {candidate.key: candidate.hit for candidate in candidates if candidate.hit is not None}
    firsts: dict[tuple[str, str], Candidate] = {}
    for each in candidates:
        hit = hits.get(each.key)
        firsts.setdefault(each.key, Candidate(each.space, each.space_place, each.memory, each.source, hit))
    return list(firsts.values())


def choose(
    candidates: Sequence[Candidate], costs: Sequence[int], budget: int, window_budget: int
) -> Sequence[Candidate]:
    """Those that fit, going by their order. Of the window nothing is left out before what is chosen.

    candidates: those of the window first, the newest message first. costs: tokens of each line.
    """
    chosen = []
    left = budget
    window_left: int = min(budget, window_budget)
    for candidate, cost in zip(candidates, costs, strict=True):
        if candidate.source is Source.WINDOW:
            # The first that does not fit closes the window: a gap would read as if nothing had been said in it.
            window_left = window_left - cost if cost <= window_left else -1
        fits = cost <= left if candidate.source is not Source.WINDOW else window_left >= 0
        if fits:
            chosen.append(candidate)
            left -= cost
    return chosen


def write(chosen: Sequence[Candidate], last: tuple[int, str] | None = None) -> Written:
    """The text of some candidates. last: the conversation that ends it."""
    ordered = in_reading_order(chosen, last)
    text = ""
    spans = []
    for number, candidate in enumerate(ordered, start=1):
        if number > 1:
            text += "\n" if candidate.conversation == ordered[number - 2].conversation else "\n\n"
        line = candidate.line(number)
        spans.append((len(text), len(text) + len(line)))
        text += line
    return Written(text, ordered, spans)


def in_reading_order(chosen: Sequence[Candidate], last: tuple[int, str] | None) -> Sequence[Candidate]:
    """Memories without session, then sessions by their first memory here, then the last one; each in its order."""
    begins: dict[tuple[int, str], int] = {}
    for each in chosen:
        begins[each.conversation] = min(each.memory.created, begins.get(each.conversation, each.memory.created))

    def place(each: Candidate) -> tuple[bool, bool, int, int, str, int, int]:
        home, session = each.conversation
        is_last = each.conversation == last
        return is_last, session != "", home, begins[home, session], session, each.space_place, each.memory.created

    return sorted(chosen, key=place)
