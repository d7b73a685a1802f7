"""Filters in both forms, in searches and in lists."""

from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1 import filter_pb2
from quipu.v1.filter_pb2 import Comparison, ComparisonOperator, Filter, FilterList, Membership
from quipu.v1.memory_pb2 import MEMORY_KIND_SEMANTIC, ROLE_USER, Memory
from quipu.v1.memory_service_pb2 import ListMemoriesRequest
from quipu.v1.value_pb2 import ListValue, Value
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

EQUAL = filter_pb2.COMPARISON_OPERATOR_EQUAL
NOT_EQUAL = filter_pb2.COMPARISON_OPERATOR_NOT_EQUAL
LESS = filter_pb2.COMPARISON_OPERATOR_LESS
GREATER = filter_pb2.COMPARISON_OPERATOR_GREATER
AT_LEAST = filter_pb2.COMPARISON_OPERATOR_GREATER_OR_EQUAL
CONTAINS = filter_pb2.COMPARISON_OPERATOR_CONTAINS
ICONTAINS = filter_pb2.COMPARISON_OPERATOR_CONTAINS_IGNORE_CASE


def text(value: str) -> Value:
    return Value(string_value=value)


def number(value: float) -> Value:
    return Value(number_value=value)


def day(year: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(year, 1, 1, tzinfo=UTC))
    return stamp


def compare(field: str, operator: ComparisonOperator.ValueType, value: Value) -> Filter:
    return Filter(comparison=Comparison(field=field, operator=operator, value=value))


def all_of(*filters: Filter) -> Filter:
    return Filter(all_of=FilterList(filters=filters))


def any_of(*filters: Filter) -> Filter:
    return Filter(any_of=FilterList(filters=filters))


def negation(inner: Filter) -> Filter:
    negated = Filter()
    getattr(negated, "not").CopyFrom(inner)  # a word of Python
    return negated


def one_of(field: str, *values: Value) -> Filter:
    member = Filter()
    getattr(member, "in").CopyFrom(Membership(field=field, values=values))
    return member


MEMORIES = {
    "a": Memory(
        content="Apples are red",
        kind=MEMORY_KIND_SEMANTIC,
        session="s1",
        tags=["fruit", "red"],
        importance=0.9,
        event_time=day(2020),
        metadata={"score": number(-3), "place": text("Café"), "done": Value(bool_value=True)},
    ),
    "b": Memory(
        content="Bananas are yellow",
        role=ROLE_USER,
        speaker="Bo",
        session="s2",
        tags=["fruit"],
        importance=0.5,
        event_time=day(2022),
        metadata={"score": number(-7), "done": Value(bool_value=False), "due": Value(time_value=day(2025))},
    ),
    "c": Memory(
        content="Carrots are ORANGE 100% of_the time",
        speaker="Ana",
        importance=0.1,
        metadata={"score": text("-3"), "codes": Value(list_value=ListValue(values=[number(1), text("x")]))},
    ),
    "d": Memory(content="Nothing is known", metadata={"a.b": number(1), "it's": text("quote ' and \" and \\")}),
}

CASES = [
    ('id = "a"', compare("id", EQUAL, text("a")), "a"),
    ('kind = "semantic"', compare("kind", EQUAL, text("semantic")), "a"),
    ('role = "user"', compare("role", EQUAL, text("user")), "b"),
    ('role != "user"', compare("role", NOT_EQUAL, text("user")), "acd"),
    ('session = "s1"', compare("session", EQUAL, text("s1")), "a"),
    ('speaker < "Bo"', compare("speaker", LESS, text("Bo")), "c"),
    ('tags = "fruit"', compare("tags", EQUAL, text("fruit")), "ab"),
    ('tags CONTAINS "red"', compare("tags", CONTAINS, text("red")), "a"),
    ('NOT tags = "red"', negation(compare("tags", EQUAL, text("red"))), "bcd"),
    ("importance >= 0.5", compare("importance", AT_LEAST, number(0.5)), "abd"),
    ("revision > 2", compare("revision", GREATER, number(2)), "cd"),
    ("metadata.score > -5", compare("metadata.score", GREATER, number(-5)), "a"),
    ('metadata.score = "-3"', compare("metadata.score", EQUAL, text("-3")), "c"),
    ("metadata.done = true", compare("metadata.done", EQUAL, Value(bool_value=True)), "a"),
    ("metadata.codes = 1", compare("metadata.codes", EQUAL, number(1)), "c"),
    ('metadata.place CONTAINS "Caf"', compare("metadata.place", CONTAINS, text("Caf")), "a"),
    ('content CONTAINS "are"', compare("content", CONTAINS, text("are")), "abc"),
    ('content CONTAINS "100% of_"', compare("content", CONTAINS, text("100% of_")), "c"),
    (
        'content ICONTAINS "orange"',
        compare("content", ICONTAINS, text("orange")),
        "c",
    ),
    (
        'metadata.place ICONTAINS "CAFÉ"',
        compare("metadata.place", ICONTAINS, text("CAFÉ")),
        "a",
    ),
    (
        'session IN ("s1", "s2")',
        one_of("session", text("s1"), text("s2")),
        "ab",
    ),
    ('session NOT IN ("s1")', negation(one_of("session", text("s1"))), "bcd"),
    ("speaker IS NOT NULL", Filter(is_set="speaker"), "bc"),
    ("speaker IS NULL", negation(Filter(is_set="speaker")), "ad"),
    ('event_time > "2021-01-01T00:00:00Z"', compare("event_time", GREATER, Value(time_value=day(2021))), "b"),
    ('metadata.due = DATE("2025-01-01")', compare("metadata.due", EQUAL, Value(time_value=day(2025))), "b"),
    ('metadata."a.b" = 1', compare("metadata.a.b", EQUAL, number(1)), "d"),
    (
        'importance > 0.3 AND (session = "s2" OR NOT tags = "fruit")',
        all_of(
            compare("importance", GREATER, number(0.3)),
            any_of(
                compare("session", EQUAL, text("s2")),
                negation(compare("tags", EQUAL, text("fruit"))),
            ),
        ),
        "bd",
    ),
]
TREES = [
    (Filter(is_set="speaker"), "bc"),
    (Filter(is_set="tags"), "ab"),
    (Filter(is_set="event_time"), "ab"),
    (Filter(is_set="metadata.score"), "abc"),
    (Filter(is_set="metadata.a.b"), "d"),
    (compare("event_time", GREATER, Value(time_value=day(2021))), "b"),
    (compare("event_time", NOT_EQUAL, Value(time_value=day(2020))), "bcd"),
    (compare("metadata.due", EQUAL, Value(time_value=day(2025))), "b"),
    (compare("metadata.it's", CONTAINS, text("' and \" and \\")), "d"),
    (compare("metadata.x' OR '1'='1", EQUAL, number(1)), ""),
    (compare("id", EQUAL, text("a' OR 'a'='a")), ""),
    (compare("content", CONTAINS, text("'; DROP TABLE spaces; --")), ""),
]


