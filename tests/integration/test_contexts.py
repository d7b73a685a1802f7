"""What is said around hits, and packed contexts, as a user of the API sees them."""

from typing import Any

import pytest
from grpc import StatusCode

from quipu.v1.consistency_pb2 import AsOfRead, ReadConsistency
from quipu.v1.embedding_service_pb2 import CountTokensRequest
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest, UpdateMemoryRequest
from quipu.v1.search_service_pb2 import PackContextRequest, PackContextResponse, PackedSource, SearchRequest
from quipu.v1.session_service_pb2 import AppendMessagesRequest, NewMessage
from tests.integration.api import Api, Found, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

TALK = [
    "Good morning, how was the night?",
    "Short. The neighbours had a party.",
    "I slept well in the caravan.",
    "Did the parrot Coco swear again?",
    "Yes, all morning long.",
    "Someone should teach it manners.",
    "The weather will be fine today.",
    "Let us walk along the river.",
    "Bring the umbrella anyway.",
]
PARROT = 3


async def talk(api: Api, space: str, session: str = "s1", contents: list[str] = TALK) -> list[str]:
    """Append to a session; the names of the messages."""
    messages = [NewMessage(memory=Memory(content=content)) for content in contents]
    request = AppendMessagesRequest(parent=f"{space}/sessions/{session}", messages=messages)
    return [message.name for message in (await api.sessions.AppendMessages(request)).messages]


def shown(found: Found) -> list[list[str]]:
    """The contents of each run; hits in capitals."""
    return [
        [
            found.hits[e.hit].memory.content.upper() if e.WhichOneof("entry") == "hit" else e.memory.content
            for e in run.entries
        ]
        for run in found.contexts
    ]


async def test_neighbours_come_with_a_hit_and_count_for_nothing(either: Api, space: str) -> None:
    await talk(either, space)
    found = await either.search(space, text="a parrot that swears", k=1, mode=2, expand_context=2)
    assert [hit.memory.content for hit in found.hits] == [TALK[PARROT]]
    assert shown(found) == [[*TALK[1:3], TALK[PARROT].upper(), *TALK[4:6]]]
    assert found.contexts[0].session == f"{space}/sessions/s1"
    assert found.summary.hit_count == 1
    assert not (await either.search(space, text="a parrot that swears", k=1)).contexts


async def test_context_need_not_meet_the_filter_but_be_live(either: Api, space: str) -> None:
    names = await talk(either, space)
    await either.memories.DeleteMemory(DeleteMemoryRequest(name=names[2]))
    changed = Memory(name=names[4], content="Yes, and it was new.")
    await either.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    found = await either.search(space, text="swear", k=3, filter='content CONTAINS "parrot"', expand_context=1)
    assert shown(found) == [[TALK[1], TALK[PARROT].upper(), "Yes, and it was new."]]
    past = ReadConsistency(as_of=AsOfRead(revisions={space: 9}))
    before = await either.search(
        space, text="swear", k=3, filter='content CONTAINS "parrot"', expand_context=1, consistency=past
    )
    assert shown(before) == [[TALK[2], TALK[PARROT].upper(), TALK[4]]]


async def test_overlaps_are_merged_across_sessions_and_spaces(either: Api, space: str) -> None:
    other = f"{space}-b"
    await talk(either, space)
    await talk(either, space, "s2", ["Coco is a parrot.", "It swears."])
    await talk(either, other, "s1", ["Before.", "A parrot swears.", "After."])
    await either.create(space, "A parrot can swear.", "fact")
    found = await either.search(space, other, text="parrot swears", k=40, expand_context=3)
    assert len(found.hits) == 15
    everything = [TALK, ["Coco is a parrot.", "It swears."], ["Before.", "A parrot swears.", "After."]]
    assert sorted(shown(found)) == sorted([[said.upper() for said in part] for part in everything])
    best = [min(e.hit for e in run.entries) for run in found.contexts]
    assert best == sorted(best)


async def pack(api: Api, space: str, text: str, **fields: Any) -> PackContextResponse:
    search = SearchRequest(spaces=[space], text=text, **fields.pop("search", {}))
    return await api.searches.PackContext(PackContextRequest(search=search, **fields))


