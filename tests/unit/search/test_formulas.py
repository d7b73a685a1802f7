"""The formulas of scores, against values worked out by hand. Each test names what it covers of which system."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quipu_server.domain import Mode, Role, SessionTexts
from quipu_server.search import terms as t
from quipu_server.search.importance import importance
from quipu_server.search.ranking import Pool, Ranked, rank
from quipu_server.weights import DEFAULTS, Formula, RankingWeights
from tests.unit.search.test_ranking import NOW, pool

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
SERVER = Path(__file__).parents[3] / "server" / "quipu_server"


def with_evidence(made: Pool, **values: object) -> Pool:
    """The pool with other evidence."""
    return replace(made, evidence=replace(made.evidence, **values))  # type: ignore[arg-type]


def ranked(made: Pool, mode: Mode = Mode.HYBRID, min_relevance: float = 0.0) -> Ranked:
    return rank([made], mode, 100, min_relevance, NOW)


def term(found: Ranked, name: str) -> list[float]:
    """A term of all candidates, in the order they were given in."""
    return [float(found.terms[i, t.TERMS.index(name)]) for i in np.argsort(found.places)]


def of_memorymesh(
    explicit: float | None, role: Role, age_s: float, weights: tuple[float, float, float] = (0.4, 0.2, 0.4)
) -> float:
    given_one = np.array([explicit is not None])
    explicit_one, roles = np.array([explicit or 0.0]), np.array([role], np.int8)
    return float(importance(explicit_one, given_one, roles, np.array([age_s]), weights)[0])


@pytest.mark.parametrize(
    ("explicit", "role", "age_s", "expected"),
    [
        # 0.4 · 1 + 0.2 · 0.9 + 0.4 · 1
        (1.0, Role.SYSTEM, 0.0, 0.98),
        # 0.4 · 0.5 + 0.2 · 0.7 + 0.4 · 0.25: freshness is one half after 12 hours
        (0.25, Role.USER, 12 * HOUR_S, 0.44),
        # 0.4 · 0 + 0.2 · 0.5 + 0.4 · 1: nothing is fresh after 24 hours
        (1.0, Role.ASSISTANT, 24 * HOUR_S, 0.5),
        (1.0, Role.ASSISTANT, 1_000 * DAY_S, 0.5),
        # (0.4 · 0.75 + 0.2 · 0.7) / 0.6: nobody gave an importance
        (None, Role.USER, 6 * HOUR_S, 0.44 / 0.6),
        # (0.4 · 0.75 + 0.4 · 0) / 0.8: tools have no importance; an importance of 0 was given
        (0.0, Role.TOOL, 6 * HOUR_S, 0.375),
        (None, Role.NONE, 6 * HOUR_S, 0.75),
    ],
)
def test_memorymesh_importance(explicit: float | None, role: Role, age_s: float, expected: float) -> None:
    """memorymesh: recency 0.4 (1 to 0 over 24 h), role 0.2 (system 0.9, user 0.7, assistant 0.5), explicit 0.4."""
    assert of_memorymesh(explicit, role, age_s) == pytest.approx(expected, rel=1e-12)


def test_memorymesh_importance_weights_are_configurable() -> None:
    """memorymesh: weights configurable. (1 · 0.5 + 3 · 0.9) / 4."""
    assert of_memorymesh(1.0, Role.SYSTEM, 12 * HOUR_S, (1.0, 3.0, 0.0)) == pytest.approx(0.8)


def test_an_importance_of_which_nothing_counts_is_neutral() -> None:
    assert of_memorymesh(None, Role.TOOL, 0.0, (0.0, 0.2, 0.4)) == 0.5


def test_memorymesh_rank() -> None:
    """memorymesh: 0.6 cosine + 0.3 importance + 0.1 decay with 7 days."""
    weights = DEFAULTS[Formula.MEMORYMESH]
    made = with_evidence(
        pool([0.8, 0.5], [3.0, 0.0], weights=weights, ages_days=[0.5, 7]),
        roles=np.array([Role.USER, Role.SYSTEM], np.int8),
        importances=np.array([0.25, 1.0]),
    )
    found = ranked(made)
    # 0.6 · 0.8 + 0.3 · 0.44 + 0.1 · 0.5 ^ (0.5 / 7), and 0.6 · 0.5 + 0.3 · (0.2 · 0.9 + 0.4 · 1) + 0.1 · 0.5
    assert found.scores.tolist() == pytest.approx([0.48 + 0.132 + 0.1 * 0.5 ** (1 / 14), 0.3 + 0.174 + 0.05])


def test_memoria_rank() -> None:
    """Memoria: vector 0.3, keyword 0.2, recency 0.2 with 30 days, confidence 0.3 of tier T3: 0.65 with 60 days."""
    found = ranked(pool([0.5, 0.0], [3.0, 0.0], weights=DEFAULTS[Formula.MEMORIA], ages_days=[60, 0]))
    # distances: sqrt(2 - 2 · 0.5) = 1, sqrt(2)
    first = 0.3 / 2 + 0.2 * 3 / 4 + 0.2 * 0.25 + 0.3 * 0.65 * 0.5
    second = 0.3 / (1 + math.sqrt(2)) + 0.2 + 0.3 * 0.65
    assert found.scores.tolist() == pytest.approx(sorted([first, second], reverse=True))


def test_quipu_rank() -> None:
    """Quipu: 0.5 dense, 0.5 lexical, 0.05 importance, 0.05 recency with 30 days; messages 0.2 · neighbours +
    0.3 · session + 0.2 for users."""
    made = with_evidence(
        pool([0.9, 0.5, 0.1], [0.0, 2.0, 4.0], weights=DEFAULTS[Formula.QUIPU], ages_days=[0, 30, 60]),
        roles=np.array([Role.USER, Role.ASSISTANT, Role.USER], np.int8),
        messages=np.array([True, True, False]),
        sessions=SessionTexts(np.array([0, 1, -1]), np.array([10.0, 10.0]), np.array([[1.0, 0.0], [1.0, 3.0]])),
    )
    found = ranked(replace(made, around=np.array([[-1, 1], [0, -1], [-1, -1]])))
    fused = [0.5, 0.25 + 0.25, 0.5]
    assert term(found, "neighbours") == pytest.approx([0.2 * fused[1], 0.2 * fused[0], 0.0])
    # The one word is in one of two sessions, the other in both; as long as the mean: f · 2.2 / (f + 1.2).
    share = math.log(1.2) * (3 * 2.2 / 4.2) / (math.log(2) + math.log(1.2))
    assert term(found, "session") == pytest.approx([0.3, 0.3 * share, 0.0])
    assert term(found, "role") == pytest.approx([0.2, 0.0, 0.0])
    expected = [
        0.5 + 0.1 + 0.3 + 0.2 + 0.025 + 0.05,
        0.5 + 0.1 + 0.3 * share + 0.025 + 0.025,
        0.5 + 0.025 + 0.0125,
    ]
    assert sorted(found.scores.tolist()) == pytest.approx(sorted(expected))


def test_witnesses_count_and_are_not_found() -> None:
    weights = RankingWeights(importance=0.0, recency=0.0).over(DEFAULTS[Formula.QUIPU])
    made = with_evidence(pool([0.9, 0.1, 0.5], [0.0, 0.0, 0.0], weights=weights), messages=np.ones(3, np.bool_))
    left_out = np.array([False, False, True])
    made = replace(
        made,
        in_dense=~left_out,
        listed=~left_out,
        witnesses=left_out,
        around=np.array([[-1, -1], [-1, 2], [-1, -1]]),
    )
    found = ranked(made)
    assert sorted(found.places.tolist()) == [0, 1]
    # (0.5 - 0.1) / (0.9 - 0.1) of the dense list, by its weight and that of neighbours
    assert term(found, "neighbours") == pytest.approx([0.0, 0.2 * 0.5 * 0.5])


@pytest.mark.parametrize(
    ("balance", "factor"), [(0, 1.0), (1, 1.1), (-1, 0.9), (10, 2.0), (1_000, 2.0), (-5, 0.5), (-1_000, 0.5)]
)
def test_memoria_feedback_is_bounded(balance: int, factor: float) -> None:
    """Memoria: feedback moves ranking by a bounded factor 0.5 to 2."""
    found = ranked(with_evidence(pool([0.5], [1.0], weights=DEFAULTS[Formula.QUIPU]), balances=np.array([balance])))
    plain = ranked(pool([0.5], [1.0], weights=DEFAULTS[Formula.QUIPU]))
    assert found.scores[0] == pytest.approx(plain.scores[0] * factor)


@pytest.mark.parametrize(("count", "factor"), [(0, 1.0), (1, 1 + 0.1 * math.log(2)), (10**9, 2.0)])
def test_memoria_use_is_bounded(count: int, factor: float) -> None:
    """Memoria: a boost by the logarithm of how often a memory was found."""
    weights = DEFAULTS[Formula.MEMORIA]
    found = ranked(replace(pool([0.5], [1.0], weights=weights), uses=np.array([count])))
    assert found.scores[0] == pytest.approx(
        ranked(pool([0.5], [1.0], weights=weights)).scores[0] * min(factor, 2.0), rel=1e-9
    )


@settings(deadline=None)
@given(
    formula=st.sampled_from(Formula),
    cosines=st.lists(st.floats(-1, 1), min_size=1, max_size=8),
    weight=st.floats(0, 10),
    least=st.floats(0, 1),
    data=st.data(),
)
def test_nothing_lifts_what_is_not_relevant(
    formula: Formula, cosines: list[float], weight: float, least: float, data: st.DataObject
) -> None:
    """Whatever was said, however often it was used: admission looks at the relevance alone."""
    n = len(cosines)
    counts = st.lists(st.integers(-(10**6), 10**6), min_size=n, max_size=n)
    weights = replace(DEFAULTS[formula], feedback=weight, use=weight, neighbours=weight, session=weight, role=weight)
    plain = pool(cosines, [0.0] * n, weights=weights)
    judged = with_evidence(
        plain,
        balances=np.array(data.draw(counts)),
        messages=np.ones(n, np.bool_),
        roles=np.full(n, Role.USER, np.int8),
        sessions=SessionTexts(np.zeros(n, np.intp), np.ones(1), np.ones((1, 1))),
    )
    judged = replace(judged, uses=np.abs(np.array(data.draw(counts))))
    admitted = {int(place) for place in ranked(plain, min_relevance=least).places}
    found = ranked(judged, min_relevance=least)
    assert {int(place) for place in found.places} == admitted
    assert (found.relevances >= least).all()


def test_there_is_one_decay() -> None:
    """Beat of memorymesh: one definition of half-life."""
    assert t.decay(np.array([0.0, 7 * DAY_S, 14 * DAY_S]), 7 * DAY_S).tolist() == [1.0, 0.5, 0.25]
    powers = {
        (path.name, line.strip())
        for path in SERVER.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"0\.5 \*\*|\bexp2?\(|\bpow\(|math\.e\b|half_life\w* \*\*", line)
    }
    assert powers == {("terms.py", "faded: Floats = 0.5 ** (ages_s / half_life_s)")}