async def found(api: Api, space: str, **filtering: object) -> tuple[str, str, int]:
    """Ids that a search and a list return, sorted, and the number the summary tells."""
    search = await api.search(space, text="what is known?", k=50, **filtering)
    request = ListMemoriesRequest(parent=space, **filtering)  # type: ignore[arg-type]
    listed = [m.name.rpartition("/")[2] for m in (await api.memories.ListMemories(request)).memories]
    return "".join(sorted(search.ids)), "".join(sorted(listed)), search.summary.answers[0].matched_count


@pytest.mark.parametrize(("written", "tree", "expected"), CASES, ids=[case[0] for case in CASES])
async def test_text_and_tree_let_the_same_memories_through(
    either: Api, space: str, written: str, tree: Filter, expected: str
) -> None:
    await either.fill(space, MEMORIES)
    for filtering in ({"filter": written}, {"filter_tree": tree}):
        assert await found(either, space, **filtering) == (expected, expected, len(expected))


@pytest.mark.parametrize(("tree", "expected"), TREES, ids=[str(tree).split("{")[0] + e for tree, e in TREES])
async def test_trees(either: Api, space: str, tree: Filter, expected: str) -> None:
    await either.fill(space, MEMORIES)
    assert await found(either, space, filter_tree=tree) == (expected, expected, len(expected))


async def test_a_filter_leaves_k_hits_when_so_many_match(either: Api, space: str) -> None:
    many = {f"m{i:03}": Memory(content=f"cat number {i}", tags=["rare"] if i % 25 == 0 else []) for i in range(250)}
    await either.fill(space, many)
    hits = (await either.search(space, text="cat number 7", k=10, filter='tags = "rare"')).ids
    assert sorted(hits) == [f"m{i:03}" for i in range(0, 250, 25)]


async def test_without_a_filter_nothing_is_counted(either: Api, space: str) -> None:
    await either.fill(space, MEMORIES)
    answer = (await either.search(space, text="x")).summary.answers[0]
    assert not answer.HasField("matched_count")


@pytest.mark.parametrize(
    "written",
    [
        "unknown = 1",
        'kind = "semantical"',
        "kind = 3",
        'importance > "high"',
        'id = "a" AND',
        'id = "a" id = "b"',
        'id = "a" ;',
        "id = 'a",
        'id === "a"',
        "importance > - 5",
        "importance ~ 5",
        "metadata. = 1",
        "NOT",
        "()",
    ],
)
async def test_text_that_cannot_be_read_is_refused(either: Api, space: str, written: str) -> None:
    await either.fill(space, MEMORIES)
    for call in (
        either.search(space, text="x", filter=written),
        either.memories.ListMemories(ListMemoriesRequest(parent=space, filter=written)),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FILTER"), written
        assert refused.fields == ("filter",)


@pytest.mark.parametrize(
    "tree",
    [
        Filter(),
        Filter(all_of=FilterList()),
        Filter(is_set="unknown"),
        Filter(is_set="metadata."),
        compare("unknown", EQUAL, number(1)),
        compare("importance", EQUAL, text("1")),
        compare("importance", EQUAL, number(float("nan"))),
        compare("importance", ComparisonOperator.ValueType(0), number(1)),
        compare("importance", ComparisonOperator.ValueType(99), number(1)),
        compare("importance", EQUAL, Value()),
        compare("metadata.x", EQUAL, Value(list_value=ListValue(values=[number(1)]))),
        compare("metadata.x", EQUAL, text("nul \0")),
        one_of("id"),
        negation(Filter()),
    ],
    ids=lambda tree: str(tree).replace("\n", " "),
)
async def test_a_tree_that_makes_no_sense_is_refused(either: Api, space: str, tree: Filter) -> None:
    await either.fill(space, MEMORIES)
    refused = await refusal(either.search(space, text="x", filter_tree=tree))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields[0].startswith("filter_tree")


async def test_a_tree_that_is_too_deep_or_too_large_is_refused(either: Api, space: str) -> None:
    await either.fill(space, MEMORIES)
    leaf = Filter(is_set="tags")
    deep = leaf
    for _ in range(40):
        deep = negation(deep)
    wide = all_of(*[any_of(*[leaf] * 60)] * 60)
    for tree in (deep, wide, all_of(*[leaf] * 65)):
        refused = await refusal(either.search(space, text="x", filter_tree=tree))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.fields[0].startswith("filter_tree")
