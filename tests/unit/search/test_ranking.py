"""Fusion, admission and ranking, on candidates made by hand."""

from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest

from quipu_server.domain import Evidence, Mode, Space
from quipu_server.search.ranking import Pool, rank
from quipu_server.weights import DEFAULT_WEIGHTS, RankingWeights

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = RankingWeights(importance=0.0, recency=0.0).over(DEFAULT_WEIGHTS)


def space(name: str = "a") -> Space:
    return Space(uuid4(), "default", name, "m", "f")


def pool(
    cosines: list[float],
    bm25: list[float],
    *,
    ids: list[str] | None = None,
    weights: RankingWeights = PLAIN,
    ages_days: list[float] | None = None,
    name: str = "a",
) -> Pool:
    n = len(cosines)
    ages = np.array(ages_days or [0.0] * n)
    evidence = Evidence(
        revisions=np.arange(1, n + 1),
        memory_ids=ids or [f"m{i}" for i in range(n)],
        cosines=np.array(cosines),
        bm25=np.array(bm25),
        importances=np.full(n, 0.5),
        recency_times=NOW.timestamp() - ages * 86_400,
        spans=np.full((n, 2), -1, np.int32),
        matched=lambda _: np.zeros(0, np.bool_),
        roles=np.zeros(n, np.int8),
        given=np.ones(n, np.bool_),
        balances=np.zeros(n, np.int64),
        messages=np.zeros(n, np.bool_),
    )
    alone, nobody = np.full((n, 2), -1), np.zeros(n, np.bool_)
    has_words = evidence.bm25 > 0
    return Pool(
        space(name),
        evidence,
        ~np.isnan(evidence.cosines),
        has_words,
        np.ones(n, np.bool_),
        weights,
        10.0,
        alone,
        nobody,
    )


def order(pools: list[Pool], mode: Mode = Mode.HYBRID, min_relevance: float = 0.0) -> list[str]:
    ranked = rank(pools, mode, 100, min_relevance, NOW)
    return [pools[n].evidence.memory_ids[p] for n, p in zip(ranked.pool_numbers, ranked.places, strict=True)]


def test_a_memory_good_in_both_lists_beats_the_best_of_one() -> None:
    assert order([pool([0.9, 0.8, 0.1], [0.0, 4.0, 5.0])])[0] == "m1"


def test_equal_scores_are_ordered_by_id() -> None:
    assert order([pool([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], ids=["c", "a", "b"])]) == ["a", "b", "c"]


def test_the_score_is_the_sum_of_its_terms() -> None:
    ranked = rank(
        [pool([0.9, 0.2], [1.0, 3.0], weights=DEFAULT_WEIGHTS, ages_days=[30, 0])], Mode.HYBRID, 100, 0.0, NOW
    )
    assert ranked.scores == pytest.approx(ranked.terms.sum(axis=1))
    assert list(ranked.scores) == sorted(ranked.scores, reverse=True)


def test_recency_halves_with_each_half_life() -> None:
    weights = RankingWeights(recency=1.0, recency_half_life_s=86_400.0).over(PLAIN)
    ranked = rank([pool([0.5, 0.5], [0.0, 0.0], weights=weights, ages_days=[1, 2])], Mode.HYBRID, 100, 0.0, NOW)
    assert ranked.terms[:, 3] == pytest.approx([0.5, 0.25])


def test_the_future_counts_as_now() -> None:
    ranked = rank([pool([0.5], [0.0], weights=DEFAULT_WEIGHTS, ages_days=[-5])], Mode.HYBRID, 100, 0.0, NOW)
    assert ranked.ages_s == pytest.approx([0.0])


def test_relevance_admits_before_recency_counts() -> None:
    weights = RankingWeights(recency=10.0).over(DEFAULT_WEIGHTS)
    noise_and_match = pool([0.1, 0.9], [0.0, 0.0], weights=weights, ages_days=[0, 1000])
    assert order([noise_and_match], Mode.DENSE, min_relevance=0.5) == ["m1"]


def test_relevance_does_not_depend_on_other_candidates() -> None:
    alone = rank([pool([0.4], [2.0])], Mode.HYBRID, 100, 0.0, NOW)
    among = rank([pool([0.4, 0.9], [2.0, 9.0])], Mode.HYBRID, 100, 0.0, NOW)
    assert alone.relevances[0] == pytest.approx(among.relevances[-1])
    assert alone.relevances[0] == pytest.approx(0.5 * 0.4 + 0.5 * 0.2)


def test_two_spaces_are_scaled_together() -> None:
    ranked = rank([pool([0.9], [0.0], name="a"), pool([0.3], [0.0], name="b")], Mode.DENSE, 100, 0.0, NOW)
    assert ranked.scores.tolist() == [1.0, 0.0]


def test_lexical_scores_count_from_zero_when_few_memories_match() -> None:
    ranked = rank([pool([np.nan, np.nan], [4.0, 2.0])], Mode.LEXICAL, 100, 0.0, NOW)
    assert ranked.scores.tolist() == [1.0, 0.5]


def test_what_is_not_listed_is_no_hit() -> None:
    candidates = pool([0.9, 0.8], [0.0, 0.0])
    candidates.listed[0] = False
    assert order([candidates]) == ["m1"]


def test_nothing_found_gives_nothing() -> None:
    assert order([pool([], [])]) == []
