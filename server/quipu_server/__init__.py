"""The Quipu memory service."""

import os

# One thread a search, parallelism by requests. FAISS reads this when it is first imported; its own setter binds only
# the thread that calls it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The server starts PostgreSQL as a child. gRPC's handlers of fork would meddle with its own threads in that child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

__version__ = "0.1.0"
