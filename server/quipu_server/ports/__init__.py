"""What the core needs from outside: one Protocol a need, with its contract.

Here is what searching and storing need; the other rooms have modules of their own.
"""

from quipu_server.ports.analysis import Analyser
from quipu_server.ports.embedding import Embedder, Lane
from quipu_server.ports.memories import NEWEST, ListQuery, LogPart, MemoryStore, Watched
from quipu_server.ports.searching import LogSource, SearchView, SearchViews, Selection
from quipu_server.ports.spaces import SpaceStore

__all__ = [
    "NEWEST",
    "Analyser",
    "Embedder",
    "Lane",
    "ListQuery",
    "LogPart",
    "LogSource",
    "MemoryStore",
    "SearchView",
    "SearchViews",
    "Selection",
    "SpaceStore",
    "Watched",
]
