"""The checker of histories finds what it is there to find."""

import pytest

from tests.faults.history import Change, History, Sight

A, B = Change("a", 0.0, 1.0), Change("b", 2.0, 3.0)


def violations(changes: list[Change], *sights: Sight) -> int:
    history = History()
    history.changes["m"].extend(changes)
    history.sights["m"].extend(sights)
    return len(history.violations())


@pytest.mark.parametrize(
    ("content", "began", "ended", "is_right"),
    [
        (None, -1.0, -0.5, True),
        ("a", -1.0, -0.5, False),
        (None, 0.2, 0.5, True),
        ("a", 0.2, 0.5, True),
        (None, 1.1, 1.2, False),
        ("a", 1.1, 1.2, True),
        ("a", 1.1, 2.5, True),
        ("b", 1.1, 2.5, True),
        ("a", 3.1, 3.2, False),
        ("b", 3.1, 3.2, True),
    ],
)
def test_a_search_sees_the_last_change_or_one_beside_it(
    content: str | None, began: float, ended: float, is_right: bool
) -> None:
    assert violations([A, B], Sight(content, began, ended, "s")) == (not is_right)


def test_no_search_goes_back_in_time() -> None:
    early, late = Sight("b", 2.1, 2.2, "s"), Sight("a", 2.3, 2.4, "s")
    assert violations([A, B], early) == violations([A, B], late) == 0
    assert violations([A, B], early, late) == 1


def test_a_change_that_broke_off_may_have_been_made_or_not() -> None:
    unknown = Change("b", 2.0)
    for content in ("a", "b"):
        assert violations([A, unknown], Sight(content, 9.0, 9.1, "s")) == 0
    assert violations([A, unknown, Change("c", 4.0, 5.0)], Sight("b", 9.0, 9.1, "s")) == 1


def test_a_refused_change_is_never_seen() -> None:
    assert violations([A, Change("b", 2.0, 3.0, refused=True)], Sight("b", 9.0, 9.1, "s")) == 1
    assert violations([A, Change("b", 2.0, 3.0, refused=True)], Sight("a", 9.0, 9.1, "s")) == 0


def test_a_deletion_is_seen() -> None:
    assert violations([A, Change(None, 2.0, 3.0)], Sight("a", 4.0, 4.1, "s")) == 1
    assert violations([A, Change(None, 2.0, 3.0)], Sight(None, 4.0, 4.1, "s")) == 0