async def test_a_pack_has_window_hits_and_context(either: Api, space: str) -> None:
    names = await talk(either, space)
    await talk(either, space, "s2", ["Hello again.", "What did the parrot say?", "Tell me."])
    made = await pack(
        either,
        space,
        "the parrot Coco swears",
        session=f"{space}/sessions/s2",
        token_budget=100,
        window_messages=2,
        search={"k": 1, "mode": 3, "filter": 'session = "s1"'},
    )
    lines = [*TALK[2:5], "What did the parrot say?", "Tell me."]
    assert made.text == "\n".join(f"[{n}] {line}" for n, line in enumerate(lines[:3], start=1)) + "\n\n" + "\n".join(
        f"[{n}] {line}" for n, line in enumerate(lines[3:], start=4)
    )
    sources = ["CONTEXT", "HIT", "CONTEXT", "WINDOW", "WINDOW"]
    assert [each.source for each in made.citations] == [PackedSource.Value(f"PACKED_SOURCE_{s}") for s in sources]
    assert made.citations[1].memory == names[PARROT]
    assert made.citations[1].score > 0
    assert not made.citations[0].HasField("score")
    for each, line in zip(made.citations, lines, strict=True):
        assert made.text[each.span.start : each.span.end] == f"[{each.number}] {line}"
    assert made.has_older
    counted = await either.embeddings.CountTokens(CountTokensRequest(texts=[made.text]))
    assert made.token_count == counted.token_counts[0]
    assert not made.left_out


async def test_a_pack_says_what_had_no_room(either: Api, space: str) -> None:
    await talk(either, space)
    for budget in (1, 15, 30, 60, 100):
        made = await pack(either, space, "parrot", token_budget=budget)
        counted = await either.embeddings.CountTokens(CountTokensRequest(texts=[made.text]))
        assert made.token_count == counted.token_counts[0] <= budget
        assert len(made.citations) + len(made.left_out) == len(TALK)
        assert all(each.token_count > 0 for each in made.left_out)
    everything = await pack(either, space, "parrot", token_budget=1_000)
    assert everything.text == "\n".join(f"[{n}] {line}" for n, line in enumerate(TALK, start=1))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"token_budget": 0}, "token_budget"),
    ({"token_budget": 100_001}, "token_budget"),
    ({"token_budget": 9, "window_messages": -1}, "window_messages"),
    ({"token_budget": 9, "window_tokens": -1}, "window_tokens"),
    ({"token_budget": 9, "session": "s"}, "session"),
    ({"token_budget": 9, "session": "spaces/other/sessions/s"}, "session"),
    ({"token_budget": 9, "model": "m"}, "model"),
    ({"token_budget": 9, "search": {"k": 1_001}}, "search.k"),
    ({"token_budget": 9, "search": {"filter": "nothing = 1"}}, "search.filter"),
    ({"token_budget": 9, "search": {"expand_context": 21}}, "search.expand_context"),
]


@pytest.mark.parametrize(("fields", "path"), BAD, ids=[path for _, path in BAD])
async def test_a_bad_pack_is_refused_by_field(api: Api, space: str, fields: dict[str, Any], path: str) -> None:
    refused = await refusal(pack(api, space, "x", **fields))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (path,))
    assert refused.metadata["field"] == path


@pytest.mark.parametrize(("k", "reach"), [(10, -1), (10, 21), (1_000, 2)])
async def test_too_much_context_is_refused(api: Api, space: str, k: int, reach: int) -> None:
    refused = await refusal(api.search(space, text="x", k=k, expand_context=reach))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("expand_context",))


async def test_a_pack_of_what_is_not_there(api: Api, space: str) -> None:
    await api.create(space, "x")
    fields = {"token_budget": 9, "session": f"{space}/sessions/s"}
    assert (await refusal(pack(api, space, "x", **fields))).reason == "SESSION_NOT_FOUND"
    assert (await refusal(pack(api, space, "x", token_budget=9, model="models/none"))).reason == "MODEL_NOT_FOUND"
