"""`quipu search` and `quipu spaces`."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from quipu.v1.memory_pb2 import Memory
from quipu.v1.search_service_pb2 import (
    ContentSpan,
    Hit,
    ScoreExplanation,
    SearchResponse,
    SearchSummary,
    SpaceAnswer,
    StageTiming,
)
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceResponse, DeleteSpaceResponse, GetSpaceResponse, ListSpacesResponse
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]

EXPLANATION = ScoreExplanation(
    cosine=0.5, bm25=2.5, dense_term=0.25, lexical_term=0.125, matched_terms=["tea"], age=Duration(seconds=60)
)
TEA = Hit(memory=Memory(name="spaces/a/memories/m1", content="Ann likes tea"), score=0.375, relevance=0.25)
LONG = Hit(
    memory=Memory(name="spaces/a/memories/m2", content="Long before. Tea at noon. Long after."),
    score=0.25,
    best_chunk=ContentSpan(start=13, end=25),
)
SUMMARY = SearchSummary(
    hit_count=2,
    complete=True,
    answers=[SpaceAnswer(space="spaces/a", revision=7)],
    stages=[StageTiming(stage="embed", duration=Duration(nanos=2_500_000))],
)


@pytest.fixture(autouse=True)
def answer(notebook: Notebook) -> None:
    def slices(request: Any) -> Iterator[SearchResponse]:
        yield SearchResponse(hits=[explained(TEA) if request.explain else TEA])
        yield SearchResponse(hits=[LONG], summary=SUMMARY)

    notebook.server.answers["Search"] = slices


def explained(hit: Hit) -> Hit:
    copy = Hit(explanation=EXPLANATION)
    copy.MergeFrom(hit)
    return copy


def test_hits_are_listed_with_scores(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    assert quipu("search", "tea", "-s", "a", "-s", "b", "-k", "3", "--filter", "tags = 'x'", "--mode", "dense") == 0
    first, _, second, _ = capsys.readouterr().out.splitlines()
    assert first.split(maxsplit=1) == ["0.375", "Ann likes tea"]
    assert second.split(maxsplit=1) == ["0.250", "…Tea at noon."]
    (request,) = notebook.server.requests
    assert (list(request.spaces), request.k, request.filter) == (["spaces/a", "spaces/b"], 3, "tags = 'x'")


def test_an_explanation_shows_every_term(quipu: Run, capsys: Output) -> None:
    assert quipu("search", "tea", "--explain") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "dense 0.250 + lexical 0.125 + importance 0.000 + recency 0.000 · cosine 0.500 · bm25 2.500 · tea" in printed
    assert "spaces/a at revision 7: embed 2.5 ms" in printed


def test_hits_as_json(quipu: Run, capsys: Output) -> None:
    assert quipu("search", "tea", "--explain", "--json") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["score"], first["relevance"], first["memory"]["id"]) == (0.375, 0.25, "m1")
    assert first["explanation"]["age_s"] == timedelta(minutes=1).total_seconds()
    assert first["explanation"]["matched_terms"] == ["tea"]
    assert second["best_chunk"] == {"start": 13, "end": 25}


def test_an_incomplete_answer_says_so(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    summary = SearchSummary(incomplete_reason="the index is being built")
    notebook.server.answers["Search"] = lambda _: iter([SearchResponse(summary=summary)])
    assert quipu("search", "tea") == 0
    assert capsys.readouterr().err == "These may not be the best hits: the index is being built\n"


def test_a_search_needs_something_to_look_for(quipu: Run, capsys: Output) -> None:
    assert quipu("search") == 1
    assert "exactly one of text, vector, example" in capsys.readouterr().err


def test_spaces_are_listed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["ListSpaces"] = lambda _: ListSpacesResponse(
        spaces=[Space(name="spaces/a", model="models/m", memory_count=1234)]
    )
    assert quipu("spaces", "list") == 0
    assert {"a", "1,234", "m"} <= set(capsys.readouterr().out.split())


def test_a_space_is_shown_as_json(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    space = Space(name="spaces/a", language="en")
    space.ranking.recency = 0.0
    space.ranking.recency_half_life.FromTimedelta(timedelta(days=1))
    notebook.server.answers["GetSpace"] = lambda _: GetSpaceResponse(space=space)
    assert quipu("spaces", "show", "a", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ranking"] == {"recency": 0.0, "recency_half_life_s": 86400.0}


def test_a_space_is_created_with_its_language(quipu: Run, notebook: Notebook) -> None:
    notebook.server.answers["CreateSpace"] = lambda request: CreateSpaceResponse(space=request.space)
    assert quipu("spaces", "create", "a", "--language", "de") == 0
    assert notebook.server.requests[0].space.language == "de"


def test_a_space_is_destroyed_only_after_a_yes(quipu: Run, notebook: Notebook) -> None:
    notebook.server.answers["DeleteSpace"] = lambda _: DeleteSpaceResponse(deleted_memory_count=3)
    assert quipu("spaces", "delete", "a", stdin=b"n\n") == 130
    assert notebook.server.requests == []
    assert quipu("spaces", "delete", "a", "--yes", "--force") == 0
    assert notebook.server.requests[0].force
