"""What the change of a model is judged by."""

import numpy as np

from bench.corpus import make_questions, make_texts
from bench.exact import Exact
from bench.model_change import Change, Searcher
from bench.requests import meaning_search
from quipu.v1.memory_pb2 import Memory
from quipu.v1.search_service_pb2 import Hit, SearchResponse

ORDER = np.arange(12)


def exact(order: np.ndarray) -> Exact:
    """One question, to which text `order[0]` is nearest, then `order[1]`, …"""
    similarities = np.empty((1, 12))
    similarities[0, order] = np.linspace(0.9, 0.1, 12)
    return Exact(similarities, -np.sort(-similarities)[:, :10])


def test_only_the_nearest_in_their_order_are_an_answer() -> None:
    places = ORDER[:10].tolist()
    assert exact(ORDER).is_answer(0, places)
    for wrong in (places[:9], [*places[:9], 11], [1, 0, *places[2:]], [0, 0, *places[2:]]):
        assert not exact(ORDER).is_answer(0, wrong)


def test_those_equally_similar_may_change_places() -> None:
    same = Exact(np.full((1, 12), 0.5), np.full((1, 10), 0.5))
    assert same.is_answer(0, ORDER[2:].tolist())
    assert same.recall(0, ORDER[2:].tolist()) == 1


def test_recall_counts_what_is_there() -> None:
    assert exact(ORDER).recall(0, [0, 1, 11]) == 0.2


def test_a_mixture_and_a_way_back_are_counted() -> None:
    change = Change("change", exact(ORDER), exact(ORDER[::-1]))
    searcher = Searcher(None, [meaning_search("s", "q", 10)], change)  # type: ignore[arg-type]
    old, new = ORDER[:10].tolist(), ORDER[::-1][:10].tolist()
    for places, mixed in ((old, 0), ([*old[:5], *new[:5]], 1), (new, 1), (new, 1), (old, 2)):
        hits = [Hit(memory=Memory(name=f"spaces/s/memories/m{place}")) for place in places]
        searcher._judge(0, [SearchResponse(hits=hits).SerializeToString(), SearchResponse().SerializeToString()])
        assert change.mixed == mixed
    assert change.by_model == {"old": 2, "new": 2, "neither": 1}
    assert not change.is_clean


def test_texts_and_questions_are_different_and_the_same_every_time() -> None:
    texts = make_texts(None, 3_000)
    assert len(set(texts)) == 3_000
    assert texts[:500] == make_texts(None, 500)
    assert len(set(make_questions(None, 30))) == 30
