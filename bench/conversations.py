"""What context around hits is worth, and packed contexts: on conversations, through the API."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from rich.console import Console
from rich.table import Table

from bench.collection import Collection, Question
from bench.locomo import ANSWERABLE
from bench.retrieval import SEARCHES_AT_ONCE, TIMEOUT_S
from quipu import Client

K = 10
REACHES = (0, 2)
TOKEN_BUDGET = 2_000


@dataclass(frozen=True, slots=True)
class Worth:
    """The mean over the questions of categories 1 to 4.

    recall: share of the evidence that came back. complete: share of the questions all of whose evidence did.
    token_count: of all contents that came back, or of the packed text.
    """

    way: str
    question_count: int
    recall: float
    complete: float
    token_count: float


async def measure_conversations(client: Client, collections: Sequence[Collection]) -> Sequence[Worth]:
    """Ask for hits alone, for hits with context, and for packed contexts."""
    worths = [await _measure(collections, _Searching(client, reach)) for reach in REACHES]
    return [*worths, await _measure(collections, _Packing(client))]


def show_conversations(worths: Sequence[Worth], console: Console) -> None:
    table = Table("LoCoMo, categories 1 to 4", title="Conversations: evidence that comes back; per cent")
    for heading in ("n", "evidence", "all of it", "tokens"):
        table.add_column(heading, justify="right")
    for worth in worths:
        figures = f"{100 * worth.recall:.1f}", f"{100 * worth.complete:.1f}", f"{worth.token_count:,.0f}"
        table.add_row(worth.way, f"{worth.question_count:,}", *figures)
    console.print(table)


@dataclass(frozen=True, slots=True)
class _Came:
    """The ids of the memories that came back, and their tokens."""

    ids: Sequence[str]
    token_count: int


class _Searching:
    """Searches with so many messages around each hit."""

    def __init__(self, client: Client, reach: int) -> None:
        self.way = f"search, k = {K}, expand_context = {reach}"
        self._client = client
        self._reach = reach

    async def __call__(self, space: str, question: str) -> _Came:
        hits = self._client.search(question, space=space, k=K, expand_context=self._reach, timeout=TIMEOUT_S)
        memories = {hit.memory.name: hit.memory for hit in await hits.all()}
        memories |= {each.memory.name: each.memory for part in hits.contexts for each in part.messages}
        contents = [memory.content for memory in memories.values()]
        counts = await self._client.count_tokens(*contents, timeout=TIMEOUT_S)
        return _Came([_id(name) for name in memories], sum(counts))


class _Packing:
    """Packs contexts with default settings."""

    def __init__(self, client: Client) -> None:
        self.way = f"packed context, {TOKEN_BUDGET:,} tokens"
        self._client = client

    async def __call__(self, space: str, question: str) -> _Came:
        made = await self._client.pack(question, token_budget=TOKEN_BUDGET, space=space, timeout=TIMEOUT_S)
        return _Came([_id(citation.memory) for citation in made.citations], made.token_count)


async def _measure(collections: Sequence[Collection], come: _Searching | _Packing) -> Worth:
    gate = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def ask(space: str, question: Question) -> tuple[Question, _Came]:
        async with gate:
            return question, await come(space, question.text)

    asked = [(c.space, question) for c in collections for question in c.questions if question.category in ANSWERABLE]
    answers = await asyncio.gather(*(ask(space, question) for space, question in asked))
    return Worth(
        come.way,
        len(answers),
        _mean(answers, lambda question, came: len(question.relevant & {*came.ids}) / len(question.relevant)),
        _mean(answers, lambda question, came: question.relevant <= {*came.ids}),
        _mean(answers, lambda _, came: came.token_count),
    )


def _mean(answers: Sequence[tuple[Question, _Came]], figure: Callable[[Question, _Came], float]) -> float:
    return fmean(figure(question, came) for question, came in answers)


def _id(name: str) -> str:
    return name.rpartition("/")[2]
