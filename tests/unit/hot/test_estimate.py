"""What an index will take."""

from quipu_server.hot.estimate import Estimate


def test_more_memories_take_more() -> None:
    sizes = [Estimate().of(count) for count in (0, 1, 100, 10_000)]
    assert sizes == sorted(set(sizes))


def test_it_learns_from_what_was_loaded() -> None:
    estimate = Estimate()
    for _ in range(50):
        estimate.learn(1_000, 3_000_000)
        estimate.learn(0, 1)
    assert 2_900_000 < estimate.of(1_000) <= 3_000_000
