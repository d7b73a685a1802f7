"""Requests as bytes, made before anything is measured."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import BatchCreateMemoriesRequest, CreateMemoryRequest
from quipu.v1.ranking_pb2 import RankingWeights
from quipu.v1.search_service_pb2 import SearchMode, SearchPath, SearchRequest, SearchResponse
from quipu.v1.value_pb2 import Vector as VectorMessage
from quipu_server.domain import MemoryFields, Vector, Vectors

BY_SIMILARITY_ALONE = RankingWeights(importance=0, recency=0, neighbours=0, session=0, role=0)
WITHOUT_CONVERSATION = RankingWeights(neighbours=0, session=0, role=0)


def text_search(space: str, question: str, ranking: RankingWeights | None = None) -> bytes:
    """A search with default settings, or other weights."""
    return SearchRequest(spaces=[f"spaces/{space}"], text=question, ranking=ranking).SerializeToString()


def meaning_search(space: str, question: str, k: int) -> bytes:
    """A search whose order is that of the similarity to the question."""
    return SearchRequest(
        spaces=[f"spaces/{space}"],
        text=question,
        mode=SearchMode.SEARCH_MODE_DENSE,
        k=k,
        ranking=BY_SIMILARITY_ALONE,
    ).SerializeToString()


def vector_search(
    space: str, vector: Vector, ranking: RankingWeights | None = None, condition: str = "", explain: bool = False
) -> bytes:
    """A search for the nearest to a vector, of those that meet a condition."""
    given = VectorMessage(values=vector.tolist())
    request = SearchRequest(spaces=[f"spaces/{space}"], vector=given, ranking=ranking, explain=explain)
    if condition:
        request.filter = condition
    return request.SerializeToString()


def creations(
    space: str, first: int, memories: Sequence[MemoryFields], vectors: Vectors | None, size: int, *, later: bool = False
) -> Sequence[bytes]:
    """Memories with the ids m{first}, m{first + 1} … in batches; with their vectors if those are given.

    later: they are embedded after they were acknowledged.
    """
    given = [None] * len(memories) if vectors is None else vectors
    requests = [
        CreateMemoryRequest(memory_id=f"m{number}", memory=_memory(memory, vector))
        for number, (memory, vector) in enumerate(zip(memories, given, strict=True), first)
    ]
    batches = (requests[start : start + size] for start in range(0, len(requests), size))
    parent = f"spaces/{space}"
    made = (BatchCreateMemoriesRequest(parent=parent, requests=batch, defer_embedding=later) for batch in batches)
    return [request.SerializeToString() for request in made]


def numbers_found(messages: Sequence[bytes]) -> Sequence[int]:
    """The numbers in the ids of the hits."""
    responses = [SearchResponse.FromString(message) for message in messages]
    return [int(hit.memory.name.rpartition("/m")[2]) for response in responses for hit in response.hits]


def is_hot(messages: Sequence[bytes]) -> bool:
    """Whether an index in memory answered."""
    answers = SearchResponse.FromString(messages[-1]).summary.answers
    return all(answer.path == SearchPath.SEARCH_PATH_HOT for answer in answers)


def plan_of(messages: Sequence[bytes]) -> str:
    """How the nearest were found, of a search that is explained."""
    answers = SearchResponse.FromString(messages[-1]).summary.answers
    return ", ".join(sorted({answer.plan for answer in answers}))


def unembedded_count(messages: Sequence[bytes]) -> int:
    """How many memories of the space wait to be embedded."""
    return sum(answer.unembedded_count for answer in SearchResponse.FromString(messages[-1]).summary.answers)


def _memory(memory: MemoryFields, vector: Vector | None) -> Memory:
    time = Timestamp()
    if memory.event_time is not None:
        time.FromDatetime(memory.event_time)
    return Memory(
        content=memory.content,
        speaker=memory.speaker,
        session=memory.session,
        tags=memory.tags,
        event_time=time,
        vector=None if vector is None else VectorMessage(values=vector.tolist()),
    )
