"""Conditions in SQL. What callers wrote goes into parameters only; the SQL is made of constants.

Conditions obey `filters.check_condition`: fields exist, and are compared with values of their types.
"""

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.types.json import Jsonb

from quipu_server.domain import Kind, Role, Scalar
from quipu_server.filters import (
    METADATA_PREFIX,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    In,
    IsSet,
    Not,
    Operator,
)
from quipu_server.store.metadata import encode_value, format_time
from quipu_server.store.rows import CONTENT

TEXT, NUMBER, TIME = "text", "double precision", "timestamptz"
_ORDER = {
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
}


@dataclass(frozen=True, slots=True)
class _Column:
    """A field that every memory may have: an expression over memory_revisions r that is NULL when it is not set."""

    sql: str
    type: str = TEXT


def _names(enumeration: type[Kind] | type[Role], column: str) -> str:
    """The lower-case name of a number; NULL for Role.NONE, whose place is 0."""
    names = ", ".join(f"'{member.name.lower()}'" for member in enumeration if member.value)
    return f'(ARRAY[{names}])[{column}] COLLATE "C"'


_COLUMNS = {
    "id": _Column("r.memory_id"),
    "content": _Column(CONTENT),
    "kind": _Column(_names(Kind, "r.kind")),
    "role": _Column(_names(Role, "r.role")),
    "speaker": _Column("nullif(r.speaker, '')"),
    "session": _Column("nullif(r.session, '')"),
    "importance": _Column("r.importance", NUMBER),
    "revision": _Column("r.revision::double precision", NUMBER),
    "event_time": _Column("r.event_time", TIME),
    "create_time": _Column("r.create_time", TIME),
    "update_time": _Column("r.update_time", TIME),
    "expire_time": _Column("r.expire_time", TIME),
}
_ITEM_TEXT = """(item #>> '{}') COLLATE "C" """
_ITEM_NUMBER = "item::double precision"
# A time is text in which order of text is order of time.
_ITEM_TIME = """(item ->> 'time') COLLATE "C" """


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition over memory_revisions r: SQL that is true or false, never NULL, and its parameters by name."""

    sql: str = "TRUE"
    parameters: dict[str, object] = field(default_factory=dict)


def compile_condition(condition: Condition | None) -> Predicate:
    """The predicate of a condition; always true for None."""
    if condition is None:
        return Predicate()
    compiler = _Compiler()
    return Predicate(compiler.compile(condition), compiler.parameters)


class _Compiler:
    def __init__(self) -> None:
        self.parameters: dict[str, object] = {}

    def compile(self, condition: Condition) -> str:
        match condition:
            case AllOf(conditions):
                return f"({' AND '.join(map(self.compile, conditions))})"
            case AnyOf(conditions):
                return f"({' OR '.join(map(self.compile, conditions))})"
            case Not(inner):
                return f"NOT {self.compile(inner)}"
            case Comparison(name, Operator.NOT_EQUAL, value):
                return f"NOT {self.compile(In(name, (value,)))}"
            case Comparison(name, Operator.EQUAL, value):
                return self.compile(In(name, (value,)))
            case Comparison() | In() | IsSet():
                return f"coalesce({self._leaf(condition)}, FALSE)"

    def _bind(self, value: object, sql_type: str) -> str:
        name = f"condition_{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{sql_type}"

    def _leaf(self, leaf: Comparison | In | IsSet) -> str:
        if leaf.field.startswith(METADATA_PREFIX):
            return self._metadata(leaf, leaf.field.removeprefix(METADATA_PREFIX))
        if leaf.field == "tags":
            return f"(SELECT bool_or({self._column(leaf, _Column('item'), whole=True)}) FROM unnest(r.tags) AS item)"
        return self._column(leaf, _COLUMNS[leaf.field], whole=False)

    def _column(self, leaf: Comparison | In | IsSet, column: _Column, *, whole: bool) -> str:
        """whole: to contain a text means to equal it, as for the items of a list."""
        match leaf:
            case IsSet():
                return f"{column.sql} IS NOT NULL"
            case In(_, values):
                return f"{column.sql} = ANY ({self._bind(list(values), f'{column.type}[]')})"
            case Comparison(_, operator, value) if operator in _ORDER:
                return f"{column.sql} {_ORDER[operator]} {self._bind(value, column.type)}"
            case Comparison(_, operator, value):
                return _contains(column.sql, self._bind(value, TEXT), operator, whole=whole)

    def _metadata(self, leaf: Comparison | In | IsSet, key: str) -> str:
        value = f"(r.metadata -> {self._bind(key, TEXT)})"
        if isinstance(leaf, IsSet):
            return f"{value} IS NOT NULL"
        is_list = f"jsonb_typeof({value}) = 'array'"
        test = self._item(leaf, is_list)
        items = f"jsonb_array_elements(CASE WHEN {is_list} THEN {value} ELSE jsonb_build_array({value}) END)"
        return f"(SELECT bool_or({test}) FROM {items} AS item)"

    def _item(self, leaf: Comparison | In, is_list: str) -> str:
        """A test of one item of a list, or of a value that is none."""
        match leaf:
            case In(_, values):
                return f"item = ANY ({self._bind([Jsonb(encode_value(value)) for value in values], 'jsonb[]')})"
            case Comparison(_, operator, value) if operator in _ORDER:
                return self._item_order(_ORDER[operator], value)
            case Comparison(_, operator, str(value)):
                bound = self._bind(value, TEXT)
                whole, part = (_contains(_ITEM_TEXT, bound, operator, whole=whole) for whole in (True, False))
                return _typed("string", f"CASE WHEN {is_list} THEN {whole} ELSE {part} END")
            case Comparison(_, _, value):
                return f"{is_list} AND item = {self._bind(Jsonb(encode_value(value)), 'jsonb')}"

    def _item_order(self, operator: str, value: Scalar) -> str:
        match value:
            case str():
                return _typed("string", f"{_ITEM_TEXT} {operator} {self._bind(value, TEXT)}")
            case datetime():
                return _typed("object", f"{_ITEM_TIME} {operator} {self._bind(format_time(value), TEXT)}")
            case _:
                return _typed("number", f"{_ITEM_NUMBER} {operator} {self._bind(value, NUMBER)}")


def _typed(json_type: str, test: str) -> str:
    """A test of items of one type only: CASE keeps its cast away from the others."""
    return f"CASE jsonb_typeof(item) WHEN '{json_type}' THEN {test} ELSE FALSE END"


def _contains(item: str, bound: str, operator: Operator, *, whole: bool) -> str:
    if operator is Operator.CONTAINS_IGNORE_CASE:
        item, bound = (f'lower({text} COLLATE "pg_c_utf8")' for text in (item, bound))
    return f"{item} = {bound}" if whole else f"strpos({item}, {bound}) > 0"
