"""Search over the API: modes, order, scores, limits; each on the hot path and on the store's."""

import math
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1.embedding_service_pb2 import EmbedRequest
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest, UpdateMemoryRequest
from quipu.v1.ranking_pb2 import RankingWeights
from quipu.v1.search_service_pb2 import (
    SEARCH_MODE_DENSE,
    SEARCH_MODE_HYBRID,
    SEARCH_MODE_LEXICAL,
    SEARCH_PATH_HOT,
    SEARCH_PATH_STORE,
    SearchMode,
)
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceRequest
from quipu.v1.value_pb2 import Vector
from tests.integration.api import Api, Found, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

FACTS = {
    "allergy": "Ana is allergic to peanuts and carries an adrenaline pen.",
    "bike": "The repair shop changed both tyres of the blue bicycle.",
    "cat": "Our cat Miso sleeps on the radiator in winter.",
    "deploy": "Releases go out on Tuesdays; error code E-4711 means a locked migration.",
    "exam": "The chemistry exam was moved to the second of June.",
    "flat": "Rent for the flat in Lisbon rises by forty euros.",
    "garden": "Tomatoes need full sun and a lot of water.",
    "hike": "We walked along the coast for six hours and saw dolphins.",
}
ALL_MODES = [SEARCH_MODE_HYBRID, SEARCH_MODE_DENSE, SEARCH_MODE_LEXICAL]
PLAIN = RankingWeights(importance=0, recency=0)


async def remember(api: Api, space: str) -> None:
    await api.fill(space, {key: Memory(content=text) for key, text in FACTS.items()})


async def vector_of(api: Api, text: str) -> Vector:
    answer = await api.embeddings.Embed(EmbedRequest(texts=[text]))
    return answer.embeddings[0].chunks[0].vector


def assert_ordered(found: Found) -> None:
    keys = [(-hit.score, hit.memory.name) for hit in found.hits]
    assert keys == sorted(keys)


async def test_meaning_is_found_without_a_common_word(either: Api, space: str) -> None:
    await remember(either, space)
    found = await either.search(space, text="Which nuts must we avoid when cooking for her?", mode=SEARCH_MODE_DENSE)
    assert found.ids[0] == "allergy"
    assert len(found.ids) == len(FACTS)


async def test_a_rare_word_is_found_by_words(either: Api, space: str) -> None:
    await remember(either, space)
    found = await either.search(space, text="E-4711", mode=SEARCH_MODE_LEXICAL)
    assert found.ids == ["deploy"]
    assert not found.hits[0].HasField("best_chunk")


async def test_word_forms_are_one_word(either: Api, space: str) -> None:
    await remember(either, space)
    assert (await either.search(space, text="bicycles DOLPHIN", mode=SEARCH_MODE_LEXICAL, ranking=PLAIN)).ids[:2]
    assert set((await either.search(space, text="bicycles DOLPHIN", mode=SEARCH_MODE_LEXICAL)).ids) == {"bike", "hike"}


async def test_hybrid_is_the_default_and_finds_both(either: Api, space: str) -> None:
    await remember(either, space)
    assert (await either.search(space, text="E-4711")).ids[0] == "deploy"
    assert (await either.search(space, text="a pet that naps somewhere warm", mode=SEARCH_MODE_DENSE)).ids[0] == "cat"
    hybrid, default = [await either.search(space, text="cat", **f) for f in ({"mode": SEARCH_MODE_HYBRID}, {})]
    assert hybrid.ids == default.ids


async def test_a_given_vector_finds_its_text(either: Api, space: str) -> None:
    await remember(either, space)
    vector = await vector_of(either, FACTS["garden"])
    found = await either.search(space, vector=vector, explain=True, ranking=PLAIN)
    assert found.ids[0] == "garden"
    assert found.hits[0].explanation.cosine == pytest.approx(1.0, abs=1e-3)


async def test_the_length_of_a_vector_does_not_matter(either: Api, space: str) -> None:
    await remember(either, space)
    vector = await vector_of(either, "a walk by the sea")
    longer = Vector(values=[1e20 * v for v in vector.values])
    near, far = [await either.search(space, vector=v, ranking=PLAIN) for v in (vector, longer)]
    assert near.ids == far.ids


async def test_an_example_finds_others_like_it(either: Api, space: str) -> None:
    await remember(either, space)
    await either.create(space, "Dolphins followed us while we hiked along the cliffs.", "like")
    for mode in ALL_MODES:
        found = await either.search(space, example=f"{space}/memories/hike", mode=mode)
        assert found.ids[0] == "like", SearchMode.Name(mode)
        assert "hike" not in found.ids


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_the_terms_sum_to_the_score_the_order_follows(
    either: Api, space: str, mode: SearchMode.ValueType
) -> None:
    await remember(either, space)
    found = await either.search(space, text="the blue bicycle in the garden", mode=mode, explain=True)
    assert_ordered(found)
    for hit in found.hits:
        e = hit.explanation
        terms = [value for field, value in e.ListFields() if field.name.endswith("_term")]
        assert hit.score == pytest.approx(sum(terms), rel=1e-12)
        assert e.HasField("cosine") == (mode != SEARCH_MODE_LEXICAL)
        assert e.HasField("bm25") == (mode != SEARCH_MODE_DENSE)
    if mode != SEARCH_MODE_DENSE:
        assert set(found.hits[found.ids.index("bike")].explanation.matched_terms) >= {"blue"}
        assert found.hits[0].explanation.bm25 > 0
    assert [s.stage for s in found.summary.stages]


