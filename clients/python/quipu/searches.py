"""The calls that find memories."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, TypeAlias

from quipu.dual import call, hits
from quipu.errors import DataLoss
from quipu.filters import FilterLike, filtering
from quipu.names import MemoryLike, model_name, session_name
from quipu.operations import Consistency, Operations
from quipu.ranking import Ranking, to_weights
from quipu.results import Hits
from quipu.v1.search_service_pb2 import (
    PackContextRequest,
    PackContextResponse,
    SearchMode,
    SearchRequest,
    SearchResponse,
)
from quipu.values import VectorLike, to_vector

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]

_MODES = {
    "hybrid": SearchMode.SEARCH_MODE_HYBRID,
    "dense": SearchMode.SEARCH_MODE_DENSE,
    "lexical": SearchMode.SEARCH_MODE_LEXICAL,
}


class SearchOperations(Operations):
    """Everything about search."""

    @hits
    def search(
        self,
        text: str | None = None,
        *,
        vector: VectorLike | None = None,
        example: MemoryLike | None = None,
        space: str | Sequence[str] | None = None,
        mode: Mode | None = None,
        k: int | None = None,
        filter: FilterLike | None = None,
        min_relevance: float = 0.0,
        ranking: Ranking | None = None,
        explain: bool = False,
        expand_context: int | None = None,
        consistency: Consistency = "strong",
        timeout: float | None = None,
    ) -> Hits:
        """Find memories by exactly one of a text, a vector, or an example memory; best first.

        space: one, or up to 16 to search as if they were one.
        k: most hits, 1 to 1,000; default 10.
        filter: a condition such as `session = "s1" AND NOT tags = "draft"`, or a tree.
        expand_context: how many messages before and after each hit, 0 to 20; they are in `contexts` of the answer.
        consistency: `strong`; `session`, which sees what this client wrote; a revision for each space; how long ago
        the last write may be that is not seen; or `AsOf(…)`, the past.
        """
        names = self._parents(space)
        model = example if example is None else self._name(example, space if isinstance(space, str) else None)
        request = SearchRequest(
            spaces=names,
            explain=explain,
            consistency=self._consistency(consistency, names),
            **_query(text=text, vector=None if vector is None else to_vector(vector), example=model),
            **_choices(mode, k, filter, min_relevance, ranking, expand_context),
        )
        return Hits(self._responses(request, timeout))

    @call
    async def pack(
        self,
        text: str,
        *,
        token_budget: int,
        session: str | None = None,
        model: str = "",
        window_messages: int = 0,
        window_tokens: int | None = None,
        space: str | Sequence[str] | None = None,
        mode: Mode | None = None,
        k: int | None = None,
        filter: FilterLike | None = None,
        min_relevance: float = 0.0,
        ranking: Ranking | None = None,
        expand_context: int | None = None,
        consistency: Consistency = "strong",
        timeout: float | None = None,
    ) -> PackContextResponse:
        """Make a text for a prompt: the newest messages of a session, what a search finds, and what was said around it.

        token_budget: most tokens of the text, as `model` counts them; default: the model of the first space.
        session: an id in the first space, or a name; its newest messages end the text.
        window_messages, window_tokens: most of the session; default: half of the budget.
        k: default 50. expand_context: default 1. The others as in `search`.
        """
        names = self._parents(space)
        search = SearchRequest(
            spaces=names,
            text=text,
            consistency=self._consistency(consistency, names),
            **_choices(mode, k, filter, min_relevance, ranking, expand_context),
        )
        request = PackContextRequest(
            search=search,
            session=session_name(session, names[0]) if session else "",
            token_budget=token_budget,
            model=model_name(model),
            window_messages=window_messages,
            window_tokens=window_tokens,
        )
        return await self._wire.unary(self._wire.searches.PackContext, request, timeout)

    async def _responses(self, request: SearchRequest, timeout: float | None) -> AsyncGenerator[SearchResponse, None]:
        is_complete = False
        async for response in self._wire.stream(self._wire.searches.Search, request, timeout):
            is_complete = response.HasField("summary")
            yield response
        if not is_complete:
            raise DataLoss("the server ended the answer before its summary: hits may be missing")


def _query(**queries: Any) -> dict[str, Any]:
    given = {key: value for key, value in queries.items() if value is not None}
    if len(given) != 1:
        raise ValueError(f"a search needs exactly one of {', '.join(queries)}")
    return given


def _choices(
    mode: Mode | None,
    k: int | None,
    filter: FilterLike | None,
    min_relevance: float,
    ranking: Ranking | None,
    expand_context: int | None,
) -> dict[str, Any]:
    """What decides which memories are found."""
    return {
        "mode": _MODES[mode] if mode else SearchMode.SEARCH_MODE_UNSPECIFIED,
        "k": k,
        "min_relevance": min_relevance,
        "ranking": to_weights(ranking) if ranking else None,
        "expand_context": expand_context,
        **filtering(filter),
    }
