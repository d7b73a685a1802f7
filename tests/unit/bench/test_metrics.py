import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import Quality, judge, mean, mrr_at, ndcg_at, recall_at, recall_of_ten, spearman

IDS = st.lists(st.integers(0, 30).map(str), max_size=20, unique=True)


def test_recall_counts_the_relevant_ones_found() -> None:
    assert recall_at(2, ["a", "x", "b"], {"a", "b"}) == 0.5
    assert recall_at(3, ["a", "x", "b"], {"a", "b"}) == 1.0


def test_ndcg_discounts_later_places() -> None:
    # Found at places 1 and 3 of 2: (1 + 1/2) / (1 + 1/log2(3)).
    assert ndcg_at(10, ["a", "x", "b"], {"a", "b"}) == pytest.approx(1.5 / 1.6309297535714573)


def test_mrr_looks_at_the_first_relevant_place() -> None:
    assert mrr_at(10, ["x", "y", "a"], {"a"}) == pytest.approx(1 / 3)
    assert mrr_at(2, ["x", "y", "a"], {"a"}) == 0.0


@given(IDS, st.sets(st.integers(0, 30).map(str), min_size=1))
def test_metrics_lie_between_0_and_1(found: list[str], relevant: set[str]) -> None:
    quality = judge(found, relevant)
    assert 0.0 <= quality.recall_5 <= quality.recall_10 <= quality.recall_20 <= 1.0
    assert 0.0 <= quality.ndcg_10 <= 1.0 + 1e-12
    assert 0.0 <= quality.mrr_10 <= 1.0


@given(st.lists(st.integers(0, 99).map(str), min_size=1, max_size=10, unique=True))
def test_the_best_order_has_an_ndcg_of_1(relevant: list[str]) -> None:
    assert ndcg_at(10, relevant, set(relevant)) == pytest.approx(1.0)


def test_the_mean_is_taken_of_each_metric() -> None:
    assert mean([Quality(0, 0, 0.5, 0, 1), Quality(1, 0, 0.5, 0.5, 0)]) == Quality(0.5, 0, 0.5, 0.25, 0.5)


def test_spearman_looks_at_ranks_only() -> None:
    assert spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)


def test_equal_numbers_share_their_ranks() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3.
    assert spearman([5, 5, 9], [1, 2, 3]) == pytest.approx(0.8660254037844387)


def test_ten_of_ten_found_in_any_order() -> None:
    similarities = np.linspace(1.0, 0.0, 30)[None, :]
    assert recall_of_ten([range(9, -1, -1)], similarities) == 1.0
    assert recall_of_ten([[*range(8), 20, 25]], similarities) == 0.8


def test_what_is_as_near_as_the_tenth_counts() -> None:
    assert recall_of_ten([[*range(9), 29]], np.array([[0.9] * 9 + [0.5] * 21])) == 1.0
