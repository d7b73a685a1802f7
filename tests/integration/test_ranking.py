"""Conversations, importance, feedback and use, over the API; each on the hot path and on the store's."""

from pathlib import Path

import grpc
import pytest

from quipu.v1.memory_pb2 import (
    ROLE_ASSISTANT,
    ROLE_USER,
    VERDICT_OUTDATED,
    VERDICT_USEFUL,
    VERDICT_WRONG,
    Memory,
    Verdict,
)
from quipu.v1.memory_service_pb2 import GetMemoryUsesRequest, RecordFeedbackRequest, UpdateMemoryRequest
from quipu.v1.ranking_pb2 import RANKING_FORMULA_MEMORYMESH, RankingFormula, RankingWeights
from quipu.v1.search_service_pb2 import SEARCH_MODE_LEXICAL
from tests.integration.api import Api, refusal
from tests.integration.test_restarts import one_run

pytestmark = pytest.mark.asyncio(loop_scope="session")

TALK = {
    "q1": "Did the doctor say anything about nuts?",
    "a1": "Yes, she has to avoid them for good.",
    "q2": "How is the new flat?",
    "a2": "Loud, but the view makes up for it.",
}
NO_CONVERSATION = RankingWeights(neighbours=0, session=0, role=0)


async def talk(api: Api, space: str) -> None:
    """A conversation in two sessions, with other memories around."""
    drafts = {f"other{i}": Memory(content=f"Remark number {i} about something else.") for i in range(30)}
    for place, (key, text) in enumerate(TALK.items()):
        role = ROLE_ASSISTANT if place % 2 else ROLE_USER
        drafts[key] = Memory(content=text, session="health" if place < 2 else "home", role=role)
    await api.fill(space, drafts)


async def judge(api: Api, space: str, key: str, verdict: Verdict.ValueType, request_id: str = "") -> Memory:
    request = RecordFeedbackRequest(name=f"{space}/memories/{key}", verdict=verdict, request_id=request_id)
    return (await api.memories.RecordFeedback(request)).memory


async def test_an_answer_is_found_by_its_question(either: Api, space: str) -> None:
    await talk(either, space)
    question = "What did the doctor say about nuts?"
    assert (await either.search(space, text=question, k=2)).ids == ["q1", "a1"]
    plain = await either.search(space, text=question, k=30, ranking=NO_CONVERSATION, explain=True)
    assert plain.ids.index("a1") > 1
    for hit in plain.hits:
        assert hit.explanation.neighbours_term == hit.explanation.session_term == hit.explanation.role_term == 0


async def test_terms_of_a_conversation_are_shown(either: Api, space: str) -> None:
    await talk(either, space)
    found = await either.search(space, text="doctor nuts", k=30, explain=True)
    shown = {key: hit.explanation for key, hit in zip(found.ids, found.hits, strict=True)}
    assert shown["q1"].session_term == shown["a1"].session_term == pytest.approx(0.3)
    assert (shown["q1"].role_term, shown["a1"].role_term) == (0.2, 0.0)
    fused = shown["q1"].dense_term + shown["q1"].lexical_term
    assert shown["a1"].neighbours_term == pytest.approx(0.2 * fused)
    for key, explanation in shown.items():
        if key.startswith("other"):
            assert explanation.neighbours_term == explanation.session_term == explanation.role_term == 0
    ranking = found.summary.ranking
    assert (ranking.neighbours, ranking.session, ranking.role) == (0.2, 0.3, 0.2)


async def test_what_a_filter_leaves_out_is_evidence_still(either: Api, space: str) -> None:
    await talk(either, space)
    found = await either.search(space, text="doctor nuts", filter='role = "assistant"', explain=True)
    assert found.ids[0] == "a1"
    assert set(found.ids) == {"a1", "a2"}
    assert found.hits[0].explanation.neighbours_term == pytest.approx(0.2 * 0.5)


async def test_words_alone_find_what_has_one_of_them(either: Api, space: str) -> None:
    await talk(either, space)
    assert (await either.search(space, text="doctor", mode=SEARCH_MODE_LEXICAL)).ids == ["q1"]


