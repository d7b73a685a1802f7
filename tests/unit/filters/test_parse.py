"""The text form of filters."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quipu_server.errors import InvalidFilter
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator, parse_filter
from tests.unit.filters.trees import conditions, unparse

A, B, C = (Comparison("id", Operator.EQUAL, letter) for letter in "abc")


def refused(text: str) -> InvalidFilter:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text, "filter")
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('kind = "semantic"', Comparison("kind", Operator.EQUAL, "semantic")),
        ("id == 'a'", A),
        ("revision != 3", Comparison("revision", Operator.NOT_EQUAL, 3.0)),
        ("revision<>3", Comparison("revision", Operator.NOT_EQUAL, 3.0)),
        ("metadata.score > -5", Comparison("metadata.score", Operator.GREATER, -5.0)),
        ("metadata.score>=-1.5e-3", Comparison("metadata.score", Operator.GREATER_OR_EQUAL, -0.0015)),
        ("importance < .5", Comparison("importance", Operator.LESS, 0.5)),
        ("importance <= 1.", Comparison("importance", Operator.LESS_OR_EQUAL, 1.0)),
        ('tags CONTAINS "draft"', Comparison("tags", Operator.CONTAINS, "draft")),
        ('content icontains "Draft"', Comparison("content", Operator.CONTAINS_IGNORE_CASE, "Draft")),
        ("metadata.done = TRUE", Comparison("metadata.done", Operator.EQUAL, True)),
        ("metadata.done = false", Comparison("metadata.done", Operator.EQUAL, False)),
        ("session IN ('a')", In("session", ("a",))),
        ('session NOT IN ("a", "b")', Not(In("session", ("a", "b")))),
        ("speaker IS NULL", Not(IsSet("speaker"))),
        ("speaker is not null", IsSet("speaker")),
        ("metadata.a.b = 1", Comparison("metadata.a.b", Operator.EQUAL, 1.0)),
        ("metadata.2024 = 1", Comparison("metadata.2024", Operator.EQUAL, 1.0)),
        ("metadata.größe-x = 1", Comparison("metadata.größe-x", Operator.EQUAL, 1.0)),
        ("metadata.not = 1", Comparison("metadata.not", Operator.EQUAL, 1.0)),
        ('metadata."it\'s" = 1', Comparison("metadata.it's", Operator.EQUAL, 1.0)),
        ("metadata.'a \"b\"' IS NOT NULL", IsSet('metadata.a "b"')),
        (r'id = "\"\\\'\n\r\t"', Comparison("id", Operator.EQUAL, "\"\\'\n\r\t")),
        ("id = 'say \"hi\"'", Comparison("id", Operator.EQUAL, 'say "hi"')),
        ("id = ''", Comparison("id", Operator.EQUAL, "")),
    ],
)
def test_a_comparison_is_read(text: str, expected: Condition) -> None:
    assert parse_filter(text, "filter") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id='a' AND id='b' AND id='c'", AllOf((A, B, C))),
        ("id='a' or id='b' OR id='c'", AnyOf((A, B, C))),
        ("id='a' OR id='b' AND id='c'", AnyOf((A, AllOf((B, C))))),
        ("(id='a' OR id='b') AND id='c'", AllOf((AnyOf((A, B)), C))),
        ("NOT id='a' AND id='b'", AllOf((Not(A), B))),
        ("not (id='a' AND id='b')", Not(AllOf((A, B)))),
        ("NOT NOT id='a'", Not(Not(A))),
        ("(((id='a')))", A),
        ("\n\tid = 'a'\r\n", A),
    ],
)
def test_not_binds_before_and_before_or(text: str, expected: Condition) -> None:
    assert parse_filter(text, "filter") == expected


MORNING = datetime(2024, 5, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ('time("2024-05-01T10:00:00Z")', MORNING),
        ("TIME('2024-05-01t12:00:00+02:00')", MORNING),
        ('time("2024-05-01 10:00:00.000001999Z")', MORNING.replace(microsecond=1)),
        ('"2024-05-01T10:00:00z"', MORNING),
        ('date("2024-05-01")', datetime(2024, 5, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read(literal: str, expected: datetime) -> None:
    for operator in ("=", "<", ">="):
        parsed = parse_filter(f"event_time {operator} {literal}", "filter")
        assert parsed == Comparison("event_time", Operator(operator), expected)
    assert parse_filter(f"event_time IN ({literal})", "filter") == In("event_time", (expected,))


def test_metadata_is_compared_with_what_is_written() -> None:
    text = "2024-05-01T10:00:00Z"
    assert parse_filter(f'metadata.due = "{text}"', "filter") == Comparison("metadata.due", Operator.EQUAL, text)
    parsed = parse_filter(f'metadata.due = time("{text}")', "filter")
    assert parsed == Comparison("metadata.due", Operator.EQUAL, MORNING)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "expected '(', NOT, a field"),
        ("  ", 2, "found the end"),
        ("id", 2, "expected IN, IS, NOT, an operator"),
        ('id = "a" ;', 9, "found ';' at character 9, expected AND, OR, the end"),
        ('id = "a" id = "b"', 9, "expected AND, OR, the end"),
        ('id = "a" AND', 12, "found the end"),
        ('id = "a" AND AND id = "b"', 13, "found 'AND'"),
        ('(id = "a"', 9, "expected ')', AND, OR"),
        ('id = "a")', 8, "found ')'"),
        ("id = 'a", 5, "not closed"),
        ('id = "a\\"', 5, "not closed"),
        ('metadata."a = 1', 9, "not closed"),
        ("importance > - 5", 13, "found '-'"),
        ("importance > +5", 13, "found '+'"),
        ("importance > 5x", 14, "found 'x'"),
        ("importance > high", 13, "a string in quotes"),
        ("importance ~ 5", 11, "an operator"),
        ("importance = 1 = 1", 15, "found '='"),
        ("session IN ()", 12, "found ')'"),
        ("session IN ('a',)", 16, "found ')'"),
        ("session IN 'a'", 11, "expected '('"),
        ("speaker IS 'a'", 11, "expected NOT, NULL"),
        ('"id" = "a"', 0, "a field"),
        ('id = "a" # x', 9, "found '#'"),
        ('id = "a" -- x', 9, "found '-'"),
        (r'id = "\x"', 5, "backslash"),
        ('event_time > "yesterday"', 13, "is not a time"),
        ('event_time > "2024-05-01"', 13, "is not a time"),
        ('event_time > "20240501T100000Z"', 13, "is not a time"),
        ('event_time > time("2024-05-01T10:00:00")', 18, "is not a time"),
        ('event_time > time("2024-02-30T10:00:00Z")', 18, "not on the calendar"),
        ('event_time > time("0001-01-01T00:00:00+01:00")', 18, "not on the calendar"),
        ('event_time > date("2024-05-01T10:00:00Z")', 18, "is not a date"),
        ('id = "a" AND knd = "semantic"', 13, "did you mean kind?"),
        ("id = 'a' AND metadata. = 1", 13, "1 to 128 bytes"),
        ('id = "\0"', 0, "NUL"),
        ("importance = 1e999", 0, "finite"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text: str, position: int, said: str) -> None:
    error = refused(text)
    assert (error.field, error.metadata) == ("filter", {"field": "filter", "position": str(position)})
    assert said in error.description


def test_a_text_that_is_too_long_or_too_large_is_refused() -> None:
    assert "8,192 bytes" in refused("id = '" + "é" * 4_096 + "'").description
    assert "nested deeper" in refused("NOT " * 16 + "id = 'a'").description
    parse_filter("NOT " * 15 + "id = 'a'", "filter")
    assert "more than 64" in refused(" AND ".join(["id = 'a'"] * 65)).description
    wide = " OR ".join(["(" + " AND ".join(["id='a'"] * 63) + ")"] * 5)
    assert "more than 256" in refused(wide).description
    assert "1 to 1,000" in refused(f"revision IN ({','.join(['1'] * 1_001)})").description


def test_a_deeply_nested_text_does_no_harm() -> None:
    assert parse_filter("(" * 4_000 + "id='a'" + ")" * 4_000, "filter") == A
    refused("(" * 8_000)
    refused("NOT " * 2_000)


@given(conditions())
def test_what_is_written_reads_back(condition: Condition) -> None:
    assert parse_filter(unparse(condition), "filter") == condition


FRAGMENTS = ["id", "kind", "metadata.", "metadata.x", "'a'", '"', "'", "\\", "=", "<>", "!", "IN", "(", ")", ",", "AND",
             "OR", "NOT", "IS", "NULL", "time", "date(", "1", "-", "e5", ".", "\0", "\n", "é", ";", "TRUE"]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(" ".join))
@example("id=\u2028'a'")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        condition = parse_filter(text, "filter")
    except InvalidFilter:
        position = refused(text).metadata.get("position", "0")
        assert 0 <= int(position) <= len(text)
    else:
        assert parse_filter(unparse(condition), "filter") == condition
