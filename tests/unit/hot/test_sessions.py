"""Messages of hot indexes by session, however many there are of each."""

from random import Random

import pytest

from quipu_server.hot import index as hot_index
from quipu_server.hot import sessions, words
from quipu_server.hot.index import HotIndex
from tests.logs import a_row, random_log
from tests.unit.hot.test_index import check


@pytest.mark.parametrize("cost", [0, 1_000_000])
@pytest.mark.parametrize("recent", [0, 3, 50])
@pytest.mark.parametrize("seed", range(5))
def test_runs_are_joined_now_and_then(monkeypatch: pytest.MonkeyPatch, cost: int, recent: int, seed: int) -> None:
    """Whether words of sessions are looked up, or all occurrences gone through, is all the same."""
    monkeypatch.setattr(sessions, "RECENT", recent)
    monkeypatch.setattr(words, "LOOK_UP_COST", cost)
    monkeypatch.setattr(hot_index, "FREEZE_ROWS", 30)  # sessions go on from segment to segment
    rng, index = Random(seed), HotIndex()
    rows, held = random_log(rng, 150), []
    for start in range(0, len(rows), 10):
        index.follow(rows[start : start + 10])
        held.append(index.contents)
    for contents in held:  # what was seen once stays as it was
        check(contents, rows, rng)
    check(HotIndex.restore(index.contents).contents, rows, rng)


def test_a_space_without_sessions_pays_nothing_for_them() -> None:
    index = HotIndex()
    index.follow([a_row(i) for i in range(1, 100)])
    found = index.contents.sessions
    assert (len(found.counts), sum(len(run) for run in found.runs)) == (0, 0)
