"""What an index of a large space finds is checked against what it holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from quipu_server.hot.contents import Contents
from quipu_server.hot.self_check import RecallChecks
from tests.contract.stores import a_space
from tests.unit.hot.test_graph import HALF, an_index

SPACE = a_space("large")


@pytest.fixture
def checks() -> Iterator[RecallChecks]:
    with ThreadPoolExecutor(1) as threads:
        yield RecallChecks(threads)


def values(checks: RecallChecks) -> dict[str, object]:
    return {sample.metric.name: sample.value for sample in checks.samples()}


@pytest.fixture(scope="module")
def contents() -> Contents:
    return an_index(HALF).contents


async def test_a_good_graph_is_counted_and_not_told(checks: RecallChecks, contents: Contents) -> None:
    with capture_logs() as logs:
        await checks.check_all([(SPACE, contents)])
    assert not logs
    found = values(checks)
    assert found["quipu_hot_recall_checks_total"] == 1
    assert isinstance(recall := found["quipu_hot_recall"], float)
    assert 0.95 <= recall <= 1.0


async def test_a_graph_that_misses_most_is_told(checks: RecallChecks, contents: Contents) -> None:
    """Its rows belong to other vectors: as if the graph were another space's."""
    graph = contents.graph
    assert graph is not None
    mixed = replace(graph, codes=graph.codes[::-1])
    with capture_logs() as logs:
        await checks.check_all([(SPACE, replace(contents, segments=(mixed, *contents.segments[1:])))])
    assert [(line["event"], line["space"]) for line in logs] == [("low_recall", str(SPACE.id))]
    assert isinstance(recall := values(checks)["quipu_hot_recall"], float)
    assert recall < 0.95


async def test_what_is_not_there_any_more_is_forgotten(checks: RecallChecks, contents: Contents) -> None:
    await checks.check_all([(SPACE, contents)])
    await checks.check_all([])
    assert values(checks) == {"quipu_hot_recall": 1.0, "quipu_hot_recall_checks_total": 1}
