"""SciFact in the form of BEIR: scientific abstracts, and claims that some of them support or refute."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.collection import Collection, Question, data_file
from quipu import Draft


def load_scifact(folder: Path) -> Collection:
    """The abstracts and the claims of the test split. Raises MissingData."""
    memories = [Draft(id=entry["_id"], content=entry["text"]) for entry in _lines(folder, "scifact/corpus.jsonl")]
    claims = {entry["_id"]: entry["text"] for entry in _lines(folder, "scifact/queries.jsonl")}
    relevant = _judgements(data_file(folder, "scifact/qrels/test.tsv"))
    questions = [Question(claims[claim], frozenset(abstracts)) for claim, abstracts in relevant.items()]
    return Collection("scifact", memories, questions)


def _judgements(path: Path) -> dict[str, set[str]]:
    """The relevant abstracts of each claim that has any."""
    relevant: dict[str, set[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], set()).add(row["corpus-id"])
    return relevant


def _lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    with data_file(folder, name).open(encoding="utf-8") as file:
        yield from map(json.loads, file)
