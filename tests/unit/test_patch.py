"""Updates by mask."""

import numpy as np

from quipu_server.domain import Kind, MemoryFields
from quipu_server.inputs import Patch

OLD = MemoryFields("old", kind=Kind.SEMANTIC, tags=("t",), metadata={"a": 1.0, "b": "x"}, importance=0.9)


def test_only_named_fields_change() -> None:
    assert Patch(MemoryFields("new"), frozenset({"content"})).apply(OLD) == MemoryFields(
        "new", kind=Kind.SEMANTIC, tags=("t",), metadata={"a": 1.0, "b": "x"}, importance=0.9
    )


def test_a_named_field_that_is_not_set_is_cleared() -> None:
    patched = Patch(MemoryFields(""), frozenset({"tags", "kind", "importance"})).apply(OLD)
    assert (patched.tags, patched.kind, patched.importance) == ((), Kind.EPISODIC, 0.5)


def test_one_key_of_metadata_changes_alone() -> None:
    patched = Patch(MemoryFields("", metadata={"b": True}), frozenset({"metadata.b"})).apply(OLD)
    assert patched.metadata == {"a": 1.0, "b": True}


def test_one_key_of_metadata_is_removed_alone() -> None:
    assert Patch(MemoryFields(""), frozenset({"metadata.a"})).apply(OLD).metadata == {"b": "x"}


def test_metadata_as_a_whole_wins_over_its_keys() -> None:
    patched = Patch(MemoryFields("", metadata={"c": 1.0}), frozenset({"metadata", "metadata.a"})).apply(OLD)
    assert patched.metadata == {"c": 1.0}


def test_the_same_values_change_nothing() -> None:
    assert not Patch(OLD, frozenset({"content", "tags", "metadata", "metadata.a"})).changes(OLD)
    assert not Patch(MemoryFields(""), frozenset()).changes(OLD)
    assert Patch(MemoryFields("new"), frozenset({"content"})).changes(OLD)


def test_a_number_is_not_a_truth_value() -> None:
    assert Patch(MemoryFields("", metadata={"a": True}), frozenset({"metadata.a"})).changes(OLD)
    listed = MemoryFields("", metadata={"a": (1.0,)})
    assert Patch(MemoryFields("", metadata={"a": (True,)}), frozenset({"metadata"})).changes(listed)


def test_a_given_vector_is_a_change() -> None:
    assert Patch(OLD, frozenset({"vector"}), np.ones(3, np.float32)).changes(OLD)
