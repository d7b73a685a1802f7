"""The scenarios of the clients, and what reads them."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.files import FOLDER, NOTHING, OPERATIONS, read, read_all
from tests.scenarios.matching import mismatches
from tests.scenarios.variables import fill

SCENARIOS = list(read_all(FOLDER))


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) == len(list(FOLDER.glob("*.yaml")))


def test_every_operation_is_played() -> None:
    assert {step.do for scenario in SCENARIOS for step in scenario.steps} == OPERATIONS


def test_the_page_lists_the_operations() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    listed = re.search(r"### Operations\s+`([^`]+)`", page)
    assert listed is not None
    assert set(listed[1].split()) | {"restart", "wait"} == OPERATIONS


def test_every_variable_is_set_before_it_is_used() -> None:
    for scenario in SCENARIOS:
        known = {"space", "n", "master_key"}
        for step in scenario.steps:
            used = re.findall(r"\$\{(\w+)", f"{step.key} {step.arguments} {step.expect} {step.error}")
            assert set(used) <= known, scenario.name
            known.add(step.keep_as or "space")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{ do: fly }", "no operation 'fly'"),
        ("{ do: get, where: x }", "unknown: where"),
        ("{ do: get, client: third }", "no client 'third'"),
        ("{ do: get, key: secret }", "a key is for the client `secured`"),
        ("{ do: get, expect: 1, error: { code: ABORTED } }", "not with both"),
        ("{ do: get, error: { reason: X } }", "needs a code"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(tmp_path: Path, step: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(f"scenario: Bad\nsteps:\n  - {step}\n", "utf-8")
    with pytest.raises(ValueError, match=rf"bad\.yaml: step 1: .*{message}"):
        read(file)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("${a}", {"b": [1, 2]}),
        ("${a.b.1}", 2),
        ("<${a.b.1}>", "<2>"),
        ({"${a.b.0}": "x"}, {1: "x"}),
        ({"$repeat": "ab", "times": 2}, "abab"),
        ({"$count": 2, "content": "note ${n}"}, [{"content": "note 0"}, {"content": "note 1"}]),
    ],
)
def test_variables_are_filled_in(template: Any, filled: Any) -> None:
    assert fill(template, {"a": {"b": [1, 2]}}) == filled


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"a": 1}, {"a": "1", "b": 2}),
        ([{"a": True}], [{"a": True}]),
        ({"a": {"$any": True}, "b": {"$none": True}}, {"a": 0}),
        ({"$size": 2}, "ab"),
        ({"$least": 0.5, "$most": 1}, 0.7),
        ({"$has": "b"}, "abc"),
        ({"$has": {"a": 1}}, [{"a": 2}, {"a": 1, "b": 3}]),
    ],
)
def test_what_is_expected_matches(expected: Any, found: Any) -> None:
    assert list(mismatches(expected, found)) == []


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, True),
        ("a", "b"),
        ({"a": 1}, {}),
        ({"a": {"$any": True}}, {}),
        ({"a": {"$none": True}}, {"a": 0}),
        ([1], [1, 2]),
        ([], NOTHING),
        ({"$size": 2}, "abc"),
        ({"$least": 0.5}, 0.4),
        ({"$most": 0.5}, NOTHING),
        ({"$has": {"a": 1}}, [{"a": 2}]),
    ],
)
def test_what_is_not_expected_is_told(expected: Any, found: Any) -> None:
    assert list(mismatches(expected, found)) != []
