"""Conditions in SQL. What callers wrote goes into parameters only; the SQL is made of constants."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from psycopg.types.json import Jsonb

from quipu_server.domain import Kind, Role, Scalar
from quipu_server.errors import InvalidFilter
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


class _Type(Enum):
    """SQL types of the fields and values that are compared."""

    TEXT = "text"
    NUMBER = "double precision"
    TRUTH = "boolean"
    TIME = "timestamptz"


@dataclass(frozen=True, slots=True)
class _Column:
    """A field that every memory may have: an expression over memory_revisions r that is NULL when it is not set."""

    sql: str
    type: _Type
    is_list: bool = False


def _names(enumeration: type[Kind] | type[Role], column: str) -> str:
    """The lower-case name of a number; NULL for Role.NONE, whose place is 0."""
    names = ", ".join(f"'{member.name.lower()}'" for member in enumeration if member.value)
    return f"""(ARRAY[{names}])[{column}] COLLATE "C" """


_COLUMNS = {
    "id": _Column("r.memory_id", _Type.TEXT),
    "content": _Column(CONTENT, _Type.TEXT),
    "kind": _Column(_names(Kind, "r.kind"), _Type.TEXT),
    "role": _Column(_names(Role, "r.role"), _Type.TEXT),
    "speaker": _Column("nullif(r.speaker, '')", _Type.TEXT),
    "session": _Column("nullif(r.session, '')", _Type.TEXT),
    "tags": _Column("unnest(r.tags)", _Type.TEXT, is_list=True),
    "importance": _Column("r.importance", _Type.NUMBER),
    "event_time": _Column("r.event_time", _Type.TIME),
    "create_time": _Column("r.create_time", _Type.TIME),
    "update_time": _Column("r.update_time", _Type.TIME),
    "expire_time": _Column("r.expire_time", _Type.TIME),
    "revision": _Column("r.revision::double precision", _Type.NUMBER),
}
_ORDER = {
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
}
_JSON_TYPES = {_Type.TEXT: "string", _Type.NUMBER: "number", _Type.TRUTH: "boolean", _Type.TIME: "object"}
# How a JSON scalar is compared; times are kept as text in which order of text is order of time.
_JSON_VALUES = {
    _Type.TEXT: """(item #>> '{}') COLLATE "C" """,
    _Type.NUMBER: "item::double precision",
    _Type.TRUTH: "item::boolean",
    _Type.TIME: """(item ->> 'time') COLLATE "C" """,
}
_FOLDED = 'lower({} COLLATE "pg_c_utf8")'


@dataclass(slots=True)
class Predicate:
    """A condition over memory_revisions r: SQL that is true or false, never NULL, and its parameters by name."""

    sql: str = "TRUE"
    parameters: dict[str, object] = field(default_factory=dict)


