"""Names of resources from what callers give: an id, a full name, or the resource itself."""

from typing import TypeAlias

from quipu.v1.job_pb2 import Job
from quipu.v1.memory_pb2 import Memory

MemoryLike: TypeAlias = str | Memory


def space_name(space: str, argument: str = "space") -> str:
    """`spaces/{space}` from an id or a name. Raises ValueError for an empty one, which names nothing."""
    if not space:
        raise ValueError(f"{argument}: must not be empty")
    return space if space.startswith("spaces/") else f"spaces/{space}"


def memory_name(memory: MemoryLike, space: str) -> str:
    """`spaces/{space}/memories/{memory}` from an id, a name or a memory."""
    if isinstance(memory, Memory):
        return memory.name
    return memory if memory.startswith("spaces/") else f"{space_name(space)}/memories/{memory}"


def session_name(session: str, space: str) -> str:
    """`spaces/{space}/sessions/{session}` from an id or a name. Raises ValueError for an empty one."""
    if not session:
        raise ValueError("session: must not be empty")
    return session if session.startswith("spaces/") else f"{space_name(space)}/sessions/{session}"


def model_name(model: str) -> str:
    """`models/{model}` from an id or a name; empty for the default model."""
    return f"models/{model}" if model and not model.startswith("models/") else model


def job_name(job: str | Job) -> str:
    """`jobs/{job}` from an id, a name or a job."""
    name = job.name if isinstance(job, Job) else job
    return name if name.startswith("jobs/") else f"jobs/{name}"


def space_of(name: str) -> str:
    """The name of the space of a memory or a session."""
    return "/".join(name.split("/")[:2])
