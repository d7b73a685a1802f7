"""SearchService over gRPC."""

from collections.abc import AsyncIterator
from typing import Any

from quipu.v1 import search_service_pb2 as messages
from quipu.v1 import search_service_pb2_grpc
from quipu_server.domain import Mode, Path
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.fields import check_number, check_text, parse_duration, parse_memory, parse_space, parse_vector
from quipu_server.rpc.memory_messages import build_memory
from quipu_server.rpc.requests import caller_tenant
from quipu_server.rpc.space_service import build_duration, build_weights, parse_weights
from quipu_server.rpc.values import build_time, parse_filtering
from quipu_server.search import Answer, Explanation, ScoredHit, Search, SearchQuery, SearchSlice, Summary

MOST_SPACES, DEFAULT_K, MOST_K, LONGEST_QUERY = 16, 10, 1_000, 32_768
LONGEST_STALENESS_S = 3_600
MODES = {0: None, 1: Mode.HYBRID, 2: Mode.DENSE, 3: Mode.LEXICAL}
PATHS = {Path.HOT: messages.SEARCH_PATH_HOT, Path.STORE: messages.SEARCH_PATH_STORE}


class SearchService(search_service_pb2_grpc.SearchServiceServicer):
    """Converts and validates; the work is done by Search."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def Search(self, request: Any, context: Any) -> AsyncIterator[messages.SearchResponse]:
        async for part in self._search.search(parse_query(request)):
            yield build_slice(part)


def parse_query(request: messages.SearchRequest) -> SearchQuery:
    """The search a request asks for."""
    mode = parse_mode(request)
    text, vector, example = parse_probe(request)
    at_least, max_staleness_s = parse_consistency(request)
    k = request.k if request.HasField("k") else DEFAULT_K
    if not 1 <= k <= MOST_K:
        raise InvalidArgument("k", f"is 1 to {MOST_K}, not {k}")
    return SearchQuery(
        tenant=caller_tenant(),
        spaces=parse_spaces(request),
        text=text,
        vector=vector,
        example=example,
        mode=mode,
        k=k,
        condition=parse_filtering(request.filter, request.filter_tree if request.HasField("filter_tree") else None),
        min_relevance=check_number(request.min_relevance, "min_relevance", 0.0, 1.0),
        ranking=parse_weights(request.ranking, "ranking"),
        explain=request.explain,
        at_least=at_least,
        max_staleness_s=max_staleness_s,
    )


def parse_spaces(request: messages.SearchRequest) -> tuple[str, ...]:
    if not 1 <= len(request.spaces) <= MOST_SPACES:
        raise InvalidArgument("spaces", f"has 1 to {MOST_SPACES} names, not {len(request.spaces)}")
    spaces = tuple(parse_space(name, f"spaces[{i}]") for i, name in enumerate(request.spaces))
    if len(set(spaces)) < len(spaces):
        raise InvalidArgument("spaces", "names a space twice")
    return spaces


def parse_mode(request: messages.SearchRequest) -> Mode | None:
    if request.mode not in MODES:
        raise InvalidArgument("mode", f"{request.mode} is not a value of this enum")
    mode = MODES[request.mode]
    if request.HasField("vector") and mode not in (None, Mode.DENSE):
        raise InvalidArgument("mode", "must be dense, or not set, when the query is a vector")
    return mode


def parse_probe(request: messages.SearchRequest) -> tuple[str | None, Any, tuple[str, str] | None]:
    """Text, vector, example: one is set."""
    match request.WhichOneof("query"):
        case "text":
            return check_text(request.text, "text", LONGEST_QUERY, required=True), None, None
        case "vector":
            return None, parse_vector(request.vector, "vector"), None
        case "example":
            return None, None, parse_memory(request.example, "example")
        case _:
            raise InvalidArgument("text", "is required, or vector, or example")


def parse_consistency(request: messages.SearchRequest) -> tuple[dict[str, int], float | None]:
    """Least revisions by id of space, and the staleness allowed."""
    match request.consistency.WhichOneof("level"):
        case "at_least":
            path = "consistency.at_least.revisions"
            revisions = request.consistency.at_least.revisions
            return {parse_space(name, path): revision for name, revision in revisions.items()}, None
        case "max_staleness":
            path = "consistency.max_staleness"
            return {}, parse_duration(request.consistency.max_staleness, path, 0.0, LONGEST_STALENESS_S)
        case _:
            return {}, None


def build_slice(part: SearchSlice) -> messages.SearchResponse:
    """One message of the stream."""
    message = messages.SearchResponse(hits=[build_hit(hit) for hit in part.hits])
    if part.summary is not None:
        message.summary.CopyFrom(build_summary(part.summary))
    return message


def build_hit(hit: ScoredHit) -> messages.Hit:
    message = messages.Hit(memory=build_memory(hit.memory, hit.space.name), score=hit.score, relevance=hit.relevance)
    if hit.span is not None:
        message.best_chunk.start, message.best_chunk.end = hit.span
    if hit.explanation is not None:
        message.explanation.CopyFrom(build_explanation(hit.explanation))
    return message


def build_explanation(explanation: Explanation) -> messages.ScoreExplanation:
    return messages.ScoreExplanation(
        cosine=explanation.cosine,
        bm25=explanation.bm25,
        dense_term=explanation.dense_term,
        lexical_term=explanation.lexical_term,
        importance_term=explanation.importance_term,
        recency_term=explanation.recency_term,
        age=build_duration(explanation.age_s),
        matched_terms=explanation.matched_terms,
    )


def build_summary(summary: Summary) -> messages.SearchSummary:
    return messages.SearchSummary(
        hit_count=summary.hit_count,
        answers=[build_answer(answer) for answer in summary.answers],
        complete=not summary.incomplete_reason,
        incomplete_reason=summary.incomplete_reason,
        reference_time=build_time(summary.reference_time),
        ranking=build_weights(summary.ranking),
        stages=[messages.StageTiming(stage=n, duration=build_duration(s)) for n, s in summary.stages],
    )


def build_answer(answer: Answer) -> messages.SpaceAnswer:
    return messages.SpaceAnswer(
        space=f"spaces/{answer.space}",
        revision=answer.revision,
        path=PATHS[answer.path],
        matched_count=answer.matched_count,
    )
