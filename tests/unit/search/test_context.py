"""What is said around hits: parts of sessions, joined where they overlap."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quipu_server.domain import Memory, MemoryFields, Space
from quipu_server.search.context import join

THEN = datetime(2024, 5, 1, tzinfo=UTC)
SPACE = Space(UUID(int=1), "default", "a", "m", "f")


def message(created: int, session: str = "s") -> Memory:
    return Memory(f"{session}{created}", MemoryFields("x", session=session), created, created, UUID(int=0), THEN, THEN)


def parts(length: int, hits: list[int], reach: int) -> list[list[int]]:
    """The parts of a session of so many messages, as numbers of messages."""
    found = {i: message(number) for i, number in enumerate(hits)}
    near = {n for hit in hits for n in range(hit - reach, hit + reach + 1) if 0 <= n < length}
    runs = join(SPACE, found, [message(number) for number in sorted(near, reverse=True)], reach)
    return [[hits[e] if isinstance(e, int) else e.created for e in run.entries] for run in runs]


def test_parts_that_overlap_are_one() -> None:
    assert parts(20, [5], 2) == [[3, 4, 5, 6, 7]]
    assert parts(20, [5, 9], 2) == [[3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert parts(20, [5, 12], 2) == [[3, 4, 5, 6, 7], [10, 11, 12, 13, 14]]
    assert parts(20, [6, 5], 1) == [[4, 5, 6, 7]]
    assert parts(20, [0, 19], 2) == [[0, 1, 2], [17, 18, 19]]


def test_sessions_are_apart() -> None:
    hits = {0: message(1, "s"), 1: message(2, "t")}
    runs = {run.session: run for run in join(SPACE, hits, [message(3, "s"), message(4, "t")], 1)}
    assert {name: [getattr(e, "created", e) for e in run.entries] for name, run in runs.items()} == {
        "s": [0, 3],
        "t": [1, 4],
    }


@given(st.integers(1, 40), st.data(), st.integers(1, 5))
def test_every_message_within_reach_is_there_once(length: int, data: st.DataObject, reach: int) -> None:
    hits = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=6, unique=True))
    found = parts(length, hits, reach)
    shown = [number for part in found for number in part]
    assert sorted(shown) == sorted({n for h in hits for n in range(h - reach, h + reach + 1) if 0 <= n < length})
    for part in found:
        assert part == list(range(part[0], part[-1] + 1))
        assert set(part) & set(hits)
