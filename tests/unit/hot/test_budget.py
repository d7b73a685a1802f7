"""Which spaces stay in memory."""

from random import Random

from quipu_server.hot.budget import REMEMBERED_VISITS, Budget, Visits


def visit(budget: Budget[int], key: int, held: set[int], size: int = 1) -> bool:
    """Search a space as the catalogue does; tell whether it was in memory."""
    budget.visit(key)
    if key in held:
        return True
    if budget.admits(key, size):
        held.add(key)
        held.difference_update(budget.resize(key, size))
    assert budget.used_bytes <= budget.limit_bytes
    assert budget.used_bytes == size * len(held)
    return False


def test_all_are_let_in_while_there_is_room() -> None:
    budget, held = Budget[int](50), set[int]()
    for key in range(50):
        visit(budget, key, held)
    assert held == set(range(50))


def test_a_scan_pushes_nobody_out() -> None:
    budget, held = Budget[int](50), set[int]()
    for _ in range(3):
        for key in range(40):
            visit(budget, key, held)
    for key in range(1_000, 2_000):
        visit(budget, key, held)
    assert all(visit(budget, key, held) for key in range(40))


def test_a_scan_among_visits_pushes_nobody_out() -> None:
    budget, held, rng = Budget[int](50), set[int](), Random(0)
    hits = [visit(budget, rng.randrange(40), held) for _ in range(2_000)]
    hits = [visit(budget, rng.randrange(40), held) or visit(budget, 1_000 + i, held) for i in range(2_000)]
    assert sum(hits) == len(hits)


def test_new_favourites_take_the_place_of_old_ones() -> None:
    budget, held = Budget[int](50), set[int]()
    for _ in range(20):
        for key in range(50):
            visit(budget, key, held)
    for _ in range(25):
        for key in range(100, 150):
            visit(budget, key, held)
    assert all(visit(budget, key, held) for key in range(100, 150))


def test_the_least_recently_visited_leaves() -> None:
    budget, held = Budget[int](3), set[int]()
    for key in (1, 2, 3, 1, 4, 4):
        visit(budget, key, held)
    assert held == {1, 3, 4}


def test_what_grows_pushes_others_out() -> None:
    budget = Budget[int](10)
    assert [budget.resize(key, 3) for key in (1, 2, 3)] == [[], [], []]
    assert budget.resize(2, 4) == []
    assert budget.resize(3, 5) == [1]
    assert budget.used_bytes == 9


def test_what_grows_pushes_nobody_out_that_is_visited_more() -> None:
    budget = Budget[int](10)
    for key, size in ((1, 4), (2, 4)):
        budget.resize(key, size)
    for key in (1, 1, 2):
        budget.visit(key)
    assert budget.resize(2, 7) == [2]
    assert budget.used_bytes == 4


def test_what_is_too_large_leaves_alone_and_does_not_come_back_soon() -> None:
    budget = Budget[int](10)
    budget.resize(1, 3)
    assert not budget.admits(2, 11)
    assert budget.resize(2, 11) == [2]
    assert budget.used_bytes == 3
    for _ in range(5):
        budget.visit(2)
    assert not budget.admits(2, 1)
    for _ in range(REMEMBERED_VISITS):
        budget.visit(1)
    assert budget.admits(2, 1)
    budget.resize(2, 11)
    budget.forget(2)
    assert budget.admits(2, 1)


def test_what_is_gone_frees_its_bytes() -> None:
    budget = Budget[int](10)
    budget.resize(1, 7)
    budget.remove(1)
    budget.remove(1)
    assert budget.used_bytes == 0


def test_counts_of_visits_take_bounded_memory() -> None:
    visits = Visits[int](1_000)
    for key in range(100_000):
        visits.note(key)
        visits.note(-1)
    assert len(visits) <= 1_001
    assert visits.count(-1) > 200