async def test_without_explain_no_term_is_sent(either: Api, space: str) -> None:
    await remember(either, space)
    found = await either.search(space, text="cat")
    assert not any(hit.HasField("explanation") for hit in found.hits)
    assert not found.summary.stages


async def test_importance_and_recency_are_what_the_formula_says(either: Api, space: str) -> None:
    then = Timestamp()
    then.FromDatetime(datetime.now(UTC) - timedelta(days=2))
    await either.create(space, "the same words", "old", importance=0.8, event_time=then)
    weights = RankingWeights(importance=2.0, recency=4.0, recency_half_life=Duration(seconds=86_400))
    found = await either.search(space, text="the same words", ranking=weights, explain=True)
    explanation = found.hits[0].explanation
    assert explanation.importance_term == pytest.approx(1.6)
    age_s = found.summary.reference_time.ToDatetime().timestamp() - then.ToDatetime().timestamp()
    assert explanation.age.ToTimedelta().total_seconds() == pytest.approx(age_s, abs=0.01)
    assert explanation.recency_term == pytest.approx(4.0 * 0.5 ** (age_s / 86_400))
    assert found.summary.ranking.recency == 4.0
    assert found.summary.ranking.dense == 0.5


async def test_weights_of_the_request_go_before_those_of_the_space(either: Api, space: str) -> None:
    settings = Space(ranking=RankingWeights(importance=1.0, recency=0.0))
    await either.spaces.CreateSpace(CreateSpaceRequest(space_id=space.removeprefix("spaces/"), space=settings))
    await either.create(space, "cat", "a", importance=0.1)
    await either.create(space, "cat", "b", importance=0.9)
    assert (await either.search(space, text="cat")).ids == ["b", "a"]
    assert (await either.search(space, text="cat", ranking=RankingWeights(importance=0.0))).ids == ["a", "b"]


async def test_equal_scores_are_ordered_by_name(either: Api, space: str) -> None:
    await either.fill(space, {key: Memory(content="twins") for key in ("c", "a", "B", "b", "10", "9")})
    found = await either.search(space, text="twins", ranking=PLAIN)
    assert found.ids == ["10", "9", "B", "a", "b", "c"]


async def test_relevance_admits(either: Api, space: str) -> None:
    await remember(either, space)
    for mode in ALL_MODES:
        everything = await either.search(space, text="peanuts allergy", mode=mode)
        floor = everything.hits[0].relevance * 0.9
        some = await either.search(space, text="peanuts allergy", mode=mode, min_relevance=floor)
        assert some.ids == [hit_id for hit_id, hit in zip(everything.ids, everything.hits, strict=True)
                            if hit.relevance >= floor]  # fmt: skip
        assert some.ids
    assert not (await either.search(space, text="quantum chromodynamics", min_relevance=0.95)).hits


async def test_an_old_exact_match_is_not_ranked_out_by_fresh_noise(either: Api, space: str) -> None:
    long_ago = Timestamp()
    long_ago.FromDatetime(datetime(2001, 1, 1, tzinfo=UTC))
    await either.create(space, FACTS["deploy"], "match", importance=0.0, event_time=long_ago)
    noise = {f"n{i}": Memory(content=FACTS["cat"], importance=1.0) for i in range(5)}
    await either.fill(space, noise)
    strong = RankingWeights(importance=10, recency=10)
    found = await either.search(space, text=FACTS["deploy"], min_relevance=0.5, ranking=strong)
    assert found.ids == ["match"]


async def test_k_hits_come_in_slices_of_fifty(either: Api, space: str) -> None:
    memories = {f"m{i:03}": Memory(content=f"note number {i} about cats") for i in range(120)}
    await either.fill(space, memories)
    found = await either.search(space, text="cats", k=120)
    assert sorted(found.ids) == sorted(memories)
    assert found.slices == [50, 50, 20]
    assert_ordered(found)
    assert found.summary.hit_count == 120
    assert (await either.search(space, text="cats", k=1000)).summary.hit_count == 120
    assert (await either.search(space, text="cats")).ids == found.ids[:10]
    assert (await either.search(space, text="cats", k=1)).ids == found.ids[:1]


@pytest.mark.parametrize("k", [-1, 0, 1001])
async def test_other_numbers_of_hits_are_refused(either: Api, space: str, k: int) -> None:
    await either.create(space, "x")
    refused = await refusal(either.search(space, text="x", k=k))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("k",))