async def test_weights_belong_to_spaces_and_searches(api: Api, space: str) -> None:
    await talk(api, space)
    wrong = RankingWeights(neighbours=11, formula=RankingFormula.ValueType(99))
    assert (await refusal(api.search(space, text="x", ranking=wrong))).fields in (
        ("ranking.neighbours",),
        ("ranking.formula",),
    )
    mesh = RankingWeights(formula=RANKING_FORMULA_MEMORYMESH, importance_role=1)
    ranking = (await api.search(space, text="x", ranking=mesh)).summary.ranking
    assert (ranking.dense, ranking.importance_role, ranking.importance_explicit) == (0.6, 1.0, 0.4)
    assert ranking.recency_half_life.seconds == 7 * 86_400


async def test_an_importance_is_known_to_be_given(either: Api, space: str) -> None:
    made = await either.create(space, "one", "a", importance=0.5)
    assert made.importance_given
    assert not (await either.create(space, "two", "b")).importance_given
    request = UpdateMemoryRequest(memory=Memory(name=made.name))
    request.update_mask.paths.append("importance")
    assert not (await either.memories.UpdateMemory(request)).memory.importance_given
    request.memory.importance = 0.5
    assert (await either.memories.UpdateMemory(request)).memory.importance_given


async def test_feedback_moves_memories_on_every_server(api: Api, replica: Api, space: str) -> None:
    await api.fill(space, {key: Memory(content="The bike is in the cellar.") for key in ("a", "b", "c")})
    for server in (api, replica):
        assert (await server.search(space, text="bike")).ids == ["a", "b", "c"]
    await judge(api, space, "c", VERDICT_USEFUL)
    judged = await judge(replica, space, "a", VERDICT_WRONG)
    assert (judged.feedback.useful, judged.feedback.wrong) == (0, 1)
    for server in (api, replica):
        found = await server.search(space, text="bike", explain=True)
        assert found.ids == ["c", "b", "a"]
        assert [hit.explanation.feedback_term > 0 for hit in found.hits] == [True, False, False]
        assert found.hits[1].explanation.feedback_term == 0
        still = await server.search(space, text="bike", ranking=RankingWeights(feedback=0))
        assert [round(hit.score, 6) for hit in still.hits] == [round(still.hits[0].score, 6)] * 3


async def test_feedback_counts_once_and_ends_with_its_content(either: Api, space: str) -> None:
    await either.create(space, "The bike is in the cellar.", "a")
    request_id = "5b9f6b0e-6c3c-4a29-8f0b-3a4f5f3c9a01"
    first = await judge(either, space, "a", VERDICT_OUTDATED, request_id)
    assert await judge(either, space, "a", VERDICT_OUTDATED, request_id) == first
    assert first.feedback.outdated == 1
    request = UpdateMemoryRequest(memory=Memory(name=first.name, tags=["x"]))
    assert (await either.memories.UpdateMemory(request)).memory.feedback.outdated == 1
    request = UpdateMemoryRequest(memory=Memory(name=first.name, content="The bike was sold."))
    assert not (await either.memories.UpdateMemory(request)).memory.HasField("feedback")


async def test_feedback_needs_a_memory_and_a_verdict(api: Api, space: str) -> None:
    await api.create(space, "one", "a")
    assert (await refusal(judge(api, space, "b", VERDICT_USEFUL))).code is grpc.StatusCode.NOT_FOUND
    for verdict in (0, 9):
        refused = await refusal(judge(api, space, "a", Verdict.ValueType(verdict)))
        assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("verdict",))


async def test_use_is_counted_beside_the_log(database_url: str, space: str, tmp_path: Path) -> None:
    names = [f"{space}/memories/{key}" for key in ("b", "a", "nobody")]
    async with one_run(database_url, tmp_path) as api:
        await api.fill(space, {key: Memory(content=f"The bike of {key}.") for key in ("a", "b")})
        for _ in range(3):
            assert (await api.search(space, text="bike of a", k=1)).ids == ["a"]
        assert (await api.search(space, text="bike of a")).summary.answers[0].revision == 2
    async with one_run(database_url, tmp_path) as api:
        uses = (await api.memories.GetMemoryUses(GetMemoryUsesRequest(parent=space, names=names))).uses
        assert [use.name for use in uses] == names
        assert [use.count for use in uses] == [1, 4, 0]
        assert [use.HasField("last_use_time") for use in uses] == [True, True, False]
        found = await api.search(space, text="bike", explain=True, ranking=RankingWeights(use=0.1))
        terms = dict(zip(found.ids, [hit.explanation.use_term for hit in found.hits], strict=True))
        assert terms["a"] > terms["b"] > 0
