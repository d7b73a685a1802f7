"""Statistics of several spaces, or of their sessions, taken together so that scores compare."""

from collections.abc import Iterable, Mapping

from quipu_server.domain import TermStatistics

Terms = tuple[str, ...]
"""The analysed words of a query: spaces of different languages have different ones."""


def sum_by_terms(statistics: Iterable[tuple[Terms, TermStatistics]]) -> Mapping[Terms, TermStatistics]:
    """The sum of the statistics of the same terms."""
    totals: dict[Terms, TermStatistics] = {}
    for terms, own in statistics:
        totals[terms] = totals[terms] + own if terms in totals else own
    return totals
