"""Conditions mean the same in PostgreSQL as in plain Python, whatever is written in them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quipu_server.domain import Change, Kind, Role, Space
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator
from tests.contract.stores import Stores, a_change, a_creation
from tests.integration.oracle import meets

TIME = datetime(2024, 5, 8, 13, 56, tzinfo=UTC)
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "Z",
    "é",
    "É",
    "ß",
    "10",
    "9",
    "true",
    "null",
    "2024-05-08T13:56:00.000000Z",
    "'; DROP TABLE quipu.memory_revisions; --",
    "' OR '1'='1",
    "%s %(space_id)s %%",
    "{} {condition} $1",
    "\\",
    "\"}'::jsonb",
    "100%_",
    "😀",
    "\ufffd",
]
KEYS = ["a", "time", "x.y", "'; --", '"', "%(a)s", "{}", "é"]
NUMBERS = [-1e300, -1.0, -0.0, 0.0, 5e-324, 0.1, 1.0, 3.0, 1e300]
TIMES = [TIME + timedelta(microseconds=step) for step in (-1, 0, 1)]

texts = st.sampled_from(TEXTS)
scalars = st.one_of(texts, st.sampled_from(NUMBERS), st.booleans(), st.sampled_from(TIMES))
metadata_values = st.one_of(scalars, st.lists(scalars, max_size=3).map(tuple))
optional_times = st.one_of(st.none(), st.sampled_from(TIMES))
memories = st.fixed_dictionaries(
    {
        "content": texts.filter(bool),
        "kind": st.sampled_from(Kind),
        "role": st.sampled_from(Role),
        "speaker": texts,
        "session": texts,
        "tags": st.lists(texts.filter(bool), max_size=3, unique=True).map(tuple),
        "metadata": st.dictionaries(st.sampled_from(KEYS), metadata_values, max_size=4),
        "importance": st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        "event_time": optional_times,
        "expire_time": optional_times,
    }
)
ORDERED = [Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL]
EQUALITY = [Operator.EQUAL, Operator.NOT_EQUAL]
CONTAINS = [Operator.CONTAINS, Operator.CONTAINS_IGNORE_CASE]
# PostgreSQL knows no folding to several letters; `lower` in Python does.
simple_texts = texts.filter(lambda text: "ß" not in text)


def comparisons(fields: Sequence[str], values: st.SearchStrategy[Any], operators: Sequence[Operator]) -> Any:
    return st.builds(Comparison, st.sampled_from(fields), st.sampled_from(operators), values)


def leaves_of(fields: Sequence[str], values: st.SearchStrategy[Any], operators: Sequence[Operator]) -> Any:
    named = st.sampled_from(fields)
    members = st.lists(values, min_size=1, max_size=12).map(tuple)
    return comparisons(fields, values, operators) | st.builds(In, named, members) | st.builds(IsSet, named)


text_fields = ["id", "content", "speaker", "session", "tags"]
metadata_fields = [f"metadata.{key}" for key in KEYS]
leaves: st.SearchStrategy[Condition] = st.one_of(
    leaves_of(text_fields, texts, [*EQUALITY, *ORDERED, *CONTAINS]),
    leaves_of(["kind"], st.sampled_from([kind.name.lower() for kind in Kind]), [*EQUALITY, *ORDERED, *CONTAINS]),
    leaves_of(
        ["role"], st.sampled_from([role.name.lower() for role in Role if role]), [*EQUALITY, *ORDERED, *CONTAINS]
    ),
    leaves_of(["importance", "revision"], st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.5, 7.0]), [*EQUALITY, *ORDERED]),
    leaves_of(["event_time", "expire_time", "create_time"], st.sampled_from(TIMES), [*EQUALITY, *ORDERED]),
    leaves_of(metadata_fields, scalars, [*EQUALITY, Operator.CONTAINS]),
    comparisons(metadata_fields, st.one_of(texts, st.sampled_from(NUMBERS), st.sampled_from(TIMES)), ORDERED),
    comparisons(metadata_fields, texts, [Operator.CONTAINS_IGNORE_CASE]),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)


@pytest.fixture
async def space(postgres_stores: Stores) -> Space:
    return await postgres_stores.new_space()


async def found(stores: Stores, space: Space, condition: Condition) -> list[int]:
    return [int(r) for r in await stores.log.matching(space, condition, await stores.revision(space))]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(fields=st.lists(memories, min_size=1, max_size=8), asked=st.lists(conditions, min_size=1, max_size=8))
async def test_conditions_mean_what_they_say(
    postgres_stores: Stores, fields: list[dict[str, Any]], asked: list[Condition]
) -> None:
    space = await postgres_stores.new_space()
    made = await postgres_stores.memories.append(space, [a_creation(**values) for values in fields], None)
    for condition in asked:
        assert await found(postgres_stores, space, condition) == [m.revision for m in made if meets(m, condition)]


@pytest.mark.parametrize("text", TEXTS)
async def test_text_is_never_read_as_sql(postgres_stores: Stores, space: Space, text: str) -> None:
    """Every place that takes text from a caller, with text that would do harm there."""
    metadata = {text: text, "list": (text,)}
    drafts = [
        a_creation("m", text or "-", speaker=text, session=text, tags=(text,), metadata=metadata),
        a_creation("n"),
    ]
    (made, _) = await postgres_stores.memories.append(space, drafts, None)
    assert (await postgres_stores.memories.latest(space, ["m", text]))["m"] == made
    assert await postgres_stores.memories.history(space, text, 99, 9) == []
    for field in ("tags", f"metadata.{text}", "metadata.list"):
        for operator in (Operator.EQUAL, Operator.CONTAINS, Operator.LESS_OR_EQUAL):
            assert await found(postgres_stores, space, Comparison(field, operator, text)) == [1]
        assert await found(postgres_stores, space, In(field, (text, "other"))) == [1]
        assert await found(postgres_stores, space, IsSet(field)) == [1]
    assert await postgres_stores.spaces.find_space(text, text) is None


async def test_case_is_ignored_in_every_script(postgres_stores: Stores, space: Space) -> None:
    await postgres_stores.memories.append(space, [a_creation("m", "ÉCOLE, ΩΜΈΓΑ, ЖУК")], None)
    for text in ("école", "ωμέγα", "жук"):
        assert await found(postgres_stores, space, Comparison("content", Operator.CONTAINS_IGNORE_CASE, text)) == [1]
        assert await found(postgres_stores, space, Comparison("content", Operator.CONTAINS, text)) == []


async def test_a_condition_is_met_as_of_a_revision(postgres_stores: Stores, space: Space) -> None:
    ann = Comparison("speaker", Operator.EQUAL, "Ann")
    (made,) = await postgres_stores.memories.append(space, [a_creation("m", speaker="Ann")], None)
    await postgres_stores.memories.append(space, [a_change(made, Change.UPDATED, speaker="Bob")], None)
    shown = [list(await postgres_stores.log.matching(space, ann, revision)) for revision in range(3)]
    assert shown == [[], [1], []]