def compile_condition(condition: Condition | None) -> Predicate:
    """The predicate of a condition. Raises InvalidFilter for what no memory can have."""
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
                return self._join(" AND ", conditions)
            case AnyOf(conditions):
                return self._join(" OR ", conditions)
            case Not(inner):
                return f"NOT {self.compile(inner)}"
            case Comparison(name, Operator.NOT_EQUAL, value):
                return f"NOT {self.compile(In(name, (value,)))}"
            case Comparison(name, Operator.EQUAL, value):
                return self.compile(In(name, (value,)))
            case Comparison() | In() | IsSet():
                is_metadata = condition.field.startswith(METADATA_PREFIX)
                leaf = self._metadata(condition) if is_metadata else self._column(condition)
                return f"coalesce({leaf}, FALSE)"

    def _join(self, operator: str, conditions: tuple[Condition, ...]) -> str:
        return f"({operator.join(self.compile(inner) for inner in conditions)})"

    def _bind(self, value: object, sql_type: str) -> str:
        name = f"condition_{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{sql_type}"

    def _column(self, leaf: Comparison | In | IsSet) -> str:
        column = _COLUMNS.get(leaf.field)
        if column is None:
            raise InvalidFilter("filter", f"there is no field {leaf.field!r}")
        if column.is_list:
            return f"(SELECT bool_or({self._test_column(column, leaf, 'item')}) FROM {column.sql} AS item)"
        return self._test_column(column, leaf, column.sql)

    def _test_column(self, column: _Column, leaf: Comparison | In | IsSet, item: str) -> str:
        match leaf:
            case IsSet():
                return f"{item} IS NOT NULL"
            case In(name, values):
                for value in values:
                    _check(name, value, column.type)
                return f"{item} = ANY ({self._bind(list(values), f'{column.type.value}[]')})"
            case Comparison(name, operator, value):
                _check(name, value, column.type)
                bound = self._bind(value, column.type.value)
                if operator in _ORDER:
                    return f"{item} {_ORDER[operator]} {bound}"
                if column.type is not _Type.TEXT:
                    raise InvalidFilter("filter", f"{name} is not a text that could contain something")
                return _contains(item, bound, operator, whole=column.is_list)

    def _metadata(self, leaf: Comparison | In | IsSet) -> str:
        key = _check_text(leaf.field.removeprefix(METADATA_PREFIX))
        value = f"(r.metadata -> {self._bind(key, 'text')})"
        if isinstance(leaf, IsSet):
            return f"{value} IS NOT NULL"
        items = f"CASE jsonb_typeof({value}) WHEN 'array' THEN {value} ELSE jsonb_build_array({value}) END"
        test = self._test_item(leaf, f"jsonb_typeof({value}) = 'array'")
        return f"(SELECT bool_or({test}) FROM jsonb_array_elements({items}) AS item)"

    def _test_item(self, leaf: Comparison | In, is_list: str) -> str:
        if isinstance(leaf, In):
            return f"item = ANY ({self._bind([_json(value) for value in leaf.values], 'jsonb[]')})"
        sql_type = _type_of(leaf.value)
        if leaf.operator in _ORDER:
            value = format_time(leaf.value) if isinstance(leaf.value, datetime) else leaf.value
            bound = self._bind(value, "text" if sql_type is _Type.TIME else sql_type.value)
            return _typed(sql_type, f"{_JSON_VALUES[sql_type]} {_ORDER[leaf.operator]} {bound}")
        if not isinstance(leaf.value, str):
            return f"{is_list} AND item = {self._bind(_json(leaf.value), 'jsonb')}"
        bound = self._bind(_check_text(leaf.value), "text")
        whole, part = (_contains(_JSON_VALUES[sql_type], bound, leaf.operator, whole=w) for w in (True, False))
        return _typed(sql_type, f"CASE WHEN {is_list} THEN {whole} ELSE {part} END")


def _typed(sql_type: _Type, test: str) -> str:
    """A test that is only made of items of its type: CASE keeps a cast away from the others."""
    return f"CASE jsonb_typeof(item) WHEN '{_JSON_TYPES[sql_type]}' THEN {test} ELSE FALSE END"


def _contains(item: str, bound: str, operator: Operator, *, whole: bool) -> str:
    """An item contains a text, or for items of a list, equals it."""
    if operator is Operator.CONTAINS_IGNORE_CASE:
        item, bound = _FOLDED.format(item), _FOLDED.format(bound)
    return f"{item} = {bound}" if whole else f"strpos({item}, {bound}) > 0"


def _json(value: Scalar) -> Jsonb:
    return Jsonb(encode_value(_check_text(value) if isinstance(value, str) else value))


def _type_of(value: Scalar) -> _Type:
    if isinstance(value, bool):
        return _Type.TRUTH
    if isinstance(value, str):
        return _Type.TEXT
    return _Type.TIME if isinstance(value, datetime) else _Type.NUMBER


def _check(name: str, value: Scalar, sql_type: _Type) -> None:
    if _type_of(value) is not sql_type:
        raise InvalidFilter("filter", f"{name} is compared with a value of another type")
    if isinstance(value, str):
        _check_text(value)


def _check_text(value: str) -> str:
    """Refuse what PostgreSQL cannot hold, and no memory therefore has."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidFilter("filter", "text must not contain NUL or surrogates")
    return value
