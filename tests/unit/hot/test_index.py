"""The hot index against the oracle, whatever happens to it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quipu_server.domain import Change, IndexRow
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex, LogGap
from quipu_server.hot.postings import Postings
from quipu_server.hot.search_view import HotView
from quipu_server.hot.segment import Segment
from tests.comparison import compare
from tests.logs import KeptLog, a_deletion, a_row, a_space, random_condition, random_log, random_row, unit_vector
from tests.oracle import Oracle, current


def check(contents: Contents, rows: list[IndexRow], rng: Random) -> None:
    """Compare contents with what the log says of their revision."""
    space, log, past = a_space(), KeptLog(), rows[: contents.revision]
    log.rows[space.id] = rows
    condition = random_condition(rng, rows) if rows and rng.random() < 0.7 else None
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(compare(HotView(space, contents, log, threads), Oracle(past), rng, condition))


class Histories(RuleBasedStateMachine):
    """Writes, freezes and merges in any order, and readers that hold on to what they once saw."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[IndexRow] = []
        self.index = HotIndex()
        self.held: list[Contents] = []

    @rule(count=st.sampled_from([1, 3, 40, 300]), seed=st.integers(0, 1_000))
    def write(self, count: int, seed: int) -> None:
        rng = Random(seed)
        known = [row.memory_id for row in current(self.rows)]
        added: list[IndexRow] = []
        for revision in range(len(self.rows) + 1, len(self.rows) + count + 1):
            if known and rng.random() < 0.15:
                added.append(a_deletion(revision, known.pop(rng.randrange(len(known)))))
            elif known and rng.random() < 0.2:
                added.append(random_row(rng, revision, rng.choice(known)))
            else:
                known.append(f"m{seed}-{revision}")
                added.append(random_row(rng, revision, known[-1]))
        self.rows += added
        self.index.follow(added)

    @precondition(lambda self: self.index.is_scattered)
    @rule()
    def merge(self) -> None:
        self.index.merge()

    @rule()
    def hold(self) -> None:
        self.held = [*self.held[-2:], self.index.contents]

    @rule()
    def build_anew(self) -> None:
        self.index = HotIndex()
        if live := current(self.rows):
            self.index.append(live)
        self.index.publish(len(self.rows))

    @rule(seed=st.integers(0, 1_000))
    def search(self, seed: int) -> None:
        for contents in [self.index.contents, *self.held]:
            check(contents, self.rows, Random(seed))

    @invariant()
    def shows_the_last_revision(self) -> None:
        assert self.index.contents.revision == len(self.rows)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)


def test_readers_see_one_revision_while_others_write_and_merge() -> None:
    rng, index, rows = Random(1), HotIndex(), random_log(Random(0), 1_500)

    def write() -> None:
        for start in range(0, len(rows), 7):
            index.follow(rows[start : start + 7])

    def merge() -> None:
        while index.contents.revision < len(rows):
            if index.is_scattered:
                index.merge()

    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(write), threads.submit(merge)]
        while index.contents.revision < len(rows):
            check(index.contents, rows, rng)
    for job in running:
        job.result()
    check(index.contents, rows, rng)


def test_merging_leaves_few_segments() -> None:
    index = HotIndex()
    for start in range(0, 6_000, 100):
        index.follow([a_row(revision + 1) for revision in range(start, start + 100)])
        if index.is_scattered:
            index.merge()
    assert len(index.contents.segments) <= 4


def test_merging_keeps_what_is_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    index, rows = HotIndex(), [a_row(revision) for revision in range(1, 1_001)]
    join = Segment.join

    def join_slowly(segments: Sequence[Segment]) -> Segment:
        index.follow(rows[600:])
        return join(segments)

    index.follow(rows[:300])
    index.follow(rows[300:600])
    monkeypatch.setattr(Segment, "join", join_slowly)
    index.merge()
    assert [len(segment.codes) for segment in index.contents.segments] == [600, 400]
    check(index.contents, rows, Random(0))


@pytest.mark.parametrize("rows", [[a_row(2)], [a_row(1), a_row(3)]])
def test_a_gap_in_the_log_is_refused(rows: list[IndexRow]) -> None:
    with pytest.raises(LogGap):
        HotIndex().follow(rows)


@pytest.mark.parametrize("change", [Change.DELETED, Change.ARCHIVED, Change.ERASED])
def test_what_is_not_live_is_not_there(change: Change) -> None:
    index = HotIndex()
    gone = replace(a_deletion(3, "a"), change=change)
    index.follow([a_row(1, "a"), a_row(2, "b"), gone, a_deletion(4, "a")])
    assert index.contents.live_count == 1
    index.follow([a_row(5, "a")])
    assert index.contents.live_count == 2


def test_an_index_that_was_told_of_an_erasure_is_worn() -> None:
    index = HotIndex()
    index.follow([a_row(1, "a"), replace(a_deletion(2, "a"), change=Change.ARCHIVED)])
    assert not index.is_worn
    index.follow([replace(a_deletion(3, "a"), change=Change.ERASED)])
    assert index.is_worn


def test_what_is_mostly_dead_is_worn() -> None:
    index = HotIndex()
    index.follow([a_row(1, "a")])
    assert not index.is_worn
    index.follow([a_row(revision, "a") for revision in range(2, 1_100)])
    assert index.is_worn


def test_codes_are_kept_bit_by_bit() -> None:
    codes = np.array([[0.0, -0.0, 6e-8, -6e-5], unit_vector(1, 4)], np.float16)
    nothing = np.empty(0, np.int32)
    segment = Segment.build(0, codes, Postings.build(nothing, nothing, nothing, np.empty(0)))
    assert segment.codes.tobytes() == codes.tobytes()
    assert Segment.join([segment, segment]).codes.tobytes() == codes.tobytes() * 2
