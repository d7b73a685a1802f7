"""The hot index: what a replica holds in memory of a space, to search it."""

from quipu_server.hot.catalogue import HotCatalogue
from quipu_server.hot.snapshot_store import SnapshotStore
from quipu_server.hot.snapshots import Snapshots

__all__ = ["HotCatalogue", "SnapshotStore", "Snapshots"]
