"""What is stored and asked to measure retrieval."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from quipu import Draft


class MissingData(Exception):
    """A file of a data set is not there; the message says which, and where it was looked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the ids of the memories that answer it. `category` is 0 where there are none."""

    text: str
    relevant: Set[str]
    category: int = 0


@dataclass(frozen=True, slots=True)
class Collection:
    """The memories of one space, in their order, and the questions to it."""

    space: str
    memories: Sequence[Draft]
    questions: Sequence[Question]


def data_file(folder: Path, name: str) -> Path:
    """The path of a file of the evaluation data. Raises MissingData."""
    path = folder / name
    if not path.is_file():
        raise MissingData(f"{name} is not in {folder.resolve()}")
    return path
