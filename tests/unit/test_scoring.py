"""The arithmetic of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quipu_server.domain import TermStatistics
from quipu_server.scoring import (
    best,
    bm25_term,
    cosines,
    descending,
    highest_bm25,
    inverse_document_frequencies,
    mean_length,
)


def test_bm25_of_one_term_by_hand() -> None:
    statistics = TermStatistics(3, 12, np.array([1]))
    idf = float(inverse_document_frequencies(statistics)[0])
    assert idf == pytest.approx(np.log(1 + 2.5 / 1.5))
    score = bm25_term(np.array([2.0]), np.array([4.0]), mean_length(statistics), idf)
    assert score[0] == pytest.approx(idf * 2.2 * 2 / (2 + 1.2))


def test_bm25_stays_below_its_highest() -> None:
    statistics = TermStatistics(10, 100, np.array([4]))
    idf = float(inverse_document_frequencies(statistics)[0])
    score = bm25_term(np.array([1e6]), np.array([1.0]), mean_length(statistics), idf)
    assert score[0] < highest_bm25(statistics)


def test_an_empty_space_has_a_mean_length() -> None:
    assert mean_length(TermStatistics(0, 0, np.array([], dtype=np.int64))) == 1.0


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_cosine_does_not_depend_on_its_neighbours(seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.standard_normal((rows, 384)).astype(np.float16)
    query = generator.standard_normal(384).astype(np.float32)
    together = cosines(codes, query)
    assert together.tolist() == [cosines(row[None, :], query)[0] for row in codes]


def test_equal_scores_are_cut_by_memory_id() -> None:
    chosen = best(np.array([1, 2, 3]), np.array([0.5, 0.5, 0.9]), ["b", "a", "z"], 2)
    assert chosen.tolist() == [3, 2]


def test_equal_scores_are_ordered_by_name() -> None:
    names = ["d", "b", "e", "a", "c"]
    scores = np.array([1.0, 2.0, 1.0, 2.0, 3.0])
    order = descending(scores, lambda places: [names[place] for place in places])
    assert [names[place] for place in order] == ["c", "a", "b", "d", "e"]
