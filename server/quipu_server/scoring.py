"""The arithmetic of scores, written once, so that every path gives the same score to the last bit."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Revisions, TermStatistics, Vector

BM25_K1 = 1.2
BM25_B = 0.75
"""The usual values of Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009)."""


def cosines(codes: NDArray[np.float16], query: Vector) -> NDArray[np.float64]:
    """Inner products of float16 rows (n, d) with a query (d,): summed in float64, rounded to float32 precision.

    The rounding hides the order of summation, which differs with the number of rows.
    """
    products = codes.astype(np.float64) @ query.astype(np.float64)
    return products.astype(np.float32).astype(np.float64)


def inverse_document_frequencies(statistics: TermStatistics) -> NDArray[np.float64]:
    """ln(1 + (N - df + 0.5) / (df + 0.5)) for each term; never negative."""
    frequencies = statistics.document_frequencies.astype(np.float64)
    return np.log1p((statistics.document_count - frequencies + 0.5) / (frequencies + 0.5))


def bm25_term(
    frequencies: NDArray[Any], lengths: NDArray[Any], mean_length: float, idf: float | NDArray[np.float64]
) -> NDArray[Any]:
    """What one term adds to the scores of the memories that contain it, as float64, or float32 if that is given."""
    norms = BM25_K1 * (1.0 - BM25_B + BM25_B * lengths / mean_length)
    return idf * (BM25_K1 + 1.0) * frequencies / (frequencies + norms)


def mean_length(statistics: TermStatistics) -> float:
    """Mean number of words of a memory; 1 for an empty space."""
    return statistics.total_length / statistics.document_count if statistics.total_length else 1.0


def bm25_scores(
    frequencies: NDArray[np.float64], lengths: NDArray[Any], statistics: TermStatistics
) -> NDArray[np.float64]:
    """BM25 of some documents. frequencies: how often each term occurs in each, shape (terms, documents).

    Summed in the order of the terms, one after the other: NumPy would add those of a lone document in pairs.
    """
    scores = np.zeros(len(lengths))
    for gains in bm25_term(
        frequencies, lengths, mean_length(statistics), inverse_document_frequencies(statistics)[:, None]
    ):
        scores += gains
    return scores


def highest_bm25(statistics: TermStatistics) -> float:
    """The least upper bound of BM25 scores for these terms."""
    return float((BM25_K1 + 1.0) * inverse_document_frequencies(statistics).sum())


def best(revisions: Revisions, scores: NDArray[np.float64], memory_ids: Sequence[str], depth: int) -> Revisions:
    """The `depth` best of some memories: highest score first, equal ones by memory id."""
    return revisions[descending(scores, lambda places: [memory_ids[place] for place in places.tolist()])[:depth]]


def descending(scores: NDArray[np.float64], names: Callable[[NDArray[np.intp]], Sequence[Any]]) -> NDArray[np.intp]:
    """Places from the highest score to the lowest, equal ones by name; names are asked for these places only."""
    order = np.argsort(-scores)
    ranked = scores[order]
    equal = ranked[1:] == ranked[:-1]
    if equal.any():
        tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
        places = order[tied]
        keys = zip((-ranked[tied]).tolist(), names(places), places.tolist(), strict=True)
        order[tied] = [place for _, _, place in sorted(keys)]
    return order
