"""Packed contexts: what is asked, and the text with its citations."""

from dataclasses import replace

from quipu.v1.search_service_pb2 import (
    Citation,
    ContentSpan,
    LeftOut,
    PackContextRequest,
    PackContextResponse,
    PackedSource,
)
from quipu_server.errors import InvalidArgument
from quipu_server.packing import Candidate
from quipu_server.packs import Pack, PackQuery
from quipu_server.rpc import names
from quipu_server.rpc.convert.searches import read_search, write_span, write_summary
from quipu_server.search import SearchQuery
from quipu_server.sessions import Budget, SessionTarget

MOST_TOKENS = 100_000
MOST_MESSAGES = 1_000
DEFAULT_K = 50
DEFAULT_REACH = 1


def read_pack(request: PackContextRequest, tenant: str) -> PackQuery:
    """What is asked. Raises InvalidArgument."""
    search = _read_search(request, tenant)
    budget = _check_range(request.token_budget, "token_budget", 1, MOST_TOKENS)
    messages = _check_range(request.window_messages, "window_messages", 0, MOST_MESSAGES) or MOST_MESSAGES
    tokens = budget // 2
    if request.HasField("window_tokens"):
        tokens = _check_range(request.window_tokens, "window_tokens", 0, MOST_TOKENS)
    session = _read_session(request, search)
    return PackQuery(search, budget, Budget(messages, tokens), session, names.read_model(request.model, "model"))


def write_pack(pack: Pack) -> PackContextResponse:
    return PackContextResponse(
        text=pack.written.text,
        token_count=pack.token_count,
        model=names.write_model(pack.model),
        citations=[
            _write_citation(number, candidate, span)
            for number, (candidate, span) in enumerate(
                zip(pack.written.candidates, pack.written.spans, strict=True), start=1
            )
        ],
        left_out=[_write_left_out(candidate, tokens) for candidate, tokens in pack.left_out],
        has_older=pack.has_older,
        summary=write_summary(pack.summary),
    )


def _read_search(request: PackContextRequest, tenant: str) -> SearchQuery:
    try:
        search = read_search(request.search, tenant)
    except InvalidArgument as error:
        error.lay_below("search")
        raise
    if not request.search.HasField("k"):
        search = replace(search, k=DEFAULT_K)
    if not request.search.HasField("expand_context"):
        search = replace(search, expand_context=DEFAULT_REACH)
    return search


def _read_session(request: PackContextRequest, search: SearchQuery) -> SessionTarget | None:
    if not request.session:
        return None
    space, session = names.read_session(request.session, "session")
    if space not in search.spaces:
        raise InvalidArgument("session", "must lie in one of search.spaces")
    return SessionTarget(search.tenant, space, session)


def _check_range(number: int, path: str, least: int, most: int) -> int:
    if not least <= number <= most:
        raise InvalidArgument(path, f"is {number:,}; it must be from {least} to {most:,}")
    return number


def _write_citation(number: int, candidate: Candidate, span: tuple[int, int]) -> Citation:
    hit = candidate.hit
    space = candidate.space.name
    return Citation(
        number=number,
        memory=names.write_memory(space, candidate.memory.memory_id),
        session=names.write_session(space, candidate.session) if candidate.session else "",
        source=PackedSource.ValueType(candidate.source),
        score=hit.score if hit else None,
        relevance=hit.relevance if hit else None,
        span=ContentSpan(start=span[0], end=span[1]),
        best_chunk=write_span(hit.span) if hit else None,
    )


def _write_left_out(candidate: Candidate, token_count: int) -> LeftOut:
    return LeftOut(
        memory=names.write_memory(candidate.space.name, candidate.memory.memory_id),
        source=PackedSource.ValueType(candidate.source),
        token_count=token_count,
        score=candidate.hit.score if candidate.hit else None,
    )
