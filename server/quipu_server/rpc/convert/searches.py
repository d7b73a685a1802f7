"""Searches: what is asked, and what is found."""

from quipu.v1.search_service_pb2 import (
    SEARCH_PATH_HOT,
    SEARCH_PATH_STORE,
    ContentSpan,
    ContextEntry,
    Hit,
    ScoreExplanation,
    SearchContext,
    SearchMode,
    SearchRequest,
    SearchResponse,
    SearchSummary,
    SpaceAnswer,
    StageTiming,
)
from quipu_server.domain import Mode, Path
from quipu_server.errors import InvalidArgument
from quipu_server.rpc import names
from quipu_server.rpc.convert.filters import read_filtering
from quipu_server.rpc.convert.memories import write_memory
from quipu_server.rpc.convert.several import read_revisions, read_spaces
from quipu_server.rpc.convert.spaces import read_weights, write_weights
from quipu_server.rpc.convert.times import read_duration, write_duration, write_time
from quipu_server.rpc.convert.values import read_vector
from quipu_server.rpc.validate import check_known, check_number, check_text
from quipu_server.search import Answer, Explanation, ScoredHit, SearchQuery, SearchSlice, Summary
from quipu_server.search.context import ContextRun

MOST_TEXT_BYTES = 32_768
DEFAULT_K = 10
MOST_HITS = 1_000
WIDEST_CONTEXT = 20
MOST_EXPANDED = 1_000
LONGEST_STALENESS_S = 3_600.0

_MODES: dict[int, Mode | None] = {
    SearchMode.SEARCH_MODE_UNSPECIFIED: None,
    SearchMode.SEARCH_MODE_HYBRID: Mode.HYBRID,
    SearchMode.SEARCH_MODE_DENSE: Mode.DENSE,
    SearchMode.SEARCH_MODE_LEXICAL: Mode.LEXICAL,
}
_PATHS = {Path.HOT: SEARCH_PATH_HOT, Path.STORE: SEARCH_PATH_STORE}


def read_search(request: SearchRequest, tenant: str) -> SearchQuery:
    """What is asked. Raises InvalidArgument."""
    asked = request.WhichOneof("query")
    if asked is None:
        raise InvalidArgument("query", "one of text, vector and example must be set")
    text = check_text(request.text, "text", MOST_TEXT_BYTES, required=True) if asked == "text" else None
    k = _read_k(request)
    return SearchQuery(
        tenant,
        read_spaces(request.spaces),
        text=text,
        vector=read_vector(request.vector, "vector") if asked == "vector" else None,
        example=names.read_memory(request.example, "example") if asked == "example" else None,
        mode=_read_mode(request, by_vector=asked == "vector"),
        k=k,
        expand_context=_read_expand_context(request, k),
        condition=read_filtering(request),
        min_relevance=check_number(request.min_relevance, "min_relevance", 0, 1),
        ranking=read_weights(request.ranking, "ranking"),
        explain=request.explain,
        at_least=read_revisions(request.consistency.at_least.revisions, "consistency.at_least.revisions"),
        max_staleness_s=_read_staleness(request),
        as_of=read_revisions(request.consistency.as_of.revisions, "consistency.as_of.revisions"),
    )


def write_slice(found: SearchSlice) -> SearchResponse:
    """One message of the stream."""
    summary = None if found.summary is None else write_summary(found.summary)
    contexts = [_write_run(run) for run in found.contexts]
    return SearchResponse(hits=[_write_hit(hit) for hit in found.hits], summary=summary, contexts=contexts)


def _read_mode(request: SearchRequest, *, by_vector: bool) -> Mode | None:
    mode = check_known(request.mode, "mode", _MODES)
    if by_vector and mode not in (None, Mode.DENSE):
        raise InvalidArgument("mode", "must be dense, or not set, for a search by vector")
    return mode


def _read_k(request: SearchRequest) -> int:
    if not request.HasField("k"):
        return DEFAULT_K
    if not 1 <= request.k <= MOST_HITS:
        raise InvalidArgument("k", f"is {request.k}; it must be from 1 to {MOST_HITS:,}")
    return request.k


def _read_expand_context(request: SearchRequest, k: int) -> int:
    reach = request.expand_context
    if not 0 <= reach <= WIDEST_CONTEXT:
        raise InvalidArgument("expand_context", f"is {reach}; it must be from 0 to {WIDEST_CONTEXT}")
    if reach * k > MOST_EXPANDED:
        raise InvalidArgument("expand_context", f"times k is {reach * k:,}; at most {MOST_EXPANDED:,} are allowed")
    return reach


def _read_staleness(request: SearchRequest) -> float | None:
    if request.consistency.WhichOneof("level") != "max_staleness":
        return None
    return read_duration(request.consistency.max_staleness, "consistency.max_staleness", 0, LONGEST_STALENESS_S)


def _write_hit(hit: ScoredHit) -> Hit:
    return Hit(
        memory=write_memory(hit.memory, hit.space.name),
        score=hit.score,
        relevance=hit.relevance,
        best_chunk=write_span(hit.span),
        explanation=None if hit.explanation is None else _write_explanation(hit.explanation),
    )


def write_span(span: tuple[int, int] | None) -> ContentSpan | None:
    return None if span is None else ContentSpan(start=span[0], end=span[1])


def _write_run(run: ContextRun) -> SearchContext:
    entries = [
        ContextEntry(hit=entry) if isinstance(entry, int) else ContextEntry(memory=write_memory(entry, run.space.name))
        for entry in run.entries
    ]
    return SearchContext(session=names.write_session(run.space.name, run.session), entries=entries)


def _write_explanation(explanation: Explanation) -> ScoreExplanation:
    return ScoreExplanation(
        cosine=explanation.cosine,
        bm25=explanation.bm25,
        age=write_duration(explanation.age_s),
        matched_terms=explanation.matched_terms,
        **{f"{name}_term": value for name, value in explanation.terms.items()},
    )


def write_summary(summary: Summary) -> SearchSummary:
    return SearchSummary(
        hit_count=summary.hit_count,
        answers=[_write_answer(answer) for answer in summary.answers],
        complete=not summary.incomplete_reason,
        incomplete_reason=summary.incomplete_reason,
        reference_time=write_time(summary.reference_time),
        ranking=write_weights(summary.ranking),
        stages=[StageTiming(stage=stage, duration=write_duration(length_s)) for stage, length_s in summary.stages],
    )


def _write_answer(answer: Answer) -> SpaceAnswer:
    return SpaceAnswer(
        space=names.write_space(answer.space),
        revision=answer.revision,
        path=_PATHS[answer.path],
        matched_count=answer.matched_count,
        plan=answer.plan,
        unembedded_count=answer.unembedded_count,
    )