async def test_an_empty_space_gives_a_summary_without_hits(either: Api, space: str) -> None:
    await either.spaces.CreateSpace(CreateSpaceRequest(space_id=space.removeprefix("spaces/")))
    for mode in ALL_MODES:
        found = await either.search(space, text="anything", mode=mode)
        assert (found.slices, found.summary.complete) == ([0], True)


async def test_words_that_nobody_said_find_nothing_by_words(either: Api, space: str) -> None:
    await remember(either, space)
    assert not (await either.search(space, text="zyzzyva", mode=SEARCH_MODE_LEXICAL)).hits
    assert not (await either.search(space, text="?!", mode=SEARCH_MODE_LEXICAL)).hits


async def test_what_was_changed_is_found_as_it_is_now(either: Api, space: str) -> None:
    await remember(either, space)
    await either.search(space, text="warm the index")
    changed = Memory(name=f"{space}/memories/cat", content="The parrot Coco repeats every swear word.")
    await either.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    await either.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/hike"))
    assert (await either.search(space, text="a bird that curses", mode=SEARCH_MODE_DENSE)).ids[0] == "cat"
    assert not (await either.search(space, text="Miso radiator", mode=SEARCH_MODE_LEXICAL)).hits
    assert "hike" not in (await either.search(space, text=FACTS["hike"], k=50)).ids


async def test_long_content_is_found_by_its_best_chunk(either: Api, space: str) -> None:
    filler = [f"Paragraph {i} describes ordinary weather over the quiet northern valley." for i in range(120)]
    needle = "Grandmother hid her emerald ring inside the hollow clock."
    story = "Only the jeweller knew of the ring. The emerald was worth more than the house, and she feared thieves."
    content = "\n".join([*filler[:90], needle, story, story, story, *filler[90:]])
    await either.create(space, content, "long")
    await remember(either, space)
    found = await either.search(space, text="Where is grandmother's emerald ring?", mode=SEARCH_MODE_DENSE)
    assert found.ids[0] == "long"
    span = found.hits[0].best_chunk
    assert needle in content[span.start : span.end]
    assert 0 <= span.start < span.end < len(content)
    assert found.hits[0].memory.content == content


async def test_several_spaces_are_searched_as_one(either: Api, space: str) -> None:
    other = f"{space}-b"
    await either.fill(space, {k: Memory(content=t) for k, t in list(FACTS.items())[:4]})
    await either.fill(other, {k: Memory(content=t) for k, t in list(FACTS.items())[4:]})
    found = await either.search(space, other, text="walking by the sea with dolphins; allergic to peanuts")
    assert {hit.memory.name for hit in found.hits[:2]} == {f"{space}/memories/allergy", f"{other}/memories/hike"}
    assert_ordered(found)
    assert [answer.space for answer in found.summary.answers] == [space, other]
    assert len(found.hits) == len(FACTS)


async def test_a_vector_is_not_searched_by_words(either: Api, space: str) -> None:
    await remember(either, space)
    vector = await vector_of(either, "x")
    for mode in (SEARCH_MODE_HYBRID, SEARCH_MODE_LEXICAL):
        assert (await refusal(either.search(space, vector=vector, mode=mode))).fields == ("mode",)


async def test_a_vector_of_another_dimension_is_refused(either: Api, space: str) -> None:
    await remember(either, space)
    refused = await refusal(either.search(space, vector=Vector(values=[1.0, 2.0, 3.0])))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_MISMATCH")
    assert refused.metadata["actual"] == "3"


async def test_what_does_not_exist_is_named(either: Api, space: str) -> None:
    assert (await refusal(either.search(space, text="x"))).metadata["name"] == space
    await either.create(space, "x")
    missing = f"{space}/memories/none"
    assert (await refusal(either.search(space, example=missing))).metadata["name"] == missing


async def test_the_same_search_gives_the_same_scores_again(either: Api, space: str) -> None:
    await remember(either, space)
    first, second = [await either.search(space, text="summer by the sea", ranking=PLAIN) for _ in range(2)]
    assert [(h.memory.name, h.score, h.relevance) for h in first.hits] == [
        (h.memory.name, h.score, h.relevance) for h in second.hits
    ]


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_both_paths_give_the_same_answer(api: Api, replica: Api, space: str, mode: SearchMode.ValueType) -> None:
    await remember(api, space)
    while (await api.search(space, text="warm the index")).summary.answers[0].path != SEARCH_PATH_HOT:
        pass
    hot, store = [
        await door.search(space, text="blue coast garden", mode=mode, ranking=PLAIN) for door in (api, replica)
    ]
    assert list(hot.hits) == list(store.hits)
    assert [found.summary.answers[0].path for found in (hot, store)] == [SEARCH_PATH_HOT, SEARCH_PATH_STORE]


async def test_scores_are_finite(either: Api, space: str) -> None:
    await remember(either, space)
    found = await either.search(space, text="cat", ranking=RankingWeights(dense=0, lexical=0, importance=0, recency=0))
    assert all(math.isfinite(hit.score) and 0 <= hit.relevance <= 1 for hit in found.hits)
