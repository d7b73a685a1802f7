"""The hot index: what a replica holds in memory of a space, to search it."""

from quipu_server.hot.catalogue import HotCatalogue

__all__ = ["HotCatalogue"]
