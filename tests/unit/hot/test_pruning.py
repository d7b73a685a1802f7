"""Words without looking at all that contain a common one: what the plain way gives, to the last bit."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quipu_server.domain import TermStatistics
from quipu_server.hot import pruning, words
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.postings import Postings
from quipu_server.hot.tuning import Tuning
from quipu_server.hot.words import Matches, best_of_all
from tests.logs import a_deletion, a_row

VOCABULARY = [f"w{i}" for i in range(60)]
WEIGHTS = [1 / (i + 1) for i in range(60)]


def an_index(rng: Random, count: int, lengths: int = 12) -> HotIndex:
    """Words as in a language: few are in nearly all memories. Some memories are alike, and some are deleted."""
    index, live = HotIndex(Tuning(graph_rows=700), None), list[str]()
    for revision in range(1, count + 1):
        if len(live) > 20 and rng.random() < 0.05:
            index.follow([a_deletion(revision, live.pop(rng.randrange(len(live))))])
            continue
        drawn = rng.choices(VOCABULARY, WEIGHTS, k=rng.randrange(1, lengths))
        live.append(f"m{revision:05d}")
        index.follow([a_row(revision, live[-1], terms={word: drawn.count(word) for word in drawn})])
    return index


def compare(contents: Contents, terms: tuple[str, ...], totals: TermStatistics, depth: int, mask: object) -> None:
    found = Matches(contents, terms)
    near = pruning.candidates(contents, contents.occurrences(terms), totals, depth, mask)  # type: ignore[arg-type]
    assert (np.diff(near) > 0).all()
    scores = found.scores(totals)
    plain = best_of_all(contents, scores, depth, mask)  # type: ignore[arg-type]
    assert found.best(totals, depth, mask).tolist() == plain.tolist()  # type: ignore[arg-type]
    assert np.isin(plain, near).all()
    assert found.scores_at(near, totals).tobytes() == scores[near].tobytes()


@pytest.fixture(scope="module")
def indexes() -> list[HotIndex]:
    made = [an_index(Random(seed), count) for seed, count in ((0, 1), (1, 40), (2, 300), (3, 900), (4, 2_000))]
    made[3].merge()
    made[4].merge()
    return made


@settings(max_examples=300, deadline=None)
@given(
    number=st.integers(0, 4),
    terms=st.lists(st.sampled_from([*VOCABULARY, "unknown"]), max_size=9, unique=True),
    depth=st.sampled_from([1, 3, 10, 100, 5_000]),
    share=st.sampled_from([None, 0.0, 0.01, 0.3, 0.9]),
    seed=st.integers(0, 100),
    elsewhere=st.integers(0, 3_000),
)
def test_the_best_are_the_same(
    indexes: list[HotIndex],
    number: int,
    terms: list[str],
    depth: int,
    share: float | None,
    seed: int,
    elsewhere: int,
) -> None:
    contents, asked = indexes[number].contents, tuple(terms)
    mask = contents.live
    if share is not None:
        mask = mask & (np.random.default_rng(seed).random(len(mask)) < share)
    here = Matches(contents, asked).statistics()
    totals = TermStatistics(
        here.document_count + elsewhere,
        here.total_length + 9 * elsewhere,
        here.document_frequencies + elsewhere // 3,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "PLAIN_OCCURRENCES", 0)
        patch.setattr(pruning, "ENOUGH", 0)
        for cost in (0, words.LOOK_UP_COST, 1_000_000):
            patch.setattr(words, "LOOK_UP_COST", cost)
            patch.setattr(pruning, "LOOK_UP_COST", cost)
            patch.setattr(pruning, "PASS_SHARE", 10 + cost)
            compare(contents, asked, totals, depth, mask)
        compare(contents, asked, totals, depth, None)


def test_common_words_are_looked_up_for_few(monkeypatch: pytest.MonkeyPatch, indexes: list[HotIndex]) -> None:
    """What is rare decides, so that most memories with a common word are never scored."""
    monkeypatch.setattr(words, "PLAIN_OCCURRENCES", 0)
    contents = indexes[4].contents
    terms = (VOCABULARY[0], VOCABULARY[1], VOCABULARY[55])
    totals, found = Matches(contents, terms).statistics(), contents.occurrences(terms)
    near = pruning.candidates(contents, found, totals, 3, None)
    assert len(near) < sum(len(part.slots) for part in found[0]) / 4


@pytest.mark.parametrize("seed", range(5))
def test_profiles_bound_every_memory_however_segments_were_joined(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts, lengths, first = [], rng.integers(1, 40, 1_500).astype(np.float64), 0
    for count in (500, 1, 999):
        slots, terms = rng.integers(first, first + count, 4 * count), rng.integers(0, 50, 4 * count)
        pairs = np.unique(np.stack([terms, slots]), axis=1).astype(np.int32)
        frequencies = np.minimum(np.arange(pairs.shape[1]) % 7 + 1, 5).astype(np.int32)
        parts.append(Postings.build(pairs[0], pairs[1], frequencies, lengths))
        first += count
    joined = Postings.join(parts)
    assert joined.nbytes > 0
    for found in joined.find(joined.terms):
        assert found.profile is not None
        kinds = np.minimum(found.frequencies, 4)
        for kind in range(1, 5):
            here = lengths[found.slots[kinds == kind]]
            assert found.profile.shortest[kind - 1] == here.min(initial=np.inf)
        assert found.profile.most == found.frequencies.max()
