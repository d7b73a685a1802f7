"""Filters to test with: any valid tree, and its text."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from quipu_server.domain import Scalar
from quipu_server.filters import METADATA_PREFIX, AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator

EQUALITY = [Operator.EQUAL, Operator.NOT_EQUAL]
ORDER = [*EQUALITY, Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes(timezones=st.just(UTC))
keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)

FIELDS: dict[str, st.SearchStrategy[Scalar]] = {
    **dict.fromkeys(("id", "content", "speaker", "session", "tags"), texts),
    **dict.fromkeys(("importance", "revision"), numbers),
    **dict.fromkeys(("event_time", "create_time", "update_time", "expire_time"), times),
    "kind": st.sampled_from(["episodic", "tool_result"]),
    "role": st.sampled_from(["user", "system"]),
}


@st.composite
def leaves(draw: st.DrawFn) -> Condition:
    """A comparison, membership or test for presence that obeys every rule."""
    field = draw(st.sampled_from(list(FIELDS)) | keys.map(METADATA_PREFIX.__add__))
    values = FIELDS.get(field, texts | numbers | st.booleans() | times)
    value = draw(values)
    operators = EQUALITY if isinstance(value, bool) else ORDER
    if isinstance(value, str):
        operators = [*operators, Operator.CONTAINS, Operator.CONTAINS_IGNORE_CASE]
    return draw(
        st.sampled_from([Comparison(field, operator, value) for operator in operators])
        | st.lists(values, min_size=1, max_size=4).map(lambda several: In(field, tuple(several)))
        | st.just(IsSet(field))
    )


def conditions() -> st.SearchStrategy[Condition]:
    """Any tree that the text form can say: a list has at least two conditions."""
    return st.recursive(
        leaves(),
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=2, max_size=4).map(lambda some: AllOf(tuple(some)))
            | st.lists(inner, min_size=2, max_size=4).map(lambda some: AnyOf(tuple(some)))
        ),
        max_leaves=8,
    )


def unparse(condition: Condition) -> str:
    """The text of a tree."""
    match condition:
        case AllOf():
            return " AND ".join(f"({unparse(child)})" for child in condition.conditions)
        case AnyOf():
            return " OR ".join(f"({unparse(child)})" for child in condition.conditions)
        case Not():
            return f"NOT ({unparse(condition.condition)})"
        case Comparison():
            return f"{_field(condition.field)} {condition.operator} {_literal(condition.value)}"
        case In():
            return f"{_field(condition.field)} IN ({', '.join(map(_literal, condition.values))})"
        case IsSet():
            return f"{_field(condition.field)} IS NOT NULL"


def _field(field: str) -> str:
    start, dot, key = field.partition(".")
    return start + dot + (_quoted(key) if dot else "")


def _literal(value: Scalar) -> str:
    match value:
        case bool():
            return str(value)
        case datetime():
            return f'time("{value.astimezone(UTC).isoformat()}")'
        case str():
            return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
