"""Does jobs: workers on the task queue, and the schedule."""

from quipu_server.jobs.worker import Worker

__all__ = ["Worker"]
