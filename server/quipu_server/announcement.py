"""How programs on this machine find a running server: a file in its data directory."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATE_FILE = "server.json"


@contextmanager
def announced(data_dir: Path, address: str) -> Iterator[None]:
    """Say while the context lasts that this process serves the data directory at an address, `127.0.0.1:50051`."""
    path = data_dir / STATE_FILE
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), "address": address}), "utf-8")
    draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
