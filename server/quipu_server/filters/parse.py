"""Reads the text form of filters."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from quipu_server.domain import Scalar
from quipu_server.errors import InvalidFilter
from quipu_server.filters.check import Leaf, check_size, children_of, find_fault, is_time_field
from quipu_server.filters.conditions import (
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
from quipu_server.filters.literals import read_date, read_string, read_time

MOST_BYTES = 8_192

CACHED_FILTERS = 512
"""Texts whose trees are kept: callers repeat the same few, and reading one takes 0.1 ms and more."""

_GRAMMAR = r"""
?start: any_of
?any_of: all_of (_OR all_of)*
?all_of: term (_AND term)*
?term: _NOT term -> negation
    | "(" any_of ")"
    | field OPERATOR value -> comparison
    | field _IN "(" value ("," value)* ")" -> membership
    | field _NOT _IN "(" value ("," value)* ")" -> exclusion
    | field _IS _NULL -> absence
    | field _IS _NOT _NULL -> presence
?field: NAME
    | QUOTED_KEY -> quoted_key
?value: STRING -> string
    | NUMBER -> number
    | TRUE -> true
    | FALSE -> false
    | _TIME "(" STRING ")" -> time
    | _DATE "(" STRING ")" -> date

NAME: /(?!(AND|OR|NOT|IN|IS|NULL|TRUE|FALSE|I?CONTAINS)\b)[^\W\d]\w*(\.[\w.-]*)?/i
QUOTED_KEY.2: /metadata\.("(\\.|[^"\\])*"|'(\\.|[^'\\])*')/s
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
NUMBER: /-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
OPERATOR.2: /[<>!=]=|<>|[<>=]|I?CONTAINS\b/i
TRUE.2: /TRUE\b/i
FALSE.2: /FALSE\b/i
_TIME.2: /TIME\b/i
_DATE.2: /DATE\b/i
_OR.2: /OR\b/i
_AND.2: /AND\b/i
_NOT.2: /NOT\b/i
_IN.2: /IN\b/i
_IS.2: /IS\b/i
_NULL.2: /NULL\b/i
%ignore /[ \t\r\n]+/
"""

_EXPECTATIONS = {
    "NAME": "a field",
    "QUOTED_KEY": "a field",
    "STRING": "a string in quotes",
    "NUMBER": "a number",
    "OPERATOR": "an operator",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}
_OPERATORS = {operator.value: operator for operator in Operator} | {"==": Operator.EQUAL, "<>": Operator.NOT_EQUAL}
_Read = TypeVar("_Read")


def parse_filter(text: str, field_path: str) -> Condition:
    """The tree of a text, checked. Raises InvalidFilter, which tells the position and what was expected there."""
    if len(text.encode()) > MOST_BYTES:
        raise InvalidFilter(field_path, f"has more than {MOST_BYTES:,} bytes")
    try:
        condition = _parse(text)
    except _UnreadableError as error:
        raise InvalidFilter(field_path, error.message, position=error.position) from error
    check_size(condition, children_of, field_path)
    return condition


class _UnreadableError(Exception):
    """What is wrong with a text, and at which character."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@v_args(inline=True)
class _Builder(Transformer[Token, Condition]):
    """Makes the tree while the text is read. Fields and strings stay tokens, which know their place, until then."""

    def any_of(self, *conditions: Condition) -> Condition:
        return AnyOf(conditions)

    def all_of(self, *conditions: Condition) -> Condition:
        return AllOf(conditions)

    def negation(self, condition: Condition) -> Condition:
        return Not(condition)

    def comparison(self, field: Token, operator: Token, value: Scalar) -> Condition:
        return _checked(field, Comparison(str(field), _OPERATORS[operator.upper()], _value(field, value)))

    def membership(self, field: Token, *values: Scalar) -> Condition:
        return _checked(field, In(str(field), tuple(_value(field, value) for value in values)))

    def exclusion(self, field: Token, *values: Scalar) -> Condition:
        return Not(self.membership(field, *values))

    def presence(self, field: Token) -> Condition:
        return _checked(field, IsSet(str(field)))

    def absence(self, field: Token) -> Condition:
        return Not(self.presence(field))

    def quoted_key(self, token: Token) -> Token:
        literal = token.update(value=token.removeprefix(METADATA_PREFIX))
        return token.update(value=METADATA_PREFIX + _read(read_string, literal))

    def string(self, token: Token) -> Token:
        return token.update(value=_read(read_string, token))

    def number(self, token: Token) -> Scalar:
        return float(token)

    def true(self, _: Token) -> Scalar:
        return True

    def false(self, _: Token) -> Scalar:
        return False

    def time(self, token: Token) -> Scalar:
        return _read(read_time, self.string(token))

    def date(self, token: Token) -> Scalar:
        return _read(read_date, self.string(token))


_PARSER = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


@lru_cache(CACHED_FILTERS)
def _parse(text: str) -> Condition:
    try:
        return cast(Condition, _PARSER.parse(text))
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        position = len(text) if at_end else _place(error.token)
        raise _unexpected(text, "the end" if at_end else repr(str(error.token)), position) from None
    except UnexpectedCharacters as error:
        position = cast(int, error.pos_in_stream)
        if error.char in "\"'":
            raise _UnreadableError("the quote opened here is not closed", position) from None
        raise _unexpected(text, repr(error.char), position) from None


def _unexpected(text: str, found: str, position: int) -> _UnreadableError:
    """The error for something that cannot stand at this place."""
    reader = _PARSER.parse_interactive(text[:position])
    reader.exhaust_lexer()
    terminals: set[str] = reader.accepts()  # type: ignore[no-untyped-call]
    expected = sorted({_EXPECTATIONS.get(name, name.strip("_")) for name in terminals})
    return _UnreadableError(f"found {found} at character {position}, expected {', '.join(expected)}", position)


def _place(token: Token) -> int:
    """The character, counted from 0, at which a token begins."""
    return token.start_pos or 0


def _checked(field: Token, leaf: Leaf) -> Leaf:
    if (fault := find_fault(leaf)) is not None:
        raise _UnreadableError(fault, _place(field))
    return leaf


def _value(field: Token, value: Scalar) -> Scalar:
    """A value as the field takes it: a string for a field of times is read as a time."""
    if not isinstance(value, Token):
        return value
    return _read(read_time, value) if is_time_field(field) else str(value)


def _read(read: Callable[[str], _Read], token: Token) -> _Read:
    """What a literal means. Raises _UnreadableError where it stands."""
    try:
        return read(str(token))
    except ValueError as error:
        raise _UnreadableError(str(error), _place(token)) from None
