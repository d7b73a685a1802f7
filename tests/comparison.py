"""Compares a view with the oracle."""

from dataclasses import fields
from random import Random

import numpy as np

from quipu_server.domain import Evidence, SessionTexts, TermStatistics
from quipu_server.filters import Condition
from quipu_server.ports import SearchView
from tests.logs import NOW, WORDS, unit_vector
from tests.oracle import Oracle


async def compare(view: SearchView, oracle: Oracle, rng: Random, condition: Condition | None) -> None:
    """Ask one random query both ways: filter, both lists, statistics and evidence must be the same to the last bit."""
    query, depth = unit_vector(rng.randrange(12)), rng.choice([1, 3, 10, 100])
    terms = rng.sample([*WORDS, "unknown"], rng.randint(0, 6))
    selection, selected = await view.select(condition, NOW), oracle.select(condition, NOW)
    assert selection.count in (None, len(selected))
    statistics, expected = await view.statistics(terms), oracle.statistics(terms)
    assert_same_statistics(statistics, expected)
    near = await view.dense(query, depth, selection)
    assert near.tolist() == oracle.dense(query, depth, selected)
    said = await view.lexical(terms, statistics, depth, selection)
    assert said.tolist() == oracle.lexical(terms, expected, depth, selected)
    found = np.union1d(near, said)
    for probe, totals, spoken in ((query, statistics, True), (None, statistics, False), (query, None, False)):
        asked = terms if totals else []
        evidence = await view.evidence(found, probe, asked, totals, with_sessions=spoken)
        assert_same_evidence(evidence, oracle.evidence(found.tolist(), probe, asked, totals, with_sessions=spoken))
    beside = await view.surroundings(found, selection)
    assert beside.revisions.tolist() == oracle.neighbours(found.tolist())
    returned = {row.revision for row in selected}
    assert beside.selected.tolist() == [[revision in returned for revision in pair] for pair in beside.revisions]


def assert_same_statistics(got: TermStatistics, expected: TermStatistics) -> None:
    assert (got.document_count, got.total_length) == (expected.document_count, expected.total_length)
    assert got.document_frequencies.tolist() == expected.document_frequencies.tolist()


def assert_same_texts(got: SessionTexts | None, expected: SessionTexts | None) -> None:
    """The sessions may stand in any order, each once."""
    assert (got is None) == (expected is None)
    if got is None or expected is None:
        return
    np.testing.assert_array_equal(got.places < 0, expected.places < 0)
    assert got.frequencies.shape == expected.frequencies.shape
    spoken = got.places >= 0
    for ours, theirs in ((got.lengths, expected.lengths), *zip(got.frequencies, expected.frequencies, strict=True)):
        np.testing.assert_array_equal(ours[got.places[spoken]], theirs[expected.places[spoken]], strict=True)


def assert_same_evidence(got: Evidence, expected: Evidence) -> None:
    for field in fields(Evidence):
        if field.name not in ("matched", "sessions"):
            ours, theirs = (np.asarray(getattr(evidence, field.name)) for evidence in (got, expected))
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name, strict=True)
    assert_same_texts(got.sessions, expected.sessions)
    for place in range(len(expected.revisions)):
        assert got.matched(place).tolist() == expected.matched(place).tolist()
