"""Search: gather candidates, fuse, admit, rank, hydrate."""

from quipu_server.search.pipeline import Search
from quipu_server.search.query import Answer, Explanation, ScoredHit, SearchQuery, SearchSlice, Summary

__all__ = ["Answer", "Explanation", "ScoredHit", "Search", "SearchQuery", "SearchSlice", "Summary"]
